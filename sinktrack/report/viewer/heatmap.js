/* One heatmap on a canvas: rows are layers, columns are tokens or heads. It draws, says which cell is
 * pointed at, shows one chosen column, and marks columns where something happens. Knows nothing about
 * answers or attention.
 */
const SinkTrackHeatmap = (() => {
  "use strict";

  const ROW = { tallest: 22, shortest: 7, together: 230 }; // CSS pixels
  const COLUMN = { widest: 100, narrowest: 6, labelled: 40 };
  const EDGE = 3; // CSS pixels around the cells, for outlines
  const FADED = 90; // of 255: how strong the colours are that are not to be compared
  const WIDEST_CANVAS = 16000; // device pixels, below every browser's limit

  const { make, clamp } = SinkTrackDom;

  class Heatmap {
    /**
     * @param {HTMLElement} host where the plot goes
     * @param {object} options
     * @param {number} options.rows how many layers
     * @param {Set<number>} options.marked rows to mark at the axis
     * @param {string} options.across what the columns are, for the axis
     * @param {(column: number) => string} options.label text under a wide enough column
     * @param {(cell: {row: number, column: number} | null) => void} options.onPoint
     * @param {(column: number, row: number) => void} [options.onChoose]
     */
    constructor(host, options) {
      Object.assign(this, { columns: 0, room: 0, chosen: -1, pointed: null, flags: [] }, options);
      this.values = new Float32Array(0);
      this.canvas = make("canvas", "stv-canvas");
      this.picture = document.createElement("canvas"); // one pixel a cell
      this.sideAxis = make("div", "stv-axis-y");
      this.footAxis = make("div", "stv-axis-x");
      this.flagAxis = make("div", "stv-axis-flags");
      this.scroller = make("div", "stv-scroll");
      this.scroller.append(this.canvas, this.footAxis, this.flagAxis);
      const plot = make("div", "stv-plot");
      plot.append(this.sideAxis, this.scroller);
      host.append(plot);
      this.canvas.addEventListener("pointermove", (event) => this.point(this.cellAt(event)));
      this.canvas.addEventListener("pointerleave", () => this.point(null));
      this.canvas.addEventListener("click", (event) => {
        const cell = this.cellAt(event);
        if (cell && this.onChoose) this.onChoose(cell.column, cell.row);
      });
    }

    /**
     * @param {Float32Array} values row-major, rows x columns
     * @param {number} columns how many there are
     * @param {number} room for how many columns to leave room, so that plots side by side align
     * @param {{low: number, high: number, map: Uint8ClampedArray}} scale
     * @param {{column: number, text: string}[]} flags columns that something begins with
     * @param {number} faded the first of those columns that are there but not to be compared
     */
    show(values, columns, room, scale, flags = [], faded = Infinity) {
      Object.assign(this, { values, columns, room, scale, flags, faded, pointed: null });
      this.rows = columns ? values.length / columns : this.rows;
    }

    /** Fit the plot into its box and draw it. */
    draw(ink, paper) {
      Object.assign(this, { ink, paper });
      this.width = clamp(
        (this.scroller.clientWidth - 2 * EDGE) / Math.max(1, this.room), COLUMN.narrowest, COLUMN.widest);
      this.height = clamp(ROW.together / this.rows, ROW.shortest, ROW.tallest);
      const across = Math.max(1, this.room * this.width);
      const down = this.rows * this.height;
      this.ratio = Math.min(window.devicePixelRatio || 1, WIDEST_CANVAS / across);
      for (const [side, length] of [["width", across], ["height", down]]) {
        this.canvas[side] = Math.round((length + 2 * EDGE) * this.ratio);
        this.canvas.style[side] = `${length + 2 * EDGE}px`;
      }
      this.paint();
      this.drawAxes(across, down);
      this.redraw();
    }

    /** Show other values in as many columns; nothing else moves. */
    update(values) {
      this.values = values;
      this.paint();
      this.redraw();
    }

    /** Colour every cell into the small picture that `redraw` enlarges. */
    paint() {
      const { picture, values, columns, rows, faded = Infinity } = this;
      const { low, high, map } = this.scale;
      picture.width = Math.max(1, columns);
      picture.height = rows;
      const context = picture.getContext("2d");
      const pixels = context.createImageData(picture.width, rows);
      for (let i = 0; i < values.length; i++) {
        const step = SinkTrackColour.step(values[i], low, high) * 3;
        pixels.data.set([map[step], map[step + 1], map[step + 2], i % columns < faded ? 255 : FADED], i * 4);
      }
      context.putImageData(pixels, 0, 0);
    }

    redraw() {
      const { width, height, columns, rows } = this;
      const context = this.canvas.getContext("2d");
      const edge = EDGE * this.ratio;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      context.setTransform(this.ratio, 0, 0, this.ratio, edge, edge);
      if (!columns) return;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.picture, 0, 0, columns * width, rows * height);
      context.fillStyle = this.paper;
      if (width >= 9) {
        for (let c = 1; c <= columns; c++) context.fillRect(c * width - 1, 0, 1, rows * height);
      }
      for (let r = 1; r < rows; r++) context.fillRect(0, r * height - 1, columns * width, 1);
      context.setLineDash([4, 3]);
      context.strokeStyle = this.ink;
      context.lineWidth = 1.5;
      for (const { column } of this.flags) {
        context.beginPath();
        context.moveTo(column * width - 0.5, 0);
        context.lineTo(column * width - 0.5, rows * height);
        context.stroke();
      }
      context.setLineDash([]);
      if (this.chosen >= 0 && this.chosen < columns) {
        this.frame(context, this.chosen * width, 0, width, rows * height, 2);
      }
      for (const cell of [this.pinned, this.pointed]) {
        if (!cell) continue;
        this.frame(context, cell.column * width, cell.row * height, width, height, cell === this.pinned ? 2.5 : 1.5);
      }
    }

    /** An outline around cells that stands out from any colour: ink outside, paper inside. */
    frame(context, x, y, width, height, line) {
      context.lineWidth = line;
      for (const [colour, grow] of [[this.paper, -line / 2], [this.ink, line / 2]]) {
        context.strokeStyle = colour;
        context.strokeRect(x - grow - 0.5, y - grow, width + 2 * grow, height + 2 * grow - 1);
      }
    }

    drawAxes(across, down) {
      const every = Math.ceil(13 / this.height);
      const marks = [];
      for (let row = 0; row < this.rows; row++) {
        const marked = this.marked.has(row);
        const crowded = !marked && [1, -1].some(
          (side) => this.height < 13 && this.marked.has(row + side));
        if (!marked && (row % every || crowded)) continue;
        const mark = make("span", marked ? "stv-mark" : "", String(row));
        mark.style.top = `${(row + 0.5) * this.height}px`;
        marks.push(mark);
      }
      this.sideAxis.replaceChildren(...marks);
      this.sideAxis.style.height = `${down}px`;

      const wide = this.width >= COLUMN.labelled;
      const apart = wide ? 1 : [1, 2, 5, 10, 20, 50, 100].find((n) => n * this.width >= 26) || 200;
      const ticks = [];
      for (let column = 0; column < this.columns; column++) {
        const count = column + this.first;
        if (count % apart && (column || apart < 4)) continue;
        const tick = make("span", wide ? "stv-word" : "", wide ? this.label(column) : String(count));
        tick.style.left = `${(column + 0.5) * this.width}px`;
        if (wide) tick.style.width = `${this.width - 4}px`;
        ticks.push(tick);
      }
      this.footAxis.replaceChildren(...ticks);
      this.footAxis.style.width = `${across}px`;
      this.flagAxis.replaceChildren(...this.flags.map(({ column, text }, line) => {
        const flag = make("span", "", text);
        const left = column * this.width;
        // towards the middle, so that it stays inside
        if (left > across / 2) flag.style.right = `${across - left}px`;
        else flag.style.left = `${left}px`;
        flag.classList.toggle("stv-flag-left", left > across / 2);
        flag.style.top = `${line * 17}px`;
        return flag;
      }));
      this.flagAxis.style.width = `${across}px`;
      this.flagAxis.style.height = `${this.flags.length * 17}px`;
    }

    cellAt(event) {
      const box = this.canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - EDGE) / this.width);
      const row = Math.floor((event.clientY - box.top - EDGE) / this.height);
      const inside = column >= 0 && column < this.columns && row >= 0 && row < this.rows;
      return inside ? { row, column } : null;
    }

    point(cell) {
      const same = cell?.row === this.pointed?.row && cell?.column === this.pointed?.column;
      if (same) return;
      this.pointed = cell;
      this.redraw();
      this.onPoint(cell);
    }

    /** Show a column as chosen and bring it into the box's view, without moving the page. */
    choose(column) {
      this.chosen = column;
      this.redraw();
      const left = column * this.width;
      const { scrollLeft, clientWidth } = this.scroller;
      if (left < scrollLeft) this.scroller.scrollLeft = left - this.width;
      else if (left + this.width > scrollLeft + clientWidth) {
        this.scroller.scrollLeft = left + 2 * this.width - clientWidth;
      }
    }

    /** Show one cell as pinned, or none. */
    pin(cell) {
      this.pinned = cell;
      this.redraw();
    }

    value(row, column) {
      return this.values[row * this.columns + column];
    }

    /** All values of a column. */
    column(column) {
      return Array.from({ length: this.rows }, (_, row) => this.value(row, column));
    }
  }

  return { Heatmap };
})();
