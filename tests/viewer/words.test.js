"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./elements.js");
const { load } = require("./load.js");

const { Words } = load("colour", "dom", "words");

const TEXT = "Two 😀 cats,  one dog.";
const words = (onChange = () => {}) => new Words(TEXT, "Mark", onChange);
const press = (view, key, shiftKey = false) => {
  let kept = false;
  view.key({ key, shiftKey, preventDefault: () => (kept = true) });
  return kept;
};

test("an answer keeps its text, blanks and all", () => {
  const view = words();
  assert.equal(view.box.textContent, TEXT);
  assert.deepEqual(view.words.map(({ node }) => node.textContent), ["Two", "😀", "cats,", "one", "dog."]);
});

test("spans count characters as Python does, and join neighbours", () => {
  const view = words();
  assert.ok(!view.any);
  view.set([2, 3], true);
  view.set([0], true);
  assert.ok(view.any);
  // Python: TEXT[0:3] == "Two", TEXT[6:16] == "cats,  one"
  assert.deepEqual(view.spans(TEXT), [[0, 3], [6, 16]]);
});

test("spans put back mark the same words again", () => {
  const view = words();
  view.set([1, 2, 4], true);
  const other = words();
  other.mark(view.spans(TEXT), TEXT);
  assert.deepEqual(other.words.map(({ marked }) => marked), [false, true, true, false, true]);
  other.mark([], TEXT);
  assert.ok(!other.any);
});

test("a span that covers part of a word marks it, and one that only touches it does not", () => {
  const view = words();
  view.mark([[1, 2], [5, 6]], TEXT); // the "w" of "Two", and the blank before "cats,"
  assert.deepEqual(view.words.map(({ marked }) => marked), [true, false, false, false, false]);
});

test("arrows move, space marks and takes back, shift marks along the way", () => {
  let changes = 0;
  const view = words(() => (changes += 1));
  assert.ok(press(view, "ArrowRight"));
  assert.equal(changes, 0);
  assert.ok(press(view, " "));
  assert.ok(press(view, "ArrowRight", true));
  assert.deepEqual(view.spans(TEXT), [[4, 11]]);
  assert.ok(press(view, " "));
  assert.deepEqual(view.spans(TEXT), [[4, 5]]);
  assert.equal(changes, 3);
});

test("arrows stop at the ends, and other keys are left to the page", () => {
  const view = words();
  press(view, "ArrowLeft");
  assert.equal(view.at, 0);
  for (let i = 0; i < 9; i++) press(view, "ArrowDown");
  assert.equal(view.at, 4);
  assert.equal(view.box.attributes["aria-activedescendant"], view.words[4].node.id);
  assert.ok(!press(view, "x"));
});

test("an answer without words has nothing to mark", () => {
  const view = new Words("", "Mark", () => {});
  assert.ok(!press(view, " ") && !press(view, "ArrowRight"));
  assert.deepEqual(view.spans(""), []);
});
