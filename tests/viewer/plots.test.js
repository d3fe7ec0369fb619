"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./elements.js");
const { load } = require("./load.js");

const { css, maps } = load("colour");
load("dom", "data");
const { Heatmap } = load("heatmap");
load("contour", "figure", "save");
const { heat, heatMap, scaleOf } = load("overlay");
const { sinks: sinkPatches } = load("token");
const { highest, ranked } = load("finder");
const { area } = load("drift");
const { sinks } = load("asked");
const { drawsItself, sentence } = load("anchor");

/** The corners of a path of absolute M, L and H, in order. */
function corners(path) {
  let y;
  return [...path.matchAll(/([MLH])([\d.]+)(?: ([\d.]+))?/g)].map(([, , x, level]) => {
    y = level ?? y;
    return [Number(x), Number(y)];
  });
}

test("a band goes along its top in steps of a token and back along its floor", () => {
  const path = area([0, 0.25], [0.5, 1]);
  assert.ok(path.endsWith("Z"));
  assert.deepEqual(corners(path), [
    [0, 1],
    [0, 0.5], [1, 0.5], [1, 0], [2, 0], // the top, where y runs down from 1
    [2, 0.75], [1, 0.75], [1, 1], [0, 1], // the floor
  ]);
});

test("a band covers the shares that it was given", () => {
  const [floor, top] = [[0.1, 0.2, 0], [0.3, 0.9, 0.5]];
  const points = corners(area(floor, top));
  const twice = points.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = points[(i + 1) % points.length];
    return sum + x * nextY - nextX * y;
  }, 0);
  assert.ok(Math.abs(Math.abs(twice) / 2 - (0.2 + 0.7 + 0.5)) < 1e-9);
});

test("the highest head is named by layer and head", () => {
  const lane = { heads: 2 };
  assert.equal(highest([0.1, 0.2, 0.7, 0.3], lane), "Highest 0.700 at layer 1, head 0");
  assert.equal(highest([NaN, 0.2, NaN, 0.3], lane), "Highest 0.300 at layer 1, head 1");
  assert.equal(highest([NaN, NaN], lane), "BOS is out of view");
});

test("a legend of colours over a picture begins with the page", () => {
  assert.equal(css(heatMap({ dark: false }), 0), "rgb(255 255 255)");
  assert.equal(css(heatMap({ dark: true }), 0), "rgb(40 40 40)");
  assert.equal(css(heatMap({ dark: true }), 254), css(heatMap({ dark: false }), 254));
});

test("heads are ranked by how much they have, or by how much they changed", () => {
  assert.deepEqual(ranked([0.1, -0.7, NaN, 0.3], 2, 2), [[0, 1, -0.7], [1, 1, 0.3]]);
});

test("an even map is pale, and maps that are compared have one scale", () => {
  const even = new Float32Array(25).fill(0.04);
  assert.ok(Math.abs(scaleOf([even]) - 0.16) < 1e-6); // four even shares, so a quarter of the colour
  const peaked = Float32Array.of(0, 0.9, 0.05, 0.05);
  assert.ok(Math.abs(scaleOf([even, peaked]) - 1) < 1e-6);
  const canvas = { classList: { toggle: () => {} }, getContext: () => ({
    createImageData: (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) }),
    putImageData: ({ data }) => (canvas.data = data),
  }) };
  heat(canvas, Float32Array.of(0.04, 0, -0.16, NaN), 2, 0.16, 1);
  assert.deepEqual([3, 7, 11, 15].map((at) => canvas.data[at]), [64, 0, 255, 0]);
  assert.notDeepEqual(canvas.data.slice(0, 3), canvas.data.slice(8, 11)); // another colour below zero
});

test("sink patches are told by where they are and how strong", () => {
  const picture = { sink_patches: [0, 5], frame: 6, frames: 1, cols: 3 };
  assert.equal(sinkPatches(picture, Float32Array.of(0.1, 0, 0, 0, 0, 0.25)),
    " Sink patches: row 2, column 3 (0.25); row 1, column 1 (0.1).");
  assert.equal(sinkPatches({ ...picture, sink_patches: [] }, []), "");
});

test("BOS among what it drew from is said, and not that it looks elsewhere in place of itself", () => {
  const segments = ["sink", "passage"];
  assert.equal(drawsItself({ sources: { segments, shares: [[0, 1], [0.4, 0.6]] } }), true);
  assert.equal(drawsItself({ sources: { segments, shares: [[0, 1]] } }), false);
  assert.equal(drawsItself({ sources: null }), false);
});

/** A heatmap of two rows and three columns, 10 x 20 pixels a cell, its canvas at (100, 50). */
function plot() {
  const canvas = { getBoundingClientRect: () => ({ left: 100, top: 50 }) };
  const sizes = { rows: 2, columns: 3, width: 10, height: 20 };
  return Object.assign(Object.create(Heatmap.prototype), {
    ...sizes, canvas, first: 1, values: Float32Array.of(0, 0, 1, 0.5, NaN, 0.5),
    scale: { low: 0, high: 1, map: maps.light },
  });
}

test("values are found by row and column", () => {
  assert.equal(plot().value(1, 0), 0.5);
  assert.deepEqual(plot().column(2), [1, 0.5]);
});

test("a pointer is in the cell below it, or in none", () => {
  const at = (clientX, clientY) => plot().cellAt({ clientX, clientY });
  assert.deepEqual(at(103, 53), { row: 0, column: 0 });
  assert.deepEqual(at(132, 92), { row: 1, column: 2 });
  for (const [x, y] of [[102, 60], [134, 60], [110, 52], [110, 94]]) assert.equal(at(x, y), null);
});

test("what was written is said in a sentence, and how long it was in another", () => {
  const sources = {
    names: ["BOS", "Other sinks", "Passage", "Picture 2"],
    segments: ["sink", "other", "passage", "image 2"],
    shares: [[0.83, 0.01, 0.16, 0], [0, 0.2, 0.3, 0.5], [0, 0, 1, 0]],
  };
  const writes = { layers: [10, 12, 14], sources, norms: [0.25, 2, 1], into: "output" };
  assert.equal(sentence(writes, 0), "Layer 10: 83 % of what was written into BOS was BOS itself. "
    + "It was 0.25 times as long as the residual that it joined.");
  assert.match(sentence(writes, 1), /^Layer 12: 50 % of what was written into BOS was picture 2\./);
  assert.match(sentence({ ...writes, into: "value" }, 2), /was the passage\. It was 1 times as long as BOS’s own value\.$/);
  assert.equal(sentence({ ...writes, sources: null, norms: null }, 0), "");
});

test("sinks are told by where they stand, what they say and whose they are", () => {
  const [line] = sinks([
    { position: 0, text: "<|im_start|>", title: "BOS" },
    { position: 7, text: "\n", title: "Passage" },
    { position: 20, text: "", title: "Picture" },
  ]);
  assert.equal(line.textContent, "Sinks of this prompt: 1 BOS “<|im_start|>”, 8 Passage “↵”, 21 Picture.");
  assert.deepEqual(sinks([]), []);
  const many = sinks(Array.from({ length: 15 }, (_, position) => ({ position, text: "", title: "BOS" })));
  assert.ok(many[0].textContent.endsWith(", and 3 more."));
});
