/* The comparison, to look at: a card a lane with its answer as tokens, directly below them what stands behind the
 * chosen token, and in tabs what is about whole answers. Used by the HTML report and by the page; depends on the
 * other scripts of this folder alone.
 *
 *     SinkTrackViewer.mount(element, payload)     a finished comparison, see sinktrack/report/payload.py; lanes may
 *                                                 have a `number` each, by which a page knows them elsewhere
 *     SinkTrackViewer.progress(element, lanes)    cards whose answers are still being written
 *
 * A page with a server adds to the payload `why`, which asks it about a token (see explanations.js), and `force`,
 * which has the other methods go on from one method's words.
 */
const SinkTrackViewer = (() => {
  "use strict";

  const { make, clamp } = SinkTrackDom;
  const { LaneData, tokenRange } = SinkTrackData;
  const { Card, card, key, pace } = SinkTrackCard;
  const STEPS = {
    ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1,
    PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity,
  };
  const KEYED = "canvas[role=slider], .stv-acts, [role=option]";
  const mounted = new WeakMap(); // element -> how to undo what mount() set up

  /** The colours of the page as they are now. */
  function lookOf(root) {
    const { color, backgroundColor } = getComputedStyle(root.querySelector(".stv-card"));
    const [r, g, b] = color.match(/[\d.]+/g).map(Number);
    const dark = r + g + b > 382;
    const theme = dark ? "dark" : "light";
    const { maps, around } = SinkTrackColour;
    return { dark, map: maps[theme], around: around[theme], ink: color, paper: backgroundColor };
  }

  /** An empty view, with what stands before the answers. */
  function shell(element, before = []) {
    mounted.get(element)?.();
    mounted.delete(element);
    const root = make("section", "stv");
    root.setAttribute("aria-label", "Answers side by side");
    const lanes = make("div", "stv-lanes stv-cards");
    root.append(make("h2", "stv-unseen", "Answers"), ...before, lanes);
    return { root, lanes };
  }

  class Viewer {
    constructor(root, row, payload) {
      const { segments, visuals } = payload;
      const lanes = payload.lanes.map((lane, at) => new LaneData(lane, payload.lanes.length > 1 ? lane.number ?? at + 1 : undefined));
      Object.assign(this, { root, lanes, payload, segments, visuals, quantity: "sink" });
      this.longest = Math.max(1, ...lanes.map((lane) => lane.count));
      this.partsAt = payload.parts_at ?? null;
      const told = Math.max(0, ...lanes.map((lane) => lane.told ?? 0)); // what was told is known already
      this.chosen = clamp(this.partsAt ?? told, 0, this.longest - 1);
      this.pinned = { layer: null, head: null };
      this.names = SinkTrackData.quantities(segments);
      this.choose = this.choose.bind(this);
      row.before(...SinkTrackAsked.before(payload), SinkTrackSwipe.jumps(lanes, (at) => this.jump(at)));
      const high = SinkTrackMoved.highest(lanes);
      this.cards = lanes.map((lane) => new Card(lane, segments, this.partsAt, high, this.choose));
      row.append(...this.cards.map((each) => each.card));
      this.key = key(this.names);
      root.append(this.key.box, ...SinkTrackAsked.sinks(payload.sinks));
      const took = pace(lanes);
      if (took) root.append(make("p", "stv-note stv-pace", took));
      this.jump = SinkTrackSwipe.together(root);
      this.ofToken();
      this.ofAnswers();
      root.addEventListener("keydown", (event) => this.keyed(event));
    }

    /** What is about the chosen token. */
    ofToken() {
      const { root, lanes, partsAt, payload } = this;
      const panel = make("section", "stv-section stv-panel");
      this.strip = new SinkTrackStrip.Strip(root, lanes, partsAt, {
        step: (by) => this.choose(this.chosen + by),
        show: () => goTo(panel),
      });
      panel.setAttribute("aria-label", "The chosen token");
      root.append(panel);
      this.reading = new SinkTrackPin.Pin(panel, lanes, (pinned) => this.pin(pinned));
      this.explanations = payload.why ? new SinkTrackExplanations.Explanations(payload.why) : null;
      this.nearly = new SinkTrackNearly.Nearly(panel, lanes, partsAt, payload.force);
      this.token = new SinkTrackToken.TokenView(panel, lanes, this.visuals, this.explanations);
      this.why = new SinkTrackWhy.Why(panel, lanes, payload, this.explanations, {
        know: (said) => this.know(said),
        select: () => this.heads()?.choose(this.chosen),
        heads: () => this.showHeads(),
      });
      this.about = [this.strip, this.nearly, this.token, this.why];
    }

    /** What is about whole answers. */
    ofAnswers() {
      const { root, lanes, segments, partsAt, payload } = this;
      const on = { choose: this.choose, quantity: (name) => this.colourBy(name) };
      const panels = [{
        title: "Over the whole answer", name: "stv-attention",
        build: (box) => new SinkTrackAttention.Attention(box, lanes, segments, partsAt, on),
      }, {
        title: "Heads", name: "stv-finder",
        build: (box) => new SinkTrackFinder.Finder(box, lanes, this.explanations, (pinned) => this.pin(pinned), () => this.why.selected),
      }];
      const about = SinkTrackReliance.askedAbout(segments);
      if (about && this.explanations) panels.push({
        title: `From the ${about}`, name: "stv-reliance",
        build: (box) => new SinkTrackReliance.Reliance(box, lanes, about, this.explanations, this.choose),
      });
      if (lanes.some((lane) => SinkTrackDrift.drifts(lane, segments))) panels.push({
        title: "Along the answer", name: "stv-drift",
        build: (box) => new SinkTrackDrift.Drift(box, lanes, segments, this.choose),
      });
      if (lanes.some((lane) => lane.writes)) panels.push({
        title: "Written into BOS", name: "stv-anchor",
        build: (box) => new SinkTrackAnchor.Anchor(box, lanes, payload),
      });
      panels.push({
        title: "Numbers", name: "stv-numbers",
        build: (box) => new SinkTrackNumbers.Numbers(box, lanes, this.names, () => this.quantity),
      });
      root.append(make("h2", "stv-unseen", "The whole answers"));
      this.tabs = new SinkTrackTabs.Tabs(root, "The whole answers", panels, (view) => this.bring(view));
    }

    /** The view of heads, where it is in sight. */
    heads() {
      const { view } = this.tabs;
      return view instanceof SinkTrackFinder.Finder ? view : null;
    }

    /** Go to the heads that look at what is chosen. */
    showHeads() {
      this.tabs.turnTo("stv-finder");
      this.heads().ofChosen();
    }

    /** Show a view of a tab as things are now. */
    bring(view) {
      if (!this.look) return; // it is drawn with all others
      view.pin?.(this.pinned);
      view.draw(this.look);
      view.choose(this.chosen);
    }

    choose(index) {
      this.chosen = clamp(index, 0, this.longest - 1);
      for (const view of [...this.cards, ...this.about]) view.choose(this.chosen);
      this.tabs.view?.choose(this.chosen);
    }

    /** Read one layer and head everywhere, or their mean. */
    pin(pinned) {
      this.pinned = pinned;
      this.reading.pin(pinned);
      for (const lane of this.lanes) lane.pin(pinned);
      this.colour();
      for (const view of [this.token, this.why]) view.pin(pinned, this.chosen);
      this.bring(this.tabs.view);
    }

    /** The server has said what stands behind a token. */
    know(said) {
      this.nearly.know(said);
      this.token.know(said);
      this.heads()?.choose(this.chosen);
    }

    colourBy(name) {
      this.quantity = name;
      this.colour();
      Object.assign(this.tabs.view, { quantity: name });
      this.bring(this.tabs.view);
    }

    colour() {
      const scale = { ...tokenRange(this.lanes, this.quantity), map: this.look.map };
      this.cards.forEach((each) => each.colour(this.quantity, scale));
      this.key.show(this.quantity, scale);
    }

    draw() {
      const { root } = this;
      if (!root.isConnected || !root.clientWidth) return;
      this.look = lookOf(root);
      this.colour();
      for (const view of [this.token, this.why]) view.draw(this.look);
      this.choose(this.chosen);
      this.bring(this.tabs.view);
    }

    keyed(event) {
      if (!(event.key in STEPS) || !event.target.matches(KEYED)) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const words = event.target.closest("[role=listbox]");
      // In a text the arrow that points down leads on.
      const by = words && event.key.startsWith("Arrow") && !/Left|Right/.test(event.key) ? -STEPS[event.key] : STEPS[event.key];
      this.choose(this.chosen + by);
      words?.querySelector("[tabindex='0']")?.focus({ preventScroll: false });
    }
  }

  /** Show answers of which nothing but the text is known, because they were made elsewhere. */
  function texts(element, payload) {
    const { root, lanes } = shell(element, [...SinkTrackAsked.before(payload), ...SinkTrackAsked.pictures(payload)]);
    payload.lanes.forEach((lane, at) => {
      const { card: box, answer } = card({ ...lane, number: payload.lanes.length > 1 ? at + 1 : undefined });
      answer.textContent = lane.text || "Nothing was written.";
      lanes.append(box);
    });
    root.append(make("p", "stv-note", "The words are all that is known of these answers: no attention was recorded."));
    element.replaceChildren(root);
    return { choose() {} };
  }

  /**
   * Show a finished comparison.
   * @returns {{choose: (index: number) => void}}
   */
  function mount(element, payload) {
    if (!payload.lanes.some((lane) => lane.tokens)) return texts(element, payload);
    const { root, lanes } = shell(element);
    const viewer = new Viewer(root, lanes, payload);
    element.replaceChildren(root);
    viewer.draw();
    mounted.set(element, follow(root, viewer));
    return { choose: viewer.choose };
  }

  function goTo(panel) {
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    panel.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  /** Draw when the width or the theme changes, and everything for paper; returns how to end that. */
  function follow(root, viewer) {
    const draw = () => viewer.draw();
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
    let close = () => {};
    const printing = () => (close = viewer.tabs.open());
    const printed = () => close();
    system.addEventListener("change", draw);
    window.addEventListener("beforeprint", printing);
    window.addEventListener("afterprint", printed);
    return () => {
      size.disconnect();
      theme.disconnect();
      system.removeEventListener("change", draw);
      window.removeEventListener("beforeprint", printing);
      window.removeEventListener("afterprint", printed);
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
      fresh.lanes.append(...lanes.map((lane, at) => card({ ...lane, number: at + 1 }).card));
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
