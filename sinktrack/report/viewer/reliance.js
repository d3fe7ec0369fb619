/* Which words the picture or the passage decided: of every word how far its probability falls when the model reads
 * the same words with it covered. Worked out by the server when somebody asks.
 */
const SinkTrackReliance = (() => {
  "use strict";

  const { make, chance, section, button, legend, ofLane } = SinkTrackDom;
  const { tokenSpan } = SinkTrackCard;
  const NAMED = 5; // words a lane that are listed

  class Reliance {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {string} about what is covered, in a word
     * @param {Explanations} explanations asks the server
     * @param {(index: number) => void} onChoose
     */
    constructor(parent, lanes, about, explanations, onChoose) {
      Object.assign(this, { lanes, about, explanations, onChoose, said: null });
      const { box, bar } = section(parent, `Which words did the ${about} decide?`, "");
      this.button = button("Ask again without it", () => this.ask());
      this.scale = legend();
      this.scale.box.hidden = true;
      bar.append(this.button, this.scale.box);
      this.note = make("p", "stv-note", `The model reads every answer once more with the ${about} covered. The more a word `
        + "loses, the more it was read off there; the others follow from the question and the words before them.");
      this.note.setAttribute("role", "status");
      this.row = make("div", "stv-lanes");
      box.append(this.note, this.row);
    }

    async ask() {
      this.button.disabled = true;
      this.note.textContent = "The model reads the same words again …";
      const said = await this.explanations.get({ what: "reliance", at: 0 });
      this.button.disabled = false;
      this.note.textContent = said.error ?? "";
      if (said.error) return;
      this.said = said.lanes;
      this.button.hidden = true;
      this.draw(this.look);
      this.choose(this.chosen);
    }

    draw(look) {
      this.look = look;
      if (!this.said) return;
      const all = this.lanes.map((lane) => ({ lane, fell: fallen(this.said[lane.name]) }));
      this.note.textContent = inWords(all, this.about);
      this.scale.box.hidden = false;
      this.scale.show(-1, 1, look.around);
      this.scale.name("surer without it", "decided by it");
      this.sides = all.map(({ lane, fell }) => this.side(lane, fell, look.around));
      this.row.replaceChildren(...this.sides.map(({ box }) => box));
    }

    side(lane, fell, map) {
      const box = ofLane(make("article", "stv-figure"), lane.number);
      const words = make("p", "stv-relied");
      words.dir = "auto";
      const own = this.said[lane.name];
      const spans = fell.map((value, at) => {
        const span = tokenSpan(lane.ends(at) ? "" : lane.tokens[at]);
        span.style.setProperty("--stv-value", SinkTrackColour.css(map, SinkTrackColour.step(value, -1, 1)));
        span.title = `${chance(own.plain[at])} → ${chance(own.covered[at])}`;
        span.addEventListener("click", () => this.onChoose(at));
        return span;
      });
      words.append(...spans);
      const list = make("ol", "stv-heads");
      list.append(...most(fell, NAMED).map((at) => {
        const item = make("li");
        item.append(button(lane.nameOf(at), () => this.onChoose(at), "stv-head-name"),
          make("span", "stv-much", `${chance(own.plain[at])} → ${chance(own.covered[at])}`));
        return item;
      }));
      box.append(make("h4", "stv-heading", lane.title), words, list);
      return { box, spans };
    }

    choose(index) {
      this.chosen = index;
      for (const { spans } of this.sides ?? []) {
        spans.forEach((span, at) => span.classList.toggle("stv-on", at === index));
      }
    }
  }

  /** By how much each word's probability falls, from -1 to 1. */
  function fallen(own) {
    return own ? own.plain.map((plain, at) => plain - own.covered[at]) : [];
  }

  /** Those that fall by a point or more, by most first. */
  function most(fell, count) {
    return fell.map((value, at) => [value, at]).filter(([value]) => value >= 0.01)
      .sort(([one], [other]) => other - one).slice(0, count).map(([, at]) => at);
  }

  /** How many words of each answer lose at least half of their probability. */
  function inWords(all, about) {
    const told = all.map(({ lane, fell }) => `${fell.filter((value) => value >= 0.5).length} of ${fell.length} in ${lane.title}`);
    return `Words whose probability falls by at least 50 points without the ${about}: ${told.join(", ")}.`;
  }

  /** What a question is about, in a word; "" for nothing that could be covered. */
  function askedAbout(segments) {
    const kinds = new Set(segments.map(({ kind }) => kind));
    const seen = kinds.has("image") || kinds.has("video");
    const several = segments.filter(({ kind }) => kind === "image" || kind === "video").length > 1;
    const picture = !seen ? "" : several ? "pictures" : kinds.has("video") ? "video" : "picture";
    return [picture, kinds.has("passage") ? "passage" : ""].filter(Boolean).join(" and ");
  }

  return { Reliance, askedAbout, fallen, most };
})();
