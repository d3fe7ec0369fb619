/* One line on the chosen token: which it is, and what each lane wrote there. It stays in sight, at the edge of the
 * window, wherever on the page the reader is.
 */
const SinkTrackStrip = (() => {
  "use strict";

  const { make, button, chance, ofLane } = SinkTrackDom;

  class Strip {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {number | null} partsAt the first token at which not all answers agree
     * @param {object} on
     * @param {(by: number) => void} on.step choose a token before or behind this one
     * @param {() => void} on.show go to what is said of it
     */
    constructor(parent, lanes, partsAt, on) {
      Object.assign(this, { lanes, partsAt });
      const box = make("div", "stv-now");
      const steps = make("span", "stv-steps");
      steps.append(...[["‹", "The token before", -1], ["›", "The next token", 1]].map(([text, label, by]) =>
        Object.assign(button(text, () => on.step(by), "stv-step"), { ariaLabel: label, title: label })));
      this.heading = make("h2", "stv-title");
      this.remark = make("span", "stv-note");
      this.words = make("p", "stv-said");
      box.append(steps, this.heading, this.remark, this.words,
        Object.assign(button("Details", on.show, "stv-more"), { ariaLabel: "Go to what is said of this token" }));
      parent.append(box);
      this.box = box;
    }

    choose(index) {
      const { lanes, partsAt } = this;
      this.heading.textContent = `Token ${index + 1}`;
      this.remark.textContent = partsAt === null ? "" : index === partsAt ? "here the answers part"
        : index > partsAt ? "the answers have parted" : "the same in all answers";
      this.words.replaceChildren(...lanes.map((lane) => {
        const word = ofLane(make("span", "stv-said-word"), lane.number);
        const here = index < lane.count;
        word.append(make("span", "stv-heading", here ? lane.nameOf(index) : "—"));
        if (here && lane.has("probability")) word.append(` ${chance(lane.probabilities[index])}`);
        word.title = here ? lane.title : `${lane.title}: ${lane.gone()}`;
        return word;
      }));
    }
  }

  return { Strip };
})();
