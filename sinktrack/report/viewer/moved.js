/* Whether a method acted: below its answer a bar for each token, as high as the most that the method moved
 * something there. Bars of one kind have one scale in all lanes.
 */
const SinkTrackMoved = (() => {
  "use strict";

  const { make, draw, clamp, percent, brief } = SinkTrackDom;
  const share = (value) => (value < 0.0005 ? "under 0.1 %" : percent(value));
  const UNITS = {
    share,
    length: (value) => (value < 0.995 ? `${share(value)} of its length` : `${brief(value)} times its length`),
    nats: (value) => `${brief(value)} nats`,
  };

  /** The largest value of each kind in all lanes; what has no number counts for nothing. */
  function highest(lanes) {
    const high = new Map();
    for (const { kind, values } of lanes.flatMap((lane) => lane.moved_at ?? [])) {
      high.set(kind, Math.max(high.get(kind) ?? 0, ...values.map((value) => value ?? 0)));
    }
    return high;
  }

  class Moved {
    /**
     * @param {LaneData} lane
     * @param {Map<string, number>} high from `highest`
     * @param {(index: number) => void} onChoose
     */
    constructor(lane, high, onChoose) {
      this.lane = lane;
      this.kinds = lane.count ? lane.moved_at ?? [] : [];
      this.box = make("div", "stv-acted");
      if (lane.notice) this.box.append(make("p", "stv-alert", lane.notice));
      else if (lane.moved_words) this.box.append(make("p", "stv-moved", lane.moved_words));
      if (!this.kinds.length) return;
      this.bars = make("div", "stv-acts");
      Object.assign(this.bars, { tabIndex: 0, ariaLabel:
        `${lane.title}: how far the method moved the model, token by token. Arrow keys choose a token.` });
      for (const [name, value] of [["role", "slider"], ["aria-valuemin", 1], ["aria-valuemax", lane.count]]) {
        this.bars.setAttribute(name, String(value));
      }
      this.cursors = this.kinds.map((kind) => this.row(kind, high.get(kind.kind), onChoose));
      this.now = make("p", "stv-acted-now");
      this.now.setAttribute("aria-hidden", "true"); // the slider says it
      this.box.append(this.bars, this.now);
    }

    row({ title, values }, high, onChoose) {
      const picture = draw("svg", { class: "stv-act", viewBox: `0 0 ${this.lane.count} 1`,
        preserveAspectRatio: "none", "aria-hidden": "true" });
      const cursor = draw("rect", { class: "stv-act-on", x: 0, y: 0, width: 1, height: 1 });
      picture.append(cursor, draw("path", { d: bars(values, high) }));
      const at = (event) => {
        const box = picture.getBoundingClientRect();
        const index = Math.floor(((event.clientX - box.left) / box.width) * this.lane.count);
        return clamp(index, 0, this.lane.count - 1);
      };
      picture.addEventListener("click", (event) => onChoose(at(event)));
      picture.addEventListener("pointermove", (event) => this.say(at(event)));
      picture.addEventListener("pointerleave", () => this.say(this.chosen));
      this.bars.append(make("span", "stv-act-title", title), picture);
      return cursor;
    }

    choose(index) {
      this.chosen = index;
      if (!this.kinds.length) return;
      const here = index < this.lane.count;
      for (const cursor of this.cursors) {
        cursor.style.display = here ? "" : "none";
        cursor.setAttribute("x", String(index));
      }
      this.bars.setAttribute("aria-valuenow", String(clamp(index + 1, 1, this.lane.count)));
      this.bars.setAttribute("aria-valuetext", this.say(index));
    }

    say(index) {
      return (this.now.textContent = said(this.lane, this.kinds, index));
    }
  }

  /** What was moved at a token, in words. */
  function said(lane, kinds, index) {
    if (index >= lane.count) return lane.gone();
    const found = kinds.filter(({ values }) => values[index] !== 0 && index < values.length)
      .map(({ title, unit, values }) => `${title} ${inWords(values[index], unit)}`);
    const token = `Token ${index + 1} “${lane.nameOf(index)}”`;
    if (found.length) return `${token} · ${found.join(", ")}`;
    const reading = kinds.every(({ values }) => values.length <= 1);
    return `${token} · ${reading ? "nothing: it acted while the prompt was read" : "nothing moved"}`;
  }

  function inWords(value, unit) {
    return value === null ? "beyond any number" : (UNITS[unit] ?? brief)(value);
  }

  /** Bars side by side, one unit wide with a gap; y runs down from 1. No bar is too small to be seen. */
  function bars(values, high) {
    return values.map((value, t) => {
      if (value === 0) return "";
      const height = value === null ? 1 : Math.max(0.08, value / high);
      return `M${t + 0.08} 1V${(1 - height).toFixed(3)}h0.84V1Z`;
    }).join("");
  }

  return { Moved, highest, said, bars };
})();
