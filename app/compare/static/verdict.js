/* The line between what happens now and the answers: whether they say the same, what is right where that is
 * known, and which answer is. Knows nothing about the viewer.
 */
const SinkTrackVerdict = (() => {
  "use strict";

  const { make, ofLane } = SinkTrackDom;
  const WHOLE = 30; // words; of a longer answer only what stands around a wrong word is shown
  const AROUND = 3;
  const ALIKE = 0.4; // of the words, at least: else a comparison word by word says nothing

  /** A word without what stands around it; a dash alone is one, as it is what an empty cell is called. */
  const bare = (word) => word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "") || word.replace(/[.!?]+$/, "");
  const plain = (text) => text.split(/\s+/).map(bare).filter(Boolean).join(" ");

  /** Say how many different answers there are. */
  function agreement(texts) {
    const different = new Set(texts.map((text) => text.trim())).size;
    const all = texts.length === 2 ? "Both answers" : `All ${texts.length} answers`;
    if (different === 1) return `${all} are the same.`;
    if (texts.length === 2) return "The two answers differ.";
    return different === texts.length ? `${all} differ.` : `${different} different answers among ${texts.length}.`;
  }

  /** The places of the longest run of words, in order but not in one piece, that both have. */
  function common(one, other) {
    const best = Array.from({ length: one.length + 1 }, () => new Uint16Array(other.length + 1));
    for (let i = one.length - 1; i >= 0; i--) {
      for (let j = other.length - 1; j >= 0; j--) {
        best[i][j] = one[i] === other[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
      }
    }
    const found = new Set();
    for (let i = 0, j = 0; i < one.length && j < other.length;) {
      if (one[i] === other[j]) found.add(i++, j++);
      else if (best[i + 1][j] >= best[i][j + 1]) i++;
      else j++;
    }
    return found;
  }

  /**
   * The words of an answer, and which of them are wrong; null where they cannot be told apart.
   * A sentence that the right answer has is right wherever it stands.
   * @returns {{word: string, wrong: boolean}[] | null}
   */
  function wrongWords(said, truth) {
    const sentences = (text) => text.split(/(?<=[.!?])\s+/).filter((each) => plain(each));
    const left = sentences(truth);
    const parts = sentences(said).map((sentence) => {
      const at = left.findIndex((each) => plain(each) === plain(sentence));
      const words = sentence.split(/\s+/);
      if (at < 0) return words.map((word) => ({ word, open: true }));
      left.splice(at, 1);
      return words.map((word) => ({ word, open: false }));
    }).flat();
    const open = parts.filter((each) => each.open);
    const kept = common(open.map(({ word }) => bare(word)), left.join(" ").split(/\s+/).map(bare));
    const wrong = new Set(open.filter((_, at) => !kept.has(at)));
    if (!wrong.size || wrong.size > (1 - ALIKE) * parts.length) return null;
    return parts.map((each) => ({ word: each.word, wrong: wrong.has(each) }));
  }

  /** An answer with its wrong words marked; of a long one the pieces around them. */
  function marked(words) {
    const line = make("span", "st-said-words");
    line.dir = "auto";
    const near = (at) => words.length <= WHOLE
      || words.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ wrong }) => wrong);
    let skipping = false;
    words.forEach(({ word, wrong }, at) => {
      if (!near(at)) {
        if (!skipping) line.append("… ");
        skipping = true;
        return;
      }
      skipping = false;
      line.append(wrong ? make("mark", "st-wrong-word", word) : word, " ");
    });
    return line;
  }

  /** The right answer; of a long one not the beginning that all answers have. */
  function rightAnswer(truth, lanes) {
    const words = truth.split(/\s+/);
    const said = lanes.map(({ text }) => text.split(/\s+/).map(bare));
    const parting = words.findIndex((word, at) => said.some((each) => each[at] !== bare(word)));
    const from = (parting < 0 ? words.length : parting) - 2 * AROUND;
    const long = words.length > WHOLE && from > 2 * AROUND;
    const line = make("span", "st-truth", long ? `… ${words.slice(from).join(" ")}` : truth);
    line.dir = "auto";
    return line;
  }

  /** What is said of one answer: right, wrong, or nothing. */
  function entry(lane, at, truth, right) {
    const item = ofLane(make("li", right ? "st-right" : "st-wrong"), at + 1);
    item.append(make("span", "st-badge", String(at + 1)), make("span", "st-judged", `${lane.title}: `),
      make("strong", "", right ? "right" : "wrong"));
    const words = right ? null : wrongWords(lane.text, truth);
    if (words) item.append(" ", marked(words));
    return item;
  }

  /**
   * @param {HTMLElement} host what is shown in it goes away first
   * @param {{title: string, text: string}[]} lanes the finished answers; none while they grow
   * @param {string | null} truth the right answer, null where it is not known
   * @param {(boolean | null)[]} right of each answer; null where it cannot be judged
   */
  function show(host, lanes, truth, right) {
    host.replaceChildren();
    if (!lanes.length) return;
    const line = make("p", "st-agreement", agreement(lanes.map(({ text }) => text)));
    host.append(line);
    if (!truth) return;
    line.append(" ", make("strong", "", "Right:"), " ", rightAnswer(truth, lanes));
    const judged = lanes.flatMap((lane, at) => (typeof right?.[at] === "boolean" ? [entry(lane, at, truth, right[at])] : []));
    if (!judged.length) return;
    const list = make("ul", "st-judgements");
    list.append(...judged);
    host.append(list);
  }

  return { show, wrongWords, agreement };
})();
