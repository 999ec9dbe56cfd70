import json
import shutil


def test_a_lost_folder_is_written_anew(mailpod, system):
    system.up("alice")
    shutil.rmtree(system.folder)
    told = mailpod("rebuild")
    assert told.code == 0
    assert told.out.splitlines()[0] == "on record again: alice"
    assert any(line.startswith("could not be known: the authority's key") for line in told.out.splitlines())
    assert mailpod("account", "show", "alice").code == 0


def test_nothing_is_missing(mailpod, system):
    system.up("alice")
    assert json.loads(mailpod("rebuild", "--json").out) == {"accounts": [], "deleted": [], "unknown": []}


def test_an_engine_without_a_system_ends_with_3(mailpod):
    assert mailpod("rebuild").code == 3


def test_what_is_no_domain_ends_with_2(mailpod, system):
    system.up("alice")
    assert mailpod("rebuild", "no domain").code == 2
