"""What becomes of a message with a virus (rspamd/infected.lua), as Rspamd would ask it."""

from pathlib import Path
from typing import Any

import pytest
from lupa.lua54 import LuaRuntime

SCRIPT = Path(__file__).parents[3] / "images" / "main" / "rspamd" / "infected.lua"
RSPAMD = "rspamd_config = { register_symbol = function(_, symbol) check = symbol.callback end }"
TASK = """
local daemon, sender, virus = ...
local result
return {
  get_request_header = function() return daemon end,
  get_from = function() return sender and { { addr = sender } } end,
  get_symbol = function() return virus and { { options = { virus } } } end,
  set_pre_result = function(_, action, message) result = action .. ': ' .. message end,
  result = function() return result end,
}
"""


def verdict(daemon: str, sender: str | None, virus: str | None) -> str | None:
    lua = LuaRuntime()
    lua.execute(RSPAMD)
    lua.execute(SCRIPT.read_text())
    task: Any = lua.execute(TASK, daemon, sender, virus)
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


def test_what_has_none_goes_on():
    assert verdict("mail.example.org", "x@y.example", None) is None
