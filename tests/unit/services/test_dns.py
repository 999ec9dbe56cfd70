"""The zone and the desired state are the same, whatever happens in between."""

import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import PASSWORD, FakeSystem

from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.services import accounts, chores, dns, installation, secondaries
from mailpod.services.context import Context


@pytest.fixture
def served(system):
    system.dns = "built-in"
    return system.up("alice")


def names(system: FakeSystem) -> set[str]:
    [zone] = system.world.zones.values()
    return {name for name, kind in zone if kind == "MX"}


def test_an_account_is_in_the_zone_as_long_as_it_is_there(served):
    assert names(served) == {"example.org", "alice.example.org"}
    accounts.create(served.process(), "bob", PASSWORD)
    assert names(served) == {"example.org", "alice.example.org", "bob.example.org"}
    accounts.delete(served.process(), "alice", purge=False)
    assert names(served) == {"example.org", "bob.example.org"}
    accounts.undelete(served.process(), "alice")
    accounts.delete(served.process(), "bob", purge=True)
    assert names(served) == {"example.org", "alice.example.org"}
    served.check_converged()


def test_a_name_server_that_is_down_keeps_nobody_from_an_account(served):
    served.world.containers["mailpod-dns"].state = "exited"
    accounts.create(served.process(), "bob", PASSWORD)
    assert any("DNS could not be told of bob" in line for line in served.said)
    assert names(served) == {"example.org", "alice.example.org"}
    assert "could not be told of bob" in served.store.tended().chores[chores.DNS].problem
    installation.apply(served.process())
    served.check_converged()
    assert not served.store.tended().chores[chores.DNS].problem


def test_a_command_that_takes_long_does_not_put_back_an_old_zone(served):
    slow = served.process()
    assert slow.system.secondaries == {}
    secondaries.add(served.process(), "ns2.example.net", ("192.0.2.53",))
    dns.publish(slow)
    [zone] = served.world.zones.values()
    assert zone["example.org", "NS"] == {"ns1.example.org.", "ns2.example.net."}


def come_and_go(context: Context) -> None:
    accounts.create(context, "bob", PASSWORD)
    accounts.delete(context, "bob", purge=True)


def test_a_kill_at_any_step_is_repaired_by_apply(served):
    steps = Steps()
    come_and_go(served.process(steps))
    told = [number for number, what in enumerate(steps.taken, 1) if what.startswith("dns ")]
    assert len(told) == 2
    for number in told:
        for killed in (number, number + 1):
            steps = Steps()
            steps.die_at(killed)
            with pytest.raises(Killed):
                come_and_go(served.process(steps))
            installation.apply(served.process())
            served.check_converged()
            if any(one.name == "bob" for one in served.store.accounts()):
                accounts.delete(served.process(), "bob", purge=True)


def test_records_of_the_operators_own_are_served_and_stay(served):
    path = dns.own_file(served.process())
    path.parent.mkdir()
    own = [
        "www CNAME web.example.net.",
        '_dmarc TXT "v=DMARC1; p=reject"',
        "alice MX 5 mx.example.net.",
        '@ TXT "site=1"',
    ]
    path.write_text("".join(f"{line}\n" for line in own))
    installation.apply(served.process())
    [zone] = served.world.zones.values()
    assert zone["www.example.org", "CNAME"] == {"web.example.net."}
    assert zone["_dmarc.example.org", "TXT"] == {'"v=DMARC1; p=reject"'}
    assert zone["alice.example.org", "MX"] == {"5 mx.example.net."}
    assert zone["example.org", "TXT"] == {'"site=1"', '"v=spf1 a:mail.example.org -all"'}
    accounts.create(served.process(), "bob", PASSWORD)
    accounts.delete(served.process(), "alice", purge=True)
    assert zone["alice.example.org", "MX"] == {"5 mx.example.net."}
    assert zone["example.org", "TXT"] == {'"site=1"', '"v=spf1 a:mail.example.org -all"'}
    served.check_converged()


@pytest.mark.parametrize(
    "text", ["www CNAME", "$INCLUDE /etc/passwd\n", "www.example.net. A 192.0.2.1\n", "@ SOA a b 1 2 3 4 5\n"]
)
def test_a_file_of_records_that_cannot_be_used_is_refused(served, text):
    path = dns.own_file(served.process())
    path.parent.mkdir()
    path.write_text(text)
    before = dict(*served.world.zones.values())
    with pytest.raises(InvalidInput, match=r"records\.zone cannot be used"):
        dns.records(served.process())
    with pytest.raises(MailpodError):
        installation.apply(served.process())
    assert dict(*served.world.zones.values()) == before


def test_served_elsewhere_no_name_server_is_left(served):
    installation.up(served.process(), served.planned(dns="elsewhere"))
    assert "mailpod-dns" not in served.world.containers
    context = served.process()
    assert dns.delegation(context) == []
    assert not [one for one in dns.records(context) if one.kind in {"NS", "TLSA"}]
    accounts.create(context, "bob", PASSWORD)
    installation.up(served.process(), served.planned(dns="built-in"))
    served.check_converged()


def test_down_ends_it_and_purge_leaves_nothing(served):
    installation.down(served.process(), purge=False)
    assert not served.world.containers
    assert "mailpod-dns" in served.world.volumes
    installation.down(served.process(), purge=True)
    assert not served.world.volumes
    assert not served.state().folder
