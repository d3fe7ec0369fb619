/* The pictures that a pair is about: each opens large, where it can be zoomed and moved, and the arrow
 * keys go to the next one.
 */
const SinkTrackPictures = (() => {
  "use strict";

  const { make, clamp } = SinkTrackDom;
  const MOST = 8; // times its size on the screen
  const STEP = 1.3; // of a key
  const WHEEL = 0.002; // of a pixel of the wheel, as a logarithm

  const pressed = (text, label, act) => {
    const node = Object.assign(make("button", "sj-button sj-quiet", text), { type: "button" });
    node.setAttribute("aria-label", label);
    node.addEventListener("click", act);
    return node;
  };

  /** How a picture lies in its stage: `scale` times as large, its corner moved by x and y pixels. */
  class Zoom {
    constructor() {
      Object.assign(this, { scale: 1, x: 0, y: 0 });
    }

    /** Make it larger by a factor, so that what is at a point of the stage stays there. */
    by(factor, [x, y], [width, height]) {
      const scale = clamp(this.scale * factor, 1, MOST);
      const grown = scale / this.scale;
      this.scale = scale;
      this.move(x - (x - this.x) * grown - this.x, y - (y - this.y) * grown - this.y, [width, height]);
    }

    /** Move it, but never so far that the stage shows what is beside it. */
    move(x, y, [width, height]) {
      this.x = clamp(this.x + x, width * (1 - this.scale), 0);
      this.y = clamp(this.y + y, height * (1 - this.scale), 0);
    }
  }

  class Pictures {
    /** @param {string[]} sources data URLs */
    constructor(sources) {
      this.sources = sources;
      this.names = sources.map((_, at) => (sources.length > 1 ? `Picture ${at + 1}` : "The picture"));
      this.fingers = new Map(); // pointer -> where it is
      this.dialog = make("dialog", "sj-large");
      Object.assign(this.dialog, { tabIndex: -1 });
      this.image = Object.assign(make("img"), { draggable: false });
      this.stage = make("div", "sj-stage");
      this.stage.append(this.image);
      this.title = make("span", "sj-large-title");
      const bar = make("div", "sj-row");
      bar.append(this.title, pressed("−", "Smaller", () => this.zoomBy(1 / STEP)), pressed("+", "Larger", () => this.zoomBy(STEP)));
      if (sources.length > 1) {
        bar.append(pressed("←", "Picture before", () => this.turn(-1)), pressed("→", "Next picture", () => this.turn(1)));
      }
      bar.append(pressed("Close", "Close", () => this.dialog.close()));
      this.dialog.append(bar, this.stage);
      this.listen();
    }

    /** Every picture as a button that opens it. */
    thumbnails() {
      return this.sources.map((src, at) => {
        const open = Object.assign(make("button", "sj-picture"), { type: "button" });
        open.append(Object.assign(make("img"), { src, alt: this.names[at] }));
        open.setAttribute("aria-label", `${this.names[at]}: enlarge`);
        open.addEventListener("click", () => this.open(at));
        return open;
      });
    }

    open(at) {
      this.show(at);
      this.dialog.showModal(); // gives the focus back when it is closed
      this.dialog.focus();
    }

    show(at) {
      const many = this.sources.length;
      this.at = (at + many) % many;
      Object.assign(this.image, { src: this.sources[this.at], alt: this.names[this.at] });
      this.title.textContent = many > 1 ? `${this.names[this.at]} of ${many}` : this.names[this.at];
      this.dialog.setAttribute("aria-label", this.title.textContent);
      this.zoom = new Zoom();
      this.draw();
    }

    turn(step) {
      this.show(this.at + step);
    }

    get size() {
      return [this.stage.clientWidth, this.stage.clientHeight];
    }

    zoomBy(factor, at = this.size.map((each) => each / 2)) {
      this.zoom.by(factor, at, this.size);
      this.draw();
    }

    draw() {
      const { x, y, scale } = this.zoom;
      this.image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
      this.stage.classList.toggle("sj-zoomed", scale > 1);
    }

    listen() {
      const { dialog, stage } = this;
      dialog.addEventListener("keydown", (event) => this.key(event));
      dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
      stage.addEventListener("wheel", (event) => {
        event.preventDefault();
        this.zoomBy(Math.exp(-WHEEL * event.deltaY), this.place(event));
      }, { passive: false });
      stage.addEventListener("pointerdown", (event) => {
        stage.setPointerCapture(event.pointerId);
        this.fingers.set(event.pointerId, this.place(event));
      });
      stage.addEventListener("pointermove", (event) => this.dragged(event));
      for (const end of ["pointerup", "pointercancel"]) {
        stage.addEventListener(end, (event) => this.fingers.delete(event.pointerId));
      }
    }

    /** Where something happened, in pixels of the stage. */
    place({ clientX, clientY }) {
      const { left, top } = this.stage.getBoundingClientRect();
      return [clientX - left, clientY - top];
    }

    /** One finger moves the picture, two of them zoom it. */
    dragged(event) {
      const before = this.fingers.get(event.pointerId);
      if (!before) return;
      const now = this.place(event);
      this.fingers.set(event.pointerId, now);
      const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const apart = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
        this.zoomBy(apart(now) / apart(before), other);
        return;
      }
      this.zoom.move(now[0] - before[0], now[1] - before[1], this.size);
      this.draw();
    }

    /** The page's own keys rest while a picture is large. */
    key(event) {
      event.stopPropagation();
      const turn = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const zoom = { "+": STEP, "=": STEP, "-": 1 / STEP, 0: 1 / MOST }[event.key];
      if (turn) this.turn(turn);
      else if (zoom && !event.ctrlKey && !event.metaKey) this.zoomBy(zoom);
      else return;
      event.preventDefault();
    }
  }

  return { Pictures, Zoom };
})();
