"""A name server that takes changes of a zone: dynamic updates (RFC 2136), signed with a shared key (TSIG, RFC 8945)."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.tokenizer
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone
import dns.zonefile

from mailpod.model.errors import MailpodError
from mailpod.model.zone import TTL, Record
from mailpod.services.lookup import canonical

CHALLENGE = "_acme-challenge."
"""How the names begin at which an ACME server looks for proof (RFC 8555 section 8.4)."""

_PATIENCE = 10.0
_AT_ONCE = 8
# What a server that signs makes by itself, and the record that it counts changes in.
_ITS_OWN = {"SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY"}
# One message holds 64 KiB (RFC 1035 section 4.2.2), and the longest of our sets, a key's, takes half a KiB.
_SETS_A_MESSAGE = 100
_KEY_FILE = re.compile(
    r'key\s+"?(?P<name>[\w.-]+)"?\s*\{\s*algorithm\s+"?(?P<algorithm>[\w-]+)"?\s*;'
    r'\s*secret\s+"?(?P<secret>[A-Za-z0-9+/]+=*)"?\s*;\s*\}'
)

Sets: TypeAlias = dict[tuple[str, str], frozenset[str]]
"""By name and type the values of every set of records, in the one way that dnspython writes them."""


class Silent(MailpodError):
    """The name server did not answer, or broke off."""


@dataclass(frozen=True)
class Key:
    """A key that is shared with a name server (TSIG).

    Attributes:
        name: by which the server knows it.
        algorithm: such as `hmac-sha256`.
        secret: base64.
    """

    name: str
    algorithm: str
    secret: str = field(repr=False)

    @classmethod
    def read(cls, text: str) -> "Key":
        """One from a file as tsig-keygen(8) writes it; raises `ValueError` when it is none."""
        found = _KEY_FILE.search(text)
        if not found:
            raise ValueError('no key "NAME" { algorithm …; secret "…"; } is in it')
        key = cls(**found.groupdict())
        try:
            trial = dns.message.make_query(".", "SOA")
            trial.use_tsig(dns.tsigkeyring.from_text({key.name: (key.algorithm, key.secret)}))
            trial.to_wire()
        except KeyError as error:
            raise ValueError(f"the algorithm {key.algorithm!r} is not known") from error
        except (ValueError, dns.exception.DNSException) as error:
            raise ValueError(f"its key cannot be used: {error}") from error
        return key


class Nameserver:
    """One zone on one server.

    Args:
        address: of the server, IPv4 or IPv6.
        port: its port, TCP.
        zone: the zone's name.
        key: what changes are signed with.
    """

    def __init__(self, address: str, port: int, zone: str, key: Key) -> None:
        self._address = address
        self._port = port
        self._zone = dns.name.from_text(zone)
        self._keys = dns.tsigkeyring.from_text({key.name: (key.algorithm, key.secret)})

    def replace(self, wanted: Iterable[Record]) -> int:
        """Make the zone hold these records and no others, but for what an order of a certificate has there meanwhile.

        Returns:
            How many sets of records were changed.

        Raises:
            Silent: the server does not answer.
            MailpodError: it refuses.
        """
        new = sets(wanted)
        changed = self._differing(new)
        self.update({key: new.get(key, frozenset()) for key in changed})
        return len(changed)

    def differing(self, wanted: Iterable[Record]) -> int:
        """How many sets of records `replace` would change; raises like it."""
        return len(self._differing(sets(wanted)))

    def _differing(self, new: Sets) -> list[tuple[str, str]]:
        old = {key: values for key, values in self._sets().items() if key in new or not key[0].startswith(CHALLENGE)}
        return [key for key in {**old, **new} if old.get(key) != new.get(key)]

    def change(self, old: Iterable[Record], new: Iterable[Record]) -> None:
        """Remove the sets that the old records belong to, and make those of the new ones hold them alone, at once.

        Raises like `replace`.
        """
        self.update({**dict.fromkeys(sets(old), frozenset()), **sets(new)})

    def values(self, name: str, kind: str) -> set[str]:
        """What the server has under a name and type; raises like `replace`."""
        query = dns.message.make_query(f"{name}.", kind)
        with _said_plainly():
            answer = dns.query.tcp(query, self._address, _PATIENCE, self._port)
        wanted = dns.rdatatype.from_text(kind)
        return {data.to_text() for rrset in answer.answer for data in rrset if data.rdtype == wanted}

    def held(self, keys: Iterable[tuple[str, str]]) -> Sets:
        """The sets of records that are there, of these names and types; without those of which there are none.

        Raises like `replace`. Asked for one by one: not every server that takes changes gives the whole zone away.
        """
        wanted = list(keys)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = zip(wanted, pool.map(lambda key: self.values(*key), wanted), strict=True)
            return {key: frozenset(values) for key, values in found if values}

    def below(self, name: str) -> list[str]:
        """The sets of records at a name and below it, as `NAME TYPE`; raises like `replace`."""
        return [f"{one} {kind}" for one, kind in self._sets() if one == name or one.endswith(f".{name}")]

    def delegation(self) -> list[str]:
        """The values of the DS records that the parent zone is to have (RFC 4034 section 5); raises like `replace`."""
        query = dns.message.make_query(self._zone, dns.rdatatype.CDS)
        answer = self._ask(query)
        return sorted(data.to_text() for rrset in answer.answer for data in rrset if data.rdtype == dns.rdatatype.CDS)

    def _sets(self) -> Sets:
        query, _ = dns.xfr.make_query(dns.zone.Zone(self._zone), keyring=self._keys)
        there = dns.zone.Zone(self._zone)
        with _said_plainly():
            dns.query.inbound_xfr(self._address, there, query, self._port, _PATIENCE, _PATIENCE)
        found: dict[tuple[str, str], set[str]] = {}
        for name, _, data in there.iterate_rdatas():
            kind = dns.rdatatype.to_text(data.rdtype)
            if kind not in _ITS_OWN:
                key = name.derelativize(self._zone).to_text(omit_final_dot=True), kind
                found.setdefault(key, set()).add(data.to_text(self._zone, relativize=False))
        return {key: frozenset(values) for key, values in found.items()}

    def update(self, changes: Sets) -> None:
        """Make these sets hold these values alone; those without any are removed. Raises like `replace`."""
        # What goes first: nothing is added beside an alias, nor an alias beside anything (RFC 2136 section 3.4.2.2).
        # To Knot, signatures are something until the message has been applied: an alias in their place comes later.
        removed = {name for (name, _), values in changes.items() if not values}
        late = {key: one for key, one in changes.items() if one and key[1] == "CNAME" and key[0] in removed}
        self._send({key: one for key, one in changes.items() if key not in late})
        self._send(late)

    def _send(self, changes: Sets) -> None:
        ordered = sorted(changes.items(), key=lambda change: (bool(change[1]), change[0]))
        for start in range(0, len(ordered), _SETS_A_MESSAGE):
            message = dns.update.UpdateMessage(self._zone, keyring=self._keys)
            for (name, kind), values in ordered[start : start + _SETS_A_MESSAGE]:
                owner = dns.name.from_text(name)
                if owner == self._zone and kind == "NS":
                    # The zone's own name servers go one by one (RFC 2136 section 3.4.2.3).
                    for gone in sorted(self.values(name, kind) - values):
                        message.delete(owner, kind, gone)
                    message.add(owner, dns.rdataset.from_text("IN", kind, TTL, *sorted(values)))
                elif values:
                    message.replace(owner, dns.rdataset.from_text("IN", kind, TTL, *sorted(values)))
                else:
                    message.delete(owner, kind)
            self._ask(message)

    def _ask(self, message: dns.message.Message) -> dns.message.Message:
        with _said_plainly():
            answer = dns.query.tcp(message, self._address, _PATIENCE, self._port)
        if answer.rcode() == dns.rcode.SERVFAIL:
            raise _not_loaded()
        if answer.rcode() != dns.rcode.NOERROR:
            raise MailpodError(f"the name server refused: {dns.rcode.to_text(answer.rcode())}", "see: mailpod status")
        return answer


def sets(records: Iterable[Record]) -> Sets:
    """Records as sets."""
    found: dict[tuple[str, str], set[str]] = {}
    for record in records:
        found.setdefault((record.name, record.kind), set()).add(canonical(record.kind, record.data))
    return {key: frozenset(values) for key, values in found.items()}


def parsed(text: str, zone: str) -> list[Record]:
    """Records from a master file (RFC 1035 section 5), whose names are relative to the zone.

    Raises:
        ValueError: they are none, not of this zone, or such as a server that signs makes by itself.
    """
    origin = dns.name.from_text(zone)
    read = dns.zone.Zone(dns.name.root, relativize=False)
    try:
        with read.writer(replacement=True) as transaction:
            # Names outside its own zone this reader passes over in silence; so it is given the zone of all names.
            reader = dns.zonefile.Reader(dns.tokenizer.Tokenizer(text, "line"), dns.rdataclass.IN, transaction)
            reader.current_origin, reader.default_ttl, reader.default_ttl_known = origin, TTL, True
            reader.read()
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from error
    found = []
    for name, _, data in read.iterate_rdatas():
        owner, kind = name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(data.rdtype)
        if not name.is_subdomain(origin):
            raise ValueError(f"{owner} is not in {zone}")
        if kind in _ITS_OWN:
            raise ValueError(f"{kind} of {owner} is made by the name server itself")
        found.append(Record(owner, kind, data.to_text()))
    return found


def _not_loaded() -> Silent:
    return Silent("the name server has not loaded the zone", "see: mailpod status")


@contextlib.contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, dns.exception.Timeout) as error:
        raise Silent(f"the name server does not answer: {error}", "see: mailpod status") from error
    except dns.xfr.TransferError as error:
        if error.rcode == dns.rcode.SERVFAIL:
            raise _not_loaded() from error
        raise MailpodError(f"the name server refused: {error}", "see: mailpod status") from error
    except dns.exception.DNSException as error:
        raise MailpodError(f"the name server refused: {error}", "see: mailpod status") from error
