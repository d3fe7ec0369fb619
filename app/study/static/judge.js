/* A study in the browser: sign in, judge one pair after the other. Which method wrote which answer is
 * not known here until the server says so, after the vote.
 */
const SinkTrackJudge = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const { PairForm, button } = SinkTrackPairForm;

  class Judge {
    /**
     * @param {HTMLElement} host
     * @param {object} study title, instructions, ask, key (under which the browser keeps who one
     *   is), hub (whether one signs in with Hugging Face, by a button above)
     * @param {(request: object) => Promise<object>} ask asks the server
     */
    constructor(host, study, ask) {
      Object.assign(this, { host, study, ask, busy: false });
      this.said = make("p", "sj-said");
      this.said.setAttribute("role", "status");
      this.body = make("div", "sj-body");
      const head = make("header", "sj-head");
      this.who = make("span", "sj-who");
      head.append(make("h1", "", study.title), this.who);
      host.replaceChildren(head, this.said, this.body);
      document.addEventListener("keydown", (event) => this.key(event));
      const kept = this.kept();
      if (study.hub) this.enter("", { what: "sign in" });
      else if (kept) this.enter(kept.name, { what: "next", token: kept.token });
      else this.signIn();
    }

    kept() {
      try {
        return JSON.parse(localStorage.getItem(this.study.key));
      } catch {
        return null;
      }
    }

    keep(who) {
      try {
        if (who) localStorage.setItem(this.study.key, JSON.stringify(who));
        else localStorage.removeItem(this.study.key);
      } catch {
        // where a browser keeps nothing, one signs in again next time
      }
    }

    /** Send a request; what comes back, or null after saying why there is nothing. */
    async send(request) {
      if (this.busy) return null;
      this.busy = true;
      this.host.classList.add("sj-busy");
      try {
        const answer = await this.ask({ token: this.token, ...request });
        if (answer.error) {
          if (answer.signed_out) this.signOut();
          this.say(answer.error, true);
          if (answer.signed_out && this.study.hub) setTimeout(() => this.enter("", { what: "sign in" }));
          return null;
        }
        this.say("");
        return answer;
      } catch {
        this.say("The server cannot be reached. Nothing is lost: try again.", true);
        return null;
      } finally {
        this.busy = false;
        this.host.classList.remove("sj-busy");
      }
    }

    say(text, wrong = false) {
      this.said.textContent = text;
      this.said.classList.toggle("sj-wrong", wrong);
    }

    signIn() {
      this.pair = null;
      this.who.replaceChildren();
      const form = make("form", "sj-card sj-sign");
      const field = (label, name, type) => {
        const box = make("label", "sj-field");
        const input = Object.assign(make("input"), { name, type, required: true, autocomplete: "off" });
        box.append(make("span", "", label), input);
        form.append(box);
        return input;
      };
      form.append(this.instructions(true));
      if (this.study.hub) {
        this.body.replaceChildren(form);
        return;
      }
      const name = field("Your name", "name", "text");
      name.autocomplete = "username";
      const code = field("Code of this study", "code", "password");
      const go = make("button", "sj-button sj-main", "Begin");
      form.append(go);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.enter(name.value, { what: "sign in", name: name.value, code: code.value });
      });
      this.body.replaceChildren(form);
      name.focus();
    }

    async enter(name, request) {
      const answer = await this.send(request);
      if (!answer) {
        if (!this.body.firstChild) this.signIn();
        return;
      }
      this.token = answer.token ?? request.token;
      const known = answer.name ?? name;
      if (!this.study.hub) {
        this.keep({ name: known, token: this.token });
        this.who.replaceChildren(known, button("Sign out", "sj-quiet", () => this.signOut()));
      }
      this.show(answer);
    }

    signOut() {
      this.keep(null);
      this.token = undefined;
      this.signIn();
    }

    instructions(open) {
      const box = make("details", "sj-instructions");
      box.open = open;
      const paragraphs = this.study.instructions.split(/\n\s*\n/);
      box.append(make("summary", "", "What to do"), ...paragraphs.map((text) => make("p", "", text)));
      return box;
    }

    /** Show the next pair, or that there is none. */
    show(answer, before = null) {
      const { pair } = answer;
      this.pair = pair;
      const top = make("div", "sj-top");
      const bar = make("div", "sj-bar"); // the words beside it say the same
      bar.append(make("div"));
      bar.firstChild.style.width = `${(100 * answer.voted) / (answer.voted + answer.left || 1)}%`;
      const words = `${answer.voted} judged · ${answer.left} to go`;
      top.append(bar, make("span", "sj-count", words));
      if (answer.undoable) top.append(button("Undo the last (U)", "sj-quiet", () => this.undo()));
      if (answer.reveal) top.append(button("Which was which?", "sj-quiet", () => this.reveal()));
      this.undoable = answer.undoable;
      this.shown = make("div", "sj-revealed");
      if (!pair) {
        const end = make("div", "sj-card sj-end");
        end.append(make("h2", "", answer.voted ? "That was the last one. Thank you!" : "Nothing to judge now."),
          make("p", "", "If others leave items open, they come back: load this page again later."));
        this.body.replaceChildren(top, end, this.shown);
        return;
      }
      this.began = performance.now();
      this.voteKey = fresh();
      this.form = new PairForm(pair, this.study.ask, this.instructions(false), () => this.vote());
      this.body.replaceChildren(top, ...this.form.parts, this.shown);
      if (before) this.form.fill(before);
      this.form.focus();
    }

    async vote() {
      if (!this.pair) return;
      if (!this.form.better) {
        this.say("Choose first: 1 left, 2 right, 3 tie, 4 both bad.", true);
        return;
      }
      const answer = await this.send({
        what: "vote",
        key: this.voteKey,
        place: this.pair.place,
        ...this.form.read(),
        seconds: (performance.now() - this.began) / 1000,
      });
      if (!answer) return;
      this.show(answer);
      this.say(answer.kept ? "Kept." : "Not kept: this pair has its vote, or was given to somebody else. Here is the next.");
      this.host.scrollIntoView({ block: "start" });
    }

    async undo() {
      const answer = await this.send({ what: "undo" });
      if (!answer) return;
      this.show(answer, answer.before);
      this.say("Taken back: change it and keep it again.");
    }

    async reveal() {
      const answer = await this.send({ what: "reveal" });
      if (!answer) return;
      const { left, right } = answer.sides;
      const box = make("section", "sj-card");
      box.append(make("h2", "", "Your last vote"),
        make("p", "sj-names", `On the left stood ${left}, on the right ${right}.`));
      const view = make("div");
      box.append(view);
      this.shown.replaceChildren(box);
      SinkTrackViewer.mount(view, answer.payload);
      for (const undo of this.body.querySelectorAll(".sj-top .sj-quiet")) undo.remove();
      this.undoable = false;
      box.scrollIntoView({ block: "start" });
    }

    key(event) {
      if (!this.pair || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      const writing = event.target.matches?.("textarea, select, input:not([type=radio])");
      if (writing || event.defaultPrevented || this.shown.contains(event.target)) return;
      if (event.key === "Enter" && !event.target.matches?.("button, summary")) this.vote();
      else if (event.key.toLowerCase() === "u" && this.undoable) this.undo();
      else if (!this.form.press(event.key)) return;
      event.preventDefault();
    }
  }

  /** A key for one vote, by which the server knows it when it comes twice. */
  function fresh() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  return { Judge };
})();
