/* A named judge rules on what annotators see differently, one item at a time. The answers stand as A
 * and B and the annotators as numbers, until the ruling is kept.
 */
const SinkTrackRuling = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const { asker } = SinkTrackAsk;
  const { PairForm, button, radios } = SinkTrackPairForm;
  const { attempt } = SinkTrackDrafts;
  const LETTERS = { left: "A", right: "B" };
  const CHOICES = [["left", "1 · A is better"], ["right", "2 · B is better"], ["tie", "3 · Tie"],
    ["both bad", "4 · Both bad"]];
  const SAID = { left: "A is better", right: "B is better", tie: "Tie", "both bad": "Both bad" };
  const ABOUT = "The most disputed first. You do not see which method wrote which answer, nor who voted how, until your "
    + "ruling is kept. Rulings change no vote. Keys: 1 to 4 which is better, C comment, Esc back, Enter keep, N next, P "
    + "previous.";
  const JUDGE = "sinktrack-judge"; // where the browser keeps the judge's name

  /** An answer whose words bear the numbers of the annotators who marked them. */
  function marked(text, votes, side) {
    const letters = Array.from(text); // as Python counts them
    const by = letters.map(() => []);
    votes.forEach((vote, at) => {
      for (const [start, end] of vote[side].spans) {
        for (let place = start; place < Math.min(end, by.length); place++) by[place].push(at + 1);
      }
    });
    const box = make("div", "sj-words");
    box.dir = "auto";
    for (let start = 0, end; start < letters.length; start = end) {
      const who = by[start].join(" ");
      for (end = start + 1; end < letters.length && by[end].join(" ") === who;) end++;
      const part = letters.slice(start, end).join("");
      if (!who) {
        box.append(part);
        continue;
      }
      const node = make("mark", "sj-by", part);
      node.style.setProperty("--sj-share", by[start].length / votes.length);
      node.append(make("sup", "", who));
      box.append(node);
    }
    return box;
  }

  /** A pair that was judged, with what was said of it, to be ruled on. */
  class RulingForm extends PairForm {
    constructor(shown, keep, change) {
      super({ ...shown.pair, shown }, { ask: ["comment"], questions: [] }, "", { keep, change });
    }

    nameSides() {
      // A and B stay what they are called, wherever they stand
    }

    peek() {
      return [];
    }

    missing() {
      if (this.better) return null;
      const focus = () => this.choice.querySelector("input").focus({ preventScroll: true });
      return { sentence: "Choose first: 1 A, 2 B, 3 tie, 4 both bad.", focus };
    }

    answers() {
      const { shown } = this.pair;
      const row = make("div", "sj-answers");
      for (const [side, letter] of Object.entries(LETTERS)) {
        const box = make("article", "sj-card");
        const name = shown.told ? ` · ${shown.told.sides[side]}` : "";
        const empty = !this.pair[side].trim();
        box.append(make("h2", "", `Answer ${letter}${name}`), empty
          ? make("p", "sj-empty", "The answer is empty.") : marked(this.pair[side], shown.votes, side));
        row.append(box);
      }
      const both = make("div", "sj-body");
      both.append(row, this.said());
      return both;
    }

    /** What each annotator said. */
    said() {
      const { votes, told } = this.pair.shown;
      const box = make("section", "sj-card");
      const list = make("ol", "sj-opinions");
      votes.forEach((vote, at) => {
        const line = make("li");
        const who = told ? `${at + 1} · ${told.annotators[at]}` : `Annotator ${at + 1}`;
        line.append(make("strong", "", who), make("span", "", SAID[vote.better]));
        const severe = Object.entries(LETTERS).filter(([side]) => vote[side].severity);
        if (severe.length) {
          const words = severe.map(([side, letter]) => `${letter} ${vote[side].severity}`).join(", ");
          line.append(make("span", "sj-hint", `hallucination: ${words}`));
        }
        if (vote.comment) line.append(make("span", "", `“${vote.comment}”`));
        list.append(line);
      });
      box.append(make("h2", "", "What annotators said"), list);
      return box;
    }

    verdict(onKeep) {
      const { told } = this.pair.shown;
      const box = make("section", "sj-card sj-verdict");
      this.choice = radios("Your ruling: which answer is better?", CHOICES, "1234", this.change);
      const label = make("label", "sj-field");
      this.comment = Object.assign(make("textarea"), { rows: 2, maxLength: 5000 });
      label.append(make("span", "", "Comment, if you like"), this.comment);
      const keeps = told ? "Rule again (Enter)" : "Keep this ruling (Enter)";
      box.append(this.choice, label, button(keeps, told ? "" : "sj-main", onKeep));
      for (const each of told?.rulings ?? []) {
        const comment = each.comment ? ` · “${each.comment}”` : "";
        box.append(make("p", "sj-hint", `${each.judge} ruled: ${SAID[each.better]}${comment}`));
      }
      return box;
    }
  }

  class Ruling {
    /**
     * @param {HTMLElement} host
     * @param {{value: string}} props JSON: "left_out", whose votes do not count
     * @param {(request: object) => Promise<object>} ask asks the server, with the coordinator's code
     */
    constructor(host, props, ask) {
      this.line = make("p", "sj-said");
      this.line.setAttribute("role", "status");
      Object.assign(this, { host, props, send: asker(ask, this.line), all: [], at: 0 });
      this.name = Object.assign(make("input"), { name: "judge", type: "text", maxLength: 80, autocomplete: "off" });
      this.name.value = attempt(() => localStorage.getItem(JUDGE)) ?? "";
      this.name.addEventListener("change", () => attempt(() => localStorage.setItem(JUDGE, this.name.value)));
      const label = make("label", "sj-field sj-judge");
      label.append(make("span", "", "Your name, which goes with your rulings"), this.name);
      this.where = make("span", "sj-count");
      const way = make("div", "sj-row sj-way");
      way.append(button("Previous (P)", "sj-quiet", () => this.step(-1)),
        button("Next (N)", "sj-quiet", () => this.step(1)),
        button("Load the list again", "sj-quiet", () => this.load()), this.where);
      this.body = make("div", "sj-body");
      const [fold, folded] = [make("details", "sj-fold"), make("div", "sj-folded")];
      folded.append(make("p", "sj-hint", ABOUT), label, way, this.line, this.body);
      fold.append(make("summary", "", "Rule on what annotators see differently"), folded);
      host.replaceChildren(fold);
      fold.addEventListener("toggle", () => fold.open && !this.form && this.load());
      folded.addEventListener("keydown", (event) => this.key(event));
    }

    /** Ask for one thing at a time, so that what is ruled on is what is shown; null while another is asked for. */
    async asked(what, more) {
      if (this.busy) return null;
      const { left_out } = JSON.parse(this.props.value);
      this.busy = true;
      const answer = await this.send({ what, left_out, judge: this.name.value, ...more });
      this.busy = false;
      return answer;
    }

    /** Fetch the list, and show the first item that nobody has ruled on. */
    async load() {
      const answer = await this.asked("disputes");
      if (!answer) return;
      const { disputes } = answer;
      if (!disputes.length) {
        [this.all, this.form] = [[], null];
        this.body.replaceChildren(make("p", "sj-empty", "Annotators differ nowhere, or nobody has judged twice yet."));
        return;
      }
      await this.open(Math.max(0, disputes.findIndex(({ ruled }) => !ruled)), disputes);
    }

    async step(by) {
      if (!this.all.length) return;
      if (await this.open((this.at + by + this.all.length) % this.all.length)) this.form.focus();
    }

    async open(at, all = this.all) {
      const answer = await this.asked("dispute", { key: all[at].key });
      if (!answer) return false;
      Object.assign(this, { at, all });
      this.show(answer);
      return true;
    }

    show(answer) {
      const { item, spread, ruled } = this.all[this.at];
      const left = this.all.filter((each) => !each.ruled).length;
      const far = `${this.at + 1} of ${this.all.length}: ${item}, spread ${spread.toFixed(2)}`;
      this.where.textContent = `${far}${ruled ? ", ruled on" : ""} · ${left} without a ruling`;
      this.form = new RulingForm(answer, () => this.keep(), () => {
        this.line.textContent = "";
      });
      this.body.replaceChildren(...this.form.parts);
    }

    async keep() {
      const missing = this.form.missing();
      if (!this.name.value.trim()) {
        this.line.textContent = "Type your name first.";
        this.name.focus();
        return;
      }
      if (missing) {
        missing.focus();
        this.line.textContent = missing.sentence;
        return;
      }
      const { better, comment } = this.form;
      const said = { key: this.all[this.at].key, better, comment: comment.value };
      const answer = await this.asked("rule", said);
      if (!answer) return;
      this.all[this.at].ruled = true;
      this.show(answer);
      this.line.textContent = "Kept. Now you see who is who. N brings the next item.";
      this.form.focus();
    }

    key(event) {
      if (!this.form || event.repeat || event.metaKey || event.altKey || event.defaultPrevented) return;
      const { target } = event;
      const writing = target.matches("textarea, input:not([type=radio])");
      const keeps = event.key === "Enter" && (event.ctrlKey || !target.matches("button, summary, textarea"));
      const step = { n: 1, p: -1 }[event.key.toLowerCase()];
      if (event.key === "Escape" && writing) this.form.focus();
      else if (keeps && target !== this.name) this.keep();
      else if (writing || event.ctrlKey) return;
      else if (step) this.step(step);
      else if (!this.form.press(event.key)) return;
      event.preventDefault();
    }
  }

  return { Ruling, marked };
})();
