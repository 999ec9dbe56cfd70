from datetime import timedelta

import pytest
from tests.fakes.steps import Steps

from mailpod.model.backup import SYSTEM
from mailpod.model.depot import UNREACHED, DepotError
from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import now
from mailpod.services import (
    accounts,
    backing_up,
    backup_care,
    depots,
)


def grow_older(backed_up, hours):
    for name in (SYSTEM, *(one.id for one in backed_up.store.accounts())):
        backed = backed_up.store.backed(name)
        checked = backed.checked and backed.checked - timedelta(hours=hours)
        older = {"taken": backed.taken - timedelta(hours=hours), "checked": checked}
        backed_up.store.save_backed(name, backed.model_copy(update=older))


def test_they_are_made_when_they_are_due(backed_up):
    backup_care.care(backed_up.process())
    backup_care.care(backed_up.process())
    assert backed_up.backups_of("alice") == 1
    grow_older(backed_up, 24)
    backup_care.care(backed_up.process())
    assert backed_up.backups_of("alice") == 2
    [depot] = [one for (_, path), one in backed_up.world.depots.items() if path.endswith(backed_up.id_of("alice"))]
    assert depot.kept[-1] == ["--keep-daily", "14", "--keep-weekly", "8", "--keep-monthly", "12"]


def test_nothing_is_made_before_it_is_said_where_they_go(system):
    system.up("alice")
    backup_care.care(system.process())
    assert backup_care.health(system.process()).problems == ("no backup is set up: mailpod backup to REPOSITORY",)
    with pytest.raises(NotFound):
        backing_up.back_up(system.process())


def test_they_are_found_whole_once_a_week_another_part_each_time(backed_up):
    backup_care.care(backed_up.process())
    assert backed_up.store.backed(SYSTEM).checks == 1
    backup_care.care(backed_up.process())
    assert backed_up.store.backed(SYSTEM).checks == 1
    grow_older(backed_up, 24 * 8)
    backup_care.care(backed_up.process())
    assert backed_up.store.backed(SYSTEM).checks == 2


def test_a_damaged_one_is_told_until_it_is_whole(backed_up):
    backing_up.back_up(backed_up.process())
    for depot in backed_up.world.depots.values():
        depot.damaged = True
    with pytest.raises(DepotError):
        backup_care.check_all(backed_up.process(), ("alice",))
    backing_up.back_up(backed_up.process())
    assert any("alice are damaged" in line for line in backup_care.health(backed_up.process()).problems)
    for depot in backed_up.world.depots.values():
        depot.damaged = False
    backup_care.check_all(backed_up.process(), ())
    assert not backup_care.health(backed_up.process()).problems


def test_one_that_is_too_old_is_told(backed_up):
    backing_up.back_up(backed_up.process())
    health = backup_care.health(backed_up.process())
    assert (health.problems, health.oldest is not None) == ((), True)
    grow_older(backed_up, 49)
    problems = backup_care.health(backed_up.process()).problems
    assert [line.partition(" was on")[0] for line in problems] == [
        "the last good backup of alice",
        "the last good backup of bob",
        "the last good backup of keys and the desired state",
    ]


def test_a_new_account_has_time_until_its_first(backed_up):
    backing_up.back_up(backed_up.process())
    accounts.create(backed_up.process(), "carol", "correct horse")
    assert not backup_care.health(backed_up.process()).problems
    carol = backed_up.store.account("carol")
    backed_up.store.save_account(carol.model_copy(update={"created": now() - timedelta(days=3)}))
    assert "carol has never been" in backup_care.health(backed_up.process()).problems[0]


def meanwhile(monkeypatch, context, element, act):
    """Let another command do something while the backups of one element are checked."""
    real = context.engine.at_depot

    def at_depot(depot, words, given=()):
        if (depot.element, words[0]) == (element, "check"):
            act()
        return real(depot, words, given)

    monkeypatch.setattr(context.engine, "at_depot", at_depot)


def test_a_backup_of_another_while_one_is_checked_stays_on_record(backed_up, monkeypatch):
    backing_up.back_up(backed_up.process())
    context = backed_up.process()
    alice = backed_up.id_of("alice")
    meanwhile(
        monkeypatch,
        context,
        alice,
        lambda: depots.note(backed_up.process(), backed_up.store.backup_plan(), alice, snapshot="newer"),
    )
    backup_care.check_all(context, ("alice",))
    assert (backed_up.store.backed(alice).snapshot, backed_up.store.backed(alice).checks) == ("newer", 1)


def test_none_is_made_nor_removed_while_one_is_checked(backed_up, monkeypatch):
    backing_up.back_up(backed_up.process())
    context = backed_up.process()
    said = []

    def busy():
        with pytest.raises(MailpodError) as refused, backing_up.alone(backed_up.process(), backed_up.id_of("alice")):
            said.append("it was not alone")
        said.append(refused.value.what)

    meanwhile(monkeypatch, context, backed_up.id_of("alice"), busy)
    backup_care.check_all(context, ("alice",))
    assert said[0] == "another command works on alice"
    assert not backed_up.store.backed(backed_up.id_of("alice")).damage


def test_one_that_cannot_be_reached_is_not_taken_for_damaged(backed_up):
    backing_up.back_up(backed_up.process())
    steps = Steps()
    steps.break_down("engine at_depot check", DepotError("the repository of the backup: no route", "see", UNREACHED))
    with pytest.raises(DepotError, match="no route"):
        backup_care.check_all(backed_up.process(steps), ())
    assert not backup_care.health(backed_up.process()).problems
