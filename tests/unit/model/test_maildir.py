import pytest

from mailpod.model import maildir


@pytest.mark.parametrize(
    ("name", "parts"),
    [("1.M2P3.host:2,FS", ("1.M2P3.host", "FS")), ("1.host", ("1.host", "")), ("1:2,Sba", ("1", "Sab"))],
)
def test_the_flags_of_a_message(name, parts):
    assert maildir.split_flags(name) == parts


@pytest.mark.parametrize(
    ("parts", "name"),
    [([""], ""), ([".Sent"], ".Sent"), (["Archive", "2023"], ".Archive.2023"), ([".A.B"], ".A.B"), (["..", ""], "")],
)
def test_folders_on_disk(parts, name):
    assert maildir.folder_name(parts) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [("Vertr&AOQ-ge", "Verträge"), ("R&-D", "R&D"), ("Sent", "Sent"), ("a & b", "a & b"), ("x&2D3-", "x&2D3-")],
)
def test_names_in_modified_utf7(name, text):
    assert maildir.decoded(name) == text


@pytest.mark.parametrize(("name", "plain"), [("1.M2P3.host,S=5", True), ("a/b", False), (".x", False), ("a\n", False)])
def test_names_that_can_stay(name, plain):
    assert maildir.is_plain(name) == plain
