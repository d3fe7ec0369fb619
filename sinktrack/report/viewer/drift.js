/* How the shares of attention move along the answer: one stacked area a lane, all on the same axes. */
const SinkTrackDrift = (() => {
  "use strict";

  const { make, draw, percent, section, figure } = SinkTrackDom;
  const PARTS = [
    ["sink", "BOS"],
    ["image", "Picture"],
    ["instruction", "Question"],
    ["rest", "Rest of the prompt"],
    ["generated", "Own words"],
  ];
  const HEIGHT = 150; // CSS pixels

  class Drift {
    constructor(parent, lanes, onChoose) {
      this.lanes = lanes.filter((lane) => lane.count > 1 && PARTS.every(([name]) => lane.has(name)));
      if (!this.lanes.length) return;
      const { box, bar } = section(parent, "Where attention goes along the answer", "stv-drift");
      const key = make("p", "stv-parts-key");
      for (const [name, text] of PARTS) key.append(make("span", `stv-part-${name}`, text));
      bar.append(key);
      const row = make("div", "stv-lanes");
      box.append(row);
      this.longest = Math.max(...this.lanes.map((lane) => lane.count));
      this.plots = this.lanes.map((lane) => this.plot(row, lane, onChoose));
    }

    plot(row, lane, onChoose) {
      const plot = figure(row, lane.title, "share of attention, mean over layers and heads");
      plot.scale.box.remove();
      const picture = draw("svg", {
        class: "stv-areas", viewBox: `0 0 ${this.longest} 1`, preserveAspectRatio: "none",
        height: HEIGHT, role: "img", "aria-label": `${lane.title}: ${spoken(lane)}`,
      });
      let floor = new Float32Array(lane.count);
      for (const [name] of PARTS) {
        const share = lane.get(name).tokens;
        const top = floor.map((value, t) => value + (Number.isNaN(share[t]) ? 0 : share[t]));
        picture.append(draw("path", { class: `stv-part-${name}`, d: area(floor, top) }));
        floor = top;
      }
      const cursor = draw("line", { class: "stv-cursor", x1: 0, x2: 0, y1: 0, y2: 1 });
      picture.append(cursor);
      const at = (event) => {
        const box = picture.getBoundingClientRect();
        return Math.floor(((event.clientX - box.left) / box.width) * this.longest);
      };
      picture.addEventListener("click", (event) => onChoose(at(event)));
      picture.addEventListener("pointermove", (event) => plot.point(read(lane, at(event))));
      picture.addEventListener("pointerleave", () => plot.point(""));
      const frame = make("div", "stv-areas-frame");
      const axis = make("div", "stv-areas-axis");
      axis.append(...["100 %", "50 %", "0"].map((text) => make("span", "", text)));
      frame.append(axis, picture);
      plot.box.append(frame, plot.readout);
      SinkTrackSave.addSvg(plot.caption, `${lane.name}-drift`, picture);
      return { lane, cursor, plot };
    }

    choose(index) {
      for (const { lane, cursor, plot } of this.plots || []) {
        const here = index < lane.count;
        cursor.style.display = here ? "" : "none";
        cursor.setAttribute("x1", index + 0.5);
        cursor.setAttribute("x2", index + 0.5);
        plot.chosen.textContent = here ? read(lane, index) : lane.gone();
      }
    }
  }

  /** A band between two lines, as steps of one token; y runs down from 1. */
  function area(floor, top) {
    const up = [...top].map((y, t) => `L${t} ${(1 - y).toFixed(4)}H${t + 1}`);
    const down = [...floor].map((y, t) => `L${t + 1} ${(1 - y).toFixed(4)}H${t}`).reverse();
    return `M0 ${(1 - floor[0]).toFixed(4)}${up.join("")}${down.join("")}Z`;
  }

  function read(lane, index) {
    if (index < 0 || index >= lane.count) return "";
    const shares = PARTS.map(([name, text]) => `${text} ${percent(lane.get(name).tokens[index] || 0)}`);
    return `Token ${index + 1} “${lane.nameOf(index)}” · ${shares.join(", ")}`;
  }

  function spoken(lane) {
    return `at the first token ${read(lane, 0)}; at the last ${read(lane, lane.count - 1)}.`;
  }

  return { Drift, area };
})();
