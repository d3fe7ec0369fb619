/* What a server says when it is asked about a token. Asks one question at a time, keeps the last answers, and reads
 * the numbers in them. Knows nothing about pages.
 *
 * `ask` takes one of these, each with `at`, the token, and promises what the server said or {error}:
 *     {what: "explain"}               layer by layer, and where the chosen token looked
 *     {what: "looks", layer, head}    where every token up to it looked; null for the mean
 *     {what: "maps"}                  where in pictures its own logit is high
 *     {what: "without", lane, positions, heads}    its probability without a part of the prompt or some heads
 *     {what: "reliance"}              of every word its probability with and without what was asked about; `at` is 0
 */
const SinkTrackExplanations = (() => {
  "use strict";

  const MOST = 24; // answers that are kept
  const MOST_CHARACTERS = 24_000_000; // what they may take together

  const SUPERSEDED = { error: "Something else was chosen." };

  class Explanations {
    constructor(ask) {
      this.ask = ask;
      this.kept = new Map(); // question -> [what was said, its size], the one that was used last at the end
      this.last = Promise.resolve();
      this.read = new Map(); // what was said of a lane -> its numbers
    }

    /** What was said already; undefined where it was not asked, or not kept. */
    known(asked) {
      const key = JSON.stringify(asked);
      const found = this.kept.get(key);
      if (!found) return undefined;
      this.kept.delete(key);
      this.kept.set(key, found);
      return found[0];
    }

    /** What the server says; {error} where it cannot, or where nobody wants to know any more at its turn. */
    async get(asked, wanted = () => true) {
      const turn = this.last.then(async () => this.known(asked) ?? (wanted() ? this.work(asked) : SUPERSEDED));
      this.last = turn.catch(() => {});
      return turn;
    }

    async work(asked) {
      const none = { error: "The server did not answer: try again." };
      const said = (await this.ask(asked).catch(() => none)) ?? none; // Gradio gives nothing for a server that has gone
      if (!said.error) this.keep(asked, said);
      return said;
    }

    keep(asked, said) {
      this.kept.set(JSON.stringify(asked), [said, JSON.stringify(said).length]);
      let size = [...this.kept.values()].reduce((sum, [, each]) => sum + each, 0);
      for (const [key, [old, each]] of this.kept) {
        if (this.kept.size === 1 || (this.kept.size <= MOST && size <= MOST_CHARACTERS)) break;
        size -= each;
        this.kept.delete(key);
        for (const lane of Object.values(old.lanes ?? {})) this.read.delete(lane);
      }
    }

    /** The numbers of a lane's explanation; null where it is not there, or came without its heads. */
    whole(at, name) {
      const lane = this.known({ what: "explain", at })?.lanes[name];
      return lane ? this.numbers(lane) : null;
    }

    numbers(lane) {
      if (!lane.attention) return null;
      if (!this.read.has(lane)) this.read.set(lane, new Looked(lane));
      return this.read.get(lane);
    }
  }

  /** Where a token looked, of one lane. */
  class Looked {
    constructor({ attention: packed, prompt }) {
      this.values = unpacked(packed.bytes);
      this.shape = packed.shape; // layers, heads, keys
      this.prompt = prompt;
    }

    /** Attention on every token, of a layer and a head or of the mean where they are null. */
    row(layer, head) {
      return attention(this.values, this.shape, layer, head);
    }

    /** How much each head gave to some places of the prompt together, (layers, heads). */
    on(places) {
      const [layers, heads, keys] = this.shape;
      return Float32Array.from({ length: layers * heads }, (_, at) =>
        places.reduce((sum, place) => sum + (this.values[at * keys + place] || 0), 0));
    }

    /** `row` over the patches of a picture or video. */
    patches({ visual, size }, layer, head) {
      const row = this.row(layer, head);
      const own = placesOf(this.prompt, visual).slice(0, size);
      return own.length === size ? Float32Array.from(own, (at) => row[at] || 0) : new Float32Array(size);
    }
  }

  /** Where in a prompt the tokens of its pictures and videos stand, by number. */
  function placesOf(prompt, visual) {
    const names = [...new Set(prompt.parts.filter((part) => /^(image|video)\b/.test(part)))];
    return prompt.parts.flatMap((part, at) => (part === names[visual] ? [at] : []));
  }

  /** Where in a prompt the tokens of all its pictures and videos stand. */
  function picturePlaces(prompt) {
    return prompt.parts.flatMap((part, at) => (/^(image|video)\b/.test(part) ? [at] : []));
  }

  /** Two bytes a number, little-endian: 65534 stands for 1, and 65535 for no number. */
  function unpacked(bytes) {
    const raw = atob(bytes);
    return Float32Array.from({ length: raw.length / 2 }, (_, i) => {
      const step = raw.charCodeAt(2 * i) + 256 * raw.charCodeAt(2 * i + 1);
      return step === 65535 ? NaN : step / 65534;
    });
  }

  /** Attention of one layer and head, or the mean over those that are null; what is not seen anywhere is no number,
   * and what some heads cannot see is the mean of those that can. */
  function attention(values, [depth, width, keys], layer, head) {
    const [row, seen] = [new Float32Array(keys), new Uint16Array(keys)];
    const range = (chosen, count) => (chosen === null ? [0, count] : [chosen, chosen + 1]);
    const [fromLayer, toLayer] = range(layer, depth);
    const [fromHead, toHead] = range(head, width);
    for (let l = fromLayer; l < toLayer; l++) {
      for (let h = fromHead; h < toHead; h++) {
        const start = (l * width + h) * keys;
        for (let k = 0; k < keys; k++) {
          const value = values[start + k];
          if (Number.isNaN(value)) continue;
          row[k] += value;
          seen[k] += 1;
        }
      }
    }
    return row.map((value, k) => (seen[k] ? value / seen[k] : NaN));
  }

  /** What each row of (rows, keys) gave to some keys together; rows that cannot see any of them are no numbers. */
  function given(values, keys, places) {
    return Float32Array.from({ length: values.length / keys }, (_, t) => {
      const own = places.map((at) => values[t * keys + at]).filter((value) => !Number.isNaN(value));
      return own.length ? own.reduce((sum, value) => sum + value, 0) : NaN;
    });
  }

  return { Explanations, Looked, placesOf, picturePlaces, unpacked, attention, given };
})();
