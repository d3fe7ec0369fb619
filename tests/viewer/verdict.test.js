"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom");
const { show, wrongWords, agreement } = load("verdict");

/** The wrong words of an answer; null where words are not compared. */
const wrong = (said, truth) => wrongWords(said, truth)?.filter((each) => each.wrong).map(({ word }) => word) ?? null;

function shown(lanes, truth, right) {
  const host = new FakeElement("div");
  show(host, lanes, truth, right);
  return host;
}

test("it says how many different answers there are", () => {
  assert.equal(agreement(["a", "a "]), "Both answers are the same.");
  assert.equal(agreement(["a", "b"]), "The two answers differ.");
  assert.equal(agreement(["a", "a", "a"]), "All 3 answers are the same.");
  assert.equal(agreement(["a", "b", "c"]), "All 3 answers differ.");
  assert.equal(agreement(["a", "b", "a"]), "2 different answers among 3.");
});

test("the words that the right answer does not have are wrong", () => {
  assert.deepEqual(wrong("There is a small red star.", "There is a large red star."), ["small"]);
  assert.deepEqual(wrong("The star is at row one column two.", "The star is at row one column three."), ["two."]);
});

test("a right sentence is right wherever it stands", () => {
  const truth = "There is a large red star. There is a small blue cross.";
  assert.deepEqual(wrong("There is a small blue cross. There is a large black star.", truth), ["black"]);
});

test("an empty cell is a word, so a thing in the wrong place is seen", () => {
  assert.deepEqual(wrong("Row one: - red star - - -.", "Row one: - - red star - -."), ["-."]);
});

test("an answer that has next to nothing of the right one is not compared word by word", () => {
  assert.equal(wrong("I know only coloured shapes.", "No, there is no red star."), null);
  assert.equal(wrong("", "No."), null);
});

test("each answer that can be judged is called right or wrong, the others are left out", () => {
  const lanes = ["Yes.", "No.", "N"].map((text, at) => ({ title: `Lane ${at}`, text }));
  const host = shown(lanes, "No.", [false, true, null]);
  assert.deepEqual(host.all("li").map((each) => each.textContent), ["1Lane 0: wrong", "2Lane 1: right"]);
});

test("nothing is judged where the right answer is not known", () => {
  const host = shown([{ title: "A", text: "Yes." }, { title: "B", text: "No." }], null, [null, null]);
  assert.equal(host.textContent, "The two answers differ.");
});

test("of a long answer only what stands around a wrong word is shown", () => {
  const truth = Array.from({ length: 60 }, (_, at) => `w${at}`).join(" ");
  const [item] = shown([{ title: "A", text: truth.replace("w30", "bad") }], truth, [false]).all("li");
  assert.match(item.textContent, /wrong … w27 w28 w29 bad w31 w32 w33 … $/);
});

test("of a long right answer the beginning that all answers have is left out", () => {
  const words = Array.from({ length: 60 }, (_, at) => `w${at}`);
  const text = words.slice(0, 50).join(" ");
  const host = shown([{ title: "A", text }, { title: "B", text: words.join(" ") }], words.join(" "), [false, true]);
  assert.match(host.textContent, /differ\. Right: … w44 w45/);
  assert.match(shown([{ title: "A", text: "w1" }], "w0 w1", [false]).textContent, /Right: w0 w1/);
});

test("an answer is text and never markup", () => {
  const host = shown([{ title: "A", text: "a <b>x</b> c d" }], "a y c d", [false]);
  assert.deepEqual(host.all("b"), []);
  assert.deepEqual(host.all("mark").map((each) => each.textContent), ["<b>x</b>"]);
});
