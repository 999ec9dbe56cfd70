"""What a name server says, and a zone that a resolver can verify."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm

BIND = """
options { directory "/tmp"; listen-on port 5353 { any; }; pid-file "/tmp/named.pid"; recursion no; };
controls { };
"""
"""How a name server of the outside's runs that is BIND: on a port beside others."""


def ask(address: str, port: int, name: str, kind: str, *, tcp: bool = False) -> set[str]:
    """The values that an authoritative server has for a name."""
    query = dns.message.make_query(f"{name}.", kind, use_edns=True)
    how = dns.query.tcp if tcp else dns.query.udp
    answer = how(query, address, 5, port)
    assert answer.flags & dns.flags.AA, answer
    wanted = dns.rdatatype.from_text(kind)
    return {data.to_text() for rrset in answer.answer for data in rrset if rrset.rdtype == wanted}


class SignedZone:
    """The root zone, with a key of its own.

    Attributes:
        forged: names whose records are not what was signed.
    """

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._key = dns.dnssec.make_dnskey(self._private.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
        self.forged: Collection[str] = ()

    @property
    def anchor(self) -> str:
        """What trust in it begins with, as a line of a master file."""
        return f". DNSKEY {self._key.to_text()}"

    def signed(self, records: Iterable[tuple[str, str]]) -> str:
        """The zone of these records, each with its type and data after its name, as a master file."""
        held = list(records)
        names = {name for name, _ in held}
        # unbound as a server overlooks names that have nothing but others below them: its proofs that one is not there
        # would be wrong (RFC 4592 section 2.2.2).
        between = {above for name in names for above in _above(name)} - names
        held += [(name, 'TXT ""') for name in sorted(between)]
        text = "\n".join(f"{name} 1 IN {data}" for name, data in held)
        zone = dns.zone.from_text(text, origin=".", relativize=False)
        expiration = datetime.now(UTC) + timedelta(days=30)
        with zone.writer() as change:
            dns.dnssec.sign_zone(zone, change, keys=[(self._private, self._key)], expiration=expiration)
        lines = zone.to_text(relativize=False).splitlines()
        return "\n".join(self._forge(line) for line in lines)

    def _forge(self, line: str) -> str:
        """Another signature for what is not to be believed."""
        words = line.split()
        if words[0] not in self.forged or words[3] != "RRSIG" or words[4] in {"NSEC", "DNSKEY"}:
            return line
        return line[:-10] + ("A" if line[-10] != "A" else "B") + line[-9:]


def _above(name: str) -> Iterable[str]:
    """The names that it is below, but for the root."""
    labels = name.removesuffix(".").split(".")
    return [".".join(labels[number:]) + "." for number in range(1, len(labels))]
