"""Lines as main and accounts of both stacks have written them, with the engine's time."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "logs"


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.log").read_text()


MAIN = _read("main")
RETURNED = _read("returned")
DROPPED = _read("dropped")
HELD = _read("held")
ALICE = _read("alice")
FORWARDED = _read("forwarded")
BOB = _read("bob")
