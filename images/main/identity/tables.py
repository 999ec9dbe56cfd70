"""What the control plane says of accounts: the tables `identity/…` (src/mailpod/model/tables.py)."""

import os


class Account:
    """One account.

    Attributes:
        per_hour: how many messages it may send to the outside in an hour.
        internet: `none` where it may send nothing there.
        addresses: those it may write as.
    """

    __slots__ = ("addresses", "internet", "name", "per_hour")

    def __init__(self, name: str, per_hour: str, internet: str, *addresses: str) -> None:
        self.name = name
        self.per_hour = int(per_hour)
        self.internet = internet
        self.addresses = addresses

    def owns(self, address: str) -> bool:
        """Whether it may write as this address, with whatever tag."""
        return plain(address) in self.addresses


def plain(address: str) -> str:
    """An address without its tag, in lower case."""
    local, at, host = address.rpartition("@")
    return f"{local.partition('+')[0]}{at}{host}".lower()


class Table:
    """Lines of words, known by their first one, and read anew when the file has changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None
        self._lines: dict[str, str] = {}

    def find(self, key: str) -> list[str]:
        """The words of a line, the first one among them; none when there is no such line."""
        now = os.stat(self._path)
        if (now.st_ino, now.st_mtime_ns) != self._read:
            with open(self._path, encoding="utf-8") as file:
                self._lines = {line.split(maxsplit=1)[0]: line for line in file}
            self._read = now.st_ino, now.st_mtime_ns
        return self._lines.get(key, "").split()
