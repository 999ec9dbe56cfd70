from datetime import UTC, datetime, timedelta

from tests.fakes.system import signing_keys

from mailpod.model.dkim import DkimRecord, SigningKeys, records

NOW = datetime(2026, 1, 10, tzinfo=UTC)


def selectors(keys):
    return [key.selector for key in keys]


def test_a_record_is_as_rfc_6376_and_rfc_8463_have_it():
    rsa, ed25519 = signing_keys().keys
    assert rsa.text == "v=DKIM1; k=rsa; p=cHVibGlj"
    assert ed25519.text == "v=DKIM1; k=ed25519; p=cHVibGlj"


def test_every_key_of_every_domain_is_published():
    old, new = signing_keys(1), signing_keys(2)
    keys = {"example.org": old.replaced(new, NOW), "alice.example.org": old}
    assert [(record.domain, record.selector) for record in records(keys)] == [
        ("example.org", "rsa-2"),
        ("example.org", "ed25519-2"),
        ("example.org", "rsa-1"),
        ("example.org", "ed25519-1"),
        ("alice.example.org", "rsa-1"),
        ("alice.example.org", "ed25519-1"),
    ]
    assert records({"example.org": old})[0] == DkimRecord("example.org", "rsa-1", old.keys[0].text)


def test_new_keys_sign_at_once_and_old_ones_no_more():
    keys = signing_keys(1).replaced(signing_keys(2), NOW)
    assert selectors(keys.signing) == ["rsa-2", "ed25519-2"]


def test_old_keys_stay_published_for_a_week_since_they_signed_last():
    twice = signing_keys(1).replaced(signing_keys(2), NOW).replaced(signing_keys(3), NOW + timedelta(days=3))
    week = timedelta(days=7)
    assert selectors(twice.current(NOW + week - timedelta(seconds=1)).keys)[2:] == [
        "rsa-2",
        "ed25519-2",
        "rsa-1",
        "ed25519-1",
    ]
    assert selectors(twice.current(NOW + week).keys)[2:] == ["rsa-2", "ed25519-2"]
    assert twice.current(NOW + 2 * week).keys == signing_keys(3).keys


def test_a_private_key_is_in_no_message():
    assert "cHJpdmF0ZQ" not in repr(SigningKeys(keys=signing_keys().keys))
