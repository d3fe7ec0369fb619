/* Colour for numbers: maps whose lightness runs evenly in OKLab, for a light page and for a dark one,
 * so that a high value always stands out from the page and equal steps look equal. The diverging maps
 * have the page's own colour at zero. Knows nothing about attention.
 *
 * OKLab: Björn Ottosson, https://bottosson.github.io/posts/oklab/
 */
const SinkTrackColour = (() => {
  "use strict";

  const STEPS = 255; // bytes 0..254 are values, byte 255 is "not visible"
  const HIDDEN = 255;

  /* The page's end of the scale, then the far end: lightness, and hue in degrees. */
  const ENDS = {
    light: { lightness: [0.965, 0.3], hue: [95, 280] },
    dark: { lightness: [0.25, 0.955], hue: [280, 95] },
  };

  /** sRGB bytes of one OKLCH colour; what lies outside sRGB is clipped. */
  function oklch(lightness, chroma, hue) {
    const angle = (hue * Math.PI) / 180;
    const a = chroma * Math.cos(angle);
    const b = chroma * Math.sin(angle);
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    return [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ].map((linear) => {
      const x = Math.min(1, Math.max(0, linear));
      return Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
    });
  }

  /** 256 colours as bytes r, g, b: STEPS of the map, then the grey of what is not visible. */
  function table({ lightness, hue }) {
    const bytes = new Uint8ClampedArray(256 * 3);
    for (let i = 0; i < STEPS; i++) {
      const t = i / (STEPS - 1);
      const chroma = 0.025 + 0.105 * Math.sin(Math.PI * t) ** 0.8;
      const mix = (ends) => ends[0] + (ends[1] - ends[0]) * t;
      bytes.set(oklch(mix(lightness), chroma, mix(hue)), i * 3);
    }
    bytes.set([128, 128, 128], HIDDEN * 3);
    return bytes;
  }

  /** The same from one hue over the page's colour, at zero, to another. */
  function diverging(middle, end) {
    const bytes = new Uint8ClampedArray(256 * 3);
    for (let i = 0; i < STEPS; i++) {
      const t = (2 * i) / (STEPS - 1) - 1;
      const lightness = middle + (end - middle) * Math.abs(t);
      bytes.set(oklch(lightness, 0.14 * Math.abs(t) ** 0.8, t < 0 ? 45 : 190), i * 3); // zero has no hue
    }
    bytes.set([128, 128, 128], HIDDEN * 3);
    return bytes;
  }

  const maps = { light: table(ENDS.light), dark: table(ENDS.dark) };
  const around = { light: diverging(0.97, 0.48), dark: diverging(0.25, 0.8) };

  /** The step of a value on a scale from `low` to `high`; HIDDEN for NaN. */
  function step(value, low, high) {
    if (Number.isNaN(value)) return HIDDEN;
    const t = high > low ? (value - low) / (high - low) : 0;
    return Math.round(Math.min(1, Math.max(0, t)) * (STEPS - 1));
  }

  function css(map, index) {
    return `rgb(${map[index * 3]} ${map[index * 3 + 1]} ${map[index * 3 + 2]})`;
  }

  /** A CSS gradient over the whole map, from left to right. */
  function gradient(map) {
    const stops = Array.from({ length: 18 }, (_, i) => css(map, Math.round((i / 17) * (STEPS - 1))));
    return `linear-gradient(90deg, ${stops.join(", ")})`;
  }

  /* A hue for each kind of part, its lightness on a light page, and how colourful it is. */
  const PARTS = {
    sink: [185, 0.5, 0.085],
    other: [200, 0.68, 0.05],
    system: [320, 0.62, 0.11],
    history: [350, 0.78, 0.08],
    passage: [140, 0.66, 0.12],
    instruction: [90, 0.85, 0.125],
    image: [52, 0.73, 0.13],
    video: [28, 0.66, 0.14],
    rest: [200, 0.82, 0.012],
    generated: [275, 0.68, 0.1],
  };

  /** CSS colours for parts of a prompt by name, on light pages and dark ones. Pictures of one prompt
   * take turns in lightness and walk through the warm hues, so that neighbours stay apart. */
  function parts(segments) {
    const seen = {};
    return new Map(segments.map(({ name, kind }) => {
      const [hue, lightness, chroma] = PARTS[kind] ?? PARTS.rest;
      const nth = (seen[kind] = (seen[kind] ?? -1) + 1);
      const turned = hue - 14 * (nth % 4);
      const level = lightness - 0.15 * (nth % 2);
      const [light, dark] = [level, 0.56 + (level - 0.5) / 2].map((each) => `rgb(${oklch(each, chroma, turned).join(" ")})`);
      return [name, `light-dark(${light}, ${dark})`];
    }));
  }

  return { maps, around, step, css, gradient, parts };
})();
