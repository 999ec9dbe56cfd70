"""`mailpod node …`: the machines of a Swarm."""

from typing import Annotated, Any

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.services import draining, nodes, prefixes
from mailpod.services.nodes import NodeView

app = typer.Typer(help="The machines of a Swarm.", no_args_is_help=True)


def complete_node(incomplete: str) -> list[str]:
    """Names of machines that begin with what was typed."""
    return [node.name for node in context().store.nodes() if node.name.startswith(incomplete)]


def as_json(view: NodeView) -> dict[str, Any]:
    """A machine as a JSON object."""
    machine = view.machine
    return {
        "name": machine.name,
        "role": machine.role,
        "state": machine.state,
        "since": machine.since,
        "version": machine.version,
        "memory": machine.memory,
        "used": view.used,
        "ipv6_prefix": view.prefix,
        "accounts": list(view.accounts),
        "reachable": view.reachable,
    }


@app.command("list")
def list_(json: Json = False) -> None:
    """List the machines: accounts, memory that mailpod uses and that there is, versions, health."""
    found = nodes.views(context())
    if json:
        output.document([as_json(view) for view in found])
        return
    output.table(
        ("NAME", "ROLE", "STATE", "ENGINE", "MEMORY", "ACCOUNTS"),
        (
            (
                view.machine.name,
                view.machine.role,
                view.machine.state if view.reachable else f"{view.machine.state}, not added",
                view.machine.version,
                f"{output.size(view.used)} of {output.size(view.machine.memory)}",
                str(len(view.accounts)),
            )
            for view in found
        ),
    )


Name = Annotated[str, typer.Argument(help="Name of the machine.", show_default=False, autocompletion=complete_node)]


@app.command("set")
def set_(
    name: Name,
    ipv6_prefix: Annotated[
        str,
        typer.Option(help="IPv6 prefix that is routed to it, /64 or larger; none to give it up.", show_default=False),
    ],
) -> None:
    """Change a machine: the addresses of its accounts."""
    prefixes.set_prefix(context(), name, ipv6_prefix)


@app.command()
def add(
    target: Annotated[
        str | None,
        typer.Argument(
            help="USER@ADDRESS, who may use Docker there; without it, what to do is shown.", show_default=False
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of its SSH server.", min=1, max=65535)] = 22,
    ssh_key: Annotated[
        str | None, typer.Option(help="File with the private key to log in with.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Let a machine join the Swarm, and take accounts, over SSH; or show what it needs for that."""
    here = context()
    if target is None:
        needed = nodes.by_hand(here)
        if json:
            output.document({"needed": needed.splitlines()})
        else:
            print(needed)
        return
    machine = nodes.add(here, target, port, ssh_key)
    if json:
        output.document({"name": machine})
        return
    output.line(f"{machine} is one of the Swarm's machines")


@app.command()
def drain(name: Name) -> None:
    """Move every account away from a machine, and let it take none; repeat it to go on after an error."""
    if draining.drain(context(), name):
        output.note(f"main stays on {name}, and nothing else of the system's is there")
    else:
        output.note(f"{name} is empty; let it take accounts again with: mailpod node undrain {name}")


@app.command()
def undrain(name: Name) -> None:
    """Let a machine take accounts again."""
    draining.undrain(context(), name)


@app.command()
def remove(name: Name) -> None:
    """Give up a machine that is empty, or that is down and has no account: it leaves the Swarm."""
    target = draining.remove(context(), name)
    if target:
        output.note(f"take mailpod's key, whose line ends in its instance, out of ~/.ssh/authorized_keys of {target}")
