"""States that a visitor can bring the page into, and what in them breaks a rule of axe-core.

Scripts in benchmarks/ use this as well.
"""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from real_page import Visitor

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[tuple[str, str, str]]:
    """Return what breaks a rule: the rule's id, where it is broken, and both in words."""
    page.wait_for_timeout(400)  # colours fade in
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [
        (each["id"], str(node["target"][0]), f"{each['help']}: {node['html'][:160]}")
        for each in found
        for node in each["nodes"]
    ]


def arrived(visitor: Visitor, picture: Path) -> None:
    """Wait for the stored answers that every visitor meets."""
    expect(visitor.status()).to_contain_text("Stored with this page")


def asking_of_a_passage(visitor: Visitor, picture: Path) -> None:
    visitor.turn_to("Passage")


def asking_more(visitor: Visitor, picture: Path) -> None:
    visitor.turn_to("More")


def choosing_methods(visitor: Visitor, picture: Path) -> None:
    visitor.page.click("#methods .st-open")
    expect(visitor.page.locator(".st-dialog")).to_be_visible()


def setting(visitor: Visitor, picture: Path) -> None:
    visitor.page.locator("#settings button").first.click()
    expect(visitor.page.locator("#settings input[type=number]").first).to_be_visible()


def setting_a_method(visitor: Visitor, picture: Path) -> None:
    visitor.page.locator(".st-one summary").last.click()


def answered(visitor: Visitor, picture: Path) -> None:
    visitor.ask(picture, "Describe the picture.")
    visitor.finish()


def looked_inside(visitor: Visitor, picture: Path) -> None:
    answered(visitor, picture)
    visitor.page.get_by_role("button", name="Look inside").click()
    expect(visitor.page.locator(".stv-lens")).to_have_count(2)


def drawing(visitor: Visitor, picture: Path) -> None:
    visitor.page.locator("#draw > button").click()
    visitor.page.locator(".st-random").click()
    expect(visitor.page.locator(".st-offer").first).to_be_visible()


def refused(visitor: Visitor, picture: Path) -> None:
    visitor.ask(picture, "")
    expect(visitor.toast()).to_be_visible()


STATES = (
    arrived,
    asking_of_a_passage,
    asking_more,
    choosing_methods,
    setting,
    setting_a_method,
    answered,
    looked_inside,
    drawing,
    refused,
)
