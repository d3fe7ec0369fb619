"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

const { LaneData } = load("colour", "dom", "data");
load("contour", "figure", "save", "overlay");
load("moved", "card");
const { Explanations } = load("explanations");
const { Reliance, askedAbout, fallen, most } = load("reliance");

const lane = new LaneData({
  name: "plain", title: "Plain", ids: [7, 8, 9], tokens: ["A", " red", " dog"], finish: "length", layers: 1, heads: 1, sink: "AAAA", scale: 1,
}, 1);
const near = (found, wanted) => found.forEach((value, at) => assert.ok(Math.abs(value - wanted[at]) < 1e-9));

test("a word relied on the picture by as much as it loses without it, the most first", () => {
  const fell = fallen({ plain: [0.9, 0.8, 0.2], covered: [0.9, 0.1, 0.6] });
  near(fell, [0, 0.7, -0.4]);
  assert.deepEqual(most(fell, 5), [1]);
  assert.deepEqual(most([0.1, 0.3, 0.2], 2), [1, 2]);
});

test("it is said what would be covered, and nothing where there is nothing", () => {
  const of = (...kinds) => askedAbout(kinds.map((kind) => ({ kind })));
  assert.equal(of("system", "image"), "picture");
  assert.equal(of("image", "image"), "pictures");
  assert.equal(of("video"), "video");
  assert.equal(of("passage", "image"), "picture and passage");
  assert.equal(of("system", "instruction"), "");
});

test("the answer's words are shown with what they lose, and lead to the token", async () => {
  const asked = [];
  const chosen = [];
  const explanations = new Explanations(async (question) => {
    asked.push(question);
    return { lanes: { plain: { plain: [0.9, 0.8, 0.2], covered: [0.9, 0.1, 0.6] } } };
  });
  const parent = new FakeElement("div");
  const view = new Reliance(parent, [lane], "picture", explanations, (at) => chosen.push(at));
  view.draw({ around: new Uint8ClampedArray(768) });
  view.choose(1);
  await view.ask();
  assert.deepEqual(asked, [{ what: "reliance", at: 0 }]);
  assert.equal(view.note.textContent, "Words whose probability falls by at least 50 points without the picture: 1 of 3 in Plain.");
  const [{ spans }] = view.sides;
  assert.deepEqual(spans.map(({ title }) => title), ["90 % → 90 %", "80 % → 10 %", "20 % → 60 %"]);
  assert.deepEqual(spans.map((span) => span.classList.contains("stv-on")), [false, true, false]);
});

test("what the server cannot say is said, and can be asked again", async () => {
  const explanations = new Explanations(async () => ({ error: "The server no longer has this answer: ask again." }));
  const view = new Reliance(new FakeElement("div"), [lane], "picture", explanations, () => {});
  view.draw({ around: new Uint8ClampedArray(768) });
  await view.ask();
  assert.match(view.note.textContent, /no longer has/);
  assert.equal(view.button.disabled, false);
});
