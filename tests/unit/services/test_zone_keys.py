import io
import tarfile

import pytest
from tests.fakes.engine import ZONE_KEYS

from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.services import zone_keys

VOLUME = "mailpod-dns"


@pytest.fixture
def served(system):
    """A system with a name server of its own."""
    system.dns = "built-in"
    return system.up()


def put(system, path, content):
    system.world.volumes[VOLUME].files[path] = File(path, content)


def found(packed):
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {one.name: one for one in archive.getmembers()}


def test_they_are_knots_own_when_they_come_back(served):
    put(served, "db/keys/keys/key.pem", b"private")
    put(served, "db/keys/lock.mdb", b"locks")
    put(served, "db/journal/data.mdb", b"changes")
    members = found(zone_keys.packed(served.process()))
    assert {name for name, one in members.items() if one.isfile()} == {ZONE_KEYS, "db/keys/keys/key.pem"}
    assert {name for name, one in members.items() if one.isdir()} == {"db", "db/keys", "db/keys/keys"}
    assert {(one.uid, one.gid) for one in members.values()} == {(213, 213)}
    assert not any(one.mode & 0o007 for one in members.values())


def test_they_are_of_one_moment(served):
    """Knot writes into its database while it is read; after the third reading it has done."""
    readings = iter((b"first", b"second", b"third"))

    def writing(what):
        if what.startswith("engine read"):
            put(served, ZONE_KEYS, next(readings, b"third"))

    with tarfile.open(fileobj=io.BytesIO(zone_keys.packed(served.process(writing)))) as archive:
        assert archive.extractfile(ZONE_KEYS).read() == b"third"


def test_keys_that_never_stand_still_are_no_backup(served):
    count = iter(range(99))

    def writing(what):
        if what.startswith("engine read"):
            put(served, ZONE_KEYS, b"%d" % next(count))

    with pytest.raises(MailpodError, match="do not stand still"):
        zone_keys.packed(served.process(writing))


def test_without_a_name_server_there_are_none(system):
    system.up()
    assert zone_keys.packed(system.process()) == b""
