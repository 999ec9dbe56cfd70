"""The command `mailpod`: its global options, its commands, and what an error becomes."""

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from mailpod import __version__
from mailpod.cli import (
    account,
    alias,
    app_password,
    backup,
    certificate,
    dkim,
    dns,
    doctor,
    engine,
    exporting,
    keeping,
    logs,
    metrics,
    moving,
    node,
    output,
    queue,
    rebuild,
    restoring,
    restoring_system,
    system,
    tending,
    upgrade,
)
from mailpod.cli.state import options
from mailpod.model.errors import InvalidInput, MailpodError

app = typer.Typer(
    name="mailpod",
    help="A mail system in which every account is its own container.",
    epilog="./mailpod test runs the linters and every test; with --fast, those that need no engine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
account.app.add_typer(app_password.app, name="app-password")
moving.register(account.app)
exporting.register(account.app)
keeping.register(account.app)
restoring.register(account.app)
app.add_typer(account.app, name="account")
app.add_typer(alias.app, name="alias")
app.add_typer(backup.app, name="backup")
app.add_typer(dns.app, name="dns")
app.add_typer(dkim.app, name="dkim")
app.add_typer(certificate.app, name="certificate")
app.add_typer(node.app, name="node")
app.add_typer(engine.app, name="engine")
app.add_typer(queue.app, name="queue")
app.add_typer(restoring_system.app, name="system")
system.register(app)
logs.register(app)
metrics.register(app)
upgrade.register(app)
app.command()(doctor.doctor)
app.command()(rebuild.rebuild)
tending.register(app)

_GLOBAL = {"--state", "--instance"}
# What typer returns for it.
_CONTROL_C = 130


def _show_version(asked: bool) -> None:
    if asked:
        print(f"mailpod {__version__}")
        raise typer.Exit


@app.callback()
def globals_(
    state: Annotated[
        Path | None,
        typer.Option(envvar="MAILPOD_STATE", help="Folder of the desired state.", show_default=False),
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(
            envvar="MAILPOD_INSTANCE",
            help="Prefix of everything on the engine; mailpod by default.",
            show_default=False,
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """A mail system in which every account is its own container."""
    options.state = state
    options.instance = instance


def main() -> None:
    """Run the command line; ends the process with the exit code that docs/operator.md tells."""
    # What ends it from outside undoes as much as control-C does. `nohup` has SIGHUP ignored.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; a traceback only with `MAILPOD_DEBUG=1`."""
    command = typer.main.get_command(app)
    try:
        result = command.main(_globals_first(arguments), prog_name="mailpod", standalone_mode=False)
    except MailpodError as problem:
        return _failed(problem)
    except TyperException as problem:
        return _usage(problem)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        # Nobody reads any more; Python must not say so once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ConnectionError, TimeoutError) as problem:
        return _failed(MailpodError(_what(problem), "see: mailpod status"))
    except OSError as problem:
        # The machine's doing, not ours: a full disk, a right that is missing.
        return _failed(MailpodError(_what(problem), "make room or correct the rights; see more with MAILPOD_DEBUG=1"))
    except Exception as problem:  # noqa: BLE001  (whatever it is, it ends in two lines and a code)
        what = f"{type(problem).__name__}: {problem}".replace("\n", " ")
        return _failed(MailpodError(what, "see more with MAILPOD_DEBUG=1, and report it"))
    if result == _CONTROL_C:
        return _interrupted()
    return result if isinstance(result, int) else 0


def _failed(problem: MailpodError) -> int:
    """Tell of the exception that is being handled."""
    if os.environ.get("MAILPOD_DEBUG") == "1":
        output.note(traceback.format_exc().rstrip())
    output.error(problem)
    return problem.exit_code


def _what(problem: OSError) -> str:
    where = f"{problem.filename}: " if problem.filename else ""
    return f"{where}{problem.strerror or problem}".replace("\n", " ")


def _interrupted() -> int:
    output.error(MailpodError("interrupted", "bring everything into order with: mailpod apply"))
    return 1


def _usage(problem: TyperException) -> int:
    message = problem.format_message()
    if message.startswith("Usage:"):
        print(message, file=sys.stderr)
    else:
        context = getattr(problem, "ctx", None)
        where = context.command_path if context else "mailpod"
        output.error(InvalidInput(" ".join(message.split()), f"see: {where} --help"))
    return problem.exit_code


def _globals_first(arguments: list[str]) -> list[str]:
    """Let the global options stand anywhere before a `--`."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        if word in _GLOBAL:
            value = next(words, None)
            if value is None:
                return [*front, *rest, word]
            front += [word, value]
        elif word.partition("=")[0] in _GLOBAL:
            front.append(word)
        else:
            rest.append(word)
    return front + rest
