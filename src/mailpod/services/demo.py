"""A system to look at: a demo domain, two accounts, a message from outside read over IMAP."""

import imaplib
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial

from mailpod.model.errors import NotFound
from mailpod.model.records import Account, System
from mailpod.services import accounts, installation, planning
from mailpod.services.context import Context
from mailpod.services.passwords import generate_password
from mailpod.waiting import until

DOMAIN = "demo.test"
PORT_BASE = 20000
# Nothing listens there: a demo asks no DNS server, so that nothing of it leaves the machine.
_NO_RESOLVER = "127.0.0.1"
_NAMES = ("alice", "bob")


@dataclass(frozen=True)
class Shown:
    """What came of it.

    Attributes:
        address: whom the message from outside went to.
        message: it, as it was read over IMAP.
        passwords: of the accounts, by name.
    """

    address: str
    message: str
    passwords: dict[str, str]


def run(context: Context, port_base: int | None) -> Shown:
    """Start the demo, or take up one that runs.

    Args:
        context: the system, in a state folder of the demo's own.
        port_base: where main is to listen, if not where it did before or a demo usually does.
    """
    if port_base is None and context.store.find_system() is None:
        port_base = PORT_BASE
    wanted = planning.planned(
        context.store, DOMAIN, context.instance, bind="127.0.0.1", port_base=port_base, resolver=_NO_RESOLVER
    )
    installation.up(context, wanted)
    passwords = {name: _account(context, name) for name in _NAMES}
    alice = context.store.account("alice")
    token = generate_password()
    context.progress(f"sending a message from outside to {alice.short(DOMAIN)}")
    _send_from_outside(context.system, alice, token)
    seen = partial(_read, context.system, alice, passwords["alice"], token, context.keys.authority())
    until(lambda: bool(seen()), 30, "the message did not arrive", "see: mailpod status")
    return Shown(alice.short(DOMAIN), seen(), passwords)


def _account(context: Context, name: str) -> str:
    """Make an account, or give the one that is there a new password."""
    password = generate_password()
    try:
        context.store.account(name)
    except NotFound:
        accounts.create(context, name, password)
    else:
        accounts.set_password(context, name, password)
    return password


def _send_from_outside(system: System, account: Account, token: str) -> None:
    message = EmailMessage()
    message["From"] = "Robert <robert@outside.test>"
    message["To"] = account.short(DOMAIN)
    message["Subject"] = "Bonjour à vous"
    message["X-Demo"] = token
    message.set_content("This message came in by SMTP from outside.\n")
    with smtplib.SMTP(system.local_address(), system.port("smtp"), "outside.test", timeout=30) as client:
        client.send_message(message)


def _read(system: System, account: Account, password: str, token: str, authority: str) -> str:
    context = ssl.create_default_context(cadata=authority)
    # main's certificate is for its names, and the demo's domain is in nobody's DNS.
    context.check_hostname = False
    with imaplib.IMAP4_SSL(system.local_address(), system.port("imaps"), ssl_context=context, timeout=30) as client:
        client.login(account.name, password)
        client.select(readonly=True)
        _, found = client.search(None, "HEADER", "X-Demo", token)
        if not found[0]:
            return ""
        _, parts = client.fetch(found[0].split()[-1].decode(), "(BODY.PEEK[])")
        body = next(part[1] for part in parts if isinstance(part, tuple))
        return body.decode(errors="replace")
