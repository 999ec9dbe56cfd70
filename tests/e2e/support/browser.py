"""The browser of a person outside."""

from pathlib import Path

from playwright.sync_api import Browser, Error, Page, Playwright
from tests.e2e.support.engine import facts
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until
from tests.e2e.support.world import World

PATIENCE = 20_000
"""Milliseconds, on a machine that is busy with many containers."""

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


def new_page(browser: Browser, locale: str = "en-US") -> Page:
    """A page of a browser that knows nothing yet."""
    # The chain up to the system's own authority is checked with curl; Chromium would need it in its store.
    page = browser.new_context(ignore_https_errors=True, locale=locale).new_page()
    page.set_default_timeout(PATIENCE)
    return page


def leave(page: Page) -> None:
    """Close a page with all that its browser knows. What it is still loading would hold that up."""

    def left() -> bool:
        try:
            page.goto("about:blank", timeout=3000)
        except Error:
            # It was just going to another page by itself, which may also leave this without an answer.
            return False
        return True

    until(left, "an empty page", 40)
    page.context.close()


def address(system: System, host: str = "webmail.") -> str:
    """Where the webmail is."""
    return f"https://{host}{system.domain}/"


def log_in(page: Page, system: System, login: str, password: str, host: str = "webmail.") -> None:
    """Fill in the form and send it."""
    page.goto(address(system, host))
    page.fill("#rcmloginuser", login)
    page.fill("#rcmloginpwd", password)
    page.click("#rcmloginsubmit")


def logged_in(browser: Browser, system: System, account: Account) -> Page:
    """A page that shows the account's mailbox."""
    page = new_page(browser)
    log_in(page, system, account.name, account.password)
    page.wait_for_selector("#mailboxlist")
    # Requests of one session that run at the same time overwrite each other's part of it: those of the page come first.
    page.wait_for_load_state("networkidle")
    return page
