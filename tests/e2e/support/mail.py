"""Messages to send and mailboxes to look into, with Python's own smtplib and imaplib."""

import imaplib
import re
import secrets
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.e2e.support.wait import until

# Rspamd's own words, one to refuse a message and one to mark it as spam.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
MARKED = "YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


WORD = re.compile(r"\bt[0-9a-f]{16}\b")


def token() -> str:
    """A word that occurs in one message only."""
    return f"t{secrets.token_hex(8)}"  # a WORD


def compose(sender: str, recipient: str, word: str, *, subject: str = "", body: str = "") -> EmailMessage:
    """A plain message whose subject holds `word`."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = f"{subject} {word}".strip()
    message["Message-ID"] = f"<{word}@test.invalid>"
    message.set_content(body or "Hello.\n")
    return message


def parse(raw: bytes) -> EmailMessage:
    """The message in these bytes."""
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


class Mailbox:
    """A logged-in IMAP session."""

    def __init__(self, session: imaplib.IMAP4) -> None:
        self.session = session

    def folders(self) -> dict[str, str]:
        """Folder names, each with its attributes as the server writes them."""
        _, lines = self.session.list()
        found = {}
        for line in lines:
            assert isinstance(line, bytes)
            match = re.fullmatch(r'\((.*?)\) (?:"."|NIL) "?(.*?)"?', line.decode())
            assert match, line
            found[match[2]] = match[1]
        return found

    def holding(self, word: str, folder: str = "INBOX") -> list[str]:
        """Numbers of the messages in `folder` whose header holds `word`."""
        status, number = self.session.select(f'"{folder}"', readonly=True)
        if status != "OK" or number == [b"0"]:
            return []
        # Headers are read, not searched: a server's search may lag behind or decode differently.
        _, data = self.session.fetch("1:*", "(BODY.PEEK[HEADER])")
        parts = [part for part in data if isinstance(part, tuple)]
        return [head.split()[0].decode() for head, text in parts if word.encode() in text]

    def count(self, word: str, folder: str = "INBOX") -> int:
        """How many messages in `folder` have a header that holds `word`."""
        return len(self.holding(word, folder))

    def anywhere(self, word: str) -> list[EmailMessage]:
        """Messages in the inbox that hold `word` somewhere, attached messages included."""
        if int(self.session.select("INBOX", readonly=True)[1][0] or 0) == 0:
            return []
        _, data = self.session.fetch("1:*", "(BODY.PEEK[])")
        return [parse(part[1]) for part in data if isinstance(part, tuple) and word.encode() in part[1]]

    def reports(self) -> list[bytes]:
        """The messages in the inbox that say what could not be delivered, whole (RFC 3462)."""
        if int(self.session.select("INBOX", readonly=True)[1][0] or 0) == 0:
            return []
        _, data = self.session.fetch("1:*", "(BODY.PEEK[])")
        return [part[1] for part in data if isinstance(part, tuple) and b"multipart/report" in part[1]]

    def remove(self, word: str) -> None:
        """Remove the messages of the inbox whose header holds `word`, for good."""
        numbers = ",".join(self.holding(word))
        self.session.select("INBOX")
        assert self.session.store(numbers, "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert self.session.expunge()[0] == "OK"

    def words(self, folder: str = "INBOX") -> list[str]:
        """The last word of every subject in `folder`, an empty one for what has no subject."""
        if self.session.select(f'"{folder}"', readonly=True)[1] == [b"0"]:
            return []
        _, data = self.session.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return ["".join(part[1].decode().split()[-1:]) for part in data if isinstance(part, tuple)]

    def cut_short(self, folder: str = "INBOX") -> list[str]:
        """The last words of the subjects of what was to end with that word and does not, or has no subject."""
        if self.session.select(f'"{folder}"', readonly=True)[1] == [b"0"]:
            return []
        _, data = self.session.fetch("1:*", "(BODY.PEEK[])")
        texts = [part[1].rstrip() for part in data if isinstance(part, tuple)]
        ends = [(parse(text)["Subject"] or "").split()[-1:] or [""] for text in texts]
        return [
            word
            for (word,), text in zip(ends, texts, strict=True)
            if not word or (WORD.fullmatch(word) and not text.endswith(word.encode()))
        ]

    def wait_for(self, word: str, folder: str = "INBOX", seconds: float = 20) -> EmailMessage:
        """The message whose header holds `word`, once it is there."""
        numbers = until(lambda: self.holding(word, folder), f"a message with {word} in {folder}", seconds)
        _, data = self.session.fetch(numbers[0], "(BODY.PEEK[])")
        part = data[0]
        assert isinstance(part, tuple)
        return parse(part[1])


@contextmanager
def imap(host: str, port: int, context: ssl.SSLContext, *, starttls: bool = False) -> Iterator[imaplib.IMAP4]:
    """An IMAP session over TLS, not yet logged in."""
    session: imaplib.IMAP4
    if starttls:
        session = imaplib.IMAP4(host, port, timeout=30)
        session.starttls(context)
    else:
        session = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=30)
    try:
        yield session
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            session.logout()
        with suppress(OSError):  # closed by the logout, if that went well
            session.shutdown()


@contextmanager
def smtp(host: str, port: int, context: ssl.SSLContext | None = None, *, tls: str = "") -> Iterator[smtplib.SMTP]:
    """An SMTP session. `tls`: empty for none, `starttls` or `implicit`."""
    session: smtplib.SMTP
    if tls == "implicit":
        assert context
        session = smtplib.SMTP_SSL(host, port, timeout=60, context=context)
    else:
        session = smtplib.SMTP(host, port, timeout=60)
        if tls:
            session.starttls(context=context)
    try:
        yield session
        with suppress(smtplib.SMTPException):
            session.quit()
    finally:
        session.close()


def rcpt_code(host: str, port: int, recipient: str, sender: str = "someone@outside.test") -> int:
    """What the server answers to RCPT TO for this recipient."""
    with smtp(host, port) as session:
        session.ehlo("client.outside.test")
        session.mail(sender)
        return session.rcpt(recipient)[0]
