/* What a method wrote into BOS: from where in pictures and words, and what it was made of, layer by layer. */
const SinkTrackAnchor = (() => {
  "use strict";

  const { make, draw, brief, percent, section, choice, figure, colourKey, ofLane } = SinkTrackDom;
  const { unpack, largest, total } = SinkTrackData;
  const { pictured, turnTo, frames, heat, heatMap } = SinkTrackOverlay;

  class Anchor {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {{visuals: object[], segments: object[]}} payload
     */
    constructor(parent, lanes, { visuals, segments }) {
      this.lanes = lanes.filter((lane) => lane.writes);
      this.visuals = visuals;
      this.colours = SinkTrackColour.parts([...segments, { name: "other", kind: "other" }]);
      const { box } = section(parent, "What was written into BOS", "");
      const intro = make("div", "stv-intro");
      intro.append(sketch(), make("p", "", this.introduction()));
      box.append(intro);
      const row = make("div", "stv-lanes");
      box.append(row);
      this.sides = this.lanes.map((lane) => this.side(row, lane));
      // One scale for all layers, lanes, pictures and words, so that equal colours are equal weights.
      this.high = Math.max(1e-6, ...this.sides.flatMap(({ pictures, words }) =>
        [...pictures.map(({ values }) => largest(values)), words ? largest(words) : 0]));
    }

    introduction() {
      const into = new Set(this.lanes.map(({ writes }) => writes.into));
      const ways = [];
      if (into.has("output")) {
        const itself = this.lanes.some(({ writes }) => drawsItself(writes));
        ways.push(`While the prompt is read, BOS looks at ${itself ? "the whole context, itself among it," : "the context in place of itself"} `
          + "and adds what it finds to its own state. Every later token that looks at BOS meets it there.");
      }
      if (into.has("value")) {
        ways.push(`${into.size > 1 ? "Elsewhere the" : "The"} value that BOS has in the cache is replaced by `
          + "the mean value of the context. Every head that looks at BOS reads it there.");
      }
      return `${ways.join(" ")} Nothing else is changed${this.shifts()}, and nothing at all while the answer `
        + "is written.";
    }

    /** What the mask of the public code changes besides. */
    shifts() {
      const shifted = this.lanes.filter((lane) => lane.method?.causal === "official");
      if (!shifted.length) return "";
      const where = shifted.length < this.lanes.length ? "with the mask of the public code " : "";
      return `, except that ${where}no other token of the prompt sees itself at those layers`;
    }

    side(row, lane) {
      const { writes } = lane;
      const side = { lane, index: 0, pictures: [], bars: [] };
      const box = ofLane(make("div", "stv-side"), lane.number);
      row.append(box);
      const plot = (side.plot = figure(box, lane.title, "what BOS drew from, mean over heads"));
      if (writes.sources) {
        plot.box.append(this.sources(side));
        SinkTrackSave.add(plot.caption, () => [`${lane.name}-written`, this.sourcesFigure(lane)]);
      }
      else {
        const options = writes.layers.map((layer, index) => [String(index), String(layer)]);
        plot.box.append(choice("Layer", options, (value) => this.turn(side, Number(value))));
      }
      plot.box.append(plot.readout);
      const shelf = make("div", "stv-shelf stv-written-pictures");
      writes.visuals.forEach((packed, at) => {
        if (packed && this.visuals[at]) side.pictures.push(this.picture(side, shelf, packed, at));
      });
      if (side.pictures.length) plot.box.append(shelf);
      if (writes.words) {
        side.words = unpack(writes.words);
        plot.box.append(this.words(side));
      }
      return side;
    }

    /** The bars of `sources` as a figure. */
    sourcesFigure({ title, writes }) {
      const { names, segments, shares } = writes.sources;
      const against = writes.into === "value" ? "its own value’s" : "the residual’s";
      return SinkTrackFigure.bars({
        title: `${title}: what was written into BOS, mean over heads`
          + `${writes.norms ? `; behind each bar its length over ${against}` : ""}`,
        side: "layer",
        foot: "share of what was written",
        rows: writes.layers.map((layer, index) => ({
          label: String(layer),
          pieces: segments.map((name, at) => [shares[index][at], this.colours.get(name)]),
          after: writes.norms ? brief(writes.norms[index]) : "",
        })),
        key: segments.map((name, at) => [names[at], this.colours.get(name)])
          .filter((_, at) => shares.some((row) => row[at] >= 0.0005)),
      });
    }

    /** A bar a layer of what was written, and how long it was. */
    sources(side) {
      const { writes } = side.lane;
      const { names, segments, shares } = writes.sources;
      const box = make("div", "stv-sources");
      const used = segments.map((name, at) => [name, names[at], Math.max(...shares.map((row) => row[at]))])
        .filter(([, , most]) => most >= 0.0005);
      box.append(colourKey(used, this.colours));
      const grid = make("div", "stv-source-bars");
      const against = writes.into === "value" ? "its own value’s" : "the residual’s";
      grid.append(make("span", "stv-source-head", "Layer"), make("span", "stv-source-head", "made of"),
        make("span", "stv-source-head", writes.norms ? `length over ${against}` : ""));
      side.bars = writes.layers.map((layer, index) => {
        const bar = make("button", "stv-source-bar");
        const said = segments.map((_, at) => [names[at], shares[index][at]]).filter(([, share]) => share >= 0.0005);
        const label = `Layer ${layer}: ${said.map(([name, share]) => `${name} ${percent(share)}`).join(", ")}`;
        Object.assign(bar, { type: "button", title: label, ariaLabel: label });
        shares[index].forEach((share, at) => {
          if (!(share > 0)) return;
          const piece = make("i");
          piece.style.setProperty("--stv-part", this.colours.get(segments[at]));
          piece.style.flexGrow = share;
          bar.append(piece);
        });
        bar.addEventListener("click", () => this.turn(side, index));
        const norm = writes.norms ? brief(writes.norms[index]) : "";
        grid.append(make("span", "stv-source-layer", String(layer)), bar, make("span", "stv-source-norm", norm));
        return bar;
      });
      box.append(grid);
      return box;
    }

    picture(side, shelf, packed, at) {
      const { lane } = side;
      const visual = this.visuals[at];
      const map = lane.maps.find((each) => each.visual === at);
      const plot = figure(shelf, visual.title, "");
      plot.scale.box.remove();
      const shown = { visual, values: unpack(packed), at: 0, count: map?.frames ?? 1, cols: map?.cols ?? 1 };
      const name = () => `${lane.name}-written-${lane.writes.layers[side.index]}-${visual.title.toLowerCase().replace(" ", "-")}`;
      Object.assign(shown, pictured(plot, visual, name));
      if (shown.count > 1) {
        shown.slider = frames(shown.count, `${lane.title}: frame of what was written`, (frame) => {
          shown.at = frame;
          this.paint(side);
        });
        plot.box.append(shown.slider.box);
      }
      return shown;
    }

    /** The words that were drawn from, with the name of each part before it where there are several. */
    words(side) {
      const { texts, starts = [] } = side.lane.writes;
      side.spans = texts.map((text) => make("span", "stv-token stv-still", text));
      const box = make("div", "stv-answer stv-written");
      Object.assign(box, { dir: "auto", tabIndex: 0, role: "group", ariaLabel: "The words that BOS drew from" });
      const named = new Map(starts.length > 1 ? starts.map(({ at, title }) => [at, title]) : []);
      let line = make("p");
      box.append(line);
      side.spans.forEach((span, t) => {
        if (named.has(t)) {
          if (t) box.append((line = make("p")));
          line.append(make("span", "stv-part-name", named.get(t)));
        }
        line.append(span);
      });
      return box;
    }

    draw(look) {
      this.look = look;
      this.sides.forEach((side) => this.paint(side));
    }

    choose() {} // it was written before the first token

    turn(side, index) {
      side.index = index;
      this.paint(side);
    }

    paint(side) {
      const { lane, index, plot } = side;
      const { writes } = lane;
      const row = (values) => {
        const size = values.length / writes.layers.length;
        return values.subarray(index * size, (index + 1) * size);
      };
      const places = side.pictures.map(({ values }) => row(values));
      const words = side.words ? row(side.words) : new Float32Array(0);
      const { high } = this;
      const map = heatMap(this.look); // words and pictures have the same colours
      side.pictures.forEach((shown, i) => {
        const size = places[i].length / shown.count;
        const frame = (at) => places[i].subarray(at * size, (at + 1) * size);
        turnTo(shown.image, shown.visual.frames[shown.at]);
        heat(shown.canvas, frame(shown.at), shown.cols, high, 0.85);
        shown.slider?.show(shown.at, Array.from({ length: shown.count }, (_, at) => total(frame(at))));
        shown.canvas.setAttribute("aria-label", `${lane.title}: where in ${shown.visual.title.toLowerCase()} `
          + `BOS drew from at layer ${writes.layers[index]}.`);
      });
      (side.spans || []).forEach((span, t) => {
        const step = SinkTrackColour.step(words[t], 0, high);
        span.style.setProperty("--stv-value", SinkTrackColour.css(map, step));
      });
      side.bars.forEach((bar, at) => bar.setAttribute("aria-pressed", String(at === index)));
      plot.scale.show(0, high, map);
      plot.chosen.textContent = sentence(writes, index);
    }
  }

  /** Whether BOS itself was part of what it drew from, as with the whole prompt for a context. */
  function drawsItself({ sources }) {
    return Boolean(sources?.segments.some((name, at) => name === "sink" && sources.shares.some((row) => row[at] >= 0.0005)));
  }

  /** What was written at a layer, in one or two sentences. */
  function sentence({ layers, sources, norms, into }, index) {
    const said = [];
    if (sources) {
      const shares = sources.shares[index];
      const most = shares.indexOf(Math.max(...shares));
      const name = sources.names[most];
      const what = { sink: "BOS itself", other: "other sinks" }[sources.segments[most]]
        ?? (/\d$/.test(name) ? name.toLowerCase() : `the ${name.toLowerCase()}`);
      said.push(`Layer ${layers[index]}: ${percent(shares[most])} of what was written into BOS was ${what}.`);
    }
    if (norms) {
      const other = into === "value" ? "BOS’s own value" : "the residual that it joined";
      said.push(`It was ${brief(norms[index])} times as long as ${other}.`);
    }
    return said.join(" ");
  }

  /** The context into BOS, and from BOS to every word of the answer. */
  function sketch() {
    const svg = draw("svg", { viewBox: "0 0 300 84", class: "stv-sketch", role: "img",
      "aria-label": "The context flows into BOS, and BOS into every token of the answer." });
    const box = (x, width, text, kind) => {
      svg.append(draw("rect", { x, y: 46, width, height: 26, rx: 6, class: `stv-box ${kind}` }));
      svg.append(draw("text", { x: x + width / 2, y: 63 }, text));
    };
    const arc = (from, to, kind) => {
      const [a, b] = [from, to].sort((x, y) => x - y);
      const height = 44 - Math.min(38, (b - a) / 5);
      svg.append(draw("path", { d: `M${from} 46C${from} ${height} ${to} ${height} ${to} 46`, class: kind }));
    };
    box(4, 44, "BOS", "stv-box-bos");
    box(58, 130, "context", "");
    for (const [i, text] of ["It", "is", "…"].entries()) box(202 + i * 32, 28, text, "stv-box-new");
    arc(89, 30, "stv-arc stv-arc-in");
    arc(156, 26, "stv-arc stv-arc-in");
    for (const to of [216, 248, 280]) arc(18, to, "stv-arc");
    return svg;
  }

  return { Anchor, drawsItself, sentence };
})();
