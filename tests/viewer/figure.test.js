"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./elements.js");
const { load } = require("./load.js");

const { css, maps } = load("colour");
load("dom", "data");
const { heatmap, bands, bars, overlay, table } = load("figure");

const texts = (svg) => svg.all("text").map((node) => node.textContent);
const number = (node, name) => Number(node.attributes[name]);

/** Two layers and three tokens, of which one cell cannot be seen. */
function map(changes = {}) {
  return {
    rows: 2, columns: 3, first: 1, marked: new Set([1]), flags: [], label: (column) => "abc"[column],
    values: Float32Array.of(0, 0, 1, 0.5, NaN, 0.5), scale: { low: 0, high: 1, map: maps.light }, ...changes,
  };
}

/** Every rectangle and text of a figure lies on its paper, as far as their places say. */
function assertInside(svg) {
  const [width, height] = [number(svg, "width"), number(svg, "height")];
  assert.equal(svg.attributes.viewBox, `0 0 ${width} ${height}`);
  for (const cell of svg.all("rect")) {
    assert.ok(number(cell, "x") >= 0 && number(cell, "x") + number(cell, "width") <= width + 1e-6);
    assert.ok(number(cell, "y") >= 0 && number(cell, "y") + number(cell, "height") <= height + 1e-6);
  }
  for (const text of svg.all("text")) {
    assert.ok(number(text, "y") <= height && number(text, "x") <= width, text.textContent);
  }
}

test("a heatmap has every cell, runs of one colour in one piece, on white paper", () => {
  const svg = heatmap(map(), "A title", "attention, as a share of 1");
  const [paper, ...cells] = svg.all("rect");
  assert.equal(paper.attributes.fill, "#ffffff");
  assert.deepEqual([number(paper, "width"), number(paper, "height")], [number(svg, "width"), number(svg, "height")]);
  const [low, half, high] = [0, 127, 254].map((step) => css(maps.light, step));
  const drawn = cells.slice(0, 5).map(({ attributes: { x, width, fill } }) => [Number(x), Number(width), fill]);
  assert.deepEqual(drawn, [
    [54, 52, low], [106, 26, high], [54, 26, half], [80, 26, "rgb(128 128 128)"], [106, 26, half],
  ]);
  assertInside(svg);
});

test("a heatmap says its title, its axes, its words, its scale and what is not in view", () => {
  const said = texts(heatmap(map(), "A title", "attention, as a share of 1"));
  for (const text of ["A title", "layer", "token", "0", "▸ 1", "a", "b", "c", "1", "attention, as a share of 1",
    "▸ a layer that writes into BOS", "not in view"]) assert.ok(said.includes(text), text);
  const heads = texts(heatmap(map({ first: 0, marked: new Set() }), "Heads", "a share"));
  assert.ok(heads.includes("head") && !heads.includes("token") && !heads.includes("b"));
});

test("a figure of a dark page has the colours of a light one", () => {
  const dark = heatmap(map({ scale: { low: 0, high: 1, map: maps.dark } }), "A title", "a share");
  assert.equal(dark.all("rect")[1].attributes.fill, css(maps.light, 0));
  const drawn = bands({ title: "Drift", longest: 2, bands: [["BOS", "light-dark(rgb(1 2 3), rgb(9 9 9))", "M0 1Z"]] });
  assert.equal(drawn.all("path")[0].attributes.fill, "rgb(1 2 3)");
});

test("a long answer and a long title are not clipped", () => {
  const many = { columns: 1024, values: new Float32Array(2048), flags: [{ column: 1020, text: "the answers part" }] };
  const svg = heatmap(map(many), "A long title ".repeat(60).trim(), "a share");
  assert.ok(number(svg, "width") < 1700);
  assertInside(svg);
  assert.equal(svg.all("text").find((node) => node.textContent === "the answers part").attributes["text-anchor"], "end");
});

test("drift says its axes in their units, and names every part", () => {
  const svg = bands({ title: "Drift", longest: 40, bands: [["BOS", "rgb(1 2 3)", "M0 1Z"], ["Own words", "rgb(4 5 6)", "M0 0Z"]] });
  const said = texts(svg);
  for (const text of ["Drift", "share of attention", "token", "0 %", "50 %", "100 %", "1", "40", "BOS", "Own words"]) {
    assert.ok(said.includes(text), text);
  }
  assertInside(svg);
});

test("bars are as long as their shares", () => {
  const svg = bars({
    title: "Words", side: "word", foot: "probability", key: [["written here", "#000"]],
    rows: [{ label: "red", pieces: [[0.5, "#000"]], after: "50 %" }, { label: "blue", pieces: [[0.25, "#111"], [0.25, "#222"]], after: "" }],
  });
  const [, half, quarter, other] = svg.all("rect");
  assert.ok(Math.abs(number(half, "width") - 2 * number(quarter, "width")) < 1e-9);
  assert.ok(Math.abs(number(other, "x") - number(quarter, "x") - number(quarter, "width")) < 1e-9);
  assert.ok(["red", "50 %", "probability", "word", "written here", "100 %"].every((text) => texts(svg).includes(text)));
  assertInside(svg);
});

test("colours over a picture lie exactly over it, with what they stand for", () => {
  load("overlay");
  const canvas = { toDataURL: () => "data:image/png;base64,y" };
  const image = { naturalWidth: 100, naturalHeight: 50, src: "data:image/png;base64,x" };
  const svg = overlay({ image, canvas, title: "Where", note: "A note.", low: "0", high: "0.3", of: "attention" });
  const [below, above] = svg.all("image").map((node) => node.attributes);
  assert.deepEqual([below.href, above.href], [image.src, canvas.toDataURL()]);
  for (const side of ["x", "y", "width", "height"]) assert.equal(below[side], above[side]);
  assert.equal(Number(above.width), 2 * Number(above.height));
  for (const text of ["Where", "A note.", "0", "0.3", "attention"]) assert.ok(texts(svg).includes(text), text);
  assertInside(svg);
});

test("a table has its heads and every cell as text", () => {
  const svg = table({ title: "Lens", note: "", heads: ["Layer", "Said"], rows: [["1", "red 40 %"], ["0", "blue 9 %"]] });
  assert.deepEqual(texts(svg), ["Lens", "Layer", "Said", "1", "red 40 %", "0", "blue 9 %"]);
  assertInside(svg);
});
