"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

const { LaneData } = load("colour", "dom", "data");
load("figure", "save", "overlay");
const { Why, attention, unpacked } = load("why");

const lane = new LaneData({
  name: "plain", title: "Plain", ids: [7, 8], tokens: ["a", "b"], finish: "length", layers: 2, heads: 2, sink: "AAAAAAAAAAA=", scale: 1,
}, 1);

test("attention of a layer and head is its row, and without a choice the mean of all", () => {
  const values = Float32Array.from([1, 0, 0, 1, 0.5, 0.5, 0.2, 0.8]); // (2, 2, 2)
  const read = (layer, head) => [...attention(values, [2, 2, 2], layer, head)].map((value) => Number(value.toFixed(3)));
  assert.deepEqual(read("0", "1"), [0, 1]);
  assert.deepEqual(read("1", "mean"), [0.35, 0.65]);
  assert.deepEqual(read("mean", "mean"), [0.425, 0.575]);
});

test("attention comes with two bytes a number, and what is not seen is none", () => {
  const bytes = btoa(String.fromCharCode(254, 255, 0, 0, 255, 255, 255, 127));
  const [one, nothing, gone, half] = unpacked(bytes);
  assert.deepEqual([one, nothing, gone], [1, 0, NaN]);
  assert.ok(Math.abs(half - 0.5) < 1e-4);
});

test("without a server that can be asked there is no such section", () => {
  const parent = new FakeElement("div");
  new Why(parent, [lane], {}).choose(0);
  assert.equal(parent.children.length, 0);
});

test("what the server refuses is said, and what it said about a token is asked once", async () => {
  const asked = [];
  const view = new Why(new FakeElement("div"), [lane], { why: async (at) => {
    asked.push(at);
    return at ? { error: "The server no longer has this answer: ask again." } : { at, lanes: {}, prompt: { texts: [], parts: [], sinks: [], titles: {} } };
  } });
  view.choose(1);
  await view.look();
  assert.match(view.says.textContent, /no longer has this answer/);
  assert.equal(view.button.disabled, false);
  view.choose(0);
  await view.look();
  view.choose(1);
  view.choose(0);
  assert.deepEqual(asked, [1, 0]);
  assert.match(view.says.textContent, /likeliest word/);
});
