"""The page of a study in a browser, and those who judge there."""

from typing import Any

from playwright.sync_api import Locator, expect
from real_page import Guest

CODE = "open sesame"


class Annotator(Guest):
    """Someone who judges pairs."""

    ready = ".sj-head"

    def sign_in(self, name: str) -> None:
        self.page.fill(".sj-sign [name=name]", name)
        self.page.fill(".sj-sign [name=code]", CODE)
        self.page.click(".sj-sign button")
        expect(self.page.locator(".sj-sign")).to_have_count(0)

    def side(self, side: str) -> Locator:
        """Return the answer on that side, with all that belongs to it."""
        return self.page.locator(f"[data-side={side}]")

    def text(self, side: str) -> str:
        return self.side(side).locator(".sj-words").inner_text()

    def choose(self, label: str, within: Locator | None = None) -> None:
        """Choose one of several by its words, with the mouse."""
        scope = within or self.page.locator(".sj-verdict")
        box = self.page.get_by_label(label, exact=True)
        scope.locator("label").filter(has=box).click()
        expect(scope.get_by_label(label, exact=True)).to_be_checked()

    def keep(self) -> None:
        self.page.get_by_role("button", name="Keep this vote").click()

    def said(self) -> Locator:
        return self.page.locator(".sj-said")

    def count(self) -> Locator:
        return self.page.locator(".sj-count")

    def focus(self) -> dict[str, Any]:
        """Return what a key would go to: its tag, its value and the label of its group."""
        script = """() => {
            const at = document.activeElement;
            const group = at.closest("fieldset")?.querySelector("legend").textContent ?? "";
            return { tag: at.tagName, value: at.value ?? "", group, label: at.ariaLabel ?? "" };
        }"""
        found: dict[str, Any] = self.page.evaluate(script)
        return found

    def tab_to(self, wanted: str, back: bool = False) -> None:
        """Press Tab until the focus has that label or stands in that group."""
        for _ in range(30):
            at = self.focus()
            if wanted in (at["group"], at["label"]):
                return
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"No key reaches {wanted!r}.")
