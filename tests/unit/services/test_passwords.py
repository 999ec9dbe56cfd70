import contextlib
import ctypes
import ctypes.util
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.stack import checks

from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.services import passwords
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
    assert first.yescrypt != second.yescrypt
    assert first.argon2id != second.argon2id
    assert checks(first, "correct horse")
    assert not checks(first, "correct horsf")


def test_a_long_password_counts_to_its_end():
    """bcrypt, which was here before, looks at 72 bytes."""
    hashes = hash_password("x" * MAX_PASSWORD)
    assert checks(hashes, "x" * MAX_PASSWORD)
    assert not checks(hashes, "x" * (MAX_PASSWORD - 1) + "y")


def test_hashes_are_as_hard_as_is_recommended_and_an_account_can_bear():
    """OWASP's cheat sheet on the storage of passwords, and crypt(5); 64 MiB is what the smallest account has."""
    hashes = hash_password("correct horse")
    assert hashes.argon2id.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashes.yescrypt.startswith("$y$j9T$")


def test_passwords_that_are_hashed_at_once_are_not_confused(monkeypatch):
    """crypt(3) answers in memory that its callers share."""
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 8)
    monkeypatch.setattr(passwords, "_YESCRYPT_COST", 1)
    made = {}

    def make(number):
        for turn in range(20):
            made[f"password {number} {turn}"] = hash_password(f"password {number} {turn}")

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 80
    assert all(checks(hashes, password) for password, hashes in made.items())


@pytest.mark.parametrize("library", ["libnothere.so.9", "libm.so.6"])
def test_a_machine_without_yescrypt_is_told_so(monkeypatch, library):
    """No library of that name, or one without the function."""
    monkeypatch.setattr(ctypes.util, "find_library", lambda _name: library)
    with pytest.raises(MailpodError, match="no yescrypt"):
        hash_password("correct horse")
