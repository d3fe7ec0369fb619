"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom", "words", "sides");
const { OwnField, readFields, fillFields } = load("own_questions");
load("pictures");
const { PairForm } = load("pair_form");
const { Drafts } = load("drafts");
load("sign_in");
const { Judge } = load("judge");

/** A judge that has no page; `said` gathers what an annotator would read. */
function judge(fields = {}) {
  const said = [];
  return Object.assign(Object.create(Judge.prototype), {
    host: { classList: { add() {}, remove() {} } },
    study: { key: "study", hub: false },
    busy: false,
    token: "secret",
    say: (text) => said.push(text),
  }, { said, ...fields });
}

/** As much of a group of radio buttons as the form asks of it. */
function group(...values) {
  const inputs = values.map((value) => ({ value, checked: false, focus() {} }));
  return {
    inputs,
    querySelectorAll: () => inputs,
    querySelector: (which) => inputs.find((each) => each.checked || !which.includes("checked")) ?? null,
  };
}

/** The page's keyboard, with a row of radio buttons for the four choices and two for severities. */
function atKeyboard(ask = ["hallucination", "comment"]) {
  const done = [];
  const choice = group("left", "right", "tie", "both bad");
  const side = (name) => ({
    severity: group("none", "minor", "severe"),
    words: { box: { focus: () => done.push(`words ${name}`) }, spans: () => [] },
  });
  const sides = { left: side("left"), right: side("right") };
  const comment = { value: "", focus: () => done.push("comment") };
  const { inputs } = choice;
  const view = judge({
    pair: {},
    undoable: true,
    form: Object.assign(Object.create(PairForm.prototype), {
      pair: {}, ask, choice, sides, comment, own: [], change: () => done.push("changed"),
    }),
    passing: { press: (key) => "xw".includes(key) && Boolean(done.push(`pass ${key}`)) },
    shown: { contains: () => false },
    notes: { contains: () => false },
    vote: () => done.push("vote"),
    undo: () => done.push("undo"),
  });
  const press = (key, event = {}) => {
    let kept = false;
    view.key({ key, target: {}, preventDefault: () => (kept = true), ...event });
    return kept;
  };
  const checked = (all) => all.filter((each) => each.checked).map((each) => each.value);
  const severities = () => ["left", "right"].map((each) => checked(sides[each].severity.inputs)[0] ?? null);
  return { view, press, done, severities, chosen: () => checked(inputs) };
}

test("the keys 1 to 4 choose, Enter votes, U takes back", () => {
  const { press, done, chosen } = atKeyboard();
  for (const [key, value] of [["1", "left"], ["2", "right"], ["3", "tie"], ["4", "both bad"]]) {
    assert.ok(press(key));
    assert.deepEqual(chosen(), [value]);
  }
  assert.ok(press("Enter") && press("u") && press("U"));
  assert.deepEqual(done.filter((each) => each !== "changed"), ["vote", "undo", "undo"]);
  assert.equal(done.length, 7);
});

test("A S D and J K L say how badly the left and the right answer hallucinate", () => {
  const { view, press, severities } = atKeyboard();
  assert.match(view.form.missing().sentence, /^Choose first: 1 left/);
  press("3");
  assert.match(view.form.missing().sentence, /left answer hallucinate\? A no/);
  for (const [at, value] of ["none", "minor", "severe"].entries()) {
    assert.ok(press("ASD"[at]) && press("jkl"[at]));
    assert.deepEqual(severities(), [value, value]);
  }
  assert.equal(view.form.missing(), null);
  const plain = atKeyboard([]);
  assert.ok(!plain.press("a") && !plain.press("l"));
  plain.press("1");
  assert.equal(plain.view.form.missing(), null);
});

test("X and W ask whether the pair is passed over, and nothing is pressed that says so", () => {
  const { press, done, chosen } = atKeyboard();
  assert.ok(press("x") && press("w"));
  assert.deepEqual([done, chosen()], [["pass x", "pass w"], []]);
});

test("F, H and C go where words are marked and a comment is written; Escape and Ctrl+Enter leave it", () => {
  const { view, press, done } = atKeyboard();
  assert.ok(press("f") && press("h") && press("c"));
  assert.deepEqual(done.filter((each) => each !== "changed"), ["words left", "words right", "comment"]);
  const writing = { target: { matches: (selector) => selector.includes("textarea") } };
  view.form.focus = () => done.push("back");
  assert.ok(!press("Enter", writing) && press("Escape", writing));
  assert.ok(press("Enter", { ...writing, ctrlKey: true }));
  assert.deepEqual(done.slice(-2), ["back", "vote"]);
});

/** As much of a field of a study's own as the form asks of it. */
const field = (name, side, value) => Object.assign(Object.create(OwnField.prototype), {
  question: { name, ask: `${name}?`, kind: "text", required: name !== "free" }, side, written: true, input: { value, focus() {} },
});

test("a vote lacks what a study asks itself until it is answered, and not what may be left out", () => {
  const { view, press } = atKeyboard([]);
  const own = [field("free", null, ""), field("useful", "left", "so"), field("useful", "right", " ")];
  view.form.own = own;
  press("1");
  assert.equal(view.form.missing().sentence, "Answer “useful?” of the right answer first.");
  own[2].value = "very";
  assert.equal(view.form.missing(), null);
  const said = { free: null, useful: { left: "so", right: "very" } };
  assert.deepEqual(readFields(own), said);
  assert.deepEqual(view.form.read().said, said);
  fillFields(own, { free: "word", useful: { left: "new" } });
  assert.deepEqual(readFields(own), { free: "word", useful: { left: "new", right: null } });
});

test("other keys, and shortcuts of the browser, are left alone", () => {
  const { view, press, done, chosen } = atKeyboard();
  for (const key of ["0", "5", "b", " ", "ArrowDown"]) assert.ok(!press(key));
  for (const held of ["ctrlKey", "metaKey", "altKey", "repeat"]) assert.ok(!press("1", { [held]: true }));
  view.undoable = false;
  assert.ok(!press("u"));
  view.pair = null;
  assert.ok(!press("1") && !press("Enter"));
  assert.deepEqual([done, chosen()], [[], []]);
});

test("what is typed into a field is not a choice, and Enter on a button presses that button", () => {
  const { press, done, chosen } = atKeyboard();
  const target = (kind) => ({ target: { matches: (selector) => selector.includes(kind) } });
  assert.ok(!press("1", target("textarea")) && !press("Enter", target("button")));
  assert.deepEqual([done, chosen()], [[], []]);
});

test("a request carries the token, and its answer comes back", async () => {
  const asked = [];
  const view = judge({ ask: async (request) => asked.push(request) && { left: 3 } });
  assert.deepEqual(await view.send({ what: "next" }), { left: 3 });
  assert.deepEqual(asked, [{ token: "secret", what: "next" }]);
});

test("while one request is under way no other is sent", async () => {
  const asked = [];
  const answers = [];
  const view = judge({ ask: ({ what }) => {
    asked.push(what);
    return new Promise((answer) => answers.push(answer));
  } });
  const requests = [view.send({ what: "vote" }), view.send({ what: "vote again" })];
  for (const answer of answers) answer({ kept: true });
  assert.deepEqual(await Promise.all(requests), [{ kept: true }, null]);
  assert.deepEqual(asked, ["vote"]);
});

test("a server that cannot be reached or refuses is said, and one can try again", async () => {
  const answers = [() => Promise.reject(new Error("offline")), async () => {}, async () => ({ error: "Not so." }), async () => ({})];
  const view = judge({ ask: () => answers.shift()() });
  assert.equal(await view.send({}), null);
  assert.match(view.said.at(-1), /cannot be reached/);
  view.said.length = 0;
  assert.equal(await view.send({}), null); // what Gradio's own client gives then
  assert.match(view.said.at(-1), /cannot be reached/);
  assert.equal(await view.send({}), null);
  assert.equal(view.said.at(-1), "Not so.");
  assert.deepEqual(await view.send({}), {});
});

test("who was signed out signs in above the pair, and goes on with what was sent", async () => {
  const shown = [];
  const view = judge({
    pair: {},
    ask: async () => ({ error: "Sign in again.", signed_out: true }),
    signIn: (sentence, resume) => shown.push([sentence, resume]),
  });
  assert.equal(await view.send({ what: "vote" }), null);
  assert.deepEqual(shown, [["Sign in again.", { what: "vote" }]]);
  assert.equal(view.said.at(-1), "Sign in again.");
});

test("a vote needs a choice first", async () => {
  let focused = 0;
  const missing = () => ({ sentence: "Choose first", focus: () => (focused += 1) });
  const view = judge({ pair: {}, form: { missing }, ask: () => assert.fail("sent") });
  await view.vote();
  assert.match(view.said.at(-1), /Choose first/);
  assert.equal(focused, 1);
});

/** A browser's storage. */
function storage() {
  const kept = new Map();
  const define = (value) => Object.defineProperty(globalThis, "localStorage", { value, configurable: true });
  define(new Proxy({
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  }, { ownKeys: () => [...kept.keys()], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) }));
  return { kept, define };
}

test("a draft is kept by person and pair, and is not taken for another", () => {
  const { kept } = storage();
  const pair = { question: "Q", left: "one", right: "two", passage: "", pictures: [] };
  const drafts = new Drafts("study", "Ann");
  drafts.write(pair, { better: "left", comment: "so" });
  assert.equal(new Drafts("study", "ann").read(pair).comment, "so");
  assert.equal(new Drafts("study", "Bob").read(pair), null);
  assert.equal(new Drafts("other", "Ann").read(pair), null);
  assert.equal(drafts.read({ ...pair, left: "two", right: "one" }), null);
  drafts.drop(pair);
  assert.equal(kept.size, 0);
  for (let n = 0; n < 60; n++) drafts.write({ ...pair, question: `Q${n}` }, {});
  assert.equal(kept.size, 40);
});

test("who one is outlives the page, where the browser keeps it", () => {
  const { kept, define } = storage();
  const view = judge();
  assert.equal(view.kept(), null);
  view.keep({ name: "Ada", token: "t" });
  assert.deepEqual(judge().kept(), { name: "Ada", token: "t" });
  assert.equal(judge({ study: { key: "another" } }).kept(), null);
  view.keep(null);
  assert.equal(view.kept(), null);
  kept.set("study", "{broken");
  assert.equal(view.kept(), null);
  const refuse = () => {
    throw new Error("denied");
  };
  define({ getItem: refuse, setItem: refuse, removeItem: refuse });
  view.keep({ name: "Ada", token: "t" });
  assert.equal(view.kept(), null);
});
