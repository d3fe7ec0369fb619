/* The tokens' numbers as a table, for those who do not see the plots. */
const SinkTrackNumbers = (() => {
  "use strict";

  const { make, number, section } = SinkTrackDom;

  class Numbers {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {Map<string, [string, string]>} names what quantities are called
     * @param {() => string} quantity which one is shown
     */
    constructor(parent, lanes, names, quantity) {
      Object.assign(this, { lanes, names, quantityNow: quantity });
      this.box = section(parent, "The numbers as a table", "").box;
      this.frame = make("div", "stv-table");
      Object.assign(this.frame, { tabIndex: 0, role: "group", ariaLabel: "The numbers; they scroll" });
      this.box.append(this.frame);
    }

    draw() {
      const { lanes, names } = this;
      const table = make("table");
      const name = this.quantityNow();
      table.append(make("caption", "", `Token by token: ${names.get(name)[1]}`));
      const head = table.createTHead().insertRow();
      const cell = (text) => head.append(Object.assign(make("th", "", text), { scope: "col" }));
      ["Token", ...lanes.flatMap((lane) => [lane.title, "value"])].forEach(cell);
      const body = table.createTBody();
      const longest = Math.max(...lanes.map((lane) => lane.count));
      const values = lanes.map((lane) => (lane.has(name) ? lane.get(name).tokens : null));
      for (let t = 0; t < longest; t++) {
        const row = body.insertRow();
        row.append(Object.assign(make("th", "", String(t + 1)), { scope: "row" }));
        lanes.forEach((lane, at) => {
          const here = t < lane.count;
          row.insertCell().textContent = here ? lane.nameOf(t) : "";
          row.insertCell().textContent = here && values[at] ? number(values[at][t]) : "";
        });
      }
      this.frame.replaceChildren(table);
      this.rows = [...body.rows];
    }

    choose(index) {
      this.chosen?.classList.remove("stv-on");
      this.chosen = this.rows?.[index];
      this.chosen?.classList.add("stv-on");
    }
  }

  return { Numbers };
})();
