import pytest

from mailpod.model.doctor.folder import Entry, of_entry


@pytest.mark.parametrize(
    ("path", "folder", "mode", "command"),
    [
        ("secrets", True, 0o755, "chmod 700 /s/secrets"),
        ("secrets/operator_key", False, 0o640, "chmod 600 /s/secrets/operator_key"),
        ("system.toml", False, 0o622, "chmod 600 /s/system.toml"),
        ("", True, 0o777, "chmod 700 /s"),
    ],
)
def test_what_others_may_do_is_found(path, folder, mode, command):
    found = of_entry("/s", Entry(path, folder, mode, owned=True))
    assert (found.severity, found.do, found.repair) == ("error", command, "modes")


@pytest.mark.parametrize(
    ("path", "folder", "mode"),
    [
        ("", True, 0o755),
        ("accounts/alice.toml", False, 0o644),
        ("secrets/operator_key.pub", False, 0o644),
        ("secrets/nodes/known_hosts", False, 0o644),
        ("secrets/operator_key", False, 0o600),
        ("secrets", True, 0o700),
    ],
)
def test_what_is_no_secret_may_be_read(path, folder, mode):
    assert of_entry("/s", Entry(path, folder, mode, owned=True)) is None


def test_what_is_another_users_is_found():
    found = of_entry("/s", Entry("system.toml", folder=False, mode=0o600, owned=False))
    assert (found.where, found.do) == ("/s/system.toml", "chown --reference=/s /s/system.toml")
