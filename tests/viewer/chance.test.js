"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom");
const { chance, conclusion } = load("chance");

const PLAIN = { title: "Plain", right: 40, value: 0.8, low: 0.67, high: 0.89, against: null };
const OTHER = { title: "Other", right: 46, value: 0.92, low: 0.81, high: 0.97,
  against: { value: 0.12, low: 0.02, high: 0.22, p: 0.031, p_holm: 0.031, better: 7, worse: 1 } };
const ITEM = { question: "Is <b>it</b> there?", truth: "No.", pictures: ["data:,a"],
  answers: [{ text: "Yes.", right: false }, { text: "No.", right: true }] };
const RESULT = { title: "existence", count: 50, asked: 50, comparisons: 1, methods: [PLAIN, OTHER], changed: [ITEM] };

function shown(state) {
  const host = new FakeElement("div");
  const props = { value: JSON.stringify({ status: "", busy: false, share: null, result: null, ...state }) };
  let show;
  chance(host, props, (_, watcher) => (show = watcher));
  const next = (changes) => {
    props.value = JSON.stringify({ ...JSON.parse(props.value), ...changes });
    show();
  };
  const [status, spoken, done, found] = host.children;
  return { status, spoken, done, found, next };
}

test("how far it is moves on, and a screen reader hears it once", () => {
  const { status, spoken, done, next } = shown({ status: "4 of 50 questions are answered.", busy: true, share: 0.08 });
  next({ status: "8 of 50 questions are answered.", share: 0.16 });
  assert.deepEqual([status.textContent, done.value, done.hidden], ["8 of 50 questions are answered.", 0.16, false]);
  assert.equal(spoken.textContent, "4 of 50 questions are answered.");
  next({ status: "Waiting in the queue.", share: null });
  assert.equal(done.value, undefined);
});

test("each method has its share with an interval, its difference, and what it turned", () => {
  const { found, done } = shown({ result: RESULT });
  assert.ok(done.hidden);
  const [plain, other] = found.all("li").filter((each) => each.className === "st-method");
  assert.match(plain.textContent, /40 of 50 right80 %, 95 % interval 67 % to 89 %$/);
  assert.match(other.textContent, /46 of 50 right.*\+12 points against Plain \(\+2 to \+22\): 7 turned right, 1 turned wrong$/);
});

test("a difference that chance explains is not called one", () => {
  assert.match(conclusion(OTHER, PLAIN, 1), /more often right than chance explains \(p = 0\.031\)/);
  const worse = { ...OTHER, against: { ...OTHER.against, value: -0.1, p: 0.0001, p_holm: 0.0002 } };
  assert.match(conclusion(worse, PLAIN, 1), /less often right than chance explains \(p < 0\.001\)/);
  const corrected = { ...OTHER, against: { ...OTHER.against, p_holm: 0.093 } };
  assert.match(conclusion(corrected, PLAIN, 3), /no more than chance.*p = 0\.031, corrected for 3 comparisons = 0\.093/);
  const same = { ...OTHER, against: { ...OTHER.against, better: 0, worse: 0 } };
  assert.equal(conclusion(same, PLAIN, 1), "Other and Plain are right in the same questions.");
});

test("the questions that changed are listed with what is right and what each method said, as text", () => {
  const { found } = shown({ result: RESULT });
  const [item] = found.all("li").filter((each) => each.className === "st-changed");
  assert.match(item.textContent, /Is <b>it<\/b> there\?Right: No\.1Plain: wrong Yes\.2Other: right No\./);
  assert.deepEqual(found.all("b"), []);
});

test("it says where it was stopped", () => {
  assert.match(shown({ result: { ...RESULT, count: 12 } }).found.textContent, /12 questions: existence, stopped after 12 of 50/);
});
