/* The comparison, to look at: a card a lane with its answer as tokens, and below them what the tokens
 * looked at. Used by the HTML report and by the page; depends on the other scripts of this folder alone.
 *
 *     SinkTrackViewer.mount(element, payload)     a finished comparison, see sinktrack/report/payload.py
 *     SinkTrackViewer.progress(element, lanes)    cards whose answers are still being written
 */
const SinkTrackViewer = (() => {
  "use strict";

  const { make, clamp, number } = SinkTrackDom;
  const { LaneData, tokenRange } = SinkTrackData;
  const { Card, card, key } = SinkTrackCard;
  const STEPS = {
    ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1,
    PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity,
  };
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

  function shell(element) {
    mounted.get(element)?.();
    mounted.delete(element);
    const root = make("section", "stv");
    root.setAttribute("aria-label", "Answers side by side");
    const lanes = make("div", "stv-lanes stv-cards");
    root.append(lanes);
    return { root, lanes };
  }

  /**
   * Show a finished comparison.
   * @returns {{choose: (index: number) => void}}
   */
  function mount(element, payload) {
    const { root, lanes: row } = shell(element);
    const lanes = payload.lanes.map((lane, at) => new LaneData(lane, payload.lanes.length > 1 ? at + 1 : undefined));
    const longest = Math.max(1, ...lanes.map((lane) => lane.count));
    const partsAt = payload.parts_at ?? null;
    let chosen = clamp(partsAt ?? 0, 0, longest - 1);
    let quantity = "sink";

    const { segments } = payload;
    const names = SinkTrackData.quantities(segments);
    root.prepend(...SinkTrackAsked.before(payload));
    const high = SinkTrackMoved.highest(lanes);
    const cards = lanes.map((lane) => new Card(lane, segments, partsAt, high, choose));
    row.append(...cards.map((each) => each.card));
    const colours = key(names);
    root.append(colours.box, ...SinkTrackAsked.sinks(payload.sinks));
    const attention = new SinkTrackAttention.Attention(root, lanes, segments, partsAt, {
      choose,
      quantity: (name) => {
        quantity = attention.quantity = name;
        colour(lookOf(root));
        attention.draw(lookOf(root));
        attention.choose(chosen);
        table.fill();
      },
    });
    const nearly = new SinkTrackNearly.Nearly(root, lanes, partsAt);
    const why = new SinkTrackWhy.Why(root, lanes, payload);
    const token = new SinkTrackToken.TokenView(root, lanes, payload.visuals);
    const drift = new SinkTrackDrift.Drift(root, lanes, segments, choose);
    const anchor = new SinkTrackAnchor.Anchor(root, lanes, payload);
    const table = numbers(lanes, names, () => quantity);
    root.append(table.box);

    function choose(index) {
      chosen = clamp(index, 0, longest - 1);
      for (const view of [...cards, attention, nearly, why, token, drift]) view.choose(chosen);
    }
    function colour(look) {
      const scale = { ...tokenRange(lanes, quantity), map: look.map };
      cards.forEach((each) => each.colour(quantity, scale));
      colours.show(quantity, scale);
    }
    function draw() {
      if (!root.isConnected || !root.clientWidth) return;
      const look = lookOf(root);
      colour(look);
      for (const view of [attention, why, token, anchor]) view.draw(look);
      choose(chosen);
    }
    root.addEventListener("keydown", (event) => {
      if (!(event.key in STEPS) || !event.target.matches("canvas[role=slider], .stv-acts, .stv-answer")) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(chosen + STEPS[event.key]);
    });
    element.replaceChildren(root);
    draw();
    // A long answer scrolls in its own box, which the keyboard must be able to reach.
    for (const { answer } of cards) {
      if (answer.scrollHeight <= answer.clientHeight + 1) continue;
      Object.assign(answer, { tabIndex: 0, role: "group", ariaLabel: "The answer; it scrolls" });
    }
    mounted.set(element, follow(root, draw));
    return { choose };
  }

  /** The tokens' numbers as a table, made when it is opened: for those who do not see the plots. */
  function numbers(lanes, names, quantity) {
    const box = make("details", "stv-numbers");
    box.append(make("summary", "", "The numbers as a table"));
    const fill = () => {
      box.querySelector("table")?.remove();
      if (!box.open) return;
      const table = make("table");
      const name = quantity();
      table.append(make("caption", "", `Token by token: ${names.get(name)[1]}`));
      const head = table.createTHead().insertRow();
      const cell = (text) => head.append(Object.assign(make("th", "", text), { scope: "col" }));
      ["", ...lanes.flatMap((lane) => [lane.title, "value"])].forEach(cell);
      const body = table.createTBody();
      const longest = Math.max(...lanes.map((lane) => lane.count));
      for (let t = 0; t < longest; t++) {
        const row = body.insertRow();
        row.insertCell().textContent = t + 1;
        for (const lane of lanes) {
          const here = t < lane.count;
          row.insertCell().textContent = here ? lane.nameOf(t) : "";
          row.insertCell().textContent = here ? number(lane.get(name).tokens[t]) : "";
        }
      }
      box.append(table);
    };
    box.addEventListener("toggle", fill);
    return { box, fill };
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
