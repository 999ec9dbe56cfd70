"""What an engine has of a system, beside what it should have."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from mailpod.model import layout
from mailpod.model.doctor.finding import Finding
from mailpod.model.plan import Create, Halt, Remove, Replace, Start, Step
from mailpod.model.records import Account, System
from mailpod.model.spec import LABEL_ROLE, Network, Workload

_APPLY = "mailpod apply"


def of_step(step: Step) -> Finding:
    """Why `apply` would take a step."""
    match step:
        case Create(spec):
            return Finding("error", "the container of an account is missing", spec.name, _APPLY, "apply")
        case Replace(spec):
            what = "a container was made from other settings than the account has, or never ran"
            return Finding("warning", what, spec.name, _APPLY, "apply")
        case Start(name):
            return Finding("error", "the container of an account is stopped", name, _APPLY, "apply")
        case Halt(name):
            return Finding("error", "the container of a frozen account runs", name, _APPLY, "apply")
        case Remove(name):
            return Finding("error", "a container is of no account on record", name, _APPLY, "apply")


def of_services(system: System, workloads: Iterable[Workload], images: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong with the containers of main and what is beside it.

    Args:
        images: by role, such as `main` or `dns`, the tag of the image it should run.
    """
    there = {one.labels.get(LABEL_ROLE, ""): one for one in workloads}
    names = {role: layout.container_beside_main(system.instance, role) for role in ("main", *layout.BESIDE_MAIN)}
    for role, image in images.items():
        found = there.get(role)
        if found is None:
            yield Finding("error", f"the container of {role} is missing", names[role], _APPLY, "apply")
        elif not found.runs:
            yield Finding("error", f"the container of {role} is stopped", found.name, _APPLY, "apply")
        elif found.image != image:
            yield Finding("warning", f"{role} runs an image of another mailpod", found.name, _APPLY, "apply")
    for role in layout.BESIDE_MAIN:
        if role in there and role not in images:
            yield Finding("warning", f"the container of {role} runs and is not wanted", names[role], _APPLY, "apply")


def unhealthy(workloads: Iterable[Workload]) -> Iterator[Finding]:
    """Containers whose servers do not all answer, or that do not stay up."""
    for one in workloads:
        if one.status in {"unhealthy", "restarting"}:
            yield Finding("error", f"a container is {one.status}", one.name, f"docker logs --tail 50 {one.name}")


def of_volumes(
    instance: str,
    volumes: Mapping[str, Mapping[str, str]],
    on_record: Collection[str],
    live: Iterable[Account],
    kept: Iterable[Account],
) -> Iterator[Finding]:
    """Volumes that are of nobody on record, and those that are missing.

    Args:
        volumes: labels by name, on all machines that are up.
        on_record: names of those that a record names.
        live, kept: the accounts, and the deleted ones, that should have one on such a machine.
    """
    for name, labels in sorted(volumes.items()):
        if labels.get(LABEL_ROLE) == "account" and name not in on_record:
            do = f"mailpod rebuild puts its account on record; if nobody wants its mail: docker volume rm {name}"
            yield Finding("warning", "a volume is of no account on record", name, do)
    for account in live:
        name = layout.account_volume(instance, account)
        if name not in volumes:
            do = f"mailpod account restore {account.name}; to let it begin empty: mailpod apply"
            yield Finding("error", f"the volume of {account.name}, with its mail, is gone", name, do)
    for account in kept:
        name = layout.account_volume(instance, account)
        if name not in volumes:
            do = f"forget it: mailpod account delete {account.name} --purge"
            yield Finding("warning", f"the volume of {account.name}, which was deleted and kept, is gone", name, do)


def of_networks(system: System, networks: Iterable[Network]) -> Iterator[Finding]:
    """Networks of the system that it does not use, and those that are otherwise than it is to have them."""
    wanted = {one.name: one for one in layout.desired_networks(system)}
    own = re.compile(rf"{re.escape(system.instance)}(-net\d+)?")
    there = {one.name: one for one in networks if own.fullmatch(one.name)}
    for name, found in there.items():
        if name not in wanted and found.instance == system.instance:
            yield Finding("warning", "a network is one that the system does not use", name, _remove(name), "network")
        elif name in wanted and set(found.subnets) != set(wanted[name].subnets):
            yield Finding("error", "a network has other addresses than the system", name, _APPLY, "apply")
    for name in wanted.keys() - there.keys():
        yield Finding("error", "a network is missing", name, _APPLY, "apply")


def _remove(network: str) -> str:
    return f"docker network rm {network}"


def of_helpers(accounts: Iterable[Account], at_work: Collection[str], busy: Collection[str]) -> Iterator[Finding]:
    """Containers of a moment that nobody waits for.

    Args:
        at_work: ids of the accounts that have some.
        busy: ids of those that a command works on.
    """
    names = {one.id: one.name for one in accounts}
    for one in sorted(set(at_work) - set(busy)):
        what = f"a container is left of a command for {names.get(one, 'an account on no record')} that was cut short"
        yield Finding("warning", what, one, _APPLY, "apply")


def of_images(missing: Iterable[str]) -> Iterator[Finding]:
    """Images that a container would be made of and that are not there."""
    for tag in missing:
        yield Finding("warning", "an image is missing", tag, f"{_APPLY}, which builds it", "apply")


def of_rest(workloads: Iterable[Workload]) -> Iterator[Finding]:
    """What runs of a system that is down."""
    for one in workloads:
        if one.runs:
            yield Finding("warning", "a container runs although the system is down", one.name, "mailpod down")
