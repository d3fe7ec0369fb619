/* One lane's answer as a card: title, figures, and the answer as tokens coloured by a quantity.
 * Knows nothing about the other lanes.
 */
const SinkTrackCard = (() => {
  "use strict";

  const { make, number, percent, ofLane } = SinkTrackDom;
  const { noun, mean } = SinkTrackData;
  const { Moved } = SinkTrackMoved;
  const FINISH = {
    eos: ["end", "The model ended its answer here."],
    length: ["limit", "The answer reached the limit on new tokens."],
    stopped: ["stopped", "The answer was stopped here."],
  };

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
    const box = ofLane(make("article", "stv-card"), lane.number);
    box.dataset.lane = lane.name;
    const head = make("header", "stv-head");
    const answer = make("div", "stv-answer");
    answer.dir = "auto";
    head.append(make("h3", "stv-title", lane.title), make("p", "stv-subtitle", lane.subtitle));
    box.append(head, answer);
    return { card: box, answer };
  }

  class Card {
    /**
     * @param {LaneData} lane
     * @param {object[]} segments the parts of the prompt
     * @param {number | null} partsAt the first token at which the answers differ
     * @param {Map<string, number>} high the most that was moved in all lanes, by kind
     * @param {(index: number) => void} onChoose
     */
    constructor(lane, segments, partsAt, high, onChoose) {
      Object.assign(this, card(lane));
      this.lane = lane;
      this.spans = lane.tokens.map((text, index) => {
        const span = tokenSpan(lane.ends(index) ? "" : text);
        if (lane.ends(index)) {
          span.className = "stv-token stv-end";
          span.textContent = FINISH.eos[0];
          span.title = FINISH.eos[1];
        }
        span.dataset.token = index;
        Object.assign(span, { tabIndex: -1, role: "option", ariaSelected: "false" });
        if (!span.textContent.trim()) span.ariaLabel = "blank";
        return span;
      });
      const told = lane.told ?? 0;
      this.spans.slice(0, told).forEach((span) => {
        span.classList.add("stv-told");
        span.title = "This word was told: the method went on from here by itself.";
      });
      if (partsAt !== null && this.spans[partsAt]) {
        this.spans[partsAt].classList.add("stv-parts");
        this.spans[partsAt].title = "Here the answers part.";
      }
      this.words = make("span", "stv-words");
      if (lane.count) {
        Object.assign(this.words, { role: "listbox", ariaLabel: `${lane.title}: the words of the answer`, ariaOrientation: "horizontal" });
      }
      this.words.append(...this.spans);
      this.answer.append(this.words);
      if (lane.finish !== "eos") {
        const chip = make("span", "stv-chip", FINISH[lane.finish][0]);
        chip.title = FINISH[lane.finish][1];
        this.answer.append(chip);
      }
      this.answer.addEventListener("click", (event) => {
        const span = event.target.closest("[data-token]");
        if (span) onChoose(Number(span.dataset.token));
      });
      this.moved = new Moved(lane, high, onChoose);
      this.card.append(this.moved.box, figures(lane, segments));
    }

    /** Colour the tokens; `scale` is shared by all lanes. */
    colour(quantity, scale) {
      const values = this.lane.get(quantity).tokens;
      this.spans.forEach((span, index) => {
        const step = SinkTrackColour.step(values[index], scale.low, scale.high);
        span.style.setProperty("--stv-value", SinkTrackColour.css(scale.map, step));
      });
    }

    /** Mark the chosen token, or not: it alone is a stop of the keyboard, and arrow keys lead on from it. */
    mark(on) {
      const span = this.chosen ?? this.spans.at(-1);
      if (!span) return;
      span.tabIndex = on ? 0 : -1;
      if (!this.chosen) return;
      span.classList.toggle("stv-on", on);
      span.ariaSelected = String(on);
    }

    choose(index) {
      this.moved.choose(index);
      this.mark(false);
      this.chosen = this.spans[index];
      this.mark(true);
      if (!this.chosen || this.answer.scrollHeight <= this.answer.clientHeight) return;
      // Scroll the answer's own box, never the page.
      const box = this.answer.getBoundingClientRect();
      const spot = this.chosen.getBoundingClientRect();
      if (spot.top < box.top) this.answer.scrollTop -= box.top - spot.top + 8;
      else if (spot.bottom > box.bottom) this.answer.scrollTop += spot.bottom - box.bottom + 8;
    }
  }

  /** How long it took, once for all answers, which are written together; "" where that is not known. */
  function pace(lanes) {
    const first = Math.max(...lanes.map((lane) => lane.seconds_to_first_token || 0));
    const speed = Math.max(...lanes.map((lane) => lane.tokens_per_second || 0));
    if (!first || !speed) return "";
    const each = lanes.length > 1 ? " in each answer" : "";
    return `The first word came after ${first.toFixed(2)} s, then ${speed.toPrecision(3)} tokens a second${each}.`;
  }

  function figures(lane, segments) {
    const box = make("dl", "stv-figures");
    const add = (name, value) => {
      const pair = make("div");
      pair.append(make("dt", "", name), make("dd", "", value));
      box.append(pair);
    };
    add("tokens", String(lane.count));
    if (lane.told) add("of them told", String(lane.told));
    if (lane.count) {
      add("mean on BOS", number(mean(lane.get("sink").tokens)));
      const asked = askedAbout(segments).filter(({ name }) => lane.has(name));
      if (asked.length) {
        const shares = asked.map(({ name }) => lane.get(name).tokens);
        const share = shares[0].map((_, t) => shares.reduce((sum, each) => sum + each[t], 0));
        const part = Math.max(1, Math.round(lane.count / 5));
        const [start, end] = [share.subarray(0, part), share.subarray(-part)].map(mean);
        const what = asked.length > 1 ? "pictures, together" : noun(asked[0]);
        add(`on ${what}`, `${percent(start)} → ${percent(end)}`);
      }
    }
    return box;
  }

  /** The parts that the question is about: pictures and videos, else the passage. */
  function askedAbout(segments) {
    const seen = segments.filter(({ kind }) => kind === "image" || kind === "video");
    return seen.length ? seen : segments.filter(({ kind }) => kind === "passage");
  }

  /** What colours mean: a quantity's name and its scale. */
  function key(quantities) {
    const box = make("p", "stv-key");
    const text = make("span");
    const scale = SinkTrackDom.legend();
    box.append(text, scale.box);
    const show = (quantity, { low, high, map }) => {
      text.textContent = `Under each token: ${quantities.get(quantity)[1]}`;
      scale.show(low, high, map);
    };
    return { box, show };
  }

  return { Card, card, key, pace, tokenSpan };
})();
