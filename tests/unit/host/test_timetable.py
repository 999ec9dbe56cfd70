import pytest

from mailpod.host import timetable
from mailpod.host.timetable import Timetable
from mailpod.model.errors import MailpodError

COMMAND = ["/opt/mail pod/mailpod", "--state", "/var/100%", "tend"]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """On a machine that has cron."""
    made = Timetable(tmp_path / "units", tmp_path / "cron.d", tmp_path / "booted")
    made.units.mkdir()
    made.cron.mkdir()
    monkeypatch.setattr(timetable, "which", lambda name: name == "cron")
    return made


@pytest.fixture
def asked(table, monkeypatch):
    """What systemd is asked for, on a machine that it runs."""
    said = []
    table.booted.mkdir()
    monkeypatch.setattr(timetable, "_systemctl", lambda *words: said.append(words))
    return said


def left(table):
    return [path.name for folder in (table.units, table.cron) for path in sorted(folder.iterdir())]


def test_cron_runs_it_once_an_hour_as_root(table):
    table.enter("mailpod-tend-a", COMMAND)
    minute, *words = (table.cron / "mailpod-tend-a").read_text().split(" ", 6)
    assert 0 <= int(minute) < 60
    assert words == ["*", "*", "*", "*", "root", "'/opt/mail pod/mailpod' --state /var/100\\% tend >/dev/null\n"]


def test_systemd_runs_it_once_an_hour_and_after_it_was_off(table, asked):
    table.enter("mailpod-tend-a", COMMAND)
    assert left(table) == ["mailpod-tend-a.service", "mailpod-tend-a.timer"]
    service = (table.units / "mailpod-tend-a.service").read_text()
    assert 'ExecStart="/opt/mail pod/mailpod" "--state" "/var/100%%" "tend"\n' in service
    assert "OnCalendar=hourly" in (table.units / "mailpod-tend-a.timer").read_text()
    assert asked == [("daemon-reload",), ("enable", "--quiet", "--now", "mailpod-tend-a.timer")]


def test_it_ends_without_a_trace_also_a_second_time(table, asked):
    table.enter("mailpod-tend-a", COMMAND)
    asked.clear()
    table.strike("mailpod-tend-a")
    table.strike("mailpod-tend-a")
    assert left(table) == []
    assert asked == [("disable", "--quiet", "--now", "mailpod-tend-a.timer"), ("daemon-reload",)]


def test_an_entry_of_crons_ends_likewise(table):
    table.enter("mailpod-tend-a", COMMAND)
    table.strike("mailpod-tend-a")
    assert left(table) == []


def test_a_machine_without_either_cannot(table, monkeypatch):
    assert table.usable()
    monkeypatch.setattr(timetable, "which", lambda name: False)
    assert not table.usable()


def test_what_systemd_says_is_told(tmp_path, monkeypatch):
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(MailpodError, match="systemctl daemon-reload failed: no bus"):
        timetable._systemctl("daemon-reload")
