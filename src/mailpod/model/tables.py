"""main's tables, rendered from the desired state alone: where mail goes, who may send, log in and jump.

Every function returns the whole text of one table, so that main can swap it in at once.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping

from mailpod.model.dkim import SigningKeys
from mailpod.model.names import ROLES
from mailpod.model.networks import account_address
from mailpod.model.records import FILTERS, NO_QUOTA, Account, Alias, System

INTERNAL = "mailpod.internal"
"""Zone of the names containers find each other by; `.internal` is never delegated in public DNS."""

# Where main's Postfix puts on hold what is for a frozen account or from one.
_FROZEN = "frozen:[127.0.0.1]:10028"
_NOBODY_YET = "450 4.3.0 No account exists yet; try again later"


def internal_name(name: str) -> str:
    """The name under which main reaches the account `name`."""
    return f"{name}.{INTERNAL}"


def quota_token(relay_secret: str) -> str:
    """What main shows an account that it asks how full it is: both can tell it, and no other account."""
    return hashlib.sha256(f"quota {relay_secret}".encode()).hexdigest()


def render(
    system: System,
    accounts: Iterable[Account],
    aliases: Iterable[Alias],
    relay_secrets: Mapping[str, str],
    signing_keys: Mapping[str, SigningKeys],
    kept: Iterable[Account] = (),
) -> dict[str, str]:
    """All of main's tables.

    Args:
        accounts: those that exist, without the deleted ones.
        relay_secrets: by account id, what the account proves itself with at main's relay.
        signing_keys: by domain, what mail from it is signed with.
        kept: deleted accounts that can come back.

    A frozen account's mail is accepted and put on hold, and nothing else of it works.

    Returns:
        Text by path below main's folder of tables.
    """
    people = sorted(accounts, key=lambda account: account.name)
    active = [account for account in people if not account.frozen]
    frozen = [account for account in people if account.frozen]
    shared = list(aliases)
    expansions = expand(system, people, shared)
    limited = _limited(system, active, expansions)
    return {
        "postfix/recipients": _lines(f"{a.canonical(system.domain)} OK" for a in people),
        "postfix/aliases": _lines(f"{address} {', '.join(to)}" for address, to in sorted(expansions.items())),
        "postfix/transport": _transport(system, people),
        "postfix/senders": _senders(system, people, shared),
        "postfix/frozen": _lines(f"{address} {_FROZEN}" for a in frozen for address in _own(system, a)),
        "postfix/access": _access(system, expansions),
        "postfix/limited": _lines(f"{address} limited" for address in limited),
        "quota/accounts": _lines(
            f"{address} {internal_name(a.name)} {quota_token(relay_secrets[a.id])}" for address, a in limited.items()
        ),
        "identity/accounts": _authors(system, people, shared),
        "identity/readers": _lines(" ".join(words) for words in _readers(system, people, expansions)),
        "dovecot/logins": _logins(system, active),
        "dovecot/sieve": _filters(system, active),
        "dovecot/relay": _lines(f"{a.name}:{_sha256(relay_secrets[a.id])}" for a in active),
        "rspamd/keys": _signers(signing_keys),
        "ssh/jump_keys": _jump_keys(system, active),
        "roundcube/identities": _identities(system, active, [*frozen, *kept]),
    }


def expand(system: System, accounts: Iterable[Account], aliases: Iterable[Alias]) -> dict[str, tuple[str, ...]]:
    """Every address that stands for others, and those it stands for.

    Short addresses stand for canonical ones. The role addresses of RFC 2142 that nobody claimed, and
    postmaster at every subdomain (RFC 5321 section 4.5.1), go to the oldest account. An alias whose targets are
    all gone is left out, so that its senders are told.
    """
    people = {account.id: account for account in accounts}
    table: dict[str, tuple[str, ...]] = {a.short(system.domain): (a.canonical(system.domain),) for a in people.values()}
    shared = {alias.local_part: alias for alias in aliases}
    for alias in shared.values():
        targets = members(system, alias, people, shared)
        if targets:
            table[f"{alias.local_part}@{system.domain}"] = targets
    if people:
        oldest = min(people.values(), key=lambda account: (account.created, account.id))
        for role in ROLES:
            table.setdefault(f"{role}@{system.domain}", (oldest.canonical(system.domain),))
    for role in ("postmaster", "abuse"):
        target = table.get(f"{role}@{system.domain}")
        if target:
            hosts = [system_host(system), *(a.fqdn(system.domain) for a in people.values())]
            table.update({f"{role}@{host}": target for host in hosts})
    return table


def system_host(system: System) -> str:
    """The name main calls itself by: its MX host."""
    return f"mail.{system.domain}"


def members(
    system: System, alias: Alias, people: Mapping[str, Account], shared: Mapping[str, Alias]
) -> tuple[str, ...]:
    """The addresses an alias stands for, without those that reach nobody (any more).

    Args:
        people: accounts by id.
        shared: aliases by local part, none of which stands for itself.
    """

    def reaches(target: str) -> bool:
        inner = shared.get(split_tag(target)[0])
        return inner is not None and bool(members(system, inner, people, shared))

    owners = ((people.get(account), tag) for account, tag in map(split_tag, alias.accounts))
    own = [f"{owner.name}{tag}@{system.domain}" for owner, tag in owners if owner]
    elsewhere = [target for target in alias.targets if "@" in target]
    further = [f"{target}@{system.domain}" for target in alias.targets if "@" not in target and reaches(target)]
    return (*own, *further, *elsewhere)


def split_tag(text: str) -> tuple[str, str]:
    """What comes before a `+`, and the rest with it; the rest is empty when there is none."""
    name, plus, tag = text.partition("+")
    return name, plus + tag


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _transport(system: System, people: Iterable[Account]) -> str:
    routes = [f"{a.fqdn(system.domain)} {_FROZEN if a.frozen else _relay(a)}" for a in people]
    # Mail still queued for an account that was deleted goes back to its sender, instead of out to the MX, which is
    # main itself.
    gone = [f"{where} error:5.1.1 No such account here" for where in (system.domain, f".{system.domain}")]
    return _lines(routes + gone)


def _relay(account: Account) -> str:
    return f"relay:[{internal_name(account.name)}]:25"


def _senders(system: System, people: Iterable[Account], aliases: Iterable[Alias]) -> str:
    owners: dict[str, list[str]] = {}
    for account in people:
        for address in (*_own(system, account), *sends_as(system, account, aliases)):
            owners.setdefault(address, []).append(account.name)
    return _lines(f"{address} {', '.join(names)}" for address, names in owners.items())


def sends_as(system: System, account: Account, aliases: Iterable[Alias]) -> tuple[str, ...]:
    """The aliases that an account may write as, because it is in them."""
    return tuple(
        f"{alias.local_part}@{system.domain}"
        for alias in aliases
        if alias.send and account.id in {split_tag(one)[0] for one in alias.accounts}
    )


def _authors(system: System, people: Iterable[Account], aliases: Iterable[Alias]) -> str:
    # Its servers write reports in names of their own.
    daemons = ("mailer-daemon", "postmaster")

    def line(account: Account) -> str:
        own = (*_own(system, account), *(f"{daemon}@{account.fqdn(system.domain)}" for daemon in daemons))
        own += sends_as(system, account, aliases)
        return " ".join((account.name, str(account.messages_per_hour), account.internet, *own))

    return _lines(line(account) for account in people)


def _readers(
    system: System, people: Iterable[Account], expansions: Mapping[str, tuple[str, ...]]
) -> Iterable[tuple[str, ...]]:
    """Every address, and the names of the accounts that it leads to."""
    owners = {account.canonical(system.domain): account.name for account in people}

    def names(address: str) -> set[str]:
        local, host = address.rsplit("@", 1)
        plain = f"{split_tag(local)[0]}@{host}"
        further = (names(target) for target in expansions.get(plain, ()))
        return {owners[plain]} if plain in owners else set().union(*further)

    found = ((address, sorted(names(address))) for address in sorted({*owners, *expansions}))
    return ((address, *readers) for address, readers in found if readers)


def _own(system: System, account: Account) -> tuple[str, str]:
    return account.short(system.domain), account.canonical(system.domain)


def _access(system: System, expansions: Mapping[str, tuple[str, ...]]) -> str:
    hosts = (system.domain, system_host(system))
    addresses = [f"{role}@{host}" for role in ("postmaster", "abuse") for host in hosts]
    return _lines(f"{address} {_NOBODY_YET}" for address in addresses if address not in expansions)


def _limited(
    system: System, people: Iterable[Account], expansions: Mapping[str, tuple[str, ...]]
) -> dict[str, Account]:
    """Every address that leads to one account alone, if that has a quota."""
    owners = {account.canonical(system.domain): account for account in people}

    def owner(address: str) -> Account | None:
        name, host = address.split("@")
        plain = f"{split_tag(name)[0]}@{host}"
        to = expansions.get(plain, ())
        return owners.get(plain) or (owner(to[0]) if len(to) == 1 else None)

    found = ((address, owner(address)) for address in sorted({*owners, *expansions}))
    return {address: account for address, account in found if account and account.quota != NO_QUOTA}


def _logins(system: System, people: Iterable[Account]) -> str:
    # passwd-file with extra fields only: the password is for the account's own servers to check.
    return _lines(f"{login}:::::::{_server(system, a)}" for a in people for login in _login_names(system, a))


def _server(system: System, account: Account) -> str:
    if system.engine == "swarm":
        # The Swarm alone knows the address, another one at each start.
        return f"host={internal_name(account.name)}"
    # The name is for the certificate alone: of an address asked for by name the proxy is sure for ten seconds.
    address = account_address(system.ipv6_subnet, account.network, account.id)
    return f"host={internal_name(account.name)} hostip={address}"


def _filters(system: System, people: Iterable[Account]) -> str:
    return _lines(f"{login}:::::::{_filter_server(system, a)}" for a in people for login in _login_names(system, a))


def _filter_server(system: System, account: Account) -> str:
    if FILTERS[account.stack] == "sieve":
        return f"proxy {_server(system, account)}"
    return "nologin"


def _login_names(system: System, account: Account) -> tuple[str, ...]:
    return account.name, *_own(system, account), _webmail_login(account)


def _webmail_login(account: Account) -> str:
    """What the webmail knows an account by: never another's, as its name may be. No name begins with a `_`."""
    return f"_{account.id}"


def _sha256(secret: str) -> str:
    return "{SHA256}" + base64.b64encode(hashlib.sha256(secret.encode()).digest()).decode()


def _signers(signing_keys: Mapping[str, SigningKeys]) -> str:
    text = _lines(
        f"{domain} {key.selector} {key.private}" for domain, keys in signing_keys.items() for key in keys.signing
    )
    # By its first line the signer knows whether it has read this text.
    return f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def _jump_keys(system: System, people: Iterable[Account]) -> str:
    # sshd(8) goes by the first line that holds a key: one that belongs to several accounts has all of them there.
    lines: dict[str, str] = {}
    opens: dict[str, list[str]] = {}
    for account in people:
        for key in account.ssh_keys:
            blob = key.split()[1]
            lines.setdefault(blob, key)
            hosts = (account.fqdn(system.domain), internal_name(account.name))
            opens.setdefault(blob, []).extend(f'permitopen="{host}:22"' for host in hosts)
    return _lines(
        f"restrict,port-forwarding,{','.join(dict.fromkeys(opens[blob]))} {key}" for blob, key in lines.items()
    )


def _identities(system: System, people: Iterable[Account], kept: Iterable[Account]) -> str:
    # One line each; that of a deleted or frozen account only tells that its address book and settings are somebody's.
    lines = [" ".join((_webmail_login(a), FILTERS[a.stack], a.name, *_own(system, a))) for a in people]
    return _lines([*lines, *(_webmail_login(a) for a in sorted(kept, key=lambda account: account.id))])
