"""What the public DNS says: a resolver, or a name server itself."""

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver

from mailpod.model.errors import MailpodError

_PATIENCE = 5.0
_PATIENCE_SERVER = 2.0


class Unknown(Exception):
    """The resolver did not tell; its text says why."""


class Resolver:
    """Asks one resolver.

    Args:
        address: of the resolver; empty for the one this machine asks (resolv.conf(5)).

    Raises:
        MailpodError: this machine has none.
    """

    def __init__(self, address: str = "") -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=not address)
        except dns.resolver.NoResolverConfiguration as error:
            raise MailpodError("this machine has no resolver", "name one with --resolver ADDRESS") from error
        if address:
            self._resolver.nameservers = [address]
        self._resolver.lifetime = _PATIENCE

    def ask(self, name: str, kind: str) -> set[str]:
        """The values there are.

        Args:
            name: without the final dot.
            kind: type of record.

        Raises:
            Unknown: nobody answered, or not in order.
        """
        try:
            answer = self._resolver.resolve(f"{name}.", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return set()
        except dns.resolver.NoNameservers as error:
            raise Unknown("the resolver could not find out: the domain is not delegated, or signed wrongly") from error
        except dns.exception.DNSException as error:
            raise Unknown(f"the resolver does not answer: {error}") from error
        return {data.to_text() for data in answer.rrset or ()}

    def verifies(self, name: str) -> bool:
        """Whether the resolver has found the signatures of a name that is there to be right, up to what it trusts (AD).

        Raises:
            Unknown: nobody answered, or the signatures are wrong.
        """
        query = dns.message.make_query(name, "SOA", flags=dns.flags.RD | dns.flags.AD)
        server = str(self._resolver.nameservers[0])
        try:
            answer, _ = dns.query.udp_with_fallback(query, server, _PATIENCE)
        except (OSError, EOFError, dns.exception.DNSException) as error:
            raise Unknown(f"the resolver does not answer: {error}") from error
        if answer.rcode() == dns.rcode.SERVFAIL:
            raise Unknown("the resolver could not find out: the domain is not delegated, or signed wrongly")
        return bool(answer.flags & dns.flags.AD)


def held(address: str, name: str, kind: str) -> set[str]:
    """The values that a name server itself holds; arguments and errors as of `Resolver.ask`.

    Args:
        address: of the name server.
    """
    query = dns.message.make_query(f"{name}.", kind, flags=0)
    try:
        answer, _ = dns.query.udp_with_fallback(query, address, _PATIENCE_SERVER)
    except (OSError, EOFError, dns.exception.DNSException) as error:
        raise Unknown(f"{address} does not answer: {error}") from error
    if not answer.flags & dns.flags.AA:
        raise Unknown(f"{address} does not serve {name}: {dns.rcode.to_text(answer.rcode())}")
    wanted = dns.rdatatype.from_text(kind)
    return {data.to_text() for rrset in answer.answer for data in rrset if rrset.rdtype == wanted}


def canonical(kind: str, value: str) -> str:
    """A value as `Resolver.ask` would tell it."""
    return dns.rdata.from_text("IN", kind, value).to_text()
