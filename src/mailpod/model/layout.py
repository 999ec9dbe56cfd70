"""What lies where: the containers of a system, and the files the control plane gives them."""

import hashlib
import re
import time
from collections.abc import Iterable

from mailpod.model import networks
from mailpod.model.archive import File
from mailpod.model.identity import Identity
from mailpod.model.passwords import Hashes
from mailpod.model.records import EVERYWHERE, NO_QUOTA, Account, System
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, Network, WorkloadSpec
from mailpod.model.state_copy import account_record
from mailpod.model.tables import internal_name, quota_token

MAIN_HOSTS = ("mail", "webmail", "imap", "smtp", "autoconfig", "autodiscover", "mta-sts")
"""Main's hosts in the system's domain."""
BESIDE_MAIN = ("dns", "antivirus")
"""What may run beside main: services of `compose.yaml`, each with a profile and a role of its name."""
RESTORED = "etc/restored"
"""A file that is on a volume which comes from a backup, until the account's first start there (its `init`)."""
ACCOUNT_RECORD = "etc/record.json"
"""Where on its volume an account's own record lies."""

_MOUNT = "/data"
# Main, which all mail passes, has 1024.
_CPU_WEIGHT = 128
_BESIDE_MAIL = 512 * 1024 * 1024
# The kernel's limit (uname(2)); a container with a longer name is known by its first label to itself.
_LONGEST_HOSTNAME = 64
_LONGEST_LABEL = 63
_RELAY = "[main.mailpod.internal]:10025"

# Dropping privileges (SETUID, SETGID), sshd's privilege separation (SYS_CHROOT) and terminals (AUDIT_WRITE), files to
# their owner (CHOWN), signals to daemons of other users (KILL). NET_ADMIN sets the account's packet filter, and SETPCAP
# then takes both away, before anything else runs (images/account/base/init).
_CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "KILL", "NET_ADMIN", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT")
_PUBLIC_PORTS = (22, 465, 587, 993)


def account_container(instance: str, name: str) -> str:
    """Name of an account's container, or of its service, which a Swarm wants to be a DNS label."""
    full = f"{instance}-{name}"
    if len(full) <= _LONGEST_LABEL:
        return full
    return f"{full[: _LONGEST_LABEL - 9]}-{hashlib.sha256(full.encode()).hexdigest()[:8]}"


def main_container(instance: str) -> str:
    """Name of main's container."""
    return f"{instance}-main"


def container_beside_main(instance: str, service: str) -> str:
    """Name of the container of one of `BESIDE_MAIN`."""
    return f"{instance}-{service}"


def nameserver_container(instance: str) -> str:
    """Name of the name server's container."""
    return container_beside_main(instance, "dns")


def account_volume(instance: str, account: Account) -> str:
    """Name of an account's volume, which carries the id of the account that it was made for."""
    return account.volume or _first_volume(instance, account)


def another_volume(instance: str, account: Account) -> str:
    """Name for one more volume of an account's; of all that were made for it, the last one sorts last."""
    return f"{_first_volume(instance, account)}-{time.time_ns():x}"


def is_volume_for(instance: str, account: Account, volume: str) -> bool:
    """Whether a volume of this name was made for this account, whosever it is now."""
    return bool(re.fullmatch(rf"{re.escape(_first_volume(instance, account))}(-[0-9a-f]+)?", volume))


def account_volumes(instance: str, account: Account) -> set[str]:
    """Names of all volumes that an account's record names: its own, one that is being filled, one just replaced."""
    return {account_volume(instance, account), account.restoring, account.replaced} - {""}


def _first_volume(instance: str, account: Account) -> str:
    return f"{instance}-{account.name}-{account.id}"


def network_name(instance: str, index: int) -> str:
    """Name of one of the system's networks."""
    return instance if index == 0 else f"{instance}-net{index}"


def desired_networks(system: System) -> list[Network]:
    """The networks the system is to have."""
    return [
        Network(
            network_name(system.instance, index),
            _subnets(system, index, ipv4),
            routed(system),
            encrypted(system),
            system.instance,
        )
        for index, ipv4 in enumerate(system.networks)
    ]


def _subnets(system: System, index: int, ipv4: str) -> tuple[str, ...]:
    """Of both families, but for a Swarm's overlay networks, which know IPv4 alone."""
    return (ipv4,) if system.engine == "swarm" else (ipv4, str(networks.ipv6_subnet(system.ipv6_subnet, index)))


def routed(system: System) -> bool:
    """Whether the outside reaches main and the accounts by addresses of their own, on one engine."""
    return system.ipv6_routed and system.engine == "docker"


def encrypted(system: System) -> bool:
    """Whether a Swarm encrypts what goes between its machines."""
    return system.encrypted and system.engine == "swarm"


def local_network(system: System, node: str) -> str:
    """Name of the network that a machine of a Swarm has for its own prefix; empty when it has none."""
    prefix = system.prefixes.get(node)
    return local_network_beginning(system) + hashlib.sha256(prefix.encode()).hexdigest()[:8] if prefix else ""


def local_network_beginning(system: System) -> str:
    """How the names of all such networks begin."""
    return f"{system.instance}-ipv6-"


def local_subnets(system: System) -> dict[str, str]:
    """The IPv6 subnet of that network on each machine that has one."""
    return {node: str(networks.ipv6_subnet(prefix, 0)) for node, prefix in system.prefixes.items()}


def account_ipv6(system: System, account: Account) -> str:
    """The account's address, the same for as long as it exists; empty where the network has none of this family."""
    if system.engine == "swarm":
        prefix = system.prefixes.get(account.node)
        return str(networks.account_address(prefix, 0, account.id)) if prefix else ""
    return str(networks.account_address(system.ipv6_subnet, account.network, account.id))


def main_addresses(system: System, index: int) -> tuple[str, str]:
    """Main's addresses of both families on one of the system's networks."""
    ipv4, ipv6 = networks.main_addresses(system.networks[index], system.ipv6_subnet, index)
    return str(ipv4), str(ipv6)


def main_ipv6(system: System) -> str:
    """Main's own address for the outside; empty where it has none."""
    if system.engine == "swarm":
        prefix = system.prefixes.get(system.main_node)
        return str(networks.claimed_main_address(prefix)) if prefix else ""
    return main_addresses(system, 0)[1] if system.ipv6_routed else ""


def public_ipv6(system: System, account: Account) -> str:
    """The account's address if the outside can reach it; else empty."""
    return account_ipv6(system, account) if system.engine == "swarm" or system.ipv6_routed else ""


def public_addresses(system: System) -> tuple[str, ...]:
    """Main's addresses for the outside, as far as they are known."""
    return (*_public_ipv4(system), *filter(None, (main_ipv6(system),)))


def nameserver_addresses(system: System) -> tuple[str, ...]:
    """The name server's addresses for the outside, as far as they are known."""
    return (*_public_ipv4(system), *filter(None, (nameserver_ipv6(system),)))


def nameserver_ipv6(system: System) -> str:
    """The name server's own address for the outside; empty where it has none."""
    if system.engine == "swarm":
        prefix = system.prefixes.get(system.main_node)
        return str(networks.claimed_nameserver_address(prefix)) if prefix else ""
    return own_nameserver_addresses(system)[1] if system.ipv6_routed else ""


def _public_ipv4(system: System) -> tuple[str, ...]:
    known = system.public_ipv4 or (system.bind if system.bind != EVERYWHERE else "")
    return (known,) if known else ()


def own_nameserver_addresses(system: System) -> tuple[str, str]:
    """The name server's addresses of both families on the system's first network."""
    ipv4, ipv6 = networks.nameserver_addresses(system.networks[0], system.ipv6_subnet)
    return str(ipv4), str(ipv6)


def account_names(system: System, account: Account) -> tuple[str, ...]:
    """DNS names an account answers to."""
    return account.fqdn(system.domain), internal_name(account.name)


def main_names(system: System) -> tuple[str, ...]:
    """DNS names main answers to."""
    return *main_public_names(system), internal_name("main")


def main_public_names(system: System) -> tuple[str, ...]:
    """Those of them that clients know."""
    return system.domain, *(f"{host}.{system.domain}" for host in MAIN_HOSTS)


def account_spec(system: System, account: Account, image: str, *, guarded: bool = False) -> WorkloadSpec:
    """The container of one account.

    Args:
        image: tag of its image.
        guarded: the engine lets nothing through to an IPv6 address unless it is told to.
    """
    fqdn = account.fqdn(system.domain)
    local = local_network(system, account.node)
    return WorkloadSpec(
        name=account_container(system.instance, account.name),
        image=image,
        hostname=fqdn if len(fqdn) <= _LONGEST_HOSTNAME else account.name,
        network=network_name(system.instance, account.network),
        aliases=account_names(system, account),
        volume=account_volume(system.instance, account),
        mount=_MOUNT,
        memory=account.memory,
        pids=account.processes,
        cpus=account.cpus,
        cpu_weight=_CPU_WEIGHT,
        capabilities=_CAPABILITIES,
        tmpfs={"/run": "noexec,nosuid,nodev,mode=755", "/tmp": "noexec,nosuid,nodev"},  # noqa: S108  (inside the container)
        environment={
            "MAILPOD_FQDN": fqdn,
            "MAILPOD_DOMAIN": system.domain,
            "MAILPOD_MAIN": _main(system, account),
            "MAILPOD_PREFIX": system.prefixes.get(account.node, system.ipv6_subnet),
            "MAILPOD_INTERNET": account.internet,
            "MAILPOD_CONNECTIONS": str(account.connections),
            **({"MAILPOD_IPV6": account_ipv6(system, account)} if local else {}),
        },
        labels={
            LABEL_INSTANCE: system.instance,
            LABEL_ROLE: "account",
            LABEL_ACCOUNT: account.name,
            LABEL_ID: account.id,
        },
        dns=system.resolver,
        disk=_disk(account),
        ipv6="" if local else account_ipv6(system, account),
        local_network=local,
        open_ports=_PUBLIC_PORTS if guarded and routed(system) else (),
        node=account.node,
    )


def volume_spec(instance: str, volume: str, owner: str, image: str, node: str = "") -> WorkloadSpec:
    """What names a volume to an engine that is to look into it, whoever's it is.

    Args:
        owner: id of the account, or `main`.
        image: tag of an image that is there.
        node: the machine it is on.
    """
    return WorkloadSpec(
        name=volume,
        image=image,
        hostname="",
        network="",
        aliases=(),
        volume=volume,
        mount=_MOUNT,
        memory=0,
        pids=0,
        cpus=0,
        cpu_weight=_CPU_WEIGHT,
        capabilities=(),
        tmpfs={},
        environment={},
        labels={LABEL_INSTANCE: instance, LABEL_ID: owner},
        node=node,
    )


def _main(system: System, account: Account) -> str:
    """How the account knows main: by its addresses, or, where a Swarm gives it another at each start, by its name."""
    return internal_name("main") if system.engine == "swarm" else " ".join(main_addresses(system, account.network))


def _disk(account: Account) -> int:
    """Beside the mail itself there are its index for search, of about the same size, and a queue."""
    return 2 * account.quota + _BESIDE_MAIL if account.quota != NO_QUOTA else 0


def account_files(
    account: Account,
    identity: Identity,
    shown: str,
    authority: str,
    operator_key: str,
    main_fingerprint: str,
    send_as: Iterable[str] = (),
) -> list[File]:
    """The files an account has from the control plane; everything else on its volume is its own.

    Args:
        shown: the key and certificates that clients see, PEM.
        authority: the authority's certificate, PEM.
        operator_key: public line of the control plane's SSH key.
        main_fingerprint: of main's TLS public key; only its holder may use the account's port 25.
        send_as: aliases that the account may write as.
    """
    keys = "".join(f"{key}\n" for key in account.ssh_keys)
    return [
        File("etc/ssh/ssh_host_ed25519_key", identity.ssh_host_key.encode(), 0o600),
        File("etc/ssh/ssh_host_ed25519_key.pub", f"{identity.ssh_host_public}\n".encode()),
        File("etc/ssh/operator_keys", f"{operator_key}\n".encode()),
        File("etc/ssh/user_keys", keys.encode()),
        *tls_files(identity, shown, authority),
        File("etc/relay/sasl_passwd", f"{_RELAY} {account.name}:{identity.relay_secret}\n".encode(), 0o600),
        File("etc/relay/send_as", "".join(f"{address}\n" for address in send_as).encode()),
        File("etc/relay/main_key", f"{main_fingerprint} main\n".encode()),
        File("etc/quota", f"{account.quota} {quota_token(identity.relay_secret)}\n".encode(), 0o600),
        File(ACCOUNT_RECORD, account_record(account).encode(), 0o600),
    ]


def table_files(tables: dict[str, str]) -> list[File]:
    """Main's tables, by their path below its folder of tables."""
    return [File(f"etc/tables/{path}", text.encode(), 0o600) for path, text in sorted(tables.items())]


def password_file(hashes: Hashes) -> File:
    """The file that an account checks its main password against: each stack takes the line it can check."""
    return File("etc/password", f"{hashes.yescrypt}\n{hashes.argon2id}\n".encode(), 0o600)


def restored_file(former: str = "") -> File:
    """What tells an account, at its first start, that its volume was an account's before (images/account/base/init).

    Args:
        former: the name (FQDN) that account had, if it is to be another's.
    """
    return File(RESTORED, former.encode(), 0o600)


def tls_files(identity: Identity, shown: str, authority: str) -> list[File]:
    """What main or an account proves itself with, to the other inside and (`shown`, PEM) to clients; the authority."""
    return [
        File("etc/tls/key.pem", identity.tls_key.encode(), 0o600),
        File("etc/tls/cert.pem", identity.tls_certificate.encode()),
        File("etc/tls/ca.pem", authority.encode()),
        # One file, so that no daemon pairs an old key with a new certificate.
        File("etc/tls/shown.pem", shown.encode(), 0o600),
    ]
