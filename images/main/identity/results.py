"""Who claims to have checked a message (RFC 8601)."""

import re

_IGNORED = re.compile(r'[\s"\\]')


def claims_to_be(value: str, host: str) -> bool:
    """Whether an Authentication-Results header may be taken for `host`'s own: its name stands before the results."""
    return host in _IGNORED.sub("", value.partition(";")[0]).lower()
