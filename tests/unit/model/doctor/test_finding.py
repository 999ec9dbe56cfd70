from mailpod.model.doctor.finding import Finding, ordered


def test_the_worst_comes_first_and_each_once():
    note, warning, error = (Finding(one, one, "here", "do") for one in ("note", "warning", "error"))
    again = Finding("error", "error", "here", "do", check="another")
    assert [one.severity for one in ordered([note, warning, error, again])] == ["error", "warning", "note"]


def test_a_note_is_nothing_wrong():
    assert not Finding("note", "what", "where", "do").wrong
