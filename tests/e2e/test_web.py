"""The web server on the Internet: what every answer says, what is asked over plain HTTP, what is not told."""

import contextlib
import socket
import ssl

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.system import System
from tests.e2e.support.wait import until
from tests.e2e.support.web import Answer, ask

pytestmark = pytest.mark.once

PATHS = [
    "",
    "?_task=mail",
    "setup",
    "setup.css",
    "setup.mobileconfig",
    "skins/elastic/ui.min.js",
    "skins/no/such.css",
    "favicon.ico",
    "mail/config-v1.1.xml",
    "autodiscover/autodiscover.xml",
    "autodiscover/autodiscover.json",
    ".well-known/mta-sts.txt",
    "robots.txt",
    "healthz",
    "no/such/page",
    "%ff%00",
]


def check(answer: Answer, *, encrypted: bool) -> None:
    """What every answer has, once."""
    hsts = answer.headers.get("strict-transport-security", [])
    assert hsts == (["max-age=31536000"] if encrypted else []), "RFC 6797 section 7.2"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("x-frame-options") == "SAMEORIGIN"
    assert answer.header("referrer-policy") == "same-origin"
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    assert "camera=()" in answer.header("permissions-policy")
    policy = answer.header("content-security-policy")
    for directive in ("default-src", "frame-ancestors", "base-uri", "form-action"):
        assert f"{directive} '" in policy
    assert answer.header("server") == "nginx"
    assert "x-powered-by" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers_of_security(system: System, path: str) -> None:
    """Pages, static files, redirects and errors alike."""
    check(ask(system, f"https://webmail.{system.domain}/{path}"), encrypted=True)
    check(ask(system, f"http://webmail.{system.domain}/{path}"), encrypted=False)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW"])
def test_methods_that_nothing_uses_are_refused(system: System, method: str) -> None:
    for path in ("", "setup", "mail/config-v1.1.xml", "no/such/page"):
        for scheme in ("https", "http"):
            answer = ask(system, f"{scheme}://webmail.{system.domain}/{path}", "--request", method)
            assert answer.status == 405
            assert answer.header("allow") == "GET, HEAD, POST"
            check(answer, encrypted=scheme == "https")


def test_a_request_that_is_none_gets_the_headers_too(system: System) -> None:
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(socket.create_connection((system.address, system.port(443)), timeout=20))
        connection = stack.enter_context(system.tls.wrap_socket(raw, server_hostname=f"webmail.{system.domain}"))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
        said = b""
        with contextlib.suppress(ssl.SSLEOFError):
            while more := connection.recv(4096):
                said += more
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in said
    assert b"\r\nStrict-Transport-Security: max-age=31536000\r\n" in said


def test_plain_http_leads_to_https(system: System) -> None:
    for host in ("webmail.", ""):
        answer = ask(system, f"http://{host}{system.domain}/some/page?x=1")
        assert answer.status == 301
        assert answer.header("location") == f"https://{host}{system.domain}:{system.port(443)}/some/page?x=1"


def test_the_policy_for_mail_servers_has_a_host_of_its_own(system: System) -> None:
    """RFC 8461 sections 3.2 and 3.3: over HTTPS with a certificate for that name."""
    answer = ask(system, f"https://mta-sts.{system.domain}/.well-known/mta-sts.txt")
    assert (answer.status, answer.header("content-type")) == (200, "text/plain")
    fields = dict(line.split(": ") for line in answer.body.splitlines())
    assert fields == {"version": "STSv1", "mode": "testing", "mx": f"mail.{system.domain}", "max_age": "86400"}


def test_who_watches_learns_whether_all_of_main_answers_and_nothing_else(system: System) -> None:
    def told() -> tuple[int, str]:
        """As the engine has main looked at every 30 seconds."""
        execute(system.main, "/usr/lib/mailpod/health", "2")
        answer = ask(system, f"https://webmail.{system.domain}/healthz")
        return answer.status, answer.body

    assert told() == (200, "ok\n")
    execute(system.main, "s6-svc", "-wD", "-d", "/run/service/postfix")
    try:
        assert told() == (503, "not everything answers\n")
    finally:
        execute(system.main, "s6-svc", "-u", "/run/service/postfix")
    until(lambda: told() == (200, "ok\n"), "main to be well again", 40)


def test_search_engines_are_to_stay_out(system: System) -> None:
    answer = ask(system, f"https://webmail.{system.domain}/robots.txt")
    assert answer.body.splitlines() == ["User-agent: *", "Disallow: /"]
    assert answer.header("content-type") == "text/plain"
