"""The whole installation: up, apply and down."""

import contextlib
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from mailpod.model import composition, layout, secondary, zone
from mailpod.model.errors import AlreadyExists, MailpodError
from mailpod.model.plan import Step
from mailpod.model.records import MainImages, System
from mailpod.model.relay_host import RelayCredentials
from mailpod.model.spec import LABEL_ROLE
from mailpod.services import announcing, held_images, images, networks, ports, relay_host, resolving
from mailpod.services import antivirus as antivirus_service
from mailpod.services.channel import ChannelClosed
from mailpod.services.context import Context
from mailpod.services.founding import swarm_of_one
from mailpod.services.reachable import down as down_machines
from mailpod.services.reconcile import converge, main_files, main_runs, steps
from mailpod.store import write_durably
from mailpod.waiting import until

# What other commands change.
_NOT_OF_UP = ("networks", "secondaries", "images", "images_before")
_OVERRIDE = "compose.override.json"


def up(context: Context, system: System, advertise: str = "", credentials: RelayCredentials | None = None) -> None:
    """Deploy or update the installation; safe to repeat.

    When main cannot be deployed, a first `up` leaves nothing behind, and a later one what ran before.

    Args:
        context: the system.
        system: what `planned` gave.
        advertise: address of this machine for others, if a Swarm has to be made; empty when it has one only.
        credentials: new ones for the relay host, if there are any.

    Raises:
        AlreadyExists: the engine has a system of this instance that the state folder knows nothing of.
        MailpodError: main could not be deployed, or an account not be brought up; all others were.
    """
    with swarm_of_one(context, advertise) if system.engine == "swarm" else contextlib.nullcontext():
        _up(context, system, credentials)


def _up(context: Context, system: System, credentials: RelayCredentials | None) -> None:
    _check_up(context, system)
    held_images.ensure_all(context, system)
    with context.lock("system"):
        # Another `up` may have been faster.
        before = _check_up(context, system)
        with undone_on_failure(context, before):
            with context.store.lock():
                # Before the record that names them, so that no crash leaves it without them.
                if credentials:
                    relay_host.save(context.store, system, credentials)
                # Another command may have changed that meanwhile.
                known = {name: getattr(before or system, name) for name in _NOT_OF_UP}
                context.adopt(held_images.with_images(context, system.model_copy(update=known)))
            deploy(context)
            announcing.tell(context)
        converge(context)


def _check_up(context: Context, system: System) -> System | None:
    """Refuse what cannot be brought about, before anything is touched; the installation as it is in the folder."""
    before = context.store.find_system()
    if before is None:
        check_unclaimed(context)
    elif before.engine != system.engine:
        raise MailpodError(f"{before.domain} was brought to another engine meanwhile", "try again")
    networks.check_prefix(context, system)
    resolving.check(context.store)
    if context.engine_is_here:
        antivirus_service.check(before, system)
        ports.check(system, ports.held(context, before, system))
    return before


def check_unclaimed(context: Context) -> None:
    """Refuse to take over, or to undo, what another state folder has on the engine."""
    if _there(context):
        raise AlreadyExists(
            f"the engine has an instance {context.instance!r}, of which {context.store.folder} knows nothing",
            "give the folder of that system with --state DIR; if it is lost, run: mailpod rebuild",
        )


def _there(context: Context) -> bool:
    return bool(context.engine.workloads(context.instance) or context.engine.volumes(context.instance))


def require_main(context: Context) -> None:
    """Refuse what needs main while main is not there, before anything is touched."""
    context.require_system()
    if not context.system.networks:
        raise MailpodError("this system was made by an older mailpod", "bring it up to date with: mailpod apply")
    if not main_runs(context):
        raise MailpodError("the main system is not running", f"start it with: mailpod up {context.system.domain}")


def deploy(context: Context, on: MainImages | None = None) -> None:
    """Make main run as the Compose file says, on its own images or on these, and wait until it answers."""
    _run_main(context, on)
    with context.store.lock("tables"):
        until(
            partial(_deployed, context),
            60,
            "main did not start",
            "see: docker logs " + layout.main_container(context.instance),
        )


def _run_main(context: Context, on: MainImages | None = None) -> None:
    networks.ensure(context)
    networks.place_main(context)
    networks.choose_encryption(context)
    _write_main_secrets(context)
    if networks.differ(context):
        context.progress("leaving the old networks")
        _remove_containers(context)
    networks.ensure_local(context)
    context.progress("starting main")
    _remove_beside(context, set(layout.BESIDE_MAIN) - set(composition.profiles(context.system)))
    context.engine.deploy_main(compose_files(context), environment(context, on))


def _remove_beside(context: Context, roles: Collection[str]) -> None:
    """What Compose is not told of any more it leaves alone."""
    for workload in context.engine.workloads(context.instance):
        if workload.labels.get(LABEL_ROLE) in roles:
            context.engine.remove(workload.name)


def _deployed(context: Context) -> bool:
    try:
        context.channel.main("deploy", main_files(context))
    except ChannelClosed:
        return False
    return True


def environment(context: Context, on: MainImages | None = None) -> dict[str, str]:
    """Values of the variables in `compose.yaml`; `on` takes the place of main's own images."""
    system = context.system
    held = images.of_main(system.model_copy(update={"images": on}) if on else system)
    return composition.main_environment(
        system,
        str(context.store.folder.resolve()),
        held.model_dump(),
        zone.soa(system),
        secondary.digest(context.secondaries()),
    )


def compose_files(context: Context) -> list[Path]:
    """The Compose file, and what this system adds to it, for which Compose has no variables."""
    extra = context.store.folder / _OVERRIDE
    return [images.SOURCES / "compose.yaml", *([extra] if extra.exists() else [])]


def make_room(context: Context) -> None:
    """Add a network when all are full. main is made anew to be on it too, which takes it away for some seconds."""
    if networks.with_room(context.system, context.store.accounts()) is not None:
        return
    with context.lock("system"):
        context.look_again()
        if networks.with_room(context.system, context.store.accounts()) is None:
            networks.ensure(context, more=1)
            deploy(context)


def _write_main_secrets(context: Context) -> None:
    """What Compose mounts into main, and is told, so that `docker compose` also works by hand."""
    folder = context.store.secrets / "main"
    write_durably(folder / "ssh_host_key", context.main_identity.ssh_host_key.encode(), 0o600)
    write_durably(folder / "operator_keys", f"{context.keys.operator()[1]}\n".encode(), 0o600)
    context.keys.forget_other_secondaries(context.system.secondaries)
    known = secondary.primary_side(context.keys.dns_secret(), context.secondaries())
    write_durably(folder / "dns_keys", known.encode(), 0o600)
    write_compose(context)


def write_compose(context: Context) -> None:
    """Write what Compose is told, as the record of the system has it now."""
    for path, text in compose_texts(context).items():
        if text:
            write_durably(path, text.encode(), 0o600)
        else:
            path.unlink(missing_ok=True)


def compose_texts(context: Context) -> dict[Path, str]:
    """What Compose is told beside `compose.yaml`, by file; empty for a file that is not to be there."""
    return {
        context.store.folder / _OVERRIDE: composition.compose_override(context.system, guarded=context.guarded),
        context.store.folder / "compose.env": "".join(f"{k}={v}\n" for k, v in environment(context).items()),
    }


@contextlib.contextmanager
def undone_on_failure(context: Context, before: System | None) -> Iterator[None]:
    """Bring back the installation as it was before, or leave nothing of a new one, when what is done here fails."""
    try:
        yield
    except BaseException:
        if context.store.find_system():
            context.progress("undoing")
            with contextlib.suppress(MailpodError):
                if before is None:
                    _take_back(context)
                else:
                    _put_back(context, before)
        raise


def _put_back(context: Context, before: System) -> None:
    """Let main be as it was; what it had from the control plane is on its volume."""
    context.adopt(before)
    relay_host.forget_others(context.store)
    if before.running:
        _run_main(context)
        if steps(context):
            converge(context)
    else:
        _remove_main(context)


def _take_back(context: Context) -> None:
    """Leave nothing of a first `up`. What the engine does not let go of keeps its record, for `down --purge`."""
    with contextlib.suppress(MailpodError):
        _remove_main(context)
    context.engine.remove_volumes(context.instance)
    if not _there(context):
        context.store.erase()


def _remove_containers(context: Context) -> None:
    for account in context.engine.helpers(context.instance):
        context.engine.remove_helpers(context.instance, account)
    for workload in context.engine.workloads(context.instance):
        if workload.labels.get(LABEL_ROLE) == "account":
            context.progress(f"stopping {workload.name}")
            context.engine.remove(workload.name)
    context.progress("stopping main")
    _remove_main(context)


def _remove_main(context: Context) -> None:
    networks.ensure(context)
    _remove_beside(context, layout.BESIDE_MAIN)
    context.engine.remove_main(compose_files(context), environment(context))
    networks.remove_local(context, every=True)


def apply(context: Context) -> list[Step]:
    """Converge everything to the desired state."""
    context.require_system()
    if not context.system.running:
        raise MailpodError("the system is down", f"start it with: mailpod up {context.system.domain}")
    held_images.ensure_all(context, context.system)
    with context.lock("system"):
        context.look_again()
        held = held_images.with_images(context, context.system)
        if held != context.system:
            context.adopt(held)
        for workload in context.engine.workloads(context.instance):
            if workload.labels.get(LABEL_ROLE) == "main":
                held_images.tell_of_trial(context, "main", workload.image, held.images.main)
        deploy(context)
        return converge(context)


def down(context: Context, *, purge: bool) -> None:
    """Stop the installation and remove its containers; with `purge`, its volumes, keys and state as well."""
    context.require_system()
    context.engine.info()
    if purge:
        _check_all_there(context)
    # The second lock keeps accounts from being made meanwhile.
    with context.lock("system"), context.lock("converge"):
        _down(context, purge=purge)


def _check_all_there(context: Context) -> None:
    """Refuse to forget a system while a machine that has volumes of it is down."""
    accounts = [*context.store.accounts(), *context.store.deleted()]
    for node in down_machines(context):
        if any(account.node == node for account in accounts):
            raise MailpodError(f"{node} is down, and has mail of this system", "start it first; see: mailpod node list")


def _down(context: Context, *, purge: bool) -> None:
    context.adopt(context.store.system().model_copy(update={"running": False}))
    _remove_containers(context)
    if purge:
        context.engine.remove_volumes(context.instance)
        context.store.erase()
