/* A lane of a comparison as numbers: unpacks what sinktrack/report/payload.py packed, and answers what the
 * views ask for. Knows nothing about pages.
 */
const SinkTrackData = (() => {
  "use strict";

  /* Parts of a prompt that have no article, or another name inside a sentence. */
  const NOUNS = {
    sink: "the first token (BOS)",
    history: "earlier turns",
    generated: "what has been written so far",
  };

  /** What a part is called inside a sentence: "the question", or "picture 2". */
  function noun({ kind, title }) {
    const small = title[0].toLowerCase() + title.slice(1);
    return NOUNS[kind] ?? (/\d$/.test(title) ? small : `the ${small}`);
  }

  /** What tokens and layers can be coloured by: its name, and what it says, by the key that `get` takes. */
  function quantities(segments) {
    return new Map([
      ...segments.map((part) => [part.name, [part.title, `attention to ${noun(part)}`]]),
      ["delivered", ["Delivered by BOS", "how long what BOS gave was, over each head’s whole output (above 1 where the rest points against it)"]],
      ["probability", ["Probability", "the probability of the token when it was chosen"]],
    ]);
  }

  function bytesOf(text) {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  }

  /** Bytes in units of scale / 254, where 255 stands for NaN. */
  function unpack({ bytes, scale }) {
    const steps = bytesOf(bytes);
    const table = Float32Array.from({ length: 256 }, (_, i) => (i * scale) / 254);
    table[255] = NaN;
    const values = new Float32Array(steps.length);
    for (let i = 0; i < steps.length; i++) values[i] = table[steps[i]];
    return values;
  }

  /** The mean of every `size` values, without the NaN; NaN for a group without any. */
  function means(values, size) {
    const mean = new Float32Array(values.length / size);
    for (let group = 0, i = 0; group < mean.length; group++) {
      let sum = 0;
      let seen = 0;
      for (const end = i + size; i < end; i++) {
        const value = values[i];
        if (!Number.isNaN(value)) {
          sum += value;
          seen += 1;
        }
      }
      mean[group] = seen ? sum / seen : NaN;
    }
    return mean;
  }

  /** The value at `at` of every `size` values. */
  function one(values, size, at) {
    return Float32Array.from({ length: values.length / size }, (_, group) => values[group * size + at]);
  }

  /** The mean of all values, likewise. */
  const mean = (values) => (values.length ? means(values, values.length)[0] : NaN);

  /** Rows become columns: (rows, columns) row by row -> (columns, rows). */
  function turned(values, rows, columns) {
    const other = new Float32Array(values.length);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) other[c * rows + r] = values[r * columns + c];
    }
    return other;
  }

  function largest(values) {
    let high = 0;
    for (let i = 0; i < values.length; i++) if (values[i] > high) high = values[i];
    return high;
  }

  const total = (values) => values.reduce((sum, value) => sum + value, 0);

  /** Values without some patches, what is left scaled to a sum of 1. */
  function without(values, patches) {
    const kept = values.slice();
    for (const patch of patches) kept[patch] = 0;
    const sum = total(kept) || 1;
    return kept.map((value) => value / sum);
  }

  class LaneData {
    /**
     * @param {object} lane of the payload
     * @param {number} [number] which of several lanes it is, from 1
     */
    constructor(lane, number) {
      Object.assign(this, lane, { number });
      this.count = lane.tokens.length;
      this.everyHead = unpack({ bytes: lane.sink, scale: lane.scale }); // (T, L, H)
      this.known = new Map();
      this.pinned = { layer: null, head: null };
    }

    /** Read one layer or one head from now on, in place of the mean; null for the mean. */
    pin(pinned) {
      this.pinned = pinned;
      this.known.clear();
    }

    /** Which quantities this lane has. */
    has(quantity) {
      if (quantity === "probability") return this.probabilities?.length === this.count;
      return quantity === "sink" || Boolean(this.packed(quantity));
    }

    packed(quantity) {
      return quantity === "delivered" ? this.delivered : this.shares?.[quantity];
    }

    /** {rows, values (rows, T), tokens (T,)} of a quantity: by layer, and as a mean of the layers. */
    get(quantity) {
      if (!this.known.has(quantity)) this.known.set(quantity, this.work(quantity));
      return this.known.get(quantity);
    }

    work(quantity) {
      if (quantity === "probability") {
        const values = Float32Array.from(this.probabilities);
        return { rows: 1, values, tokens: values };
      }
      const { layer, head } = this.pinned;
      const whole = head === null ? null : this.whole(quantity);
      const byToken = whole ? one(whole, this.heads, head) // (T, L)
        : quantity === "sink" ? means(this.everyHead, this.heads) : unpack(this.packed(quantity));
      return {
        rows: this.layers,
        values: turned(byToken, this.count, this.layers),
        tokens: layer === null ? means(byToken, this.layers) : one(byToken, this.layers, layer),
      };
    }

    /** (T, L, H) of a quantity; null where only the mean over heads came along. */
    whole(quantity) {
      if (quantity === "sink") return this.everyHead;
      const packed = quantity === "delivered" ? this.delivered_heads : null;
      if (!packed || packed.mean) return null;
      this.deliveredHeads ??= unpack(packed);
      return this.deliveredHeads;
    }

    /** What a method changed: this lane minus another, token by token as far as both go. Probabilities are of words,
     * so that those of different words have no difference. */
    minus(other, quantity) {
      const [mine, theirs] = [this.get(quantity), other.get(quantity)];
      const count = Math.min(this.count, other.count);
      const values = new Float32Array(mine.rows * count);
      for (let r = 0; r < mine.rows; r++) {
        for (let t = 0; t < count; t++) {
          const same = quantity !== "probability" || this.ids?.[t] === other.ids?.[t];
          values[r * count + t] = same ? mine.values[r * this.count + t] - theirs.values[r * other.count + t] : NaN;
        }
      }
      return { rows: mine.rows, values, count };
    }

    /** Of each layer and head (L, H): of one token, or without one the mean over the answer; null if it is not known.
     * @param {string} quantity "sink" or "delivered"
     * @param {number} [index] which token
     */
    headsOf(quantity, index) {
      const size = this.layers * this.heads;
      const whole = this.whole(quantity);
      if (index === undefined) {
        if (whole) return means(turned(whole, this.count, size), this.count);
        return this.delivered_heads?.mean ? unpack(this.delivered_heads) : null;
      }
      return whole && whole.subarray(index * size, (index + 1) * size);
    }

    ends(index) {
      return this.finish === "eos" && index === this.count - 1;
    }

    /** Why a token is not there. */
    gone() {
      if (!this.count) return "No token was written.";
      return `This answer has only ${this.count} token${this.count > 1 ? "s" : ""}.`;
    }

    nameOf(index) {
      return this.ends(index) ? "end" : SinkTrackDom.visible(this.tokens[index]);
    }
  }

  /** From the lowest to the highest value of all lanes' tokens, so that equal colours mean equal numbers. */
  function tokenRange(lanes, quantity) {
    let [low, high] = [Infinity, -Infinity];
    for (const lane of lanes) {
      for (const value of lane.get(quantity).tokens) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (!(low <= high)) [low, high] = [0, 1e-3];
    return { low, high: high > low ? high : low + 1e-3 };
  }

  /** Attention over a picture or video, token by token: from the payload, or read when it is asked for by a
   * function (from, length) => Promise<Uint8Array> that the page has put there. */
  class Maps {
    constructor(map) {
      Object.assign(this, map);
      this.frame = this.rows * this.cols; // cells of one frame; a picture is one
      this.size = this.frames * this.frame;
      this.step = this.layers * this.size;
      this.all = this.bytes ? bytesOf(this.bytes) : null;
      this.near = new Map();
    }

    /** uint8 (L, frames * rows * cols) of a token, in units of scale[token] / 255; a promise where it has to be read. */
    of(token) {
      if (this.all) return this.all.subarray(token * this.step, (token + 1) * this.step);
      if (!this.near.has(token)) {
        if (this.near.size > 64) this.near.delete(this.near.keys().next().value);
        const got = this.read(token * this.step, this.step);
        got.catch(() => this.near.delete(token));
        this.near.set(token, got);
      }
      return this.near.get(token);
    }

    /** Mean over layers from..to of a token's bytes, as probabilities (frames * rows * cols). */
    mean(bytes, token, from, to) {
      const values = new Float32Array(this.size);
      const last = Math.min(to, this.layers - 1);
      const first = Math.min(from, last);
      for (let l = first; l <= last; l++) {
        for (let i = 0; i < this.size; i++) values[i] += bytes[l * this.size + i];
      }
      const unit = this.scale[token] / 255 / (last - first + 1);
      for (let i = 0; i < this.size; i++) values[i] *= unit;
      return values;
    }
  }

  return { quantities, noun, LaneData, Maps, unpack, largest, mean, total, without, tokenRange };
})();
