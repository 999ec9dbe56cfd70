import contextlib

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpod.model.errors import InvalidInput
from mailpod.services.passwords import MAX_PASSWORD, check_password, generate_password, hash_password


@given(st.text())
def test_a_password_is_accepted_or_refused_as_input(password):
    with contextlib.suppress(InvalidInput):
        check_password(password)


def test_a_password_that_is_not_utf_8_is_refused_as_input():
    """Standard input in the C locale hands undecodable bytes on as lone surrogates."""
    with pytest.raises(InvalidInput):
        check_password("caf\udce9 au lait")


def test_generated_passwords_are_good_and_differ():
    made = {generate_password() for _ in range(200)}
    assert len(made) == 200
    assert all(check_password(one) == one and len(one) == 24 for one in made)
    assert not set("".join(made)) & set("0O1lI")


def test_what_is_too_long_counts_in_bytes():
    assert check_password("é" * (MAX_PASSWORD // 2))
    with pytest.raises(InvalidInput, match="too long"):
        check_password("é" * (MAX_PASSWORD // 2 + 1))


def test_a_hash_opens_for_its_password_alone_and_is_never_the_same():
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    assert bcrypt.checkpw(b"correct horse", first.encode())
    assert not bcrypt.checkpw(b"correct horsf", first.encode())
