"""`python -m mailpod.host [--no-engine] [COMMAND...]`: make sure an engine and programs are there."""

import sys

from mailpod.host.engine import ensure_commands, ensure_engine
from mailpod.model.errors import MailpodError


def _say(text: str) -> None:
    print(f"mailpod: {text}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Run with these arguments; the exit code is the command line's."""
    try:
        if arguments[:1] == ["--no-engine"]:
            ensure_commands(_say, arguments[1:])
        else:
            ensure_engine(_say, arguments)
    except MailpodError as error:
        _say(f"{error.what}\n  {error.hint}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
