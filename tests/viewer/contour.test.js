"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { load } = require("./load.js");

const { line } = load("contour");

/** The area inside closed lines, by the crossings of pieces with many horizontal rays. */
function inside(pieces, x, y) {
  return pieces.filter(([fromX, fromY, toX, toY]) => {
    if (fromY > y === toY > y) return false;
    return x < fromX + ((y - fromY) / (toY - fromY)) * (toX - fromX);
  }).length % 2 === 1;
}

test("lines close around what is above a level, at the picture's edge as well", () => {
  const values = [9, 0, 0, 0, 0, 0, 0, 0, 6]; // 3 x 3
  const pieces = line(values, 3, 3);
  const ends = new Map();
  for (const [x, y, toX, toY] of pieces) {
    for (const end of [`${x.toFixed(6)} ${y.toFixed(6)}`, `${toX.toFixed(6)} ${toY.toFixed(6)}`]) ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  assert.ok([...ends.values()].every((count) => count === 2), "a line has a loose end");
  assert.deepEqual([[0.5, 0.5], [1.5, 1.5], [2.5, 2.5], [2.5, 0.5]].map(([x, y]) => inside(pieces, x, y)), [true, false, true, false]);
});

test("between centres values run evenly", () => {
  const across = line([0, 8, 0], 3, 4).flatMap(([x, y, toX, toY]) => [[x, y], [toX, toY]]);
  const at = across.filter(([, y]) => Math.abs(y - 0.5) < 1e-6).map(([x]) => x);
  assert.deepEqual([...new Set(at)].sort(), [1, 2]); // halfway between 0 and 8
});

test("a level that nothing reaches has no line", () => {
  assert.deepEqual(line([1, 2, 3, 4], 2, 5), []);
});
