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

  function button(text, name, onClick) {
    const node = make("button", `sj-button ${name}`, text);
    node.type = "button";
    node.addEventListener("click", onClick);
    return node;
  }

  function radios(label, options) {
    const box = choice(label, options, () => {}, null);
    box.classList.add("sj-choice");
    return box;
  }

  const chosenIn = (box) => box.querySelector("input:checked")?.value ?? null;
  const setIn = (box, value) => {
    for (const input of box.querySelectorAll("input")) input.checked = input.value === value;
  };

  class PairForm {
    /**
     * @param {object} pair pictures, passage, question, reference, and the answers left and right
     * @param {string[]} ask what is asked besides the better answer: "hallucination", "comment"
     * @param {HTMLElement} instructions shown beside the question
     * @param {() => void} onKeep when the vote is to be kept
     */
    constructor(pair, ask, instructions, onKeep) {
      Object.assign(this, { pair, ask });
      this.parts = [this.asked(instructions), this.answers(), this.verdict(onKeep)];
    }

    focus() {
      this.choice.querySelector("input")?.focus({ preventScroll: true });
    }

    /** What was chosen: left, right, tie or both bad; null before. */
    get better() {
      return chosenIn(this.choice);
    }

    /** Choose by a key; whether there is such a choice. */
    press(key) {
      const found = CHOICES[Number(key) - 1];
      if (found) setIn(this.choice, found[0]);
      return Boolean(found);
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
        const severity = radios("Does it hallucinate?", SEVERITIES);
        const words = new Words(pair[side], `${title}: mark what is hallucinated`, () => {
          const said = chosenIn(severity);
          if (words.any && (said === null || said === "none")) setIn(severity, "minor");
        });
        box.append(words.box);
        if (this.ask.includes("hallucination")) {
          box.append(make("p", "sj-hint",
            "Mark the words that are not true: click or select them; or arrow keys and space."), severity);
        }
        this.sides[side] = { words, severity };
        row.append(box);
      }
      return row;
    }

    verdict(onKeep) {
      const box = make("section", "sj-card sj-verdict");
      this.choice = radios("Which answer is better?", CHOICES);
      box.append(this.choice);
      if (this.ask.includes("comment")) {
        const label = make("label", "sj-field");
        this.comment = Object.assign(make("textarea"), { rows: 2, maxLength: 5000 });
        label.append(make("span", "", "Comment, if you like"), this.comment);
        box.append(label);
      }
      box.append(button("Keep this vote (Enter)", "sj-main", onKeep));
      return box;
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
