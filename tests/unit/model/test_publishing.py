"""What a provider's API wants to know."""

import typing

import pytest

from mailpod.cli import publishing as command
from mailpod.model.errors import InvalidInput
from mailpod.model.publishing import PROVIDERS, UpdateKey, Way, options_from
from mailpod.services.dns_provider import _CLASSES


def test_every_provider_is_known_everywhere():
    assert set(PROVIDERS) == set(_CLASSES) == set(typing.get_args(command._Provider))


def test_credentials_are_toml():
    assert options_from("gandi", 'token = "a"\n') == {"token": "a"}
    assert options_from("powerdns", 'host = "192.0.2.1"\napi_key = "b"\nport = 8081\n')["port"] == 8081
    assert options_from("hetzner", 'token = "a"')["backend"] == "hcloud"


@pytest.mark.parametrize("text", ["", "token", 'token = ["a"]', 'token = "a"\nother = "b"', 'other = "b"'])
def test_what_a_provider_does_not_want_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        options_from("gandi", text)
    assert 'token = "…"' in refused.value.hint or "texts" in refused.value.what


def test_a_way_is_one_of_both():
    key = UpdateKey(name="k", algorithm="hmac-sha256", secret="c2VjcmV0")
    assert Way(server="192.0.2.1", key=key).place == "192.0.2.1"
    assert Way(provider="gandi").place == "gandi"
    for half in ({}, {"server": "192.0.2.1"}, {"server": "192.0.2.1", "key": key, "provider": "gandi"}):
        with pytest.raises(ValueError, match="either"):
            Way(**half)


def test_no_secret_is_in_what_is_printed():
    key = UpdateKey(name="k", algorithm="hmac-sha256", secret="c2VjcmV0")
    assert "c2VjcmV0" not in repr(Way(server="192.0.2.1", key=key))
    assert "t0ken" not in repr(Way(provider="gandi", options={"token": "t0ken"}))
