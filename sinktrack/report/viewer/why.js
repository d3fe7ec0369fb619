/* Why a token stands there, worked out by the server when somebody asks: what each layer would have said, where any
 * head looked, which words looked at any place, and what becomes of the word without a place or a head.
 */
const SinkTrackWhy = (() => {
  "use strict";

  const { make, visible, chance, section, selection, button, figure, ofLane } = SinkTrackDom;
  const { picturePlaces, unpacked } = SinkTrackExplanations;
  const { Looked, shared } = SinkTrackLooked;
  const ASKING = "The model writes the same words again …";
  const FIRST = "first";
  const MOST_PLACES = 4096; // that the server covers at once

  class Why {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {object} payload of the comparison
     * @param {Explanations | null} explanations asks the server; null where there is none
     * @param {object} on
     * @param {(said: object) => void} on.know told what the server said of a token
     * @param {() => void} on.select told that other places of the prompt are chosen
     * @param {() => void} on.heads asked for the heads that look at them
     */
    constructor(parent, lanes, payload, explanations, on) {
      Object.assign(this, { lanes, explanations, on, visuals: payload.visuals, pinned: { layer: null, head: null } });
      this.selected = new Set(); // places of the prompt
      if (!explanations) {
        if (payload.hint) section(parent, "Look inside", "stv-why").box.append(make("p", "stv-note stv-why-hint", payload.hint));
        return;
      }
      const { box, bar } = section(parent, "Look inside", "stv-why");
      this.button = button("Look inside", () => this.look());
      bar.append(this.button);
      this.says = make("p", "stv-note");
      this.says.setAttribute("role", "status");
      this.tools = make("div", "stv-controls stv-tools");
      this.tools.append(...this.probes());
      this.result = make("p", "stv-result");
      this.result.setAttribute("role", "status");
      this.row = make("div", "stv-lanes");
      box.append(this.says, this.tools, this.result, this.row);
    }

    /** Ask again without what is chosen. */
    probes() {
      const lane = selection("After the words of", this.lanes.map((each) => [each.name, each.title]), () => {});
      this.after = lane.select;
      this.cover = button("Cover this", () => this.without({ positions: [...this.selected].sort((a, b) => a - b) }));
      this.silence = button("Silence this head", () => this.without({ heads: `${this.pinned.layer}.${this.pinned.head}` }));
      this.heads = button("Which heads looked here", this.on.heads);
      this.whole = button("Choose the picture", () => this.chooseAll(this.pictures()));
      this.clear = button("Choose nothing", () => this.chooseAll([]));
      lane.box.hidden = this.lanes.length < 2;
      return [this.whole, this.clear, this.heads, lane.box, this.cover, this.silence];
    }

    /** The places of all that is seen; none where they are more than can be covered. */
    pictures() {
      const [first] = this.views ?? [];
      const places = first ? picturePlaces(first.own.prompt) : [];
      return places.length > MOST_PLACES ? [] : places;
    }

    draw(look) {
      this.colours = look;
    }

    choose(index) {
      if (!this.explanations) return;
      if (index !== this.chosen) this.result.textContent = "";
      this.chosen = index;
      const known = this.explanations.known({ what: "explain", at: index });
      if (known && known === this.shown && this.drawn === this.colours) return;
      if (known) return this.show(known);
      this.shown = null;
      this.tools.hidden = true;
      this.row.replaceChildren();
      this.says.textContent = "What each layer would have said here, and where each head looked, is worked out when you ask.";
    }

    pin(pinned) {
      this.pinned = pinned;
      if (this.shown) this.paint();
    }

    /** Ask the server about the chosen token. */
    async look() {
      const at = this.chosen;
      this.button.disabled = true;
      this.says.textContent = ASKING;
      const said = await this.explanations.get({ what: "explain", at });
      this.button.disabled = false;
      if (!said.error) this.on.know(said);
      if (at !== this.chosen) return; // another one was chosen meanwhile
      if (said.error) this.says.textContent = said.error;
      else this.show(said);
    }

    show(said) {
      Object.assign(this, { shown: said, drawn: this.colours });
      this.says.textContent = "First each layer’s likeliest words, had the output embedding read it in the place of the last. Below them where "
        + "the word looked: choose words or patches to see which words of the answer looked there, or to cover them.";
      this.tools.hidden = false;
      this.views = [];
      this.row.replaceChildren(...this.lanes.map((lane) => this.side(lane, said)));
      this.paint();
    }

    side(lane, said) {
      const side = ofLane(make("div", "stv-side"), lane.number);
      const own = said.lanes[lane.name];
      if (!own) {
        side.append(make("p", "stv-note", lane.gone()));
        return side;
      }
      const lens = figure(side, lane.title, "layer by layer");
      lens.scale.box.remove();
      lens.box.append(layers(own.lens));
      SinkTrackSave.add(lens.caption, () => [`${lane.name}-token-${said.at + 1}-lens`, SinkTrackFigure.table({
        title: `${lane.title}: what each layer would have said at token ${said.at + 1}`,
        note: "The output embedding reads every layer’s state in the place of the last one.",
        ...saved(own.lens),
      })]);
      const plot = figure(side, "Where it looked", own.prompt.sinks.length ? "sinks (underlined) may lie beyond the scale" : "");
      const looked = new Looked(plot, lane, own.prompt, said.at, this.visuals, (place) => this.select(place));
      this.views.push({ lane, own, plot, looked });
      return side;
    }

    /** Choose a place of the prompt or leave it out again. */
    select(place) {
      if (!this.selected.delete(place)) this.selected.add(place);
      this.selects();
    }

    /** Choose these places and no others. */
    chooseAll(places) {
      this.selected.clear();
      for (const place of places) this.selected.add(place);
      this.selects();
    }

    selects() {
      this.result.textContent = "";
      this.paint();
      this.on.select();
    }

    /** Shade everything by the pinned layer and head, and ask for what is missing. */
    async paint() {
      const { layer, head } = this.pinned;
      const [said, asked] = [this.shown, { what: "looks", at: this.chosen, layer, head }];
      const whole = this.views.every(({ own }) => this.explanations.numbers(own));
      let looks = this.explanations.known(asked);
      this.offer();
      this.shade(looks);
      if (looks || (whole && !this.selected.size)) return;
      const still = () => said === this.shown && layer === this.pinned.layer && head === this.pinned.head;
      looks = await this.explanations.get(asked, still);
      if (!still()) return;
      if (looks.error) this.says.textContent = looks.error;
      else this.shade(looks);
    }

    shade(looks) {
      const { layer, head } = this.pinned;
      const rows = this.views.map(({ lane, own }) => {
        const read = looks ? looksOf(looks.lanes[lane.name]) : null;
        const row = this.explanations.numbers(own)?.row(layer, head) ?? (read && lastRow(read));
        return { row: row ?? new Float32Array(0), prompt: own.prompt, read };
      });
      const high = shared(rows);
      this.views.forEach(({ plot, looked }, at) => {
        plot.scale.show(0, high, SinkTrackOverlay.heatMap(this.colours ?? {}));
        looked.paint(rows[at].row, high, this.selected);
        looked.reverse(rows[at].read, this.selected);
      });
    }

    /** Which probes can be asked now. */
    offer() {
      const { layer, head } = this.pinned;
      const count = this.selected.size;
      this.cover.disabled = !count;
      this.cover.textContent = count > 1 ? `Cover these ${count}` : "Cover this";
      this.cover.title = "Ask the plain model again with these words or patches hidden from it";
      this.silence.disabled = layer === null || head === null;
      this.silence.textContent = this.silence.disabled ? "Silence a head" : `Silence head ${layer}.${head}`;
      this.silence.title = "Ask the plain model again with what this head gives taken away; choose a layer and a head before";
      this.heads.disabled = !count;
      this.heads.title = "In the tab Heads, those that gave most attention to what is chosen";
      const seen = this.pictures();
      this.whole.hidden = !seen.length || seen.every((place) => this.selected.has(place));
      this.whole.textContent = this.visuals.length > 1 ? "Choose all pictures" : "Choose the picture";
      this.clear.hidden = !count;
    }

    /** Ask for the word's probability without a part of the prompt or a head, and say it. */
    async without({ positions = [], heads = "" }) {
      const at = this.chosen;
      const lane = this.lanes.find((each) => each.name === this.after.value) ?? this.lanes[0];
      this.result.textContent = ASKING;
      const said = await this.explanations.get({ what: "without", at, lane: lane.name, positions, heads });
      if (at !== this.chosen) return;
      this.result.textContent = said.error ?? change(said, lane, at, positions.length);
    }
  }

  /** What became of a word, in a sentence. */
  function change({ plain, without, instead }, lane, at, covered) {
    const what = covered ? `these ${covered} ${covered > 1 ? "tokens" : "token"} covered`.replace("these 1 token", "this one") : "this head silenced";
    const now = instead.map(({ text, probability }) => `“${visible(text)}” ${chance(probability)}`).join(", ");
    return `After ${lane.title}’s words the plain model gives “${lane.nameOf(at)}” ${chance(plain)}; with ${what} ${chance(without)}. `
      + `Likeliest then: ${now}.`;
  }

  const read = new WeakMap();

  /** The rows of a lane as numbers, unpacked once; null for a lane that was not told of. */
  function looksOf(packed) {
    if (!packed) return null;
    if (!read.has(packed)) read.set(packed, { values: unpacked(packed.bytes), shape: packed.shape, from: packed.from });
    return read.get(packed);
  }

  const lastRow = ({ values, shape: [, keys] }) => values.subarray(values.length - keys);

  /** A table with the last layer first: its likeliest words, and the place of the one that was written. */
  function layers({ texts, probabilities, ranks }) {
    const table = make("table", "stv-lens");
    const head = table.createTHead().insertRow();
    const { heads, rows } = rowsOf({ texts, probabilities, ranks });
    for (const title of heads) head.append(Object.assign(make("th", "", title), { scope: "col" }));
    const body = table.createTBody();
    for (const [layer, said, place] of rows) {
      const row = body.insertRow();
      row.append(Object.assign(make("th", "", layer), { scope: "row" }));
      row.insertCell().append(...said.flatMap((word, at) => [at ? " · " : "", make("span", "stv-whole", word)]));
      row.insertCell().textContent = place;
      row.classList.toggle("stv-first", place === FIRST);
    }
    return table;
  }

  /** The same as texts: the names of the columns, and the rows. */
  function rowsOf({ texts, probabilities, ranks }) {
    const rows = texts.map((words, layer) => [
      String(layer),
      words.map((word, at) => `${visible(word)} ${chance(probabilities[layer][at])}`),
      ranks[layer] === 1 ? FIRST : `place ${ranks[layer].toLocaleString("en")}`,
    ]);
    return { heads: ["Layer", "Would have said", "Written word"], rows: rows.reverse() };
  }

  /** The same for a figure, where a cell is one text. */
  function saved(lens) {
    const { heads, rows } = rowsOf(lens);
    return { heads, rows: rows.map(([layer, said, place]) => [layer, said.join(" · "), place]) };
  }

  return { Why, change, layers };
})();
