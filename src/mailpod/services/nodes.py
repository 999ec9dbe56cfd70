"""The machines of a Swarm: what a new one needs, which ones there are, and which one an account goes to."""

import shlex
import subprocess
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mailpod.host.tunnel import ANOTHER_KEY, open_tunnel
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.records import DEFAULT_STACK, Account, Node, now
from mailpod.model.spec import LABEL_ROLE, Machine
from mailpod.services import held_images, images, installation
from mailpod.services.context import Context
from mailpod.store import Store, write_durably


@dataclass(frozen=True)
class NodeView:
    """A machine as people see it.

    Attributes:
        accounts: names of those it has.
        used: bytes of memory that its accounts, and main, use now.
        reachable: the control plane has a way to its engine.
        prefix: the IPv6 prefix of its accounts; empty when they have no such address.
    """

    machine: Machine
    accounts: tuple[str, ...]
    used: int
    reachable: bool
    prefix: str


def key_file(store: Store) -> Path:
    """The private key with which the control plane opens other machines' engines; made when it is missing."""
    path = store.secrets / "nodes" / "id_ed25519"
    if not path.exists():
        from mailpod.services.keys import ssh_pair

        private, public = ssh_pair()
        write_durably(path.with_suffix(".pub"), f"{public}\n".encode())
        write_durably(path, private.encode(), 0o600)
    return path


def reach(store: Store) -> Callable[[str], str]:
    """How a Swarm's engine gets at the engines of its other machines."""

    def url(name: str) -> str:
        node = store.find_node(name)
        if node is None:
            raise MailpodError(f"no way to the machine {name} is known", "tell one with: mailpod node add USER@ADDRESS")
        anew = _if_set_up_anew(store, node.target, node.port)
        return open_tunnel(name, node.target, node.port, key_file(store), node.host_keys, anew)

    return url


def _known_hosts(store: Store) -> Path:
    """What has been learned of machines when they were added."""
    return key_file(store).with_name("known_hosts")


def _if_set_up_anew(store: Store, target: str, port: int) -> str:
    """What to do about a machine with another host key: nobody but the operator knows whether it is the same one."""
    host = target.rpartition("@")[2]
    entry, option = (host, "") if port == _SSH_PORT else (f"[{host}]:{port}", f" --port {port}")
    forget = f"ssh-keygen -R {shlex.quote(entry)} -f {shlex.quote(str(_known_hosts(store)))}"
    return f"if it was set up anew: {forget}; mailpod node add {target}{option}"


_SSH_PORT = 22
_JOIN_SECONDS = 120

# Prints its name, whether it is in a Swarm, and its host keys; and lets our key in, for its engine's socket alone.
_SET_UP = """set -eu
command -v docker >/dev/null || { echo "Docker is not installed" >&2; exit 1; }
docker info >/dev/null || { echo "$(id -un) may not use Docker" >&2; exit 1; }
mkdir -p -m 700 ~/.ssh
grep -qxF "$KEY" ~/.ssh/authorized_keys 2>/dev/null || echo "$KEY" >>~/.ssh/authorized_keys
chmod 600 ~/.ssh/authorized_keys
[ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active ] || docker swarm join --token "$TOKEN" "$MANAGER" >&2
docker info --format '{{.Name}} {{.Swarm.NodeID}}'
for port in $PORT; do ssh-keyscan -p "$port" 127.0.0.1 2>/dev/null | cut -d' ' -f2-; done
"""


def _authorized(context: Context) -> str:
    """The line for authorized_keys: it opens a way to sockets, and runs nothing."""
    public = key_file(context.store).with_suffix(".pub").read_text().strip()
    return f'restrict,port-forwarding,command="false" {public} mailpod {context.instance}'


def by_hand(context: Context) -> str:
    """What somebody does on a new machine to let it join, as shell commands."""
    context.require_system()
    require_swarm(context)
    token, manager = context.engine.join()
    return "\n".join(
        (
            "# on the new machine, as a user who may use Docker:",
            f"docker swarm join --token {token} {manager}",
            f"echo '{_authorized(context)}' >>~/.ssh/authorized_keys",
            "# then here:",
            "mailpod node add USER@ADDRESS",
        )
    )


def add(context: Context, target: str, port: int, login_key: str | None) -> str:
    """Have a machine join the Swarm, give it our key and the images, and write it down.

    Args:
        target: `USER@ADDRESS`, whom the operator may log in as.
        login_key: file of the private key to log in with this once.

    Returns:
        Its name.

    Raises:
        InvalidInput: the target is none.
        MailpodError: it cannot be logged in to, has no Docker, or is in another Swarm.
    """
    context.require_system()
    require_swarm(context)
    if target.startswith("-") or "@" not in target:
        raise InvalidInput(f"{target!r} is not USER@ADDRESS", "give one like root@192.0.2.7")
    token, manager = context.engine.join()
    context.progress(f"setting up {target}")
    variables = {"KEY": _authorized(context), "TOKEN": token, "MANAGER": manager, "PORT": str(port)}
    script = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()) + _SET_UP
    # What the operator knows of a machine counts; what is learned here goes to a file of ours.
    known = f'UserKnownHostsFile="{_known_hosts(context.store)}" ~/.ssh/known_hosts'
    words = ["ssh", "-T", "-p", str(port), "-o", "StrictHostKeyChecking=accept-new", "-o", known]
    words += ["-i", login_key, "-o", "IdentitiesOnly=yes"] if login_key else []
    try:
        done = subprocess.run(
            [*words, target, "sh -s"], input=script.encode(), capture_output=True, timeout=_JOIN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        what = f"{target} did not answer within {_JOIN_SECONDS} s"
        raise MailpodError(what, "see that it runs, answers on SSH and reaches this machine's port 2377") from None
    # Whoever looked at that machine's processes may have seen the token.
    context.engine.change_token()
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        if said and said[-1] == ANOTHER_KEY:
            anew = _if_set_up_anew(context.store, target, port)
            raise MailpodError(f"{target} has another SSH host key than it had", anew)
        raise MailpodError(
            f"{target} could not be set up: {said[-1] if said else 'no answer'}",
            "see what it needs with: mailpod node add",
        )
    first, *keys = done.stdout.decode().splitlines()
    name, _, identity = first.partition(" ")
    machine = next((one for one in context.engine.machines() if one.id == identity), None)
    if machine is None:
        raise MailpodError(f"{name} is in another Swarm", f"on {name}, run: docker swarm leave")
    context.store.save_node(Node(name=name, target=target, port=port, host_keys=tuple(keys), added=now()))
    held_images.ensure_all(context, context.system)
    if context.system.encrypted and not context.engine.encrypts(images.ACCOUNT[DEFAULT_STACK].tag):
        context.progress(f"the kernel of {name} cannot encrypt packets: the network is made anew without that")
        installation.apply(context)
    return name


def views(context: Context) -> list[NodeView]:
    """Every machine, by name."""
    context.require_system()
    workloads = context.engine.workloads(context.instance)
    memory = context.engine.memory([w.name for w in workloads if w.state == "running"])
    accounts = context.store.accounts()
    machines = context.engine.machines()
    here = next((machine.name for machine in machines if machine.here), "")

    def used(machine: Machine) -> int:
        there = [w for w in workloads if (w.node or here) == machine.name]
        return sum(memory.get(w.name, 0) for w in there)

    def has(machine: Machine) -> tuple[str, ...]:
        return tuple(account.name for account in accounts if account.node == machine.name)

    known = {node.name for node in context.store.nodes()}
    drained = context.system.drained
    return [
        NodeView(
            _as_told(one, drained),
            has(one),
            used(one),
            one.here or one.name in known,
            context.system.prefixes.get(one.name, ""),
        )
        for one in machines
    ]


def _as_told(machine: Machine, drained: Collection[str]) -> Machine:
    """One that takes no accounts is drained, even if the Swarm leaves main there."""
    return replace(machine, state="drained") if machine.name in drained and machine.state == "ready" else machine


def require_swarm(context: Context) -> None:
    """Refuse what only a Swarm can do."""
    if context.system.engine != "swarm":
        raise MailpodError(
            f"{context.system.domain} runs on one Docker Engine",
            "bring it to a Swarm with: mailpod engine migrate swarm",
        )


def choose(context: Context, accounts: Iterable[Account], wanted: str | None = None) -> str:
    """The machine for one more account: the one that has been asked for, else the one with most memory not given away.

    Of equal ones it is the one with the fewest accounts.

    Args:
        accounts: those that have a place; each may use what its limit allows, whatever it uses now.
        wanted: name of a machine.

    Returns:
        Its name; empty on one Docker Engine.

    Raises:
        InvalidInput: there is no machine of this name.
        MailpodError: it takes no accounts now, or none does.
    """
    if context.system.engine != "swarm":
        if wanted:
            require_swarm(context)
        return ""
    machines = {machine.name: machine for machine in context.engine.machines()}
    if wanted and wanted not in machines:
        raise InvalidInput(f"there is no machine {wanted!r}", "see: mailpod node list")
    known = {node.name for node in context.store.nodes()}
    ready = {
        name: machine
        for name, machine in machines.items()
        if machine.state == "ready"
        and (machine.here or name in known)
        and name not in context.system.drained
        and wanted in {None, name}
    }
    if not ready:
        what = f"{wanted} takes no accounts now" if wanted else "no machine takes accounts now"
        raise MailpodError(what, "see: mailpod node list")
    there: dict[str, list[int]] = {name: [] for name in sorted(ready)}
    for account in accounts:
        if account.node in there:
            there[account.node].append(account.memory)
    return max(there, key=lambda name: (ready[name].memory - sum(there[name]), -len(there[name])))


def main_node(context: Context) -> str:
    """The machine that main is on; empty when it is not there."""
    workloads = context.engine.workloads(context.instance)
    return next((w.node for w in workloads if w.labels.get(LABEL_ROLE) == "main"), "")
