import json

import pytest

from mailpod.model.errors import MailpodError
from mailpod.services import installation
from mailpod.services.acme_options import AcmeOptions, planned


@pytest.fixture
def asking(system):
    system.dns = "built-in"
    installation.up(system.process(), planned(system.planned(), AcmeOptions("ops@example.org", "https://acme.test/")))
    return system


def test_they_are_listed_without_what_is_secret(mailpod, system):
    system.up("alice")
    shown = json.loads(mailpod("certificate", "list", "--json").out)
    assert [(one["name"], one["state"]) for one in shown] == [("main", "own"), ("alice", "own")]
    assert shown[1].keys() == {
        *("name", "names", "issuer", "not_after", "state", "left_out", "problem", "hint", "next_attempt")
    }
    assert mailpod("certificate", "list").out.splitlines()[1].startswith("alice\town\tmailpod example.org\t")


def test_an_account_has_its_own_when_it_is_created(mailpod, asking):
    made = mailpod("account", "create", "alice", "--json")
    assert made.code == 0
    [_, alice] = json.loads(mailpod("certificate", "list", "--json").out)
    assert (alice["state"], alice["names"]) == ("valid", ["alice.example.org"])


def test_an_account_is_created_though_it_gets_none_and_status_says_why(mailpod, asking):
    asking.acme.problem["alice.example.org"] = MailpodError("the ACME server refuses: no", "see: mailpod dns check")
    made = mailpod("account", "create", "alice")
    assert made.code == 0
    assert "no certificate for alice: the ACME server refuses: no" in asking.said[-1]
    told = mailpod("status")
    assert told.code == 0
    assert "certificate of alice: the ACME server refuses: no; see: mailpod dns check; tried again from" in told.out
    refused = mailpod("certificate", "renew", "alice")
    assert (refused.code, len(refused.lines)) == (1, 2)
    asking.acme.problem.clear()
    assert mailpod("certificate", "renew", "alice").code == 0
    assert "certificate of" not in mailpod("status").out
    assert mailpod("certificate", "renew", "eve").code == 3


def test_apply_orders_what_is_missing(mailpod, asking):
    assert mailpod("apply").code == 0
    assert len(asking.acme.orders) == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--acme-email", "ops"),
        ("--acme-email", "ops@example.org", "--acme-server", "http://acme.test/"),
        ("--acme-email", "ops@example.org", "--acme-ca", "/no/such/file"),
        ("--acme-server", "https://acme.test/"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_touched(mailpod, system, options):
    refused = mailpod("up", "example.org", *options)
    assert (refused.code, len(refused.lines)) == (2, 2)
    assert not system.world.containers
    assert system.store.find_system() is None
