/* Attention over patches, laid over the pictures and videos that were asked about. */
const SinkTrackOverlay = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const HEAT = [226, 0, 116]; // no shape and few photographs have this colour

  /**
   * Show a picture or a frame of a video in a plot, under a canvas that takes the colours.
   * @param {object} plot from SinkTrackDom.figure
   * @param {{title: string, frames: string[]}} visual
   * @param {() => string} name of the file to save
   */
  function pictured(plot, visual, name) {
    const frame = make("div", "stv-picture");
    const image = make("img");
    Object.assign(image, { src: visual.frames[0], alt: `${visual.title}, as it was asked about` });
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    // As high as the style says, or as wide as there is room; never distorted.
    image.addEventListener("load", () =>
      frame.style.setProperty("--stv-ratio", image.naturalWidth / image.naturalHeight));
    frame.append(image, canvas);
    plot.box.append(frame);
    SinkTrackSave.addOverlay(plot.caption, () => ({ name: name(), image, canvas }));
    return { frame, canvas, image };
  }

  /** Show another frame of a video. */
  function turnTo(image, frame) {
    if (image.getAttribute("src") !== frame) image.setAttribute("src", frame);
  }

  /** A slider over the frames of a video, with a bar a frame for how much it was looked at. */
  function frames(count, label, onChange) {
    const box = make("div", "stv-frames");
    const bars = make("div", "stv-frame-bars");
    bars.setAttribute("aria-hidden", "true");
    bars.append(...Array.from({ length: count }, () => make("i")));
    const input = make("input");
    Object.assign(input, { type: "range", min: 0, max: count - 1, step: 1, value: 0, ariaLabel: label });
    const text = make("span", "stv-frame-number");
    input.addEventListener("input", () => onChange(Number(input.value)));
    bars.addEventListener("click", ({ target }) => {
      const at = [...bars.children].indexOf(target);
      if (at >= 0) onChange(at);
    });
    const slide = make("div", "stv-slide");
    slide.append(bars, input);
    box.append(slide, text);
    const show = (at, looked) => {
      const high = Math.max(...looked, 1e-9);
      [...bars.children].forEach((bar, i) => {
        bar.style.setProperty("--stv-height", `${(100 * (looked[i] ?? 0)) / high}%`);
        bar.classList.toggle("stv-on", i === at);
      });
      input.value = at;
      text.textContent = `Frame ${at + 1} of ${count}`;
      input.setAttribute("aria-valuetext", text.textContent);
    };
    return { box, show };
  }

  /** Colour a canvas of one pixel a patch: nothing where nobody looked, up to `opacity` at `high`. */
  function heat(canvas, values, columns, high, opacity) {
    canvas.width = columns;
    canvas.height = values.length / columns;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(canvas.width, canvas.height);
    values.forEach((value, i) => {
      pixels.data.set([...HEAT, 255 * opacity * Math.min(1, value / high)], 4 * i);
    });
    context.putImageData(pixels, 0, 0);
  }

  /** These colours as a map, for a legend. */
  function heatMap({ dark }) {
    const map = new Uint8ClampedArray(256 * 3);
    const paper = dark ? 40 : 255;
    for (let i = 0; i < 255; i++) {
      map.set(HEAT.map((level) => paper + ((level - paper) * i) / 254), 3 * i);
    }
    return map;
  }

  return { pictured, turnTo, frames, heat, heatMap };
})();
