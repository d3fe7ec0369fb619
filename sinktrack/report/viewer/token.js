/* What one token looked at: its layers x heads on BOS, and where in the picture, for all lanes. */
const SinkTrackToken = (() => {
  "use strict";

  const { make, clamp, number, figure, section } = SinkTrackDom;
  const { Heatmap } = SinkTrackHeatmap;
  const { Maps, largest, without } = SinkTrackData;
  const { pictured, heat, heatMap } = SinkTrackOverlay;

  class TokenView {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {string | null} picture a data URL
     */
    constructor(parent, lanes, picture) {
      this.lanes = lanes;
      const { box, bar, heading } = section(parent, "One token", "stv-one");
      this.heading = heading;
      const hasMaps = picture && lanes.some((lane) => lane.maps);
      if (hasMaps) bar.append(this.controls());
      const row = make("div", "stv-lanes");
      box.append(row);
      this.sides = lanes.map((lane) => this.side(row, lane, hasMaps && lane.maps ? picture : null));
      this.headHigh = Math.max(...lanes.map((lane) => largest(lane.everyHead))) || 1;
    }

    /** Which layers to average, how strong the colours are, and whether sink patches count. */
    controls() {
      const layers = Math.max(...this.lanes.map((lane) => lane.maps?.layers ?? 1));
      const box = make("div", "stv-controls");
      const input = (label, attributes) => {
        const name = make("label", "stv-input");
        const node = Object.assign(make("input"), attributes);
        node.addEventListener("input", () => this.paint());
        name.append(make("span", "", label), node);
        box.append(name);
        return node;
      };
      const range = { type: "number", min: 0, max: layers - 1, step: 1 };
      if (layers > 1) {
        this.from = input("Layers", { ...range, value: 0, ariaLabel: "First layer" });
        this.to = input("to", { ...range, value: layers - 1, ariaLabel: "Last layer" });
      }
      this.opacity = input("Opacity", { type: "range", min: 0, max: 1, step: 0.05, value: 0.8 });
      if (this.lanes.some((lane) => lane.maps?.sink_patches.length)) {
        this.masked = input("Leave out sink patches", { type: "checkbox" });
      }
      return box;
    }

    side(row, lane, picture) {
      const box = make("div", "stv-side");
      box.dataset.side = lane.name;
      row.append(box);
      const side = { lane };
      if (picture) {
        const what = `attention over the picture${lane.maps.layers > 1 ? "" : ", mean over all layers"}`;
        const plot = (side.overlay = figure(box, lane.title, what));
        const name = () => `${lane.name}-token-${this.chosen + 1}-picture`;
        const { frame, canvas } = pictured(plot, picture, name);
        plot.box.append(plot.readout);
        Object.assign(side, { canvas, maps: new Maps(lane) });
        frame.addEventListener("pointermove", (event) => plot.point(readPatch(side, event)));
        frame.addEventListener("pointerleave", () => plot.point(""));
      }
      const detail = (side.detail = figure(box, picture ? "On BOS" : lane.title, "layers × heads"));
      detail.map = new Heatmap(detail.box, {
        rows: lane.layers,
        marked: new Set(lane.injected),
        first: 0,
        label: String,
        onPoint: (cell) => detail.point(cell
          ? `Layer ${cell.row} · head ${cell.column} · ${number(detail.map.value(cell.row, cell.column))}`
          : ""),
      });
      detail.map.canvas.setAttribute("role", "img");
      detail.box.append(detail.readout);
      SinkTrackSave.add(detail.caption, () => ({
        name: `${lane.name}-token-${this.chosen + 1}-heads`,
        title: `${lane.title}: attention to BOS of token ${this.chosen + 1}, layers by heads`,
        map: detail.map,
      }));
      return side;
    }

    draw(look) {
      this.look = look;
      for (const { detail } of this.sides) detail.map.columns = -1; // so that it is fitted anew
    }

    choose(index) {
      this.chosen = index;
      const named = this.lanes.find((lane) => index < lane.count);
      const same = this.lanes.every((lane) => lane.ids?.[index] === this.lanes[0].ids?.[index]);
      const word = named && same ? ` “${named.nameOf(index)}”` : "";
      this.heading.textContent = `Token ${index + 1}${word}`;
      for (const { lane, detail } of this.sides) {
        const here = index < lane.count;
        const cells = here ? lane.headsOf(index) : new Float32Array(0);
        const columns = here ? lane.heads : 0;
        if (columns === detail.map.columns) detail.map.update(cells);
        else {
          const scale = { low: 0, high: this.headHigh, map: this.look.map };
          detail.map.show(cells, columns, lane.heads, scale);
          detail.map.draw(this.look.ink, this.look.paper);
          detail.scale.show(0, this.headHigh, this.look.map);
        }
        const text = here ? highest(cells, lane) : lane.gone();
        detail.chosen.textContent = text;
        detail.map.canvas.setAttribute("aria-label",
          `${lane.title}: attention to BOS of token ${index + 1}, layers by heads. ${text}.`);
      }
      this.paint();
    }

    /** Lay the attention of the chosen token over the pictures, on one scale. */
    async paint() {
      const sides = this.sides.filter((side) => side.maps);
      if (!sides.length) return;
      const token = this.chosen;
      const here = sides.filter(({ lane }) => token < lane.count);
      let bytes = here.map(({ maps }) => maps.of(token));
      if (bytes.some((each) => each instanceof Promise)) {
        const late = setTimeout(() => this.clear(here, "Fetching where it looked …"), 80);
        bytes = await Promise.all(bytes).catch(() => null);
        clearTimeout(late);
        if (token !== this.chosen) return; // another one was chosen meanwhile
        if (!bytes) {
          this.clear(here, "The server no longer has this answer’s maps: ask again.");
          return;
        }
      }
      const [from, to] = this.range();
      here.forEach((side, index) => {
        const values = side.maps.mean(bytes[index], token, from, to);
        side.values = this.masked?.checked ? without(values, side.maps.sink_patches) : values;
      });
      const high = Math.max(...here.map(({ values }) => largest(values)), 1e-6);
      for (const side of sides) this.lay(side, here.includes(side) ? high : 0);
    }

    range() {
      if (!this.from) return [0, 0];
      const layer = ({ value, max }) => clamp(Math.round(Number(value) || 0), 0, Number(max));
      const [one, other] = [layer(this.from), layer(this.to)];
      return [Math.min(one, other), Math.max(one, other)];
    }

    /** Take the colours off the pictures and say why. */
    clear(sides, sentence) {
      for (const side of sides) {
        side.values = null;
        side.canvas.width = side.canvas.height = 1;
        side.canvas.setAttribute("aria-label", sentence);
        side.overlay.chosen.textContent = sentence;
      }
    }

    lay(side, high) {
      const { canvas, maps, overlay, lane } = side;
      if (!high) {
        this.clear([side], lane.gone());
        return;
      }
      heat(canvas, side.values, maps.cols, high, Number(this.opacity.value));
      overlay.scale.show(0, high, heatMap(this.look));
      const sum = side.values.reduce((total, value) => total + value, 0);
      const text = this.masked?.checked
        ? "Sink patches left out; the rest makes up the whole."
        : `${number(sum)} of its attention is on the picture`;
      overlay.chosen.textContent = text;
      canvas.setAttribute("aria-label",
        `${lane.title}: where token ${this.chosen + 1} looked in the picture. ${text}.`);
    }
  }

  function readPatch({ values, maps }, event) {
    if (!values) return "";
    const box = event.currentTarget.getBoundingClientRect();
    const place = (at, start, length, count) =>
      Math.min(count - 1, Math.max(0, Math.floor(((at - start) / length) * count)));
    const row = place(event.clientY, box.top, box.height, maps.rows);
    const column = place(event.clientX, box.left, box.width, maps.cols);
    const value = values[row * maps.cols + column];
    return `Row ${row + 1} · column ${column + 1} · ${value.toFixed(4)}`;
  }

  function highest(cells, lane) {
    const top = cells.reduce(
      (best, value, i) => (value > cells[best] || Number.isNaN(cells[best]) ? i : best), 0);
    if (Number.isNaN(cells[top])) return "BOS is out of view";
    const layer = Math.floor(top / lane.heads);
    return `Highest ${number(cells[top])} at layer ${layer}, head ${top % lane.heads}`;
  }

  return { TokenView, highest };
})();
