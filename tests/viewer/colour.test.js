"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { load } = require("./load.js");

const { maps, around, step, css, gradient, parts: partColours } = load("colour");

const HIDDEN = 255;

/** A colour in OKLab from its bytes; Björn Ottosson, https://bottosson.github.io/posts/oklab/. */
function oklab(bytes) {
  const [r, g, b] = bytes.map((byte) => {
    const x = byte / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** Lightness of an entry of a map. */
const lightness = (map, index) => oklab([0, 1, 2].map((channel) => map[index * 3 + channel]))[0];

/** How much lightness each of `parts` equal pieces of the map from one entry to another adds. */
function rises(map, from, to, parts) {
  const at = Array.from({ length: parts + 1 }, (_, i) => Math.round(from + ((to - from) * i) / parts));
  return at.slice(1).map((index, i) => lightness(map, index) - lightness(map, at[i]));
}

test("a value is a step between the ends of its scale", () => {
  assert.equal(step(0, 0, 1), 0);
  assert.equal(step(0.5, 0, 1), 127);
  assert.equal(step(1, 0, 1), 254);
  assert.equal(step(0, -1, 1), 127);
});

test("a value outside its scale takes the nearest end", () => {
  assert.equal(step(-3, 0, 1), 0);
  assert.equal(step(3, 0, 1), 254);
});

test("a scale without width has one colour", () => {
  assert.equal(step(0.3, 0.3, 0.3), 0);
});

test("what is not visible has a grey of its own, which no value takes", () => {
  assert.equal(step(NaN, 0, 1), HIDDEN);
  for (const map of [maps.light, maps.dark, around.light, around.dark]) {
    assert.equal(css(map, HIDDEN), "rgb(128 128 128)");
  }
});

// a map begins with its page's own colour: dark colours stand out from a light page, light from a dark one
const THEMES = [["light", -1], ["dark", 1]];

test("equal steps look equal, away from the page", () => {
  for (const [theme, sign] of THEMES) {
    const pieces = rises(maps[theme], 0, 254, 16).map((rise) => sign * rise);
    const even = (sign * (lightness(maps[theme], 254) - lightness(maps[theme], 0))) / 16;
    assert.ok(even > 0.03);
    // colours that sRGB does not have are clipped, so that it is even but for a quarter
    for (const piece of pieces) assert.ok(piece > 0.75 * even && piece < 1.25 * even, `${theme}: ${pieces}`);
  }
});

test("a difference stands out by as much on either side of zero", () => {
  for (const [theme, sign] of THEMES) {
    const map = around[theme];
    for (const end of [0, 254]) {
      for (const rise of rises(map, 127, end, 12)) assert.ok(sign * rise > 0, theme);
    }
    assert.ok(Math.abs(lightness(map, 0) - lightness(map, 254)) < 0.03, theme);
    assert.notEqual(css(map, 0), css(map, 254));
  }
});

test("zero has no hue, so that it looks neither positive nor negative", () => {
  for (const [theme] of THEMES) {
    const [red, green, blue] = css(around[theme], 127).match(/\d+/g).map(Number);
    assert.ok(Math.max(red, green, blue) - Math.min(red, green, blue) <= 1, css(around[theme], 127));
  }
});

test("a legend runs over the whole map", () => {
  const shown = gradient(maps.light);
  assert.ok(shown.startsWith(`linear-gradient(90deg, ${css(maps.light, 0)}, `), shown);
  assert.ok(shown.endsWith(`, ${css(maps.light, 254)})`), shown);
});

test("neighbouring parts of a prompt stay apart on light pages and dark ones, however many there are", () => {
  const kinds = ["sink", "system", "history", "passage", "instruction", ...Array(9).fill("image"),
    "video", "video", "rest", "generated"];
  const segments = kinds.map((kind, at) => ({ name: `${kind} ${at}`, kind }));
  const colours = partColours(segments);
  for (const theme of [0, 1]) {
    const labs = segments.map(({ name }) => {
      const rgb = colours.get(name).match(/rgb\(([^)]+)\)/g)[theme];
      return oklab(rgb.match(/\d+/g).map(Number));
    });
    labs.slice(1).forEach((lab, at) => {
      const apart = Math.hypot(...lab.map((value, axis) => value - labs[at][axis]));
      assert.ok(apart > 0.06, `${kinds[at]} and ${kinds[at + 1]} are ${apart.toFixed(3)} apart`);
    });
  }
});
