"""The organisation's DNS zone, as a function of the desired state alone.

One name takes all mail, so every account's subdomain has that host as its MX (RFC 5321 section 5.1). The rest says
who may send (SPF, RFC 7208; DMARC, RFC 7489), which key the MX shows (DANE, RFC 7672) and that it shows one (MTA-STS,
RFC 8461), and where mail clients find their servers (RFC 6186, RFC 8314).
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mailpod.model import layout
from mailpod.model.dkim import DkimRecord
from mailpod.model.records import Account, System
from mailpod.model.tables import system_host
from mailpod.model.web import mta_sts_policy

TTL = 300
"""Seconds that others may remember a record for: as long as a change takes to be seen everywhere."""

_SERVICES = {
    "_imap": ("imap", "imap"),
    "_imaps": ("imaps", "imap"),
    "_sieve": ("sieve", "imap"),
    "_submission": ("submission", "smtp"),
    "_submissions": ("submissions", "smtp"),
    # Outlook's, of Microsoft's MS-OXDISCO
    "_autodiscover": ("https", "autodiscover"),
}
_STRING = 255
# https://letsencrypt.org/docs/caa/
_CAA_NAME = "letsencrypt.org"


@dataclass(frozen=True, order=True)
class Record:
    """One resource record.

    Attributes:
        name: its owner, without the final dot.
        kind: its type, as in master files (RFC 1035 section 5).
        data: its value, as there, with every name in it ending in a dot.
        required: mail does not work without it; without the others it works less well.
    """

    name: str
    kind: str
    data: str
    required: bool = False

    def line(self) -> str:
        """It as a line of a master file."""
        return f"{self.name}. {TTL} IN {self.kind} {self.data}"


def nameserver(system: System) -> str:
    """The name of the name server that the system runs itself."""
    return f"ns1.{system.domain}"


def soa(system: System) -> str:
    """The value of the zone's SOA record with its first serial; who asked too early may ask again in 60 s."""
    return f"{nameserver(system)}. hostmaster.{system.domain}. 1 3600 600 1209600 60"


def of_system(system: System, certificate_key: str, *, public: bool = False) -> list[Record]:
    """What main and the organisation's own addresses need.

    Args:
        certificate_key: SHA-256 of the TLS public key that main shows others, 64 hexadecimal digits.
        public: everybody trusts that certificate.
    """
    domain = system.domain
    policy = mta_sts_policy(system, public=public)
    found = [Record(domain, "MX", f"10 {system_host(system)}.", required=True)]
    for host in (domain, *(f"{name}.{domain}" for name in layout.MAIN_HOSTS)):
        found += _addresses(host, layout.public_addresses(system), required=host == system_host(system))
        # Not for the domain itself: that would hold for every other host of the organisation too.
        found += _issuers(host, system) if host != domain else []
    found += [
        _spf(domain, system),
        # Reports of mail that could not be delivered have no sender but the host (RFC 7208 section 2.4).
        Record(system_host(system), "TXT", text("v=spf1 a -all")),
        Record(f"_dmarc.{domain}", "TXT", text(f"v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}")),
        Record(f"_smtp._tls.{domain}", "TXT", text(f"v=TLSRPTv1; rua=mailto:postmaster@{domain}")),
        # Another one whenever the policy is another (RFC 8461 section 3.1).
        Record(f"_mta-sts.{domain}", "TXT", text(f"v=STSv1; id={_short_digest(policy)}")),
        *_services(domain, system),
    ]
    if system.dns == "built-in":
        # Worth something in a signed zone alone (RFC 7672 section 2.1).
        found.append(Record(f"_25._tcp.{system_host(system)}", "TLSA", f"3 1 1 {certificate_key}"))
        found += of_nameserver(system)
    return found


def of_nameserver(system: System) -> list[Record]:
    """What leads to the system's own name server and its secondaries, here and in the parent zone."""
    servers = {nameserver(system): layout.nameserver_addresses(system), **system.secondaries}
    found = [Record(system.domain, "NS", f"{name}.", required=True) for name in servers]
    for name, addresses in servers.items():
        # Those of another domain's host are in that domain.
        if name.endswith(f".{system.domain}"):
            found += _addresses(name, addresses, required=False)
    return found


def of_account(system: System, account: Account) -> list[Record]:
    """What an account's subdomain needs."""
    fqdn = account.fqdn(system.domain)
    ipv6 = layout.public_ipv6(system, account)
    return [
        *_mail(fqdn, system),
        *([Record(fqdn, "AAAA", ipv6)] if ipv6 else []),
        *_issuers(fqdn, system),
        Record(f"autoconfig.{fqdn}", "CNAME", f"{system_host(system)}."),
        *_services(fqdn, system),
    ]


def of_any_account(system: System, accounts: Iterable[Account], others: Iterable[Record]) -> list[Record]:
    """What makes do for all accounts in a zone that is not changed for each: a wildcard, for mail alone.

    It does not count for a name that exists, be it only because of a name below it (RFC 4592 section 2.2.2): nothing
    that an account has below its own can be there. Accounts that have something there all the same are named.

    Args:
        others: all else that is in the zone.
    """
    there = {".".join(labels[n:]) for labels in (one.name.split(".") for one in others) for n in range(len(labels))}
    fqdns = (account.fqdn(system.domain) for account in accounts)
    names = [f"*.{system.domain}", *(fqdn for fqdn in fqdns if fqdn in there)]
    return [record for name in names for record in _mail(name, system)]


def of_keys(keys: Iterable[DkimRecord]) -> list[Record]:
    """What those who verify signatures need (RFC 6376 section 3.6.2.1)."""
    return [Record(f"{key.selector}._domainkey.{key.domain}", "TXT", text(key.text), required=True) for key in keys]


def overridden(ours: Iterable[Record], own: Iterable[Record]) -> list[Record]:
    """Our records with the operator's own: those of a name and type take the place of ours.

    A text takes that of ours only if it is of the same sort: a site's verification stands beside SPF. An alias (CNAME)
    stands alone at its name (RFC 1034 section 3.6.2), whoever's it is.
    """
    theirs = list(own)
    names = {one.name for one in theirs}
    aliases = {one.name for one in theirs if one.kind == "CNAME"}

    def stays(one: Record) -> bool:
        if one.name in aliases or (one.kind == "CNAME" and one.name in names):
            return False
        same = [other.data for other in theirs if (other.name, other.kind) == (one.name, one.kind)]
        return not any(rivals(value, [one.data]) for value in same) if one.kind == "TXT" else not same

    return [*(one for one in ours if stays(one)), *theirs]


def rivals(value: str, ours: Iterable[str]) -> bool:
    """Whether a text is of the same sort as one of ours: there must be one alone (RFC 7208 section 4.5)."""
    sort = value.split(maxsplit=1)[0].removesuffix(";").strip('"')
    return sort.startswith("v=") and any(one.strip('"').startswith(sort) for one in ours)


def text(value: str) -> str:
    """A value of a TXT record: strings of at most 255 characters, which are read as one (RFC 7208 section 3.3)."""
    quoted = re.sub(r'(["\\])', r"\\\1", value)
    # One more than needed does no harm, and none is cut within what a backslash begins.
    pieces = re.findall(rf"(?:\\.|[^\\]){{1,{_STRING}}}", quoted)
    return " ".join(f'"{piece}"' for piece in pieces)


def _addresses(host: str, addresses: Iterable[str], *, required: bool) -> list[Record]:
    return [Record(host, "AAAA" if ":" in one else "A", one, required) for one in addresses]


def _issuers(name: str, system: System) -> list[Record]:
    """Who alone may give certificates for a name (CAA, RFC 8659), where it is known what that is called there."""
    return [Record(name, "CAA", f'0 issue "{_CAA_NAME}"')] if system.asks_lets_encrypt() else []


def _short_digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:32]


def _mail(name: str, system: System) -> list[Record]:
    """Where mail for a name goes, and who alone sends as it."""
    return [Record(name, "MX", f"10 {system_host(system)}.", required=True), _spf(name, system)]


def _spf(name: str, system: System) -> Record:
    return Record(name, "TXT", text(f"v=spf1 a:{system_host(system)} -all"), required=True)


def _services(name: str, system: System) -> list[Record]:
    return [
        Record(f"{service}._tcp.{name}", "SRV", f"0 1 {system.port(port)} {host}.{system.domain}.")
        for service, (port, host) in _SERVICES.items()
    ]
