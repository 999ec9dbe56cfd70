"""Who signs what (rspamd/signing.lua), as Rspamd would ask it."""

from pathlib import Path
from typing import Any

import pytest
from lupa.lua54 import LuaRuntime

SCRIPT = Path(__file__).parents[3] / "images" / "main" / "rspamd" / "signing.lua"
RSPAMD = """
package.preload.rspamd_logger = function() return { errx = function() end } end
local path = ...
rspamd_plugins = {}
rspamd_config = {
  get_all_opt = function() return { keys = path } end,
  register_symbol = function(_, symbol) check = symbol.callback end,
}
"""
TASK = """
local headers, from, signed = ...
local result
return {
  get_request_header = function(_, name) return headers[name] end,
  get_header = function(_, name) return headers[name] end,
  get_user = function() return headers.User end,
  get_from = function() return from and { { domain = from } } end,
  get_symbol = function() return signed and { { options = signed } } end,
  set_pre_result = function(_, action) result = action end,
  result = function() return result end,
}
"""
BY_ALICE = {"MTA-Name": "accounts", "User": "alice", "X-Mailpod-Author": "alice"}


class Signer:
    """Rspamd with a table of keys."""

    def __init__(self, table: Path) -> None:
        self.table = table
        self._lua = LuaRuntime()
        self._lua.execute(RSPAMD, str(table))
        self._lua.execute(SCRIPT.read_text())

    def _task(self, headers: dict[str, str], domain: str | None, signed: list[str] | None = None) -> object:
        table = self._lua.table_from
        return self._lua.execute(TASK, table(headers), domain, table(signed) if signed else None)

    def asked(self, headers: dict[str, str], domain: str | None) -> list[tuple[str, str, str]]:
        """Domain, selector and key of every signature a message is to have."""
        found = self._lua.globals().rspamd_plugins.signing.signers(self._task(headers, domain))
        return [(one.domain, one.selector, one.rawkey.strip()) for one in found.values()] if found else []

    def verdict(self, headers: dict[str, str], domain: str | None, signed: list[str]) -> str | None:
        """What becomes of a message that has these signatures."""
        task: Any = self._task(headers, domain, signed)
        self._lua.globals().check(task)
        return str(task.result()) if task.result() else None


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    table = tmp_path / "keys"
    table.write_text("1\nclub.test r1 AA==\nclub.test e1 /w==\nalice.club.test r2 BB==\n")
    return Signer(table)


def test_what_an_account_writes_is_signed_with_all_keys_of_its_domain(signer):
    assert signer.asked(BY_ALICE, "Club.test") == [("club.test", "r1", "AA=="), ("club.test", "e1", "/w==")]
    assert signer.asked(BY_ALICE, "alice.club.test") == [("alice.club.test", "r2", "BB==")]


def test_a_key_never_looks_like_the_name_of_a_file(signer):
    """Rspamd takes what begins with a slash for one."""
    found = signer._lua.globals().rspamd_plugins.signing.signers(signer._task(BY_ALICE, "club.test"))
    assert not any(one.rawkey.startswith(("/", ".")) for one in found.values())


def test_mains_own_reports_are_signed(signer):
    assert signer.asked({"MTA-Name": "main"}, "club.test")


@pytest.mark.parametrize(
    "headers",
    [
        {"MTA-Name": "mail.club.test", "X-Mailpod-Author": "alice"},
        {"MTA-Name": "accounts", "User": "alice"},
        {"MTA-Name": "accounts"},
        {"MTA-Name": "accounts", "User": "alice", "X-Mailpod-Author": "bob"},
        {},
    ],
)
def test_what_somebody_else_wrote_is_not(signer, headers):
    assert signer.asked(headers, "club.test") == []
    assert signer.verdict(headers, "club.test", []) is None


def test_what_has_another_domain_or_none_is_not(signer):
    assert signer.asked(BY_ALICE, "outside.test") == signer.asked(BY_ALICE, None) == []


def test_new_keys_are_in_force_with_the_next_message(signer):
    assert signer.asked(BY_ALICE, "alice.club.test")
    signer.table.write_text("2\nclub.test r3 CC==\n")
    assert signer.asked(BY_ALICE, "club.test") == [("club.test", "r3", "CC==")]
    assert signer.asked(BY_ALICE, "alice.club.test") == []


def test_what_should_have_been_signed_and_is_not_is_put_off(signer):
    assert signer.verdict(BY_ALICE, "club.test", ["club.test:s=r1", "club.test:s=e1"]) is None
    assert signer.verdict(BY_ALICE, "club.test", ["club.test:s=r1"]) == "soft reject"
    assert signer.verdict(BY_ALICE, "club.test", []) == "soft reject"
    signer.table.unlink()
    assert signer.verdict(BY_ALICE, "club.test", []) == "soft reject"
