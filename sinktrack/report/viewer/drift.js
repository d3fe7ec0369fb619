/* How the shares of attention move along the answer: one stacked area a lane, all on the same axes. */
const SinkTrackDrift = (() => {
  "use strict";

  const { make, draw, percent, section, figure, colourKey, ofLane } = SinkTrackDom;
  const HEIGHT = 150; // CSS pixels

  class Drift {
    constructor(parent, lanes, segments, onChoose) {
      this.segments = segments;
      this.lanes = lanes.filter((lane) => drifts(lane, segments));
      this.colours = SinkTrackColour.parts(segments);
      const { box, bar } = section(parent, "Where attention goes along the answer", "");
      bar.append(colourKey(segments.map(({ name, title }) => [name, title]), this.colours));
      const row = make("div", "stv-lanes");
      box.append(make("p", "stv-note", "Share of attention, mean over layers and heads."), row);
      this.longest = Math.max(...this.lanes.map((lane) => lane.count));
      this.plots = this.lanes.map((lane) => this.plot(row, lane, onChoose));
    }

    plot(row, lane, onChoose) {
      const plot = figure(row, lane.title, "");
      plot.scale.box.remove();
      ofLane(plot.box, lane.number);
      const picture = draw("svg", {
        class: "stv-areas", viewBox: `0 0 ${this.longest} 1`, preserveAspectRatio: "none",
        height: HEIGHT, role: "img", "aria-label": `${lane.title}: ${spoken(lane, this.segments)}`,
      });
      const drawn = [];
      let floor = new Float32Array(lane.count);
      for (const { name } of this.segments) {
        const share = lane.get(name).tokens;
        const top = floor.map((value, t) => value + (Number.isNaN(share[t]) ? 0 : share[t]));
        const style = `fill: ${this.colours.get(name)}`;
        drawn.push(area(floor, top));
        picture.append(draw("path", { class: "stv-band", style, "data-part": name, d: drawn.at(-1) }));
        floor = top;
      }
      const cursor = draw("line", { class: "stv-cursor", x1: 0, x2: 0, y1: 0, y2: 1 });
      picture.append(cursor);
      const at = (event) => {
        const box = picture.getBoundingClientRect();
        return Math.floor(((event.clientX - box.left) / box.width) * this.longest);
      };
      picture.addEventListener("click", (event) => onChoose(at(event)));
      picture.addEventListener("pointermove", (event) => plot.point(read(lane, this.segments, at(event))));
      picture.addEventListener("pointerleave", () => plot.point(""));
      const frame = make("div", "stv-areas-frame");
      const axis = make("div", "stv-areas-axis");
      axis.append(...["100 %", "50 %", "0"].map((text) => make("span", "", text)));
      frame.append(axis, picture);
      plot.box.append(frame, plot.readout);
      SinkTrackSave.add(plot.caption, () => [`${lane.name}-drift`, SinkTrackFigure.bands({
        title: `${lane.title}: where attention goes along the answer, mean over layers and heads`,
        longest: this.longest,
        bands: this.segments.map(({ name, title }, nth) => [title, this.colours.get(name), drawn[nth]]),
      })]);
      return { lane, cursor, plot };
    }

    draw() {} // the style draws it

    choose(index) {
      for (const { lane, cursor, plot } of this.plots) {
        const here = index < lane.count;
        cursor.style.display = here ? "" : "none";
        cursor.setAttribute("x1", index + 0.5);
        cursor.setAttribute("x2", index + 0.5);
        plot.chosen.textContent = here ? read(lane, this.segments, index) : lane.gone();
      }
    }
  }

  /** Whether a lane's shares are known, of more than one token. */
  function drifts(lane, segments) {
    return lane.count > 1 && segments.every(({ name }) => lane.has(name));
  }

  /** A band between two lines, as steps of one token; y runs down from 1. */
  function area(floor, top) {
    const up = [...top].map((y, t) => `L${t} ${(1 - y).toFixed(4)}H${t + 1}`);
    const down = [...floor].map((y, t) => `L${t + 1} ${(1 - y).toFixed(4)}H${t}`).reverse();
    return `M0 ${(1 - floor[0]).toFixed(4)}${up.join("")}${down.join("")}Z`;
  }

  function read(lane, segments, index) {
    if (index < 0 || index >= lane.count) return "";
    const shares = segments.map(
      ({ name, title }) => `${title} ${percent(lane.get(name).tokens[index] || 0)}`.replace(/ /g, "\u00a0"));
    return `Token ${index + 1} “${lane.nameOf(index)}” · ${shares.join(", ")}`;
  }

  function spoken(lane, segments) {
    const [first, last] = [0, lane.count - 1].map((index) => read(lane, segments, index));
    return `at the first token ${first}; at the last ${last}.`;
  }

  return { Drift, drifts, area };
})();
