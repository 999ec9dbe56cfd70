"""`mailpod demo`: a system to look at, by one command, and by another one gone."""

import secrets
from pathlib import Path

from tests.e2e.support.cli import Cli
from tests.e2e.support.engine import Engine
from tests.ports import free_port_base


def test_the_demo_shows_a_message_from_outside_and_goes_without_a_trace(tmp_path: Path) -> None:
    """On standard output; and a second time on the system that is there."""
    cli = Cli(tmp_path / "state", f"mpt{secrets.token_hex(3)}")
    engine = Engine(cli.instance)
    try:
        for options in (("--port-base", str(free_port_base())), ()):
            shown = cli.ok("demo", *options, seconds=900)
            assert "This message came in by SMTP from outside." in shown.out
            assert "To: alice@demo.test" in shown.out
            assert f"--instance {cli.instance} --state {cli.state} down --purge" in shown.out
            assert all(line.startswith("· ") for line in shown.err.splitlines())
        told = cli.ok("demo", "--json", seconds=900).json()
        assert [(one["name"], bool(one["password"])) for one in told["accounts"]] == [("alice", True), ("bob", True)]
        assert "This message came in by SMTP from outside." in told["message"]
        cli.ok("down", "--purge", "--yes")
        assert not engine.objects()
        assert not [path for path in cli.state.rglob("*") if path.is_file()]
    finally:
        engine.remove_everything()
        engine.close()
