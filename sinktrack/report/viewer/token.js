/* What one token looked at: its layers x heads on BOS, and where in pictures and videos, for all lanes. */
const SinkTrackToken = (() => {
  "use strict";

  const { make, clamp, number, figure, section, ofLane } = SinkTrackDom;
  const { Heatmap } = SinkTrackHeatmap;
  const { Maps, largest, total, without } = SinkTrackData;
  const { pictured, turnTo, frames, heat, heatMap } = SinkTrackOverlay;

  class TokenView {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {{title: string, frames: string[]}[]} visuals pictures and videos, as data URLs
     */
    constructor(parent, lanes, visuals) {
      this.lanes = lanes;
      this.frameOf = visuals.map(() => 0); // of each video the frame that is shown, in all lanes
      const { box, bar, heading } = section(parent, "One token", "stv-one");
      this.heading = heading;
      const drawable = lanes.map((lane) => (lane.maps ?? []).filter(({ visual }) => visuals[visual]));
      if (drawable.some((maps) => maps.length)) bar.append(this.controls(drawable.flat()));
      const row = make("div", "stv-lanes");
      box.append(row);
      this.sides = lanes.map((lane, at) => this.side(row, lane, drawable[at], visuals));
      this.headHigh = Math.max(...lanes.map((lane) => largest(lane.everyHead))) || 1;
    }

    /** Which layers to average, how strong the colours are, and whether sink patches count. */
    controls(maps) {
      const layers = Math.max(...maps.map((map) => map.layers));
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
      if (maps.some((map) => map.sink_patches.length)) {
        this.masked = input("Leave out sink patches", { type: "checkbox" });
      }
      return box;
    }

    side(row, lane, maps, visuals) {
      const box = ofLane(make("div", "stv-side"), lane.number);
      box.dataset.side = lane.name;
      row.append(box);
      const side = { lane, overlays: [] };
      if (maps.length) {
        const shelf = make("div", maps.length > 1 ? "stv-shelf stv-several" : "stv-shelf");
        box.append(shelf);
        side.overlays = maps.map((map) => this.overlay(shelf, lane, map, visuals, maps.length > 1));
      }
      const detail = (side.detail = figure(box, maps.length ? "On BOS" : lane.title, "layers × heads"));
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
      SinkTrackSave.add(detail.caption, () => [
        `${lane.name}-token-${this.chosen + 1}-heads`,
        SinkTrackFigure.heatmap(detail.map, `${lane.title}: attention to BOS of token ${this.chosen + 1} “${lane.nameOf(this.chosen)}”`,
          "attention to the first token (BOS), as a share of 1"),
      ]);
      return side;
    }

    /** One picture or video of a lane, with a slider if it has frames. */
    overlay(shelf, lane, map, visuals, several) {
      const visual = visuals[map.visual];
      const what = visual.title.toLowerCase();
      const title = several ? `${lane.title} · ${what}` : lane.title;
      const note = `attention over ${several ? "it" : `the ${what}`}${map.layers > 1 ? "" : ", mean over all layers"}`;
      const plot = figure(shelf, title, note);
      const at = () => this.frameOf[map.visual];
      const name = () => `${lane.name}-token-${this.chosen + 1}-${what.replace(" ", "-")}`
        + (visual.frames.length > 1 ? `-frame-${at() + 1}` : "");
      const overlay = { lane, plot, visual, what, maps: new Maps(map), at, ...pictured(plot, visual, name) };
      if (map.frames > 1) {
        overlay.slider = frames(map.frames, `${lane.title}: frame of the ${what}`, (frame) => {
          this.frameOf[map.visual] = frame;
          this.paint();
        });
        plot.box.append(overlay.slider.box);
      }
      plot.box.append(plot.readout);
      overlay.frame.addEventListener("pointermove", (event) => plot.point(readPatch(overlay, event)));
      overlay.frame.addEventListener("pointerleave", () => plot.point(""));
      return overlay;
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
      const overlays = this.sides.flatMap((side) => side.overlays);
      if (!overlays.length) return;
      const token = this.chosen;
      const here = overlays.filter(({ lane }) => token < lane.count);
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
      here.forEach((overlay, index) => {
        const values = overlay.maps.mean(bytes[index], token, from, to);
        overlay.values = this.masked?.checked ? without(values, overlay.maps.sink_patches) : values;
      });
      const high = Math.max(...here.map(({ values }) => largest(values)), 1e-6);
      for (const overlay of overlays) this.lay(overlay, here.includes(overlay) ? high : 0);
    }

    range() {
      if (!this.from) return [0, 0];
      const layer = ({ value, max }) => clamp(Math.round(Number(value) || 0), 0, Number(max));
      const [one, other] = [layer(this.from), layer(this.to)];
      return [Math.min(one, other), Math.max(one, other)];
    }

    /** Take the colours off the pictures and say why. */
    clear(overlays, sentence) {
      for (const overlay of overlays) {
        overlay.values = null;
        overlay.canvas.width = overlay.canvas.height = 1;
        overlay.canvas.setAttribute("aria-label", sentence);
        overlay.plot.chosen.textContent = sentence;
      }
    }

    lay(overlay, high) {
      const { canvas, image, maps, plot, lane, visual, what, slider } = overlay;
      const at = overlay.at();
      turnTo(image, visual.frames[at]);
      if (!high) {
        this.clear([overlay], lane.gone());
        slider?.show(at, []);
        return;
      }
      heat(canvas, frameOf(overlay, at), maps.cols, high, Number(this.opacity.value));
      plot.scale.show(0, high, heatMap(this.look));
      const looked = Array.from({ length: maps.frames }, (_, frame) => total(frameOf(overlay, frame)));
      slider?.show(at, looked);
      const most = slider ? `; most of it on frame ${looked.indexOf(Math.max(...looked)) + 1}` : "";
      const text = this.masked?.checked
        ? `Sink patches left out; the rest makes up the whole${most}.`
        : `${number(total(looked))} of its attention is on ${/\d/.test(what) ? what : `the ${what}`}${most}`;
      plot.chosen.textContent = text;
      canvas.setAttribute("aria-label",
        `${lane.title}: where token ${this.chosen + 1} looked in ${what}. ${text}.`);
    }
  }

  /** The cells of one frame. */
  function frameOf({ values, maps }, at) {
    return values.subarray(at * maps.frame, (at + 1) * maps.frame);
  }

  function readPatch(overlay, event) {
    const { values, maps } = overlay;
    if (!values) return "";
    const box = event.currentTarget.getBoundingClientRect();
    const place = (at, start, length, count) =>
      Math.min(count - 1, Math.max(0, Math.floor(((at - start) / length) * count)));
    const row = place(event.clientY, box.top, box.height, maps.rows);
    const column = place(event.clientX, box.left, box.width, maps.cols);
    const value = frameOf(overlay, overlay.at())[row * maps.cols + column];
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
