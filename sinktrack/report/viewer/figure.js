/* Plots as figures for a paper: a title, axes with labels and units, a legend, on white whatever the page looks
 * like, and all text as text. Knows nothing about buttons and files.
 */
const SinkTrackFigure = (() => {
  "use strict";

  const { draw, clamp, brief } = SinkTrackDom;
  const PAD = 14; // pixels, like all sizes here
  const LEFT = 54; // for the axis at the left
  const WIDTH = 560; // of a figure whose content does not say
  const PICTURE = 380; // the longer side of a picture
  const MOST_WORDS = 60; // columns that have room for their words
  const LONGEST_WORD = 16; // characters of a token at the axis
  const INK = "#1b2327";
  const SOFT = "#58646a";
  const LINE = "#c9cfcc";
  const HIDDEN = "rgb(128 128 128)";

  /** How wide a text is about; nothing is laid out here. */
  const wide = (text, size) => [...text].length * size * 0.58;

  function shortened(text, most) {
    const letters = [...text];
    return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text;
  }

  /** A text as lines that fit. */
  function wrapped(text, room, size) {
    const lines = [""];
    for (const word of text.split(" ")) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (wide(longer, size) <= room || !lines.at(-1)) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  }

  /** The colour on a light page of one that `light-dark` has for both. */
  const onLight = (colour) => /^light-dark\((rgb\([^)]*\))/.exec(colour)?.[1] ?? colour;

  /** The map of a light page in place of that of a dark one. */
  function light(map) {
    const { maps, around } = SinkTrackColour;
    if (map === maps.dark) return maps.light;
    return map === around.dark ? around.light : map;
  }

  /** A white page that grows downwards; `y` is where the next thing goes. */
  class Sheet {
    constructor(width, title, note = "") {
      this.width = Math.max(width, 360);
      this.y = PAD;
      this.svg = draw("svg", { "font-family": "Helvetica, Arial, sans-serif", "font-size": 11, fill: INK });
      this.paper = this.add("rect", { x: 0, y: 0, fill: "#ffffff" });
      for (const [text, size, style] of [
        [title, 13, { "font-weight": 600 }], [note, 11, { fill: SOFT }],
      ]) {
        for (const line of text ? wrapped(text, this.width - 2 * PAD, size * (style.fill ? 1 : 1.1)) : []) {
          this.y += size + 3;
          this.text(PAD, this.y, line, { "font-size": size, ...style });
        }
      }
      this.y += 10;
    }

    add(tag, attributes, text) {
      const node = draw(tag, attributes, text);
      this.svg.append(node);
      return node;
    }

    text(x, y, text, attributes = {}) {
      return this.add("text", { x, y, ...attributes }, text);
    }

    /** The name of the axis at the left, upright. */
    side(text, middle) {
      this.text(0, 0, text, {
        transform: `translate(${PAD + 8} ${middle}) rotate(-90)`, "text-anchor": "middle", fill: SOFT });
    }

    /** The name of the axis below. */
    foot(text, middle) {
      this.y += 14;
      this.text(middle, this.y, text, { "text-anchor": "middle", fill: SOFT });
      this.y += 8;
    }

    /** A bar of colours with a number at each end, and what it stands for. */
    ramp(low, high, map, of) {
      this.y += 14;
      const start = PAD + wide(low, 11) + 6;
      this.text(PAD, this.y, low);
      for (let i = 0; i < 55; i++) { // no gradient: its id would clash with that of another figure in one paper
        const fill = SinkTrackColour.css(map, Math.round((i / 54) * 254));
        this.add("rect", { x: start + 2 * i, y: this.y - 9, width: 2, height: 10, fill, "shape-rendering": "crispEdges" });
      }
      this.add("rect", { x: start, y: this.y - 9, width: 110, height: 10, fill: "none", stroke: LINE, "stroke-width": 0.5 });
      this.text(start + 116, this.y, high);
      for (const line of wrapped(of, this.width - 2 * PAD, 11)) {
        this.y += 15;
        this.text(PAD, this.y, line, { fill: SOFT });
      }
    }

    /** Colours with what they stand for, in as many lines as they need. */
    key(entries) {
      this.y += 14;
      let x = PAD;
      for (const [title, colour] of entries) {
        const width = wide(title, 11) + 30;
        if (x > PAD && x + width > this.width) {
          x = PAD;
          this.y += 16;
        }
        this.add("rect", { x, y: this.y - 9, width: 10, height: 10, rx: 2, fill: colour });
        this.text(x + 15, this.y, title);
        x += width;
      }
    }

    end() {
      const height = this.y + PAD;
      for (const [name, value] of Object.entries({
        viewBox: `0 0 ${this.width} ${height}`, width: this.width, height,
      })) this.svg.setAttribute(name, value);
      this.paper.setAttribute("width", this.width);
      this.paper.setAttribute("height", height);
      return this.svg;
    }
  }

  /** Numbers along an axis, as many as have room. */
  function every(step, room) {
    return [1, 2, 5, 10, 20, 50, 100, 200, 500].find((n) => n * step >= room) ?? 1000;
  }

  /**
   * A heatmap.
   * @param {Heatmap} map
   * @param {string} title
   * @param {string} of what the colours stand for, with its unit
   */
  function heatmap(map, title, of) {
    const { rows, columns, flags, first, values, marked } = map;
    const words = first === 1 && columns <= MOST_WORDS;
    const width = words ? clamp(WIDTH / columns, 11, 26) : clamp(640 / columns, 1.5, 16);
    const height = rows === 1 ? 22 : clamp(300 / rows, 7, 16);
    const sheet = new Sheet(LEFT + columns * width + PAD, title);
    for (const { column, text } of flags) {
      sheet.y += 12;
      const right = LEFT + (column + 0.5) * width > sheet.width / 2;
      const x = clamp(LEFT + column * width, PAD, sheet.width - PAD);
      sheet.text(x, sheet.y, text, { "text-anchor": right ? "end" : "start" });
    }
    sheet.y += flags.length ? 5 : 0;
    const top = sheet.y;
    const colours = light(map.scale.map);
    cells(sheet, map, colours, { top, width, height });
    for (const { column } of flags) {
      const x = LEFT + column * width;
      sheet.add("line", { x1: x, x2: x, y1: top - 4, y2: top + rows * height, stroke: INK, "stroke-dasharray": "4 3", "stroke-width": 1.2 });
    }
    if (rows > 1) layersAtSide(sheet, map, top, height);
    sheet.y = top + rows * height;
    columnsBelow(sheet, map, words, width);
    const { low, high } = map.scale;
    sheet.ramp(brief(low), brief(high), colours, of);
    if (marked.size) {
      sheet.y += 15;
      sheet.text(PAD, sheet.y, "▸ a layer that writes into BOS", { fill: SOFT });
    }
    if (values.some(Number.isNaN)) sheet.key([["not in view", HIDDEN]]);
    return sheet.end();
  }

  /** Cells as rectangles, runs of one colour in a row as one. */
  function cells(sheet, { rows, columns, values, scale }, map, { top, width, height }) {
    for (let r = 0; r < rows; r++) {
      let start = 0;
      let step = null;
      for (let c = 0; c <= columns; c++) {
        const next = c < columns ? SinkTrackColour.step(values[r * columns + c], scale.low, scale.high) : null;
        if (next === step && c) continue;
        if (step !== null) {
          sheet.add("rect", {
            x: LEFT + start * width, y: top + r * height, width: (c - start) * width, height,
            fill: SinkTrackColour.css(map, step), "shape-rendering": "crispEdges",
          });
        }
        [start, step] = [c, next];
      }
    }
  }

  function layersAtSide(sheet, { rows, marked }, top, height) {
    const apart = every(height, 11);
    for (let row = 0; row < rows; row++) {
      const own = marked.has(row);
      const crowded = !own && height < 11 && [1, -1].some((side) => marked.has(row + side));
      if (!own && (row % apart || crowded)) continue;
      sheet.text(LEFT - 6, top + (row + 0.5) * height + 4, own ? `▸ ${row}` : String(row), { "text-anchor": "end" });
    }
    sheet.side("layer", top + (rows * height) / 2);
  }

  function columnsBelow(sheet, { columns, first, label }, words, width) {
    const middle = LEFT + (columns * width) / 2;
    if (words) {
      const said = Array.from({ length: columns }, (_, c) => shortened(label(c), LONGEST_WORD));
      said.forEach((word, c) => sheet.text(0, 0, word, {
        transform: `translate(${LEFT + (c + 0.5) * width + 4} ${sheet.y + 8}) rotate(-90)`, "text-anchor": "end", "font-size": 10 }));
      sheet.y += 8 + Math.max(8, ...said.map((word) => wide(word, 10.5)));
    } else {
      const apart = every(width, 28);
      for (let c = 0; c < columns; c++) {
        if ((c + first) % apart && !(c === 0 && apart < 4)) continue;
        sheet.text(LEFT + (c + 0.5) * width, sheet.y + 13, String(c + first), { "text-anchor": "middle" });
      }
      sheet.y += 15;
    }
    sheet.foot(first === 1 ? "token" : "head", middle);
  }

  /**
   * Colours over a picture.
   * @param {{image: HTMLImageElement, canvas: HTMLCanvasElement, title: string, note: string,
   *          low: string, high: string, of: string}} what
   */
  function overlay({ image, canvas, title, note, low, high, of }) {
    const [given, tall] = [image.naturalWidth || 1, image.naturalHeight || 1];
    const factor = PICTURE / Math.max(given, tall);
    const [width, height] = [given * factor, tall * factor];
    const sheet = new Sheet(width + 2 * PAD, title, note);
    sheet.add("image", { href: image.src, x: PAD, y: sheet.y, width, height, preserveAspectRatio: "none" });
    // a wash has one pixel a patch, lines have many
    sheet.add("image", {
      href: canvas.toDataURL(), x: PAD, y: sheet.y, width, height, preserveAspectRatio: "none", "image-rendering": "pixelated",
    });
    sheet.y += height + 6;
    if (high) sheet.ramp(low, high, SinkTrackOverlay.heatMap({ dark: false }), of);
    return sheet.end();
  }

  /**
   * Stacked areas of shares along an answer.
   * @param {{title: string, longest: number, bands: [string, string, string][]}} what of each band its title,
   *   its colour, and its path in tokens and shares, see SinkTrackDrift
   */
  function bands({ title, longest, bands: drawn }) {
    const left = LEFT + 16; // "100 %" is wider than a layer
    const [width, height] = [WIDTH - left - PAD, 180];
    const sheet = new Sheet(WIDTH, title);
    const top = sheet.y;
    for (const [, colour, d] of drawn) {
      sheet.add("path", { d, fill: onLight(colour), transform: `translate(${left} ${top}) scale(${width / longest} ${height})` });
    }
    sheet.add("path", { d: `M${left} ${top}v${height}h${width}`, fill: "none", stroke: INK });
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      sheet.text(left - 6, top + (1 - share) * height + 4, `${100 * share} %`, { "text-anchor": "end" });
    }
    sheet.side("share of attention", top + height / 2);
    const apart = every(width / longest, 28);
    for (let t = 1; t <= longest; t++) {
      if (t % apart && !(t === 1 && apart >= 5)) continue;
      sheet.text(left + ((t - 0.5) * width) / longest, top + height + 14, String(t), { "text-anchor": "middle" });
    }
    sheet.y = top + height + 16;
    sheet.foot("token", left + width / 2);
    sheet.key(drawn.map(([name, colour]) => [name, onLight(colour)]));
    return sheet.end();
  }

  /**
   * Bars of shares, one below the other, each of one or several pieces.
   * @param {object} what
   * @param {string} what.title
   * @param {string} what.side what the bars are
   * @param {string} what.foot what their length is
   * @param {{label: string, pieces: [number, string][], after: string}[]} what.rows of each bar its pieces as share
   *   and colour, and what stands behind it
   * @param {[string, string][]} [what.key] titles and colours
   */
  function bars({ title, side, foot, rows, key = [] }) {
    const size = 18;
    const left = PAD + 30 + Math.min(140, Math.max(12, ...rows.map(({ label }) => wide(label, 11))));
    const behind = Math.max(10, ...rows.map(({ after }) => wide(after, 11) + 8));
    const sheet = new Sheet(WIDTH, title);
    const width = Math.max(120, sheet.width - left - behind - PAD);
    const top = sheet.y;
    rows.forEach(({ label, pieces, after }, at) => {
      const y = top + at * size;
      sheet.text(left - 6, y + 12, shortened(label, 24), { "text-anchor": "end" });
      let x = left;
      for (const [share, colour] of pieces) {
        sheet.add("rect", { x, y: y + 2, width: Math.max(0, share) * width, height: size - 5, fill: onLight(colour) });
        x += Math.max(0, share) * width;
      }
      sheet.text(left + width + 8, y + 12, after, { fill: SOFT });
    });
    sheet.y = top + rows.length * size;
    sheet.add("path", { d: `M${left} ${top}V${sheet.y}h${width}`, fill: "none", stroke: INK });
    for (const share of [0, 0.5, 1]) {
      sheet.text(left + share * width, sheet.y + 14, `${100 * share} %`, { "text-anchor": "middle" });
    }
    sheet.side(side, (top + sheet.y) / 2);
    sheet.y += 16;
    sheet.foot(foot, left + width / 2);
    if (key.length) sheet.key(key.map(([name, colour]) => [name, onLight(colour)]));
    return sheet.end();
  }

  /** A table; `heads` names its columns, `rows` has a text for each. */
  function table({ title, note, heads, rows }) {
    const widths = heads.map((head, at) => 18 + Math.max(...[head, ...rows.map((row) => row[at])].map((text) => wide(text, 11))));
    const sheet = new Sheet(widths.reduce((sum, each) => sum + each, 2 * PAD), title, note);
    for (const [line, row] of [heads, ...rows].entries()) {
      sheet.y += 17;
      let x = PAD;
      row.forEach((text, at) => {
        sheet.text(x, sheet.y, text, line ? {} : { fill: SOFT });
        x += widths[at];
      });
      sheet.add("line", { x1: PAD, x2: sheet.width - PAD, y1: sheet.y + 5, y2: sheet.y + 5, stroke: LINE });
    }
    sheet.y += 4;
    return sheet.end();
  }

  return { heatmap, overlay, bands, bars, table };
})();
