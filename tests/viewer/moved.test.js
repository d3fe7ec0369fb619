"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./elements.js");
const { load } = require("./load.js");

const { LaneData } = load("colour", "dom", "data");
const { Moved, highest, said, bars } = load("moved");
const { pace } = load("card");

/** A lane of three tokens whose method moved these. */
const lane = (moved_at, changes = {}) => new LaneData({
  title: "Loud", tokens: ["a", "b", "c"], finish: "length", layers: 1, heads: 1, sink: "AAAA", scale: 1, moved_at, ...changes,
});
const ATTENTION = { kind: "attention", title: "attention", unit: "share" };
const LENGTH = { kind: "output", title: "attention output", unit: "length" };

test("bars of one kind share a scale, and what has no number counts for nothing", () => {
  const lanes = [lane([{ ...ATTENTION, values: [0.1, null] }]), lane([{ ...ATTENTION, values: [0.4] }]), lane(undefined)];
  assert.deepEqual([...highest(lanes)], [["attention", 0.4]]);
});

test("a token that was not moved has no bar, and the least move has one that can be seen", () => {
  const tops = (values, high) => [...bars(values, high).matchAll(/M([\d.]+) 1V([\d.]+)/g)].map(([, x, y]) => [x, y]);
  assert.deepEqual(tops([0.5, 0, 1e-9, null], 0.5), [["0.08", "0.000"], ["2.08", "0.920"], ["3.08", "0.000"]]);
  assert.equal(bars([], 1), "");
});

test("what was moved at a token is said with its unit", () => {
  const one = lane([]);
  const read = (kinds, index) => said(one, kinds, index);
  const both = [{ ...ATTENTION, values: [0.12, 0, 0.0001] }, { ...LENGTH, values: [7.9, 0, 0.031] }];
  assert.equal(read(both, 0), "Token 1 “a” · attention 12 %, attention output 7.9 times its length");
  assert.equal(read(both, 1), "Token 2 “b” · nothing moved");
  assert.equal(read(both, 2), "Token 3 “c” · attention under 0.1 %, attention output 3.1 % of its length");
  const [nats, other] = [{ title: "next word (KL)", unit: "nats" }, { title: "new", unit: "" }];
  assert.equal(read([{ ...nats, values: [0.0234] }, { ...other, values: [3] }], 0), "Token 1 “a” · next word (KL) 0.023 nats, new 3");
  assert.equal(read([{ ...nats, values: [null] }], 0), "Token 1 “a” · next word (KL) beyond any number");
});

test("a method that acted while the prompt was read says so at every later token", () => {
  const read = (values) => said(lane([]), [{ ...LENGTH, values }], 2);
  assert.equal(read([7.9]), "Token 3 “c” · nothing: it acted while the prompt was read");
  assert.equal(read([7.9, 1]), "Token 3 “c” · nothing moved");
});

test("the bars are one slider that follows the chosen token, as far as the answer goes", () => {
  const chosen = [];
  const shown = new Moved(lane([{ ...ATTENTION, values: [0.1, 0.2] }], { moved_words: "Moved." }), new Map([["attention", 0.2]]),
    (index) => chosen.push(index));
  const [words, slider, now] = shown.box.children;
  assert.equal(words.textContent, "Moved.");
  shown.choose(1);
  assert.deepEqual([slider.attributes["aria-valuenow"], slider.attributes["aria-valuemax"]], ["2", "3"]);
  assert.equal(slider.attributes["aria-valuetext"], "Token 2 “b” · attention 20 %");
  assert.equal(now.textContent, "Token 2 “b” · attention 20 %");
  const picture = slider.all("svg")[0];
  picture.getBoundingClientRect = () => ({ left: 100, width: 30 });
  picture.listeners.click({ clientX: 125 });
  assert.deepEqual(chosen, [2]);
  shown.choose(8);
  assert.equal(slider.attributes["aria-valuenow"], "3");
  assert.equal(now.textContent, "This answer has only 3 tokens.");
});

test("a method that moved nothing has its sentence in place of bars, and the plain model nothing", () => {
  const off = new Moved(lane([], { notice: "Off moved nothing." }), new Map(), () => {});
  assert.deepEqual(off.box.children.map((each) => each.textContent), ["Off moved nothing."]);
  off.choose(1);
  for (const moved_at of [[], undefined]) {
    const plain = new Moved(lane(moved_at), new Map(), () => {});
    plain.choose(0);
    assert.deepEqual(plain.box.children, []);
  }
});

test("how long it took is said once for all answers, and not at all where nobody knows", () => {
  const quick = { seconds_to_first_token: 0.05, tokens_per_second: 28.84 };
  const slow = { seconds_to_first_token: 0.04, tokens_per_second: 28.1 };
  assert.equal(pace([quick]), "The first word came after 0.05 s, then 28.8 tokens a second.");
  assert.equal(pace([slow, quick]), "The first word came after 0.05 s, then 28.8 tokens a second in each answer.");
  assert.equal(pace([{}, { seconds_to_first_token: null, tokens_per_second: null }]), "");
});
