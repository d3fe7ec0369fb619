/* What SinkTrack wrote into BOS: from where in the picture and in the question, layer by layer. */
const SinkTrackAnchor = (() => {
  "use strict";

  const { make, draw, percent, section, choice, figure } = SinkTrackDom;
  const { unpack, largest } = SinkTrackData;
  const { pictured, heat, heatMap } = SinkTrackOverlay;

  class Anchor {
    constructor(parent, lanes, picture) {
      this.lanes = lanes.filter((lane) => lane.absorbed);
      if (!this.lanes.length) return;
      const { box } = section(parent, "What was written into BOS", "stv-anchor");
      const intro = make("div", "stv-intro");
      intro.append(sketch(), make("p", "",
        "While the prompt is read, BOS looks at picture or question in place of itself and adds what it "
        + "finds to its own state. Every later token that looks at BOS meets it there. Nothing else is "
        + `changed${this.shifts()}, and nothing at all while the answer is written.`));
      box.append(intro);
      const row = make("div", "stv-lanes");
      box.append(row);
      this.sides = this.lanes.map((lane) => this.side(row, lane, picture));
    }

    /** What the mask of the public code changes besides. */
    shifts() {
      const shifted = this.lanes.filter((lane) => lane.method?.causal === "official");
      if (!shifted.length) return "";
      const where = shifted.length < this.lanes.length ? "with the mask of the public code " : "";
      return `, except that ${where}no other token of the prompt sees itself at those layers`;
    }

    side(row, lane, picture) {
      const { absorbed } = lane;
      const side = { lane, index: 0 };
      const plot = (side.plot = figure(row, lane.title, "what BOS drew from, mean over heads"));
      const options = absorbed.layers.map((layer, index) => [String(index), String(layer)]);
      plot.box.append(choice("Layer", options, (value) => {
        side.index = Number(value);
        this.paint(side);
      }));
      if (absorbed.picture && picture) {
        const name = () => `${lane.name}-written-${absorbed.layers[side.index]}`;
        side.canvas = pictured(plot, picture, name).canvas;
        side.picture = unpack(absorbed.picture);
      }
      if (absorbed.words) {
        side.words = unpack(absorbed.words);
        side.spans = absorbed.texts.map((text) => make("span", "stv-token stv-still", text));
        const question = make("p", "stv-answer stv-written");
        question.dir = "auto";
        question.append(...side.spans);
        plot.box.append(question);
      }
      plot.box.append(plot.readout);
      return side;
    }

    draw(look) {
      this.look = look;
      (this.sides || []).forEach((side) => this.paint(side));
    }

    paint(side) {
      const { lane, index, plot } = side;
      const { absorbed } = lane;
      const row = (values) => {
        const size = values.length / absorbed.layers.length;
        return values.subarray(index * size, (index + 1) * size);
      };
      const places = side.picture ? row(side.picture) : new Float32Array(0);
      const words = side.words ? row(side.words) : new Float32Array(0);
      const high = Math.max(largest(places), largest(words), 1e-6);
      if (side.canvas) {
        heat(side.canvas, places, absorbed.cols, high, 0.85);
        side.canvas.setAttribute("aria-label",
          `${lane.title}: where in the picture BOS drew from at layer ${absorbed.layers[index]}.`);
      }
      (side.spans || []).forEach((span, t) => {
        const step = SinkTrackColour.step(words[t], 0, high);
        span.style.setProperty("--stv-value", SinkTrackColour.css(this.look.map, step));
      });
      plot.scale.show(0, high, side.canvas ? heatMap(this.look) : this.look.map);
      const share = absorbed.picture_share[index];
      plot.chosen.textContent = `Layer ${absorbed.layers[index]}: ${percent(share)} from the picture, `
        + `${percent(Math.max(0, 1 - share))} from words`;
    }
  }

  /** Picture and question into BOS, and from BOS to every word of the answer. */
  function sketch() {
    const svg = draw("svg", { viewBox: "0 0 300 84", class: "stv-sketch", role: "img",
      "aria-label": "Picture and question flow into BOS, and BOS into every token of the answer." });
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
    box(58, 62, "picture", "");
    box(124, 64, "question", "");
    for (const [i, text] of ["It", "is", "…"].entries()) box(202 + i * 32, 28, text, "stv-box-new");
    arc(89, 30, "stv-arc stv-arc-in");
    arc(156, 26, "stv-arc stv-arc-in");
    for (const to of [216, 248, 280]) arc(18, to, "stv-arc");
    return svg;
  }

  return { Anchor };
})();
