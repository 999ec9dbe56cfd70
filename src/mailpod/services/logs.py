"""What main and the accounts have said."""

from collections.abc import Iterator
from datetime import datetime

from mailpod.model.errors import NotFound
from mailpod.model.records import Account
from mailpod.model.spec import LABEL_ID, LABEL_ROLE, Workload
from mailpod.services.context import Context


class Logs:
    """The logs of one system's containers, as its engine has them."""

    def __init__(self, context: Context) -> None:
        context.require_system()
        self._engine = context.engine
        workloads = context.engine.workloads(context.instance)
        self._main = next((one for one in workloads if one.labels.get(LABEL_ROLE) == "main"), None)
        self._by_id = {one.labels.get(LABEL_ID): one for one in workloads}

    def of(self, account: Account | None) -> Workload:
        """The container of an account, or main's.

        Raises:
            NotFound: there is none, and no log either.
        """
        found = self._by_id.get(account.id) if account else self._main
        if found is None:
            raise NotFound(f"{account.name if account else 'main'} has no container, so no log", "see: mailpod status")
        return found

    def read(self, account: Account | None, since: datetime | None = None, last: int | None = None) -> Iterator[str]:
        """Lines with the engine's time before each, oldest first; raises `NotFound` like `of`."""
        there = self.of(account)
        for line in self._engine.logs(there.name, there.node, since, last):
            yield line.decode(errors="replace")

    def follow(self, account: Account | None, last: int) -> Iterator[str]:
        """The last lines, then each as it is said, until the container ends; raises `NotFound` like `of`."""
        there = self.of(account)
        for line in self._engine.follow(there.name, there.node, last):
            yield line.decode(errors="replace")


def account_or_main(context: Context, name: str) -> Account | None:
    """The account of this name; None for `main`. Raises `NotFound`."""
    return None if name.lower() == "main" else context.store.account(name.lower())
