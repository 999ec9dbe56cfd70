"""The threat model says of every threat which test shows that it is stopped: there must be such a test."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"`((?:unit|contract|e2e)/[\w/]+\.py)`")


def test_the_tests_that_it_names_are_there():
    named = set(NAMED.findall((TESTS.parent / "docs/security.md").read_text()))
    assert len(named) > 30
    assert {name for name in named if not (TESTS / name).exists()} == set()
