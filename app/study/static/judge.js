/* A study in the browser: sign in, judge one pair after the other. Which method wrote which answer is
 * not known here until the server says so, after the vote.
 */
const SinkTrackJudge = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const { PairForm, button, onePressOfEnter } = SinkTrackPairForm;
  const { Drafts, attempt } = SinkTrackDrafts;
  const { Proposal, SignIn, codeCard, fromAddress } = SinkTrackSignIn;
  const { sideName, onStacked } = SinkTrackSides;
  const PRACTICE = "Practice: this vote does not count, and afterwards you read what is right.";
  const KNOWN = { tie: "it was a tie", "both bad": "both answers were bad" };
  const READ = 4000; // milliseconds for which a message stays that asks for nothing
  const HOLD = 4 * 60 * 1000; // how often the server is told that somebody is at work

  class Judge {
    /**
     * @param {HTMLElement} host
     * @param {object} study title, instructions, ask, questions, key (under which the browser keeps who one
     *   is), hub (whether one signs in with Hugging Face, by a button above), until (when it ends),
     *   platform (what an address calls the id of who comes from one)
     * @param {(request: object) => Promise<object>} ask asks the server
     */
    constructor(host, study, ask) {
      Object.assign(this, { host, study, ask, busy: false, proposal: new Proposal(study.key) });
      this.said = make("p", "sj-said");
      this.said.setAttribute("role", "status");
      [this.notes, this.body] = [make("div", "sj-notes"), make("div", "sj-body")];
      const head = make("header", "sj-head");
      this.who = make("span", "sj-who");
      head.append(make("h1", "", study.title), this.who, ...ending(study.until));
      host.replaceChildren(head, this.said, this.notes, this.body);
      onePressOfEnter(host);
      document.addEventListener("keydown", (event) => this.key(event));
      for (const each of ["keydown", "pointerdown", "scroll", "input"]) {
        document.addEventListener(each, () => (this.active = true), { passive: true, capture: true });
      }
      setInterval(() => this.hold(), HOLD);
      onStacked(() => this.form?.nameSides());
      const kept = this.kept();
      const sent = study.platform && !study.hub ? fromAddress(study.platform) : null;
      if (sent) this.signIn("", null, sent);
      else if (study.hub) this.enter({ what: "sign in" });
      else if (kept) this.enter({ what: "next", token: kept.token }, kept);
      else this.signIn();
    }

    kept() {
      return attempt(() => JSON.parse(localStorage.getItem(this.study.key)));
    }

    /** Keep who one is; where a browser keeps nothing, one signs in again next time. */
    keep(who) {
      attempt(() => {
        if (who) localStorage.setItem(this.study.key, JSON.stringify(who));
        else localStorage.removeItem(this.study.key);
      });
    }

    /** Send a request; what comes back, or null after saying why there is nothing. */
    async send(request) {
      if (this.busy) return null;
      this.busy = true;
      this.host.classList.add("sj-busy");
      let answer = null;
      try {
        answer = await this.ask({ token: this.token, ...request });
      } catch {
        // said below, as where Gradio gives nothing for a server that has gone
      } finally {
        this.busy = false;
        this.host.classList.remove("sj-busy");
      }
      if (!answer) this.say("The server cannot be reached. What you did is kept in this browser: try again.", true);
      else if (answer.signed_out) await this.signedOut(request, answer.error);
      else this.say(answer.error ?? "", Boolean(answer.error));
      if (answer?.taken) this.signingIn?.askPersonal();
      return answer && !answer.error ? answer : null;
    }

    /** Say something: what is wrong stands by the button that was pressed, all else passes. */
    say(text, wrong = false) {
      clearTimeout(this.passes);
      const there = wrong && this.pair && !this.notes.contains(document.activeElement);
      if (there) this.form.slot.append(this.said);
      else this.host.insertBefore(this.said, this.notes);
      this.said.textContent = text;
      this.said.classList.toggle("sj-wrong", wrong);
      this.said.classList.toggle("sj-passing", Boolean(text) && !wrong);
      if (wrong) this.said.scrollIntoView({ block: "nearest" });
      else if (text) this.passes = setTimeout(() => this.say(""), READ);
    }

    /** Sign in, in the place of everything else or above a pair that stays as it is. */
    signIn(sentence = "", resume = null, sent = null) {
      if (!resume) [this.pair, this.form] = [null, null];
      if (!resume) this.who.replaceChildren();
      const above = resume ? [make("p", "", `${sentence} What you did stays.`)] : [this.instructions(true)];
      if (this.study.hub) {
        const form = make("div", "sj-card sj-sign");
        form.append(...above);
        (resume ? this.notes : this.body).replaceChildren(form);
        return;
      }
      const kept = this.kept();
      this.signingIn = new SignIn(this.proposal, above, kept, (request) => this.enter(request, kept, resume));
      (resume ? this.notes : this.body).replaceChildren(this.signingIn.box);
      this.signingIn.focus();
      if (sent) this.signingIn.submitAs(sent);
    }

    /** Sign in again and go on with what was being done. */
    async signedOut(request, sentence) {
      const resume = this.pair ? request : null;
      if (this.study.hub && request.what !== "sign in") {
        const again = await this.ask({ what: "sign in" }).catch(() => null);
        if (again && !again.error) {
          this.arrive(again, null, resume);
          return;
        }
      }
      this.signIn(sentence, resume);
      this.say(sentence, true);
    }

    async enter(request, kept = null, resume = null) {
      const answer = await this.send(request);
      if (answer) this.arrive({ token: request.token, ...answer }, kept, resume);
      else if (!this.body.firstChild && !this.notes.firstChild) this.signIn();
    }

    /** Be somebody, and see what there is to judge, or go on with what was begun. */
    arrive(answer, kept, resume) {
      const [name, before] = [answer.name ?? kept?.name ?? "", this.name];
      const personal = answer.personal ?? kept?.personal;
      Object.assign(this, { token: answer.token, name, personal, signingIn: null });
      this.proposal.forget();
      this.drafts = new Drafts(this.study.key, name);
      this.notes.replaceChildren();
      if (!this.study.hub) {
        const noted = Boolean(kept?.noted && kept.personal === personal);
        this.keep({ name, token: this.token, personal, noted });
        const own = personal ? [button("Personal code", "sj-quiet", () => this.showCode())] : [];
        this.who.replaceChildren(name, ...own, button("Sign out", "sj-quiet", () => this.leave()));
        if (personal && !noted) this.showCode();
      }
      const same = resume && this.pair && name === before && answer.pair?.place === this.pair.place;
      if (!same) {
        this.show(answer);
        return;
      }
      this.pair.seal = answer.pair.seal;
      if (resume.what === "vote") this.vote();
      else this.say("Signed in again.");
    }

    showCode() {
      const done = () => {
        this.keep({ ...this.kept(), noted: true });
        this.notes.replaceChildren();
      };
      this.notes.replaceChildren(codeCard(this.name, this.personal, [["I have it", done]]));
    }

    /** Sign out, after the personal code was shown once more. */
    leave() {
      const stay = ["Stay", () => this.notes.replaceChildren()];
      const go = ["Sign out now", () => this.signOut()];
      if (this.personal) this.notes.replaceChildren(codeCard(this.name, this.personal, [go, stay]));
      else this.signOut();
    }

    signOut() {
      this.keep(null);
      this.token = undefined;
      this.say("");
      this.notes.replaceChildren();
      this.signIn();
    }

    instructions(open) {
      const box = make("details", "sj-instructions");
      box.open = open;
      const paragraphs = this.study.instructions.split(/\n\s*\n/);
      box.append(make("summary", "", "What to do"), ...paragraphs.map((text) => make("p", "", text)));
      return box;
    }

    /** How far one is, and what can be done beside judging. */
    top(answer) {
      const top = make("div", "sj-top");
      const bar = make("div", "sj-bar"); // the words beside it say the same
      bar.append(make("div"));
      bar.firstChild.style.width = `${(100 * answer.voted) / (answer.voted + answer.left || 1)}%`;
      const passed = answer.passed ? ` · ${answer.passed} passed over` : "";
      top.append(bar, make("span", "sj-count", `${answer.voted} judged · ${answer.left} to go${passed}`));
      if (answer.undoable) top.append(button("Undo the last (U)", "sj-quiet", () => this.undo()));
      if (answer.voted) top.append(button("Your votes", "sj-quiet", () => this.earlier()));
      if (answer.reveal) top.append(button("Which was which?", "sj-quiet", () => this.reveal()));
      return top;
    }

    /** Show the next pair, or that there is none. */
    show(answer, before = null) {
      const { pair } = answer;
      this.say("");
      [this.pair, this.undoable] = [pair, answer.undoable];
      this.shown = make("div", "sj-revealed");
      if (!pair) {
        const end = make("div", "sj-card sj-end");
        const done = answer.voted || answer.passed;
        const title = done ? "That was the last one. Thank you!" : "Nothing to judge now.";
        const none = "If others leave items open, they come back: load this page again later.";
        if (answer.state) end.append(make("h2", "", answer.state));
        else end.append(make("h2", "", title), make("p", "", none));
        if (answer.done) end.append(doneLink(answer.done));
        this.body.replaceChildren(this.top(answer), end, this.shown);
        return;
      }
      const draft = before ?? this.drafts.read(pair);
      this.began = performance.now() - 1000 * (draft?.seconds ?? 0);
      this.voteKey = fresh();
      this.form = new PairForm(pair, this.study, this.instructions(false), {
        keep: () => this.vote(),
        change: () => this.changed(),
      });
      this.passing = new SinkTrackPassing.Passing((reason) => this.pass(reason), () => this.form.focus());
      this.form.slot.after(this.passing.box);
      const practice = pair.training ? [make("p", "sj-practice", PRACTICE)] : [];
      this.body.replaceChildren(this.top(answer), ...practice, ...this.form.parts, this.shown);
      if (draft) this.form.fill(draft);
      this.form.focus();
    }

    get seconds() {
      return Math.round(performance.now() - this.began) / 1000;
    }

    /** Something was chosen, marked or written: keep it, and say no more what was wrong. */
    changed() {
      this.drafts.write(this.pair, { ...this.form.read(), seconds: this.seconds });
      if (this.said.classList.contains("sj-wrong")) this.say("");
    }

    async vote() {
      if (!this.pair || this.busy) return;
      const missing = this.form.missing();
      if (missing) {
        missing.focus();
        this.say(missing.sentence, true);
        return;
      }
      const { pair } = this;
      const { place, seal } = pair;
      const said = { ...this.form.read(), seconds: this.seconds };
      this.drafts.write(pair, said);
      const answer = await this.send({ what: "vote", key: this.voteKey, place, seal, ...said });
      if (!answer) return;
      if (answer.kept) this.drafts.drop(pair);
      this.show(answer);
      const gone = "Not kept: you passed this pair over, or it has its votes from others. Here is the next.";
      this.say(answer.kept ? "Kept." : gone);
      this.host.scrollIntoView({ block: "start" });
      if (answer.feedback) this.feedback(pair, answer.feedback);
    }

    /** Pass the pair over, with what is wrong with it, if anything is. */
    async pass(reason) {
      const { pair } = this;
      const why = reason === undefined ? {} : { reason };
      const answer = await this.send({ what: "pass", place: pair.place, seal: pair.seal, ...why });
      if (!answer) return;
      if (answer.passed_over) this.drafts.drop(pair);
      this.show(answer);
      this.say(answer.passed_over ? "Passed over." : "This pair has your vote already: undo it first.");
      this.host.scrollIntoView({ block: "start" });
    }

    /** Say what was right in the training, until it was read. */
    feedback(pair, { right, better, why }) {
      const box = make("section", `sj-card sj-feedback${right ? "" : " sj-other"}`);
      const seen = button("Go on", "sj-main", () => {
        this.notes.replaceChildren();
        this.form?.focus();
      });
      box.append(make("h2", "", `${right ? "You found it" : "Not quite"}: ${KNOWN[better] ?? `the ${sideName(better)} answer was better`}.`));
      box.append(make("p", "", pair.question));
      if (pair[better]) box.append(make("blockquote", "sj-better", pair[better]));
      if (why) box.append(make("p", "", why));
      box.append(seen);
      this.notes.replaceChildren(box);
      seen.focus();
    }

    /** Take a vote back, the last one or the one that is given, to change it. */
    async undo(vote = {}) {
      const { place, seal } = vote;
      const answer = await this.send({ what: "undo", ...(place ? { place, seal } : {}) });
      if (!answer) return;
      this.show(answer, answer.before);
      if (this.pair) this.changed(); // from now on it is kept in this browser alone
      this.say("Taken back: change it and keep it again.");
      this.host.scrollIntoView({ block: "start" });
    }

    async earlier() {
      const answer = await this.send({ what: "votes" });
      if (!answer) return;
      const close = () => this.shown.replaceChildren();
      const { list } = SinkTrackEarlier;
      this.shown.replaceChildren(list(answer, (vote) => this.undo(vote), (vote) => this.reveal(vote), close));
      this.shown.scrollIntoView({ block: "start" });
    }

    async reveal(vote = {}) {
      const { place, seal } = vote;
      const answer = await this.send({ what: "reveal", ...(place ? { place, seal } : {}) });
      if (!answer) return;
      const { left, right } = answer.sides;
      const box = make("section", "sj-card");
      box.append(make("h2", "", place ? answer.question : "Your last vote"),
        make("p", "sj-names", namesOf(left, right)));
      const view = make("div");
      box.append(view);
      this.shown.replaceChildren(box);
      SinkTrackViewer.mount(view, answer.payload);
      for (const undo of this.body.querySelectorAll(".sj-top .sj-quiet")) {
        if (!place && undo.textContent.startsWith("Undo")) undo.remove();
      }
      this.undoable = this.undoable && Boolean(place);
      box.scrollIntoView({ block: "start" });
    }

    /** Tell the server that somebody is at work on the pair, so that nobody else gets it. */
    async hold() {
      if (!this.pair || !this.active || document.hidden || this.busy) return;
      this.active = false;
      const { place, seal } = this.pair;
      await this.ask({ token: this.token, what: "hold", place, seal }).catch(() => null);
    }

    key(event) {
      if (!this.pair || event.repeat || event.metaKey || event.altKey) return;
      const { target } = event;
      const writing = target.matches?.("textarea, select, input:not([type=radio])");
      const keeps = event.key === "Enter" && (event.ctrlKey || !target.matches?.("button, summary"));
      if (event.defaultPrevented || this.shown.contains(target) || this.notes.contains(target)) return;
      if (writing && event.key === "Escape") this.form.focus();
      else if (writing ? keeps && event.ctrlKey : keeps) this.vote();
      else if (writing || event.ctrlKey) return;
      else if (event.key.toLowerCase() === "u" && this.undoable) this.undo();
      else if (!this.form.press(event.key) && !this.passing.press(event.key)) return;
      event.preventDefault();
    }
  }

  /** When the study ends by itself, or that it has. */
  function ending(until) {
    if (!until) return [];
    return [make("p", "sj-until", `The study ${Date.now() < until.at ? "ends" : "ended"} ${until.words}.`)];
  }

  /** The way back to the platform, for people to follow. */
  function doneLink(address) {
    const link = make("a", "sj-done", "Tell the platform that you have finished");
    if (new URL(address).protocol === "https:") Object.assign(link, { href: address, rel: "noreferrer" });
    return link;
  }

  function namesOf(left, right) {
    if (sideName("left") === "left") return `On the left stood ${left}, on the right ${right}.`;
    return `The first answer was by ${left}, the second by ${right}.`;
  }

  /** A key for one vote, by which the server knows it when it comes twice. */
  function fresh() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  return { Judge };
})();
