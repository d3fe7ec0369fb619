"""What moves on a page by itself: the layout shifts that nobody's input caused."""

from playwright.sync_api import Page

COUNTING = """
(() => {
    window.visitorShifts = { sum: 0, worst: 0, where: "" };
    new PerformanceObserver((list) => {
        for (const { value, hadRecentInput, sources } of list.getEntries()) {
            if (hadRecentInput) continue;
            window.visitorShifts.sum += value;
            if (value <= window.visitorShifts.worst) continue;
            window.visitorShifts.worst = value;
            const named = ({ node }) => {
                const box = node?.closest?.("[id]") ?? node?.parentElement?.closest("[id]");
                return box ? "#" + box.id : "?";
            };
            window.visitorShifts.where = [...new Set((sources ?? []).map(named))].join(", ");
        }
    }).observe({ type: "layout-shift", buffered: true });
})();
"""
"""For a page before it goes anywhere."""


def shifted(page: Page) -> tuple[float, str]:
    """Return the sum of the layout shifts that nobody's input caused, and where the worst was."""
    page.wait_for_timeout(1000)
    found = page.evaluate("window.visitorShifts")
    return found["sum"], found["where"]
