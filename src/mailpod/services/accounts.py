"""Accounts: create, list, show, change, delete and bring back."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Unpack

from mailpod.model import layout
from mailpod.model.archive import File
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.model.names import account_name
from mailpod.model.records import DEFAULT_QUOTA, DEFAULT_STACK, MIB, Account, Limits, Stack, new_id, now
from mailpod.model.spec import LABEL_ID, Workload
from mailpod.services import copies, dns
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.held_images import ensure_image
from mailpod.services.holding import held, hurry
from mailpod.services.images import ACCOUNT, ensure_images
from mailpod.services.installation import make_room, require_main
from mailpod.services.networks import with_room
from mailpod.services.nodes import choose
from mailpod.services.passwords import check_password, hash_password
from mailpod.services.reachable import require_reachable
from mailpod.services.reconcile import (
    finish_purge,
    main_runs,
    make_anew,
    observed_accounts,
    push_tables,
    refresh,
    remove_container,
)
from mailpod.services.switching import require_room


@dataclass(frozen=True)
class AccountView:
    """An account as people see it: what was asked for beside what is there.

    Attributes:
        status: `frozen`, `running`, `unhealthy`, `restarting`, `stopped` or `missing`.
        ipv4: address on the system's network; empty while it is not running.
        ipv6: the address it has for good; empty where it has none.
        setup_page: URL that tells its owner how to set up mail clients.
    """

    account: Account
    domain: str
    status: str
    image: str
    ipv4: str
    ipv6: str
    setup_page: str


def view(context: Context, account: Account, workload: Workload | None) -> AccountView:
    """Join an account with its container, if it has one."""
    if workload is None:
        status, image, ipv4 = "frozen" if account.frozen else "missing", "", ""
    else:
        # One that runs all the same, because somebody started it by hand, is told.
        status = "frozen" if account.frozen and not workload.runs else workload.status
        image, ipv4 = workload.image, workload.ipv4
    domain = context.system.domain
    return AccountView(
        account,
        domain,
        status,
        image,
        ipv4,
        ipv6=layout.account_ipv6(context.system, account),
        setup_page=context.system.setup_page(account.short(domain)),
    )


def views(context: Context) -> list[AccountView]:
    """Every account, by name."""
    context.require_system()
    accounts = context.store.accounts()
    there = {w.labels.get(LABEL_ID): w for w in observed_accounts(context)}
    return [view(context, account, there.get(account.id)) for account in accounts]


def show(context: Context, name: str) -> AccountView:
    """One account; raises `NotFound` when there is none of that name."""
    context.require_system()
    account = context.store.account(name.lower())
    there = {w.labels.get(LABEL_ID): w for w in observed_accounts(context)}
    return view(context, account, there.get(account.id))


def create(
    context: Context,
    name: str,
    password: str,
    *,
    ssh_keys: tuple[str, ...] = (),
    stack: Stack = DEFAULT_STACK,
    node: str | None = None,
    **limits: Unpack[Limits],
) -> AccountView:
    """Create an account and wait until its SMTP, IMAP and SSH servers answer.

    Args:
        node: the machine of a Swarm that it is to be on; the one with most room when nothing is said.

    Raises:
        InvalidInput: the name, the password or the machine cannot be accepted.
        AlreadyExists: the name is an account's or an alias's.
        MailpodError: it could not be made; nothing is left of it.
    """
    account = Account(
        id=new_id(),
        name=account_name(name),
        created=now(),
        stack=stack,
        image=ACCOUNT[stack].tag,
        ssh_keys=ssh_keys,
        **Limits(quota=DEFAULT_QUOTA) | limits,
    )
    check_password(password)
    # Both take a processor's time; they go on beside all that the engine takes time for.
    with ThreadPoolExecutor(2) as pool:
        hashed = pool.submit(hash_password, password)
        signing = pool.submit(context.new_signing_keys)
        require_main(context)
        ensure_images(context.engine, context.progress, [ACCOUNT[stack]])
        make_room(context)
        with context.lock("converge", shared=True), _undone_on_failure(context, account, purge=True):
            with context.store.lock():
                check_free(context, account.name)
                account = placed(context, account, node)
                # Before others can see the account, so that nobody makes its keys a second time.
                context.account_identity(account)
                context.account_certificate(account)
                context.signing.keys(account.id, signing.result)
                context.store.save_account(account)
            context.progress(f"creating {account.name}")
            bring_up(context, account, lambda: [layout.password_file(hashed.result())])
        return show(context, account.name)


def bring_up(context: Context, account: Account, more: Callable[[], Iterable[File]] = tuple) -> None:
    """Start the account's container while main learns of it: mail that comes too early waits at main.

    Args:
        context: the system.
        account: which account.
        more: gives what its volume gets beside the files of every account, once the container has been made.
    """

    def seed() -> Iterator[File]:
        yield from context.account_files(account)
        yield from more()

    with context.channel.await_account(account.name) as answered, ThreadPoolExecutor(1) as pool:
        tables = pool.submit(_introduce, context, account)
        context.engine.create(context.account_spec(account), seed())
        answered()
        tables.result()
    if context.system.engine == "swarm":
        hurry(context)


def _introduce(context: Context, account: Account) -> None:
    """Let main know of an account, then everybody."""
    push_tables(context)
    dns.tell(context, account)


@contextlib.contextmanager
def _undone_on_failure(context: Context, account: Account, *, purge: bool) -> Iterator[None]:
    """Take the account away again when bringing it up fails or is interrupted.

    What the undo cannot finish, because the engine is gone or the process is killed, the next `apply` does.
    """
    try:
        yield
    except BaseException:
        if not context.store.holds(account):
            if purge:
                context.forget_keys(account)
            raise
        context.progress(f"undoing {account.name}")
        try:
            retire(context, account, purge=purge)
        except MailpodError:
            # Not even a record of what is to go could be written (a full disk) or the engine is gone.
            context.store.forget_account(account)
        raise


def retire(context: Context, account: Account, *, purge: bool, keep_backups: bool = False) -> None:
    """Take an account out of the desired state, out of main, then off the engine; its volume stays unless `purge`."""
    with context.store.lock():
        # As it is on record now: a move may have changed it since it was read.
        known = (account, *context.store.deleted(), *context.store.accounts())
        there = [one for one in known if one.id == account.id][-1]
        changes = {"deleted": account.deleted or now(), "purge": purge, "keep_backups": keep_backups}
        account = there.model_copy(update=changes)
        context.store.save_deleted(account)
        context.store.forget_account(account)
    try:
        # First, so that main refuses what could not be delivered any more.
        if main_runs(context):
            push_tables(context)
        dns.tell(context, account)
    finally:
        remove_container(context, account)
    if purge:
        finish_purge(context, account)


def placed(context: Context, account: Account, node: str | None) -> Account:
    """The account on a network with room; `make_room` has seen to that there is one, unless many came at once."""
    there = context.store.accounts()
    index = with_room(context.system, there)
    network = len(context.system.networks) - 1 if index is None else index
    machine = choose(context, there, node)
    return account.model_copy(update={"network": network, "node": machine})


def check_free(context: Context, name: str) -> None:
    """Refuse a name that is an account's or an alias's; raises `AlreadyExists`."""
    if any(account.name == name for account in context.store.accounts()):
        raise AlreadyExists(f"the account {name!r} exists already", f"see: mailpod account show {name}")
    if any(alias.local_part == name for alias in context.store.aliases()):
        raise AlreadyExists(f"{name}@{context.system.domain} is an alias", f"see: mailpod alias delete {name}")


def set_password(context: Context, name: str, password: str) -> None:
    """Change an account's password; it holds for every login from then on.

    Raises:
        NotFound: there is no such account.
        MailpodError: it is frozen.
    """
    context.require_system()
    account = context.store.account(name.lower())
    check_password(password)
    require_thawed(account)
    require_main(context)
    require_reachable(context, account)
    context.progress(f"setting the password of {account.name}")
    refresh(context, account, (layout.password_file(hash_password(password)),))


def change(
    context: Context,
    name: str,
    *,
    stack: Stack | None = None,
    ssh_keys: tuple[str, ...] | None = None,
    **limits: Unpack[Limits],
) -> AccountView:
    """Change what is given of an account, and make its container follow.

    Another stack finds messages, flags, folders, subscriptions and UIDs as they were; mail meanwhile waits at main.
    What is changed of a frozen account holds once it is thawed; its stack is not changed.

    Raises:
        NotFound: there is no such account.
        MailpodError: its container could not follow; the account is as it was.
    """
    context.require_system()
    before = context.store.account(name.lower())
    another = ACCOUNT[stack] if stack and stack != before.stack else None
    if another:
        require_thawed(before)
    require_main(context)
    if not before.frozen:
        require_reachable(context, before)
    ensure_image(context, before)
    ensure_images(context.engine, context.progress, [another] if another else [])
    with context.lock("converge", shared=True):
        if another:
            require_room(context, before)
        with context.store.lock():
            before = context.store.account(before.name)
            given = {"stack": stack, "ssh_keys": ssh_keys}
            update = {key: value for key, value in given.items() if value is not None}
            on = {"image": another.tag, "image_before": ""} if another else {}
            changed = before.model_copy(update=update | on | limits)
            context.store.save_account(changed)
        try:
            if "quota" in limits:
                _tell_of_volume(context, changed)
            if not changed.frozen:
                _follow(context, changed)
        except BaseException:
            context.store.save_account(before)
            context.progress(f"undoing the change of {before.name}")
            with contextlib.suppress(MailpodError):
                _follow(context, before)
            raise
    return show(context, before.name)


def _tell_of_volume(context: Context, account: Account) -> None:
    """Say when a volume has less room than a quota promises: the engine cannot change the limit it was made with."""
    room = context.engine.volume_limit(layout.account_volume(context.instance, account))
    wanted = context.account_spec(account).disk
    if room and not 0 < wanted <= room:
        context.progress(
            f"its volume was made for {room // MIB} MiB in all, and stays so: see docs/operator.md, Limits"
        )


def _follow(context: Context, account: Account) -> None:
    """Make the account's container anew if it is not as desired, and give it and main their files."""
    spec = context.account_spec(account)
    there = next((w for w in observed_accounts(context) if w.labels.get(LABEL_ID) == account.id), None)
    replaced = there is None or there.spec != spec.digest()
    with held(context, account) if replaced else contextlib.nullcontext():
        if replaced:
            context.progress(f"replacing {spec.name}")
            make_anew(context, account)
        refresh(context, account)
        push_tables(context)


def delete(context: Context, name: str, *, purge: bool, keep_backups: bool = False) -> list[Account]:
    """Delete an account: mail for it is refused from then on, and its volume is kept unless `purge`.

    With `purge`, those of that name that were deleted before and kept are destroyed too, and what restorings have
    replaced, unless it was brought back.

    Args:
        keep_backups: a purge leaves the backups for the time that a backup stays.

    Returns:
        What was deleted or destroyed, the account itself at the end.

    Raises:
        NotFound: there is no such account.
        InvalidInput: there is no backup of it to keep.
    """
    context.require_system()
    context.engine.info()
    with context.lock("converge", shared=True):
        gone = concerned(context, name, purge=purge)
        if keep_backups and not context.store.backed(gone[-1].id).taken:
            what = f"there is no backup of {gone[-1].name} to keep"
            raise InvalidInput(what, f"make one first: mailpod backup {gone[-1].name}")
        context.progress(f"deleting {', '.join(dict.fromkeys(one.name for one in reversed(gone)))}")
        for one in gone:
            retire(context, one, purge=purge, keep_backups=keep_backups)
    return gone


def concerned(context: Context, name: str, *, purge: bool) -> list[Account]:
    """What `delete` deletes or destroys; raises `NotFound` when there is no such account."""
    wanted = name.lower()
    kept = context.store.deleted() if purge else []
    named = [one for one in kept if one.name == wanted]
    try:
        named.append(context.store.account(wanted))
    except NotFound:
        if not named:
            raise
    ids = {one.id for account in named for one in copies.earlier(context, account)} - {one.id for one in named}
    return [*(one for one in kept if one.id in ids), *named]


def undelete(context: Context, name: str) -> AccountView:
    """Bring back, to stay, the account of this name that was deleted last, with its mail, password and keys.

    Raises:
        NotFound: no deleted account of this name is kept.
        AlreadyExists: the name is in use again.
    """
    require_main(context)
    wanted = name.lower()
    kept = [one for one in context.store.deleted() if one.name == wanted and not one.purge]
    if not kept:
        raise NotFound(f"no deleted account {wanted!r} is kept", "see: mailpod account deleted")
    account = kept[-1]
    require_reachable(context, account)
    if layout.account_volume(context.instance, account) not in context.engine.volumes(context.instance):
        raise NotFound(f"the volume of {wanted!r} is gone", "restore it from a backup")
    account = ensure_image(context, account).model_copy(update={"deleted": None, "expires": None})
    # What is undone was deleted when it was.
    with context.lock("converge", shared=True), _undone_on_failure(context, kept[-1], purge=False):
        with context.store.lock():
            check_free(context, wanted)
            context.store.save_account(account)
            context.store.forget_deleted(account.id)
        context.rotate(account)
        context.progress(f"bringing back {wanted}")
        if account.frozen:
            _introduce(context, account)
        else:
            bring_up(context, account)
    return show(context, wanted)
