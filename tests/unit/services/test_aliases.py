import pytest
from tests.fakes.steps import Steps
from tests.fakes.system import PASSWORD

from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.services import accounts, aliases, installation


def targets(system, local_part):
    return next(view.targets for view in aliases.views(system.process()) if view.address == f"{local_part}@example.org")


def test_every_kind_of_target(system):
    system.up("alice", "bob")
    aliases.add(system.process(), "inner", ["bob"])
    alias = aliases.add(
        system.process(),
        "Contact@Example.org",
        ["alice", "ALICE@example.org", "box@alice.example.org", "inner@example.org", "Some.One@Other.example"],
    )
    assert alias.address == "contact@example.org"
    assert alias.targets == ("alice", "inner", "Some.One@other.example")
    line = "contact@example.org alice@example.org, inner@example.org, Some.One@other.example\n"
    assert line in system.tables()["postfix/aliases"]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("alice+Lists", "alice+Lists"),
        ("Alice+lists@EXAMPLE.org", "alice+lists"),
        ("box+x@alice.example.org", "alice+x"),
        ("inner+x@example.org", "inner+x"),
    ],
)
def test_a_target_may_have_a_tag(system, text, target):
    system.up("alice", "bob")
    aliases.add(system.process(), "inner", ["bob"])
    assert aliases.add(system.process(), "lists", [text]).targets == (target,)
    assert f"lists@example.org {target}@example.org\n" in system.tables()["postfix/aliases"]


def test_an_address_elsewhere_that_looks_like_the_alias_is_no_circle(system):
    system.up("alice")
    assert aliases.add(system.process(), "team", ["team+x@y.example"]).targets == ("team+x@y.example",)


@pytest.mark.parametrize("change", [lambda c: aliases.add(c, "team", ["bob"]), lambda c: aliases.delete(c, "team")])
def test_without_main_nothing_changes(system, change):
    system.up("alice", "bob")
    aliases.add(system.process(), "team", ["alice"])
    system.world.containers["mailpod-main"].state = "exited"
    before = system.state()
    with pytest.raises(MailpodError, match="main system is not running"):
        change(system.process())
    assert system.state() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda c: aliases.add(c, "team", ["bob"]),
        lambda c: aliases.add(c, "new", ["bob"]),
        lambda c: aliases.delete(c, "team"),
    ],
)
@pytest.mark.parametrize("error", [MailpodError("main cannot be reached"), KeyboardInterrupt()])
def test_what_main_does_not_take_is_undone(system, change, error):
    system.up("alice", "bob")
    aliases.add(system.process(), "team", ["alice"])
    before = system.state()
    steps = Steps()
    steps.break_down("channel main", error)
    with pytest.raises(type(error)):
        change(system.process(steps))
    assert system.state() == before


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
        ("team", ["bob+a b"], InvalidInput),
        ("team", ["inner+a,b"], InvalidInput),
        ("team", ["nobody+tag"], NotFound),
        ("team", ["other+tag@alice.example.org"], NotFound),
        ("inner", ["outer+tag"], InvalidInput),
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


def test_a_new_account_of_an_old_name_gets_nothing_of_its_aliases(system):
    system.up("bob", "alice")
    aliases.add(system.process(), "team", ["alice"])
    aliases.add(system.process(), "postmaster", ["alice"])
    accounts.delete(system.process(), "alice", purge=False)
    accounts.create(system.process(), "alice", PASSWORD)
    table = system.tables()["postfix/aliases"]
    assert "team@example.org" not in table
    assert "postmaster@example.org box@" in table, "the oldest account must read it"
    assert targets(system, "team") == ()
    aliases.add(system.process(), "team", ["alice"])
    assert "team@example.org alice@example.org\n" in system.tables()["postfix/aliases"]


def test_an_undeleted_account_does_not_take_an_aliases_address(system):
    system.up("alice", "bob")
    accounts.delete(system.process(), "alice", purge=False)
    aliases.add(system.process(), "alice", ["bob"])
    with pytest.raises(AlreadyExists):
        accounts.undelete(system.process(), "alice")
    with pytest.raises(AlreadyExists):
        accounts.create(system.process(), "alice", PASSWORD)


def allowed(system, name):
    """The aliases that an account knows it may write as."""
    return system.files_of(system.store.account(name))["etc/relay/send_as"].decode().split()


def test_accounts_learn_that_they_may_write_as_an_alias(system):
    """With the next target nothing changes for the others; without the right, or the alias, for all."""
    system.up("alice", "bob")
    assert aliases.add(system.process(), "team", ["alice"]).send is False
    assert allowed(system, "alice") == []
    assert aliases.add(system.process(), "team", ["alice"], send=True).send is True
    assert allowed(system, "alice") == ["team@example.org"]
    assert aliases.add(system.process(), "team", ["bob"]).send is True
    assert allowed(system, "bob") == allowed(system, "alice") == ["team@example.org"]
    aliases.add(system.process(), "team", ["alice"], send=False)
    assert allowed(system, "bob") == allowed(system, "alice") == []
    aliases.add(system.process(), "team", ["alice"], send=True)
    aliases.delete(system.process(), "team")
    assert allowed(system, "alice") == []
    system.check_converged()


def test_an_account_that_is_down_learns_it_from_apply(system):
    system.up("alice", "bob")
    system.world.containers["mailpod-alice"].state = "exited"
    aliases.add(system.process(), "team", ["alice", "bob"], send=True)
    assert "mailpod apply" in system.said[-1]
    assert (allowed(system, "alice"), allowed(system, "bob")) == ([], ["team@example.org"])
    installation.apply(system.process())
    system.check_converged()
