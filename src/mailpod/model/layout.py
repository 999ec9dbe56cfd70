"""What lies where: the containers of a system, and the files the control plane gives them."""

from ipaddress import ip_address

from mailpod.model.archive import File
from mailpod.model.identity import Identity
from mailpod.model.passwords import Hashes
from mailpod.model.records import PORTS, Account, System
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, WorkloadSpec
from mailpod.model.tables import internal_name, quota_token

_MOUNT = "/data"
# The kernel's limit (uname(2)); a container with a longer name is known by its first label to itself.
_LONGEST_HOSTNAME = 64
_RELAY = "[main.mailpod.internal]:10025"

# Dropping privileges (SETUID, SETGID), sshd's privilege separation (SYS_CHROOT) and terminals (AUDIT_WRITE), files to
# their owner (CHOWN), signals to daemons of other users (KILL).
_CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "KILL", "SETGID", "SETUID", "SYS_CHROOT")


def account_container(instance: str, name: str) -> str:
    """Name of an account's container."""
    return f"{instance}-{name}"


def main_container(instance: str) -> str:
    """Name of main's container."""
    return f"{instance}-main"


def account_volume(instance: str, account: Account) -> str:
    """Name of an account's volume, which carries its id."""
    return f"{instance}-{account.name}-{account.id}"


def account_names(system: System, account: Account) -> tuple[str, ...]:
    """DNS names an account answers to."""
    return account.fqdn(system.domain), internal_name(account.name)


def main_names(system: System) -> tuple[str, ...]:
    """DNS names main answers to."""
    hosts = [f"{host}.{system.domain}" for host in ("mail", "webmail", "imap", "smtp")]
    return system.domain, *hosts, internal_name("main")


def account_spec(system: System, account: Account, image: str) -> WorkloadSpec:
    """The container of one account."""
    fqdn = account.fqdn(system.domain)
    return WorkloadSpec(
        name=account_container(system.instance, account.name),
        image=image,
        hostname=fqdn if len(fqdn) <= _LONGEST_HOSTNAME else account.name,
        network=system.instance,
        aliases=account_names(system, account),
        volume=account_volume(system.instance, account),
        mount=_MOUNT,
        memory=account.memory,
        pids=256,
        capabilities=_CAPABILITIES,
        tmpfs={"/run": "noexec,nosuid,nodev,mode=755", "/tmp": "noexec,nosuid,nodev"},  # noqa: S108  (inside the container)
        environment={"MAILPOD_FQDN": fqdn, "MAILPOD_DOMAIN": system.domain},
        labels={
            LABEL_INSTANCE: system.instance,
            LABEL_ROLE: "account",
            LABEL_ACCOUNT: account.name,
            LABEL_ID: account.id,
        },
        dns=system.resolver,
    )


def account_files(
    account: Account, identity: Identity, authority: str, operator_key: str, main_fingerprint: str
) -> list[File]:
    """The files an account has from the control plane; everything else on its volume is its own.

    Args:
        authority: the authority's certificate, PEM.
        operator_key: public line of the control plane's SSH key.
        main_fingerprint: of main's TLS public key; only its holder may use the account's port 25.
    """
    keys = "".join(f"{key}\n" for key in account.ssh_keys)
    return [
        File("etc/ssh/ssh_host_ed25519_key", identity.ssh_host_key.encode(), 0o600),
        File("etc/ssh/ssh_host_ed25519_key.pub", f"{identity.ssh_host_public}\n".encode()),
        File("etc/ssh/operator_keys", f"{operator_key}\n".encode()),
        File("etc/ssh/user_keys", keys.encode()),
        *tls_files(identity, authority),
        File("etc/relay/sasl_passwd", f"{_RELAY} {account.name}:{identity.relay_secret}\n".encode(), 0o600),
        File("etc/relay/main_key", f"{main_fingerprint} main\n".encode()),
        File("etc/quota", f"{account.quota} {quota_token(identity.relay_secret)}\n".encode(), 0o600),
    ]


def table_files(tables: dict[str, str]) -> list[File]:
    """Main's tables, by their path below its folder of tables."""
    return [File(f"etc/tables/{path}", text.encode(), 0o600) for path, text in sorted(tables.items())]


def password_file(hashes: Hashes) -> File:
    """The file that an account checks its main password against: each stack takes the line it can check."""
    return File("etc/password", f"{hashes.yescrypt}\n{hashes.argon2id}\n".encode(), 0o600)


def tls_files(identity: Identity, authority: str) -> list[File]:
    """The key and certificate of main or an account, and the authority's certificate, PEM."""
    return [
        File("etc/tls/key.pem", identity.tls_key.encode(), 0o600),
        File("etc/tls/cert.pem", identity.tls_certificate.encode()),
        File("etc/tls/ca.pem", authority.encode()),
    ]


def compose_resolver(system: System) -> str:
    """What Compose is told beside `compose.yaml` when main is to ask a resolver of the operator's choice."""
    lines = ["services:", "  main:", f"    dns: {system.resolver}"]
    if ip_address(system.resolver or "0.0.0.0").is_loopback:  # noqa: S104
        # Nobody is there to ask, so nothing is worth waiting for.
        lines += ["    dns_opt:", "      - timeout:1", "      - attempts:1"]
    return "\n".join([*lines, ""])


def main_environment(system: System, state: str, image: str) -> dict[str, str]:
    """Values of the variables in `compose.yaml`.

    Args:
        state: absolute path of the state folder, where the secrets of main lie.
        image: tag of main's image.
    """
    return {
        "COMPOSE_PROJECT_NAME": system.instance,
        "MAILPOD_INSTANCE": system.instance,
        "MAILPOD_DOMAIN": system.domain,
        "MAILPOD_STATE": state,
        "MAILPOD_MAIN_IMAGE": image,
        "MAILPOD_BIND": system.bind,
        "MAILPOD_IPV6_SUBNET": system.ipv6_subnet,
        **{f"MAILPOD_PORT_{service.upper()}": str(system.port(service)) for service in PORTS},
    }
