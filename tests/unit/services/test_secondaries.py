"""Secondaries come and go with their keys, and the zone names them."""

import pytest
from tests.fakes.system import FakeSystem
from tests.fakes.world import World

from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.services import installation, secondaries

NAME, WHERE = "ns2.example.net", ("192.0.2.53",)


@pytest.fixture
def served(system: FakeSystem) -> FakeSystem:
    system.dns = "built-in"
    return system.up("alice")


def name_servers(world: World) -> set[str]:
    [zone] = world.zones.values()
    return set(zone["example.org", "NS"])


def known_to_the_name_server(system: FakeSystem) -> str:
    return (system.folder / "secrets" / "main" / "dns_keys").read_text()


def test_one_is_named_in_the_zone_and_has_a_key(served):
    made = secondaries.add(served.process(), NAME, WHERE)
    assert name_servers(served.world) == {"ns1.example.org.", "ns2.example.net."}
    assert made.secondary.secret in known_to_the_name_server(served)
    assert secondaries.view(served.process(), "NS2.example.net.") == made
    [path] = (served.folder / "secrets" / "secondaries").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    served.check_converged()


def test_one_of_the_zone_itself_has_its_address_there(served):
    secondaries.add(served.process(), "ns2.example.org", ("192.0.2.53", "2001:db8::53"))
    [zone] = served.world.zones.values()
    assert zone["ns2.example.org", "A"] == {"192.0.2.53"}
    assert zone["ns2.example.org", "AAAA"] == {"2001:db8::53"}


def test_one_that_is_gone_is_given_nothing(served):
    before = secondaries.add(served.process(), NAME, WHERE)
    assert secondaries.delete(served.process(), NAME) == NAME
    assert name_servers(served.world) == {"ns1.example.org."}
    assert before.secondary.secret not in known_to_the_name_server(served)
    assert secondaries.add(served.process(), NAME, WHERE).secondary.secret != before.secondary.secret


def test_an_up_keeps_them(served):
    secondaries.add(served.process(), NAME, WHERE)
    installation.up(served.process(), served.planned(bind="198.51.100.7"))
    assert secondaries.view(served.process(), NAME).primaries == (("198.51.100.7", 53),)
    assert name_servers(served.world) == {"ns1.example.org.", "ns2.example.net."}


def test_one_that_is_there_or_is_not_is_told(served):
    secondaries.add(served.process(), NAME, WHERE)
    with pytest.raises(AlreadyExists):
        secondaries.add(served.process(), NAME, ("192.0.2.54",))
    with pytest.raises(NotFound):
        secondaries.delete(served.process(), "ns3.example.net")


def test_a_zone_that_is_served_elsewhere_has_its_secondaries_there(system):
    system.up()
    with pytest.raises(InvalidInput, match="served elsewhere"):
        secondaries.add(system.process(), NAME, WHERE)


def test_all_is_as_it_was_when_the_name_server_does_not_give_it_the_zone(served, monkeypatch):
    def refused(*_anything: object) -> None:
        raise MailpodError("the name server refused: NOTAUTH")

    monkeypatch.setattr(secondaries, "until", refused)
    before = served.state()
    with pytest.raises(MailpodError):
        secondaries.add(served.process(), NAME, WHERE)
    assert name_servers(served.world) == {"ns1.example.org."}
    assert served.state().folder == before.folder
