import json


def test_an_upgrade_tells_what_is_on_another_image_now(mailpod, system, monkeypatch):
    system.up("alice", "bob")
    assert mailpod("upgrade").lines == ["everything is on the newest images already"]
    system.pull(monkeypatch, "newer")
    assert mailpod("account", "list").lines[-1] == "an upgrade is available for alice, bob: mailpod upgrade"
    assert "an upgrade is available for main, alice, bob" in mailpod("status").out
    done = mailpod("upgrade", "bob", "--json")
    assert json.loads(done.out) == [
        {"name": "bob", "image": "mailpod/account-dovecot:newer", "before": "mailpod/account-dovecot:made-up"}
    ]
    names = [line.split("\t")[0] for line in mailpod("upgrade", "--canary", "alice").out.splitlines()]
    assert names == ["alice", "main"]
    assert not json.loads(mailpod("account", "show", "alice", "--json").out)["upgrade_available"]


def test_a_rollback_tells_the_image(mailpod, system, monkeypatch):
    system.up("alice")
    assert mailpod("rollback", "alice").code == 3
    system.pull(monkeypatch, "newer")
    assert mailpod("upgrade").code == 0
    assert json.loads(mailpod("rollback", "alice", "--json").out)["image"] == "mailpod/account-dovecot:made-up"
    assert mailpod("rollback", "main").code == 0
    assert mailpod("rollback", "nobody").code == 3
    assert mailpod("upgrade", "nobody").code == 3
    assert mailpod("upgrade", "alice", "--canary", "main").code == 2
