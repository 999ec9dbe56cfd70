"""The daemon: every connection of Postfix is a session here (MILTER_README)."""

import os
import socket

import Milter

from identity.message import Message, Refusal
from identity.rate import Rate
from identity.refusals import Refusals
from identity.results import claims_to_be
from identity.seal import HEADER, Content, Seals
from identity.tables import Account, Table, plain

_FOLDER = "/data/lib/identity"
_TABLES = "/data/etc/tables/identity"
_SOCKET = "/run/identity/milter"
_PATIENCE = 300
# Tells who comes next (rspamd/signing.lua) that a message is the account's own, and no forward.
AUTHOR = "X-Mailpod-Author"
# Nobody else's word for these is taken; of the last, those that name this host.
_SEAL, _AUTHOR, _RESULTS = HEADER.lower(), AUTHOR.lower(), "authentication-results"

accounts = Table(f"{_TABLES}/accounts")
readers = Table(f"{_TABLES}/readers")
rate = Rate(f"{_FOLDER}/sent")
refusals = Refusals("/data/lib/refusals/identity")
host = socket.gethostname().lower()
domain = host.partition(".")[2]
with open(f"{_FOLDER}/key", "rb") as file:
    seals = Seals(file.read())


class Session(Milter.Base):
    """One connection: to port 25, or to the accounts' port, where who writes is to be judged."""

    def envfrom(self, sender: str, *_parameters: str) -> int:
        """A message begins."""
        self._message: Message | None = None
        self._readers: set[str] = set()
        self._content = Content(domain)
        self._given: list[str] = []
        self._ours: dict[str, list[bool]] = {name: [] for name in (_SEAL, _AUTHOR, _RESULTS)}
        if self.getsymval("{daemon_name}") != "accounts":
            return Milter.CONTINUE
        login = self.getsymval("{auth_authen}")
        if not login:
            self.setreply("530", "5.7.0", "Authentication required")
            return Milter.REJECT
        line = accounts.find(login)
        if not line:
            return Milter.TEMPFAIL
        self._message = Message(Account(*line), domain, rate, seals)
        try:
            self._message.sender(_bare(sender))
        except Refusal as refusal:
            return self._refuse(self._message.account.name, refusal)
        return Milter.CONTINUE

    def envrcpt(self, recipient: str, *_parameters: str) -> int:
        """One recipient whom Postfix takes."""
        address = _bare(recipient)
        if self._message:
            try:
                self._message.recipient(address)
            except Refusal as refusal:
                return self._refuse(self._message.account.name, refusal)
        self._readers.update(readers.find(plain(address))[1:])
        return Milter.CONTINUE

    @Milter.noreply
    def header(self, name: str, value: str) -> int:
        """A header, as Postfix would deliver it."""
        plain_name = name.strip().lower()
        if plain_name in self._ours:
            self._ours[plain_name].append(plain_name != _RESULTS or claims_to_be(value, host))
        if plain_name == _SEAL:
            self._given.append(value)
            return Milter.CONTINUE
        self._content.header(name, value)
        if self._message:
            self._message.header(name, value)
        return Milter.CONTINUE

    def body(self, chunk: bytes) -> int:
        """A piece of the body, of which nothing is kept."""
        if not self._readers and not (self._message and self._message.is_foreign):
            return Milter.SKIP
        self._content.body(chunk)
        return Milter.CONTINUE

    def eom(self) -> int:
        """All of the message is there."""
        if self._message:
            try:
                self._message.end(self._given, self._content)
            except Refusal as refusal:
                return self._refuse(self._message.account.name, refusal)
        for name, removed in self._ours.items():
            for index in range(len(removed), 0, -1):
                if removed[index - 1]:
                    self.chgheader(name, index, "")
        if self._message and not self._message.is_foreign:
            self.addheader(AUTHOR, self._message.account.name)
        if self._readers:
            self.addheader(HEADER, seals.make(self._content, self._readers))
        return Milter.CONTINUE

    def _refuse(self, name: str, refusal: Refusal) -> int:
        text = "".join(c if c.isascii() and c.isprintable() and c != "%" else "?" for c in refusal.text)
        print(f"{name}: {refusal.kind}: {text}")
        refusals.add(name, refusal.kind, text)
        code, enhanced = refusal.reply
        self.setreply(code, enhanced, text)
        return Milter.TEMPFAIL if code.startswith("4") else Milter.REJECT


def _bare(address: str) -> str:
    return address.removeprefix("<").removesuffix(">")


Milter.factory = Session
Milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS)
# The folder's mode decides who reaches the socket.
os.umask(0)
Milter.runmilter("identity", f"unix:{_SOCKET}", _PATIENCE)
rate.save()
