/* A study's own questions as fields of a form: one of several options, a point of a scale, or words. */
const SinkTrackOwnQuestions = (() => {
  "use strict";

  const { make, choice } = SinkTrackDom;
  const { NAMES, sideTitle } = SinkTrackSides;
  const LONGEST = 5000;

  /** The options of a choice or the points of a scale: what is sent, and what is read. */
  function optionsOf(question) {
    const { options, points, ends } = question;
    const all = options.map((each) => [each, each]);
    for (let point = 1; point <= points; point++) {
      const end = { 1: ends[0], [points]: ends[1] }[point];
      all.push([String(point), end ? `${point} · ${end}` : String(point)]);
    }
    return question.required ? all : [...all, ["", "No answer"]];
  }

  class OwnField {
    /**
     * @param {object} question name, ask, kind, of, required, options, points, ends
     * @param {string | null} side of which answer it is asked; null for the pair
     * @param {() => void} onChange
     */
    constructor(question, side, onChange) {
      Object.assign(this, { question, side, written: question.kind === "text" });
      const words = question.required ? question.ask : `${question.ask} (if you like)`;
      if (this.written) {
        this.box = make("label", "sj-field");
        this.input = Object.assign(make("textarea"), { rows: 2, maxLength: LONGEST });
        this.input.addEventListener("input", onChange);
        this.box.append(make("span", "", words), this.input);
      } else {
        this.box = choice(words, optionsOf(question), onChange, null);
        this.box.classList.add("sj-choice");
      }
    }

    /** What is sent: a text, an option or a point; null for nothing. */
    get value() {
      const said = this.written ? this.input.value : this.box.querySelector("input:checked")?.value;
      if (!said?.trim()) return null;
      return this.question.kind === "scale" ? Number(said) : said;
    }

    set value(said) {
      if (this.written) this.input.value = said ?? "";
      else for (const input of this.box.querySelectorAll("input")) input.checked = input.value === String(said ?? "");
    }

    get missing() {
      return this.question.required && this.value === null;
    }

    focus() {
      (this.written ? this.input : this.box.querySelector("input")).focus({ preventScroll: true });
    }

    /** Name the options that mean a side as the answers are called now. */
    nameSides() {
      if (this.question.kind !== "choice" || this.side) return;
      for (const input of this.box.querySelectorAll("input")) {
        if (NAMES.includes(input.value)) input.nextSibling.textContent = sideTitle(input.value);
      }
    }
  }

  /** What all fields say, by question; of both answers each by its side. */
  function readFields(fields) {
    const said = {};
    for (const { question, side, value } of fields) {
      if (side) (said[question.name] ??= {})[side] = value;
      else said[question.name] = value;
    }
    return said;
  }

  function fillFields(fields, said) {
    for (const field of fields) {
      const value = said?.[field.question.name];
      field.value = field.side ? value?.[field.side] : value;
    }
  }

  return { OwnField, readFields, fillFields };
})();
