"""What a name server says."""

import dns.flags
import dns.message
import dns.query
import dns.rdatatype


def ask(address: str, port: int, name: str, kind: str, *, tcp: bool = False) -> set[str]:
    """The values that an authoritative server has for a name."""
    query = dns.message.make_query(f"{name}.", kind, use_edns=True)
    how = dns.query.tcp if tcp else dns.query.udp
    answer = how(query, address, 5, port)
    assert answer.flags & dns.flags.AA, answer
    wanted = dns.rdatatype.from_text(kind)
    return {data.to_text() for rrset in answer.answer for data in rrset if rrset.rdtype == wanted}
