"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

const { LaneData } = load("colour", "dom", "data");
load("contour", "figure", "save", "overlay");
const { Explanations, Looked, attention, given, placesOf, unpacked } = load("explanations");
const { said: lookedMost, shared, strongest } = load("looked");
const { Why, change } = load("why");

const lane = new LaneData({
  name: "plain", title: "Plain", ids: [7, 8], tokens: ["a", "b"], finish: "length", layers: 2, heads: 2, sink: "AAAAAAAAAAA=", scale: 1,
}, 1);
const short = (values) => [...values].map((value) => Number(value.toFixed(3)));

/** Probabilities as the server packs them. */
const bytes = (values) => btoa(values.map((value) => {
  const step = Number.isNaN(value) ? 65535 : Math.round(value * 65534);
  return String.fromCharCode(step % 256, step >> 8);
}).join(""));
const prompt = { texts: ["<s>", null, " cat"], parts: ["sink", "image", "instruction"], titles: { sink: "BOS", instruction: "Question" }, sinks: [0] };
const explanation = (at) => ({ at, lanes: { plain: {
  prompt, others: {},
  lens: { texts: [["a"], ["b"]], probabilities: [[1], [1]], ranks: [1, 2] },
  attention: { bytes: bytes(Array(12).fill(0.25)), shape: [2, 2, 3] },
} } });

test("attention of a layer and head is its row, and without a choice the mean of all", () => {
  const values = Float32Array.from([1, 0, 0, 1, 0.5, 0.5, 0.2, 0.8]); // (2, 2, 2)
  const read = (layer, head) => short(attention(values, [2, 2, 2], layer, head));
  assert.deepEqual(read(0, 1), [0, 1]);
  assert.deepEqual(read(1, null), [0.35, 0.65]);
  assert.deepEqual(read(null, null), [0.425, 0.575]);
});

test("what some heads cannot see is the mean of those that can, and what none sees is no number", () => {
  const values = Float32Array.from([NaN, NaN, 0.5, NaN]); // (2, 1, 2)
  assert.deepEqual(short(attention(values, [2, 1, 2], null, null)), [0.5, NaN]);
  assert.deepEqual(short(attention(values, [2, 1, 2], 0, 0)), [NaN, NaN]);
});

test("the other way round each word has what it gave to all chosen places together", () => {
  const looks = Float32Array.from([0.6, 0.4, NaN, 0.1, 0.2, 0.7, NaN, NaN, NaN]); // 3 words, 3 places
  assert.deepEqual(short(given(looks, 3, [0, 1])), [1, 0.3, NaN]);
  assert.deepEqual(short(given(looks, 3, [2])), [NaN, 0.7, NaN]);
  assert.equal(lookedMost([0.1, 0.7, NaN], 0, lane).replace(/\.$/, ""), "Looked there most: “b” (token 2) 0.7, “a” (token 1) 0.1");
  assert.equal(lookedMost([0, NaN], 3, lane), "No word of the answer looked there. Only the last 2 words were fetched.");
});

test("attention comes with two bytes a number, and what is not seen is none", () => {
  const [one, nothing, gone, half] = unpacked(bytes([1, 0, NaN, 0.5]));
  assert.deepEqual([one, nothing, gone], [1, 0, NaN]);
  assert.ok(Math.abs(half - 0.5) < 1e-4);
});

test("the pictures of a prompt are counted in the order in which they stand", () => {
  const parts = ["sink", "image 1", "image 1", "rest", "video", "image 2"];
  assert.deepEqual([0, 1, 2, 3].map((visual) => placesOf({ parts }, visual)), [[1, 2], [4], [5], []]);
});

test("what heads gave to some places is the sum over them, of which some may be out of view", () => {
  const looked = new Looked({ prompt: { sinks: [0, 2] }, attention: { shape: [1, 2, 3], bytes: bytes([0.5, 0.1, 0.3, NaN, 0.6, 0.2]) } });
  assert.deepEqual(short(looked.on([0, 2])), [0.8, 0.2]);
});

test("a picture shaded by attention says where most of it is", () => {
  assert.equal(strongest(Float32Array.of(0.1, 0, 0.02, 0.75, 0, 0), 3), "Most attention, 0.75, is on row 2, column 1.");
});

test("sinks do not set the scale, because all else would be pale", () => {
  const high = shared([{ row: Float32Array.of(0.9, 0.02, NaN, 0.08), prompt: { sinks: [0] } }]);
  assert.ok(high < 0.3 && high >= 0.08, String(high));
});

test("without a server that can be asked there is no such section", () => {
  const parent = new FakeElement("div");
  new Why(parent, [lane], {}, null, {}).choose(0);
  assert.equal(parent.children.length, 0);
});

test("where a server answers only once asked, the section says so", () => {
  const parent = new FakeElement("div");
  new Why(parent, [lane], { hint: "Press Ask first." }, null, {}).choose(0);
  assert.match(parent.textContent, /Look inside.*Press Ask first\./);
  assert.equal(parent.all("button").length, 0);
});

test("all patches of the prompt's pictures are chosen at once, and which heads looked there is offered", async () => {
  let told = 0;
  const view = new Why(new FakeElement("div"), [lane], { visuals: [{}] }, new Explanations(async ({ at }) => explanation(at)), {
    know: () => {}, select: () => (told += 1), heads: () => {},
  });
  view.choose(1);
  const own = { own: { prompt: { ...prompt, parts: ["sink", "image 1", "video", "rest"] } } };
  Object.assign(view, { views: [own], shown: {}, paint: () => view.offer() });
  view.offer();
  assert.deepEqual([view.heads.disabled, view.whole.hidden], [true, false]);
  view.whole.listeners.click();
  assert.deepEqual([...view.selected], [1, 2]);
  assert.deepEqual([view.heads.disabled, view.whole.hidden, view.cover.textContent], [false, true, "Cover these 2"]);
  view.clear.listeners.click();
  assert.deepEqual([view.selected.size, told], [0, 2]);
});

test("questions go out one at a time, and what was said is not asked again", async () => {
  const asked = [];
  let running = 0;
  const explanations = new Explanations(async (question) => {
    assert.equal(++running, 1);
    asked.push(question.at);
    await Promise.resolve();
    running -= 1;
    return explanation(question.at);
  });
  const ask = (at) => explanations.get({ what: "explain", at });
  await Promise.all([ask(0), ask(1), ask(0)]);
  assert.deepEqual(asked, [0, 1]);
  assert.deepEqual(short(explanations.whole(0, "plain").row(null, null)), [0.25, 0.25, 0.25]);
  assert.equal(explanations.whole(5, "plain"), null);
  assert.equal(explanations.whole(0, "another"), null);
});

test("only so many answers of the server are kept, and a refusal is none of them", async () => {
  const explanations = new Explanations(async ({ at }) => (at === 99 ? { error: "No." } : explanation(at)));
  for (let at = 0; at < 40; at++) await explanations.get({ what: "explain", at });
  assert.equal(explanations.kept.size, 24);
  assert.equal(explanations.known({ what: "explain", at: 0 }), undefined);
  assert.ok(explanations.known({ what: "explain", at: 39 }));
  assert.deepEqual(await explanations.get({ what: "explain", at: 99 }), { error: "No." });
  assert.equal(explanations.known({ what: "explain", at: 99 }), undefined);
});

test("a server that breaks off or gives nothing is a sentence", async () => {
  for (const answer of [async () => undefined, async () => assert.fail("gone")]) {
    const explanations = new Explanations(answer);
    assert.match((await explanations.get({ what: "explain", at: 0 })).error, /did not answer/);
    assert.equal(explanations.kept.size, 0);
  }
});

test("what nobody wants to know any more at its turn is not asked", async () => {
  const asked = [];
  const explanations = new Explanations(async (question) => {
    asked.push(question.at);
    return explanation(question.at);
  });
  const steps = [0, 1, 2, 3].map((at) => explanations.get({ what: "maps", at }, () => at === 3));
  assert.match((await steps[1]).error, /Something else/);
  assert.equal((await steps[3]).at, 3);
  assert.deepEqual(asked, [3]);
});

test("what the server refuses is said, and the button can be pressed again", async () => {
  const explanations = new Explanations(async () => ({ error: "The server no longer has this answer: ask again." }));
  const view = new Why(new FakeElement("div"), [lane], { visuals: [] }, explanations, { know: () => assert.fail() });
  view.choose(1);
  await view.look();
  assert.match(view.says.textContent, /no longer has this answer/);
  assert.equal(view.button.disabled, false);
});

test("what became of a word is said with both probabilities", () => {
  const said = change({ plain: 0.82, without: 0.0004, instead: [{ text: " dog", probability: 0.6 }] }, lane, 1, 3);
  assert.equal(said, "After Plain’s words the plain model gives “b” 82 %; with these 3 tokens covered < 0.1 %. Likeliest then: “dog” 60 %.");
  assert.match(change({ plain: 1, without: 1, instead: [] }, lane, 1, 0), /with this head silenced 100 %/);
});
