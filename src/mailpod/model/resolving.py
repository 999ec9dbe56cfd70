"""What main's resolver asks and trusts, and whom main trusts to certify mail servers outside."""

from collections.abc import Iterable

from mailpod.model.records import System

# RFC 5011: these change, and unbound follows.
_ROOT = "auto-trust-anchor-file: /data/lib/unbound/root.key"
# RFC 6761, RFC 6762, RFC 8375: whoever names a resolver may have such names there.
_LOCAL = ("home.arpa.", "internal.", "test.")


def render(system: System, anchors: Iterable[str] | None, authorities: str) -> dict[str, str]:
    """The tables of both.

    Without a resolver to ask, main's own begins at the root servers.

    Args:
        anchors: what it trusts instead of the root's keys: DS or DNSKEY records, as lines of a master file; with none
            in it, all answers are taken as they come.
        authorities: further certificates, PEM.

    Returns:
        Text by path below main's folder of tables.
    """
    trusted = [_ROOT] if anchors is None else [f'trust-anchor: "{anchor}"' for anchor in anchors]
    server = [*trusted, *(_forwarding(system.resolver) if system.resolver else ())]
    return {
        "unbound/system.conf": "".join(f"{line}\n" for line in ("server:", *server)),
        "trust/authorities.pem": authorities,
    }


def _forwarding(resolver: str) -> Iterable[str]:
    local = (f'local-zone: "{zone}" nodefault' for zone in _LOCAL)
    return (*local, "unblock-lan-zones: yes", "forward-zone:", 'name: "."', f"forward-addr: {resolver}")
