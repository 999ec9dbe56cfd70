"""Who claims to have checked a message (RFC 8601)."""

import re

_IGNORED = re.compile(r'[\s"\\]')


def claims_to_be(value: str, host: str) -> bool:
    """Whether an Authentication-Results header may be taken for `host`'s own: its name stands before the results.

    By a reader who knows comments, as much as by one who does not.
    """
    return any(host in _IGNORED.sub("", part).lower() for part in (_before_results(value), value.partition(";")[0]))


def _before_results(value: str) -> str:
    """What stands before the first semicolon that ends anything, without comments, which nest (RFC 5322 section 3.2.2).

    All of a value in which a comment is begun and never ended.
    """
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for sign in value:
        if escaped or sign == "\\":
            escaped = not escaped
        elif not quoted and sign == "(":
            depth += 1
        elif depth and sign == ")":
            depth -= 1
            continue
        elif not depth and sign == '"':
            quoted = not quoted
        elif not depth and not quoted and sign == ";":
            break
        if not depth:
            kept.append(sign)
    return value if depth else "".join(kept)
