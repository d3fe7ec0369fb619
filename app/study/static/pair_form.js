/* One pair of answers as a form: the question, both answers to mark, and the verdict. It knows no
 * server: what was chosen is read off it.
 */
const SinkTrackPairForm = (() => {
  "use strict";

  const { make, choice } = SinkTrackDom;
  const { Words } = SinkTrackWords;
  const SIDES = [["left", "Left answer"], ["right", "Right answer"]];
  const CHOICES = [
    ["left", "1 · Left is better"],
    ["right", "2 · Right is better"],
    ["tie", "3 · Tie"],
    ["both bad", "4 · Both bad"],
  ];
  const SEVERITIES = [["none", "No"], ["minor", "Minor"], ["severe", "Severe"]];
  const SEVERITY_KEYS = { left: "ASD", right: "JKL" }; // under the fingers of either hand
  const WORD_KEYS = { left: "F", right: "H" };
  const COMMENT_KEY = "C";

  function button(text, name, onClick) {
    const node = make("button", `sj-button ${name}`, text);
    node.type = "button";
    node.addEventListener("click", onClick);
    return node;
  }

  /** Radio buttons that are pressed by keys as well, which are shown beside their words. */
  function radios(label, options, keys, onChange) {
    const box = choice(label, options, onChange, null);
    box.classList.add("sj-choice");
    const inputs = [...box.querySelectorAll("input")];
    inputs.forEach((input, at) => {
      input.setAttribute("aria-keyshortcuts", keys[at]);
      if (!/\d/.test(keys[at])) input.closest("label").dataset.key = keys[at];
    });
    return box;
  }

  const chosenIn = (box) => box.querySelector("input:checked")?.value ?? null;
  const setIn = (box, value, focuses = false) => {
    for (const input of box.querySelectorAll("input")) {
      input.checked = input.value === value;
      if (focuses && input.checked) input.focus({ preventScroll: true });
    }
  };

  class PairForm {
    /**
     * @param {object} pair pictures, passage, question, reference, and the answers left and right
     * @param {string[]} ask what is asked besides the better answer: "hallucination", "comment"
     * @param {HTMLElement} instructions shown beside the question
     * @param {{keep: () => void, change: () => void}} when the vote is to be kept; when anything was
     *   chosen, marked or written
     */
    constructor(pair, ask, instructions, { keep, change }) {
      Object.assign(this, { pair, ask, change });
      this.parts = [this.asked(instructions), this.answers(), this.verdict(keep)];
    }

    get rates() {
      return this.ask.includes("hallucination");
    }

    focus() {
      const at = this.choice.querySelector("input:checked") ?? this.choice.querySelector("input");
      at?.focus({ preventScroll: true });
    }

    /** What was chosen: left, right, tie or both bad; null before. */
    get better() {
      return chosenIn(this.choice);
    }

    /** Choose, or go where something is marked or written, by a key; whether it means something. */
    press(key) {
      const letter = key.toUpperCase();
      const found = CHOICES[Number(key) - 1];
      if (found) setIn(this.choice, found[0], true);
      else if (letter === COMMENT_KEY && this.comment) this.comment.focus();
      else if (!this.rates || !this.pressOn(letter)) return false;
      if (letter !== COMMENT_KEY) this.change();
      return true;
    }

    pressOn(letter) {
      for (const [side] of SIDES) {
        const at = SEVERITY_KEYS[side].indexOf(letter);
        if (at >= 0 && letter) setIn(this.sides[side].severity, SEVERITIES[at][0]);
        else if (letter === WORD_KEYS[side]) this.sides[side].words.box.focus();
        else continue;
        return true;
      }
      return false;
    }

    /** What a vote still lacks: a sentence, and what brings the focus there; null for nothing. */
    missing() {
      const to = (box) => () => box.querySelector("input").focus({ preventScroll: true });
      if (!this.better) {
        return { sentence: "Choose first: 1 left, 2 right, 3 tie, 4 both bad.", focus: to(this.choice) };
      }
      if (!this.rates) return null;
      for (const [side] of SIDES) {
        const { severity } = this.sides[side];
        const [no, minor, severe] = SEVERITY_KEYS[side];
        if (chosenIn(severity) === null) {
          const sentence = `Does the ${side} answer hallucinate? ${no} no, ${minor} minor, ${severe} severe.`;
          return { sentence, focus: to(severity) };
        }
      }
      return null;
    }

    /** What is sent to the server. */
    read() {
      const judged = {};
      for (const [side] of SIDES) {
        const { words, severity } = this.sides[side];
        judged[side] = { severity: chosenIn(severity), spans: words.spans(this.pair[side]) };
      }
      return { better: this.better, ...judged, comment: this.comment?.value ?? "" };
    }

    asked(instructions) {
      const { pair } = this;
      const box = make("section", "sj-card sj-asked");
      const pictures = make("div", "sj-pictures");
      pair.pictures.forEach((src, at) => {
        const alt = pair.pictures.length > 1 ? `Picture ${at + 1}` : "The picture";
        pictures.append(Object.assign(make("img"), { src, alt }));
      });
      if (pair.pictures.length) box.append(pictures);
      const words = make("div");
      if (pair.passage) {
        const passage = make("p", "sj-passage", pair.passage);
        passage.dir = "auto";
        words.append(make("h2", "", "Passage"), passage);
      }
      const question = make("p", "sj-question", pair.question);
      question.dir = "auto";
      words.append(make("h2", "", "Question"), question);
      if (pair.reference) {
        const reference = make("details");
        reference.append(make("summary", "", "A right answer"), make("p", "", pair.reference));
        words.append(reference);
      }
      words.append(instructions);
      box.append(words);
      return box;
    }

    answers() {
      const { pair } = this;
      const row = make("div", "sj-answers");
      this.sides = {};
      for (const [side, title] of SIDES) {
        const box = make("article", "sj-card");
        box.dataset.side = side;
        box.append(make("h2", "", title));
        const severity = radios("Does it hallucinate?", SEVERITIES, SEVERITY_KEYS[side], this.change);
        const words = new Words(pair[side], `${title}: mark what is hallucinated`, () => {
          const said = chosenIn(severity);
          if (words.any && (said === null || said === "none")) setIn(severity, "minor");
          this.change();
        });
        const empty = !pair[side].trim();
        box.append(empty ? make("p", "sj-empty", "The answer is empty.") : words.box);
        if (this.rates) {
          const hint = make("p", "sj-hint", "Mark the words that are not true: click or select them");
          hint.append(make("span", "sj-keys", `; or ${WORD_KEYS[side]}, arrow keys and space`), ".");
          box.append(...(empty ? [] : [hint]), severity);
        }
        this.sides[side] = { words, severity };
        row.append(box);
      }
      return row;
    }

    verdict(onKeep) {
      const box = make("section", "sj-card sj-verdict");
      this.choice = radios("Which answer is better?", CHOICES, "1234", this.change);
      box.append(this.choice);
      if (this.ask.includes("comment")) {
        const label = make("label", "sj-field");
        this.comment = Object.assign(make("textarea"), { rows: 2, maxLength: 5000 });
        this.comment.addEventListener("input", this.change);
        label.append(make("span", "", "Comment, if you like"), this.comment);
        box.append(label);
      }
      this.slot = make("div", "sj-slot");
      box.append(button("Keep this vote (Enter)", "sj-main", onKeep), this.slot, this.keys());
      return box;
    }

    /** All keys in a line. */
    keys() {
      const told = ["1 to 4 which is better"];
      if (this.rates) {
        told.push("A S D the left answer: no, minor, severe", "J K L the right answer",
          "F, H the words of the left, the right");
      }
      if (this.comment) told.push("C comment, Esc back");
      told.push("Enter keep", "U undo");
      return make("p", "sj-hint sj-keys", `Keys: ${told.join(" · ")}`);
    }

    /** Put a vote that was taken back onto the page again. */
    fill(before) {
      setIn(this.choice, before.better);
      if (this.comment) this.comment.value = before.comment;
      for (const [side] of SIDES) {
        const { words, severity } = this.sides[side];
        setIn(severity, before[side]?.severity);
        words.mark(before[side]?.spans ?? [], this.pair[side]);
      }
    }
  }

  return { PairForm, button };
})();
