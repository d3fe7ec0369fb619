/* Attention over the whole answer: layers x tokens, one plot a lane below the other on one axis, or
 * what each lane has more or less than the first one.
 */
const SinkTrackAttention = (() => {
  "use strict";

  const { make, clamp, number, listed, figure, section, choice, ofLane } = SinkTrackDom;
  const { Heatmap } = SinkTrackHeatmap;
  const { quantities, noun, largest, mean } = SinkTrackData;

  class Attention {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {object[]} segments the parts of the prompt
     * @param {number | null} partsAt
     * @param {object} on
     * @param {(index: number) => void} on.choose a token was pointed out
     * @param {(quantity: string) => void} on.quantity what to colour by
     */
    constructor(parent, lanes, segments, partsAt, on) {
      Object.assign(this, { lanes, segments, partsAt, on, difference: false, quantity: "sink" });
      this.names = quantities(segments);
      this.tokens = Math.max(1, ...lanes.map((lane) => lane.count));
      const { box, bar } = section(parent, "Over the whole answer", "");
      const controls = make("div", "stv-controls");
      const offered = [...this.names].filter(([name]) => lanes.every((lane) => lane.has(name)));
      controls.append(choice("Colour by", offered.map(([name, [title]]) => [name, title]), on.quantity));
      if (lanes.length > 1) {
        const shown = [["values", "Values"], ["difference", `Minus ${lanes[0].title}`]];
        controls.append(choice("Show", shown, (value) => {
          this.difference = value === "difference";
          this.draw(this.look);
          this.choose(this.chosen);
        }));
      }
      bar.append(controls);
      this.note = make("p", "stv-note");
      box.append(this.note);
      this.plots = lanes.map((lane) => this.plot(box, lane));
      const scrollers = this.plots.map((plot) => plot.map.scroller);
      scrollers.forEach((scroller) => scroller.addEventListener("scroll", () => {
        for (const other of scrollers) other.scrollLeft = scroller.scrollLeft;
      }));
    }

    plot(parent, lane) {
      const plot = figure(parent, lane.title, "");
      plot.lane = lane;
      plot.box.dataset.plot = lane.name;
      ofLane(plot.box, lane.number);
      plot.map = new Heatmap(plot.box, {
        rows: lane.layers,
        marked: new Set(lane.injected),
        first: 1,
        label: (column) => lane.nameOf(column),
        onPoint: (cell) => plot.point(cell ? this.read(plot, cell) : ""),
        onChoose: this.on.choose,
      });
      plot.box.append(plot.readout);
      const canvas = plot.map.canvas;
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "slider");
      canvas.setAttribute("aria-orientation", "horizontal");
      canvas.setAttribute("aria-valuemin", "1");
      canvas.setAttribute("aria-valuemax", String(Math.max(1, lane.count)));
      SinkTrackSave.add(plot.caption, () => [
        `${lane.name}-${this.quantity}${this.difference ? "-difference" : ""}`,
        SinkTrackFigure.heatmap(plot.map, this.title(plot), this.unit()),
      ]);
      return plot;
    }

    /** What a plot shows, in words. */
    title(plot) {
      const minus = this.difference ? ` minus ${this.lanes[0].title}` : "";
      const layers = plot.map.rows > 1 ? ", layers by tokens" : ", by token";
      return `${plot.lane.title}${minus}: ${this.names.get(this.quantity)[1]}${layers}`;
    }

    /** What the colours stand for, with their unit. */
    unit() {
      const [, what] = this.names.get(this.quantity);
      if (this.quantity === "probability") return this.difference ? "difference of probabilities" : what;
      const share = `${what}, as a share of 1, mean over heads`;
      return this.difference ? `difference of ${share}` : share;
    }

    read(plot, { row, column }) {
      const layer = plot.map.rows > 1 ? ` · layer ${row}` : "";
      const value = number(plot.map.value(row, column));
      return `Token ${column + 1} “${plot.lane.nameOf(column)}”${layer} · ${value}`;
    }

    /** What happens along a lane's answer. */
    flags(lane) {
      const found = [];
      if (this.partsAt !== null && this.partsAt < lane.count) {
        found.push({ column: this.partsAt, text: "the answers part" });
      }
      const gone = new Map(); // token -> the parts that are out of view from it on
      for (const part of this.segments) {
        const column = lane.left?.[part.name];
        if (column !== undefined) gone.set(column, [...(gone.get(column) ?? []), part]);
      }
      for (const [column, parts] of gone) {
        const verb = parts.length > 1 || parts[0].kind === "history" ? "are" : "is";
        found.push({ column, text: `${listed(parts.map(noun))} ${verb} out of view` });
      }
      return found.sort((one, other) => one.column - other.column);
    }

    /** Draw everything for the current width and theme. */
    draw(look) {
      this.look = look;
      const { quantity, lanes, difference } = this;
      const first = lanes[0];
      const shown = this.plots.map(({ lane }) =>
        (difference ? lane.minus(first, quantity) : { ...lane.get(quantity), count: lane.count }));
      const high = Math.max(...shown.map(({ values }) =>
        largest(difference ? values.map(Math.abs) : values))) || 1e-3;
      const scale = difference
        ? { low: -high, high, map: look.around }
        : { low: 0, high, map: look.map };
      const writes = lanes.some((lane) => lane.injected.length) ? "; ▸ a layer that writes into BOS" : "";
      const minus = difference ? ` minus ${first.title}’s, token by token` : "";
      const { head } = first.pinned;
      const heads = head !== null && first.whole(quantity) ? `head ${head}` : "mean over heads";
      const grid = quantity === "probability" ? "one row" : `layers × tokens, ${heads}${writes}`;
      const parted = difference && this.partsAt !== null ? `. ${this.parted()}` : ".";
      this.note.textContent = `${capital(this.names.get(quantity)[1])}${minus}: ${grid}${parted}`;
      const faded = difference && this.partsAt !== null ? this.partsAt + 1 : Infinity;
      this.plots.forEach((plot, index) => {
        const { values, count } = shown[index];
        plot.box.hidden = difference && plot.lane === first;
        plot.heading.textContent =
          difference ? `${plot.lane.title} − ${first.title}` : plot.lane.title;
        if (plot.box.hidden) return;
        plot.map.show(values, count, this.tokens, scale, this.flags(plot.lane), faded);
        plot.map.draw(look.ink, look.paper);
        plot.scale.show(scale.low, scale.high, scale.map);
        plot.map.canvas.setAttribute("aria-label", `${this.title(plot)}. Arrow keys choose a token.`);
      });
    }

    /** What a difference means where the answers have parted. */
    parted() {
      return this.quantity === "probability"
        ? "Different words have no difference (grey)."
        : "Faint: the answers have parted, and it is of different words.";
    }

    absent(lane, index) {
      const first = this.lanes[0];
      if (index >= lane.count || !this.difference) return lane.gone();
      return `${first.title} has only ${first.count} token${first.count === 1 ? "" : "s"}.`;
    }

    choose(index) {
      this.chosen = index;
      for (const { lane, map, chosen } of this.plots) {
        const here = index < map.columns;
        map.choose(here ? index : -1);
        const text = here
          ? `Token ${index + 1} “${lane.nameOf(index)}” · ${map.rows > 1 ? "mean " : ""}${number(mean(map.column(index)))}`
          : this.absent(lane, index);
        chosen.textContent = text;
        map.canvas.setAttribute("aria-valuenow", String(clamp(index + 1, 1, lane.count || 1)));
        map.canvas.setAttribute("aria-valuetext", text);
      }
    }
  }

  const capital = (text) => text[0].toUpperCase() + text.slice(1);

  return { Attention };
})();
