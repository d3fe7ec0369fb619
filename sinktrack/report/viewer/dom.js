/* Small pieces of page that every view uses. All text goes in through textContent. */
const SinkTrackDom = (() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const LANE_COLOURS = 6; // as many as viewer.css has; further lanes take them in turn

  function make(tag, name, text) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  /** An SVG element with attributes. */
  function draw(tag, attributes, text) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
  const number = (value) => (Number.isNaN(value) ? "not visible" : value.toFixed(3));
  const brief = (value) => String(Number(value.toPrecision(2)));
  const percent = (value) => `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)} %`;

  /** A probability, of which the smallest is not nothing. */
  const chance = (value) => (value > 0 && value < 0.001 ? "< 0.1 %" : percent(value));

  /** A token's text for people: spaces and line ends made visible. */
  function visible(text) {
    if (!text) return "·";
    return text.replace(/\n/g, "↵").replace(/\t/g, "⇥").trim() || "␣";
  }

  /** A bar of colours with a number at each end. */
  function legend() {
    const box = make("span", "stv-legend");
    const [low, bar, high] = ["stv-low", "stv-ramp", "stv-high"].map((name) => make("span", name));
    box.append(low, bar, high);
    const show = (from, to, map) => {
      low.textContent = brief(from);
      high.textContent = brief(to);
      bar.style.background = SinkTrackColour.gradient(map);
    };
    const name = (from, to) => [low.textContent, high.textContent] = [from, to];
    return { box, show, name };
  }

  /** Names with the colours that stand for them. */
  function colourKey(names, colours) {
    const key = make("p", "stv-parts-key");
    for (const [name, title] of names) {
      const entry = make("span", "", title);
      entry.style.setProperty("--stv-part", colours.get(name));
      key.append(entry);
    }
    return key;
  }

  /** A number that is chosen out of a few, with a label. */
  function selection(title, options, onChange) {
    const label = make("label", "stv-input");
    const select = make("select");
    select.setAttribute("aria-label", title);
    for (const [value, text] of options) select.append(Object.assign(make("option", "", text), { value }));
    select.addEventListener("change", () => onChange(select.value));
    label.append(make("span", "", title), select);
    return { box: label, select };
  }

  /** A button. */
  function button(text, onPress, name = "stv-ask") {
    const node = Object.assign(make("button", name, text), { type: "button" });
    node.addEventListener("click", onPress);
    return node;
  }

  /** "a, b and c". */
  function listed(words) {
    return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
  }

  /** A titled plot: its legend, and a line that reads out the chosen and the pointed-at value. */
  function figure(parent, title, note) {
    const box = make("figure", "stv-figure");
    const caption = make("figcaption", "stv-caption");
    const heading = make("span", "stv-heading", title);
    const scale = legend();
    const remark = make("span", "stv-note", note);
    caption.append(heading, scale.box, remark);
    const readout = make("p", "stv-readout");
    const chosen = make("span", "stv-chosen");
    const pointed = make("span", "stv-pointed");
    pointed.setAttribute("aria-hidden", "true");
    readout.append(chosen, pointed);
    box.append(caption);
    parent.append(box);
    const point = (text) => {
      pointed.textContent = text;
      readout.classList.toggle("stv-pointing", Boolean(text));
    };
    return { box, caption, heading, remark, scale, readout, chosen, point };
  }

  let groups = 0;

  /**
   * One choice out of several, as real radio buttons.
   * @param {string} label what is chosen
   * @param {[string, string][]} options value and text of each
   * @param {(value: string) => void} onChange
   * @param {string | null} chosen what is chosen at first, null for nothing
   */
  function choice(label, options, onChange, chosen = options[0][0]) {
    const box = make("fieldset", "stv-choice");
    box.append(make("legend", "", label));
    const group = `stv-choice-${groups++}`;
    options.forEach(([value, text]) => {
      const name = make("label");
      const input = make("input");
      Object.assign(input, { type: "radio", name: group, value, checked: value === chosen });
      input.addEventListener("change", () => onChange(value));
      name.append(input, make("span", "", text));
      box.append(name);
    });
    return box;
  }

  /** A part of a panel with a heading, and what stands beside the heading. */
  function section(parent, title, name) {
    const box = make("section", `stv-part ${name}`);
    const bar = make("div", "stv-bar");
    const heading = make("h3", "stv-title", title);
    bar.append(heading);
    box.append(bar);
    parent.append(box);
    return { box, bar, heading };
  }

  /** Mark a box as of one lane: its number and colour are the same wherever the lane is shown. */
  function ofLane(box, nth) {
    if (nth) {
      box.classList.add("stv-of-lane");
      box.classList.add(`stv-lane-${((nth - 1) % LANE_COLOURS) + 1}`);
      box.style.setProperty("--stv-number", `"${nth}"`);
    }
    return box;
  }

  return {
    ofLane, make, draw, clamp, number, brief, percent, chance, visible, listed, legend, colourKey, figure, choice, section, selection, button,
  };
})();
