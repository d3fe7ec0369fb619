"""Every state of the page by the rules of WCAG 2.2 that axe-core can check, light and dark."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from states import STATES, answered, violations

pytestmark = pytest.mark.xdist_group("browser")

# Gradio's toast is a button as a whole, with another one inside; no setting of ours changes it.
OUT_OF_REACH = {("nested-interactive", ".toast-header")}


def within_reach(page: Page) -> list[tuple[str, str, str]]:
    """What breaks a rule and can be mended here."""
    return [each for each in violations(page) if each[:2] not in OUT_OF_REACH]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_breaks_a_rule(
    visit: Callable[..., Any], page_url: str, picture: Path, state: Any, scheme: Any
) -> None:
    visitor = visit(page_url, color_scheme=scheme)
    state(visitor, picture)
    assert within_reach(visitor.page) == []


def test_nothing_breaks_a_rule_on_a_phone(
    visit: Callable[..., Any], page_url: str, picture: Path
) -> None:
    visitor = visit(page_url, width=360, height=740)
    answered(visitor, picture)
    assert within_reach(visitor.page) == []


def test_every_tab_of_the_viewer(visit: Callable[..., Any], page_url: str, picture: Path) -> None:
    visitor = visit(page_url)
    answered(visitor, picture)
    tabs = visitor.page.locator("#stage [role=tab]")
    assert tabs.count() > 2
    for number in range(tabs.count()):
        tabs.nth(number).click()
        assert within_reach(visitor.page) == []
