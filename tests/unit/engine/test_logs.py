"""Reading what containers have said."""

from types import SimpleNamespace

import docker.errors
import pytest

from mailpod.engine.logs import LogReader

SAID = {"old": b"1 a\n2 b\n", "new": b"3 c\n4 d\n"}


class Api:
    def logs(self, container, *, timestamps, since=None, tail="all", stream=False, follow=False):
        assert timestamps
        if container not in SAID:
            raise docker.errors.NotFound("no such container")
        said = b"".join(SAID[container].splitlines(keepends=True)[-tail if tail != "all" else 0 :])
        # A piece is whatever came in one packet.
        return (piece for piece in (said[:2], said[2:5], said[5:])) if stream else said


class Reader(LogReader):
    """A machine on which a service has had two containers."""

    def on(self, node):
        assert node == "node2"
        # As the engine lists them: the newest first.
        return SimpleNamespace(client=Api(), containers_of=lambda name: ["new", "old"] if name == "service" else [])


@pytest.mark.parametrize(("last", "lines"), [(None, [b"1 a", b"2 b", b"3 c", b"4 d"]), (3, [b"2 b", b"3 c", b"4 d"])])
def test_a_services_containers_are_read_one_after_the_other(last, lines):
    assert list(Reader().logs("service", "node2", last=last)) == lines


def test_a_container_is_read_by_its_own_name():
    assert list(Reader().logs("new", "node2")) == [b"3 c", b"4 d"]


def test_a_container_that_is_not_there_has_said_nothing():
    assert not list(Reader().logs("gone", "node2"))


def test_the_newest_is_followed_line_by_line():
    assert list(Reader().follow("service", "node2")) == [b"3 c", b"4 d"]
