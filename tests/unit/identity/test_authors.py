import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.authors import authors
from identity.tables import Account

ALICE = Account("alice", "300", "all", "alice@club.test", "box@alice.club.test", "mailer-daemon@alice.club.test")


def is_hers(value):
    found = authors(value)
    return bool(found) and all(map(ALICE.owns, found))


@pytest.mark.parametrize(
    "value",
    [
        "alice@club.test",
        "Alice <ALICE+shop@Club.test>",
        "box@alice.club.test",
        '"Smith, Alice" <alice@club.test>',
        '"alice@club.test" <alice@club.test>',
        "=?utf-8?q?=C3=A9?= <alice@club.test>",
        "Zoé <alice@club.test>",
        '"Alice @ home" <alice@club.test>',
        "alice@club.test,\n box@alice.club.test",
        "MAILER-DAEMON@alice.club.test (Mail Delivery System)",
    ],
)
def test_her_own_addresses_however_written(value):
    assert is_hers(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "alice",
        "bob@club.test",
        "alice@club.test.",
        "alice@club.test, bob@club.test",
        "Friends: alice@club.test, bob@club.test;",
        "undisclosed:;",
        "bob@club.test <alice@club.test>",
        "<bob@club.test> <alice@club.test>",
        '"bob@club.test" <alice@club.test>',
        "alice@club.test (bob@club.test)",
        '\\" <bob@club.test> " <alice@club.test>',
        '\\" <bob @ club.test> " <alice@club.test>',
        "<@bob.club.test:alice@club.test>",
        "alice@club.test@bob.club.test",
        "alice%bob@club.test",
        '"alice"@bob.club.test',
        "alice@club.test\x00, bob@club.test",
        "(" * 3999 + "alice@club.test",
        '"' * 100_000,
    ],
)
def test_what_somebody_could_read_as_another_address(value):
    assert not is_hers(value)


@given(st.text(alphabet='ab"\\<>(),;:@. \n\t', max_size=40), st.text(alphabet='ab"\\<>(),;:@. \n\t', max_size=40))
def test_no_trick_around_it_hides_another_address(before, after):
    assert not is_hers(f"{before}<bob@club.test>{after}<alice@club.test>")
