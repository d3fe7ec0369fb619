/* The picker of methods: what is chosen as a list with its settings, and a dialog with a card for each
 * method. Its value is {"chosen": [{kind, set: {name: text}}], "said": a sentence}; what can be chosen comes
 * as `props.cards`, see app/compare/method_inputs.py.
 */
const SinkTrackPicker = (() => {
  "use strict";

  const { make, button, ofLane } = SinkTrackDom;
  const GROUPS = [["plain", "Without any method"], ["method", "Methods"],
    ["control", "Controls, which a method should beat"]];
  let pickers = 0;

  class Picker {
    /**
     * @param {HTMLElement} host
     * @param {{value: string, cards: string}} props both JSON; `value` is what the server gets
     * @param {() => void} fill asks the server for methods that fit
     */
    constructor(host, props, fill) {
      Object.assign(this, { props, id: `st-picker-${pickers++}`, marks: [] });
      const heading = make("h2", "st-picker-title", "What is compared");
      heading.id = this.id;
      const head = make("div", "st-picker-head");
      this.count = make("span", "st-count");
      head.append(heading, this.count);
      this.list = make("ol", "st-chosen");
      this.list.setAttribute("aria-labelledby", this.id);
      this.said = make("p", "st-said");
      this.said.setAttribute("role", "status");
      this.gallery = dialog(`${this.id}-cards`);
      this.open = button("Choose methods", () => this.gallery.box.showModal(), "st-open");
      const fitting = button("All that fit", fill, "st-fill");
      fitting.title = "The plain model and up to five methods, as published, that fit the picture or passage";
      const reset = button("Reset", () =>
        this.choose(this.offered.default.map((kind) => ({ kind, set: {} }))), "st-reset");
      const actions = make("div", "st-picker-actions");
      actions.append(this.open, fitting, reset);
      host.append(head, this.list, actions, this.said, this.gallery.box);
      this.receive();
    }

    /** Take what the server sent. */
    receive() {
      const ticked = document.activeElement?.closest?.(".st-tile input")?.value; // keeps its focus
      this.offered = JSON.parse(this.props.cards);
      this.state = JSON.parse(this.props.value);
      this.marks = [];
      this.gallery.groups.replaceChildren(...GROUPS.map((each) => this.group(each)).filter(Boolean));
      this.show();
      if (ticked) this.gallery.groups.querySelector(`input[value="${CSS.escape(ticked)}"]`)?.focus();
    }

    choose(chosen) {
      this.state = { chosen, said: "" };
      this.send();
      this.show();
    }

    /** Let the server have what was chosen here. */
    send() {
      const chosen = this.state.chosen.map(({ kind, set }) => ({ kind, set }));
      this.props.value = JSON.stringify({ ...this.state, chosen });
    }

    get full() {
      return this.state.chosen.length >= this.offered.most;
    }

    show() {
      const { state: { chosen, said }, offered: { fewest, most } } = this;
      const count = chosen.length < fewest
        ? `${chosen.length} chosen, ${fewest} to ${most} are compared` : `${chosen.length} of at most ${most}`;
      for (const each of [this.count, this.gallery.count]) each.textContent = count;
      this.said.textContent = said ?? "";
      this.list.replaceChildren(...chosen.map((method, index) => this.entry(method, index)));
      this.marks.forEach((mark) => mark());
    }

    /** A chosen method with its settings. */
    entry(method, index) {
      const card = this.offered.cards.find(({ kind }) => kind === method.kind)
        ?? { title: method.kind, parameters: [] };
      const item = ofLane(make("li", "st-one"), index + 1);
      const row = make("div", "st-one-head");
      row.append(make("span", "st-badge", String(index + 1)), make("strong", "st-one-title", card.title));
      if (card.parameters.length) row.append(this.duplicate(method, card, index));
      row.append(this.remove(card, index));
      item.append(row);
      if (card.parameters.length) item.append(settings(method, card, () => this.send()));
      return item;
    }

    duplicate({ kind, set }, { title }, index) {
      const node = button("Duplicate", () => {
        const { chosen } = this.state;
        const again = { kind, set: { ...set }, open: true };
        this.choose([...chosen.slice(0, index + 1), again, ...chosen.slice(index + 1)]);
        this.list.children[index + 1].querySelector("summary")?.focus();
      }, "st-again");
      return Object.assign(node, {
        ariaLabel: `Duplicate ${title}`, title: "Choose it once more, with other settings", disabled: this.full,
      });
    }

    remove({ title }, index) {
      const node = button("×", () => {
        this.choose(this.state.chosen.filter((_, at) => at !== index));
        const next = this.list.children[Math.min(index, this.state.chosen.length - 1)];
        (next?.querySelector(".st-remove") ?? this.open).focus();
      }, "st-remove");
      return Object.assign(node, { ariaLabel: `Leave out ${title}` });
    }

    group([name, title]) {
      const cards = this.offered.cards.filter((card) => card.group === name);
      if (!cards.length) return null;
      const box = make("section", "st-group");
      const shelf = make("div", "st-shelf");
      shelf.append(...cards.map((card) => this.tile(card)));
      box.append(make("h3", "", title), shelf);
      return box;
    }

    /** One method as a card that can be ticked. */
    tile(card) {
      const box = make("div", "st-tile");
      const label = make("label", "st-tile-head");
      const tick = Object.assign(make("input"), { type: "checkbox", value: card.kind, ariaLabel: card.title });
      tick.addEventListener("change", () => {
        const others = this.state.chosen.filter(({ kind }) => kind !== card.kind);
        this.choose(tick.checked ? [...this.state.chosen, { kind: card.kind, set: {} }] : others);
      });
      const summary = make("p", "", card.summary);
      summary.id = `${this.id}-${card.kind}`;
      tick.setAttribute("aria-describedby", summary.id);
      const several = make("span", "st-times");
      const name = make("span", "st-tile-title", card.title);
      if (card.group !== "plain" && card.title.toLowerCase() !== card.kind) name.append(" ", make("code", "", card.kind));
      label.append(tick, name, several);
      box.append(label, summary, facts(card));
      this.marks.push(() => {
        const times = this.state.chosen.filter(({ kind }) => kind === card.kind).length;
        Object.assign(tick, { checked: times > 0, disabled: !times && this.full });
        box.classList.toggle("st-ticked", times > 0);
        several.textContent = times > 1 ? `${times} times` : "";
      });
      return box;
    }
  }

  /** The parameters of a chosen method, each an input made from its description. */
  function settings(method, card, send) {
    const box = make("details", "st-set");
    box.open = Boolean(method.open);
    box.addEventListener("toggle", () => {
      method.open = box.open; // stays open while others change
    });
    const summary = make("summary");
    const tell = () => {
      const typed = Object.entries(method.set).map(([name, value]) => `${name}=${value}`);
      summary.replaceChildren("Settings: ",
        typed.length ? make("code", "", typed.join(", ")) : make("span", "", "as published"));
    };
    tell();
    const fields = make("div", "st-fields");
    fields.append(...card.parameters.map((each) => field(each, card, method.set[each.name] ?? "", (value) => {
      if (value) method.set[each.name] = value;
      else delete method.set[each.name];
      tell();
      send();
    })));
    box.append(summary, fields);
    return box;
  }

  /** What a method costs, needs, and where it comes from. */
  function facts({ title, rows, needs, source }) {
    const line = make("p", "st-facts");
    line.append(make("span", "st-fact", `${rows} row${rows > 1 ? "s" : ""}`));
    if (needs) line.append(make("span", "st-fact", needs));
    if (source) {
      const link = Object.assign(make("a", "", "paper"), {
        href: source, target: "_blank", rel: "noopener noreferrer", ariaLabel: `Paper of ${title}, in a new tab`,
      });
      line.append(link);
    }
    return line;
  }

  /** The input for one parameter; an empty one leaves the default. */
  function field({ name, default: usual, range, help, choices, number, low, high }, card, value, onChange) {
    const box = make("label", "st-field");
    const input = make(choices.length ? "select" : "input");
    if (choices.length) {
      input.append(...["", ...choices].map((each) => Object.assign(
        make("option", "", each || (usual ? `${usual} (default)` : "default")), { value: each })));
    } else {
      Object.assign(input, { type: number ? "number" : "text", placeholder: usual || "default", autocomplete: "off" });
      if (number) Object.assign(input, { min: low ?? "", max: high ?? "", step: number === "whole" ? "1" : "any" });
    }
    input.value = value;
    input.setAttribute("aria-label", `${card.title}: ${name}`);
    const hint = choices.length ? help : `${help} Takes ${range}.`;
    input.title = hint;
    input.addEventListener("input", () => onChange(input.value.trim()));
    box.append(make("code", "", name), input, make("span", "st-hint", hint));
    return box;
  }

  /** The dialog that the cards are in; a click beside it closes it. */
  function dialog(id) {
    const box = make("dialog", "st-dialog");
    const title = make("h2", "st-picker-title", "What is compared");
    title.id = id;
    box.setAttribute("aria-labelledby", id);
    const count = make("span", "st-count");
    count.setAttribute("role", "status");
    const head = make("header", "st-dialog-head");
    const close = button("Done", () => box.close(), "st-close");
    head.append(title, count, close);
    const note = make("p", "st-dialog-note", "Rows say what a method costs: with 2 rows every token is worked out "
      + "twice, once as asked and once for comparison. A method can be chosen more than once, with other settings.");
    const groups = make("div", "st-groups");
    box.append(head, note, groups);
    box.addEventListener("click", (event) => {
      if (event.target === box) box.close();
    });
    return { box, count, groups };
  }

  /** Keep a picker in step with what the server sends. */
  function picker(host, props, watch, fill) {
    const shown = new Picker(host, props, fill);
    watch(["value", "cards"], () => shown.receive());
  }

  return { picker };
})();
