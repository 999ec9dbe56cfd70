"""The keys that mail is signed with.

secrets/dkim/main.toml   those of the organisation's domain
secrets/dkim/ID.toml     those of an account's subdomain
"""

import base64
import contextlib
import tomllib
from collections.abc import Callable
from pathlib import Path

import tomli_w
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from mailpod.model.dkim import SigningKey, SigningKeys
from mailpod.model.records import now
from mailpod.store import Store, write_durably

_RSA_BITS = 2048
_ED25519_BYTES = 32


class Signing:
    """Makes, reads and replaces the signing keys in the secrets of one state folder.

    Args:
        store: the state folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def keys(self, owner: str, make: Callable[[], SigningKeys] | None = None) -> SigningKeys:
        """The keys of `owner` (`main` or an account's id), made when they are missing.

        Args:
            make: gives them then.
        """
        if not self._path(owner).exists():
            made = (make or generate)()
            with self._store.lock("dkim"):
                # Whoever was first has perhaps published them.
                if not self._path(owner).exists():
                    self._write(owner, made)
        return self._read(owner)

    def adopt(self, owner: str, keys: SigningKeys) -> None:
        """Let `owner` have the keys it had elsewhere, if it has none here."""
        self.keys(owner, lambda: keys)

    def rotate(self, owner: str) -> None:
        """Give `owner` new keys, which are to be published; the old ones sign until `begin`."""
        self.keys(owner)
        made = generate()
        with self._store.lock("dkim"):
            self._write(owner, self._read(owner).announced(made))

    def begin(self, owner: str, seen: tuple[SigningKey, ...]) -> None:
        """Let the new keys of `owner` sign, if they are still these; the old ones stay published for a week."""
        with self._store.lock("dkim"):
            keys = self._read(owner)
            if keys.waiting == seen:
                self._write(owner, keys.begun(now()))

    def forget_old(self, owner: str) -> None:
        """Remove the keys of `owner` that need not be published any more."""
        if self.keys(owner) == self.keys(owner).current(now()):
            return
        with self._store.lock("dkim"):
            self._write(owner, self._read(owner).current(now()))

    def forget(self, owner: str) -> None:
        """Remove all keys of `owner`."""
        self._path(owner).unlink(missing_ok=True)

    def _path(self, owner: str) -> Path:
        return self._store.secrets / "dkim" / f"{owner}.toml"

    def _read(self, owner: str) -> SigningKeys:
        return SigningKeys.model_validate(tomllib.loads(self._path(owner).read_text()))

    def _write(self, owner: str, keys: SigningKeys) -> None:
        document = keys.model_dump(mode="json", exclude_defaults=True)
        write_durably(self._path(owner), tomli_w.dumps(document).encode(), 0o600)


def recovered(table: str) -> dict[str, SigningKeys]:
    """By domain, the keys that main signs with, from the table it has of them; those that are retired are not in it.

    What is no key is left out.
    """
    found: dict[str, list[SigningKey]] = {}
    for line in table.splitlines()[1:]:
        with contextlib.suppress(ValueError):
            domain, selector, private = line.split(" ")
            key = _of_private(selector, private)
            found.setdefault(domain, []).append(key)
    return {domain: SigningKeys(keys=tuple(keys)) for domain, keys in found.items()}


def _of_private(selector: str, private: str) -> SigningKey:
    content = base64.b64decode(private)
    if len(content) == _ED25519_BYTES:
        public = ed25519.Ed25519PrivateKey.from_private_bytes(content).public_key().public_bytes_raw()
        return SigningKey(selector=selector, algorithm="ed25519", private=private, public=_base64(public))
    der = load_der_private_key(content, None).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(selector=selector, algorithm="rsa", private=private, public=_base64(der))


def generate() -> SigningKeys:
    """New keys, one of each algorithm."""
    # To the second, so that no other key of the domain has had the name, not even of an account that is gone.
    moment = f"{now():%Y%m%d-%H%M%S}"
    return SigningKeys(keys=(_rsa(f"rsa-{moment}"), _ed25519(f"ed25519-{moment}")))


def _rsa(selector: str) -> SigningKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(selector=selector, algorithm="rsa", private=_base64(private), public=_base64(public))


def _ed25519(selector: str) -> SigningKey:
    key = ed25519.Ed25519PrivateKey.generate()
    private, public = _base64(key.private_bytes_raw()), _base64(key.public_key().public_bytes_raw())
    return SigningKey(selector=selector, algorithm="ed25519", private=private, public=public)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
