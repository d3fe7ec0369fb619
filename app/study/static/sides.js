/* What the two answers of a pair are called: left and right, or first and second where they stand one
 * under the other. What is sent says left and right either way.
 */
const SinkTrackSides = (() => {
  "use strict";

  const NAMES = ["left", "right"];
  const STACKED = { left: "first", right: "second" };
  const narrow = globalThis.matchMedia?.("(max-width: 640px)"); // as in judge.css

  /** "left" or "first". */
  const sideName = (side) => (narrow?.matches ? STACKED[side] : side);

  /** The same at the beginning of a sentence. */
  const sideTitle = (side) => sideName(side).replace(/^./, (letter) => letter.toUpperCase());

  const onStacked = (listener) => narrow?.addEventListener("change", listener);

  return { NAMES, sideName, sideTitle, onStacked };
})();
