"""Bringing main and accounts to the newest images, one after another, each checked before the next.

A record names the image its container is on. While another one is tried it still names the old one: what stops before
the check is done leaves a system that `apply` brings back to where it was.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mailpod.model import composition
from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.records import Account, MainImages
from mailpod.services import copies, images
from mailpod.services.carrying import settle
from mailpod.services.checking import can_check, check
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.installation import deploy, require_main, write_compose
from mailpod.services.reachable import down, require_reachable
from mailpod.services.reconcile import push_tables

MAIN = "main"


@dataclass(frozen=True)
class Upgraded:
    """Main or an account that is on another image now.

    Attributes:
        image: the name of that image.
        before: of the one it was on.
    """

    name: str
    image: str
    before: str


def upgrade(context: Context, names: Sequence[str] = (), canary: str = "", *, packages: bool = False) -> list[Upgraded]:
    """Bring accounts, and main, to the newest images: one at a time, and the next when the last is found to work.

    One that does not work goes back to the image it was on, and nothing after it is touched. Mail waits meanwhile: at
    main for an account, with its senders for main.

    Args:
        names: which, in this order; `main` stands for main. Without any: main, then every account.
        canary: which one is the first. Main comes before it, and before those that are named, if it is too old to check
            an account.
        packages: build the newest images once more before, with the packages that Debian has now.

    Returns:
        Those that were brought to another image. Frozen ones, and those whose machine is down, are left out.

    Raises:
        NotFound: there is no such account.
        MailpodError: one did not work. It is on its old image again, and those before it stay on the new one.
    """
    require_main(context)
    wanted = _order(context, [name.lower() for name in names], canary.lower())
    if wanted[0] != MAIN and not can_check(context):
        context.progress("main comes first: as it is, it is of a version that cannot check accounts yet")
        wanted = list(dict.fromkeys([MAIN, *wanted]))
    needed = [images.ACCOUNT[context.store.account(name).stack] for name in wanted if name != MAIN]
    if MAIN in wanted:
        needed += [images.MAIN, *(images.BESIDE_MAIN[one] for one in composition.profiles(context.system))]
    build = images.renew if packages else images.ensure_images
    build(context.engine, context.progress, needed)
    context.engine.spread_images(sorted({image.tag for image in needed}), context.progress)
    done: list[Upgraded] = []
    for name in wanted:
        done += _upgrade_main(context) if name == MAIN else _upgrade_account(context, name)
    return done


def rollback(context: Context, name: str) -> Upgraded:
    """Bring an account, or `main`, back to the image it was on before the last upgrade or rollback.

    Raises:
        NotFound: there is no such account, or no image from before.
        MailpodError: that image is gone, or does not start; it is on the image it was on.
    """
    require_main(context)
    if name.lower() == MAIN:
        with context.lock("system"):
            context.look_again()
            return _bring_main(context, context.system.images_before)
    with context.lock("converge"):
        account = context.store.account(name.lower())
        require_thawed(account)
        require_reachable(context, account)
        _require_there(context, account.name, account.image_before)
        # An older image need not know how to be checked: that it answers has been seen then.
        return _bring(context, account, account.image_before, lambda _context, _account: None)


def _order(context: Context, names: Sequence[str], canary: str) -> list[str]:
    known = [account.name for account in context.store.accounts()]
    for name in (*names, *([canary] if canary else [])):
        if name not in {MAIN, *known}:
            raise NotFound(f"there is no account {name!r}", "see: mailpod account list")
    if canary and names and canary not in names:
        raise InvalidInput(f"the canary {canary} is not among those to be upgraded", "name it too, or name none")
    first = [canary] if canary else []
    return list(dict.fromkeys([*first, *(names or [MAIN, *known])]))


def _upgrade_main(context: Context) -> list[Upgraded]:
    with context.lock("system"):
        context.look_again()
        newest = images.newest_of_main(context.system)
        if context.system.images == newest:
            return []
        return [_bring_main(context, newest)]


def _bring_main(context: Context, wanted: MainImages) -> Upgraded:
    before = context.system
    held = images.of_main(before)
    _require_there(context, MAIN, wanted.main)
    context.progress(f"bringing main to {wanted.main}")
    with _or_back(context, MAIN, held.main, lambda: deploy(context)):
        deploy(context, wanted)
    with context.store.lock():
        changed = {"images": wanted, "images_before": held}
        context.adopt(context.store.system().model_copy(update=changed))
    write_compose(context)
    push_tables(context)
    for tag in before.images_before.tags():
        _forget(context, tag)
    return Upgraded(MAIN, wanted.main, held.main)


def _upgrade_account(context: Context, name: str) -> list[Upgraded]:
    # So that nobody else starts it meanwhile on the image that its record still names.
    with context.lock("converge"):
        context.look_again()
        account = context.store.account(name)
        newest = images.ACCOUNT[account.stack].tag
        if images.of_account(account) == newest:
            return []
        if account.frozen or account.node in down(context):
            context.progress(f"{name} is left out: {'it is frozen' if account.frozen else f'{account.node} is down'}")
            return []
        return [_bring(context, account, newest, check)]


def _bring(context: Context, account: Account, image: str, prove: Callable[[Context, Account], object]) -> Upgraded:
    held = images.of_account(account)
    context.progress(f"bringing {account.name} to {image}")
    tried = account.model_copy(update={"image": image})
    with _or_back(context, account.name, held, lambda: settle(context, account)):
        settle(context, tried)
        prove(context, tried)
    copies.record(context, account, image=image, image_before=held)
    push_tables(context)
    _forget(context, account.image_before)
    return Upgraded(account.name, image, held)


@contextlib.contextmanager
def _or_back(context: Context, name: str, held: str, back: Callable[[], object]) -> Iterator[None]:
    """Bring what is tried here back to the image it was on when it does not work, or is interrupted."""
    try:
        yield
    except BaseException as problem:
        why = problem.what if isinstance(problem, MailpodError) else "interrupted"
        context.progress(f"{name} goes back to {held}: {why}")
        try:
            back()
        except MailpodError as worse:
            raise MailpodError(
                f"{name} works neither on its new image ({why}) nor on {held}: {worse.what}", "try: mailpod apply"
            ) from problem
        if not isinstance(problem, MailpodError):
            raise
        raise MailpodError(
            f"{name} does not work on its new image, and is back on {held}: {why}",
            "what was not reached yet keeps its old image; go on with: mailpod upgrade",
        ) from problem


def _require_there(context: Context, name: str, tag: str) -> None:
    if not tag:
        raise NotFound(f"no image is known that {name} was on before", "see: mailpod status")
    if not context.engine.has_image(tag):
        raise MailpodError(f"{tag}, which {name} was on before, is gone", "see: docker image ls")


def _forget(context: Context, tag: str) -> None:
    """Remove an image that no record of this system names any more, unless a container is on it."""
    system = context.store.system()
    used = system.images.tags() | system.images_before.tags()
    used |= {tag for one in context.store.accounts() for tag in (one.image, one.image_before)}
    newest = {image.tag for image in (images.MAIN, *images.BESIDE_MAIN.values(), *images.ACCOUNT.values())}
    if tag and tag not in used | newest:
        context.engine.remove_image(tag)
