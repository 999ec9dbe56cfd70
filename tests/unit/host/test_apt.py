from mailpod.host import apt

MADISON = """\
docker-compose |   1.29.2-3 | http://mirror.test/debian bookworm/main amd64 Packages
 docker.io | 20.10.25 | http://mirror.test/security bookworm-security/main amd64 Packages
 docker.io | 20.10.24 | http://mirror.test/debian bookworm/main amd64 Packages
 docker.io | 20.10.24 | http://mirror.test/debian bookworm/main Sources
"""


def test_candidates_are_the_newest_of_each_package():
    assert apt.parse_candidates(MADISON) == {"docker-compose": "1.29.2-3", "docker.io": "20.10.25"}


def test_no_candidates():
    assert apt.parse_candidates("") == {}


def test_install_command_asks_nothing():
    assert apt.install_command(["docker.io", "iptables"]) == [
        "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0",
        "-o", "Dpkg::Options::=--force-confold", "install", "--no-install-recommends",
        "docker.io", "iptables",
    ]  # fmt: skip


def test_update_command():
    assert apt.update_command()[-1] == "update"


def test_by_hand():
    assert apt.by_hand(["a", "b"]) == "sudo apt-get install --no-install-recommends a b"


def test_lists_missing(tmp_path):
    (tmp_path / "partial").mkdir()
    assert apt.lists_missing(tmp_path)
    (tmp_path / "mirror.test_debian_dists_bookworm_main_binary-amd64_Packages.lz4").touch()
    assert not apt.lists_missing(tmp_path)


def test_last_error():
    output = "Reading package lists...\nE: Unable to locate package nope\n\n"
    assert apt.last_error(output + "W: later\n") == "E: Unable to locate package nope"
    assert apt.last_error("one\ntwo\n") == "two"
    assert apt.last_error("") == ""
    assert apt.last_error("I: x\nE: a\nE: b failed to execute\n") == "E: a", "mmdebstrap's own says less"


def test_a_command_that_fails_gives_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(apt, "LOG", tmp_path / "log")
    assert apt._run(["true"]) is None
    assert apt._run(["sh", "-c", "echo E: no room >&2; exit 100"]) == "E: no room"
    assert apt._run(["false"]) == "exit code 1"
