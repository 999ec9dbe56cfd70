from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from mailpod.model.records import (
    DEFAULT_MEMORY,
    MIN_CONNECTIONS,
    MIN_MEMORY,
    MIN_PROCESSES,
    MIN_QUOTA,
    NO_QUOTA,
    PORTS,
    Account,
    Alias,
    System,
    new_id,
    now,
)

CREATED = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def system(**changes):
    return System(**{"domain": "example.org", "instance": "mailpod", "ipv6_subnet": "fd00::/64"} | changes)


def test_ids_are_opaque_and_differ():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 12 and set(one) <= set("0123456789abcdef") for one in ids)


def test_now_is_a_whole_second_in_utc():
    assert now().microsecond == 0
    assert now().tzinfo is UTC


def test_an_account_and_its_addresses():
    account = Account(id="1", name="alice", created=CREATED)
    assert account.fqdn("example.org") == "alice.example.org"
    assert account.canonical("example.org") == "box@alice.example.org"
    assert account.short("example.org") == "alice@example.org"
    assert account.memory == DEFAULT_MEMORY
    assert account.quota == NO_QUOTA
    assert not account.deleted
    assert not account.purge


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory": MIN_MEMORY - 1},
        {"quota": MIN_QUOTA - 1},
        {"quota": -1},
        {"cpus": 0},
        {"cpus": 1e9},
        {"processes": MIN_PROCESSES - 1},
        {"processes": 10**9},
        {"connections": MIN_CONNECTIONS - 1},
        {"connections": 10**9},
        {"stack": "other"},
        {"unknown": 1},
        {"created": "yesterday"},
    ],
)
def test_a_record_edited_wrongly_is_refused(wrong):
    with pytest.raises(ValidationError):
        Account(**{"id": "1", "name": "alice", "created": CREATED} | wrong)


def test_an_alias_has_a_target():
    with pytest.raises(ValidationError):
        Alias(local_part="contact", targets=())


def test_records_do_not_change():
    with pytest.raises(ValidationError):
        system().domain = "other.org"


def test_the_port_base_is_added_to_every_port():
    assert {service: system(port_base=20000).port(service) - 20000 for service in PORTS} == PORTS
    assert system(port_base=65535 - max(PORTS.values())).port("sieve") == 65535
    for base in (-1, 65536 - max(PORTS.values())):
        with pytest.raises(ValidationError):
            system(port_base=base)


@pytest.mark.parametrize(("bind", "local"), [("0.0.0.0", "127.0.0.1"), ("192.0.2.1", "192.0.2.1")])
def test_where_this_host_reaches_main(bind, local):
    assert system(bind=bind).local_address() == local


def test_the_webmail_names_its_port_only_when_it_must():
    assert system().webmail() == "https://webmail.example.org"
    assert system(port_base=20000).webmail() == "https://webmail.example.org:20443"


def test_the_link_that_sets_clients_up_names_the_address():
    link = "https://webmail.example.org:20443/setup?address=alice@example.org"
    assert system(port_base=20000).setup_page("alice@example.org") == link


@pytest.mark.parametrize("key", ["", "word", "ssh-ed25519 AAAA x\nssh-ed25519 BBBB y", "ssh-ed25519 AAAA \x1b[2J"])
def test_an_ssh_key_is_one_line(key):
    """Each stands in a file of main's behind what it may do there."""
    with pytest.raises(ValidationError):
        Account(id="0a1b", name="alice", created=CREATED, ssh_keys=(key,))
