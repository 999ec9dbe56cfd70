import hashlib

import pytest

from mailpod.model.archive import File
from mailpod.model.doctor.elements import Disk, Examination, of_files, of_owners

SAID = b"""\
clock 1700000000
disk   1000 5000     - 0
sum 5e88  etc/tls//ca.pem
stranger home/a name with blanks
stranger home/b
"""


def sum_of(content):
    return hashlib.sha256(content).hexdigest()


def there(sums=None, strangers=()):
    return Examination(0, Disk(0, 0, 0, 0), sums or {}, tuple(strangers))


def test_what_an_element_says_is_read():
    assert Examination.read(SAID) == Examination(
        1700000000, Disk(1000, 5000, 0, 0), {"etc/tls/ca.pem": "5e88"}, ("home/a name with blanks", "home/b")
    )


def test_what_is_no_answer_is_refused():
    with pytest.raises(ValueError, match="invalid literal"):
        Examination.read(b"clock late\n")


def test_files_that_differ_or_are_missing_are_named():
    wanted = [File(path, b"x") for path in ("a", "b", "c", "d", "e")]
    (found,) = of_files("alice", "mailpod-alice", wanted, there({"a": sum_of(b"x"), "b": sum_of(b"y")}))
    assert found.what == "alice has other files than it should: b, c, d and 1 more"
    assert (found.where, found.repair) == ("mailpod-alice", "apply")


def test_files_that_are_the_same_are_no_finding():
    assert not list(of_files("alice", "w", [File("a", b"x")], there({"a": sum_of(b"x"), "other": "1"})))


def test_files_of_a_wrong_owner_are_repaired_in_accounts_alone():
    (account,) = of_owners("alice", "volume", "0a1b", there(strangers=["home/x"]))
    (main,) = of_owners("main", "volume", "", there(strangers=["spool/x"]))
    assert (account.repair, account.subject) == ("owners", "0a1b")
    assert main.repair == ""
    assert not list(of_owners("alice", "volume", "0a1b", there()))
