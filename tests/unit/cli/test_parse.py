import base64
import contextlib
import io
import itertools
import struct
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from hypothesis import given
from hypothesis import strategies as st

from mailpod.cli import parse
from mailpod.model.errors import InvalidInput
from mailpod.model.records import MIN_MEMORY, MIN_QUOTA, NO_QUOTA
from mailpod.services.keys import Keys
from mailpod.store import Store


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64m", 64 << 20),
        ("256M", 256 << 20),
        ("256mb", 256 << 20),
        ("256MiB", 256 << 20),
        (" 1g ", 1 << 30),
        ("131072k", 128 << 20),
        ("67108864", 64 << 20),
        ("1024g", 1 << 40),
    ],
)
def test_sizes_of_memory(text, size):
    assert parse.memory(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "-1m",
        "1.5g",
        "1t",
        "1 g",
        "63m",
        "0",
        "1025g",
        "256mm",
        "\N{ARABIC-INDIC DIGIT TWO}m",
        "1e9",
        pytest.param("9" * 5000, id="digits"),
    ],
)
def test_what_is_no_size_or_not_enough_or_too_much(text):
    with pytest.raises(InvalidInput) as refused:
        parse.memory(text)
    assert "\n" not in refused.value.what


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_refused(text):
    with contextlib.suppress(InvalidInput):
        assert parse.memory(text) >= MIN_MEMORY


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10m", MIN_QUOTA),
        ("2G", 2 << 30),
        ("1048576g", 1 << 50),
        ("0", NO_QUOTA),
        ("none", NO_QUOTA),
        (" NONE ", NO_QUOTA),
    ],
)
def test_sizes_of_a_quota(text, size):
    assert parse.quota(text) == size


@pytest.mark.parametrize("text", ["", "lots", "-1", "9m", "1", "1048577g", "1.5g", "no"])
def test_what_is_no_quota(text):
    with pytest.raises(InvalidInput) as refused:
        parse.quota(text)
    assert "10m" in refused.value.hint


def line(key):
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def wire(kind, *fields):
    """A public key line of parts as RFC 4253 section 6.6 puts them."""
    blob = b"".join(struct.pack(">I", len(field)) + field for field in (kind.encode(), *fields))
    return f"{kind} {base64.b64encode(blob).decode()}"


ED25519 = line(ed25519.Ed25519PrivateKey.generate())
RSA = line(rsa.generate_private_key(65537, 2048))
ECDSA = line(ec.generate_private_key(ec.SECP256R1()))
SHORT_RSA = wire("ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xc1" * 128)
DSA = wire("ssh-dss", b"\x00" + b"\xff" * 128, b"\x00" + b"\xff" * 20, b"\x02", b"\x04")
CERTIFICATE = (
    SSHCertificateBuilder()
    .public_key(ed25519.Ed25519PrivateKey.generate().public_key())
    .type(SSHCertificateType.USER)
    .valid_for_all_principals()
    .valid_after(0)
    .valid_before(1)
    .sign(ed25519.Ed25519PrivateKey.generate())
    .public_bytes()
    .decode()
)


@pytest.fixture
def keys(tmp_path):
    def read(content):
        path = tmp_path / "key.pub"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return parse.ssh_keys(path)

    return read


@pytest.mark.parametrize("key", [ED25519, RSA, ECDSA], ids=["ed25519", "rsa", "ecdsa"])
def test_keys_that_openssh_takes(keys, key):
    assert keys(f"{key} alice@laptop\n") == (f"{key} alice@laptop",)
    assert keys(key) == (key,)


def test_a_file_of_several_keys(keys):
    assert keys(f"# mine\n\n  {ED25519} one \r\n{RSA}\n") == (f"{ED25519} one", RSA)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n# only a comment\n",
        "hello",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        ED25519[:-10],
        f"{ED25519}\nhello",
        f"restrict {ED25519}",
        f'command="/bin/sh" {ED25519}',
        f"{ED25519} a\x00b",
        f"{ED25519} a\x1b[31mb",
        b"\xff\xfe",
        SHORT_RSA,
        DSA,
        CERTIFICATE,
    ],
    # The keys are others each time, and a test has the same name each time.
    ids=map(str, itertools.count()),
)
@pytest.mark.filterwarnings("default")
def test_what_is_no_good_key(keys, content, capsys):
    with pytest.raises(InvalidInput) as refused:
        keys(content)
    assert "\n" not in refused.value.what
    assert refused.value.hint


def test_a_kind_that_openssh_no_longer_takes_is_refused_without_a_warning(keys):
    """Python prints a warning on standard error, where only the error's two lines belong."""
    with pytest.raises(InvalidInput):
        keys(DSA)


def test_a_private_key_is_never_taken(keys):
    private = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with pytest.raises(InvalidInput, match="is a private key"):
        keys(private)


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InvalidInput, match="cannot read"):
            parse.ssh_keys(path)


def test_a_file_without_end_is_refused():
    with pytest.raises(InvalidInput, match="too long"):
        parse.ssh_keys(Path("/dev/zero"))


def test_a_line_without_end_is_no_password(monkeypatch):
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        assert len(parse.password_line()) > 5000


@pytest.mark.parametrize(
    ("given", "password"), [("secret\n", "secret"), ("secret", "secret"), ("a b \r\nmore\n", "a b "), ("", "")]
)
def test_the_password_is_the_first_line(monkeypatch, given, password):
    monkeypatch.setattr(sys, "stdin", io.StringIO(given, newline=""))
    assert parse.password_line() == password


def test_a_password_that_is_not_text_is_refused_as_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9 au lait\n"), "utf-8"))
    with pytest.raises(InvalidInput):
        parse.password_line()


@pytest.mark.parametrize("given", ["secret", "secret\n", "secret\r\n"])
def test_a_password_may_have_to_be_the_only_line(monkeypatch, given):
    monkeypatch.setattr(sys, "stdin", io.StringIO(given, newline=""))
    assert parse.only_line() == "secret"


@pytest.mark.parametrize("given", ["two\nlines", "two\n\n", "x" * 70000])
def test_a_password_of_more_than_a_line_is_refused_then(monkeypatch, given):
    monkeypatch.setattr(sys, "stdin", io.StringIO(given, newline=""))
    with pytest.raises(InvalidInput, match="one line"):
        parse.only_line()


def test_certificates_come_from_a_file_without_what_is_beside_them(tmp_path):
    store = Store(tmp_path / "state")
    pem = Keys(store, "example.org").authority()
    path = tmp_path / "ca.pem"
    path.write_text(f"issuer: somebody\n{pem}\n{pem}")
    assert parse.authority(path) == pem * 2
    assert parse.authority(Path("none")) == ""


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff", b"-----BEGIN CERTIFICATE-----\nAA\n", b"PRIVATE KEY"])
def test_what_is_no_certificate_is_refused(tmp_path, content):
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    for wrong in (path, tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidInput):
            parse.authority(wrong)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("YES", True), ("oui", True), ("n", False), ("", False)])
def test_a_question_is_asked_on_a_terminal(monkeypatch, capsys, answer, goes_on):
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    if goes_on:
        parse.confirm("Delete?", yes=False)
    else:
        with pytest.raises(InvalidInput, match="nothing was done"):
            parse.confirm("Delete?", yes=False)
    assert capsys.readouterr() == ("", "Delete? [y/N] "), "standard output is for the result"


def test_control_d_is_a_no(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    with pytest.raises(InvalidInput, match="nothing was done"):
        parse.confirm("Delete?", yes=False)


def test_a_standard_input_that_was_closed_says_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert parse.password_line() == ""
    with pytest.raises(InvalidInput, match="needs a yes"):
        parse.confirm("Delete?", yes=False)


def test_nobody_to_ask_is_a_no(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(InvalidInput) as refused:
        parse.confirm("Delete?", yes=False)
    assert refused.value.hint == "add --yes"
    parse.confirm("Delete?", yes=True)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30m", timedelta(minutes=30)),
        (" 12H ", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("4w", timedelta(days=28)),
    ],
)
def test_a_length_of_time(text, length):
    assert parse.duration(text) == length


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "1y", "3654d", "999999w", "٣d"])
def test_what_is_no_length_of_time(text):
    with pytest.raises(InvalidInput, match="not a length of time"):
        parse.duration(text)


def test_access_to_s3_is_two_lines_and_perhaps_a_region(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ID\nsecret\n")
    assert parse.s3_access(None, None) == {}
    assert parse.s3_access(keys, "eu-west-3") == {"s3_id": "ID", "s3_secret": "secret", "s3_region": "eu-west-3"}
    for wrong in (("ID\n", None), ("ID\nsecret\n", "eu\n[x]")):
        keys.write_text(wrong[0])
        with pytest.raises(InvalidInput):
            parse.s3_access(keys, wrong[1])
