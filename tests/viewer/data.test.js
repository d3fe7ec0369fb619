"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { load } = require("./load.js");

const { quantities, noun, LaneData, Maps, unpack, largest, mean, without, tokenRange } = load("colour", "dom", "data");

const packed = (...bytes) => Buffer.from(bytes).toString("base64");
const near = (actual, expected) => {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    if (Number.isNaN(value)) assert.ok(Number.isNaN(actual[i]), `${actual[i]} at ${i} is a number`);
    else assert.ok(Math.abs(actual[i] - value) < 1e-6, `${actual[i]} at ${i} is not ${value}`);
  });
};

/** Two layers, two heads; a byte is a hundredth. */
function lane(tokens, bytes, changes = {}) {
  return new LaneData({
    tokens, layers: 2, heads: 2, sink: packed(...bytes), scale: 2.54, finish: "length", ...changes,
  });
}
const two = () => lane(["a", "b"], [10, 20, 30, 50, 40, 255, 255, 255]);

test("a byte is a step of the scale and 255 is not a number", () => {
  near(unpack({ bytes: packed(0, 127, 254, 255), scale: 0.5 }), [0, 0.25, 0.5, NaN]);
  near(unpack({ bytes: "", scale: 1 }), []);
});

test("a mean leaves out what is not visible", () => {
  near([mean(Float32Array.of(0.2, NaN, 0.4))], [0.3]);
  assert.ok(Number.isNaN(mean(Float32Array.of(NaN, NaN))));
  assert.ok(Number.isNaN(mean(new Float32Array(0))));
});

test("the largest value of none, or of none that is visible, is zero", () => {
  assert.equal(largest([0.1, NaN, 0.5, 0.2]), 0.5);
  assert.equal(largest([NaN]), 0);
  assert.equal(largest([]), 0);
});

test("attention to BOS is given by layer, and as a mean over layers", () => {
  const { rows, values, tokens } = two().get("sink");
  assert.equal(rows, 2);
  // layers are rows: [layer 0: a, b], [layer 1: a, b]
  near(values, [0.15, 0.4, 0.4, NaN]);
  near(tokens, [0.275, 0.4]);
});

test("other quantities come as means over heads, token by token", () => {
  const other = lane(["a", "b"], Array(8).fill(0), {
    shares: { "image 2": { bytes: packed(1, 2, 3, 4), scale: 2.54 } },
    delivered: { bytes: packed(4, 3, 2, 1), scale: 2.54 },
  });
  assert.ok(other.has("image 2") && other.has("sink") && other.has("delivered"));
  assert.ok(!other.has("generated") && !two().has("image 2") && !two().has("delivered"));
  near(other.get("image 2").values, [0.01, 0.03, 0.02, 0.04]);
  near(other.get("delivered").values, [0.04, 0.02, 0.03, 0.01]);
});

test("probabilities are one row, and only there if every token has one", () => {
  const sure = lane(["a", "b"], Array(8).fill(0), { probabilities: [0.5, 1] });
  assert.ok(sure.has("probability"));
  const { rows, values } = sure.get("probability");
  assert.equal(rows, 1);
  near(values, [0.5, 1]);
  assert.ok(!lane(["a", "b"], Array(8).fill(0), { probabilities: [0.5] }).has("probability"));
});

test("a difference goes as far as the shorter answer", () => {
  const long = lane(["a", "b", "c"], [20, 20, 40, 40, 50, 50, 60, 60, 1, 1, 1, 1]);
  const short = lane(["a"], [10, 20, 30, 50]);
  const { rows, count, values } = long.minus(short, "sink");
  assert.deepEqual([rows, count], [2, 1]);
  near(values, [0.05, 0]);
  near(two().minus(long, "sink").values, [-0.05, -0.1, 0, NaN]);
});

test("the heads of a token are its own", () => {
  near(two().headsOf("sink", 0), [0.1, 0.2, 0.3, 0.5]);
  near(two().headsOf("sink", 1), [0.4, NaN, NaN, NaN]);
  near(two().headsOf("sink"), [0.25, 0.2, 0.3, 0.5]); // over the answer, of what is seen
});

test("what heads delivered is told token by token, or as a mean where that is all that came along", () => {
  const whole = { bytes: packed(10, 20, 30, 40, 50, 60, 70, 80), scale: 2.54 };
  const own = lane(["a", "b"], Array(8).fill(0), { delivered_heads: whole });
  near(own.headsOf("delivered", 1), [0.5, 0.6, 0.7, 0.8]);
  near(own.headsOf("delivered"), [0.3, 0.4, 0.5, 0.6]);
  const overTokens = { bytes: packed(1, 2, 3, 4), scale: 2.54, mean: true };
  const long = lane(["a", "b"], Array(8).fill(0), { delivered_heads: overTokens });
  assert.equal(long.headsOf("delivered", 1), null);
  near(long.headsOf("delivered"), [0.01, 0.02, 0.03, 0.04]);
  assert.equal(two().headsOf("delivered"), null);
});

test("a pinned layer and head take the place of the mean, until they are unpinned", () => {
  const pinned = two();
  const before = [...pinned.get("sink").tokens];
  pinned.pin({ layer: 1, head: 0 });
  near(pinned.get("sink").values, [0.1, 0.4, 0.3, NaN]); // layers x tokens of head 0
  near(pinned.get("sink").tokens, [0.3, NaN]);
  pinned.pin({ layer: 0, head: null });
  near(pinned.get("sink").tokens, [0.15, 0.4]);
  pinned.pin({ layer: null, head: null });
  near(pinned.get("sink").tokens, before);
});

test("probabilities of different words have no difference", () => {
  const written = (ids, probabilities) => lane(["a", "b"], Array(8).fill(0), { ids, probabilities });
  near(written([7, 8], [0.9, 0.5]).minus(written([7, 9], [0.6, 0.4]), "probability").values, [0.3, NaN]);
});

test("what BOS delivered is no share, because it can exceed 1", () => {
  const [, said] = quantities([]).get("delivered");
  assert.doesNotMatch(said, /share/);
  assert.match(said, /above 1/);
});

test("only the last token of an answer that ended is its end", () => {
  const ended = lane(["a", "<|im_end|>"], Array(8).fill(0), { finish: "eos" });
  assert.deepEqual([ended.nameOf(0), ended.nameOf(1)], ["a", "end"]);
  assert.equal(two().nameOf(1), "b");
});

test("why a token is not there is a sentence", () => {
  assert.equal(lane([], []).gone(), "No token was written.");
  assert.equal(lane(["a"], Array(4).fill(0)).gone(), "This answer has only 1 token.");
  assert.equal(two().gone(), "This answer has only 2 tokens.");
});

test("what is left after patches are left out sums to one", () => {
  const values = Float32Array.of(0.1, 0.6, 0.3);
  near(without(values, [1]), [0.25, 0, 0.75]);
  near(values, [0.1, 0.6, 0.3]);
  near(without(values, [0, 1, 2]), [0, 0, 0]);
});

test("all lanes share the range of their tokens, which is never empty", () => {
  const other = lane(["a"], [90, 90, 90, 90]);
  const { low, high } = tokenRange([two(), other], "sink");
  near([low, high], [0.275, 0.9]);
  const flat = tokenRange([other], "sink");
  assert.ok(flat.high > flat.low);
  assert.deepEqual(tokenRange([lane(["a"], Array(4).fill(255))], "sink"), { low: 0, high: 1e-3 });
});

/** Two tokens over one row of two patches, seen by two layers. */
const maps = (changes) =>
  new Maps({ frames: 1, rows: 1, cols: 2, layers: 2, scale: [2.55, 5.1], ...changes });

test("attention over the picture is the mean over the layers asked for", () => {
  const here = maps({ bytes: packed(10, 20, 30, 60, 1, 2, 3, 4) });
  near(here.mean(here.of(0), 0, 0, 1), [0.2, 0.4]);
  near(here.mean(here.of(0), 0, 1, 1), [0.3, 0.6]);
  near(here.mean(here.of(1), 1, 0, 0), [0.02, 0.04]);
  // fewer layers than asked for: the last one stands for those behind it
  near(here.mean(here.of(0), 0, 5, 9), [0.3, 0.6]);
});

test("the frames of a video are below one another in its map", () => {
  const video = maps({ frames: 2, layers: 1, bytes: packed(1, 2, 3, 4, 10, 20, 30, 40) });
  assert.deepEqual([video.frame, video.size], [2, 4]);
  near(video.mean(video.of(1), 1, 0, 0), [0.2, 0.4, 0.6, 0.8]);
});

test("a comparison can be coloured by every part that its prompt has", () => {
  const parts = [
    { name: "sink", kind: "sink", title: "BOS" },
    { name: "history", kind: "history", title: "Earlier turns" },
    { name: "passage", kind: "passage", title: "Passage" },
    { name: "image 2", kind: "image", title: "Picture 2" },
  ];
  assert.deepEqual([...quantities(parts).keys()],
    ["sink", "history", "passage", "image 2", "delivered", "probability"]);
  assert.deepEqual(parts.map(noun),
    ["the first token (BOS)", "earlier turns", "the passage", "picture 2"]);
  assert.deepEqual(quantities(parts).get("image 2"), ["Picture 2", "attention to picture 2"]);
});

test("maps that did not come along are read once, and again after a failure", async () => {
  const asked = [];
  let works = false;
  const far = maps({
    read: async (from, length) => {
      asked.push([from, length]);
      if (!works) throw new Error("gone");
      return Uint8Array.of(1, 2, 3, 4);
    },
  });
  await assert.rejects(far.of(1));
  works = true;
  await far.of(1);
  assert.deepEqual([...(await far.of(1))], [1, 2, 3, 4]);
  assert.deepEqual(asked, [[4, 4], [4, 4]]);
});

test("a prompt of texts alone offers no picture to colour by", () => {
  const segments = [["sink", "BOS"], ["passage", "Passage"], ["instruction", "Question"], ["generated", "Own words"]]
    .map(([name, title]) => ({ name, kind: name, title }));
  const offered = [...quantities(segments).values()].map(([title]) => title);
  assert.deepEqual(offered, ["BOS", "Passage", "Question", "Own words", "Delivered by BOS", "Probability"]);
});
