/* Which layer and head every plot, picture and word shows: one of them, or the mean. */
const SinkTrackPin = (() => {
  "use strict";

  const { make, selection } = SinkTrackDom;
  const MEAN = "mean";

  class Pin {
    /**
     * @param {HTMLElement} parent
     * @param {LaneData[]} lanes
     * @param {(pinned: {layer: number | null, head: number | null}) => void} onPin null stands for the mean
     */
    constructor(parent, lanes, onPin) {
      this.pinned = { layer: null, head: null };
      const most = (what) => Math.max(...lanes.map((lane) => lane[what]));
      const options = (count) => [[MEAN, MEAN], ...Array.from({ length: count }, (_, at) => [at, String(at)])];
      const one = (title, name, count) => selection(title, options(count),
        (value) => onPin({ ...this.pinned, [name]: value === MEAN ? null : Number(value) }));
      this.layer = one("Layer", "layer", most("layers"));
      this.head = one("Head", "head", most("heads"));
      const box = make("div", "stv-controls stv-pin");
      Object.assign(box, { role: "group", ariaLabel: "What is shown everywhere" });
      box.append(this.layer.box, this.head.box);
      parent.append(box);
    }

    pin(pinned) {
      this.pinned = pinned;
      this.layer.select.value = pinned.layer ?? MEAN;
      this.head.select.value = pinned.head ?? MEAN;
    }
  }

  return { Pin };
})();
