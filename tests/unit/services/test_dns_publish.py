"""What is sent to a name server that is somebody else's."""

import pytest
from tests.fakes.system import PASSWORD

from mailpod.model.errors import InvalidInput
from mailpod.services import accounts, dns, dns_publish, installation
from mailpod.services.nameserver import Silent, sets


class Elsewhere:
    """A server that has other things in the zone too, and may fail."""

    def __init__(self):
        self.zone = {
            ("www.example.org", "A"): frozenset({"192.0.2.80"}),
            ("example.org", "TXT"): frozenset({'"some-verification=1"', '"v=spf1 -all"'}),
            ("mail.example.org", "A"): frozenset({"192.0.2.9"}),
        }
        self.breaks = False

    def held(self, keys):
        return {key: self.zone[key] for key in keys if key in self.zone}

    def update(self, changes):
        self.zone |= changes
        self.zone = {key: values for key, values in self.zone.items() if values}
        if self.breaks:
            raise Silent("broke off", "try again")


@pytest.fixture
def server():
    return Elsewhere()


@pytest.fixture
def context(system):
    system.store.folder.mkdir()
    return system.up("alice").process()


def wanted(context):
    return sets(dns.records(context))


def test_all_is_there_beside_what_was_there(context, server):
    done = dns_publish.publish(context, server)
    assert done.sets == len(wanted(context))
    assert server.zone["www.example.org", "A"] == {"192.0.2.80"}
    assert server.zone["example.org", "TXT"] == {'"some-verification=1"', '"v=spf1 a:mail.example.org -all"'}
    ours = wanted(context)
    assert {key: server.zone[key] for key in ours if key[1] != "TXT"} == {
        k: v for k, v in ours.items() if k[1] != "TXT"
    }


def test_what_is_gone_is_taken_back(system, context, server):
    dns_publish.publish(context, server)
    accounts.delete(system.process(), "alice", purge=True)
    accounts.create(system.process(), "bob", PASSWORD)
    dns_publish.publish(system.process(), server)
    assert not [name for name, _ in server.zone if "alice" in name]
    assert ("bob.example.org", "MX") in server.zone
    assert server.zone["www.example.org", "A"] == {"192.0.2.80"}


def test_what_broke_off_is_known_to_be_ours(system, context, server):
    server.breaks = True
    with pytest.raises(Silent):
        dns_publish.publish(context, server)
    server.breaks = False
    accounts.delete(system.process(), "alice", purge=True)
    dns_publish.publish(system.process(), server)
    assert not [name for name, _ in server.zone if "alice" in name]


def test_what_is_served_here_is_not_sent(system, server):
    system.dns = "built-in"
    with pytest.raises(InvalidInput):
        dns_publish.publish(system.up().process(), server)


def test_a_purge_forgets_what_was_sent(system, context, server):
    dns_publish.publish(context, server)
    installation.down(system.process(), purge=True)
    assert not dns_publish.published_file(context).exists()
