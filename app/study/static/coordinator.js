/* What the coordinator of a study does on the page of its results. Files come in the answer itself and
 * are nowhere else.
 */
const SinkTrackCoordinator = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const { button } = SinkTrackPairForm;
  const FILES = [["csv", "Votes (CSV)"], ["jsonl", "Votes (JSONL)"], ["parquet", "Votes (Parquet)"],
    ["summary", "Summary (Markdown)"]];
  const RANKING = ["ranking", "Ranking (SVG)"];
  const STATES = {
    open: ["Open", "The study is open."],
    paused: ["Pause", "The study is paused: nobody gets new pairs; votes that were begun are kept."],
    closed: ["Close", "The study is closed: no more votes are kept."],
  };

  class Coordinator {
    /**
     * @param {HTMLElement} host
     * @param {{value: string}} props JSON: "ranked", whether there is a ranking; "left_out", whose votes are left out
     * @param {(request: object) => Promise<object>} ask asks the server, with the coordinator's code
     */
    constructor(host, props, ask) {
      Object.assign(this, { props, ask });
      this.said = make("p", "sj-note");
      this.said.setAttribute("role", "status");
      this.state = make("p", "sj-state");
      this.turns = make("div", "sj-row");
      const files = make("div", "sj-row");
      const { ranked } = JSON.parse(props.value);
      for (const [file, text] of ranked ? [...FILES, RANKING] : FILES) {
        const node = button(text, "", () => this.take(file));
        node.id = file;
        files.append(node);
      }
      host.replaceChildren(files, this.state, this.turns, this.help(), this.said);
      this.turn();
    }

    async send(request) {
      try {
        const answer = await this.ask(request);
        this.said.textContent = answer.error ?? "";
        return answer.error ? null : answer;
      } catch {
        this.said.textContent = "The server cannot be reached: try again.";
        return null;
      }
    }

    /** Say whether the study is open; turn it first where a state is given. */
    async turn(state) {
      const answer = await this.send({ what: "state", ...(state ? { turn: state } : {}) });
      if (!answer) return;
      const { over = false, until = "" } = answer;
      this.state.textContent = over ? until : `${STATES[answer.state][1]} ${until}`.trim();
      const others = Object.entries(STATES).filter(([name]) => name !== answer.state && !over);
      this.turns.replaceChildren(...others.map(([name, [text]]) => button(text, "", () => this.turn(name))));
    }

    async take(file) {
      const { left_out } = JSON.parse(this.props.value);
      const answer = await this.send({ what: "file", file, left_out });
      if (!answer) return;
      const bytes = Uint8Array.from(atob(answer.content), (each) => each.charCodeAt(0));
      const link = Object.assign(make("a"), {
        href: URL.createObjectURL(new Blob([bytes])),
        download: answer.name,
      });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }

    /** Somebody who has lost their personal code gets a new one. */
    help() {
      const box = make("form", "sj-row");
      const label = make("label", "sj-field");
      const name = Object.assign(make("input"), { name: "lost", type: "text", required: true });
      label.append(make("span", "", "Somebody lost their personal code: their name"), name);
      box.append(label, Object.assign(make("button", "sj-button", "Make a new code"), { type: "submit" }));
      box.addEventListener("submit", async (event) => {
        event.preventDefault();
        const answer = await this.send({ what: "personal", name: name.value });
        if (answer) this.said.textContent = `The new personal code of ${name.value} is ${answer.personal}`;
      });
      return box;
    }
  }

  return { Coordinator };
})();
