/* Where in pictures and videos the chosen token looked, for all lanes on one scale: attention, that over an even
 * share, what a lane has more than the first, or where the word's own logit is high (TAM, asked of the server).
 */
const SinkTrackToken = (() => {
  "use strict";

  const { make, number, brief, percent, figure, section, choice, ofLane } = SinkTrackDom;
  const { Maps, total, without, unpack, noun } = SinkTrackData;
  const { pictured, turnTo, frames, scaleOf, heat, lines, heatMap } = SinkTrackOverlay;
  const NOTHING = 0.002; // of all attention: below this nothing is to be seen in where it went
  const TIMES = 8; // even shares at the end of a scale of them
  const MOST_SINKS = 4;
  const KINDS = {
    attention: "Attention", even: "Over an even share", minus: "", logit: "The word’s own logit (TAM)",
  };

  class TokenView {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {{title: string, segment: string, frames: string[]}[]} visuals pictures and videos, as data URLs
     * @param {Explanations | null} explanations asks the server
     */
    constructor(parent, lanes, visuals, explanations = null) {
      Object.assign(this, { lanes, explanations, kind: "attention", lined: true, pinned: { layer: null, head: null } });
      this.frameOf = visuals.map(() => 0); // of each video the frame that is shown, in all lanes
      const drawable = lanes.map((lane) => (lane.maps ?? []).filter(({ visual }) => visuals[visual]));
      this.sides = [];
      if (!drawable.some((maps) => maps.length)) return;
      const { box, bar, heading } = section(parent, "Where it looked", "stv-one");
      this.heading = heading;
      bar.append(this.controls(drawable.flat()));
      this.remark = make("p", "stv-note");
      const row = make("div", "stv-lanes");
      box.append(this.remark, row);
      this.sides = lanes.map((lane, at) => this.side(row, lane, drawable[at], visuals));
    }

    /** Which map is shown, how it is drawn, and whether sink patches count. */
    controls(maps) {
      const box = make("div", "stv-controls");
      const kinds = Object.entries(KINDS).filter(([kind]) =>
        (kind !== "minus" || this.lanes.length > 1) && (kind !== "logit" || this.explanations));
      box.append(choice("Map", kinds.map(([kind, text]) => [kind, text || `Minus ${this.lanes[0].title}`]), (kind) => {
        this.kind = kind;
        this.paint();
      }));
      box.append(choice("As", [["lines", "Lines"], ["colours", "Colours"]], (how) => {
        this.lined = how === "lines";
        this.paint();
      }));
      const input = (label, attributes) => {
        const name = make("label", "stv-input");
        const node = Object.assign(make("input"), attributes);
        node.addEventListener("input", () => this.paint());
        name.append(make("span", "", label), node);
        box.append(name);
        return node;
      };
      this.opacity = input("Opacity", { type: "range", min: 0, max: 1, step: 0.05, value: 0.9 });
      if (maps.some((map) => map.sink_patches.length)) {
        this.masked = input("Leave out sink patches", { type: "checkbox" });
      }
      return box;
    }

    side(row, lane, maps, visuals) {
      const box = ofLane(make("div", "stv-side"), lane.number);
      box.dataset.side = lane.name;
      row.append(box);
      const shelf = make("div", maps.length > 1 ? "stv-shelf stv-several" : "stv-shelf");
      box.append(shelf);
      return { lane, overlays: maps.map((map) => this.overlay(shelf, lane, map, visuals, maps.length > 1)) };
    }

    /** One picture or video of a lane, with a slider if it has frames. */
    overlay(shelf, lane, map, visuals, several) {
      const visual = visuals[map.visual];
      const what = visual.title.toLowerCase();
      const plot = figure(shelf, several ? `${lane.title} · ${what}` : lane.title, "");
      const at = () => this.frameOf[map.visual];
      const name = () => `${lane.name}-token-${this.chosen + 1}-${what.replace(" ", "-")}`
        + (visual.frames.length > 1 ? `-frame-${at() + 1}` : "");
      const overlay = { lane, plot, visual, what, number: map.visual, maps: new Maps(map), at, ...pictured(plot, visual, name) };
      if (map.frames > 1) {
        overlay.slider = frames(map.frames, `${lane.title}: frame of the ${what}`, (frame) => {
          this.frameOf[map.visual] = frame;
          this.paint();
        });
        plot.box.append(overlay.slider.box);
      }
      plot.box.append(plot.readout);
      overlay.frame.addEventListener("pointermove", (event) => plot.point(readPatch(overlay, event)));
      overlay.frame.addEventListener("pointerleave", () => plot.point(""));
      return overlay;
    }

    draw(look) {
      this.look = look;
    }

    pin(pinned) {
      this.pinned = pinned;
      this.paint();
    }

    /** The server has said where each head looked at a token. */
    know({ at }) {
      if (at === this.chosen && this.pinned.head !== null) this.paint();
    }

    choose(index) {
      this.chosen = index;
      if (!this.sides.length) return;
      const named = this.lanes.find((lane) => index < lane.count);
      const same = this.lanes.every((lane) => lane.ids?.[index] === this.lanes[0].ids?.[index]);
      const word = named && same ? ` “${named.nameOf(index)}”` : "";
      this.heading.textContent = `Where token ${index + 1}${word} looked`;
      this.paint();
    }

    /** Lay the map of the chosen token over the pictures, all on one scale. */
    async paint() {
      const overlays = this.sides.flatMap((side) => side.overlays);
      if (!overlays.length || !this.look) return;
      clearTimeout(this.late);
      const [token, kind, turn] = [this.chosen, this.kind, (this.turn = (this.turn ?? 0) + 1)];
      const here = overlays.filter(({ lane }) => token < lane.count);
      let found = kind === "logit" ? this.logits(here) : here.map((overlay) => this.attention(overlay, token));
      if (found instanceof Promise || found.some((each) => each instanceof Promise)) {
        this.late = setTimeout(() => this.clear(here, "Fetching where it looked …"), 80);
        found = await Promise.resolve(found).then((all) => Promise.all(all)).catch((error) => error);
        if (turn !== this.turn) return; // something else was chosen meanwhile
        clearTimeout(this.late);
        if (found instanceof Error) {
          this.clear(here, found.said ?? "The server no longer has this answer’s maps: ask again.");
          return;
        }
      }
      here.forEach((overlay, at) => Object.assign(overlay, { plain: found[at], values: this.shown(overlay, found[at]) }));
      if (kind === "minus") this.subtract(here);
      const scale = this.scale(here);
      this.remark.textContent = this.note(token);
      for (const overlay of overlays) this.lay(overlay, here.includes(overlay) ? scale : null);
    }

    /** What the server says of the word's own logit at the patches. */
    async logits(overlays) {
      const at = this.chosen;
      const said = await this.explanations.get({ what: "maps", at }, () => at === this.chosen && this.kind === "logit");
      if (said.error) throw Object.assign(new Error(said.error), { said: said.error });
      return overlays.map(({ lane, number: visual }) => unpack(said.lanes[lane.name][visual]));
    }

    /** Probabilities over the patches, of the pinned layer and head or of their mean. */
    attention({ lane, maps }, token) {
      const { layer, head } = this.pinned;
      const own = head === null ? null : this.explanations?.whole(token, lane.name);
      if (own) return own.patches(maps, layer, head);
      const mean = (bytes) => (layer === null ? maps.mean(bytes, token, 0, maps.layers - 1) : maps.mean(bytes, token, layer, layer));
      const bytes = maps.of(token);
      return bytes instanceof Promise ? bytes.then(mean) : mean(bytes);
    }

    shown({ maps }, values) {
      const kept = this.masked?.checked && this.kind !== "logit" ? without(values, maps.sink_patches) : values;
      if (this.kind !== "even") return kept;
      const even = total(kept) / kept.length;
      return kept.map((value) => (even ? Math.log2(Math.max(value / even, 1 / TIMES)) : 0));
    }

    /** Take the first lane's map away from each, patch by patch. */
    subtract(overlays) {
      const first = new Map(overlays.filter(({ lane }) => lane === this.lanes[0]).map((each) => [each.number, each.values]));
      for (const overlay of overlays) {
        const theirs = first.get(overlay.number);
        overlay.values = theirs?.length === overlay.values.length
          ? overlay.values.map((value, at) => value - theirs[at]) : new Float32Array(overlay.values.length);
      }
    }

    scale(overlays) {
      if (this.kind === "logit") return { high: 1, around: false };
      if (this.kind === "even") return { high: Math.log2(TIMES), around: true };
      if (this.kind === "minus") return { high: Math.max(scaleOf(overlays.map(({ plain }) => plain)) / 4, ...overlays.map(({ values }) => Math.max(...values.map(Math.abs)))), around: true };
      return { high: scaleOf(overlays.map(({ values }) => values)), around: false };
    }

    /** What the map is, in words. */
    note(token) {
      const { layer, head } = this.pinned;
      if (this.kind === "logit") return "Where in the picture the word could be read off: its own logit at each patch, less what earlier words explain. This is no attention.";
      const whole = head === null || this.explanations?.whole(token, this.lanes.find((lane) => token < lane.count)?.name);
      const heads = !whole ? `, mean over heads: look inside to see head ${head} alone` : head === null ? ", mean over heads" : `, head ${head}`;
      const where = `${layer === null ? "mean over layers" : `layer ${layer}`}${heads}`;
      if (this.kind === "even") return `How many times an even share each patch got, from 1/${TIMES} (blue) over 1 to ${TIMES}; ${where}.`;
      if (this.kind === "minus") return `More (magenta) or less (blue, broken lines) than ${this.lanes[0].title}; ${where}.`;
      return `Attention on each patch; ${where}.`;
    }

    /** Take the colours off the pictures and say why. */
    clear(overlays, sentence) {
      for (const overlay of overlays) {
        overlay.values = null;
        overlay.canvas.width = overlay.canvas.height = 1;
        overlay.canvas.setAttribute("aria-label", sentence);
        overlay.plot.chosen.textContent = sentence;
      }
    }

    lay(overlay, scale) {
      const { canvas, image, maps, plot, lane, visual, what, slider } = overlay;
      const at = overlay.at();
      turnTo(image, visual.frames[at]);
      const unseen = scale && this.kind !== "logit" ? this.unseen(overlay) : null;
      if (!scale || unseen) {
        this.clear([overlay], unseen ?? lane.gone());
        slider?.show(at, []);
        return;
      }
      const draw = this.lined ? lines : heat;
      draw(canvas, frameOf(overlay, at), maps.cols, scale.high, Number(this.opacity.value));
      plot.scale.show(scale.around ? -scale.high : 0, scale.high, heatMap(this.look, scale.around));
      if (this.kind === "even") plot.scale.name(`1/${TIMES}`, `${TIMES} times`);
      const looked = Array.from({ length: maps.frames }, (_, frame) => total(frameOf({ values: overlay.plain, maps }, frame)));
      slider?.show(at, looked);
      const text = this.read(overlay, looked);
      plot.chosen.textContent = text;
      canvas.setAttribute("aria-label",
        `${lane.title}: where token ${this.chosen + 1} looked in ${what}. ${text}`);
    }

    /** That nothing looks at a picture any more, if that is so. */
    unseen({ lane, visual, plain, what }) {
      const name = noun({ kind: "image", title: visual.title });
      if (this.chosen >= (lane.left?.[visual.segment] ?? Infinity)) return `Nothing looks at ${name} any more: the window has dropped it.`;
      const sum = total(plain);
      return sum < NOTHING ? `Next to nothing looks at ${/\d/.test(what) ? what : `the ${what}`} here: ${percent(sum)} of its attention.` : null;
    }

    /** What a map says, in words: how much, on which frame, and which patches are sinks. */
    read({ maps, what, plain, slider }, looked) {
      const most = slider ? `; most of it on frame ${looked.indexOf(Math.max(...looked)) + 1}` : "";
      if (this.kind === "logit") return `Highest ${number(Math.max(...plain))}${most}.`;
      const sum = this.masked?.checked
        ? `Sink patches left out; the rest makes up the whole${most}.`
        : `${number(total(looked))} of its attention is on ${/\d/.test(what) ? what : `the ${what}`}${most}.`;
      return `${sum}${sinks(maps, plain)}`;
    }
  }

  /** The patches that draw attention whatever is said, with what they get here. */
  function sinks(maps, values) {
    if (!maps.sink_patches.length) return "";
    const found = maps.sink_patches.map((patch) => [patch, values[patch]]).sort((one, other) => other[1] - one[1]);
    const named = found.slice(0, MOST_SINKS).map(([patch, value]) => {
      const inFrame = patch % maps.frame;
      const frame = maps.frames > 1 ? `frame ${Math.floor(patch / maps.frame) + 1}, ` : "";
      return `${frame}row ${Math.floor(inFrame / maps.cols) + 1}, column ${(inFrame % maps.cols) + 1} (${brief(value)})`;
    });
    const more = found.length - named.length;
    return ` Sink patches: ${named.join("; ")}${more > 0 ? `; and ${more} more` : ""}.`;
  }

  /** The cells of one frame. */
  function frameOf({ values, maps }, at) {
    return values.subarray(at * maps.frame, (at + 1) * maps.frame);
  }

  function readPatch(overlay, event) {
    const { values, plain, maps } = overlay;
    if (!values) return "";
    const box = event.currentTarget.getBoundingClientRect();
    const place = (at, start, length, count) =>
      Math.min(count - 1, Math.max(0, Math.floor(((at - start) / length) * count)));
    const row = place(event.clientY, box.top, box.height, maps.rows);
    const column = place(event.clientX, box.left, box.width, maps.cols);
    const cell = row * maps.cols + column;
    const value = frameOf({ values: plain, maps }, overlay.at())[cell];
    return `Row ${row + 1} · column ${column + 1} · ${value.toFixed(4)}`;
  }

  return { TokenView, sinks };
})();
