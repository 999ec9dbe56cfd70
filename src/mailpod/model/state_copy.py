"""What main keeps of the desired state, so that a state folder that is lost can be written anew.

It is one of main's tables, rendered and swapped in with the others; nothing in main reads it. No key is in it that main
has not got already.
"""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from mailpod.model.records import Account, Alias, System

# What runs it and where it lies: the engine shows that.
_OF_THE_MOMENT = {"image", "image_before", "volume", "restoring", "replaced"}
TABLE = "control/state.json"
"""Its path below main's folder of tables."""


class StateCopy(BaseModel):
    """The records of a system.

    Attributes:
        accounts, deleted: without what a move has left of them elsewhere, and those whose purge has begun.
        own: by path below the state folder, the text of files that the operator has written there.
        ssh_host_key, ssh_host_public: main's own SSH host key, by which the users of its jump host know it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: System
    accounts: tuple[Account, ...]
    deleted: tuple[Account, ...]
    aliases: tuple[Alias, ...]
    own: dict[str, str]
    ssh_host_key: str = Field(repr=False)
    ssh_host_public: str

    def text(self) -> str:
        """As it is kept; `model_validate_json` reads it."""
        return self.model_dump_json(exclude_none=True, indent=1) + "\n"


def settled(accounts: Iterable[Account]) -> tuple[Account, ...]:
    """The accounts as they are once what is under way has ended."""
    return tuple(one.model_copy(update={"copies": ()}) for one in accounts if not one.purge)


def account_record(account: Account) -> str:
    """What an account's volume says of the account: enough to know it by when nothing else does."""
    (record,) = settled([account.model_copy(update={"deleted": None, "purge": False})])
    return record.model_dump_json(exclude_none=True, exclude=_OF_THE_MOMENT, indent=1) + "\n"
