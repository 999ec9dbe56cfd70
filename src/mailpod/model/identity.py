"""The keys an element of the system is known by, as data."""

from pydantic import BaseModel, ConfigDict, Field


class Identity(BaseModel):
    """Keys by which an element proves to others who it is; all of it text, in one file.

    Attributes:
        ssh_host_key: private key of its SSH server, OpenSSH format.
        ssh_host_public: the same key's public line, `ssh-ed25519 AAAA…`.
        tls_key: private key of its TLS servers, PEM.
        tls_certificate: the certificate the system's authority gave it, PEM.
        relay_secret: with which an account logs in to main's relay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ssh_host_key: str = Field(repr=False)
    ssh_host_public: str
    tls_key: str = Field(repr=False)
    tls_certificate: str
    relay_secret: str = Field(repr=False)
