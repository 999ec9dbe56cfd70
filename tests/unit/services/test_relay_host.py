import pytest
from tests.fakes.system import DOMAIN

from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.services import accounts, installation, relay_host
from mailpod.services.relay_host import RelayOptions

HOST = "smtp.example.net"
LOGIN = RelayOptions(HOST, "club", "secret")


def planned(system, options):
    return relay_host.planned(system.store, system.planned(), options)


def up(system, options, step=None):
    wanted, credentials = planned(system, options)
    installation.up(system.process(step), wanted, credentials=credentials)


def kept(system):
    return sorted((system.folder / "secrets").glob("relay_host/*"))


@pytest.fixture
def relayed(system):
    """A system whose mail leaves through a relay host."""
    system.up("alice")
    up(system, LOGIN)
    return system


def test_a_relay_host_is_in_the_state_and_in_mains_tables(relayed):
    found = relayed.store.system()
    assert (found.relay_host, found.relay_port, found.relay_user) == (HOST, 587, "club")
    assert relayed.tables()["postfix/outward"] == f"outward submission:[{HOST}]:587\n"
    assert relayed.tables()["relay_host/password"] == f"{HOST} club:secret\n"
    relayed.check_converged()


def test_the_password_is_in_one_file_of_its_owners_alone(relayed):
    [path] = kept(relayed)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for other in relayed.folder.rglob("*"):
        assert other == path or not other.is_file() or b'"secret"' not in other.read_bytes()


def test_what_is_not_said_is_as_it_was(relayed):
    up(relayed, RelayOptions())
    up(relayed, RelayOptions(host=f"{HOST}:465"))
    assert relayed.tables()["postfix/outward"] == f"outward submissions:[{HOST}]:465\n"
    assert relayed.tables()["relay_host/password"] == f"{HOST} club:secret\n"
    up(relayed, RelayOptions(user="club"))
    assert len(kept(relayed)) == 1


def test_another_password_takes_the_place_of_the_old_one(relayed):
    before = kept(relayed)
    up(relayed, RelayOptions(password="other"))
    assert relayed.tables()["relay_host/password"] == f"{HOST} club:other\n"
    assert len(kept(relayed)) == 1
    assert kept(relayed) != before


def test_an_authority_of_ones_own_stays_with_another_password_and_can_be_given_up(relayed):
    up(relayed, RelayOptions(authority="PEM\n"))
    up(relayed, RelayOptions(password="other"))
    assert relayed.tables()["postfix/relay_host_ca.pem"] == "PEM\n"
    up(relayed, RelayOptions(authority=""))
    assert relayed.tables()["postfix/relay_host_ca.pem"] == ""
    assert relayed.tables()["relay_host/password"] == f"{HOST} club:other\n"


def test_no_host_and_no_user_gets_the_password_of_another(relayed):
    up(relayed, RelayOptions("192.0.2.7:25"))
    found = relayed.store.system()
    assert (found.relay_host, found.relay_user, found.relay_credentials) == ("192.0.2.7", "", "")
    assert relayed.tables()["relay_host/password"] == ""
    assert not kept(relayed)
    up(relayed, LOGIN)
    for options in (RelayOptions("smtp2.example.net", "club"), RelayOptions(user="other")):
        with pytest.raises(InvalidInput, match="no password"):
            planned(relayed, options)


def test_none_ends_it(relayed):
    up(relayed, RelayOptions("none"))
    assert relayed.store.system() == relayed.planned().model_copy(update={"relay_host": "", "relay_user": ""})
    assert relayed.tables()["postfix/outward"] == "outward smtp:\n"
    assert not kept(relayed)
    up(relayed, RelayOptions("none"))


@pytest.mark.parametrize(
    "options",
    [
        RelayOptions("nonsense"),
        RelayOptions("none", user="club"),
        RelayOptions(user="club"),
        RelayOptions(password="secret"),
        RelayOptions(authority="PEM"),
        RelayOptions(HOST, user="club"),
        RelayOptions(HOST, password="secret"),
        RelayOptions(HOST, user="club", password=""),
        RelayOptions(DOMAIN),
        RelayOptions(f"mail.{DOMAIN}"),
        RelayOptions("192.0.2.1"),
    ],
)
def test_bad_options_are_refused_before_anything_is_touched(system, options):
    here = system.planned(bind="192.0.2.1")
    with pytest.raises(InvalidInput):
        relay_host.planned(system.store, here, options)
    assert not system.folder.exists()


def test_an_up_that_fails_leaves_the_relay_host_as_it_was(relayed):
    before = relayed.state()

    def step(what):
        if what == "channel main deploy":
            raise MailpodError("refused")

    with pytest.raises(MailpodError):
        up(relayed, RelayOptions("smtp2.example.net", "other", "wrong"), step)
    assert relayed.state() == before


def test_a_command_that_began_before_leaves_it_as_it_is(relayed):
    """It has read the record of the system already."""
    context = relayed.process()
    context.require_system()
    up(relayed, RelayOptions(password="other"))
    accounts.delete(context, "alice", purge=True)
    assert relayed.tables()["relay_host/password"] == f"{HOST} club:other\n"


def test_a_password_that_is_gone_is_told_and_can_be_given_again(relayed):
    [path] = kept(relayed)
    path.unlink()
    with pytest.raises(MailpodError, match="is gone") as problem:
        installation.apply(relayed.process())
    assert "--relay-password-stdin" in problem.value.hint
    up(relayed, RelayOptions(password="secret"))
    relayed.check_converged()
