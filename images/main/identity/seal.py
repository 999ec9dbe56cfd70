"""A seal on what main hands to an account: what comes back under it is a forward, whoever wrote it.

Its header is `EPOCH TAG…`, a tag for each account that the message is for: a keyed hash (RFC 7693) over the account's
name, the time, the headers that tell who wrote what, and the body. White space does not count: hops fold lines.
"""

import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from hashlib import blake2b
from hmac import compare_digest
from itertools import product

HEADER = "X-Mailpod-Seal"
_LIFE = 30 * 86400
_TAG_BYTES = 9
_TAGS_A_LINE = 5
_BLANK = bytes(range(33))
_SEALED = frozenset(("from", "sender", "reply-to", "to", "cc", "subject", "in-reply-to", "references", "mime-version"))
# An account's own sendmail(1) gives these to a message that has none.
_LATE = ("date", "message-id")


class Content:
    """What is sealed of a message, taken in while it comes.

    Args:
        domain: the organisation's.
    """

    def __init__(self, domain: str) -> None:
        self._headers = blake2b()
        self._late = dict.fromkeys(_LATE, b"")
        self._body = blake2b()
        # sendmail(1) of an account takes a recipient without a domain for one of its own.
        self._own_host = re.compile(rb"@[a-z0-9-]+\." + re.escape(domain.encode()), re.IGNORECASE)

    def header(self, name: str, value: str) -> None:
        """A header; the order counts."""
        name = name.strip().lower()
        if name not in _SEALED and name not in _LATE and not name.startswith("content-"):
            return
        text = value.encode(errors="surrogateescape").translate(None, _BLANK)
        if name in _LATE:
            self._late[name] = blake2b(self._late[name] + text).digest()
        else:
            text = self._own_host.sub(b"", text) if name in {"to", "cc"} else text
            self._headers.update(b"%b:%b\n" % (name.encode(errors="surrogateescape"), text))

    def body(self, chunk: bytes) -> None:
        """A piece of the body."""
        self._body.update(chunk.translate(None, _BLANK))

    def digests(self) -> Iterable[bytes]:
        """Of the message as it is, then as it was if it came here without what every message should have."""
        for late in product(*((self._late[name], b"") for name in _LATE)):
            yield blake2b(b"".join((self._headers.digest(), self._body.digest(), *map(_framed, late)))).digest()


def _framed(part: bytes) -> bytes:
    return bytes((len(part),)) + part


class Seals:
    """Makes and checks seals.

    Args:
        key: known to main alone.
    """

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    def make(self, content: Content, readers: Iterable[str]) -> str:
        """The seal of a message for some accounts, by name."""
        now = str(int(self._clock()))
        digest = next(iter(content.digests()))
        tags = sorted(self._tag(digest, now, reader) for reader in readers)
        lines = [" ".join(tags[at : at + _TAGS_A_LINE]) for at in range(0, len(tags), _TAGS_A_LINE)]
        return "\n\t".join((now, *lines))

    def proves(self, seal: str, content: Content, reader: str) -> bool:
        """Whether main handed just this to the account `reader`, not long ago."""
        made, *tags = seal.split() or [""]
        if not made.isascii() or not made.isdecimal() or self._clock() - int(made[:12]) > _LIFE:
            return False
        given = [tag for tag in tags if tag.isascii()]
        wanted = [self._tag(digest, made, reader) for digest in content.digests()]
        return any(compare_digest(one, other) for one in wanted for other in given)

    def _tag(self, digest: bytes, made: str, reader: str) -> str:
        text = b"\n".join((made.encode(), reader.encode(), digest))
        return urlsafe_b64encode(blake2b(text, key=self._key, digest_size=_TAG_BYTES).digest()).decode()
