/* Many questions answered by every method: how far it is, how often each is right, whether that is chance, and
 * which questions changed. Its value is a state of app/compare/chance.py with what app/shared/chance.py found.
 */
const SinkTrackChance = (() => {
  "use strict";

  const { make, draw, ofLane, percent } = SinkTrackDom;
  const LIKELY = 0.05;

  const points = (value) => `${value > 0 ? "+" : ""}${(100 * value).toFixed(0).replace("-", "−")}`;
  const chanceOf = (p) => (p >= 0.001 ? `p = ${p.toFixed(3)}` : "p < 0.001");

  /** One sentence on whether a method differs from the first one. */
  function conclusion({ title, against }, first, comparisons) {
    const { better, worse, p, p_holm: corrected } = against;
    if (!better && !worse) return `${title} and ${first.title} are right in the same questions.`;
    const tested = comparisons > 1 ? `${chanceOf(p)}, corrected for ${comparisons} comparisons ${chanceOf(corrected).slice(2)}` : chanceOf(p);
    const way = against.value < 0 ? "less often right" : "more often right";
    const said = corrected < LIKELY ? `${way} than chance explains` : "different by no more than chance can explain";
    return `${title} is ${said} (${tested}).`;
  }

  /** The share that is right, with its interval. */
  function bar({ value, low, high }) {
    const svg = draw("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true", class: "st-bar" });
    svg.append(
      draw("rect", { x: 0, y: 2, width: 100, height: 6, class: "st-bar-all" }),
      draw("rect", { x: 0, y: 2, width: 100 * value, height: 6, class: "st-bar-right" }),
      draw("rect", { x: 100 * low, y: 4.25, width: Math.max(0.5, 100 * (high - low)), height: 1.5, class: "st-bar-between" }));
    return svg;
  }

  function method(each, at, count, first) {
    const item = ofLane(make("li", "st-method"), at + 1);
    const head = make("p", "st-method-head");
    head.append(make("span", "st-badge", String(at + 1)), make("strong", "", each.title),
      make("span", "st-method-share", `${each.right} of ${count} right`));
    item.append(head, bar(each),
      make("p", "st-small", `${percent(each.value)}, 95 % interval ${percent(each.low)} to ${percent(each.high)}`));
    if (each.against) {
      const { value, low, high, better, worse } = each.against;
      item.append(make("p", "st-small", `${points(value)} points against ${first.title} (${points(low)} to ${points(high)}): `
        + `${better} turned right, ${worse} turned wrong`));
    }
    return item;
  }

  /** A question that some methods answered rightly and others wrongly. */
  function changed({ question, truth, pictures, answers }, methods) {
    const item = make("li", "st-changed");
    for (const src of pictures) item.append(Object.assign(make("img"), { src, alt: "" }));
    const words = make("div", "st-changed-words");
    const asked = make("p", "st-changed-question", question);
    asked.dir = "auto";
    const right = make("p", "st-small");
    right.append("Right: ", truth);
    words.append(asked, right);
    answers.forEach((answer, at) => {
      const line = ofLane(make("p", answer.right ? "st-right" : "st-wrong"), at + 1);
      const said = make("span", "st-said-words", answer.text.trim() || "nothing");
      said.dir = "auto";
      line.append(make("span", "st-badge", String(at + 1)), make("span", "st-judged", `${methods[at].title}: `),
        make("strong", "", answer.right ? "right" : "wrong"), " ", said);
      words.append(line);
    });
    item.append(words);
    return item;
  }

  function results({ title, count, asked, comparisons, methods, changed: items }) {
    const box = make("div", "st-results");
    const stopped = count < asked ? `, stopped after ${count} of ${asked}` : "";
    box.append(make("h3", "st-results-title", `${count} ${count === 1 ? "question" : "questions"}: ${title}${stopped}`));
    const said = make("ul", "st-conclusions");
    const [first, ...others] = methods;
    said.append(...others.map((each) => make("li", "", conclusion(each, first, comparisons))));
    const list = make("ol", "st-methods");
    list.append(...methods.map((each, at) => method(each, at, count, first)));
    box.append(said, list);
    if (!items.length) return box;
    const more = make("details", "st-changes");
    const what = items.length === 1 ? "1 question that only some answered rightly"
      : `${items.length} questions that only some answered rightly`;
    const all = make("ul", "st-changed-list");
    all.append(...items.map((each) => changed(each, methods)));
    more.append(make("summary", "", what), all);
    box.append(more);
    return box;
  }

  /** Keep the panel in step with what the server sends. */
  function chance(host, props, watch) {
    const status = make("p", "st-chance-status");
    const spoken = make("p", "st-spoken");
    status.setAttribute("aria-hidden", "true");
    spoken.setAttribute("role", "status");
    const done = make("progress", "st-chance-done");
    done.setAttribute("aria-label", "Questions answered");
    const found = make("div");
    host.append(status, spoken, done, found);
    let shown; // the result as it was sent: an opened list stays open while nothing changes

    function show() {
      const state = JSON.parse(props.value);
      status.textContent = state.status;
      // A screen reader hears that it goes on, not every number.
      const phase = state.result ? "Done." : state.status.replace(/\d+/g, "").trim();
      if (spoken.dataset.phase !== phase) spoken.textContent = state.result ? "All questions are answered." : state.status;
      spoken.dataset.phase = phase;
      done.hidden = !state.busy;
      if (state.share === null) done.removeAttribute("value");
      else done.value = state.share;
      const result = JSON.stringify(state.result);
      if (result === shown) return;
      shown = result;
      found.replaceChildren(...(state.result ? [results(state.result)] : []));
    }
    watch("value", show);
    show();
  }

  return { chance, conclusion };
})();
