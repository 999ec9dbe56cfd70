"""What main's web server hands out beside the webmail: pages and files that are a function of the system alone.

None of it says whether an account exists.
"""

from mailpod.model import clients, setup_page
from mailpod.model.records import System

_DAY = 24 * 60 * 60


def render(system: System, *, public: bool = False) -> dict[str, str]:
    """All of it.

    Args:
        public: everybody trusts the certificate that main shows others.

    Returns:
        Text by path below main's folder of tables.
    """
    return {
        "web/autoconfig.xml": clients.autoconfig(system),
        "web/autodiscover.xml": clients.autodiscover(system),
        "web/profile.mobileconfig": clients.mobileconfig(system),
        "web/mta-sts.txt": mta_sts_policy(system, public=public),
        **{f"web/setup.{language}.html": setup_page.render(system, language) for language in setup_page.LANGUAGES},
    }


def mta_sts_policy(system: System, *, public: bool = False) -> str:
    """What other mail servers may count on when they send to us (RFC 8461 section 3.2).

    Unless main's certificate is a public one it asks for reports and enforces nothing: a sender that remembers
    `enforce` would hold mail back for as long as it does not trust that certificate. None remembers it for over a day.
    """
    mode = "enforce" if public else "testing"
    lines = ("version: STSv1", f"mode: {mode}", f"mx: mail.{system.domain}", f"max_age: {_DAY}")
    return "".join(f"{line}\r\n" for line in lines)
