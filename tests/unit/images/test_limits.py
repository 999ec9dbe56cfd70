"""Guesses at passwords (guessing/limits.lua): what is free, what has to wait, what is refused, and who never is."""

from pathlib import Path
from typing import Any

import pytest
from lupa.lua54 import LuaRuntime

LIMITS = Path(__file__).parents[3] / "images" / "common" / "guessing" / "limits.lua"
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"
DAY = 86400


class Proxy:
    """main's proxy as the limits see it; each login has a connection of its own."""

    def __init__(self) -> None:
        self._limits: Any = LuaRuntime(unpack_returned_tuples=True).execute(LIMITS.read_text())
        self.now = 1_000_000
        self.connections = 0

    def judge(self, password: str, ip: str = HOME, account: str | None = "alice") -> float | str:
        """Seconds to wait, or why it is refused."""
        verdict = self._limits.judge(ip, account or "nobody", account, password, self.now)
        return str(verdict[1]) if isinstance(verdict, tuple) else float(verdict)

    def begin(self, password: str, ip: str = HOME, account: str | None = "alice") -> str:
        self.connections += 1
        connection = f"{ip} {self.connections}"
        self._limits.begin(connection, ip, account or "nobody", account, password, self.now)
        return connection

    def end(self, connection: str, success: bool | None, account: str = "alice") -> None:
        self._limits.outcome(connection, account, success, self.now)

    def guess(self, password: str, ip: str = HOME, account: str | None = "alice") -> None:
        self.end(self.begin(password, ip, account), False, account or "nobody")

    def log_in(self, ip: str = HOME, account: str = "alice") -> None:
        self.end(self.begin("right", ip, account), True, account)

    def refused(self, ip: str = HOME, account: str | None = "alice", password: str = "right") -> bool:
        return isinstance(self.judge(password, ip, account), str)

    def forgive(self, whom: str) -> None:
        self._limits.forgive(whom)

    def client(self, ip: str) -> str:
        return str(self._limits.client(ip))


@pytest.fixture
def proxy() -> Proxy:
    return Proxy()


def guesses(proxy: Proxy, number: int, ip: str = HOME, account: str | None = "alice") -> None:
    for count in range(number):
        proxy.guess(f"wrong {count} of {proxy.connections}", ip, account)


def attacked(proxy: Proxy) -> None:
    """So many wrong passwords for alice from everywhere that the account itself is guarded."""
    for count in range(45):
        guesses(proxy, 1, f"203.0.113.{count}")


def test_an_address_has_a_few_guesses_then_waits_longer_and_longer_then_is_refused(proxy: Proxy) -> None:
    waits = []
    for count in range(10):
        waits.append(proxy.judge("next"))
        proxy.guess(f"wrong {count}")
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 15, 15]
    assert proxy.judge("right") == "too many wrong passwords from this address"
    assert proxy.refused(account="bob")
    assert proxy.refused(account=None)
    assert not proxy.refused(ELSEWHERE)


def test_a_refused_address_may_try_again_after_some_minutes(proxy: Proxy) -> None:
    guesses(proxy, 10)
    proxy.now += 179
    assert proxy.refused()
    proxy.now += 1
    assert proxy.judge("right") == 15
    guesses(proxy, 1)
    proxy.now += 179
    assert proxy.refused()
    proxy.now += 10 * 180
    assert proxy.judge("right") == 0


def test_logins_that_nobody_has_count_for_their_address(proxy: Proxy) -> None:
    guesses(proxy, 10, account=None)
    assert proxy.refused()


def test_the_same_wrong_password_again_is_an_app_that_does_not_know_better(proxy: Proxy) -> None:
    for _ in range(50):
        proxy.guess("of old")
    assert proxy.judge("right") == 0


def test_a_success_forgives_what_its_owner_mistyped_and_nothing_else(proxy: Proxy) -> None:
    guesses(proxy, 3)
    guesses(proxy, 3, account="bob")
    assert proxy.judge("right", account="carl") == 4
    proxy.log_in()
    assert proxy.judge("right", account="carl") == 0
    guesses(proxy, 1, account="bob")
    assert proxy.judge("right", account="carl") == 1


def test_ones_own_success_does_not_buy_guesses_at_others(proxy: Proxy) -> None:
    for count in range(10):
        proxy.log_in(account="mallory")
        proxy.guess(f"wrong {count}", account="alice")
    assert proxy.refused()


def test_an_app_that_logs_in_again_and_again_buys_no_guesses(proxy: Proxy) -> None:
    for count in range(11):
        proxy.log_in()
        proxy.guess(f"wrong {count}")
    assert proxy.refused(password="another")
    assert not proxy.refused(password="right")


def test_who_has_logged_in_before_is_not_kept_out_by_neighbours_or_by_guessers_elsewhere(proxy: Proxy) -> None:
    proxy.log_in()
    guesses(proxy, 20, account="bob")
    attacked(proxy)
    assert proxy.judge("right") == 0
    assert proxy.refused(account="bob")


def test_who_guesses_beside_the_owner_is_refused_and_the_owner_is_not(proxy: Proxy) -> None:
    """At the same account from the same address: the password that was right there gets in, another does not."""
    proxy.log_in()
    guesses(proxy, 10)
    assert proxy.judge("another") == "too many wrong passwords from this address for this account"
    assert proxy.judge("right") == 0


def test_trust_ends_after_a_month(proxy: Proxy) -> None:
    proxy.log_in()
    proxy.now += 31 * DAY
    guesses(proxy, 10, account="bob")
    assert proxy.refused()


def test_an_attacked_account_gives_each_address_one_guess_a_day(proxy: Proxy) -> None:
    attacked(proxy)
    assert proxy.judge("right", ELSEWHERE) == 15, "who has not failed here may still try, slowly"
    proxy.guess("wrong", ELSEWHERE)
    assert proxy.refused(ELSEWHERE)
    assert not proxy.refused(ELSEWHERE, account="bob")
    for _ in range(23):
        proxy.now += 3600
        attacked(proxy)
    assert proxy.refused(ELSEWHERE)
    proxy.now += 2 * 3600
    attacked(proxy)
    assert not proxy.refused(ELSEWHERE)


def test_an_account_is_slowed_later_than_an_address(proxy: Proxy) -> None:
    waits = []
    for count in range(40):
        waits.append(proxy.judge("right", ELSEWHERE))
        proxy.guess("wrong", f"203.0.113.{count}")
    assert waits == [0] * 20 + [1] * 5 + [2] * 5 + [4] * 5 + [8] * 5


def test_no_more_than_a_few_passwords_are_tried_at_once(proxy: Proxy) -> None:
    """Those whose outcome nobody knows yet."""
    begun = [proxy.begin(f"wrong {count}") for count in range(5)]
    assert proxy.judge("another") == "too many passwords at once from this address"
    assert not proxy.refused(account="bob")
    for connection in begun:
        proxy.end(connection, False)
    assert proxy.judge("another") == 2


def test_many_people_of_one_address_are_let_in_one_after_the_other(proxy: Proxy) -> None:
    """As an office logs in again after main was started anew."""
    waits = []
    for number in range(50):
        waits.append(proxy.judge("right", account=f"p{number}"))
        proxy.begin("right", account=f"p{number}")
    assert waits == [0] * 10 + [1] * 10 + [2] * 10 + [3] * 10 + [4] * 10


def test_the_same_password_on_many_connections_is_one_login(proxy: Proxy) -> None:
    begun = [proxy.begin("right") for _ in range(40)]
    assert proxy.judge("right") == 0
    for connection in begun:
        proxy.end(connection, True)
    assert proxy.judge("right") == 0


def test_what_came_to_nothing_costs_nothing(proxy: Proxy) -> None:
    """The account did not answer, or the client went; also where nobody tells."""
    for count in range(20):
        proxy.end(proxy.begin(f"one {count}"), None)
    assert proxy.judge("right") == 0
    for count in range(5):
        proxy.begin(f"another {count}")
    proxy.now += 121
    proxy.begin("right", account="bob")
    assert proxy.judge("right") == 0


def test_an_outcome_belongs_to_its_own_login(proxy: Proxy) -> None:
    """A connection's earlier login, whose end nobody told, does not become somebody else's success."""
    connection = proxy.begin("wrong", account="alice")
    proxy._limits.begin(connection, HOME, "mallory", "mallory", "right", proxy.now)
    proxy.end(connection, True, "mallory")
    guesses(proxy, 10, account="bob")
    assert proxy.refused(account="alice")
    assert not proxy.refused(account="mallory")


def test_the_operator_forgives_an_address_or_an_account(proxy: Proxy) -> None:
    guesses(proxy, 10)
    proxy.forgive(HOME)
    assert proxy.judge("right") == 0
    attacked(proxy)
    proxy.guess("wrong", ELSEWHERE)
    assert proxy.refused(ELSEWHERE)
    proxy.forgive("alice")
    assert proxy.judge("right", ELSEWHERE) == 0
    guesses(proxy, 10)
    proxy.forgive("")
    assert proxy.judge("right") == 0


@pytest.mark.parametrize(
    ("ip", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::6", "2001:db8:1:2::/64"),
        ("2001:db8::6", "2001:db8:0:0::/64"),
        ("2001:db8::2:3:4:5:6", "2001:db8:0:2::/64"),
        ("fd00::", "fd00:0:0:0::/64"),
        ("::1", "0:0:0:0::/64"),
    ],
)
def test_a_client_is_an_ipv4_address_or_the_64_of_an_ipv6_address(proxy: Proxy, ip: str, client: str) -> None:
    assert proxy.client(ip) == client


def test_who_has_a_64_is_refused_in_all_of_it(proxy: Proxy) -> None:
    for count in range(10):
        proxy.guess(f"wrong {count}", f"2001:db8:1:2::{count:x}")
    assert proxy.refused("2001:db8:1:2:ffff::1")
    assert not proxy.refused("2001:db8:1:3::1")


def test_what_is_remembered_is_bounded_and_trust_is_kept_longest(proxy: Proxy) -> None:
    proxy.log_in()
    for count in range(15_000):
        proxy.guess("wrong", f"10.{count >> 16}.{count >> 8 & 255}.{count & 255}", f"a{count % 50}")
    guesses(proxy, 10, account="bob")
    assert not proxy.refused()
