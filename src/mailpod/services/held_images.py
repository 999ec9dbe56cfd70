"""The images that records name: whatever converges keeps a container on its image as long as that is there."""

from collections.abc import Iterable

from mailpod.model import composition
from mailpod.model.records import DEFAULT_STACK, Account, MainImages, System
from mailpod.services import copies, images
from mailpod.services.context import Context
from mailpod.services.images import Image


def ensure_image(context: Context, account: Account) -> Account:
    """See to it that an account, perhaps deleted, has an image that is there: its own, or if that is gone, the newest.

    Returns:
        The account as it is on record then.
    """
    held = _held(context, account.name, account.image, images.ACCOUNT[account.stack])
    if held == account.image:
        return account
    return copies.record(context, account, image=held, image_before="")


def with_images(context: Context, system: System) -> System:
    """The installation with images of main and what is beside it that are there, likewise; it is not written."""
    wanted = {"main": images.MAIN, **{name: images.BESIDE_MAIN[name] for name in composition.profiles(system)}}
    held = {name: _held(context, name, getattr(system.images, name), image) for name, image in wanted.items()}
    return system.model_copy(update={"images": MainImages(**held)})


def ensure_all(context: Context, system: System) -> None:
    """Give every machine the images of the system and of its accounts, and that of a new account."""
    held = with_images(context, system).images
    accounts = [ensure_image(context, account) for account in context.store.accounts()]
    newest = images.ACCOUNT[DEFAULT_STACK]
    images.ensure_images(context.engine, context.progress, [newest])
    tags = {newest.tag, *held.tags(), *(account.image for account in accounts)}
    context.engine.spread_images(sorted(tags), context.progress)


def tell_of_trial(context: Context, name: str, there: str, held: str) -> None:
    """Say that something goes back to the image on record, where an upgrade or a rollback was cut short.

    Args:
        there: the image it is on.
        held: the one on record.
    """
    another_version = there != held and there.partition(":")[0] == held.partition(":")[0]
    if another_version and context.engine.has_image(there):
        context.progress(f"{name} is back on {held}: it was being brought to {there} when that was cut short")


def upgradable(system: System, accounts: Iterable[Account]) -> list[str]:
    """Names of those that `upgrade` would bring to another image; `main` stands for main and what is beside it."""
    old = [account.name for account in accounts if is_old(account)]
    return ["main", *old] if system.images not in {MainImages(), images.newest_of_main(system)} else old


def is_old(account: Account) -> bool:
    """Whether there is a newer image for an account than it has."""
    return images.of_account(account) != images.ACCOUNT[account.stack].tag


def _held(context: Context, name: str, tag: str, newest: Image) -> str:
    if tag and context.engine.has_image(tag):
        return tag
    if tag not in {"", newest.tag}:
        context.progress(f"{tag}, which {name} is on, is gone: it gets the newest image, {newest.tag}")
    images.ensure_images(context.engine, context.progress, [newest])
    return newest.tag
