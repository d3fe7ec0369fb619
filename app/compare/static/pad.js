/* The pad on which a scene of the little world is drawn, cell by cell. Its value is what is drawn, see
 * app/compare/scene_pad.py; `props.world` says what can be drawn with, `props.offers` what can be asked.
 */
const SinkTrackPad = (() => {
  "use strict";

  const { make, button, draw } = SinkTrackDom;
  const RADIUS = { large: 0.84, small: 0.52 }; // of half a cell, about as the pictures are drawn
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  let pads = 0;

  class Pad {
    /**
     * @param {HTMLElement} host
     * @param {{value: string, world: string, offers: string}} props all JSON; `value` is what the server gets
     * @param {{drawn: () => void, sample: () => void, other: () => void, choose: (question: string) => void}} tell
     */
    constructor(host, props, tell) {
      const world = JSON.parse(props.world);
      Object.assign(this, { props, tell, world, at: [0, 0], id: `st-pad-${pads++}` });
      const colours = Object.keys(world.colours);
      const shapes = Object.keys(world.shapes);
      this.brush = { colour: colours[0], shape: shapes[0], size: world.sizes[0] };
      this.marks = [];
      const brushes = make("div", "st-brushes");
      brushes.append(
        this.choice("Colour", "colour", colours, (colour) => ({ colour })),
        this.choice("Shape", "shape", shapes, (shape) => ({ shape })),
        this.choice("Size", "size", world.sizes, (size) => ({ size })));
      this.said = make("p", "st-pad-said");
      this.said.setAttribute("role", "status");
      this.questions = make("div", "st-offers");
      host.append(brushes, this.grid(), this.actions(), this.said, this.questions);
      this.receive();
    }

    /** Take what the server sent. */
    receive() {
      this.state = JSON.parse(this.props.value);
      this.show();
      this.offer(JSON.parse(this.props.offers));
    }

    /** Let the server have what was drawn here; what can be asked about it comes back. */
    send() {
      this.props.value = JSON.stringify(this.state);
      this.offer([]);
      this.show();
      this.tell.drawn();
    }

    /** One choice of what is put next, as real radio buttons; `brush` is what its picture shows. */
    choice(title, name, options, brush) {
      const box = make("fieldset", "st-brush");
      box.append(make("legend", "", title));
      for (const option of options) {
        const label = make("label");
        const input = Object.assign(make("input"), {
          type: "radio", name: `${this.id}-${name}`, value: option, checked: this.brush[name] === option,
          ariaLabel: option,
        });
        input.addEventListener("change", () => {
          this.brush[name] = option;
          this.marks.forEach((mark) => mark());
        });
        const sample = make("span", "st-sample");
        sample.title = option;
        this.marks.push(() => sample.replaceChildren(this.icon({ ...this.brush, size: "large", ...brush(option) })));
        this.marks.at(-1)();
        label.append(input, sample);
        box.append(label);
      }
      return box;
    }

    icon({ colour, shape, size }) {
      const svg = draw("svg", { viewBox: "-1 -1 2 2", "aria-hidden": "true" });
      const points = this.world.shapes[shape].map((point) => point.map((part) => part * RADIUS[size]).join());
      svg.append(draw("polygon", { points: points.join(" "), fill: `rgb(${this.world.colours[colour].join()})` }));
      return svg;
    }

    grid() {
      const grid = make("div", "st-grid");
      grid.setAttribute("role", "grid");
      grid.setAttribute("aria-label", "The scene. Arrow keys move, Enter puts a thing or takes it away.");
      this.cells = this.world.places.map((places, row) => {
        const line = make("div", "st-grid-row");
        line.setAttribute("role", "row");
        const cells = places.map((_, column) => {
          const box = make("div", "st-cell-box");
          box.setAttribute("role", "gridcell");
          const cell = Object.assign(make("button", "st-cell"), { type: "button" });
          cell.addEventListener("click", () => this.toggle(row, column));
          cell.addEventListener("focus", () => this.move(row, column));
          box.append(cell);
          line.append(box);
          return cell;
        });
        grid.append(line);
        return cells;
      });
      grid.addEventListener("keydown", (event) => this.key(event));
      return grid;
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const last = this.cells.length - 1;
      let [row, column] = this.at;
      if (event.key in STEPS) {
        const [down, right] = STEPS[event.key];
        row = Math.min(last, Math.max(0, row + down));
        column = Math.min(last, Math.max(0, column + right));
      } else if (event.key === "Home") column = 0;
      else if (event.key === "End") column = last;
      else if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        if (this.thing(row, column)) this.toggle(row, column);
        return;
      } else return;
      event.preventDefault();
      this.move(row, column);
      this.cells[row][column].focus();
    }

    /** The one cell that the tab key reaches is the one that was used last. */
    move(row, column) {
      this.at = [row, column];
      this.cells.forEach((cells, r) => cells.forEach((cell, c) => {
        cell.tabIndex = r === row && c === column ? 0 : -1;
      }));
    }

    thing(row, column) {
      return this.state.cells.find((each) => each.row === row && each.column === column);
    }

    /** Take away what stands in a cell, or put there what is chosen. */
    toggle(row, column) {
      this.move(row, column);
      const there = this.thing(row, column);
      const place = this.world.places[row][column];
      if (!there && this.state.cells.length >= this.world.most) {
        this.say(`${this.world.most} things are the most that the model knows: take one away first.`);
        return;
      }
      const others = this.state.cells.filter((each) => each !== there);
      this.state.cells = there ? others : [...others, { row, column, ...this.brush }];
      this.say(there ? `Took the ${nameOf(there)} away.` : `A ${nameOf(this.brush)} is at ${place}.`);
      this.send();
    }

    say(sentence) {
      this.said.textContent = sentence;
    }

    actions() {
      const row = make("div", "st-pad-actions");
      const usual = make("label", "st-usual");
      this.usual = Object.assign(make("input"), { type: "checkbox" });
      this.usual.addEventListener("change", () => {
        this.state.usual = this.usual.checked;
        this.props.value = JSON.stringify(this.state);
      });
      usual.title = "In what the model learned from, each thing mostly came with the same companion. "
        + "Without them it invents what it expects.";
      usual.append(this.usual, "with usual companions");
      this.empty = button("Empty", () => {
        this.state.cells = [];
        this.say("The scene is empty.");
        this.send();
      }, "st-empty");
      const random = button("Random scene", () => {
        this.say("");
        this.tell.sample();
      }, "st-random");
      row.append(random, this.empty, usual);
      return row;
    }

    show() {
      this.usual.checked = this.state.usual;
      this.empty.disabled = !this.state.cells.length;
      this.cells.forEach((cells, row) => cells.forEach((cell, column) => {
        const there = this.thing(row, column);
        const place = this.world.places[row][column];
        cell.replaceChildren(...(there ? [this.icon(there)] : []));
        cell.setAttribute("aria-label", `${place}: ${there ? nameOf(there) : "empty"}`);
      }));
      this.move(...this.at);
    }

    /** Offer questions about what is drawn. */
    offer(offers) {
      this.questions.replaceChildren();
      if (!offers.length) return;
      const list = make("ul", "st-offer-list");
      for (const { text, note } of offers) {
        const item = make("li");
        const ask = button(text, () => this.tell.choose(text), "st-offer");
        if (note) ask.append(make("span", "st-note", note));
        item.append(ask);
        list.append(item);
      }
      const head = make("div", "st-offer-head");
      const heading = make("h2", "st-offer-title", "Questions with known answers");
      heading.id = `${this.id}-questions`;
      list.setAttribute("aria-labelledby", heading.id);
      head.append(heading, button("Others", () => this.tell.other(), "st-other"));
      this.questions.append(head, list);
    }
  }

  const nameOf = ({ size, colour, shape }) => `${size} ${colour} ${shape}`;

  /** Keep a pad in step with what the server sends. */
  function pad(host, props, watch, tell) {
    const shown = new Pad(host, props, tell);
    watch(["value", "offers"], () => shown.receive());
  }

  /** A question was chosen and stands in its field: next comes Ask. */
  function chosen() {
    document.querySelector("#ask")?.focus();
  }

  return { pad, chosen };
})();
