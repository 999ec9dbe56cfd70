"""Mail that waits in an account, because its Postfix puts it off."""

import json

from docker.models.containers import Container
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System

LATE = "late@outside.test"


def transports(container: Container, put_off: str) -> None:
    """Have an account's Postfix put off what goes by these ways, and try all else at once."""
    script = 'sed -i "/^defer_transports/d" $0 && echo "defer_transports = $1" >>$0 && touch -d @0 $0'
    execute(container, "sh", "-euc", f"{script} && s6-svc -h /run/service/postfix", "/run/mailpod/main.cf", put_off)
    if not put_off:
        execute(container, "/usr/lib/mailpod/retry")


def queued(container: Container) -> dict[str, str]:
    """Whose messages wait in an account, and in which of Postfix's queues."""
    found = map(json.loads, execute(container, "postqueue", "-j")[1].splitlines())
    return {one["sender"]: one["queue_name"] for one in found}


def sent(system: System, account: Account, to: Account | None) -> str:
    """Have an account write to another; the word in the subject."""
    assert to
    word = token()
    system.submit(account, compose(account.short_address, to.short_address, word), to.short_address)
    return word
