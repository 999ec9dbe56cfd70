import re
from html.parser import HTMLParser

import pytest

from mailpod.model import setup_page, web
from mailpod.model.records import System

SYSTEM = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00:1:2:3::/64", port_base=20000)
VOID = {"meta", "link", "input"}


class Nesting(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_document_has_its_place():
    assert sorted(web.render(SYSTEM)) == [
        "web/autoconfig.xml",
        "web/autodiscover.xml",
        "web/mta-sts.txt",
        "web/profile.mobileconfig",
        "web/setup.en.html",
        "web/setup.fr.html",
    ]


def test_the_policy_for_other_mail_servers():
    """RFC 8461 section 3.2; nothing is enforced while the certificate is of the system's own authority."""
    assert "mode: enforce\r\n" in web.mta_sts_policy(SYSTEM, public=True)
    assert web.mta_sts_policy(SYSTEM) == "version: STSv1\r\nmode: testing\r\nmx: mail.example.org\r\nmax_age: 86400\r\n"


@pytest.mark.parametrize("language", setup_page.LANGUAGES)
def test_the_page_tells_all_ways_and_leads_to_the_profile(language):
    page = setup_page.render(SYSTEM, language)
    parser = Nesting()
    parser.feed(page)
    assert not parser.open
    assert f'<html lang="{language}">' in page
    assert re.findall(r"<td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>", page) == [
        ("imap.example.org", "20993", "SSL/TLS"),
        ("imap.example.org", "20143", "STARTTLS"),
        ("smtp.example.org", "20465", "SSL/TLS"),
        ("smtp.example.org", "20587", "STARTTLS"),
    ]
    assert 'href="/setup.mobileconfig?address=%EMAILADDRESS%"' in page
    assert "\n%QR https://webmail.example.org:20443/setup?address=%EMAILADDRESS%%\n" in page
    assert "$" not in page, "a text without its value"


def test_both_languages_say_the_same_things():
    english, french = (re.sub(r">[^<]*<", "><", setup_page.render(SYSTEM, one)) for one in setup_page.LANGUAGES)
    assert english.replace('lang="en"', 'lang="fr"') == french
