import json

import pytest

from mailpod.cli import output
from mailpod.model.errors import MailpodError


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 29, "1.5 GiB"),
        (1 << 41, "2048.0 GiB"),
    ],
)
def test_sizes(count, text):
    assert output.size(count) == text


def test_errors_are_two_lines_or_one(capsys):
    output.error(MailpodError("what", "next"))
    output.error(MailpodError("alone"))
    assert capsys.readouterr() == ("", "mailpod: what\n  next\nmailpod: alone\n")


def test_a_document_is_json_in_utf_8(capsys):
    output.document({"é": [1]})
    out = capsys.readouterr().out
    assert "é" in out
    assert json.loads(out) == {"é": [1]}


def test_a_table_is_tab_separated_where_nobody_looks(capsys):
    output.table(("A", "B"), [("1", "2"), ("3", "")])
    output.fields([("a", "1"), ("long", "2")])
    output.fields([])
    assert capsys.readouterr().out == "1\t2\n3\t\na     1\nlong  2\n"


def test_a_table_on_a_terminal_shows_brackets_as_they_are(capsys, monkeypatch):
    monkeypatch.setattr(output.sys.stdout, "isatty", lambda: True, raising=False)
    output.table(("NAME", "STATE"), [("[red]x[/]", "running")])
    out = capsys.readouterr().out
    assert "[red]x[/]" in out
    assert "NAME" in out


def test_only_results_go_to_standard_output(capsys):
    output.progress("working")
    output.note("noted")
    output.line("result")
    assert capsys.readouterr() == ("result\n", "· working\nnoted\n")


def test_a_terminal_that_is_gone_keeps_nobody_from_working(monkeypatch):
    class Gone:
        def write(self, _text):
            raise OSError(5, "Input/output error")

        flush = write

    monkeypatch.setattr(output.sys, "stderr", Gone())
    output.progress("undoing")
    output.error(MailpodError("what", "next"))


def test_words_of_others_are_no_commands_to_the_terminal(capsys):
    output.progress("folder \x1b]52;c;aGk=\x07")
    output.error(MailpodError("a\x1b[2J", "b\nc"))
    assert capsys.readouterr().err == "· folder ?]52;c;aGk=?\nmailpod: a?[2J\n  b\nc\n"
