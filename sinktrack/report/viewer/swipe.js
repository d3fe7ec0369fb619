/* Lanes on a narrow screen: they are swiped through, all rows of lanes together, or jumped to by name. */
const SinkTrackSwipe = (() => {
  "use strict";

  const { make, ofLane } = SinkTrackDom;

  /** Buttons with the lanes' names, which the style shows where lanes do not fit side by side. */
  function jumps(lanes, jump) {
    const box = make("div", "stv-jumps");
    Object.assign(box, { role: "group", ariaLabel: "Go to an answer" });
    if (lanes.length > 1) {
      box.append(...lanes.map((lane, at) => {
        const button = ofLane(make("button", "stv-jump"), lane.number);
        button.type = "button";
        button.append(make("span", "stv-heading", lane.title));
        button.addEventListener("click", () => jump(at));
        return button;
      }));
    }
    return box;
  }

  /** Keep the rows of lanes below `root` at the same lane; returns what brings a lane into sight. */
  function together(root) {
    const rows = () => [...root.querySelectorAll(".stv-lanes")].filter((row) => row.scrollWidth > row.clientWidth + 1);
    let led = null; // the row that is being swiped
    let still;
    root.addEventListener("scroll", ({ target }) => {
      if (!target.classList?.contains("stv-lanes") || (led && led !== target)) return;
      led = target;
      clearTimeout(still);
      still = setTimeout(() => (led = null), 150);
      const way = target.scrollLeft / (target.scrollWidth - target.clientWidth);
      for (const row of rows()) if (row !== target) row.scrollLeft = way * (row.scrollWidth - row.clientWidth);
    }, true);
    return (at) => {
      for (const row of rows()) {
        const child = row.children[at];
        if (child) row.scrollLeft = child.offsetLeft - row.children[0].offsetLeft;
      }
    };
  }

  return { jumps, together };
})();
