/* What nearly stood at one token: the likeliest words of every lane side by side, those that it or another lane
 * wrote marked. Up to the first difference all lanes choose after the same words; later each after its own.
 */
const SinkTrackNearly = (() => {
  "use strict";

  const { make, visible, listed, section, figure, ofLane } = SinkTrackDom;
  const share = (value) => (value < 0.001 ? "under 0.1 %" : `${(100 * value).toFixed(1)} %`);

  class Nearly {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {number | null} partsAt the first token at which not all answers agree
     */
    constructor(parent, lanes, partsAt) {
      this.lanes = lanes.filter((lane) => lane.candidates);
      this.partsAt = partsAt;
      if (!this.lanes.length) return;
      const { box, heading } = section(parent, "What nearly stood here", "stv-nearly");
      this.heading = heading;
      const row = make("div", "stv-lanes");
      this.remark = make("p", "stv-note");
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
        return { lane, list, plot };
      });
    }

    choose(index) {
      if (!this.lanes.length) return;
      this.chosen = index;
      const apart = this.partsAt !== null && index > this.partsAt;
      this.heading.textContent = `What nearly stood at token ${index + 1}`;
      this.remark.textContent = apart
        ? "The answers have parted before this token, so each lane chose after words of its own."
        : "The likeliest words in each lane, before temperature and the like.";
      for (const { lane, list, plot } of this.sides) {
        const here = index < lane.count;
        list.replaceChildren(...(here ? this.rows(lane, index, apart) : []));
        plot.chosen.textContent = here ? this.beyond(lane, index, apart) : lane.gone();
      }
    }

    rows(lane, index, apart) {
      const { ids, texts, probabilities } = lane.candidates;
      const allowed = ids[index].filter((_, at) => probabilities[index][at] > 0);
      return allowed.map((id, at) => {
        const probability = probabilities[index][at];
        const row = make("li", id === lane.ids[index] ? "stv-candidate stv-candidate-own" : "stv-candidate");
        row.style.setProperty("--stv-share", probability);
        row.append(make("span", "stv-what", visible(texts[index][at])), make("span", "stv-much", share(probability)));
        if (id === lane.ids[index]) row.append(make("span", "stv-by", "written here"));
        else if (!apart) {
          const others = this.writers(id, index).map((other) => other.title);
          if (others.length) row.append(make("span", "stv-by", `written by ${listed(others)}`));
        }
        return row;
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
          after: share(probabilities[at][place]),
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
      const missed = this.lanes.filter((other) => index < other.count && !ids[index].includes(other.ids[index]));
      return missed.map((other) => other === lane
        ? `Its own word “${lane.nameOf(index)}” was none of these, and was drawn with a probability below ${share(least).replace("under ", "")}.`
        : `“${other.nameOf(index)}”, which ${other.title} wrote, is none of these: below ${share(least).replace("under ", "")}.`).join(" ");
    }
  }

  return { Nearly };
})();
