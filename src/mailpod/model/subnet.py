"""The addresses of a system's own network."""

import ipaddress
import secrets


def unique_local_subnet() -> str:
    """A random /64 of unique local addresses (RFC 4193 section 3.2)."""
    packed = b"\xfd" + secrets.token_bytes(5) + b"\0\0" + bytes(8)
    return str(ipaddress.IPv6Network((packed, 64)))
