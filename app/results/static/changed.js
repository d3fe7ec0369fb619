/* The items whose answers two methods gave differently: a list by kind of change, and one of them at a time. */
const SinkTrackChanged = (() => {
  "use strict";

  const { make, ofLane, selection, button } = SinkTrackDom;
  const PICTURE = /^data:image\/png;base64,/;

  class Changed {
    /**
     * @param {HTMLElement} host
     * @param {object} run what the server says of a run
     * @param {(request: object) => Promise<object | null>} ask asks the server; null after it was said why not
     * @param {{read: (name: string) => string | null, write: (values: object) => void, address: () => string}} place
     *   the page's address
     */
    constructor(host, run, ask, place) {
      Object.assign(this, { host, run, ask, place, page: 0, asked: 0, item: null });
      host.append(make("h2", "", "Items where methods differ"));
      const missing = !run.tasks.length ? "There are no answers to look through."
        : run.methods.length < 2 ? "This run has one method, so that there is nothing to compare." : "";
      if (missing) {
        host.append(make("p", "sr-note", missing));
        return;
      }
      this.controls();
      const both = make("div", "sr-browser");
      this.listBox = make("nav", "sr-list");
      this.listBox.setAttribute("aria-label", "Items that changed");
      this.view = make("article", "sr-item");
      both.append(this.listBox, this.view);
      this.attention = make("section", "sr-attention");
      this.viewer = make("div"); // one for all items, which mounting clears of the last one
      host.append(both, this.attention);
      this.start();
    }

    controls() {
      const { run, place } = this;
      const chosen = (name, allowed, other) => (allowed.includes(place.read(name)) ? place.read(name) : other);
      const tasks = run.tasks.map(({ task }) => task);
      const first = chosen("first", run.methods, run.methods[0]);
      const others = run.methods.filter((each) => each !== first);
      const second = chosen("second", others, others.includes(run.begin.second) ? run.begin.second : others[0]);
      this.choice = { task: chosen("task", tasks, run.begin.task ?? tasks[0]), first, second };
      this.choice.by = chosen("by", this.judges().map(([name]) => name), this.judges()[0]?.[0] ?? null);
      this.choice.kind = chosen("kind", run.kinds.map(([name]) => name), "all");
      const row = make("div", "sr-controls");
      this.selects = {};
      for (const [name, title, options] of [
        ["task", "Task", tasks.map((each) => [each, each])],
        ["first", "From", run.methods.map((each) => [each, each])],
        ["second", "To", run.methods.map((each) => [each, each])],
        ["by", "Right means", this.judges()],
        ["kind", "Kind of change", run.kinds],
      ]) {
        const { box, select } = selection(title, options, (value) => this.choose(name, value));
        select.value = this.choice[name] ?? "";
        this.selects[name] = select;
        row.append(box);
      }
      this.showJudges();
      this.host.append(row);
    }

    judges() {
      return this.run.tasks.find((each) => each.task === this.choice.task)?.judges ?? [];
    }

    /** Offer what a task's answers can be judged by; nothing where there is no choice. */
    showJudges() {
      const select = this.selects.by;
      select.replaceChildren(...this.judges().map(([value, text]) => Object.assign(make("option", "", text), { value })));
      select.value = this.choice.by ?? "";
      select.parentElement.hidden = this.judges().length < 2;
    }

    choose(name, value) {
      const before = this.choice[name];
      this.choice[name] = value;
      if (this.choice.first === this.choice.second) { // the two change places
        const other = name === "first" ? "second" : "first";
        this.choice[other] = before;
        this.selects[other].value = before;
      }
      if (name === "task") {
        this.choice.by = this.judges()[0]?.[0] ?? null;
        this.showJudges();
      }
      this.item = null;
      this.refresh();
    }

    /** Show nothing more: another run was chosen. */
    leave() {
      this.asked += 1;
    }

    async start() {
      const [item, seed] = [this.place.read("item"), this.place.read("seed")];
      if (item === null) await this.refresh();
      else if (await this.list(0)) await this.open({ item, seed: seed === null ? null : Number(seed) });
    }

    async refresh() {
      const listed = await this.list(0);
      if (!listed) return;
      if (listed.length) await this.open(listed[0]);
      else {
        this.view.replaceChildren(make("p", "sr-note", "No item changed in this way."));
        this.attention.replaceChildren();
      }
    }

    request(what, values) {
      return this.ask({ what, run: this.run.run, ...this.choice, ...values });
    }

    /** Show a page of the list; what it lists, or null. */
    async list(page) {
      const turn = ++this.asked;
      const answer = await this.request("changes", { page });
      if (!answer || turn !== this.asked) return null;
      this.page = page;
      for (const option of this.selects.kind.options) {
        const [, title] = this.run.kinds.find(([name]) => name === option.value);
        option.textContent = `${title} (${answer.counts[option.value].toLocaleString("en")})`;
      }
      const all = answer.counts.all.toLocaleString("en");
      const head = make("p", "sr-note", `${all} of ${answer.items.toLocaleString("en")} items are answered differently.`);
      this.rows = answer.listed.map((each) => this.row(each));
      this.listBox.replaceChildren(head, ...this.rows.map(({ node }) => node), this.pager(answer));
      this.mark();
      return answer.listed;
    }

    row({ item, seed, question, kinds, answers }) {
      const node = button("", () => this.open({ item, seed }), "sr-row");
      const title = make("span", "sr-row-title", seed === null ? item : `${item}, seed ${seed}`);
      title.append(" ", make("span", "sr-kinds", kinds.join(", ")));
      const asked = make("span", "sr-row-question", question);
      asked.dir = "auto";
      node.append(title, asked);
      answers.forEach((text, at) => {
        const said = make("span", "sr-row-answer");
        const words = make("span", "", text || "nothing");
        words.dir = "auto";
        said.append(this.badge(at), words);
        node.append(said);
      });
      return { node, item, seed };
    }

    /** The number of a method, in its colour. */
    badge(at) {
      const number = this.run.methods.indexOf(at ? this.choice.second : this.choice.first) + 1;
      return ofLane(make("span", "sr-badge", String(number)), number);
    }

    pager({ page, pages }) {
      const box = make("div", "sr-pager");
      if (pages < 2) return box;
      const step = (text, to, label) => {
        const node = button(text, () => this.list(to), "sr-button");
        Object.assign(node, { disabled: to < 0 || to >= pages, ariaLabel: label });
        return node;
      };
      box.append(step("‹", page - 1, "Page before"), make("span", "", `page ${page + 1} of ${pages.toLocaleString("en")}`),
        step("›", page + 1, "Next page"));
      return box;
    }

    mark() {
      for (const { node, item, seed } of this.rows) {
        const here = item === this.item?.item && seed === this.item?.seed;
        if (here) node.setAttribute("aria-current", "true");
        else node.removeAttribute("aria-current");
      }
    }

    /** Show one item; its page of the list is shown with it. */
    async open({ item, seed }) {
      const turn = ++this.asked;
      const answer = await this.request("item", { item, seed });
      if (!answer || turn !== this.asked) return;
      this.item = answer;
      this.show(answer);
      this.place.write({ run: this.run.run, ...this.choice, item: answer.item, seed: answer.seed });
      this.mark();
      if (answer.at !== null && answer.page !== this.page) await this.list(answer.page);
      const about = await this.request("asked", { item: answer.item, seed: answer.seed });
      if (about && this.item === answer) this.showAsked(about);
    }

    show(answer) {
      const head = make("div", "sr-item-head");
      const place = answer.at === null ? "not in this list" : `${(answer.at + 1).toLocaleString("en")} of ${answer.total.toLocaleString("en")}`;
      const step = (text, to, key) => {
        const node = button(text, () => this.open(to), "sr-button");
        Object.assign(node, { disabled: !to, title: key });
        return node;
      };
      const copied = make("p", "sr-note");
      const name = answer.seed === null ? answer.item : `${answer.item}, seed ${answer.seed}`;
      head.append(make("h3", "", name), make("span", "sr-kinds", answer.kinds.join(", ") || "the same answer"),
        make("span", "sr-note", place), step("← Previous", answer.before, "Arrow left"), step("Next →", answer.after, "Arrow right"),
        button("Copy link", () => SinkTrackCopy.copy(copied, this.place.address(), "Link to this item"), "sr-button"));
      this.about = make("div", "sr-about");
      const question = make("p", "sr-question", answer.question);
      question.dir = "auto";
      const right = make("div", "sr-reference");
      right.append(make("h4", "", answer.references.length > 1 ? "Right answers" : "Right answer"), ...answer.references.map((text) => {
        const line = make("p", "", text);
        line.dir = "auto";
        return line;
      }));
      if (!answer.references.length) right.append(make("p", "sr-note", "None: the question has no answer."));
      const answers = make("div", "sr-answers");
      answers.append(...answer.answers.map((each) => this.said(each)));
      this.view.replaceChildren(head, copied, this.about, question, right, answers, make("p", "sr-note", "Marked words differ."));
      this.attention.replaceChildren(answer.traced ? this.looked(answer)
        : make("p", "sr-note", "What attention did was not kept of this item: sinktrack eval keeps it with --traces, in a new folder."));
    }

    /** What attention did in both answers, fetched when it is unfolded; it stays so from item to item. */
    looked(answer) {
      const box = make("details", "sr-looked");
      const reading = make("p", "sr-note", "Reading…");
      box.append(make("summary", "", "Attention in both answers"), reading);
      const show = async () => {
        this.unfolded = box.open;
        if (!box.open || !reading.isConnected) return;
        const payload = await this.request("attention", { item: answer.item, seed: answer.seed });
        if (!box.isConnected || !reading.isConnected) return;
        payload?.lanes.forEach((lane) => Object.assign(lane, { number: this.run.methods.indexOf(lane.name) + 1 }));
        if (!payload) {
          box.open = false;
          return;
        }
        reading.replaceWith(this.viewer);
        SinkTrackViewer.mount(this.viewer, payload);
      };
      box.addEventListener("toggle", show);
      box.open = this.unfolded === true;
      return box;
    }

    said({ method, pieces, right, scores }) {
      const number = this.run.methods.indexOf(method) + 1;
      const box = ofLane(make("section", "sr-answer"), number);
      const title = make("h4", "", "");
      title.append(ofLane(make("span", "sr-badge", String(number)), number), method);
      if (right !== null) title.append(make("span", right ? "sr-right" : "sr-wrong", right ? "right" : "wrong"));
      const text = make("p", "sr-words");
      text.dir = "auto";
      text.append(...pieces.map(([words, differs]) => make(differs ? "mark" : "span", "", words)));
      if (!pieces.length) text.append(make("em", "", "nothing"));
      const more = make("details", "sr-scores");
      more.append(make("summary", "", "Scores"), make("p", "", scores.map((each) => each.join(": ")).join(" · ")));
      box.append(title, text, more);
      return box;
    }

    showAsked({ pictures, passage, earlier, said }) {
      const shown = make("div", "sr-pictures");
      pictures.filter((src) => PICTURE.test(src)).forEach((src, at) => {
        const alt = pictures.length > 1 ? `Picture ${at + 1}` : "The picture";
        shown.append(Object.assign(make("img"), { src, alt }));
      });
      if (pictures.length) this.about.append(shown);
      for (const [name, text] of [["Passage", passage], ...earlier.flatMap(([asked, answer]) => [["Asked before", asked], ["Answered", answer]])]) {
        if (!text) continue;
        const words = make("p", "sr-passage", text);
        words.dir = "auto";
        this.about.append(make("h4", "", name), words);
      }
      if (said) this.about.append(make("p", "sr-note", said));
    }

    key(event) {
      if (!this.item || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
      if (event.target.matches?.("input, select, textarea")) return;
      const to = { ArrowLeft: this.item.before, ArrowRight: this.item.after }[event.key];
      if (!to) return;
      event.preventDefault();
      this.open(to);
    }
  }

  return { Changed };
})();
