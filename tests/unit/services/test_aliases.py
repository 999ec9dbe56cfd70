import pytest
from tests.fakes.system import PASSWORD

from mailpod.model.errors import AlreadyExists, InvalidInput, NotFound
from mailpod.services import accounts, aliases


def targets(system, local_part):
    return next(alias.targets for alias in system.store.aliases() if alias.local_part == local_part)


def test_every_kind_of_target(system):
    system.up("alice", "bob")
    aliases.add(system.process(), "inner", ["bob"])
    alias = aliases.add(
        system.process(),
        "Contact@Example.org",
        ["alice", "ALICE@example.org", "box@alice.example.org", "inner@example.org", "Some.One@Other.example"],
    )
    assert alias.local_part == "contact"
    assert alias.targets == ("alice", "inner", "Some.One@other.example")
    line = "contact@example.org alice@example.org, inner@example.org, Some.One@other.example\n"
    assert line in system.tables()["postfix/aliases"]


def test_adding_again_adds_targets(system):
    system.up("alice", "bob")
    aliases.add(system.process(), "team", ["alice"])
    aliases.add(system.process(), "team", ["bob", "alice"])
    assert targets(system, "team") == ("alice", "bob")


def test_delete(system):
    system.up("alice")
    before = system.state()
    aliases.add(system.process(), "team", ["alice"])
    aliases.delete(system.process(), "team@example.org")
    assert system.state() == before
    with pytest.raises(NotFound):
        aliases.delete(system.process(), "team")


@pytest.mark.parametrize(
    ("address", "to", "error"),
    [
        ("alice", ["bob"], AlreadyExists),
        ("team@other.example", ["bob"], InvalidInput),
        ("a+b", ["bob"], InvalidInput),
        ("../x", ["bob"], InvalidInput),
        ("team", ["nobody"], NotFound),
        ("team", ["nobody@example.org"], NotFound),
        ("team", ["box@nobody.example.org"], NotFound),
        ("team", ["other@alice.example.org"], NotFound),
        ("team", ["bob", "a b@c.example"], InvalidInput),
        ("team", ["x@localhost"], InvalidInput),
        ("team", ["team"], (InvalidInput, NotFound)),
        ("inner", ["outer"], InvalidInput),
        ("inner", ["inner@example.org"], InvalidInput),
    ],
)
def test_what_is_refused_changes_nothing(system, address, to, error):
    system.up("alice", "bob")
    aliases.add(system.process(), "inner", ["bob"])
    aliases.add(system.process(), "middle", ["inner"])
    aliases.add(system.process(), "outer", ["middle", "alice"])
    before = system.state()
    with pytest.raises(error):
        aliases.add(system.process(), address, to)
    assert system.state() == before


def test_an_alias_may_be_a_role(system):
    system.up("alice", "bob")
    aliases.add(system.process(), "postmaster", ["bob"])
    assert "postmaster@example.org bob@example.org\n" in system.tables()["postfix/aliases"]


def test_an_account_that_is_deleted_leaves_the_alias_and_comes_back_to_it(system):
    system.up("alice", "bob")
    aliases.add(system.process(), "team", ["alice", "bob"])
    accounts.delete(system.process(), "alice", purge=False)
    assert "team@example.org bob@example.org\n" in system.tables()["postfix/aliases"]
    accounts.undelete(system.process(), "alice")
    assert "team@example.org alice@example.org, bob@example.org\n" in system.tables()["postfix/aliases"]


def test_an_undeleted_account_does_not_take_an_aliases_address(system):
    system.up("alice", "bob")
    accounts.delete(system.process(), "alice", purge=False)
    aliases.add(system.process(), "alice", ["bob"])
    with pytest.raises(AlreadyExists):
        accounts.undelete(system.process(), "alice")
    with pytest.raises(AlreadyExists):
        accounts.create(system.process(), "alice", PASSWORD)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("alice", "alice"),
        ("Alice@EXAMPLE.org", "alice"),
        ("box@alice.example.org", "alice"),
        ("alice@alice.example.org", None),
        ("box@bob.example.org", None),
        ("box@example.org", None),
        ("box@alice.other.example", None),
        ("box@alice", None),
        ("bob", None),
    ],
)
def test_whom_an_address_of_the_system_means(system, text, name):
    system.up("alice")
    assert accounts.resolve_target(system.process(), text) == name
