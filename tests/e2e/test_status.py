"""`status` and `apply`: desired beside observed, and the way back to it."""

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

pytestmark = pytest.mark.once


def test_status_shows_main_and_every_account(system: System, alice: Account, bob: Account) -> None:
    """Desired, observed, health, addresses, image, memory, mail waiting."""
    found = system.cli.ok("status", "--json").json()
    elements = {one["name"]: one for one in (found["main"], *found["accounts"])}
    assert elements.keys() >= {"main", alice.name, bob.name}
    for element in elements.values():
        assert element.keys() >= {"desired", "observed", "health", "ipv4", "ipv6", "image", "memory", "waiting"}
    for name in ("main", alice.name):
        assert elements[name]["desired"] == elements[name]["observed"] == "running"
        assert elements[name]["memory"] > 1024 * 1024
        assert elements[name]["image"]
        assert elements[name]["ipv4"]
        assert elements[name]["ipv6"]
    text = system.cli.ok("status").out
    for name in elements:
        assert name in text


def test_health_becomes_good(system: System, alice: Account) -> None:
    def healthy() -> bool:
        found = system.cli.ok("status", "--json").json()
        accounts = {one["name"]: one["health"] for one in found["accounts"]}
        return {found["main"]["health"], accounts[alice.name]} == {"healthy"}

    until(healthy, "a healthy main and account", 100, every=1)


def test_mail_that_waits_in_an_account_is_shown(undamaged: System, alice: Account) -> None:
    """Main does not take it: its Postfix is down. The account keeps what it took."""
    word = token()
    message = compose(alice.address, "erin@outside.test", word).as_string()
    script = f"sendmail -f {alice.address} erin@outside.test <<'END'\n{message}\nEND"

    def waiting() -> int:
        found = undamaged.cli.ok("status", "--json").json()
        (own,) = [one for one in found["queue"] or [] if one["element"] == alice.name] or [None]
        (shown,) = [one for one in found["accounts"] if one["name"] == alice.name]
        return int(shown["waiting"] or 0) if own and own["recipients"] == ["erin@outside.test"] else 0

    assert execute(undamaged.main, "s6-svc", "-wD", "-d", "/run/service/postfix")[0] == 0
    try:
        code, output = execute(undamaged.engine.account(alice.name), "sh", "-c", script, user="box")
        assert code == 0, output
        assert until(waiting, "the message in the account", 30, every=0.5) == 1
        lines = undamaged.cli.ok("status").out.splitlines()
        assert any(line.startswith(f"waiting in {alice.name}: ") and "erin@outside.test" in line for line in lines)
    finally:
        execute(undamaged.main, "s6-svc", "-wU", "-u", "/run/service/postfix")
    undamaged.wait_until_up()
    execute(undamaged.engine.account(alice.name), "postqueue", "-f")
    undamaged.world.wait_for(word, seconds=40)


def test_apply_on_a_converged_system_does_nothing(system: System) -> None:
    """Not one container is started anew."""
    before = {(c.name, c.id, c.attrs["State"]["StartedAt"]) for c in system.engine.containers()}
    assert system.cli.ok("apply", "--json").json() == []
    assert {(c.name, c.id, c.attrs["State"]["StartedAt"]) for c in system.engine.containers()} == before


def test_up_again_with_the_same_options_does_nothing(system: System) -> None:
    before = {(c.name, c.id, c.attrs["State"]["StartedAt"]) for c in system.engine.containers()}
    system.cli.ok("up", system.domain)
    assert {(c.name, c.id, c.attrs["State"]["StartedAt"]) for c in system.engine.containers()} == before


def test_apply_brings_back_what_somebody_removed_by_hand(undamaged: System) -> None:
    account = undamaged.create("handmade")
    undamaged.engine.account("handmade").remove(force=True)
    undamaged.main.remove(force=True)
    undamaged.apply()
    undamaged.wait_until_up()
    word = undamaged.post(account.short_address)
    undamaged.wait_for(account, word)


def test_mail_flows_without_the_control_plane(undamaged: System, alice: Account) -> None:
    """Main and an account are started by the engine alone: everything they need is with them."""
    undamaged.main.restart(timeout=10)
    undamaged.engine.account(alice.name).restart(timeout=10)
    undamaged.wait_until_up()
    until(lambda: undamaged.reaches(alice), "the account behind main", 40)
    word = undamaged.post(alice.short_address)
    undamaged.wait_for(alice, word)


def test_the_authoritys_certificate_is_one_and_stays(system: System) -> None:
    text = system.cli.ok("ca").out
    assert text == system.authority.read_text()
    assert text.startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in text
