"""What becomes of a message with a virus (rspamd/infected.lua), as Rspamd would ask it."""

from pathlib import Path
from typing import Any

import pytest
from lupa.lua54 import LuaRuntime

SCRIPT = Path(__file__).parents[3] / "images" / "main" / "rspamd" / "infected.lua"
RSPAMD = """
package.preload.rspamd_util = function() return { get_hostname = function() return 'mail.club.example' end } end
rspamd_config = { register_symbol = function(_, symbol) check = symbol.callback end }
"""
REPORT = 'Multipart/Report; report-type=delivery-status; boundary="x"'
TASK = """
local daemon, sender, virus, kind, domain = ...
local result
return {
  get_request_header = function() return daemon end,
  get_header = function() return kind end,
  get_recipients = function() return { { domain = 'alice.club.example' }, { domain = domain } } end,
  get_from = function() return sender and { { addr = sender } } end,
  get_symbol = function() return virus and { { options = { virus } } } end,
  set_pre_result = function(_, action, message) result = action .. ': ' .. message end,
  result = function() return result end,
}
"""


def verdict(
    daemon: str, sender: str | None, virus: str | None, kind: str | None = REPORT, domain: str = "club.example"
) -> str | None:
    lua = LuaRuntime()
    lua.execute(RSPAMD)
    lua.execute(SCRIPT.read_text())
    task: Any = lua.execute(TASK, daemon, sender, virus, kind, domain)
    lua.globals().check(task)
    return task.result()


@pytest.mark.parametrize("daemon", ["mail.example.org", "accounts"])
def test_a_virus_is_refused_from_outside_and_from_accounts(daemon):
    assert verdict(daemon, "x@y.example", "Eicar") == "reject: This message holds a virus: Eicar"


@pytest.mark.parametrize("sender", ["", None])
def test_a_report_of_ours_may_hold_one(sender):
    assert verdict("accounts", sender, "Eicar") is None
    assert verdict("main", sender, "Eicar") is None
    assert verdict("mail.example.org", sender, "Eicar") is not None


@pytest.mark.parametrize("kind", [None, "text/plain", "multipart/mixed; boundary=x", "multipart/reportage; x=y"])
def test_what_only_has_no_sender_may_not(kind):
    assert verdict("accounts", "", "Eicar", kind) is not None
    assert verdict("main", "", "Eicar", kind) is not None


@pytest.mark.parametrize("domain", ["outside.example", "club.example.outside.example", "myclub.example", ""])
def test_what_an_account_calls_a_report_carries_none_away(domain):
    assert verdict("accounts", "", "Eicar", domain=domain) is not None
    assert verdict("main", "", "Eicar", domain=domain) is None


def test_what_has_none_goes_on():
    assert verdict("mail.example.org", "x@y.example", None) is None
