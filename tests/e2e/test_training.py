"""An account's own filter learns from what its owner moves into Junk and out of it, and decides for that account."""

import signal
from email.message import EmailMessage

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import MARKED, Mailbox, compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.traffic import Traffic, arrived_once
from tests.e2e.support.wait import until

ENOUGH = 20
SELLING = (
    "Casino jackpot winner lottery bonus, claim your exclusive prize voucher today\nunlimited luxury watches discount\n"
)
MEETING = "The minutes of our meeting are attached, see you on thursday at rehearsal\nbring the scores for the choir\n"
# By stack: how its folders' names begin.
PREFIX = {"dovecot": "", "classic": "INBOX."}
LEARN = "/usr/lib/mailpod/junk/learn"


def written(account: Account, body: str) -> tuple[str, EmailMessage]:
    word = token()
    sender = f"{word}@shop.test" if body.startswith(SELLING) else "someone@outside.test"
    return word, compose(sender, account.short_address, word, body=body)


def arrives(system: System, account: Account, body: str) -> str:
    """A message from outside; the folder that it is delivered to."""
    word, message = written(account, body)
    with system.mx() as session:
        session.send_message(message, to_addrs=[account.short_address])
    junk = junk_of(system)
    with system.mailbox(account) as mailbox:
        return until(lambda: next((one for one in ("INBOX", junk) if mailbox.count(word, one)), ""), word)


def junk_of(system: System) -> str:
    return f"{PREFIX[system.stack]}Junk"


def put(mailbox: Mailbox, folder: str, messages: list[EmailMessage]) -> None:
    for message in messages:
        assert mailbox.session.append(folder, r"(\Seen)", "", message.as_bytes())[0] == "OK"


def move(mailbox: Mailbox, source: str, target: str, word: str = "") -> None:
    """All that holds a word, as clients do that know nothing of MOVE."""
    numbers = ",".join(mailbox.holding(word, source))
    mailbox.session.select(source)
    assert mailbox.session.copy(numbers, target)[0] == "OK"
    assert mailbox.session.store(numbers, "+FLAGS", r"(\Deleted)")[0] == "OK"
    assert mailbox.session.expunge()[0] == "OK"


def known(system: System, account: Account) -> list[int]:
    """How many messages its filter knows as spam and as wanted, after a look into Junk such as health checks take."""
    container = system.engine.account(account.name)
    execute(container, "/usr/lib/mailpod/junk/look", user="box")
    said = execute(container, "bogoutil", "-w", "/data/junk/now", ".MSG_COUNT", user="box")[1].split()
    return [int(count) for count in said[-2:]]


@pytest.fixture(scope="module")
def taught(system: System) -> Account:
    """An account whose owner has put into Junk what sells something."""
    made = system.create("dora")
    with system.mailbox(made) as mailbox:
        put(mailbox, "INBOX", [written(made, f"{MEETING}{n}\n")[1] for n in range(ENOUGH)])
        put(mailbox, "INBOX", [written(made, f"{SELLING}{n}\n")[1] for n in range(ENOUGH)])
        move(mailbox, "INBOX", junk_of(system), "@shop.test")
    until(lambda: known(system, made) == [ENOUGH, ENOUGH], "what was learned", every=0.5)
    return made


def test_what_its_owner_takes_for_spam_lands_in_junk(system: System, taught: Account) -> None:
    assert arrives(system, taught, SELLING) == junk_of(system)
    assert arrives(system, taught, MEETING) == "INBOX"
    # What delivery has put there teaches nothing.
    assert known(system, taught) == [ENOUGH, ENOUGH]


def test_what_its_owner_wants_is_no_spam_whatever_main_says(system: System, taught: Account) -> None:
    assert arrives(system, taught, f"{MEETING}{MARKED}\n") == "INBOX"


def test_nobody_else_is_concerned(system: System, taught: Account, alice: Account) -> None:
    assert arrives(system, alice, SELLING) == "INBOX"


def test_a_broken_list_of_words_stops_nothing(system: System, taught: Account) -> None:
    """What lies in Junk is learned anew."""
    container = system.engine.account(taught.name)
    # No health check is to learn it meanwhile, and one may still be at it.
    broken = "touch /run/mailpod/junk/looked; echo broken > /data/junk/now/wordlist.db"
    execute(container, "sh", "-c", broken, user="box")
    assert arrives(system, taught, SELLING) == "INBOX"
    until(lambda: execute(container, "env", "HOME=/data/home", LEARN, user="box")[0] == 0, "the words to be learned")
    assert arrives(system, taught, SELLING) == junk_of(system)


def test_mail_flows_once_past_kills_of_account_and_learning(system: System, taught: Account) -> None:
    container = system.engine.account(taught.name)
    before, _ = known(system, taught)
    traffic = Traffic(system, [taught.short_address], 30)
    with traffic.flowing():
        for number, after in enumerate(("0.01", "0.03", "0.05", "0.08")):
            with system.mailbox(taught) as mailbox:
                put(mailbox, junk_of(system), [written(taught, f"number{number} of something else entirely\n")[1]])
            execute(container, "timeout", "-s", "KILL", after, LEARN, user="box")
        container.kill(signal.SIGKILL)
        system.apply()
    arrived_once(system, [taught], traffic.acknowledged)
    until(lambda: known(system, taught)[0] == before + 4, "each message learned once", every=0.5)
    assert arrives(system, taught, SELLING) == junk_of(system)


def test_what_is_taken_out_of_junk_is_wanted(system: System, taught: Account) -> None:
    with system.mailbox(taught) as mailbox:
        move(mailbox, junk_of(system), "INBOX")
    until(lambda: known(system, taught)[0] == 0, "what was unlearned", every=0.5)
    assert arrives(system, taught, SELLING) == "INBOX"
