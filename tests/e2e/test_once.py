"""What an account has acknowledged: delivered once, whatever its queue, a sender's headers or a filter do to it."""

import re
import shlex
from concurrent.futures import ThreadPoolExecutor

import pytest
from docker.models.containers import Container
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

pytestmark = pytest.mark.stack("classic")

LATER = "EXITCODE=75\nHOST=none\n"
"""Recipes that put a message off (procmailrc(5), HOST)."""


class Box:
    """The inside of an account's container."""

    def __init__(self, account: Account, container: Container) -> None:
        self.account = account
        self.container = container

    def shell(self, script: str, user: str = "box") -> str:
        """What a script writes, which has to succeed."""
        code, output = execute(self.container, "bash", "-c", f"cd ~{user} 2>/dev/null; {script}", user=user)
        assert code == 0, output
        return output

    def filter(self, recipes: str) -> None:
        """Give the user these recipes and no others."""
        self.shell(f"printf %s {shlex.quote(recipes)} > .procmailrc")

    def queue(self) -> str:
        """The account's queue, in JSON."""
        return self.shell("postqueue -j", user="root")

    def flush(self) -> None:
        """Have the queue tried, and wait until nothing is left in it."""

        def empty() -> bool:
            self.shell("postqueue -f", user="root")
            return not self.queue()

        until(empty, "an empty queue", every=0.5)

    def files(self, word: str) -> list[str]:
        """The files of the delivered messages that hold `word`; what is in tmp/ is still being written (maildir(5))."""
        return self.shell(f"grep -rl --exclude-dir=tmp {word} Maildir || :").split()

    def cut_short(self, prepare: str = "true") -> None:
        """Stop Postfix, change its queue as Postfix's user, and have it start as after a kill."""
        self.restart(prepare)
        self.flush()

    def restart(self, meanwhile: str = "true", user: str = "postfix") -> None:
        """Stop Postfix, run a script, and start Postfix."""
        self.shell("s6-svc -wD -d /run/service/postfix", user="root")
        self.shell(meanwhile, user=user)
        self.shell("s6-svc -u /run/service/postfix && /usr/lib/mailpod/health/banners 20", user="root")

    def hand_over(self, message: str, tag: str = "") -> None:
        """Give a message to Procmail as pipe(8) does."""
        self.shell(f"printf %s {shlex.quote(message)} | {self.procmail(tag)}")

    def procmail(self, tag: str = "") -> str:
        """The command that takes a message from a process which is called as pipe(8) is."""
        return f"(exec -a pipe bash -c \"procmail -t -a '{tag}' -a {self.account.fqdn}; exit\")"


@pytest.fixture(scope="module")
def whole(system: System) -> Box:
    """An account of the module's own."""
    account = system.create("once")
    return Box(account, system.engine.account(account.name))


@pytest.fixture
def box(whole: Box) -> Box:
    """The account, without recipes and without a log."""
    whole.filter("")
    whole.shell("rm -f procmail.log procmail.log.old")
    return whole


KEEP = "rm -rf /tmp/kept; cp -a /data/spool/postfix/deferred /tmp/kept"
# A queue file lies in `active` until all that came of its delivery is noted (qmgr(8)).
PUT_BACK = "mv /tmp/kept/?/* /data/spool/postfix/active"
UNDER_WAY = "mv /data/spool/postfix/deferred/?/* /data/spool/postfix/active"


@pytest.mark.parametrize("kept", [True, False])
def test_an_account_killed_before_it_noted_a_delivery_does_not_repeat_it(system: System, box: Box, kept: bool) -> None:
    """Nor when the user deleted the message meanwhile."""
    box.filter(LATER)
    word = system.post(box.account.short_address)
    until(lambda: '"deferred"' in box.queue(), "a message that is put off")
    box.shell(KEEP, user="postfix")
    box.filter("")
    box.flush()
    (file,) = box.files(word)
    if not kept:
        box.shell(f"rm {file}")
    box.cut_short(PUT_BACK)
    assert box.files(word) == ([file] if kept else [])
    assert "Folder: /dev/null" in box.shell("cat procmail.log")


def test_an_account_killed_in_the_middle_of_a_delivery_does_it_again(undamaged: System, box: Box) -> None:
    """A copy in a folder is no proof that the recipes that follow were carried out."""
    box.filter(":0 c\n.Copies/\n\n:0 w\n| sleep 600\n")
    word = undamaged.post(box.account.short_address)
    until(lambda: box.files(word) and '"active"' in box.queue(), "a message under way")
    box.filter("")
    box.container.kill("SIGKILL")
    undamaged.apply()
    until(lambda: any(file.startswith("Maildir/new/") for file in box.files(word)), "the message in the inbox")


@pytest.mark.parametrize("end", ["pkill -KILL -x pipe", "s6-svc -wD -d /run/service/postfix"])
def test_a_message_whose_writer_ends_in_the_middle_is_delivered_whole_later(system: System, box: Box, end: str) -> None:
    """What Procmail has got of it by then is nothing that a mailbox may hold, nor is it taken for a delivery."""
    box.filter(LATER)
    word, last = token(), token()
    message = compose("x@outside.test", box.account.address, word, body="y" * 70 + f"\n{'z' * 70}\n" * 140_000 + last)
    with system.mx() as session:
        session.send_message(message)
    until(lambda: '"deferred"' in box.queue(), "a message that is put off")
    box.filter("")
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(box.shell, "touch /tmp/watching; until pkill -STOP -x procmail; do :; done")
        until(lambda: box.shell("ls /tmp/watching 2>/dev/null || :"), "who stops Procmail")
        box.shell("postqueue -f", user="root")
        stopping.result(60)
    box.shell(end, user="root")
    box.shell("pkill -CONT -x procmail; while pgrep -x procmail; do sleep 0.1; done; rm /tmp/watching")
    assert box.files(word) == []
    box.cut_short(f"{UNDER_WAY} || :")
    (file,) = box.files(word)
    assert last in box.shell(f"tail -n 3 {file}")


def test_what_a_filter_put_off_after_a_copy_is_not_taken_for_delivered(system: System, box: Box) -> None:
    """The account's own queue tries again, whatever the log says of the copy."""
    box.filter(f":0 c\n.Copies/\n\n{LATER}")
    word = system.post(box.account.short_address)
    until(lambda: '"deferred"' in box.queue(), "a message that is put off")
    assert ".Copies/" in box.files(word)[0]
    box.filter("")
    box.cut_short()
    assert any(file.startswith("Maildir/new/") for file in box.files(word))


def test_two_addresses_in_one_message_are_two_deliveries(system: System, box: Box) -> None:
    """One queue id in main; the second delivery is cut short, and is not taken for the first."""
    box.filter(f"TAG=$1\n\n:0\n* TAG ?? ^^shop^^\n{{\n{LATER}}}\n")
    word, name = token(), box.account.name
    both = [box.account.short_address, f"{name}+shop@{system.domain}"]
    with system.mx() as session:
        session.send_message(compose("x@outside.test", both[0], word), to_addrs=both)
    until(lambda: len(box.files(word)) == 1 and "+shop" in box.queue(), "one of two deliveries")
    until(lambda: '"deferred"' in box.queue(), "the other, put off")
    box.filter("")
    box.cut_short(UNDER_WAY)
    found = box.shell(f"grep -rh ^X-Original-To $(grep -rl --exclude-dir=tmp {word} Maildir)").split()
    assert sorted(found[1::2]) == sorted([box.account.address, box.account.address.replace("box", "box+shop")])


def test_a_message_that_quotes_another_is_not_that_other(system: System, box: Box) -> None:
    """Its headers, with main's queue id, lie in the body of a message that has arrived."""
    box.filter(f":0\n* ^Subject: quoted\n{{\n{LATER}}}\n")
    address = box.account.short_address
    word = system.post(address, "quoted")
    until(lambda: '"deferred"' in box.queue(), "a message that is put off")
    headers = box.shell("postcat -h $(find /data/spool/postfix/deferred -type f)", user="postfix")
    quoting = token()
    with system.mx() as session:
        session.send_message(compose("x@outside.test", address, quoting, body=headers), to_addrs=[address])
    until(lambda: box.files(quoting), "the message that quotes")
    box.filter("")
    box.cut_short(UNDER_WAY)
    assert len(box.files(f"'^Subject: quoted {word}'")) == 2


def in_another_minute(raw: str) -> str:
    """The message as it is when main hands it in once more."""
    here = re.search(r" id (\w+)", raw)
    assert here
    again = raw.replace(here[1], "4Xy1234567z89")
    main = again.index("Received: from", again.index("Received: from") + 1)
    account = re.search(r":(\d\d):\d\d \+", again)
    now = re.search(r":(\d\d):\d\d \+", again[main:])
    assert account
    assert now
    minute = main + now.start(1)
    # A minute may have begun between the two.
    return f"{again[:minute]}{(int(account[1]) + 1) % 60:02}{again[minute + 2 :]}"


@pytest.mark.parametrize(("recipes", "copies"), [("", 1), ("# mine\n", 2)])
def test_procmail_killed_between_the_file_and_its_note_of_it(
    system: System, box: Box, recipes: str, copies: int
) -> None:
    """Without recipes there was one file to write, and it is there; with some, nobody knows what was left to do."""
    word = system.post(box.account.address)
    (file,) = until(lambda: box.files(word), "the message")
    raw = box.shell(f"cat {file}")
    box.shell("sed -i '/^  Folder: /d' procmail.log")
    box.filter(recipes)
    box.hand_over(in_another_minute(raw), tag="other")
    assert len(box.files(word)) == 2
    box.hand_over(in_another_minute(raw))
    assert len(box.files(word)) == 1 + copies


@pytest.mark.parametrize("recipes", ["", "# mine\n"])
def test_of_two_copies_in_the_same_moment_one_waits_for_the_other(system: System, box: Box, recipes: str) -> None:
    """Both are sent again after a delivery that was cut short before it had written anything; five times."""
    word = system.post(box.account.address)
    (file,) = until(lambda: box.files(word), "the message")
    again = in_another_minute(box.shell(f"cat {file}"))
    box.filter(recipes)
    kept = box.shell(f"""
        printf %s {shlex.quote(again)} > /tmp/again
        grep -v '^  Folder: ' procmail.log > /tmp/cut-short
        for _ in 1 2 3 4 5; do
            rm -f $(grep -rl {word} Maildir)
            cp /tmp/cut-short procmail.log
            for copy in 1 2; do
                sed "s/ id 4Xy1234567z89/ id 4Xy1234567z8$copy/" /tmp/again | {box.procmail()} &
            done
            wait
            grep -rl {word} Maildir | wc -l
        done""")
    assert kept.split() == ["1"] * 5


def test_a_copy_that_comes_while_another_is_delivered_waits_for_it(system: System, box: Box) -> None:
    """The first, which nobody has sent again, is held up by its owner's filter."""
    box.filter(":0 c\n.Copies/\n\n:0\n* ? while [ -e $HOME/busy ]; do sleep 0.1; done; false\n/dev/null\n")
    box.shell("touch busy")
    word = system.post(box.account.address)
    (copy,) = until(lambda: box.files(word), "a message under way")
    again = in_another_minute(box.shell(f"cat {copy}"))
    box.shell(f"printf %s {shlex.quote(again)} | {box.procmail()} >/dev/null 2>&1 &")
    until(lambda: re.search("^[?] ", box.shell("cat procmail.log"), re.MULTILINE), "one that asks")
    box.shell("rm busy")
    until(lambda: not box.queue(), "an empty queue")
    until(lambda: "procmail" not in box.shell("cat /proc/[0-9]*/comm 2>/dev/null || :").split(), "the end of both")
    assert len(box.files(word)) == 2
    assert copy in box.files(word)


@pytest.mark.parametrize(("greeting", "options"), [("mail.outside.test", []), ("mx.outside.test", ["SMTPUTF8"])])
def test_main_that_sends_again_in_another_minute_is_recognised(
    system: System, box: Box, greeting: str, options: list[str]
) -> None:
    """Whatever name the sender has, and with internationalised mail; also when the log has grown too long meanwhile."""
    word = token()
    with system.mx() as session:
        session.ehlo(greeting)
        message = compose("x@outside.test", box.account.address, word).as_string()
        session.sendmail("x@outside.test", box.account.address, message, mail_options=options)
    (file,) = until(lambda: box.files(word), "the message")
    again = in_another_minute(box.shell(f"cat {file}"))
    box.shell("yes | head -c 1100000 >> procmail.log")
    for _ in range(2):
        box.hand_over(again)
        assert box.files(word) == [file]
    assert int(box.shell("stat -c %s procmail.log")) < 1000000
    box.hand_over(again, tag="other")
    assert len(box.files(word)) == 2


def test_headers_that_a_sender_makes_up_do_not_lead_past_the_filter(system: System, box: Box) -> None:
    """Neither those of a message that has been here, nor those of one that was requeued."""
    box.filter(":0\n* ^Subject: made up\n.Shop/\n")
    word = token()
    message = compose("x@outside.test", box.account.address, word, subject="made up")
    message["X-Original-To"] = message["Delivered-To"] = box.account.address
    message["Received"] = (
        f"from mail.{system.domain} by {box.account.fqdn} (Postfix) with ESMTPS id 4Xy1234567z89; "
        "Tue, 1 Jan 2030 00:00:00 +0000"
    )
    message["Received"] = f"by mail.{system.domain} (Postfix, from userid 201) id 4Xy1234567z89"
    with system.mx() as session:
        session.send_message(message, to_addrs=[box.account.address])
    (file,) = until(lambda: box.files(word), "the message")
    assert file.startswith("Maildir/.Shop/new/")


@pytest.mark.parametrize("target", ["{name}@{domain}", "box@{name}.{domain}", "{name}+loop@{domain}"])
def test_a_forward_to_oneself_ends_in_the_inbox(system: System, box: Box, target: str) -> None:
    """Through main and without it: neither a loop nor a bounce."""
    box.filter(f":0\n! {target.format(name=box.account.name, domain=system.domain)}\n")
    word = system.post(box.account.short_address, sender="sender@outside.test")
    (file,) = until(lambda: box.files(word), "the message")
    assert file.startswith("Maildir/new/")
    until(lambda: not box.queue(), "an empty queue")
    assert box.files(word) == [file]
    assert not system.world.received(word)


@pytest.mark.parametrize("program", ["exit 75;", "exit 1;", "sleep 600"])
def test_a_program_that_fails_or_hangs_leaves_the_message_to_the_next_recipe(
    system: System, box: Box, program: str
) -> None:
    box.filter(f"TIMEOUT=1\n\n:0 w\n| {program}\n")
    word = system.post(box.account.short_address)
    until(lambda: box.files(word), "the message")
    until(lambda: not box.queue(), "an empty queue")


def test_a_filter_that_never_ends_delays_its_message_and_bounces_nothing(system: System, box: Box) -> None:
    """pipe(8) ends it when its own time is over, and would return the message (postconf(5), transport_time_limit)."""
    settings = "/run/mailpod/main.cf"
    box.restart(f"echo mda_time_limit = 1s >> {settings}", user="root")
    box.filter(":0 w\n| sleep 600\n")
    word = system.post(box.account.short_address, sender="sender@outside.test")
    until(lambda: "time limit exceeded" in box.queue(), "a message that is put off")
    box.filter("")
    box.restart(f"sed -i '$d' {settings}", user="root")
    box.flush()
    assert len(box.files(word)) == 1
    assert not system.world.received(word)
