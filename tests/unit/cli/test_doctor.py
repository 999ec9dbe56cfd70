import json

import pytest

from mailpod.host import kernel
from mailpod.model.doctor.limits import Kernel
from mailpod.services.doctor import machine


@pytest.fixture
def doctor(mailpod, system, monkeypatch):
    """The command, on a system that is well and a machine that nobody looks at."""
    monkeypatch.setattr(machine, "ports", lambda context: [])
    monkeypatch.setattr(kernel, "read", Kernel)
    system.up("alice")
    return lambda *options: mailpod("doctor", "--time-server", "none", *options)


def test_a_system_that_is_well_ends_with_0(doctor):
    told = doctor()
    assert (told.code, told.out, told.err) == (0, "", "nothing is wrong\n")
    assert json.loads(doctor("--json").out) == []


def test_what_is_wrong_is_told_with_what_to_do(doctor, system):
    system.world.containers["mailpod-alice"].state = "exited"
    told = doctor()
    assert told.code == 1
    assert told.out.splitlines() == [
        "error: mailpod-alice: the container of an account is stopped",
        "  mailpod apply (mailpod doctor --fix does it)",
    ]
    (one,) = json.loads(doctor("--json").out)
    assert one == {
        "severity": "error",
        "what": "the container of an account is stopped",
        "where": "mailpod-alice",
        "do": "mailpod apply",
        "check": "containers",
        "fixable": True,
        "fixed": False,
    }


def test_what_was_repaired_is_told_and_ends_with_0(doctor, system):
    system.world.containers["mailpod-alice"].state = "exited"
    told = doctor("--fix")
    assert told.code == 0
    assert told.out == "fixed: mailpod-alice: the container of an account is stopped\n"


def test_without_a_system_it_ends_with_3(mailpod):
    assert mailpod("doctor").code == 3


def test_hours_that_are_none_are_refused(doctor):
    assert doctor("--hours", "0").code == 2
