"""Account names and domains: what may be a label of the system's DNS zone."""

import re

from mailpod.model.errors import InvalidInput

# RFC 1035 section 2.3.1 as relaxed by RFC 1123 section 2.1: a label may begin with a digit.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

# RFC 2142 role names: they belong to the organisation, never to one person.
ROLES = frozenset({"abuse", "hostmaster", "noc", "postmaster", "security", "webmaster"})

_RFC_2142_MORE = frozenset({"ftp", "info", "marketing", "news", "sales", "support", "usenet", "uucp", "www"})

# Host names of the system itself, those that clients probe by convention (RFC 6186, Mozilla autoconfig,
# Microsoft autodiscover, RFC 8461), and those that other software treats as special.
_HOSTS = frozenset(
    {
        "admin",
        "administrator",
        "antivirus",
        "api",
        "autoconfig",
        "autodiscover",
        "box",
        "caldav",
        "carddav",
        "dns",
        "imaps",
        "localhost",
        "mailer-daemon",
        "mailpod",
        "main",
        "mta",
        "mta-sts",
        "nobody",
        "noreply",
        "no-reply",
        "openpgpkey",
        "root",
        "smtps",
        "ssh",
        "sftp",
        "ssladmin",
        "sysadmin",
        "webmail",
        "wpad",
    }
)

_MAYBE_NUMBERED = re.compile(r"(?:ns|mx|mail|smtp|imap|pop)[0-9]*")

# The kernel's host name holds 64 bytes (uname(2)); main's is "mail." and the domain.
MAX_DOMAIN = 59
# RFC 1035 section 2.3.4, as text.
_MAX_NAME = 253


def is_label(text: str) -> bool:
    """Whether `text` is a DNS label in lower case: 1 to 63 letters, digits and inner hyphens."""
    return _LABEL.fullmatch(text) is not None


def is_reserved(name: str) -> bool:
    """Whether the system, RFC 2142 or common practice already gives `name` a meaning."""
    return name in ROLES | _RFC_2142_MORE | _HOSTS or _MAYBE_NUMBERED.fullmatch(name) is not None


def account_name(text: str) -> str:
    """Fold and check the name of an account.

    Args:
        text: what the operator typed.

    Returns:
        The name in lower case.

    Raises:
        InvalidInput: it is not a DNS label (RFC 1035), or it is reserved.
    """
    name = text.lower()
    if not text.isascii() or not is_label(name):
        raise InvalidInput(
            f"{text!r} cannot be an account's name: it becomes a part of a host name",
            "use 1 to 63 letters, digits and hyphens, with no hyphen at either end",
        )
    # RFC 5891 section 4.2.3.1: "??--" is kept for internationalised labels.
    if name[2:4] == "--":
        raise InvalidInput(f"{text!r} cannot be an account's name: '--' in third place is reserved", "choose another")
    if is_reserved(name):
        raise InvalidInput(
            f"{name!r} is a name that the system or RFC 2142 reserves",
            f"for a shared address use: mailpod alias add {name} TARGET",
        )
    return name


def domain(text: str) -> str:
    """Fold and check the organisation's domain.

    Returns:
        The domain in lower case without a trailing dot.

    Raises:
        InvalidInput: it is not a host name of at least two labels and at most `MAX_DOMAIN` characters.
    """
    name = _dotted(text, "a domain name", "example.org")
    if len(name) > MAX_DOMAIN:
        raise InvalidInput(f"the domain {text!r} is longer than {MAX_DOMAIN} characters", "use a shorter domain")
    return name


def host_name(text: str) -> str:
    """Fold and check the full name of a host.

    Returns:
        The name in lower case without a trailing dot.

    Raises:
        InvalidInput: it has less than two labels, or more than 253 characters.
    """
    name = _dotted(text, "the full name of a host", "ns2.example.net")
    if len(name) > _MAX_NAME:
        raise InvalidInput(f"{text!r} is longer than {_MAX_NAME} characters", "use a shorter name")
    return name


def _dotted(text: str, what: str, example: str) -> str:
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if not text.isascii() or len(labels) < 2 or not all(map(is_label, labels)) or labels[-1].isdigit():
        raise InvalidInput(f"{text!r} is not {what}", f"give one like {example}")
    return name
