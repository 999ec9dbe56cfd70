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
    keys = {"example.org": old.announced(new), "alice.example.org": old}
    assert [(record.domain, record.selector) for record in records(keys)] == [
        ("example.org", "rsa-2"),
        ("example.org", "ed25519-2"),
        ("example.org", "rsa-1"),
        ("example.org", "ed25519-1"),
        ("alice.example.org", "rsa-1"),
        ("alice.example.org", "ed25519-1"),
    ]
    assert records({"example.org": old})[0] == DkimRecord("example.org", "rsa-1", old.keys[0].text)


def test_new_keys_sign_once_they_are_let_and_old_ones_no_more():
    keys = signing_keys(1).announced(signing_keys(2))
    assert selectors(keys.signing) == ["rsa-1", "ed25519-1"]
    assert selectors(keys.waiting) == ["rsa-2", "ed25519-2"]
    assert selectors(keys.current(NOW).keys) == selectors(keys.keys)
    assert selectors(keys.begun(NOW).signing) == ["rsa-2", "ed25519-2"]
    assert keys.begun(NOW).waiting == ()


def test_newer_keys_take_the_place_of_those_that_have_not_signed():
    keys = signing_keys(1).announced(signing_keys(2)).announced(signing_keys(3))
    assert selectors(keys.keys) == ["rsa-3", "ed25519-3", "rsa-1", "ed25519-1"]


def test_a_key_is_known_however_its_text_is_cut():
    key = signing_keys().keys[0]
    assert key.is_told_by('"v=DKIM1; k=rsa; p=cHVibGlj"')
    assert key.is_told_by('"v=DKIM1; k=rsa; " "p=cHVi" "bGlj"')
    assert not key.is_told_by('"v=DKIM1; k=rsa; p="')


def test_old_keys_stay_published_for_a_week_since_they_signed_last():
    once = signing_keys(1).announced(signing_keys(2)).begun(NOW)
    twice = once.announced(signing_keys(3)).begun(NOW + timedelta(days=3))
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
