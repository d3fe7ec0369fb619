/* The prompt of one lane as a map: its words as the text that they are, and its pictures, shaded by what the chosen
 * token gave them; and the answer's words, shaded by what they gave to the places that are chosen. Knows nothing
 * about servers.
 */
const SinkTrackLooked = (() => {
  "use strict";

  const { make, visible, brief } = SinkTrackDom;
  const { heat, pictured, scaleOf } = SinkTrackOverlay;
  const { largest } = SinkTrackData;
  const { placesOf, given } = SinkTrackExplanations;
  const MOST_WORDS = 4000; // of a prompt, that can be shown and chosen
  const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const NAMED = 3;

  class Looked {
    /**
     * @param {object} plot from SinkTrackDom.figure
     * @param {LaneData} lane
     * @param {object} prompt of an explanation: texts, parts, titles, sinks
     * @param {number} at the chosen token
     * @param {object[]} visuals
     * @param {(place: number) => void} onChoose a word or patch of the prompt was pointed out
     */
    constructor(plot, lane, prompt, at, visuals, onChoose) {
      Object.assign(this, { plot, lane, prompt, at, onChoose });
      this.pictures = (lane.maps ?? []).flatMap((map) => this.picture(map, visuals[map.visual]));
      this.spans = new Map(); // place -> its word
      plot.box.append(this.words());
      this.own = make("p", "stv-shaded stv-own");
      Object.assign(this.own, { dir: "auto" });
      this.from = make("div", "stv-from");
      this.from.append(make("p", "stv-note", ""), this.own);
      plot.box.append(this.from);
    }

    /** The words by part: a passage stays the text that it is. */
    words() {
      const { prompt } = this;
      const box = make("div", "stv-shaded");
      Object.assign(box, { role: "listbox", ariaMultiSelectable: "true", dir: "auto",
        ariaLabel: `${this.lane.title}: the words that it read, shaded by attention` });
      const sinks = new Set(prompt.sinks);
      let [part, line] = [null, null];
      prompt.texts.slice(0, MOST_WORDS).forEach((text, place) => {
        if (text === null) return;
        if (prompt.parts[place] !== part) {
          part = prompt.parts[place];
          line = make("div", "stv-part-words");
          Object.assign(line, { role: "group", ariaLabel: prompt.titles[part] });
          const name = make("span", "stv-part-name", prompt.titles[part]);
          name.setAttribute("aria-hidden", "true");
          line.append(name);
          box.append(line);
        }
        const word = make("span", sinks.has(place) ? "stv-key-word stv-sink-word" : "stv-key-word", text.trim() ? text : `${visible(text)}${text}`);
        Object.assign(word, { role: "option", tabIndex: this.spans.size ? -1 : 0 });
        word.dataset.place = place;
        this.spans.set(place, word);
        line.append(word);
      });
      const chosen = ({ target }) => target.closest?.("[data-place]");
      box.addEventListener("click", (event) => chosen(event) && this.onChoose(Number(chosen(event).dataset.place)));
      box.addEventListener("keydown", (event) => this.move(event, chosen(event)));
      return box;
    }

    move(event, word) {
      if (!word || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" || event.key === " ") this.onChoose(Number(word.dataset.place));
      else if (event.key in MOVES) {
        const all = [...this.spans.values()];
        const by = MOVES[event.key][0] || MOVES[event.key][1];
        const next = all[all.indexOf(word) + by];
        if (!next) return;
        word.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      } else return;
      event.preventDefault();
      event.stopPropagation(); // the same keys choose a token of the answer
    }

    /** A picture whose patches can be chosen, by pointer or by arrow keys; none where they are not all read. */
    picture(map, visual) {
      const places = visual ? placesOf(this.prompt, map.visual) : [];
      const cells = map.rows * map.cols;
      if (map.frames > 1 || places.length < cells) return [];
      const shown = pictured(this.plot, visual, () => `${this.lane.name}-token-${this.at + 1}-${visual.segment}-head`);
      const marks = make("canvas", "stv-marks");
      shown.frame.append(marks);
      const picture = { ...shown, marks, places, columns: map.cols, rows: map.rows, cursor: 0 };
      Object.assign(shown.frame, { tabIndex: 0, role: "application",
        ariaLabel: `${this.lane.title}: the patches of ${visual.title.toLowerCase()}. Arrow keys move, space chooses.` });
      shown.frame.addEventListener("click", (event) => {
        const box = shown.frame.getBoundingClientRect();
        const column = Math.min(map.cols - 1, Math.floor(((event.clientX - box.left) / box.width) * map.cols));
        const row = Math.min(map.rows - 1, Math.floor(((event.clientY - box.top) / box.height) * map.rows));
        picture.cursor = row * map.cols + column;
        this.onChoose(places[picture.cursor]);
      });
      shown.frame.addEventListener("keydown", (event) => this.movePatch(event, picture));
      shown.frame.addEventListener("focus", () => this.mark(picture, this.selection ?? new Set()));
      shown.frame.addEventListener("blur", () => this.mark(picture, this.selection ?? new Set()));
      return [picture];
    }

    movePatch(event, picture) {
      const { columns, rows } = picture;
      if (event.key === " " || event.key === "Enter") this.onChoose(picture.places[picture.cursor]);
      else if (event.key in MOVES) {
        const [down, across] = MOVES[event.key];
        const row = Math.floor(picture.cursor / columns) + down;
        const column = (picture.cursor % columns) + across;
        if (row >= 0 && row < rows && column >= 0 && column < columns) picture.cursor = row * columns + column;
        this.mark(picture, this.selection ?? new Set());
      } else return;
      event.preventDefault();
      event.stopPropagation();
    }

    /**
     * @param {Float32Array} row what the chosen token gave to each token of the prompt and of the answer before it
     * @param {number} high the end of the scale, shared by all lanes
     * @param {Set<number>} selection places of the prompt
     */
    paint(row, high, selection) {
      this.selection = selection;
      for (const [place, word] of this.spans) shade(word, row[place], high, this.prompt.titles[this.prompt.parts[place]]);
      for (const picture of this.pictures) {
        const values = Float32Array.from(picture.places.slice(0, picture.columns * picture.rows), (at) => row[at] || 0);
        heat(picture.canvas, values, picture.columns, high, 0.8);
        picture.canvas.setAttribute("aria-label", strongest(values, picture.columns));
        this.mark(picture, selection);
      }
      for (const [place, word] of this.spans) word.ariaSelected = String(selection.has(place));
    }

    /** Frames around the patches that are chosen, and around the one that the keyboard is at. */
    mark({ marks, frame, places, columns, rows, cursor }, selection) {
      marks.width = 480;
      marks.height = Math.round((480 * rows) / columns);
      const context = marks.getContext("2d");
      const [across, down] = [marks.width / columns, marks.height / rows];
      const focused = document.activeElement === frame;
      places.slice(0, columns * rows).forEach((place, cell) => {
        const here = selection.has(place);
        if (!here && !(focused && cell === cursor)) return;
        const [x, y] = [(cell % columns) * across, Math.floor(cell / columns) * down];
        for (const [colour, width] of [["#fff", 7], [here ? "#000" : "#0b6b63", 3]]) {
          Object.assign(context, { strokeStyle: colour, lineWidth: width });
          context.strokeRect(x + 4, y + 4, across - 8, down - 8);
        }
      });
    }

    /**
     * Shade the answer's words by what they gave to the places that are chosen.
     * @param {{values: Float32Array, shape: [number, number], from: number} | null} looks rows of the tokens from `from`
     *     on; null where they are not there
     */
    reverse(looks, selection) {
      const [note] = this.from.children;
      const places = [...selection];
      this.from.hidden = !places.length;
      if (!places.length) return;
      if (!looks) {
        note.textContent = "Fetching where every word looked …";
        this.own.replaceChildren();
        return;
      }
      const shares = given(looks.values, looks.shape[1], places);
      const high = Math.max(1e-6, ...Array.from(shares, (value) => value || 0));
      this.own.replaceChildren(...Array.from(shares, (value, t) => {
        const word = make("span", "stv-own-word", this.lane.nameOf(looks.from + t));
        shade(word, value, high, `token ${looks.from + t + 1}`);
        return word;
      }));
      note.textContent = said(shares, looks.from, this.lane);
    }
  }

  /** The patch with most attention, in a sentence. */
  function strongest(values, columns) {
    const high = largest(values);
    const at = values.indexOf(high);
    return `Most attention, ${brief(high)}, is on row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1}.`;
  }

  function shade(word, value, high, title) {
    const gone = value === undefined || Number.isNaN(value);
    word.style.setProperty("--stv-share", String(gone ? 0 : Math.min(1, value / high)));
    word.classList.toggle("stv-gone", gone);
    word.title = `${title} · ${gone ? "not in view" : value.toFixed(4)}`;
  }

  /** Which words looked at the chosen places most, in a sentence. */
  function said(shares, from, lane) {
    const found = Array.from(shares, (value, t) => [value, t]).filter(([value]) => value > 0)
      .sort((one, other) => other[0] - one[0]).slice(0, NAMED);
    const short = from ? ` Only the last ${shares.length} words were fetched.` : "";
    if (!found.length) return `No word of the answer looked there.${short}`;
    const named = found.map(([value, t]) => `“${lane.nameOf(from + t)}” (token ${from + t + 1}) ${brief(value)}`);
    return `Looked there most: ${named.join(", ")}.${short}`;
  }

  /** The end of one scale for the rows of several lanes, without the sinks, which would pale all else. */
  function shared(rows) {
    return scaleOf(rows.map(({ row, prompt }) => {
      const sinks = new Set(prompt.sinks);
      return row.filter((value, at) => !sinks.has(at) && !Number.isNaN(value));
    }).filter((each) => each.length));
  }

  return { Looked, said, shared, strongest };
})();
