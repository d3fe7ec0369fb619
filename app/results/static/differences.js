/* The differences of a task's methods from the first one: a point with its 95 % interval for each measure and
 * method, on one axis. It knows no server.
 */
const SinkTrackDifferences = (() => {
  "use strict";

  const { make, draw, ofLane } = SinkTrackDom;
  const ROW = 22; // pixels, like all sizes here
  const GAP = 10; // before each measure
  const FOOT = 40;
  const LETTER = 7.2; // a letter's width, about
  const WIDE = 640; // from here on there is room for the numbers
  const SAVED = 800; // wide, whatever the window
  const PAD = 16;
  const STYLES = ["fill", "stroke", "stroke-width", "font-size", "font-weight"];

  /** Ends of an axis, and round numbers on it, that show all values and zero. */
  function axis(values, most) {
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const span = high - low || 0.1;
    const rough = span / most;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * ([1, 2, 5].find((each) => each * unit >= rough) ?? 10);
    const [from, to] = [Math.floor(low / step), Math.ceil(high / step)];
    const ends = from === to ? [from - 1, to + 1] : [from, to];
    const ticks = Array.from({ length: ends[1] - ends[0] + 1 }, (_, at) => (ends[0] + at) * step);
    return { low: ticks[0], high: ticks.at(-1), ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
  }

  const signed = (value, digits) => `${value > 0 ? "+" : ""}${value.toFixed(digits)}`.replace(/^-0(\.0*)?$/, "0$1");

  const shortened = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text);

  /** Rows of a table of `app/results/tables.py` that have a difference, by measure. */
  function groups({ measures }) {
    return measures.map((each) => ({ ...each, rows: each.rows.filter((row) => row.drawn) })).filter(({ rows }) => rows.length);
  }

  function spoken(found, first) {
    const said = found.flatMap(({ measure, rows }) => rows.map((row) => `${measure}, ${row.method}: ${row.difference}`));
    return `Differences from ${first}. ${said.join(". ")}.`;
  }

  /**
   * The figure as SVG.
   * @param {object} table of one task
   * @param {string[]} methods of the run, the first one first
   * @param {number} width in pixels
   */
  function picture(table, methods, width) {
    const found = groups(table);
    const left = Math.min(200, Math.max(96, width * 0.3));
    const right = width >= WIDE ? 190 : 26;
    const drawn = found.flatMap(({ rows }) => rows.map((row) => row.drawn));
    const scale = axis(drawn.flatMap(({ low, high, value }) => [low, high, value]), width >= WIDE ? 6 : 4);
    const x = (value) => left + ((value - scale.low) / (scale.high - scale.low)) * (width - left - right);
    const bottom = found.reduce((sum, { rows }) => sum + GAP + ROW * (rows.length + 1), 0);
    const svg = draw("svg", {
      class: "sr-plot", width, height: bottom + FOOT, viewBox: `0 0 ${width} ${bottom + FOOT}`, role: "img",
      "aria-label": spoken(found, methods[0]),
    });
    for (const tick of scale.ticks) {
      const zero = Math.abs(tick) < 1e-12;
      svg.append(
        draw("line", { class: zero ? "sr-zero" : "sr-grid", x1: x(tick), x2: x(tick), y1: 4, y2: bottom + 4 }),
        draw("text", { class: "sr-tick", x: x(tick), y: bottom + 19, "text-anchor": "middle" }, signed(tick, scale.digits)));
    }
    const title = width >= WIDE ? `difference from ${methods[0]}, 95 % interval` : `minus ${methods[0]}`;
    svg.append(draw("text", { class: "sr-tick", x: (left + width - right) / 2, y: bottom + 36, "text-anchor": "middle" },
      shortened(title, (width - left) / LETTER)));
    let y = 0;
    for (const { measure, less, rows } of found) {
      y += GAP + ROW;
      const heading = less ? `${measure} (less is better)` : measure;
      svg.append(draw("text", { class: "sr-measure", x: 0, y: y - 6 }, shortened(heading, width / LETTER)));
      for (const row of rows) {
        svg.append(line(row, methods.indexOf(row.method) + 1, { x, y, left, width, right }));
        y += ROW;
      }
    }
    return svg;
  }

  /** One method's point and interval; filled where the difference is clear after the correction. */
  function line({ method, difference, drawn }, number, { x, y, left, width, right }) {
    const middle = y + ROW / 2;
    const group = ofLane(draw("g", {}), number);
    const dot = drawn.clear ? "sr-dot" : "sr-dot sr-open";
    group.append(
      draw("text", { class: "sr-method", x: left - 12, y: middle + 4, "text-anchor": "end" }, shortened(method, (left - 12) / LETTER)),
      draw("line", { class: "sr-interval", x1: x(drawn.low), x2: x(drawn.high), y1: middle, y2: middle }),
      draw("circle", { class: dot, cx: x(drawn.value), cy: middle, r: 4.5 }));
    if (width >= WIDE) group.append(draw("text", { class: "sr-number", x: width - right + 12, y: middle + 4 }, difference));
    return group;
  }

  /** The same for a paper: under its title, on white whatever the page looks like, with its styles in itself. */
  function onPaper(table, methods, page) {
    const paper = make("div", "sr-paper");
    const svg = picture(table, methods, SAVED);
    paper.append(svg);
    page.append(paper);
    for (const node of [...svg.querySelectorAll("*")].reverse()) { // children first: a lane gives its colour to them
      const styles = getComputedStyle(node);
      for (const name of STYLES) node.setAttribute(name, styles.getPropertyValue(name));
      for (const name of ["class", "style"]) node.removeAttribute(name);
    }
    paper.remove();
    const height = Number(svg.getAttribute("height")) + 2 * PAD + ROW;
    const place = { x: -PAD, y: -PAD - ROW, width: SAVED + 2 * PAD, height };
    svg.prepend(
      draw("rect", { ...place, fill: "#ffffff" }),
      draw("text", { x: 0, y: -ROW + 12, "font-size": 15, "font-weight": 600 }, table.task));
    const { x, y, width } = place;
    for (const [name, value] of Object.entries({ width, height, viewBox: `${x} ${y} ${width} ${height}`, "font-family": "Helvetica, Arial, sans-serif" })) {
      svg.setAttribute(name, value);
    }
    svg.removeAttribute("class");
    return svg;
  }

  /** A figure that is drawn as wide as there is room; null where nothing is compared. */
  function figure(table, methods) {
    if (!groups(table).length) return null;
    const box = make("figure", "sr-figure");
    const room = make("div");
    const caption = make("figcaption", "stv", `Differences from ${methods[0]}`);
    box.append(room, caption);
    SinkTrackSave.add(caption, () => [`${table.task}-differences`, onPaper(table, methods, box)]);
    caption.append(make("span", "", "A filled point: p is at most 0.05 after the correction."));
    let drawnAt = 0;
    new ResizeObserver(() => {
      const width = Math.min(960, Math.floor(room.clientWidth));
      if (!width || width === drawnAt) return;
      drawnAt = width;
      room.replaceChildren(picture(table, methods, width));
    }).observe(room);
    return box;
  }

  return { figure, picture, axis };
})();
