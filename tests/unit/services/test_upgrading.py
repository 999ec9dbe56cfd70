import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import PASSWORD

from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.records import MIN_MEMORY, MainImages
from mailpod.services import accounts, freezing, images, installation, upgrading
from mailpod.services.installation import deploy
from mailpod.services.status import status
from mailpod.services.upgrading import rollback, upgrade


@pytest.fixture
def pulled(system, monkeypatch):
    """Three accounts, and sources that are newer than what everything runs on."""
    system.up("alice", "bob", "carol")
    system.pull(monkeypatch, "newer")
    return system


def on(system):
    """By container, the version it runs."""
    there = system.world.containers
    return {name.removeprefix("mailpod-"): one.image.partition(":")[2] for name, one in there.items()}


def test_whatever_converges_leaves_everything_on_its_image(pulled):
    before = on(pulled)
    assert set(before.values()) == {"made-up"}
    assert installation.apply(pulled.process()) == []
    installation.up(pulled.process(), pulled.planned())
    accounts.change(pulled.process(), "alice", memory=MIN_MEMORY)
    freezing.freeze(pulled.process(), "bob")
    freezing.thaw(pulled.process(), "bob")
    accounts.delete(pulled.process(), "carol", purge=False)
    accounts.undelete(pulled.process(), "carol")
    assert on(pulled) == before
    pulled.check_converged()
    assert status(pulled.process()).upgradable == ["main", "alice", "bob", "carol"]


def test_a_new_account_and_another_stack_have_the_newest(pulled):
    accounts.create(pulled.process(), "dave", PASSWORD)
    accounts.change(pulled.process(), "alice", stack="classic")
    assert (on(pulled)["dave"], on(pulled)["alice"], on(pulled)["bob"]) == ("newer", "newer", "made-up")
    assert status(pulled.process()).upgradable == ["main", "bob", "carol"]


def test_main_comes_first_and_then_one_account_after_another(pulled):
    steps = Steps()
    done = upgrade(pulled.process(steps))
    assert [one.name for one in done] == ["main", "alice", "bob", "carol"]
    assert {(one.before.partition(":")[2], one.image.partition(":")[2]) for one in done} == {("made-up", "newer")}
    assert set(on(pulled).values()) == {"newer"}
    order = [
        step for step in steps.taken if step.startswith(("engine deploy_main", "engine create", "channel main check"))
    ]
    each = [(f"engine create mailpod-{name}", f"channel main check {name}") for name in ("alice", "bob", "carol")]
    assert order == ["engine deploy_main", *(step for pair in each for step in pair)]
    pulled.check_converged()
    assert status(pulled.process()).upgradable == []
    assert upgrade(pulled.process()) == []
    assert f"MAILPOD_MAIN_IMAGE={images.MAIN.tag}\n" in (pulled.store.folder / "compose.env").read_text()


def test_a_canary_goes_before_all_others_and_names_are_taken_in_their_order(pulled):
    assert [one.name for one in upgrade(pulled.process(), ["Carol", "bob"], "BOB")] == ["bob", "carol"]
    assert [one.name for one in upgrade(pulled.process(), canary="alice")] == ["alice", "main"]


def test_newer_packages_are_an_upgrade_like_any_other(system, monkeypatch, tmp_path):
    """Without them, nothing is to be done."""
    system.up("alice")
    system.world.registry = True
    monkeypatch.setattr(images, "_packages_file", lambda: tmp_path / "packages")
    assert upgrade(system.process()) == []
    done = upgrade(system.process(), packages=True)
    assert [one.name for one in done] == ["main", "alice"]
    assert {one.image.partition(":")[2] for one in done} == {f"made-up-{images.packages()}"}
    system.check_converged()


def test_newer_packages_that_do_not_come_change_nothing(pulled, monkeypatch, tmp_path):
    monkeypatch.setattr(images, "_packages_file", lambda: tmp_path / "packages")
    monkeypatch.setattr(images, "SOURCES", tmp_path)
    pulled.world.registry = True
    del pulled.world.images[images.MAIN.tag]
    before = pulled.state()
    with pytest.raises(MailpodError, match="building"):
        upgrade(pulled.process(), packages=True)
    assert images.packages() == ""
    assert pulled.state() == before


def test_a_main_that_is_too_old_to_check_accounts_comes_first(pulled):
    pulled.world.ignorant_images.add(pulled.world.containers["mailpod-main"].image)
    assert [one.name for one in upgrade(pulled.process(), ["bob"])] == ["main", "bob"]
    assert any("main comes first" in line for line in pulled.said)


def test_what_cannot_be_meant_is_refused_before_anything_is_touched(pulled):
    before = pulled.state()
    with pytest.raises(NotFound, match="no account 'nobody'"):
        upgrade(pulled.process(), ["alice", "nobody"])
    with pytest.raises(NotFound, match="no account 'nobody'"):
        upgrade(pulled.process(), canary="nobody")
    with pytest.raises(InvalidInput, match="not among those"):
        upgrade(pulled.process(), ["alice"], "bob")
    with pytest.raises(NotFound, match="no image is known"):
        rollback(pulled.process(), "alice")
    with pytest.raises(NotFound, match="no image is known"):
        rollback(pulled.process(), "main")
    assert pulled.state() == before


@pytest.mark.parametrize(
    "where", ["engine create mailpod-bob", "channel bob deploy", "channel main check bob", "channel bob end"]
)
def test_an_account_that_does_not_work_goes_back_and_what_follows_is_not_touched(pulled, where):
    steps = Steps()
    steps.break_once(where, MailpodError("it is broken", "mend it"))
    with pytest.raises(
        MailpodError, match=r"bob does not work .* is back on mailpod/account-dovecot:made-up: it is broken"
    ):
        upgrade(pulled.process(steps))
    assert on(pulled) == {"main": "newer", "alice": "newer", "bob": "made-up", "carol": "made-up"}
    assert "engine remove mailpod-carol" not in steps.taken
    pulled.check_converged()
    assert installation.apply(pulled.process()) == []
    assert [one.name for one in upgrade(pulled.process())] == ["bob", "carol"]


def test_one_that_cannot_go_back_either_is_told_and_apply_brings_it_back(pulled):
    steps = Steps()
    steps.break_down("engine create mailpod-alice", MailpodError("the disk is full", "make room"))
    with pytest.raises(MailpodError, match="works neither on its new image"):
        upgrade(pulled.process(steps), ["alice"])
    installation.apply(pulled.process())
    assert on(pulled)["alice"] == "made-up"
    pulled.check_converged()


def test_main_that_does_not_start_goes_back_and_no_account_is_touched(pulled):
    pulled.world.broken_images = {images.MAIN.tag}
    before = on(pulled)
    with pytest.raises(MailpodError, match="main does not work on its new image, and is back on mailpod/main:made-up"):
        upgrade(pulled.process())
    assert on(pulled) == before
    assert installation.apply(pulled.process()) == []
    pulled.check_converged()


def test_an_upgrade_that_is_interrupted_is_taken_back(pulled):
    steps = Steps()
    steps.break_once("channel main check alice", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        upgrade(pulled.process(steps), ["alice"])
    assert on(pulled)["alice"] == "made-up"
    pulled.check_converged()


def test_an_upgrade_that_is_killed_is_taken_back_by_apply_which_says_so(pulled, monkeypatch):
    steps = Steps()

    def die(*_anything):
        steps.dead = True
        raise Killed("now")

    monkeypatch.setattr(upgrading, "check", die)
    monkeypatch.setattr(upgrading, "deploy", lambda *_anything: deploy(*_anything) or die())
    for name in ("alice", "main"):
        with pytest.raises(Killed):
            upgrade(pulled.process(steps), [name])
        steps.dead = False
        assert on(pulled)[name] == "newer"
    installation.apply(pulled.process())
    assert set(on(pulled).values()) == {"made-up"}
    assert {line.partition(":")[0] for line in pulled.said if "cut short" in line} == {
        f"{name} is back on mailpod/{image}" for name, image in (("main", "main"), ("alice", "account-dovecot"))
    }
    pulled.check_converged()


def test_what_is_frozen_or_out_of_reach_is_left_out(pulled):
    freezing.freeze(pulled.process(), "alice")
    assert [one.name for one in upgrade(pulled.process(), ["alice", "bob"])] == ["bob"]
    assert any("alice is left out" in line for line in pulled.said)
    freezing.thaw(pulled.process(), "alice")
    assert on(pulled)["alice"] == "made-up"
    assert [one.name for one in upgrade(pulled.process(), ["alice"])] == ["alice"]


def test_rollback_goes_to_the_image_before_and_there_again(pulled):
    upgrade(pulled.process())
    for name in ("alice", "main"):
        assert rollback(pulled.process(), name).image.endswith(":made-up")
        assert on(pulled)[name] == "made-up"
        assert installation.apply(pulled.process()) == []
    assert status(pulled.process()).upgradable == ["main", "alice"]
    assert rollback(pulled.process(), "alice").image.endswith(":newer")
    pulled.check_converged()


def test_rollback_to_what_is_gone_is_refused(pulled):
    upgrade(pulled.process())
    before = pulled.state()
    pulled.world.images = {tag: "" for tag in pulled.world.images if not tag.endswith(":made-up")}
    for name in ("alice", "main"):
        with pytest.raises(MailpodError, match="is gone"):
            rollback(pulled.process(), name)
    assert pulled.state() == before


def test_who_is_on_an_image_that_is_gone_gets_the_newest_and_it_is_said(pulled):
    pulled.world.images = {tag: "" for tag in pulled.world.images if not tag.endswith(":made-up")}
    installation.apply(pulled.process())
    assert set(on(pulled).values()) == {"newer"}
    assert any("which alice is on, is gone" in line for line in pulled.said)
    assert any("which main is on, is gone" in line for line in pulled.said)
    pulled.check_converged()


def test_an_image_goes_when_nobody_has_it_to_go_back_to(pulled, monkeypatch):
    upgrade(pulled.process())
    pulled.pull(monkeypatch, "newest")
    upgrade(pulled.process(), ["main", "alice", "bob"])
    assert "mailpod/main:made-up" not in pulled.world.images
    assert "mailpod/account-dovecot:made-up" in pulled.world.images, "carol has it to go back to"
    upgrade(pulled.process())
    assert "mailpod/account-dovecot:made-up" not in pulled.world.images
    assert "mailpod/account-dovecot:newer" in pulled.world.images


def test_a_record_of_earlier_times_names_the_newest_from_the_next_apply_on(system, monkeypatch):
    system.up("alice")
    system.store.save_account(system.store.account("alice").model_copy(update={"image": ""}))
    system.store.save_system(system.store.system().model_copy(update={"images": MainImages()}))
    assert installation.apply(system.process()) == []
    system.pull(monkeypatch, "newer")
    assert installation.apply(system.process()) == []
    assert on(system) == {"main": "made-up", "alice": "made-up"}


def test_on_a_swarm_images_are_everywhere_before_an_account_is_stopped(system, monkeypatch):
    system.up_on_swarm("alice")
    accounts.create(system.process(), "bob", PASSWORD, node="node2")
    system.pull(monkeypatch, "newer")
    steps = Steps()
    assert [one.name for one in upgrade(system.process(steps))] == ["main", "alice", "bob"]
    assert steps.taken.index("engine spread_images") < steps.taken.index("engine remove mailpod-alice")
    system.world.say("node2", "down")
    system.pull(monkeypatch, "newest")
    assert [one.name for one in upgrade(system.process(), ["alice", "bob"])] == ["alice"]
