/* The comparison, to look at: a card a lane, with the answer as tokens, and attention to the first
 * token (BOS) as layers x tokens, and as layers x heads of a chosen token. Used by the HTML report and by
 * the page; depends on colour.js, heatmap.js and lane.js alone. All text goes in through textContent.
 *
 *     SinkTrackViewer.mount(element, payload)     a finished comparison, see sinktrack/report.py
 *     SinkTrackViewer.progress(element, lanes)    cards whose answers are still being written
 */
const SinkTrackViewer = (() => {
  "use strict";

  const { make, clamp } = SinkTrackHeatmap;
  const { Lane, card } = SinkTrackLane;
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  const mounted = new WeakMap(); // element -> how to undo what mount() set up

  const extreme = (list, pick) => list.reduce((a, b) => (Number.isNaN(b) ? a : pick(a, b)), pick());
  const largest = (lists) => Math.max(0, ...lists.map((list) => extreme(list, Math.max)));

  /** What the lanes share, so that equal colours mean equal numbers in all of them. */
  function scales(lanes) {
    const words = lanes.flatMap((lane) => [...lane.tokenMean]);
    const low = words.length ? extreme(words, Math.min) : 0;
    const high = words.length ? extreme(words, Math.max) : 0;
    return {
      tokens: Math.max(1, ...lanes.map((lane) => lane.tokens.length)),
      layerHigh: largest(lanes.map((lane) => lane.perLayer.mean)) || 1,
      headHigh: largest(lanes.map((lane) => lane.perLayer.high)) || 1,
      wordLow: Number.isFinite(low) ? low : 0,
      wordHigh: Number.isFinite(high) && high > low ? high : low + 1e-3,
    };
  }

  /** The colours of the page as they are now. */
  function lookOf(root) {
    const { color, backgroundColor } = getComputedStyle(root.querySelector(".stv-card"));
    const [r, g, b] = color.match(/[\d.]+/g).map(Number);
    const dark = r + g + b > 382;
    return { map: SinkTrackColour.maps[dark ? "dark" : "light"], ink: color, paper: backgroundColor };
  }

  function shell(element) {
    mounted.get(element)?.();
    mounted.delete(element);
    const root = make("section", "stv");
    root.setAttribute("aria-label", "Answers side by side");
    const lanes = make("div", "stv-lanes");
    root.append(lanes);
    return { root, lanes };
  }

  /**
   * Show a finished comparison.
   * @returns {{choose: (index: number) => void}}
   */
  function mount(element, payload) {
    const { root, lanes: row } = shell(element);
    const lanes = payload.lanes.map((lane) => new Lane(lane, (index) => choose(index)));
    const shared = scales(lanes);
    let chosen = 0;

    function choose(index) {
      chosen = clamp(index, 0, shared.tokens - 1);
      lanes.forEach((lane) => lane.choose(chosen));
    }
    function draw() {
      if (root.isConnected && root.clientWidth) lanes.forEach((lane) => lane.draw(shared, lookOf(root)));
    }
    row.append(...lanes.map((lane) => lane.card));
    const scrollers = lanes.map((lane) => lane.overview.map.scroller);
    scrollers.forEach((scroller) => scroller.addEventListener("scroll", () => {
      for (const other of scrollers) other.scrollLeft = scroller.scrollLeft;
    }));
    root.addEventListener("keydown", (event) => {
      if (!(event.key in STEPS) || !event.target.matches("canvas[role=slider], .stv-answer")) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(chosen + STEPS[event.key]);
    });
    element.replaceChildren(root);
    draw();
    // A long answer scrolls in its own box, which the keyboard must be able to reach.
    lanes.forEach((lane) => {
      if (lane.answer.scrollHeight > lane.answer.clientHeight + 1) lane.answer.tabIndex = 0;
    });
    mounted.set(element, follow(root, draw));
    return { choose };
  }

  /** Call `draw` when the width or the theme changes; returns how to end that. */
  function follow(root, draw) {
    let width = root.clientWidth;
    const size = new ResizeObserver(() => {
      if (root.clientWidth !== width) draw();
      width = root.clientWidth;
    });
    size.observe(root);
    const theme = new MutationObserver(draw);
    for (const node of [document.documentElement, document.body]) {
      theme.observe(node, { attributes: true, attributeFilter: ["class", "data-theme"] });
    }
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", draw);
    return () => {
      size.disconnect();
      theme.disconnect();
      system.removeEventListener("change", draw);
    };
  }

  /**
   * Show answers that are still being written.
   * @param {HTMLElement} element
   * @param {{name: string, title: string, subtitle: string, text: string, hint: string,
   *          writing: boolean}[]} lanes
   */
  function progress(element, lanes) {
    const names = lanes.map((lane) => lane.name + lane.subtitle).join("\n");
    let root = element.firstElementChild;
    if (root?.dataset.progress !== names) {
      const fresh = shell(element);
      root = fresh.root;
      root.dataset.progress = names;
      fresh.lanes.append(...lanes.map((lane) => card(lane).card));
      element.replaceChildren(root);
    }
    root.querySelectorAll(".stv-answer").forEach((answer, index) => {
      const { text, hint, writing } = lanes[index];
      answer.textContent = text || hint;
      answer.classList.toggle("stv-hint", !text);
      answer.classList.toggle("stv-writing", writing);
      answer.scrollTop = answer.scrollHeight;
    });
  }

  return { mount, progress };
})();
