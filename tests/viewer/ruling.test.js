"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom", "words", "sides");
load("own_questions", "pictures");
load("pair_form");
load("drafts");
load("ask");
const { marked } = load("ruling");

const vote = (...spans) => ({ left: { spans }, right: { spans: [] } });
const parts = (box) => box.children.map((child) => child.textContent ?? child);

test("words bear the numbers of all who marked them, in characters as Python counts", () => {
  const box = marked("A 🔵 blue star.", [vote([2, 3], [4, 8]), vote(), vote([4, 13])], "left");
  assert.deepEqual(parts(box), ["A ", "🔵1", " ", "blue1 3", " star3", "."]);
  const [, ball, , blue] = box.children;
  assert.deepEqual([ball, blue].map(({ style }) => style["--sj-share"]), [1 / 3, 2 / 3]);
});

test("an answer that nobody marked stands as it is, and spans beyond its end mark what there is", () => {
  assert.deepEqual(parts(marked("So it is.", [vote([0, 2])], "right")), ["So it is."]);
  assert.deepEqual(parts(marked("So", [vote([1, 9])], "left")), ["S", "o1"]);
});
