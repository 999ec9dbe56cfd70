"""What people are told to type is there to be typed."""

import ast
import re
from pathlib import Path

import typer

from mailpod.cli.app import app

ROOT = Path(__file__).parents[3]
COMMANDS = typer.main.get_command(app)
# Up to where a sentence goes on, or a line ends.
_SAID = re.compile(r"(?P<before>`|: |sudo )?\bmailpod (?P<words>[^\n`;,()|#…]+)")
# The launcher's own.
_LAUNCHER = {"test"}


def texts(path):
    """Every string of a module, with X for what is put into it."""
    tree = ast.parse(path.read_text())
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.value


def wrong(text, marks=("`", ": ")):
    """Commands and options in a text that there are none of; after a mark comes a command, else perhaps a sentence."""
    for said in _SAID.finditer(text):
        words = said["words"].split()
        if words[0] in COMMANDS.commands or (said["before"] in marks and words[0] not in _LAUNCHER):
            yield from (f"mailpod {' '.join(words)}: {word}" for word in unknown(words))


def unknown(words):
    command, known, at = COMMANDS, {"--help", "--instance", "--state", "--version"}, 0
    while at < len(words) and hasattr(command, "commands") and words[at] in command.commands:
        command, at = command.commands[words[at]], at + 1
    if command.name == "backup":
        # Names, or nothing, instead of a command.
        command = command.commands["now"]
    if hasattr(command, "commands"):
        return [word for word in words[at : at + 1] if word not in known | {"X"}]
    known |= {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    return [word for word in map(option_of, words[at:]) if word.startswith("--") and word not in known]


def option_of(word):
    return re.match(r"-*[\w-]*", word).group()


def test_hints_and_documents_name_commands_and_options_that_there_are():
    hints = [(path, one) for path in (ROOT / "src").rglob("*.py") for text in texts(path) for one in wrong(text)]
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    hints += [(path, one) for path in documents for one in wrong(path.read_text(), ("`", "sudo "))]
    found = [f"{path.relative_to(ROOT)}: {one}" for path, one in hints]
    assert not found, "\n".join(found)


def test_one_that_names_others_is_found():
    assert list(wrong("see: mailpod account list --deleted")) == ["mailpod account list --deleted: --deleted"]
    assert list(wrong("see: mailpod accounts")) == ["mailpod accounts: accounts"]
    assert not list(wrong("see: mailpod account deleted"))
