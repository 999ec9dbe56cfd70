"""The addresses in a header such as From (RFC 5322 section 3.6.2), as far as nobody can read them otherwise."""

import re
from email.utils import getaddresses

# Nobody's own header is longer, and the parser's time for one is bounded.
_LONGEST = 4000
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_WORD = r'[^\s<>()\[\],;:@"\\]+'
_LIKE_ADDRESS = re.compile(rf"{_WORD}@{_WORD}\.{_WORD}")


def authors(value: str) -> tuple[str, ...]:
    """Every address that some reader may find in the header's value; none where that cannot be told.

    What only looks like an address counts as well, wherever it stands: mail clients differ in what they make of quotes,
    comments and routes.
    """
    if len(value) > _LONGEST:
        return ()
    try:
        found = [address for _, address in getaddresses([value])]
    except RecursionError:
        return ()
    bare = _QUOTED.sub("", value)
    if not all(found) or bare.count("@") != len(found) or any(sign in bare for sign in '"\\'):
        return ()
    return (*found, *_LIKE_ADDRESS.findall(value))
