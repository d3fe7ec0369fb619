/* One lane of a finished comparison as a card: its answer as tokens, attention to the first token (BOS)
 * as layers x tokens, and as layers x heads of the chosen token. Knows nothing about the other lanes.
 */
const SinkTrackLane = (() => {
  "use strict";

  const { Heatmap, make, clamp } = SinkTrackHeatmap;
  const FINISH = {
    eos: ["end", "The model ended its answer here."],
    length: ["limit", "The answer reached the limit on new tokens."],
    stopped: ["stopped", "The answer was stopped here."],
  };

  /** Attention as numbers: base64 bytes in units of scale / 254, where 255 stands for NaN. */
  function decode(lane) {
    const bytes = atob(lane.sink);
    const values = new Float32Array(bytes.length);
    for (let i = 0; i < values.length; i++) {
      const byte = bytes.charCodeAt(i);
      values[i] = byte === 255 ? NaN : (byte * lane.scale) / 254;
    }
    return values;
  }

  /** Mean and maximum over `size` values a group, without the NaN; NaN for a group without any. */
  function summarise(values, size) {
    const mean = new Float32Array(values.length / size);
    const high = new Float32Array(values.length / size);
    for (let group = 0; group < mean.length; group++) {
      let sum = 0;
      let seen = 0;
      let top = -Infinity;
      for (let i = group * size; i < (group + 1) * size; i++) {
        if (Number.isNaN(values[i])) continue;
        sum += values[i];
        seen += 1;
        if (values[i] > top) top = values[i];
      }
      mean[group] = seen ? sum / seen : NaN;
      high[group] = seen ? top : NaN;
    }
    return { mean, high };
  }

  const number = (value) => (Number.isNaN(value) ? "not visible" : value.toFixed(3));
  const brief = (value) => String(Number(value.toPrecision(2)));

  /** A token's text for people: spaces and line ends made visible. */
  function visible(text) {
    if (!text) return "·";
    return text.replace(/\n/g, "↵").replace(/\t/g, "⇥").trim() || "␣";
  }

  /** A span whose line ends are marked by CSS, so that copied text stays as it was. */
  function tokenSpan(text) {
    const span = make("span", text ? "stv-token" : "stv-token stv-blank");
    text.split(/(\n)/).forEach((part) => {
      if (part) span.append(part === "\n" ? make("span", "stv-newline", part) : part);
    });
    return span;
  }

  /** An empty card: its heading, and the box that the answer goes into. */
  function card(lane) {
    const box = make("article", "stv-card");
    box.dataset.lane = lane.name;
    const head = make("header", "stv-head");
    const title = make("h3", "stv-title", lane.title);
    const figures = make("p", "stv-figures", lane.figures || "");
    head.append(title, figures, make("p", "stv-subtitle", lane.subtitle));
    const answer = make("div", "stv-answer");
    answer.dir = "auto";
    box.append(head, answer);
    return { card: box, answer };
  }

  function legend() {
    const box = make("span", "stv-legend");
    const [low, bar, high] = ["stv-low", "stv-ramp", "stv-high"].map((name) => make("span", name));
    box.append(low, bar, high);
    const show = (from, to, map) => {
      low.textContent = brief(from);
      high.textContent = brief(to);
      bar.style.background = SinkTrackColour.gradient(map);
    };
    return { box, show };
  }

  /** A titled plot with its legend and a line that reads out values. */
  function figure(parent, title, note) {
    const box = make("figure", "stv-figure");
    const caption = make("figcaption", "stv-caption");
    const heading = make("span", "stv-heading", title);
    const scale = legend();
    caption.append(heading, scale.box, make("span", "stv-note", note));
    const readout = make("p", "stv-readout");
    const chosen = make("span", "stv-chosen");
    const pointed = make("span", "stv-pointed");
    pointed.setAttribute("aria-hidden", "true");
    readout.append(chosen, pointed);
    box.append(caption);
    parent.append(box);
    const point = (text) => {
      pointed.textContent = text;
      readout.classList.toggle("stv-pointing", Boolean(text));
    };
    return { box, heading, scale, readout, chosen, point };
  }

  /** One lane of a finished comparison. */
  class Lane {
    constructor(lane, onChoose) {
      Object.assign(this, lane);
      this.values = decode(lane); // (T, L, H)
      this.perLayer = summarise(this.values, this.heads); // (T, L)
      const perToken = summarise(this.values, this.heads * this.layers);
      this.tokenMean = perToken.mean; // (T,)
      this.tokenHigh = perToken.high;
      this.writes = new Set(this.injected);
      this.onChoose = onChoose;
      this.build();
    }

    build() {
      Object.assign(this, card(this));
      this.spans = this.tokens.map((text, index) => {
        const ends = this.finish === "eos" && index === this.tokens.length - 1;
        const span = tokenSpan(ends ? "" : text);
        if (ends) span.className = "stv-token stv-end";
        if (ends) span.textContent = FINISH.eos[0];
        span.dataset.token = index;
        return span;
      });
      this.answer.append(...this.spans);
      if (this.finish !== "eos") {
        const chip = make("span", "stv-chip", FINISH[this.finish][0]);
        chip.title = FINISH[this.finish][1];
        this.answer.append(chip);
      }
      this.answer.addEventListener("click", (event) => {
        const span = event.target.closest("[data-token]");
        if (span) this.onChoose(Number(span.dataset.token));
      });
      this.wordScale = legend();
      const key = make("p", "stv-key");
      key.append("Line: mean attention to BOS", this.wordScale.box);
      this.card.append(key);
      this.buildOverview();
      this.buildDetail();
    }

    buildOverview() {
      const note = "layers × tokens, mean over heads" + (this.writes.size ? "; ▸ writes into BOS" : "");
      const plot = (this.overview = figure(this.card, "Attention to BOS", note));
      plot.map = new Heatmap(plot.box, {
        rows: this.layers,
        marked: this.writes,
        first: 1,
        label: (column) => this.nameOf(column),
        onPoint: (cell) => plot.point(cell ? this.read(cell.row, cell.column) : ""),
        onChoose: this.onChoose,
      });
      plot.box.append(plot.readout);
      plot.chosen.setAttribute("role", "status");
      const canvas = plot.map.canvas;
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "slider");
      canvas.setAttribute("aria-orientation", "horizontal");
      canvas.setAttribute("aria-label",
        `${this.title}: attention to BOS, layers by tokens. Arrow keys choose a token.`);
      canvas.setAttribute("aria-valuemin", "1");
      canvas.setAttribute("aria-valuemax", String(Math.max(1, this.tokens.length)));
    }

    buildDetail() {
      const plot = (this.detail = figure(this.card, "", "layers × heads"));
      plot.map = new Heatmap(plot.box, {
        rows: this.layers,
        marked: this.writes,
        first: 0,
        label: String,
        onPoint: (cell) => plot.point(
          cell ? `Layer ${cell.row} · head ${cell.column} · ${number(plot.map.value(cell.row, cell.column))}` : ""),
      });
      plot.map.canvas.setAttribute("role", "img");
      plot.box.append(plot.readout);
    }

    nameOf(index) {
      const last = index === this.tokens.length - 1;
      return last && this.finish === "eos" ? FINISH.eos[0] : visible(this.tokens[index]);
    }

    read(row, column) {
      const value = this.perLayer.mean[column * this.layers + row];
      return `Token ${column + 1} “${this.nameOf(column)}” · layer ${row} · ${number(value)}`;
    }

    /** Draw everything for the current width and theme. `shared` holds the scales of all lanes. */
    draw(shared, look) {
      const { layers, heads, tokens } = this;
      const byLayer = new Float32Array(layers * tokens.length);
      for (let t = 0; t < tokens.length; t++) {
        for (let l = 0; l < layers; l++) {
          byLayer[l * tokens.length + t] = this.perLayer.mean[t * layers + l];
        }
      }
      this.overview.map.show(byLayer, tokens.length, shared.tokens, shared.layerHigh);
      this.overview.map.draw(look.map, look.ink, look.paper);
      this.overview.scale.show(0, shared.layerHigh, look.map);
      this.detail.scale.show(0, shared.headHigh, look.map);
      this.wordScale.show(shared.wordLow, shared.wordHigh, look.map);
      this.spans.forEach((span, index) => {
        const step = SinkTrackColour.step(this.tokenMean[index], shared.wordLow, shared.wordHigh);
        span.style.setProperty("--stv-value", SinkTrackColour.css(look.map, step));
      });
      this.look = look;
      this.shared = shared;
      if (heads) this.choose(this.chosen ?? 0);
    }

    choose(index) {
      this.chosen = index;
      const { layers, heads, tokens, overview, detail } = this;
      const here = index < tokens.length;
      const size = layers * heads;
      this.answer.querySelector(".stv-on")?.classList.remove("stv-on");
      this.spans[index]?.classList.add("stv-on");
      overview.map.choose(here ? index : -1);
      const cells = here ? this.values.subarray(index * size, (index + 1) * size) : new Float32Array(0);
      detail.map.show(cells, here ? heads : 0, heads, this.shared.headHigh);
      detail.map.draw(this.look.map, this.look.ink, this.look.paper);
      const name = here ? `Token ${index + 1} “${this.nameOf(index)}”` : `Token ${index + 1}`;
      const gone = tokens.length
        ? `This answer has only ${tokens.length} token${tokens.length > 1 ? "s" : ""}.`
        : "No token was written.";
      const summary = here
        ? `mean ${number(this.tokenMean[index])}, highest ${number(this.tokenHigh[index])}`
        : gone;
      detail.heading.textContent = name;
      overview.chosen.textContent = here ? `${name} · ${summary}` : gone;
      detail.chosen.textContent = here ? this.highest(cells) : gone;
      detail.map.canvas.setAttribute("aria-label",
        `${this.title}: attention to BOS of ${name}, layers by heads; ${summary}.`);
      overview.map.canvas.setAttribute("aria-valuenow", String(clamp(index + 1, 1, tokens.length || 1)));
      overview.map.canvas.setAttribute("aria-valuetext", `${name}, ${summary}`);
      this.reveal(index);
    }

    highest(cells) {
      const top = cells.reduce((best, value, i) => (value > cells[best] || Number.isNaN(cells[best]) ? i : best), 0);
      const layer = Math.floor(top / this.heads);
      return `Highest ${number(cells[top])} at layer ${layer}, head ${top % this.heads}`;
    }

    /** Scroll the answer's own box, never the page. */
    reveal(index) {
      const span = this.spans[index];
      if (!span) return;
      const box = this.answer.getBoundingClientRect();
      const spot = span.getBoundingClientRect();
      if (spot.top < box.top) this.answer.scrollTop -= box.top - spot.top + 8;
      else if (spot.bottom > box.bottom) this.answer.scrollTop += spot.bottom - box.bottom + 8;
    }
  }

  return { Lane, card };
})();
