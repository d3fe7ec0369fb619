"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom");
const { axis, picture } = load("differences");
const { Changed } = load("changed");

const ROW = { method: "<b>vcd</b>", difference: "+0.100 (-0.050 to +0.250)", drawn: { value: 0.1, low: -0.05, high: 0.25, clear: false } };
const TABLE = { measures: [
  { measure: "accuracy", less: false, rows: [{ method: "baseline" }, ROW] },
  { measure: "CHAIR_i", less: true, rows: [{ method: "baseline" }, { ...ROW, drawn: { ...ROW.drawn, clear: true } }] },
  { measure: "of the first alone", less: false, rows: [{ method: "baseline" }] },
] };

test("an axis has round numbers, zero among them, and room for every value", () => {
  for (const values of [[-0.31, 0.02], [0.1, 0.4], [-3e-7, 2e-7], [0], [], [-1, -0.5], [123, 4567]]) {
    const { low, high, ticks, digits } = axis(values, 5);
    assert.ok(ticks.some((each) => Math.abs(each) < 1e-12), `${values}`);
    assert.ok(low < high && values.every((each) => low <= each + 1e-12 && each - 1e-12 <= high), `${values}`);
    assert.equal(new Set(ticks.map((each) => each.toFixed(digits))).size, ticks.length, `${values}`);
  }
});

test("each difference has a point at its value, filled where it is clear, and all is text", () => {
  const svg = picture(TABLE, ["baseline", "<b>vcd</b>"], 800);
  const [open, filled] = svg.all("circle");
  const scale = axis([0.1, -0.05, 0.25], 6);
  const x = 200 + ((0.1 - scale.low) / (scale.high - scale.low)) * (800 - 200 - 190);
  assert.ok(Math.abs(Number(open.attributes.cx) - x) < 1e-6);
  assert.match(open.attributes.class, /sr-open/);
  assert.doesNotMatch(filled.attributes.class, /sr-open/);
  const texts = svg.all("text").map((each) => each.textContent);
  assert.ok(texts.includes("<b>vcd</b>") && texts.includes("CHAIR_i (less is better)"));
  assert.ok(!texts.includes("of the first alone"));
  assert.match(svg.attributes["aria-label"], /accuracy, <b>vcd<\/b>: \+0\.100/);
});

test("a narrow figure leaves the numbers to the table", () => {
  const texts = picture(TABLE, ["baseline", "<b>vcd</b>"], 340).all("text").map((each) => each.textContent);
  assert.ok(!texts.includes(ROW.difference));
});

/** A view of changed items without a page, at one item. */
function atItem() {
  const opened = [];
  const view = Object.assign(Object.create(Changed.prototype), {
    item: { before: { item: "a" }, after: { item: "c" } },
    open: ({ item }) => opened.push(item),
  });
  const press = (key, event = {}) => {
    let kept = false;
    view.key({ key, target: {}, preventDefault: () => (kept = true), ...event });
    return kept;
  };
  return { view, press, opened };
}

test("arrow keys go to the item before and the next one, if there is one", () => {
  const { view, press, opened } = atItem();
  assert.ok(press("ArrowLeft") && press("ArrowRight"));
  view.item.after = null;
  assert.ok(!press("ArrowRight"));
  assert.deepEqual(opened, ["a", "c"]);
});

test("keys that choose in a list, and shortcuts of the browser, are left alone", () => {
  const { view, press, opened } = atItem();
  assert.ok(!press("ArrowRight", { target: { matches: (selector) => selector.includes("select") } }));
  for (const held of ["ctrlKey", "metaKey", "altKey", "shiftKey", "defaultPrevented"]) assert.ok(!press("ArrowRight", { [held]: true }));
  assert.ok(!press("a"));
  view.item = null;
  assert.ok(!press("ArrowRight"));
  assert.deepEqual(opened, []);
});

test("an answer is text in pieces, of which those that differ are marked", () => {
  const view = Object.assign(Object.create(Changed.prototype), { run: { methods: ["baseline", "vcd"] } });
  const box = view.said({ method: "vcd", pieces: [["a ", false], ["<i>red</i>", true]], right: false, scores: [["accuracy", "0 of 1"]] });
  assert.deepEqual(box.all("mark").map((each) => each.textContent), ["<i>red</i>"]);
  assert.deepEqual(box.all("i"), []);
  assert.match(box.textContent, /^2vcdwronga <i>red<\/i>Scoresaccuracy: 0 of 1$/);
});

test("pictures are ours alone", () => {
  const view = Object.assign(Object.create(Changed.prototype), { about: new FakeElement("div") });
  view.showAsked({ pictures: ["https://elsewhere.example/x.png", "data:image/png;base64,x"], passage: "<p>", earlier: [["Q", "A"]], said: "" });
  assert.deepEqual(view.about.all("img").map((each) => each.src), ["data:image/png;base64,x"]);
  assert.match(view.about.textContent, /Passage<p>Asked beforeQAnsweredA$/);
});
