/* What the coordinator of a study does on the page of its results. Files come in the answer itself and
 * are nowhere else.
 */
const SinkTrackCoordinator = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const { asker } = SinkTrackAsk;
  const { button, once, onePressOfEnter } = SinkTrackPairForm;
  const TABLES = [["csv", "CSV"], ["jsonl", "JSONL"], ["parquet", "Parquet"]];
  const TEXTS = [["summary", "Summary (Markdown)"], ["rulings", "Rulings (JSONL)"]];
  const RANKING = ["ranking", "Ranking (SVG)"];
  const STATES = {
    open: ["Open", "The study is open."],
    paused: ["Pause", "The study is paused: nobody gets new pairs; votes that were begun are kept."],
    closed: ["Close", "The study is closed: no more votes are kept."],
  };

  class Coordinator {
    /**
     * @param {HTMLElement} host
     * @param {{value: string}} props JSON: "ranked", whether there is a ranking; "left_out", whose
     *   votes are left out; "people", who has voted; "passed", ids and names of what they passed over
     * @param {(request: object) => Promise<object>} ask asks the server, with the coordinator's code
     */
    constructor(host, props, ask) {
      this.said = make("p", "sj-note");
      this.said.setAttribute("role", "status");
      Object.assign(this, { props, send: asker(ask, this.said) });
      this.state = make("p", "sj-state");
      this.turns = make("div", "sj-row");
      this.pressed = once((state) => this.turn(state)); // for other buttons take its place
      const { ranked } = JSON.parse(props.value);
      const texts = make("div", "sj-row");
      texts.append(...this.files(ranked ? [...TEXTS, RANKING] : TEXTS));
      host.replaceChildren(make("h2", "", "Files"), this.votes(), texts, make("h2", "", "The study"), this.state,
        this.turns, make("h2", "", "Annotators"), this.help(), this.withdrawal(), this.bringBack(), this.said);
      onePressOfEnter(host);
      this.turn();
    }

    /** Buttons that download files. */
    files(named, more = () => ({})) {
      return named.map(([file, text]) => Object.assign(button(text, "", () => this.take(file, more())), { id: file }));
    }

    /** Which votes are downloaded, and as what. */
    votes() {
      const row = make("div", "sj-row");
      const which = select("which", "Votes", () => [["", "that stand"], ["history", "all, with those taken back"]]);
      const people = () => JSON.parse(this.props.value).people.map((name) => [name, name]);
      const whose = select("whose", "of", () => [["", "everybody"], ...people()]);
      const chosen = () => ({ history: which.input.value === "history", annotator: whose.input.value });
      row.append(which.box, whose.box, ...this.files(TABLES, chosen));
      return row;
    }

    /** Say whether the study is open; turn it first where a state is given. */
    async turn(state) {
      const answer = await this.send({ what: "state", ...(state ? { turn: state } : {}) });
      if (!answer) return;
      const { over = false, until = "" } = answer;
      this.state.textContent = over ? until : `${STATES[answer.state][1]} ${until}`.trim();
      const others = Object.entries(STATES).filter(([name]) => name !== answer.state && !over);
      this.turns.replaceChildren(...others.map(([name, [text]]) => button(text, "", () => this.pressed(name))));
    }

    async take(file, more) {
      const { left_out } = JSON.parse(this.props.value);
      const answer = await this.send({ what: "file", file, left_out, ...more });
      if (!answer) return;
      const bytes = Uint8Array.from(atob(answer.content), (each) => each.charCodeAt(0));
      const link = Object.assign(make("a"), {
        href: URL.createObjectURL(new Blob([bytes])),
        download: answer.name,
      });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }

    /** Somebody who has lost their personal code gets a new one, which stays until the next is made. */
    help() {
      const made = make("p", "sj-made");
      made.setAttribute("role", "status");
      const label = "Somebody lost their personal code: their name";
      const { box } = this.about("lost", label, "Make a new code", async (name) => {
        const answer = await this.send({ what: "personal", name });
        if (answer) made.textContent = `The new personal code of ${name} is ${answer.personal}`;
      });
      box.append(made);
      return box;
    }

    /** Somebody wants their votes deleted, which a second press confirms. */
    withdrawal() {
      const ask = "Find their votes";
      let found = null;
      const begin = () => {
        found = null;
        go.textContent = ask;
      };
      const label = "Somebody wants their votes deleted: their name";
      const { box, input, go } = this.about("withdrawn", label, ask, async (name) => {
        const confirmed = found !== null;
        const answer = await this.send({ what: "withdraw", name: found ?? name, confirmed });
        if (!answer || confirmed) begin();
        if (!answer || (!confirmed && input.value !== name)) return; // another name was typed meanwhile
        if (confirmed) {
          input.value = "";
          this.said.textContent = "Deleted, with the name and the personal code. Show the results again.";
          return;
        }
        found = answer.name;
        const votes = `${answer.votes} vote${answer.votes === 1 ? "" : "s"}`;
        go.textContent = `Delete ${votes} of ${found} for good`;
        this.said.textContent = "Nothing is deleted yet: press again to delete, and nothing brings them back.";
      });
      input.addEventListener("input", begin);
      return box;
    }

    /** Somebody may meet an item again that they passed over. */
    bringBack() {
      const row = make("div", "sj-row");
      const passed = () => JSON.parse(this.props.value).passed;
      const which = select("passed", "Passed over", () => [["", "choose an item"], ...passed()]);
      const back = once(async () => {
        const answer = await this.send({ what: "bring back", pass: Number(which.input.value) });
        if (answer) this.said.textContent = "Brought back. Show the results again.";
      });
      const go = button("Bring it back", "", back);
      row.append(which.box, go);
      return row;
    }

    /** A form about one person, who is told to `act` by name. */
    about(name, label, text, act) {
      const box = make("form", "sj-row");
      const field = make("label", "sj-field");
      const input = Object.assign(make("input"), { name, type: "text", required: true, autocomplete: "off" });
      field.append(make("span", "", label), input);
      const go = Object.assign(make("button", "sj-button", text), { type: "submit" });
      box.append(field, go);
      const press = once(act, go);
      box.addEventListener("submit", (event) => {
        event.preventDefault();
        press(input.value);
      });
      return { box, input, go };
    }
  }

  /** A list to choose from, with what stands before it; options may come while the page is open. */
  function select(name, label, options) {
    const box = make("label", "sj-field");
    const input = Object.assign(make("select"), { name });
    const fill = () => {
      const { value } = input;
      input.replaceChildren(...options().map(([each, text]) => Object.assign(make("option", "", text), { value: each })));
      input.value = options().some(([each]) => each === value) ? value : "";
    };
    input.addEventListener("focus", fill);
    fill();
    box.append(make("span", "", label), input);
    return { box, input };
  }

  return { Coordinator };
})();
