import json


def test_the_old_place_is_told_and_struck(mailpod, system, tmp_path):
    system.up("alice")
    old, new = (str(tmp_path / name) for name in ("old", "new"))
    assert mailpod("backup", "to", old).code == 0
    assert mailpod("backup", "former").out == ""
    said = mailpod("backup", "to", new)
    assert (said.code, old in said.err) == (0, True)
    assert mailpod("backup", "former").out == f"{old}\n"
    assert mailpod("backup", "former", "--forget", new).code == 3
    assert json.loads(mailpod("backup", "former", "--forget", old, "--json").out) == []


def test_backups_are_kept_of_a_purge_alone(mailpod, system, tmp_path):
    system.up("alice")
    assert mailpod("backup", "to", str(tmp_path / "depot")).code == 0
    assert mailpod("backup").code == 0
    assert mailpod("account", "delete", "alice", "--keep-backups", "--yes").code == 2
    said = mailpod("account", "delete", "alice", "--purge", "--keep-backups", "--yes", "--json")
    assert any("as was asked" in line for line in json.loads(said.out)["not_destroyed"])
