import pytest

from identity.message import Message, Refusal, inside
from identity.rate import Rate
from identity.seal import Content, Seals
from identity.tables import Account

FOREIGN = {"From": "Oda <oda@outside.test>"}


@pytest.fixture
def seals():
    return Seals(bytes(32))


@pytest.fixture
def message(tmp_path, seals):
    def make(per_hour="300", internet="all", name="alice"):
        account = Account(name, per_hour, internet, f"{name}@club.test", f"box@{name}.club.test")
        return Message(account, "club.test", Rate(str(tmp_path / "sent")), seals)

    return make


def content(headers):
    made = Content("club.test")
    for name, value in headers.items():
        made.header(name, value)
    return made


def refused(step, *given):
    with pytest.raises(Refusal) as caught:
        step(*given)
    return caught.value


def test_the_envelope_has_an_address_of_its_own_or_none(message):
    for address in ("alice@club.test", "Alice+tag@CLUB.test", "box@alice.club.test", ""):
        message().sender(address)
    for address in ("bob@club.test", "postmaster@club.test", "alice@outside.test", "+alice@club.test"):
        refusal = refused(message().sender, address)
        assert (refusal.kind, refusal.reply) == ("sender", ("550", "5.7.1"))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("From", "bob@club.test")],
        [("From ", "bob@club.test")],
        [("From", "alice@club.test"), ("From", "alice@club.test")],
        [("From", "alice@club.test"), ("FROM", "bob@club.test")],
        [("From", "alice@club.test"), ("Sender", "bob@club.test")],
    ],
)
def test_a_message_of_somebody_else_is_refused(message, headers):
    given = message()
    for header in headers:
        given.header(*header)
    assert refused(given.end, [], content({})).kind == "from"


def test_its_own_message_is_accepted(message):
    given = message()
    for header in (("From", "alice@club.test"), ("Sender", "box@alice.club.test"), ("Reply-To", "x@outside.test")):
        given.header(*header)
    assert not given.is_foreign
    given.end([], content({}))


def test_a_genuine_forward_is_accepted(message, seals):
    seal = seals.make(content(FOREIGN), {"alice"})
    for name, passes in (("alice", True), ("bob", False)):
        given = message(name=name)
        given.header("From", FOREIGN["From"])
        if passes:
            given.end(["made up", seal], content(FOREIGN))
        else:
            assert refused(given.end, [seal], content(FOREIGN)).kind == "from"


def test_a_forged_forward_is_refused(message, seals):
    seal = seals.make(content({"From": "eve@outside.test"}), {"alice"})
    given = message()
    given.header("From", FOREIGN["From"])
    assert "oda@outside.test" in refused(given.end, [seal], content(FOREIGN)).text


def test_too_many_recipients_outside_within_an_hour_have_to_wait(message):
    """All messages of an account count together; others do not."""
    message("2").recipient("x@outside.test")
    again = message("2")
    again.recipient("y@outside.test")
    refusal = refused(again.recipient, "z@outside.test")
    assert (refusal.kind, refusal.reply) == ("rate", ("450", "4.7.1"))
    again.recipient("bob@club.test")
    message("2", name="bob").recipient("x@outside.test")


def test_an_account_without_internet_writes_to_its_organisation_alone(message):
    given = message(internet="none")
    given.recipient("bob@club.test")
    assert refused(given.recipient, "x@outside.test").kind == "internet"


@pytest.mark.parametrize("address", ["bob@club.test", "BOX+x@Bob.Club.test", "no-one@club.test"])
def test_inside(address):
    assert inside(address, "club.test")


@pytest.mark.parametrize(
    "address",
    [
        "x@outside.test",
        "x@notclub.test",
        "club.test",
        "x%outside.test@club.test",
        "outside.test!x@club.test",
        '"x@outside.test"@club.test',
        "x@outside.test@club.test",
        "SRS0=abcdefgh=AB=outside.test=x@club.test",
        "x@[127.0.0.1]",
        "x@club.test.",
        "@club.test:x@outside.test",
    ],
)
def test_outside_or_leading_there(address):
    assert not inside(address, "club.test")
