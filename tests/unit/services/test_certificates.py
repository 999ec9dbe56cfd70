import pytest

from mailpod.model.certificate import Certificate
from mailpod.services.certificates import Certificates, leaf, names_of
from mailpod.services.keys import Keys, new_key
from mailpod.store import Store


@pytest.fixture
def made(tmp_path):
    store = Store(tmp_path)
    return Certificates(store, Keys(store, "example.org"))


def test_it_is_made_once_and_certified_anew_for_other_names_with_the_same_key(made):
    first = made.of("main", ("mail.example.org",))
    assert made.of("main", ("mail.example.org",)) == first
    second = made.of("main", ("mail.example.org", "imap.example.org"))
    assert second.key == first.key
    assert set(names_of(leaf(second.own))) == {"mail.example.org", "imap.example.org"}


def test_it_begins_with_the_key_that_is_known_already(made):
    key = new_key()
    assert made.of("main", ("mail.example.org",), key).key == key
    assert made.of("main", ("imap.example.org",), new_key()).key == key


def test_what_is_secret_is_its_owners_to_read_and_in_no_text(made, tmp_path):
    made.of("main", ("mail.example.org",))
    account = made.acme_account()
    assert made.acme_account() == account
    for path in ("certificates/main.toml", "acme.toml"):
        assert (tmp_path / "secrets" / path).stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in repr(account) + repr(Certificate(key=new_key(), own=""))
