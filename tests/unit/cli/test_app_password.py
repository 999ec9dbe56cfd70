import json


def test_a_password_is_shown_once_and_then_only_its_use(mailpod, system):
    system.up("alice")
    shown = mailpod("account", "app-password", "add", "alice", "phone")
    assert shown.code == 0
    assert "shown once" in shown.out
    made = json.loads(mailpod("account", "app-password", "add", "alice", "Reader", "--scope", "imap", "--json").out)
    assert made.keys() == {"name", "scope", "created", "last_use", "password"}
    assert (made["name"], made["scope"], made["last_use"]) == ("reader", "imap", None)
    listed = mailpod("account", "app-password", "list", "alice")
    assert [line.split("\t")[:2] for line in listed.out.splitlines()] == [["phone", "all"], ["reader", "imap"]]
    assert all(line.endswith("\tnever") for line in listed.out.splitlines())
    as_json = json.loads(mailpod("account", "app-password", "list", "alice", "--json").out)
    assert as_json[1] == {key: value for key, value in made.items() if key != "password"}
    assert made["password"] not in listed.out


def test_revoke_takes_one_away(mailpod, system):
    system.up("alice")
    mailpod("account", "app-password", "add", "alice", "phone")
    assert json.loads(mailpod("account", "app-password", "revoke", "alice", "phone", "--json").out) == {"name": "phone"}
    assert mailpod("account", "app-password", "revoke", "alice", "phone").code == 3
    assert mailpod("account", "app-password", "list", "alice").out == ""


def test_a_name_that_is_taken_ends_with_4(mailpod, system):
    system.up("alice")
    assert mailpod("account", "app-password", "add", "alice", "phone").code == 0
    answer = mailpod("account", "app-password", "add", "alice", "phone")
    assert (answer.code, len(answer.lines)) == (4, 2)
