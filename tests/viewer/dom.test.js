"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

const { make, clamp, number, brief, percent, visible, choice } = load("colour", "dom");

test("a number has three decimals, and what is not visible is said", () => {
  assert.equal(number(0.12345), "0.123");
  assert.equal(number(0), "0.000");
  assert.equal(number(NaN), "not visible");
});

test("the ends of a scale have two figures and no needless zeros", () => {
  assert.equal(brief(0.6543), "0.65");
  assert.equal(brief(0.5), "0.5");
  assert.equal(brief(0), "0");
  assert.equal(brief(-0.0123), "-0.012");
});

test("a percentage below ten has a decimal", () => {
  assert.equal(percent(0.0312), "3.1 %");
  assert.equal(percent(0.0994), "9.9 %");
  assert.equal(percent(0.0996), "10 %");
  assert.equal(percent(0.314), "31 %");
  assert.equal(percent(1), "100 %");
});

test("clamp keeps a value between two others", () => {
  assert.deepEqual([clamp(-1, 0, 5), clamp(3, 0, 5), clamp(Infinity, 0, 5)], [0, 3, 5]);
});

test("a token without letters can still be seen", () => {
  assert.equal(visible(" word "), "word");
  assert.equal(visible("a\n"), "a↵");
  assert.equal(visible("\t"), "⇥");
  assert.equal(visible("  "), "␣");
  assert.equal(visible(""), "·");
});

test("an element's text stays text", () => {
  const node = make("p", "name", "<b>bold</b>");
  assert.deepEqual(node.children, ["<b>bold</b>"]);
  assert.ok(node instanceof FakeElement);
  assert.deepEqual(make("p").children, []);
});

test("a choice starts at its first option, at another, or at none", () => {
  const options = [["a", "A"], ["b", "B"]];
  const checked = (...more) => choice("What", options, () => {}, ...more).all("input")
    .filter((input) => input.checked).map((input) => input.value);
  assert.deepEqual(checked(), ["a"]);
  assert.deepEqual(checked("b"), ["b"]);
  assert.deepEqual(checked(null), []);
});

test("two choices are two groups, and a change says the value", () => {
  const said = [];
  const inputs = () => choice("What", [["a", "A"], ["b", "B"]], (value) => said.push(value)).all("input");
  const [first, second] = [inputs(), inputs()];
  assert.equal(first[0].name, first[1].name);
  assert.notEqual(first[0].name, second[0].name);
  second[1].listeners.change();
  assert.deepEqual(said, ["b"]);
});
