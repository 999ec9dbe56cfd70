import os
import subprocess
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder
from cryptography.x509.verification import Store as Trust

from mailpod.model.records import now
from mailpod.services import keys as module
from mailpod.services.keys import Keys, fingerprint
from mailpod.store import Store

NAMES = ("alice.example.org", "alice.mailpod.internal")


@pytest.fixture
def keys(tmp_path):
    return Keys(Store(tmp_path), "example.org")


def load(pem):
    return x509.load_pem_x509_certificate(pem.encode())


def names(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return tuple(extension.value.get_values_for_type(x509.DNSName))


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_verifies_against_the_authority_for_each_of_its_names(keys, name):
    certificate = load(keys.identity("a1", NAMES).tls_certificate)
    builder = PolicyBuilder().store(Trust([load(keys.authority())]))
    chain = builder.build_server_verifier(x509.DNSName(name)).verify(certificate, [])
    assert chain[0] == certificate
    assert builder.build_client_verifier().verify(certificate, []).subjects
    with pytest.raises(x509.verification.VerificationError):
        builder.build_server_verifier(x509.DNSName("bob.example.org")).verify(certificate, [])


def test_openssl_agrees(keys, tmp_path):
    (tmp_path / "ca").write_text(keys.authority())
    (tmp_path / "cert").write_text(keys.identity("a1", NAMES).tls_certificate)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", NAMES[0], "-CAfile"]
    done = subprocess.run([*command, tmp_path / "ca", tmp_path / "cert"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_authority_does_not_vouch(keys, tmp_path):
    other = Keys(Store(tmp_path / "other"), "example.org")
    certificate = load(keys.identity("a1", NAMES).tls_certificate)
    verifier = PolicyBuilder().store(Trust([load(other.authority())])).build_server_verifier(x509.DNSName(NAMES[0]))
    with pytest.raises(x509.verification.VerificationError):
        verifier.verify(certificate, [])


def test_what_a_certificate_says(keys):
    identity = keys.identity("a1", NAMES)
    certificate = load(identity.tls_certificate)
    assert names(certificate) == NAMES
    key = load_pem_private_key(identity.tls_key.encode(), None)
    assert isinstance(key.curve, SECP256R1)
    assert certificate.public_key() == key.public_key()
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life <= timedelta(days=825)
    assert certificate.not_valid_before_utc <= now() - timedelta(minutes=59)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_authority_is_one_and_may_only_sign(keys):
    authority = load(keys.authority())
    assert keys.authority() == Keys(Store(keys._folder.parent), "example.org").authority()
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign


@pytest.mark.parametrize(
    ("name", "stands"),
    [
        ("DNS:mail.example.org", True),
        ("DNS:mail.example.com", False),
        ("IP:192.0.2.1", False),
        ("IP:2001:db8::1", False),
    ],
)
def test_the_authority_can_vouch_for_the_systems_names_alone(keys, tmp_path, name, stands):
    """Even in the hands of whoever stole its key."""
    keys.authority()
    (tmp_path / "extensions").write_text(f"subjectAltName={name}\n")
    folder = tmp_path / "secrets"
    request = f"req -newkey rsa:2048 -nodes -subj /CN=x -keyout {tmp_path}/key -out {tmp_path}/request"
    sign = f"x509 -req -in {tmp_path}/request -CA {folder}/ca.pem -CAkey {folder}/ca_key.pem -CAcreateserial -days 9"
    for command in (request, f"{sign} -extfile {tmp_path}/extensions -out {tmp_path}/cert"):
        subprocess.run(["openssl", *command.split()], capture_output=True, check=True)
    command = f"verify -CAfile {folder}/ca.pem {tmp_path}/cert"
    done = subprocess.run(["openssl", *command.split()], capture_output=True, check=False)
    assert (done.returncode == 0) == stands, done.stderr


def test_an_identity_is_kept_and_every_element_has_its_own(keys):
    first = keys.identity("a1", NAMES)
    assert keys.identity("a1", NAMES) == first
    other = keys.identity("b1", NAMES)
    for field in ("ssh_host_key", "ssh_host_public", "tls_key", "relay_secret"):
        assert getattr(first, field) != getattr(other, field)
    assert len(first.relay_secret) >= 40


def test_a_renewed_certificate_keeps_key_and_secrets(keys, monkeypatch):
    first = keys.identity("a1", NAMES)
    later = now() + timedelta(days=820 - 269)
    monkeypatch.setattr(module, "now", lambda: later)
    second = keys.identity("a1", NAMES)
    assert second.tls_certificate != first.tls_certificate
    assert second.model_copy(update={"tls_certificate": first.tls_certificate}) == first
    assert load(second.tls_certificate).not_valid_after_utc > later + timedelta(days=800)
    assert keys.identity("a1", NAMES) == second
    assert fingerprint(second) == fingerprint(first)


def test_a_rotated_identity_is_known_by_its_ssh_host_key_alone(keys):
    first = keys.identity("a1", NAMES)
    keys.rotate("a1", NAMES)
    second = keys.identity("a1", NAMES)
    assert second.ssh_host_key == first.ssh_host_key
    assert second.ssh_host_public == first.ssh_host_public
    assert second.relay_secret != first.relay_secret
    assert second.tls_key != first.tls_key
    assert fingerprint(second) != fingerprint(first)
    assert keys.relay_secrets(["a1"]) == {"a1": second.relay_secret}


def test_a_certificate_is_renewed_in_time_and_not_before(keys, monkeypatch):
    first = keys.identity("a1", NAMES)
    soon = now() + timedelta(days=820 - 272)
    monkeypatch.setattr(module, "now", lambda: soon)
    assert keys.identity("a1", NAMES) == first


def test_other_names_need_another_certificate(keys):
    first = keys.identity("a1", NAMES)
    second = keys.identity("a1", (*NAMES, "mail.example.org"))
    assert names(load(second.tls_certificate)) == (*NAMES, "mail.example.org")
    assert second.tls_key == first.tls_key
    assert keys.identity("a1", (*NAMES[::-1], "mail.example.org")) == second, "their order does not count"


@pytest.mark.parametrize("name", ["a", "a" * 63])
@pytest.mark.parametrize("domain", ["b.example", "a" * 50 + ".example"])
def test_names_of_every_length_get_a_certificate(keys, name, domain):
    wanted = (f"{name}.{domain}", f"{name}.mailpod.internal")
    assert names(load(keys.identity("a1", wanted).tls_certificate)) == wanted


def test_the_secrets_are_for_their_owner_alone(keys):
    old = os.umask(0)
    try:
        keys.identity("a1", NAMES)
        keys.operator()
    finally:
        os.umask(old)
    found = {str(path.relative_to(keys._folder)): path.stat().st_mode & 0o777 for path in keys._folder.rglob("*")}
    assert found == {
        "ca.pem": 0o600,
        "ca_key.pem": 0o600,
        "identities": 0o700,
        "identities/a1.toml": 0o600,
        "operator_key": 0o600,
        "operator_key.pub": 0o600,
    }
    assert keys._folder.stat().st_mode & 0o777 == 0o700


def test_the_operators_key_is_one_that_openssh_takes(keys):
    path, public = keys.operator()
    assert keys.operator() == (path, public)
    load_ssh_private_key(path.read_bytes(), None)
    done = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=True)
    assert done.stdout.split()[:2] == public.split()[:2]


def test_relay_secrets_and_what_is_forgotten(keys):
    first, second = keys.identity("a1", NAMES), keys.identity("b1", NAMES)
    assert keys.relay_secrets(["a1", "b1"]) == {"a1": first.relay_secret, "b1": second.relay_secret}
    keys.forget("a1")
    keys.forget("a1")
    assert keys.identity("a1", NAMES).relay_secret != first.relay_secret


def test_the_fingerprint_is_what_openssl_says_of_the_public_key(keys, tmp_path):
    identity = keys.identity("main", NAMES)
    (tmp_path / "key").write_text(identity.tls_key)
    public = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "key", "-pubout", "-outform", "DER"], capture_output=True, check=True
    )
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-c"], input=public.stdout, capture_output=True, check=True
    ).stdout.decode()
    assert digest.split()[-1].upper() == fingerprint(identity)
