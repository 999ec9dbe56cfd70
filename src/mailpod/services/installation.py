"""The whole installation: up, apply and down."""

import contextlib
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from mailpod.host import routes
from mailpod.model import layout, names, zone
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError
from mailpod.model.networks import routed_prefix, unique_local_prefix
from mailpod.model.plan import Step
from mailpod.model.records import EVERYWHERE, PORTS, Dns, EngineKind, MainImages, System
from mailpod.model.relay_host import RelayCredentials
from mailpod.model.spec import LABEL_ROLE
from mailpod.services import held_images, images, networks, ports, relay_host
from mailpod.services.channel import ChannelClosed
from mailpod.services.context import Context
from mailpod.services.founding import swarm_of_one
from mailpod.services.reachable import down as down_machines
from mailpod.services.reconcile import converge, main_files, main_runs, steps
from mailpod.store import Store, write_durably
from mailpod.waiting import until

_OVERRIDE = "compose.override.json"


def planned(
    store: Store,
    domain: str,
    instance: str,
    *,
    bind: str | None = None,
    port_base: int | None = None,
    resolver: str | None = None,
    public_ipv4: str | None = None,
    dns: Dns | None = None,
    ipv6_prefix: str | None = None,
    engine: EngineKind | None = None,
) -> System:
    """The installation that `up` is to bring about: what was asked for now, else as it was, else the default.

    Args:
        ipv6_prefix: one that is routed to this host; `none` for unique local addresses again.
        public_ipv4: the machine's address for the outside; at first the one it reaches others from, if that is public.
        dns: who serves the zone; at first the system itself, if nobody else on this machine does.
        engine: what is to run it.

    Raises:
        InvalidInput: the domain or an option cannot be accepted.
        AlreadyExists: the state folder is another domain's.
    """
    wanted = names.domain(domain)
    if not names.is_label(instance) or len(instance) > 32:
        raise InvalidInput(f"{instance!r} cannot be an instance's name", "use up to 32 letters, digits and hyphens")
    before = store.find_system()
    if before and (before.domain, before.instance) != (wanted, instance):
        raise AlreadyExists(
            f"{store.folder} is the system of {before.domain}, instance {before.instance}",
            "use another --state and --instance, or remove that one with: mailpod down --purge",
        )
    if before and engine and engine != before.engine:
        raise AlreadyExists(f"{wanted} runs on {before.engine}", f"change it with: mailpod engine migrate {engine}")
    base = before or System(
        domain=wanted, instance=instance, ipv6_subnet=unique_local_prefix(), engine=engine or "docker"
    )
    system = adjusted(
        base,
        bind=bind,
        port_base=port_base,
        resolver=resolver,
        public_ipv4=public_ipv4,
        dns=dns,
        ipv6_prefix=ipv6_prefix,
    )
    return system if before else _with_defaults(system, dns, public_ipv4)


def adjusted(
    base: System,
    *,
    bind: str | None = None,
    port_base: int | None = None,
    resolver: str | None = None,
    public_ipv4: str | None = None,
    dns: Dns | None = None,
    ipv6_prefix: str | None = None,
) -> System:
    """The installation as it was but for what was asked for, to be brought up.

    Raises:
        InvalidInput: an option cannot be accepted.
    """
    if base.engine == "swarm":
        _check_swarm(bind, ipv6_prefix)
    if bind is not None:
        _check_address(bind, "--bind", four=True)
    if public_ipv4 is not None:
        _check_address(public_ipv4, "--public-ipv4", four=True)
    if resolver:
        _check_address(resolver, "--resolver", four=False)
    if port_base is not None and not 0 <= port_base <= 65535 - max(PORTS.values()):
        raise InvalidInput(f"--port-base {port_base} is out of range", f"give 0 to {65535 - max(PORTS.values())}")
    update = {
        "bind": bind,
        "port_base": port_base,
        "resolver": resolver,
        "public_ipv4": public_ipv4,
        "dns": dns,
        "running": True,
        **_prefix(base, ipv6_prefix),
    }
    return base.model_copy(update={key: value for key, value in update.items() if value is not None})


def _with_defaults(system: System, dns: Dns | None, public_ipv4: str | None) -> System:
    """A new system with what depends on this machine, where nothing was said."""
    served = "built-in" if ports.free_for_dns(system) else "elsewhere"
    return system.model_copy(update={"dns": dns or served, "public_ipv4": public_ipv4 or routes.public_ipv4()})


def _check_swarm(bind: str | None, ipv6_prefix: str | None) -> None:
    """A Swarm publishes on all addresses of a machine, and its overlay networks know IPv4 alone."""
    if bind not in {None, EVERYWHERE}:
        raise InvalidInput("--bind has no effect on a Swarm, which publishes on every address", "leave it out")
    if ipv6_prefix not in {None, "none"}:
        raise InvalidInput("--ipv6-prefix is for one machine", "leave it out")


def _prefix(base: System, wanted: str | None) -> dict[str, object]:
    if wanted is None or (wanted == "none" and not base.ipv6_routed):
        return {}
    if wanted == "none":
        return {"ipv6_subnet": unique_local_prefix(), "ipv6_routed": False}
    return {"ipv6_subnet": routed_prefix(wanted), "ipv6_routed": True}


def _check_address(text: str, option: str, *, four: bool) -> None:
    try:
        address = ip_address(text)
    except ValueError:
        raise InvalidInput(f"{option} {text!r} is not an IP address", "give one like 192.0.2.1") from None
    if four and not isinstance(address, IPv4Address):
        raise InvalidInput(f"{option} {text!r} is not an IPv4 address", "give one like 192.0.2.1")


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
                # Another command may have changed meanwhile what is not for `up` to say.
                known = {name: getattr(before or system, name) for name in ("networks", "images", "images_before")}
                context.adopt(held_images.with_images(context, system.model_copy(update=known)))
            networks.tell_neighbours(context)
            deploy(context)
        converge(context)


def _check_up(context: Context, system: System) -> System | None:
    """Refuse what cannot be brought about, before anything is touched; the installation as it is in the folder."""
    before = context.store.find_system()
    if before is None:
        check_unclaimed(context)
    elif before.engine != system.engine:
        raise MailpodError(f"{before.domain} was brought to another engine meanwhile", "try again")
    networks.check_prefix(context, system)
    if context.engine_is_here:
        ports.check(system, ports.held(context, before, system))
    return before


def check_unclaimed(context: Context) -> None:
    """Refuse to take over, or to undo, what another state folder has on the engine."""
    if _there(context):
        raise AlreadyExists(
            f"the engine has an instance {context.instance!r}, of which {context.store.folder} knows nothing",
            "give the folder of that system with --state DIR, or choose another --instance",
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
    networks.choose_encryption(context)
    _write_main_secrets(context)
    if networks.differ(context):
        context.progress("leaving the old networks")
        _remove_containers(context)
    networks.ensure_local(context)
    context.progress("starting main")
    if context.system.dns != "built-in":
        _remove_nameserver(context)
    context.engine.deploy_main(compose_files(context), environment(context, on))


def _remove_nameserver(context: Context) -> None:
    """What Compose is not told of any more it leaves alone."""
    for workload in context.engine.workloads(context.instance):
        if workload.labels.get(LABEL_ROLE) == "dns":
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
    return layout.main_environment(system, str(context.store.folder.resolve()), held.main, held.dns, zone.soa(system))


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
    """What Compose mounts into main, and the variables, so that `docker compose` also works by hand."""
    folder = context.store.secrets / "main"
    write_durably(folder / "ssh_host_key", context.main_identity.ssh_host_key.encode(), 0o600)
    write_durably(folder / "operator_keys", f"{context.keys.operator()[1]}\n".encode(), 0o600)
    key = f"key:\n  - id: control\n    algorithm: hmac-sha256\n    secret: {context.keys.dns_secret()}\n"
    write_durably(folder / "dns_keys", key.encode(), 0o600)
    override = layout.compose_override(context.system, guarded=context.guarded)
    if override:
        write_durably(context.store.folder / _OVERRIDE, override.encode())
    else:
        (context.store.folder / _OVERRIDE).unlink(missing_ok=True)
    lines = "".join(f"{key}={value}\n" for key, value in environment(context).items())
    write_durably(context.store.folder / "compose.env", lines.encode(), 0o600)


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
    _remove_volumes(context)
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
    _remove_nameserver(context)
    context.engine.remove_main(compose_files(context), environment(context))
    networks.remove_local(context, every=True)


def _remove_volumes(context: Context) -> None:
    for volume in context.engine.volumes(context.instance):
        context.engine.remove_volume(volume)


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
        _remove_volumes(context)
        context.store.erase()
