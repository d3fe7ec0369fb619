/* Which heads gather on sinks, or on what is chosen: layers x heads of every lane by a measure, and the first of them by
 * name. A cell that is chosen is read everywhere in the place of the mean. What was recorded tells of BOS; of all other
 * places of the prompt the server tells, token by token.
 */
const SinkTrackFinder = (() => {
  "use strict";

  const { make, number, section, choice, figure, button, ofLane } = SinkTrackDom;
  const { Heatmap } = SinkTrackHeatmap;
  const { largest } = SinkTrackData;
  const MEASURES = { sink: "attention to BOS", delivered: "what BOS delivered", sinks: "attention to all sinks of the prompt",
    selected: "attention to the chosen words and patches" };
  const TOLD = ["sinks", "selected"]; // by the server alone
  const NAMED = 5;

  class Finder {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {Explanations | null} explanations asks the server; null where there is none
     * @param {(pinned: {layer: number | null, head: number | null}) => void} onPin
     * @param {() => Set<number>} selected the places of the prompt that are chosen
     */
    constructor(parent, lanes, explanations, onPin, selected = () => new Set()) {
      Object.assign(this, { lanes, explanations, onPin, selected, measure: "sink", over: "token", difference: false, pinned: { layer: null, head: null } });
      const { box, bar } = section(parent, "Which heads look at sinks", "");
      const controls = make("div", "stv-controls");
      const offered = [["sink", "On BOS"]];
      if (lanes.every((lane) => lane.delivered_heads)) offered.push(["delivered", "Delivered by BOS"]);
      if (explanations) offered.push(["sinks", "On all sinks"], ["selected", "On what is chosen"]);
      this.measures = choice("Measure", offered, (value) => this.set({ measure: value }));
      controls.append(this.measures);
      this.spans = choice("Of", [["token", "This token"], ["answer", "The whole answer"]], (value) => this.set({ over: value }));
      controls.append(this.spans);
      if (lanes.length > 1) {
        controls.append(choice("Show", [["values", "Values"], ["difference", `Minus ${lanes[0].title}`]],
          (value) => this.set({ difference: value === "difference" })));
      }
      this.mean = button("Back to the mean", () => onPin({ layer: null, head: null }), "stv-ask stv-unpin");
      bar.append(controls);
      this.note = make("p", "stv-note");
      const now = make("div", "stv-pinned");
      now.append(this.note, this.mean);
      const row = make("div", "stv-lanes");
      box.append(now, row);
      this.sides = lanes.map((lane) => this.side(row, lane));
    }

    side(row, lane) {
      const side = ofLane(make("div", "stv-side"), lane.number);
      row.append(side);
      const plot = figure(side, lane.title, "");
      plot.map = new Heatmap(plot.box, {
        rows: lane.layers,
        marked: new Set(lane.injected),
        first: 0,
        label: String,
        onPoint: (cell) => plot.point(cell
          ? `Layer ${cell.row} · head ${cell.column} · ${number(plot.map.value(cell.row, cell.column))}` : ""),
        onChoose: (head, layer) => this.onPin(this.pinned.layer === layer && this.pinned.head === head
          ? { layer: null, head: null } : { layer, head }),
      });
      plot.map.canvas.setAttribute("role", "img");
      const list = make("ol", "stv-heads");
      plot.box.append(plot.readout, list);
      SinkTrackSave.add(plot.caption, () => [
        `${lane.name}-heads`, SinkTrackFigure.heatmap(plot.map, `${lane.title}: layers by heads`, this.what()),
      ]);
      return { lane, plot, list };
    }

    set(changes) {
      Object.assign(this, changes);
      this.draw(this.look);
    }

    /** Show which heads look at what is chosen. */
    ofChosen() {
      const input = this.measures.querySelector("input[value=selected]");
      if (input) input.checked = true;
      this.set({ measure: "selected" });
    }

    pin(pinned) {
      this.pinned = pinned;
    }

    draw(look) {
      this.look = look;
      for (const { plot } of this.sides) plot.map.drawn = false; // so that it is fitted anew
      if (this.chosen !== undefined) this.choose(this.chosen);
    }

    /** What is shown, in words. */
    what() {
      const of = this.over === "token" ? `of token ${this.chosen + 1}` : "mean over the answer";
      return `${MEASURES[this.measure]} ${of}${this.difference ? ` minus ${this.lanes[0].title}’s` : ""}`;
    }

    /** The most of a measure at any token, so that tokens can be compared. */
    highest() {
      this.high ??= {};
      this.high[this.measure] ??= this.measure === "sinks"
        ? 1 : Math.max(0, ...this.lanes.map((lane) => largest(lane.whole(this.measure) ?? [])));
      return this.high[this.measure];
    }

    /** (L, H) of a lane; null where there is nothing to show. */
    cells(lane) {
      const index = this.over === "token" ? this.chosen : undefined;
      if (index >= lane.count || !lane.count) return null;
      const own = this.measured(lane, index);
      if (!own || !this.difference) return own;
      const first = this.lanes[0];
      if (index >= first.count) return null;
      const theirs = this.measured(first, index);
      return theirs && own.map((value, at) => value - theirs[at]);
    }

    measured(lane, index) {
      if (!TOLD.includes(this.measure)) return lane.headsOf(this.measure, index);
      const whole = index === undefined ? null : this.explanations.whole(index, lane.name);
      const places = this.measure === "sinks" ? whole?.prompt.sinks : [...this.selected()];
      return whole && places.length ? whole.on(places) : null;
    }

    choose(index) {
      this.chosen = index;
      const cells = this.sides.map(({ lane }) => this.cells(lane));
      const high = Math.max(1e-3, ...(this.over === "token" && !this.difference && this.measure !== "selected"
        ? [this.highest()] : cells.map((each) => (each ? largest(each.map(Math.abs)) : 0))));
      const scale = this.difference
        ? { low: -high, high, map: this.look.around } : { low: 0, high, map: this.look.map };
      const { layer, head } = this.pinned;
      this.mean.hidden = layer === null && head === null;
      this.note.textContent = this.mean.hidden
        ? "Choose a cell or a name, and every plot, picture and word shows that head alone."
        : `Layer ${layer ?? "mean"}, head ${head ?? "mean"} is shown everywhere.`;
      this.sides.forEach((side, at) => this.show(side, cells[at], scale));
    }

    show({ lane, plot, list }, cells, scale) {
      const { map } = plot;
      map.show(cells ?? new Float32Array(0), cells ? lane.heads : 0, lane.heads, scale);
      const { layer, head } = this.pinned;
      map.pinned = cells && layer !== null && head !== null ? { row: layer, column: head } : null;
      map.draw(this.look.ink, this.look.paper);
      plot.scale.show(scale.low, scale.high, scale.map);
      const text = cells ? highest(cells, lane) : this.missing(lane);
      plot.chosen.textContent = text;
      map.canvas.setAttribute("aria-label", `${lane.title}: ${this.what()}, layers by heads. ${text}.`);
      list.replaceChildren(...(cells ? ranked(cells, lane.heads, NAMED) : []).map(([row, column, value]) => {
        const item = make("li");
        const name = button(`Layer ${row} · head ${column}`, () => this.onPin({ layer: row, head: column }), "stv-head-name");
        name.setAttribute("aria-pressed", String(row === layer && column === head));
        item.append(name, make("span", "stv-much", number(value)));
        return item;
      }));
    }

    missing(lane) {
      const here = lane.count && (this.over === "answer" || this.chosen < lane.count);
      if (!here) return lane.gone();
      if (TOLD.includes(this.measure)) {
        if (this.over === "answer") return "This is told of one token alone: choose this token.";
        return this.explanations.whole(this.chosen, lane.name)
          ? "Choose words or patches under “Look inside” first." : "Look inside this token first.";
      }
      return this.lanes[0].count > this.chosen || !this.difference
        ? "Too large to send head by head for every token: choose the whole answer." : this.lanes[0].gone();
    }
  }

  /** The heads with the most, or with the most change, first: [layer, head, value]. */
  function ranked(cells, heads, most) {
    return Array.from(cells, (value, at) => [Math.floor(at / heads), at % heads, value])
      .filter(([, , value]) => !Number.isNaN(value))
      .sort((one, other) => Math.abs(other[2]) - Math.abs(one[2])).slice(0, most);
  }

  function highest(cells, lane) {
    const [top] = ranked(cells, lane.heads, 1);
    return top ? `Highest ${number(top[2])} at layer ${top[0]}, head ${top[1]}` : "BOS is out of view";
  }

  return { Finder, ranked, highest };
})();
