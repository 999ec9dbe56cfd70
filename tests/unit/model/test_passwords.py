from datetime import UTC, datetime

import pytest

from mailpod.model.errors import InvalidInput
from mailpod.model.passwords import MAX_NAME, AppPassword, Hashes, added, app_password_name, listed, revoked

CREATED = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", ["phone", "2", "my-phone", "a" * MAX_NAME])
def test_a_name_is_a_label(name):
    assert app_password_name(name.upper()) == name


@pytest.mark.parametrize(
    "name", ["", "a b", "-a", "a-", "a.b", "a\tb", "../x", "é", "\u212a", "a\n", "a" * (MAX_NAME + 1)]
)
def test_other_names_are_refused(name):
    with pytest.raises(InvalidInput, match="app password's name"):
        app_password_name(name)


def test_what_an_account_is_told_of_a_new_one_is_one_line_that_is_not_shown():
    file = added(AppPassword("phone", "imap", CREATED), "abcd", Hashes("$y$hash", "$argon2id$hash"))
    assert file.path == "app_password"
    assert file.content == b"phone\timap\t2024-05-01T12:00:00+00:00\tabcd\t$y$hash\t$argon2id$hash\n"
    assert file.mode == 0o600
    assert "hash" not in repr(file)


def test_what_an_account_is_told_of_one_that_goes_is_its_name():
    assert (revoked("phone").path, revoked("phone").content) == ("app_password", b"phone\n")


def test_a_list_is_sorted_and_tells_the_last_use():
    told = b"work\tall\t2024-05-01T12:00:00+00:00\t0\nphone\timap\t2024-05-01T12:00:00+00:00\t1714564860\n"
    assert listed(told) == [
        AppPassword("phone", "imap", CREATED, datetime(2024, 5, 1, 12, 1, tzinfo=UTC)),
        AppPassword("work", "all", CREATED),
    ]
    assert listed(b"") == []
