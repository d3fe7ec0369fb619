"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom", "words");
const { PairForm } = load("pair_form");
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

/** The page's keyboard, with a row of radio buttons for the four choices. */
function atKeyboard() {
  const inputs = ["left", "right", "tie", "both bad"].map((value) => ({ value, checked: false }));
  const done = [];
  const view = judge({
    pair: {},
    undoable: true,
    form: Object.assign(Object.create(PairForm.prototype), { choice: { querySelectorAll: () => inputs } }),
    shown: { contains: () => false },
    vote: () => done.push("vote"),
    undo: () => done.push("undo"),
  });
  const press = (key, event = {}) => {
    let kept = false;
    view.key({ key, target: {}, preventDefault: () => (kept = true), ...event });
    return kept;
  };
  return { view, press, done, chosen: () => inputs.filter((each) => each.checked).map((each) => each.value) };
}

test("the keys 1 to 4 choose, Enter votes, U takes back", () => {
  const { press, done, chosen } = atKeyboard();
  for (const [key, value] of [["1", "left"], ["2", "right"], ["3", "tie"], ["4", "both bad"]]) {
    assert.ok(press(key));
    assert.deepEqual(chosen(), [value]);
  }
  assert.ok(press("Enter") && press("u") && press("U"));
  assert.deepEqual(done, ["vote", "undo", "undo"]);
});

test("other keys, and shortcuts of the browser, are left alone", () => {
  const { view, press, done, chosen } = atKeyboard();
  for (const key of ["0", "5", "a", " "]) assert.ok(!press(key));
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
  const answers = [() => Promise.reject(new Error("offline")), async () => ({ error: "Not so." }), async () => ({})];
  const view = judge({ ask: () => answers.shift()() });
  assert.equal(await view.send({}), null);
  assert.match(view.said.at(-1), /cannot be reached/);
  assert.equal(await view.send({}), null);
  assert.equal(view.said.at(-1), "Not so.");
  assert.deepEqual(await view.send({}), {});
});

test("who was signed out signs in again", async () => {
  let out = 0;
  const view = judge({
    ask: async () => ({ error: "Sign in again.", signed_out: true }),
    signOut: () => (out += 1),
  });
  assert.equal(await view.send({}), null);
  assert.deepEqual([out, view.said.at(-1)], [1, "Sign in again."]);
});

test("a vote needs a choice first", async () => {
  const view = judge({ pair: {}, form: { better: null }, ask: () => assert.fail("sent") });
  await view.vote();
  assert.match(view.said.at(-1), /Choose first/);
});

test("who one is outlives the page, where the browser keeps it", () => {
  const kept = new Map();
  const define = (storage) =>
    Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true });
  define({
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  });
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
