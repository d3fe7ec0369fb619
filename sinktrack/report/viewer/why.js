/* Why a token stands there, worked out by the server when somebody asks: what each layer would have said, and
 * where any head looked, word by word and patch by patch.
 */
const SinkTrackWhy = (() => {
  "use strict";

  const { make, visible, percent, section, figure, ofLane } = SinkTrackDom;
  const { heat, heatMap, pictured } = SinkTrackOverlay;
  const MEAN = "mean";
  const FIRST = "first";

  class Why {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {object} payload of the comparison; `payload.why(at)` asks the server
     */
    constructor(parent, lanes, payload) {
      if (!payload.why) return;
      this.lanes = lanes;
      this.visuals = payload.visuals;
      this.ask = payload.why;
      this.known = new Map(); // token -> what the server said
      const { box, bar } = section(parent, "Why this token", "stv-why");
      this.button = Object.assign(make("button", "stv-ask", "Look inside"), { type: "button" });
      this.button.addEventListener("click", () => this.look());
      bar.append(this.button);
      this.says = make("p", "stv-note");
      this.says.setAttribute("role", "status");
      this.row = make("div", "stv-lanes");
      box.append(this.says, this.row);
    }

    draw(look) {
      this.colours = look;
      if (this.shown) this.show(this.shown);
    }

    choose(index) {
      if (!this.ask) return;
      this.chosen = index;
      const known = this.known.get(index);
      if (known) return this.show(known);
      this.shown = null;
      this.row.replaceChildren();
      this.says.textContent = "What each layer would have said here, and where each head looked, is worked out when you ask.";
    }

    /** Ask the server about the chosen token. */
    async look() {
      const at = this.chosen;
      this.button.disabled = true;
      this.says.textContent = "The model writes the same words again …";
      const said = await this.ask(at).catch(() => ({ error: "The server did not answer: try again." }));
      this.button.disabled = false;
      if (!said.error) this.known.set(at, said);
      if (at !== this.chosen) return; // another one was chosen meanwhile
      if (said.error) this.says.textContent = said.error;
      else this.show(said);
    }

    show(said) {
      this.shown = said;
      this.says.textContent = "Each layer’s likeliest word, had the output embedding read it in the place of the last; "
        + "beside it the place of the word that was written.";
      this.row.replaceChildren(...this.lanes.map((lane) => this.side(lane, said)));
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
        ...rowsOf(own.lens),
      })]);
      this.looked(figure(side, "Where it looked", ""), lane, own, said);
      return side;
    }

    /** The pictures and the words, shaded by the attention of a head or of the mean of some. */
    looked(plot, lane, own, said) {
      const [layerCount, headCount] = own.attention.shape;
      const values = unpacked(own.attention.bytes);
      const controls = make("div", "stv-controls");
      const text = make("p", "stv-shaded");
      Object.assign(text, { tabIndex: 0, role: "group", dir: "auto", ariaLabel: `${lane.title}: the words that it read, shaded by attention` });
      plot.box.append(controls);
      const pictures = this.pictures(plot, lane, own.prompt, said.at);
      plot.box.append(text);
      const paint = () => {
        const row = attention(values, own.attention.shape, layer.value, head.value);
        const high = row.reduce((most, value) => (value > most ? value : most), 1e-9);
        plot.scale.show(0, high, heatMap(this.colours));
        plot.box.dataset.saved = `${lane.title}: where token ${said.at + 1} “${lane.nameOf(said.at)}” looked, layer ${layer.value}, head ${head.value}`;
        text.replaceChildren(...shaded(own.prompt, said.at, lane, row, high));
        for (const { canvas, places, columns } of pictures) {
          heat(canvas, Float32Array.from(places, (at) => row[at] || 0), columns, high, 0.8);
        }
      };
      const layer = choose("Layer", lane, layerCount, paint);
      const head = choose("Head", lane, headCount, paint);
      controls.append(layer.parentNode, head.parentNode);
      paint();
    }

    /** The pictures that were asked about, each with where its patches stand in the prompt. */
    pictures(plot, lane, prompt, at) {
      return (lane.maps ?? []).flatMap((map) => {
        const visual = this.visuals[map.visual];
        const places = prompt.parts.flatMap((part, place) => (part === visual.segment ? [place] : []));
        const cells = map.rows * map.cols;
        if (map.frames > 1 || places.length < cells) return [];
        const { canvas } = pictured(plot, visual, () => `${lane.name}-token-${at + 1}-${visual.segment}-head`);
        canvas.setAttribute("aria-label", `${lane.title}: where the chosen head looked in ${visual.title.toLowerCase()}`);
        return [{ canvas, places: places.slice(0, cells), columns: map.cols }];
      });
    }
  }

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
      row.insertCell().textContent = said;
      row.insertCell().textContent = place;
      row.classList.toggle("stv-first", place === FIRST);
    }
    return table;
  }

  /** The same as texts: the names of the columns, and the rows. */
  function rowsOf({ texts, probabilities, ranks }) {
    const rows = texts.map((words, layer) => [
      String(layer),
      words.map((word, at) => `${visible(word)} ${percent(probabilities[layer][at])}`).join(" · "),
      ranks[layer] === 1 ? FIRST : `place ${ranks[layer].toLocaleString("en")}`,
    ]);
    return { heads: ["Layer", "Would have said", "Written word"], rows: rows.reverse() };
  }

  function choose(title, lane, count, onChange) {
    const label = make("label", "stv-input");
    const select = make("select");
    select.setAttribute("aria-label", `${lane.title}: ${title.toLowerCase()}`);
    for (const value of [MEAN, ...Array(count).keys()]) {
      select.append(Object.assign(make("option", "", value === MEAN ? "mean" : String(value)), { value }));
    }
    select.addEventListener("change", onChange);
    label.append(make("span", "", title), select);
    return select;
  }

  /** Two bytes a number, little-endian: 65534 stands for 1, and 65535 for no number. */
  function unpacked(bytes) {
    const raw = atob(bytes);
    return Float32Array.from({ length: raw.length / 2 }, (_, i) => {
      const step = raw.charCodeAt(2 * i) + 256 * raw.charCodeAt(2 * i + 1);
      return step === 65535 ? NaN : step / 65534;
    });
  }

  /** Attention of one layer and head, or the mean over those that are not chosen. */
  function attention(values, [depth, width, keys], layer, head) {
    const row = new Float32Array(keys);
    const range = (chosen, count) => (chosen === MEAN ? [0, count] : [Number(chosen), Number(chosen) + 1]);
    const [fromLayer, toLayer] = range(layer, depth);
    const [fromHead, toHead] = range(head, width);
    for (let l = fromLayer; l < toLayer; l++) {
      for (let h = fromHead; h < toHead; h++) {
        const start = (l * width + h) * keys;
        for (let k = 0; k < keys; k++) row[k] += values[start + k];
      }
    }
    const count = (toLayer - fromLayer) * (toHead - fromHead);
    return row.map((value) => value / count);
  }

  /** The prompt's and the answer's words, each with its attention behind it; pictures stand apart. */
  function shaded(prompt, at, lane, row, high) {
    const sinks = new Set(prompt.sinks);
    const spans = [];
    const add = (text, value, title, name) => {
      const span = make("span", name, text);
      const gone = Number.isNaN(value);
      span.style.setProperty("--stv-share", gone ? 0 : value / high);
      span.title = `${title} · ${gone ? "no longer in view" : value.toFixed(4)}`;
      spans.push(span);
    };
    prompt.texts.forEach((word, place) => {
      if (word === null) return;
      add(visible(word), row[place], prompt.titles[prompt.parts[place]], sinks.has(place) ? "stv-sink-word" : "");
    });
    for (let t = 0; t < at; t++) add(lane.nameOf(t), row[prompt.texts.length + t], "written before", "stv-own-word");
    return spans;
  }

  return { Why, attention, unpacked, layers };
})();
