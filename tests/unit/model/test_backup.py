import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailpod.model.backup import BackupPlan, Repository, Snapshot, chosen
from mailpod.model.errors import InvalidInput, NotFound

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
OLD, NEW = Snapshot("a" * 64, NOON - timedelta(days=1), 1), Snapshot("b" * 64, NOON, 2)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("/srv/backup/", Repository("folder", "/srv/backup")),
        ("sftp:me@host.example:/srv/backup", Repository("sftp", "/srv/backup", "host.example", 22, "me")),
        ("sftp:host.example:backup", Repository("sftp", "backup", "host.example", 22, "root")),
        ("sftp://me@host.example:2022//srv/backup", Repository("sftp", "/srv/backup", "host.example", 2022, "me")),
        ("s3:https://s3.example/mail/daily", Repository("s3", "mail/daily", "https://s3.example")),
        ("s3:s3.example/mail", Repository("s3", "mail", "https://s3.example")),
    ],
)
def test_a_repository_is_spelled_as_restic_does(text, where):
    assert Repository.parse(text) == where


@pytest.mark.parametrize("text", ["", "backup", "sftp:host", "sftp://host:99999//x", "s3:https://host", "/a\nb", 'x"y'])
def test_what_is_none_is_refused(text):
    with pytest.raises(InvalidInput):
        Repository.parse(text)


@pytest.mark.parametrize("guide", ["backup.md", "backup.fr.md"])
def test_what_the_guide_says_makes_the_same_password(guide, tmp_path):
    text = (Path(__file__).parents[3] / "docs" / guide).read_text()
    [command] = re.findall(r"^python3 -c .*hmac.* >password$", text, re.MULTILINE)
    (tmp_path / "key.txt").write_text("a key\n")
    subprocess.run(command.replace("ID", "0a1b"), shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "password").read_text().strip() == BackupPlan(key="a key").password("0a1b")


def test_each_element_has_a_password_of_its_own():
    plan = BackupPlan(key="key", repository="/srv/backup")
    assert plan.password("system") != plan.password("0a1b")
    assert plan.password("0a1b") != BackupPlan(key="other").password("0a1b")
    assert plan.password("0a1b") == plan.model_copy(update={"repository": "/elsewhere"}).password("0a1b")


def test_what_rclone_is_told_of_each_kind():
    assert BackupPlan(key="key", repository="/srv").rclone() == "[depot]\ntype = local\n"
    sftp = BackupPlan(key="key", repository="sftp:me@host.example:/srv").rclone()
    assert "host = host.example\n" in sftp
    assert "known_hosts_file = " in sftp
    s3 = BackupPlan(key="key", repository="s3:https://s3.example/mail", s3_id="id", s3_secret="secret").rclone()
    assert "endpoint = https://s3.example\n" in s3
    assert "region" not in s3
    there = BackupPlan(key="key", repository="s3:https://s3.example/mail", s3_region="eu-west-3")
    assert "region = eu-west-3\n" in there.rclone()


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        ("", NEW),
        ("aaaaaaaa", OLD),
        ("2026-11-28", NEW),
        ("2026-11-28T11:59:00+00:00", OLD),
        ((NOON - timedelta(days=1)).isoformat(), OLD),
    ],
)
def test_a_backup_is_meant_by_its_id_or_by_a_time(at, wanted):
    assert chosen([NEW, OLD], at) == wanted


def test_none_is_guessed_at():
    with pytest.raises(InvalidInput):
        chosen([OLD], "yesterday")
    for at in ("cccccccc", "2026-11-01"):
        with pytest.raises(NotFound):
            chosen([OLD], at)
    with pytest.raises(NotFound):
        chosen([], "")


def test_restic_writes_more_digits_of_a_second_than_python_reads():
    said = {"id": "ab", "time": "2026-11-28T12:00:00.123456789Z", "summary": {"total_bytes_processed": 7}}
    assert Snapshot.parse(said) == Snapshot("ab", datetime(2026, 11, 28, 12, 0, 0, 123456, UTC), 7)
