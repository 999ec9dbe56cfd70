"""The webmail is main's, and the mailboxes are on other machines."""

import pytest
from playwright.sync_api import Playwright
from tests.e2e.support.browser import address, chromium, leave, logged_in
from tests.e2e.support.mail import token
from tests.e2e.support.swarm import SwarmSystem


def test_somebody_reads_and_writes_to_an_account_on_another_machine(
    swarm: SwarmSystem, playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reader, friend = (swarm.create(name, "--node", node) for name, node in (("reader", "node2"), ("friend", "node3")))
    word = swarm.post(reader.short_address)
    swarm.wait_for(reader, word)
    browser = chromium(playwright, swarm.world, tmp_path_factory.mktemp("browser"))
    page = logged_in(browser, swarm, reader)
    page.locator("#messagelist tbody tr", has_text=word).locator("td.subject").dblclick()
    page.wait_for_selector("#message-header")
    answer = token()
    page.goto(f"{address(swarm)}?_task=mail&_action=compose")
    page.fill("#_to + ul input, #_to", friend.short_address)
    page.keyboard.press("Enter")
    page.fill("#compose-subject", answer)
    page.fill("#composebody", answer)
    page.click("button.send, a.send")
    found = swarm.wait_for(friend, answer, seconds=40)
    assert reader.short_address in str(found["From"])
    leave(page)
    browser.close()
    swarm.keep_only()
