/* What sinktrack eval has found, in the browser: a run's tables, its figures, and the items that changed. */
const SinkTrackResults = (() => {
  "use strict";

  const { make, ofLane, selection } = SinkTrackDom;
  const HEADS = ["Measure", "Method", "Value (95 % interval)", "Difference (95 % interval)", "p", "p, corrected", "Items"];

  /** The page's address: what it asks for, and what it is to be. */
  const place = {
    read: (name) => new URLSearchParams(window.location.search).get(name),
    write(values) {
      const all = new URLSearchParams(window.location.search);
      for (const [name, value] of Object.entries(values)) {
        if (value === null) all.delete(name);
        else all.set(name, value);
      }
      window.history.replaceState(window.history.state, "", `?${all}`);
    },
    address: () => window.location.href,
  };

  class Results {
    /**
     * @param {HTMLElement} host
     * @param {(request: object) => Promise<object>} ask asks the server
     */
    constructor(host, ask) {
      this.said = make("p", "sr-said");
      this.said.setAttribute("role", "status");
      Object.assign(this, { host, ask: SinkTrackAsk.asker(ask, this.said) });
      this.body = make("div", "sr-body");
      host.replaceChildren(this.said, this.body);
      document.addEventListener("keydown", (event) => this.changed?.key(event));
      this.open(place.read("run"));
    }

    async open(name) {
      this.wanted = name;
      this.changed?.leave();
      this.body.classList.add("sr-busy");
      const run = await this.ask({ what: "run", run: name });
      if (name !== this.wanted) return; // another run was chosen meanwhile
      this.body.classList.remove("sr-busy");
      if (!run) return;
      this.changed = null;
      this.body.replaceChildren(this.head(run));
      if (run.broken) {
        this.body.append(make("p", "sr-notice", run.broken));
        return;
      }
      this.body.append(...run.notices.map((text) => make("p", "sr-notice", text)), conditions(run.conditions));
      const tables = make("section", "sr-tables");
      tables.append(...run.tables.map((table, at) => task(table, run, at === 0)));
      tables.append(...run.remarks.map((text) => make("p", "sr-note", text)));
      const items = make("section", "sr-changed");
      this.body.append(tables, items);
      this.changed = new SinkTrackChanged.Changed(items, run, (request) => this.ask(request), place);
    }

    head({ runs, run, model, methods = [] }) {
      const head = make("header", "st-top");
      const about = make("p", "st-model");
      if (model !== undefined) about.append("Model: ", make("strong", "", model));
      const tagline = make("p", "st-tagline", methods.length > 1 ? `${methods.slice(1).join(", ")} beside ${methods[0]}.` : methods.join());
      head.append(make("h1", "", runs.length > 1 ? "Results" : `Results: ${run}`), tagline, about);
      if (runs.length > 1) {
        const { box, select } = selection("Run", runs.map((each) => [each, each]), (value) => {
          place.write(Object.fromEntries(["task", "first", "second", "by", "kind", "item", "seed"].map((each) => [each, null])));
          place.write({ run: value });
          this.open(value);
        });
        select.value = run;
        head.append(box);
      }
      return head;
    }
  }

  /** All that the answers depend on, folded away. */
  function conditions(parts) {
    const box = make("details", "sr-conditions");
    box.append(make("summary", "", "How this was measured"));
    const all = make("div", "sr-facts");
    for (const [title, pairs] of parts) {
      const part = make("section");
      const list = make("dl");
      for (const [name, value] of pairs) {
        const pair = make("div");
        pair.append(make("dt", "", name), make("dd", "", value));
        list.append(pair);
      }
      part.append(make("h3", "", title), list);
      all.append(part);
    }
    box.append(all);
    return box;
  }

  /** A task: its first measure in a line, and behind it the table and the figure. */
  function task(table, run, open) {
    const box = make("details", "sr-task");
    box.open = open;
    const line = make("summary");
    const [first] = table.measures;
    const values = first ? first.rows.map(({ method, value }) => `${method} ${value.split(" ")[0]}`).join(", ") : "";
    line.append(make("strong", "", table.task), make("span", "sr-note", first ? `${first.measure}: ${values}` : "nothing to measure"));
    box.append(line, rows(table, run.methods));
    if (table.moved.length) {
      const moved = table.moved.map((each) => each.join(": ")).join(" · ");
      box.append(make("p", "sr-note", `How far methods moved things (median, most): ${moved}`));
    }
    const figure = SinkTrackDifferences.figure(table, run.methods);
    if (figure) box.append(figure);
    return box;
  }

  function rows({ task: name, measures }, methods) {
    const frame = make("div", "st-table");
    const scroll = make("div");
    Object.assign(scroll, { tabIndex: 0, role: "group", ariaLabel: `Figures of ${name}; they scroll` });
    const table = make("table", "sr-figures");
    const head = table.createTHead().insertRow();
    head.append(...HEADS.map((text) => Object.assign(make("th", "", text), { scope: "col" })));
    for (const { measure, less, rows: own } of measures) {
      const body = table.createTBody();
      own.forEach((row, at) => {
        const line = body.insertRow();
        if (!at) {
          const title = Object.assign(make("th", "", measure), { scope: "rowgroup", rowSpan: own.length });
          if (less) title.append(make("span", "sr-less", "less is better"));
          line.append(title);
        }
        const number = methods.indexOf(row.method) + 1;
        const named = Object.assign(make("th", "sr-row-method"), { scope: "row" });
        named.append(ofLane(make("span", "sr-badge", String(number)), number), row.method);
        line.append(named, ...["value", "difference", "p", "corrected", "items"].map((each) => make("td", "", row[each] ?? "–")));
      });
    }
    scroll.append(table);
    frame.append(scroll);
    return frame;
  }

  return { Results };
})();
