"""The browser of a person outside."""

from pathlib import Path

from playwright.sync_api import Browser, Playwright
from tests.e2e.support.engine import facts
from tests.e2e.support.world import World

# Chromium drops what is under way with ERR_NETWORK_CHANGED when an interface or address of its machine comes or goes,
# as the host's do with every container. Those of the outside's machine stay as they are.
SCRIPT = """\
#!/bin/sh
exec nsenter --net=/proc/{pid}/ns/net -- /usr/bin/chromium "$@"
"""


def chromium(playwright: Playwright, world: World, folder: Path) -> Browser:
    """Chromium on the outside's network, for which the system's names lead to main and no other name exists.

    Args:
        folder: where to lay the script that starts it.
    """
    assert world.container, "the outside has not been started"
    script = folder / "chromium"
    script.write_text(SCRIPT.format(pid=facts(world.container)["State"]["Pid"]))
    script.chmod(0o755)
    rules = [
        f"MAP {world.domain} {world.main_address}",
        f"MAP *.{world.domain} {world.main_address}",
        f"EXCLUDE {world.main_address}",
        "MAP * ~NOTFOUND",
    ]
    return playwright.chromium.launch(
        executable_path=script,
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--host-resolver-rules={', '.join(rules)}",
        ],
    )
