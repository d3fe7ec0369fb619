"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

const { LaneData } = load("colour", "dom", "data");
load("figure", "save");
const { Nearly } = load("nearly");

/** A lane of two tokens: its ids, and the candidates at each. */
const lane = (title, ids, candidates, number) => new LaneData({
  title, name: title, ids, tokens: ids.map((id) => `w${id}`), finish: "length", layers: 1, heads: 1, sink: "AAAA", scale: 1,
  candidates: candidates && {
    ids: candidates.map((row) => row.map(([id]) => id)),
    texts: candidates.map((row) => row.map(([id]) => `w${id}`)),
    probabilities: candidates.map((row) => row.map(([, share]) => share)),
  },
}, number);

const shown = (lanes, partsAt, index) => {
  const parent = new FakeElement("div");
  const view = new Nearly(parent, lanes, partsAt);
  view.choose(index);
  return view;
};
const read = ({ list }) => list.children.map((row) => row.children.map((part) => part.textContent).join(" | "));

test("each lane lists its likeliest words, and says who wrote which", () => {
  const one = lane("Plain", [1, 5], [[[1, 0.6], [2, 0.3]], [[5, 1], [6, 0]]], 1);
  const two = lane("Loud", [2, 5], [[[2, 0.7], [1, 0.0004]], [[5, 1], [6, 0]]], 2);
  const [plain, loud] = shown([one, two], 0, 0).sides;
  assert.deepEqual(read(plain), ["w1 | 60 % | written here", "w2 | 30 % | written by Loud"]);
  assert.deepEqual(read(loud), ["w2 | 70 % | written here", "w1 | < 0.1 % | written by Plain"]);
});

test("a word that is not among the likeliest is named with how unlikely it was at most", () => {
  const one = lane("Plain", [1], [[[1, 0.6], [2, 0.02]]], 1);
  const two = lane("Loud", [9], [[[2, 0.7], [1, 0.1]]], 2);
  const [plain, loud] = shown([one, two], 0, 0).sides;
  assert.equal(plain.plot.chosen.textContent, "“w9”, which Loud wrote, is none of these: below 2.0 %.");
  assert.match(loud.plot.chosen.textContent, /^Its own word “w9” was none of these, .* below 10 %\.$/);
});

test("words that a method forbids are left out, which it says", () => {
  const [side] = shown([lane("VCD", [1], [[[1, 1], [2, 0], [3, 0]]], 1)], null, 0).sides;
  assert.deepEqual(read(side), ["w1 | 100 % | written here"]);
  assert.equal(side.plot.chosen.textContent, "The method forbade every other word.");
});

test("behind the parting other lanes' words are not compared, and a lane that has ended says so", () => {
  const one = lane("Plain", [1], [[[1, 0.6]]], 1);
  const two = lane("Loud", [2, 5], [[[2, 0.7]], [[5, 0.9]]], 2);
  const view = shown([one, two], 0, 1);
  assert.match(view.remark.textContent, /parted before this token/);
  assert.deepEqual(read(view.sides[1]), ["w5 | 90 % | written here"]);
  assert.equal(view.sides[0].plot.chosen.textContent, "This answer has only 1 token.");
  assert.equal(view.heading.textContent, "What nearly stood at token 2");
});

test("a few rows are shown at first, those that a lane wrote among them, and all when they are asked for", () => {
  const many = Array.from({ length: 10 }, (_, at) => [at + 1, 0.5 / 2 ** at]);
  const view = shown([lane("Plain", [1], [many], 1), lane("Loud", [9], [many], 2)], 0, 0);
  assert.deepEqual(read(view.sides[0]).map((row) => row.split(" ")[0]), ["w1", "w2", "w3", "w4", "w5", "w9"]);
  view.more.listeners.click();
  assert.equal(read(view.sides[0]).length, 10);
  assert.equal(view.more.attributes["aria-expanded"], "true");
});

test("how likely another lane's word was exactly is said once the server has told it", () => {
  const one = lane("Plain", [1], [[[1, 0.6], [2, 0.02]]], 1);
  const two = lane("Loud", [9], [[[2, 0.7], [9, 0.1]]], 2);
  const view = shown([one, two], 0, 0);
  view.know({ at: 0, lanes: { Plain: { others: { Loud: 0.0123 } }, Loud: { others: {} } } });
  assert.equal(view.sides[0].plot.chosen.textContent, "“w9”, which Loud wrote, is none of these: 1.2 %.");
  view.know({ at: 0, lanes: { Plain: { others: { Loud: 0.00001 } } } });
  assert.match(view.sides[0].plot.chosen.textContent, /1 in 100,000\.$/);
});

test("from the parting on the others can be let go on from a lane's words, but not from its end", () => {
  const asked = [];
  const one = lane("Plain", [1, 3], [[[1, 0.6]], [[3, 1]]], 1);
  const two = lane("Loud", [1, 4], [[[1, 0.7]], [[4, 1]]], 2);
  Object.assign(two, { finish: "eos" });
  const view = new Nearly(new FakeElement("div"), [one, two], 1, (what) => asked.push(what));
  view.choose(0);
  assert.deepEqual(view.sides.map(({ force }) => force.hidden), [true, true]);
  view.choose(1);
  assert.deepEqual(view.sides.map(({ force }) => force.hidden), [false, true]);
  view.sides[0].force.listeners.click();
  assert.deepEqual(asked, [{ lane: "Plain", at: 1 }]);
});

test("a word that was told is marked as told", () => {
  const told = Object.assign(lane("Plain", [1], [[[1, 0.6], [2, 0.3]]], 1), { told: 1 });
  assert.equal(read(shown([told], null, 0).sides[0])[0], "w1 | 60 % | told");
});

test("answers that were kept without candidates have no such section", () => {
  const parent = new FakeElement("div");
  new Nearly(parent, [lane("Old", [1], null, 1)], null).choose(0);
  assert.equal(parent.children.length, 0);
});
