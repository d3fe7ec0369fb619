/* Attention over patches, laid over the pictures and videos that were asked about. */
const SinkTrackOverlay = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const HEAT = [226, 0, 116]; // no shape and few photographs have this colour
  const LESS = [0, 112, 200]; // below zero, or below an even share
  const LEVELS = [0.3, 0.55, 0.8]; // of the highest value, where lines run
  const SHARP = 480; // pixels across a canvas of lines
  const EVEN = 4; // how many even shares a scale covers at least, so that an even map is pale

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

  /** The end of a scale for maps that are compared: the highest value, and no less than some even shares. */
  function scaleOf(maps) {
    let high = 1e-6;
    for (const values of maps) {
      let sum = 0;
      for (const value of values) {
        sum += value;
        if (value > high) high = value;
      }
      high = Math.max(high, (EVEN * sum) / values.length);
    }
    return high;
  }

  /** Colour a canvas of one pixel a patch: nothing at zero, up to `opacity` at `high`; another colour below zero. */
  function heat(canvas, values, columns, high, opacity) {
    canvas.width = columns;
    canvas.height = values.length / columns;
    canvas.classList.toggle("stv-lined", false);
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(canvas.width, canvas.height);
    values.forEach((value, i) => {
      const strength = Math.min(1, Math.abs(value || 0) / high);
      pixels.data.set([...(value < 0 ? LESS : HEAT), 255 * opacity * strength], 4 * i);
    });
    context.putImageData(pixels, 0, 0);
  }

  /** Lines over a picture at a few levels, the higher the wider; broken below zero. */
  function lines(canvas, values, columns, high, opacity) {
    const rows = values.length / columns;
    canvas.width = SHARP;
    canvas.height = Math.round((SHARP * rows) / columns);
    canvas.classList.toggle("stv-lined", true);
    const context = canvas.getContext("2d");
    const [across, down] = [canvas.width / columns, canvas.height / rows];
    Object.assign(context, { globalAlpha: opacity, lineCap: "round" });
    for (const [sign, colour] of [[1, HEAT], [-1, LESS]]) {
      if (sign < 0 && !values.some((value) => value < 0)) continue;
      const signed = sign > 0 ? values : values.map((value) => -value);
      LEVELS.forEach((level, at) => {
        const pieces = SinkTrackContour.line(signed, columns, level * high);
        // white around the colour, so that a line is seen on any picture
        for (const [style, extra] of [["#fff", 3], [`rgb(${colour.join(" ")})`, 0]]) {
          context.strokeStyle = style;
          context.lineWidth = 2 + 1.5 * at + extra;
          context.setLineDash(sign > 0 || extra ? [] : [9, 7]);
          context.beginPath();
          for (const [x, y, toX, toY] of pieces) {
            context.moveTo(x * across, y * down);
            context.lineTo(toX * across, toY * down);
          }
          context.stroke();
        }
      });
    }
  }

  /** These colours as a map, for a legend and for words; `around` zero where values can be below it. */
  function heatMap({ dark }, around = false) {
    const map = new Uint8ClampedArray(256 * 3);
    const paper = dark ? 40 : 255;
    for (let i = 0; i < 255; i++) {
      const t = around ? (2 * i) / 254 - 1 : i / 254;
      map.set((t < 0 ? LESS : HEAT).map((level) => paper + (level - paper) * Math.abs(t)), 3 * i);
    }
    map.set([128, 128, 128], 3 * 255);
    return map;
  }

  return { LEVELS, pictured, turnTo, frames, scaleOf, heat, lines, heatMap };
})();
