"""How a visitor acts on a page: with a mouse, a finger, or the keyboard alone.

Every act is counted in the page.
"""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page

MOST_TABS = 400
"""Presses of Tab after which a control counts as out of reach."""

COUNTING = """
(() => {
    const counts = window.visitorCounts = { presses: 0, picked: 0, keys: 0, furthest: 0 };
    const on = (name, count) => window.addEventListener(name, count, { capture: true });
    on("pointerdown", (event) => { if (event.isTrusted) counts.presses += 1; });
    on("keydown", (event) => { if (event.isTrusted) counts.keys += 1; });
    on("change", ({ target }) => { if (target.tagName === "SELECT") counts.picked += 1; });
    on("scroll", () => {
        counts.furthest = Math.max(counts.furthest, window.scrollY / window.innerHeight);
    });
})();
"""

# Where the keyboard is, seen from a control that it wants to reach.
PLACE = """(target) => {
    const now = document.activeElement;
    if (now === target) return "here";
    if (!now || now === document.body) return "Tab";
    const group = target.closest("[role=listbox], [role=tablist], [role=grid]");
    const radios = target.type === "radio" && now.type === "radio" && now.name === target.name;
    if (radios || (group?.contains(now) && target.tabIndex < 0)) return "inside";
    const beyond = target.compareDocumentPosition(now) & Node.DOCUMENT_POSITION_FOLLOWING;
    return beyond ? "Shift+Tab" : "Tab";
}"""
# Which arrow leads on inside a group of controls that Tab stops at once; "" once it is there.
ARROW = """(target) => {
    const now = document.activeElement;
    if (now === target) return "";
    const grid = target.closest("[role=grid]");
    const place = (cell) => {
        const row = cell.closest("[role=row]");
        const at = (all, each) => [...all].indexOf(each);
        const rows = grid.querySelectorAll("[role=row]");
        return [at(rows, row), at(row.querySelectorAll("button"), cell)];
    };
    if (grid) {
        const [[row, column], [toRow, toColumn]] = [place(now), place(target)];
        if (row !== toRow) return row < toRow ? "ArrowDown" : "ArrowUp";
        return column < toColumn ? "ArrowRight" : "ArrowLeft";
    }
    const beyond = target.compareDocumentPosition(now) & Node.DOCUMENT_POSITION_FOLLOWING;
    return beyond ? "ArrowLeft" : "ArrowRight";
}"""
# What the focused control is called, or "" if its focus can be seen: an outline or a shadow of its
# own, one of what stands in its place while it is hidden itself, or an outline of what it is in.
UNSEEN = """() => {
    const now = document.activeElement;
    const drawn = (node, shadows) => {
        if (!node) return false;
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(node);
        const outlined = outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
        return outlined || (shadows && boxShadow !== "none");
    };
    const instead = now.matches("input, canvas") ? now.nextElementSibling : null;
    if (drawn(now, true) || drawn(instead, true)) return "";
    for (let box = now.parentElement, up = 0; box && up < 4; box = box.parentElement, up += 1) {
        if (drawn(box, false)) return "";
    }
    const name = now.getAttribute("aria-label") || now.textContent.trim() || now.value || "";
    return `${now.tagName.toLowerCase()} ${now.id || now.className} “${name.slice(0, 40)}”`;
}"""


@dataclass(frozen=True)
class Counted:
    """What a visitor did: presses of a pointer, keys, and how many screens down the page went."""

    presses: int
    keys: int
    screens: float


class Pointer:
    """A visitor with a mouse or a finger.

    Args:
        page: Counts what is done on it, once `COUNTING` is one of its scripts.
        touch: Whether it is a finger.
    """

    def __init__(self, page: Page, *, touch: bool = False) -> None:
        self.page, self._touch = page, touch
        self.unseen: set[str] = set()

    def press(self, control: Locator, **where: Any) -> None:
        """Press a button, or what else is pressed."""
        (control.tap if self._touch else control.click)(**where)

    def choose(self, control: Locator) -> None:
        """Choose one of several: a radio button, a tab, a word, a cell of the scene."""
        hidden = control.evaluate("each => each.matches('input')")
        self.press(control.locator("xpath=ancestor::label[1]") if hidden else control)

    def patch(self, picture: Locator, row: int, column: int, size: int) -> None:
        """Point at one of size x size patches of a picture."""
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        assert box is not None
        step = box["width"] / size
        self.press(picture, position={"x": (column + 0.5) * step, "y": (row + 0.5) * step})

    def write(self, field: Locator, text: str) -> None:
        """Type in the place of what a field holds."""
        self.press(field)
        field.press("Control+a")
        self.page.keyboard.type(text)

    def counted(self) -> Counted:
        """Return what was done; choosing in a native list is two presses that no page hears of."""
        found = self.page.evaluate("window.visitorCounts")
        return Counted(found["presses"] + 2 * found["picked"], found["keys"], found["furthest"])


class Keyboard(Pointer):
    """A visitor without any pointer; `unseen` are the controls whose focus could not be seen."""

    def reach(self, control: Locator) -> None:
        """Press Tab, or Shift and Tab, until a control has the focus, and arrows inside a group.

        Raises:
            AssertionError: If it cannot be reached.
        """
        control.wait_for()
        before = ""
        for _ in range(MOST_TABS):
            key = control.evaluate(PLACE)
            if key in ("here", "inside"):
                break
            assert {before, key} != {"Tab", "Shift+Tab"}, f"Tab passes {control} by."
            before = key
            self.page.keyboard.press(key)
        for _ in range(MOST_TABS):
            key = control.evaluate(ARROW)
            if not key:
                break
            self.page.keyboard.press(key)
        unseen = self.page.evaluate(UNSEEN)
        if unseen:
            self.unseen.add(unseen)

    def press(self, control: Locator, **_: Any) -> None:
        """Reach a button and press Enter, or Space for a box to tick."""
        self.reach(control)
        box = control.evaluate("each => each.type === 'checkbox'")
        self.page.keyboard.press("Space" if box else "Enter")

    def choose(self, control: Locator) -> None:
        """Reach one of several, which arrows choose; Space or Enter where they do not."""
        self.reach(control)
        if control.evaluate("each => each.type === 'radio'"):
            if not control.is_checked():
                self.page.keyboard.press("Space")
        elif control.evaluate("each => each.matches('button:not([role=tab][aria-selected=true])')"):
            self.page.keyboard.press("Enter")

    def patch(self, picture: Locator, row: int, column: int, size: int) -> None:
        """Reach the picture, go to a patch by arrows, and choose it."""
        self.reach(picture)
        for key, count in (("ArrowDown", row), ("ArrowRight", column)):
            for _ in range(count):
                self.page.keyboard.press(key)
        self.page.keyboard.press("Space")

    def write(self, field: Locator, text: str) -> None:
        """Reach a field and type in the place of what it holds."""
        self.reach(field)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
