"""Asking a time server how late it is (SNTP, RFC 4330)."""

import socket
import struct
import time

_PORT = 123
_SECONDS = 3.0
# Version 4, client.
_REQUEST = bytes([0b00_100_011]) + bytes(47)
# From 1900, where its time begins, to 1970, where ours does.
_EPOCH = 2_208_988_800


def offset(server: str, port: int = _PORT) -> tuple[float, float] | None:
    """By how many seconds this machine's clock is ahead of a server's, and how wrong that may be.

    Returns:
        None when nobody answers, or the server does not know the time itself.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(server, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as session:
            session.settimeout(_SECONDS)
            session.connect(address)
            sent = time.time()
            session.send(_REQUEST)
            answer = session.recv(512)
            received = time.time()
    except OSError:
        return None
    # Stratum 0 is a refusal ("kiss of death").
    if len(answer) < len(_REQUEST) or not answer[1]:
        return None
    seconds, fraction = struct.unpack("!II", answer[40:48])
    theirs = seconds - _EPOCH + fraction / 2**32
    return (sent + received) / 2 - theirs, (received - sent) / 2
