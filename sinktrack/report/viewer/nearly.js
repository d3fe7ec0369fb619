/* What nearly stood at one token: the likeliest words of every lane side by side, those that it or another lane
 * wrote marked. Up to the first difference all lanes choose after the same words; later each after its own.
 */
const SinkTrackNearly = (() => {
  "use strict";

  const { make, visible, listed, chance, section, figure, button, ofLane } = SinkTrackDom;
  const FEW = 5; // rows at first, which a glance takes in

  /** A probability that may be far below what a list shows. */
  const exact = (value) => (value < 0.0001 ? `1 in ${Math.round(1 / Math.max(value, 1e-12)).toLocaleString("en")}` : `${(100 * value).toPrecision(2)} %`);

  class Nearly {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {number | null} partsAt the first token at which not all answers agree
     * @param {(asked: {lane: string, at: number}) => void} [force] lets the other methods go on from a lane's words up
     *     to a token
     */
    constructor(parent, lanes, partsAt, force) {
      this.lanes = lanes.filter((lane) => lane.candidates);
      Object.assign(this, { partsAt, force, all: false, others: new Map() });
      if (!this.lanes.length) return;
      const { box, bar, heading } = section(parent, "What nearly stood here", "stv-nearly");
      this.heading = heading;
      const row = make("div", "stv-lanes stv-close");
      this.remark = make("p", "stv-note");
      this.more = button("", () => {
        this.all = !this.all;
        this.choose(this.chosen);
      });
      bar.append(this.more);
      box.append(this.remark, row);
      this.sides = this.lanes.map((lane) => {
        const side = ofLane(make("div", "stv-side"), lane.number);
        side.dataset.side = lane.name;
        row.append(side);
        const plot = figure(side, lane.title, "");
        plot.scale.box.remove();
        const list = make("ol", "stv-candidates");
        plot.box.append(list, plot.readout);
        SinkTrackSave.add(plot.caption, () => [`${lane.name}-token-${this.chosen + 1}-candidates`, this.figure(lane)]);
        const one = { lane, list, plot, force: null };
        if (force && lanes.length > 1) {
          one.force = button("Let the others go on from here", () => force({ lane: lane.name, at: this.chosen }), "stv-ask stv-force");
          plot.box.append(one.force);
        }
        return one;
      });
    }

    /** Take from the server how likely the others' words were exactly. */
    know({ at, lanes }) {
      this.others.set(at, new Map(Object.entries(lanes).map(([name, lane]) => [name, lane.others ?? {}])));
      if (at === this.chosen) this.choose(at);
    }

    choose(index) {
      this.chosen = index;
      if (!this.lanes.length) return;
      this.chosen = index;
      const apart = this.partsAt !== null && index > this.partsAt;
      this.heading.textContent = `What nearly stood at token ${index + 1}`;
      this.remark.textContent = apart
        ? "The answers have parted before this token, so each lane chose after words of its own."
        : "The likeliest words in each lane, before temperature and the like.";
      this.more.textContent = this.all ? "Only the first" : "All that were kept";
      this.more.setAttribute("aria-expanded", String(this.all));
      let longest = 0;
      for (const { lane, list, plot, force } of this.sides) {
        const here = index < lane.count;
        const rows = here ? this.rows(lane, index, apart) : [];
        longest = Math.max(longest, rows.length);
        list.replaceChildren(...(this.all ? rows : rows.filter(({ named }, at) => at < FEW || named)).map(({ row }) => row));
        plot.chosen.textContent = here ? this.beyond(lane, index, apart) : lane.gone();
        if (force) this.offer(force, lane, index);
      }
      this.more.hidden = longest <= FEW;
    }

    /** Offer to go on from a lane's words where the answers have parted, and it has not ended. */
    offer(force, lane, index) {
      force.hidden = this.partsAt === null || index < this.partsAt || index >= lane.count || lane.ends(index);
      if (force.hidden) return;
      force.title = `All other methods are told ${lane.title}’s words up to “${lane.nameOf(index)}”, and go on by themselves.`;
    }

    rows(lane, index, apart) {
      const { ids, texts, probabilities } = lane.candidates;
      const allowed = ids[index].filter((_, at) => probabilities[index][at] > 0);
      return allowed.map((id, at) => {
        const probability = probabilities[index][at];
        const row = make("li", id === lane.ids[index] ? "stv-candidate stv-candidate-own" : "stv-candidate");
        row.style.setProperty("--stv-share", probability);
        row.append(make("span", "stv-what", visible(texts[index][at])), make("span", "stv-much", chance(probability)));
        const others = apart ? [] : this.writers(id, index).filter((other) => other !== lane).map((other) => other.title);
        const own = id === lane.ids[index];
        const by = [...(own ? [index < (lane.told ?? 0) ? "told" : "written here"] : []),
          ...(others.length && !own ? [`written by ${listed(others)}`] : [])];
        if (by.length) row.append(make("span", "stv-by", by[0]));
        return { row, named: by.length > 0 };
      });
    }

    /** The likeliest words of a lane at the chosen token, as a figure. */
    figure(lane) {
      const at = this.chosen;
      const { ids = [], texts = [], probabilities = [] } = lane.candidates;
      return SinkTrackFigure.bars({
        title: `${lane.title}: what nearly stood at token ${at + 1}`,
        side: "word",
        foot: "probability",
        rows: (ids[at] ?? []).map((id, place) => ({
          label: visible(texts[at][place]),
          pieces: [[probabilities[at][place], id === lane.ids[at] ? "#0b6b63" : "#9fc9c3"]],
          after: chance(probabilities[at][place]),
        })),
        key: [["written here", "#0b6b63"], ["another word", "#9fc9c3"]],
      });
    }

    /** The lanes that wrote a word at a token. */
    writers(id, index) {
      return this.lanes.filter((lane) => lane.ids[index] === id);
    }

    /** What to say of words that other lanes wrote and that are none of the likeliest here. */
    beyond(lane, index, apart) {
      if (apart) return "";
      const { ids, probabilities } = lane.candidates;
      const least = probabilities[index].at(-1);
      if (least === 0) return "The method forbade every other word.";
      const told = this.others.get(index)?.get(lane.name) ?? {};
      const missed = this.lanes.filter((other) => index < other.count && !ids[index].includes(other.ids[index]));
      return missed.map((other) => other === lane
        ? `Its own word “${lane.nameOf(index)}” was none of these, and was drawn with a probability below ${chance(least).replace("< ", "")}.`
        : `“${other.nameOf(index)}”, which ${other.title} wrote, is none of these: ${other.name in told
          ? exact(told[other.name]) : `below ${chance(least).replace("< ", "")}`}.`).join(" ");
    }
  }

  return { Nearly };
})();
