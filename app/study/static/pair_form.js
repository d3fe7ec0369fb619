/* One pair of answers as a form: the question, both answers to mark, and the verdict. It knows no
 * server: what was chosen is read off it.
 */
const SinkTrackPairForm = (() => {
  "use strict";

  const { make, choice } = SinkTrackDom;
  const { Words } = SinkTrackWords;
  const { NAMES, sideName, sideTitle } = SinkTrackSides;
  const { Pictures } = SinkTrackPictures;
  const { OwnField, readFields, fillFields } = SinkTrackOwnQuestions;
  const CHOICES = [["left", ""], ["right", ""], ["tie", "3 · Tie"], ["both bad", "4 · Both bad"]];
  const SEVERITIES = [["none", "No"], ["minor", "Minor"], ["severe", "Severe"]];
  const SEVERITY_KEYS = { left: "ASD", right: "JKL" }; // under the fingers of either hand
  const WORD_KEYS = { left: "F", right: "H" };
  const COMMENT_KEY = "C";
  const PAUSE = 1_000; // milliseconds, in which a second press belongs to the first one

  function button(text, name, onClick) {
    const node = make("button", `sj-button ${name}`, text);
    node.type = "button";
    node.addEventListener("click", onClick);
    return node;
  }

  /**
   * Return what does something, and does not do it again for a second press that follows at once.
   * @param {(...given) => Promise<void>} act
   * @param {HTMLElement} [node] a button that says meanwhile that it waits, and keeps the focus
   */
  function once(act, node) {
    let resting = false;
    const rest = (rests) => {
      resting = rests;
      node?.setAttribute("aria-disabled", rests);
    };
    return async (...given) => {
      if (resting) return;
      rest(true);
      await act(...given);
      setTimeout(rest, PAUSE, false);
    };
  }

  /** Let Enter that is held be one press, but where it breaks lines: what it opens has a button of its own. */
  function onePressOfEnter(host) {
    host.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.repeat && !event.target.matches("textarea")) event.preventDefault();
    }, { capture: true });
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

  function passageOf(pair) {
    const passage = make("p", "sj-passage", pair.passage);
    passage.dir = "auto";
    return passage;
  }

  /** What was asked and answered before the question. */
  function conversation(earlier) {
    const list = make("ol", "sj-turns");
    for (const [at, text] of earlier.flat().entries()) {
      const turn = make("li", at % 2 ? "sj-turn sj-turn-answer" : "sj-turn");
      const said = make("p", "", text);
      said.dir = "auto";
      turn.append(make("span", "sj-hint", at % 2 ? "Answer" : "Question"), said);
      list.append(turn);
    }
    return [make("h2", "", "Earlier turns"), list];
  }

  class PairForm {
    /**
     * @param {object} pair pictures, passage, earlier turns, question, reference, and the answers left and right
     * @param {{ask: string[], questions: object[]}} study what is asked besides the better answer:
     *   "hallucination", "comment"; and questions of its own
     * @param {HTMLElement} instructions shown beside the question
     * @param {{keep: () => void, change: () => void}} when the vote is to be kept; when anything was
     *   chosen, marked or written
     */
    constructor(pair, { ask, questions }, instructions, { keep, change }) {
      Object.assign(this, { pair, ask, change, pictures: new Pictures(pair.pictures) });
      this.own = questions.flatMap((each) => (each.of === "answer" ? NAMES : [null]).map(
        (side) => new OwnField(each, side, change)));
      this.parts = [this.asked(instructions), this.answers(), this.verdict(keep), ...this.peek()];
      this.nameSides();
    }

    /** Call the answers as they stand now: beside each other, or one under the other. */
    nameSides() {
      for (const side of NAMES) {
        const { title, words } = this.sides[side];
        title.textContent = `${sideTitle(side)} answer`;
        words.box.setAttribute("aria-label", `${title.textContent}: mark what is hallucinated`);
        const [text] = this.choice.querySelectorAll(`[value=${side}] + span`);
        text.textContent = `${NAMES.indexOf(side) + 1} · ${sideTitle(side)} is better`;
      }
      for (const field of this.own) field.nameSides();
      this.told.textContent = this.keys();
    }

    /** The questions of the study's own that are asked of one answer, or (null) of the pair. */
    ownOf(side) {
      return this.own.filter((field) => field.side === side).map((field) => field.box);
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
      for (const side of NAMES) {
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
        const sides = `1 ${sideName("left")}, 2 ${sideName("right")}`;
        return { sentence: `Choose first: ${sides}, 3 tie, 4 both bad.`, focus: to(this.choice) };
      }
      for (const side of this.rates ? NAMES : []) {
        const { severity } = this.sides[side];
        const [no, minor, severe] = SEVERITY_KEYS[side];
        if (chosenIn(severity) === null) {
          const sentence = `Does the ${sideName(side)} answer hallucinate? ${no} no, ${minor} minor, ${severe} severe.`;
          return { sentence, focus: to(severity) };
        }
      }
      const field = this.own.find((each) => each.missing);
      if (!field) return null;
      const of = field.side ? ` of the ${sideName(field.side)} answer` : "";
      return { sentence: `Answer “${field.question.ask}”${of} first.`, focus: () => field.focus() };
    }

    /** What is sent to the server. */
    read() {
      const judged = {};
      for (const side of NAMES) {
        const { words, severity } = this.sides[side];
        judged[side] = { severity: chosenIn(severity), spans: words.spans(this.pair[side]) };
      }
      const said = readFields(this.own);
      return { better: this.better, ...judged, comment: this.comment?.value ?? "", said };
    }

    asked(instructions) {
      const { pair } = this;
      const box = make("section", "sj-card sj-asked");
      if (pair.pictures.length) {
        const pictures = make("div", "sj-pictures");
        pictures.append(...this.pictures.thumbnails(), this.pictures.dialog);
        box.append(pictures);
      }
      const words = make("div");
      if (pair.passage) {
        words.append(make("h2", "", "Passage"), passageOf(pair));
      }
      if (pair.earlier.length) words.append(...conversation(pair.earlier));
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

    /** On a phone: what the answers are about, over the lower half of the page at a tap. */
    peek() {
      const { pictures, passage } = this.pair;
      const what = [...(pictures.length ? ["picture"] : []), ...(passage ? ["passage"] : [])].join(" and ");
      if (!what) return [];
      const [box, shown] = [make("aside", "sj-peek"), make("div", "sj-peeked")];
      box.setAttribute("aria-label", `The ${what} again`);
      Object.assign(shown, { hidden: true, tabIndex: 0 }); // scrolled by keys as well
      shown.append(...this.pictures.thumbnails(), ...(passage ? [passageOf(this.pair)] : []));
      const turn = button(`Show the ${what}`, "", () => {
        shown.hidden = !shown.hidden;
        turn.textContent = `${shown.hidden ? "Show" : "Hide"} the ${what}`;
        turn.setAttribute("aria-expanded", String(!shown.hidden));
      });
      turn.setAttribute("aria-expanded", "false");
      box.append(shown, turn);
      return [box];
    }

    answers() {
      const { pair } = this;
      const row = make("div", "sj-answers");
      this.sides = {};
      for (const side of NAMES) {
        const box = make("article", "sj-card");
        box.dataset.side = side;
        const title = make("h2");
        box.append(title);
        const severity = radios("Does it hallucinate?", SEVERITIES, SEVERITY_KEYS[side], this.change);
        const words = new Words(pair[side], "", () => {
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
        box.append(...this.ownOf(side));
        this.sides[side] = { title, words, severity };
        row.append(box);
      }
      return row;
    }

    verdict(onKeep) {
      const box = make("section", "sj-card sj-verdict");
      this.choice = radios("Which answer is better?", CHOICES, "1234", this.change);
      box.append(this.choice, ...this.ownOf(null));
      if (this.ask.includes("comment")) {
        const label = make("label", "sj-field");
        this.comment = Object.assign(make("textarea"), { rows: 2, maxLength: 5000 });
        this.comment.addEventListener("input", this.change);
        label.append(make("span", "", "Comment, if you like"), this.comment);
        box.append(label);
      }
      this.slot = make("div", "sj-slot");
      this.told = make("p", "sj-hint sj-keys");
      box.append(button("Keep this vote (Enter)", "sj-main", onKeep), this.slot, this.told);
      return box;
    }

    /** All keys in a line. */
    keys() {
      const told = ["1 to 4 which is better"];
      if (this.rates) {
        const [left, right] = NAMES.map(sideName);
        told.push(`A S D the ${left} answer: no, minor, severe`, `J K L the ${right} answer`,
          `F, H the words of the ${left}, the ${right}`);
      }
      if (this.comment) told.push("C comment, Esc back");
      told.push("Enter keep", "U undo", "X skip", "W something is wrong");
      return `Keys: ${told.join(" · ")}`;
    }

    /** Put a vote that was taken back onto the page again. */
    fill(before) {
      setIn(this.choice, before.better);
      if (this.comment) this.comment.value = before.comment;
      fillFields(this.own, before.said);
      for (const side of NAMES) {
        const { words, severity } = this.sides[side];
        setIn(severity, before[side]?.severity);
        words.mark(before[side]?.spans ?? [], this.pair[side]);
      }
    }
  }

  return { PairForm, button, once, onePressOfEnter, radios };
})();
