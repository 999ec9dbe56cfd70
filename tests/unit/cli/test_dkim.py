import json


def test_the_records_are_shown_without_what_is_secret(mailpod, system):
    system.up("alice")
    shown = mailpod("dkim", "show", "alice")
    assert shown.code == 0
    first, second = shown.out.splitlines()
    assert first.endswith("._domainkey.alice.example.org. TXT v=DKIM1; k=rsa; p=cHVibGlj")
    assert second.endswith("._domainkey.alice.example.org. TXT v=DKIM1; k=ed25519; p=cHVibGlj")
    document = json.loads(mailpod("dkim", "show", "--json").out)
    assert [one["domain"] for one in document] == [*["example.org"] * 2, *["alice.example.org"] * 2]
    assert document[0].keys() == {"domain", "selector", "algorithm", "record", "text", "signs", "retired"}
    assert "cHJpdmF0ZQ" not in json.dumps(document)


def test_a_rotation_shows_what_is_to_be_published(mailpod, system):
    system.up("alice")
    rotated = json.loads(mailpod("dkim", "rotate", "alice", "--json").out)
    assert [one["signs"] for one in rotated] == [False, False, True, True]
    assert json.loads(mailpod("dkim", "show", "alice", "--json").out) == rotated
    assert f"not yet signing: {rotated[0]['record']}, {rotated[1]['record']};" in mailpod("dkim", "show").err
    system.paste()
    assert mailpod("apply").code == 0
    assert "not yet signing" not in mailpod("dkim", "show").err
    begun = json.loads(mailpod("dkim", "show", "alice", "--json").out)
    assert [(one["signs"], bool(one["retired"])) for one in begun] == [*[(True, False)] * 2, *[(False, True)] * 2]


def test_an_account_that_is_not_there_ends_with_3(mailpod, system):
    system.up("alice")
    assert mailpod("dkim", "show", "eve").code == mailpod("dkim", "rotate", "eve").code == 3
