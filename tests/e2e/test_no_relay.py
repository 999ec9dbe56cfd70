"""main relays for nobody, from wherever it is asked, and nobody gets past its checks by the way it ends its lines."""

import socket

import pytest
from docker.models.containers import Container
from tests.e2e.support.engine import execute, facts
from tests.e2e.support.mail import smtp
from tests.e2e.support.system import Account, System

pytestmark = pytest.mark.once

SENDERS = ("x@outside.test", "alice@club.test", "postmaster@club.test", "")
RECIPIENTS = (
    "y@elsewhere.test",
    # The percent hack, source routes and bang paths (RFC 5321 appendices C and F.2), and what can be made of them.
    "y%outside.test@club.test",
    "y%outside.test@mail.club.test",
    "y%outside.test@[127.0.0.1]",
    "y%outside.test",
    "@club.test:y@outside.test",
    "@club.test,@mail.club.test:y@outside.test",
    "outside.test!y",
    "outside.test!y@club.test",
    "club.test!y@outside.test",
    "y@outside.test@club.test",
    # quoted local parts
    '"y@outside.test"',
    '"y@outside.test"@club.test',
    '"y%outside.test"@club.test',
    '"outside.test!y"@club.test',
    # addresses of the outside, of main itself, and of what looks like it
    "y@[198.18.0.1]",
    "y@[IPv6:2001:db8::1]",
    "y@[127.0.0.1]",
    "y@[IPv6:::1]",
    "y@[IPv6:::ffff:127.0.0.1]",
    "y@[127.1]",
    "y@localhost",
    "y@localhost.localdomain",
    "y@main.mailpod.internal",
    "box@alice.mailpod.internal",
    "root@mail.club.test",
    "y@club.test.",
    "y@.club.test",
    "SRS0=AAAAAAAA=AB=outside.test=y@club.test",
)
# What a client in a container is told, recipient by recipient. main slows down who errs often on one connection.
DIALOGUE = r"""
say() {
    printf '%s\r\n' "$1" >&3
    while read -r -t 20 answer <&3 && [[ $answer == ???-* ]]; do :; done
}
host=$1 port=$2 sender=$3
shift 3
for recipient; do
    if ((count++ % 4 == 0)); then
        exec 3<>"/dev/tcp/$host/$port" && read -r -t 20 greeting <&3 || exit
        say "EHLO client.outside.test"
        say "MAIL FROM:<$sender>"
    fi
    say "RCPT TO:<$recipient>"
    echo "${answer%% *} $recipient"
done
"""
# What a program on main's loopback is told at a port, with TLS and no key to show.
ASK = """
import smtplib, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
for sender in ("x@outside.test", "alice@club.test", ""):
    with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=20) as session:
        session.starttls(context=context)
        print(session.mail(sender)[0], session.rcpt("y@outside.test")[0])
"""


def told(container: Container, user: str, host: str, sender: str) -> list[tuple[int, str]]:
    """The answer to each recipient."""
    script = (DIALOGUE, "-", host, "25", sender, *RECIPIENTS)
    _, output = execute(container, "timeout", "60", "bash", "-c", *script, user=user)
    lines = [line.split(" ", 1) for line in output.splitlines()]
    return [(int(code), recipient) for code, recipient in lines if code.isdecimal()]


def told_here(host: str, port: int, sender: str) -> list[tuple[int, str]]:
    """The same, asked from the host."""
    answers = []
    for first in range(0, len(RECIPIENTS), 4):
        with smtp(host, port) as session:
            session.ehlo("client.outside.test")
            session.mail(sender)
            answers += [(session.rcpt(one)[0], one) for one in RECIPIENTS[first : first + 4]]
    return answers


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("origin", ["host", "outside", "outside, IPv6", "another account", "webmail", "webmail, IPv6"])
def test_main_is_not_an_open_relay(system: System, alice: Account, origin: str, sender: str) -> None:
    """Neither for a stranger, nor for who comes from the bridge's gateway, nor for a program on main's own loopback."""
    outside = system.world.container
    assert outside
    if origin == "host":
        answers = told_here("127.0.0.1", system.port(25), sender)
    else:
        container, user, host = {
            "outside": (outside, "nobody", system.world.main_address),
            "outside, IPv6": (outside, "nobody", str(system.world.ipv6_subnet[3])),
            "another account": (system.engine.account(alice.name), "box", "main.mailpod.internal"),
            "webmail": (system.main, "roundcube", "127.0.0.1"),
            "webmail, IPv6": (system.main, "roundcube", "::1"),
        }[origin]
        answers = told(container, user, host, sender)
    assert [recipient for _, recipient in answers] == list(RECIPIENTS)
    assert not [answer for answer in answers if answer[0] < 500]


@pytest.mark.parametrize("port", [10025, 10026, 10028, 10029])
def test_a_broken_into_webmail_cannot_send_by_mains_inner_ports(system: System, port: int) -> None:
    """It shares the loopback with Postfix. Neither may it lay files into the queue."""
    code, output = execute(system.main, "python3", "-c", ASK, str(port), user="roundcube")
    assert code == 0, output
    answers = [int(word) for word in output.split()]
    assert len(answers) == 6
    assert all(answer >= 500 for answer in answers[1::2]), output
    code, output = execute(system.main, "sh", "-c", ": > /data/spool/postfix/maildrop/x", user="roundcube")
    assert code != 0, output


def test_the_inner_ports_are_closed_from_elsewhere(system: System, bob: Account) -> None:
    """10026 is on loopback; 10025 answers accounts, which have to log in."""
    main6 = next(iter(facts(system.main)["NetworkSettings"]["Networks"].values()))["GlobalIPv6Address"]
    assert main6
    for host in (system.world.main_address, main6):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, 10026), timeout=5)
    account = system.engine.account(bob.name)
    opened = "exec 3<>/dev/tcp/main.mailpod.internal/$0 && read -r -t 5 line <&3 && echo $line"
    assert not execute(account, "bash", "-c", opened, "10026")[1].startswith("220")
    assert execute(account, "bash", "-c", opened, "10025")[1].startswith("220")


@pytest.mark.parametrize(
    "end", ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n\n.\r\n", "\r\n\x00.\r\n"]
)
def test_what_only_looks_like_the_end_of_a_message_ends_none(system: System, alice: Account, end: str) -> None:
    """SMTP smuggling (CVE-2023-51764): a second message in the first one's body, with a sender nobody has checked."""
    smuggled = f"MAIL FROM:<ceo@club.test>\r\nRCPT TO:<{alice.address}>\r\nDATA\r\nFrom: ceo@club.test\r\n\r\nx"
    with (
        socket.create_connection((system.address, system.port(25)), timeout=20) as connection,
        connection.makefile("rwb") as file,
    ):
        assert file.readline().startswith(b"220")
        for command in ("HELO client.outside.test", "MAIL FROM:<x@outside.test>", f"RCPT TO:<{alice.address}>", "DATA"):
            file.write(f"{command}\r\n".encode())
            file.flush()
            answer = file.readline()
        assert answer.startswith(b"354")
        file.write(f"Subject: one\r\n\r\nbody{end}{smuggled}\r\n.\r\nQUIT\r\n".encode())
        file.flush()
        rest = file.read()
    assert rest.count(b"queued as") == 1, rest
