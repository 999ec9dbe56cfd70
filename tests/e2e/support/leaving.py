"""Destroys accounts, all in one process, and looks once for what is left.

A command for each takes most of its time to start and to look. Run as a module, with the state folder, the instance
and the accounts' names.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mailpod.cli import keeping, state
from mailpod.model.records import Account
from mailpod.services import accounts


def _destroy(name: str) -> list[Account]:
    return accounts.delete(state.context(), name, purge=True)


def main(folder: str, instance: str, names: Sequence[str]) -> None:
    """Destroy the accounts of these names.

    Raises:
        MailpodError: one could not be destroyed, or something of one is left.
    """
    state.options = state.Options(Path(folder), instance)
    with ThreadPoolExecutor(max_workers=4) as pool:
        gone = [account for one in pool.map(_destroy, names) for account in one]
    keeping.show_proof(state.context(), gone, json=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
