"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

const mounted = [];
const grown = [];
globalThis.window = globalThis;
globalThis.SinkTrackViewer = {
  mount: (_, payload) => mounted.push(payload),
  progress: (_, lanes) => grown.push(lanes),
};
load("colour", "dom", "verdict");
const { stage, examples, turns } = load("compare");

const NOW = { status: "Writing", busy: true, notices: [], lanes: [] };

/** A stage that shows a state; `next` sends another one. */
function onStage(state, asked = { why: null, force: null }) {
  const host = new FakeElement("div");
  const props = { value: JSON.stringify({ ...NOW, ...state }) };
  let show;
  stage(host, props, (_, watcher) => (show = watcher), asked);
  const next = (changes) => {
    props.value = JSON.stringify({ ...NOW, ...changes });
    show();
  };
  const [status, less, notices, verdict] = host.children;
  const [dot, text, spoken] = status.children;
  return { next, status, less, notices, verdict, dot, text, spoken };
}

test("a screen reader hears each phase once, and not every number", () => {
  const { next, text, spoken } = onStage({ status: "Token 1 of 64" });
  next({ status: "Token 2 of 64" });
  assert.equal(text.textContent, "Token 2 of 64");
  assert.equal(spoken.textContent, "Token 1 of 64");
  next({ status: "Done", busy: false });
  assert.equal(spoken.textContent, "Done");
});

test("answers that grow are shown as they come, and the comparison when it is there", () => {
  const { next, status, notices } = onStage({ lanes: [{ name: "a" }], notices: ["<b>one</b>"] });
  assert.deepEqual(grown.at(-1), [{ name: "a" }]);
  assert.ok(status.classList.contains("st-busy"));
  assert.deepEqual(notices.children.map((item) => item.children), [["<b>one</b>"]]);
  next({ busy: false, payload: JSON.stringify({ lanes: [] }) });
  assert.deepEqual(mounted.at(-1), { lanes: [] });
  assert.ok(!status.classList.contains("st-busy"));
});

test("what is offered in place of a refusal is asked for with one press", () => {
  let pressed = 0;
  const { next, less } = onStage({ busy: false }, { shorter: () => (pressed += 1) });
  assert.ok(less.hidden);
  next({ busy: false, again: true, offered: "Ask for less: <b>64</b> tokens" });
  assert.ok(!less.hidden);
  assert.equal(less.textContent, "Ask for less: <b>64</b> tokens");
  less.listeners.click();
  assert.equal(pressed, 1);
  next({ busy: true });
  assert.ok(less.hidden);
});

test("a question without an answer leaves what was there", () => {
  const first = JSON.stringify({ lanes: [] });
  const { next } = onStage({ busy: false, payload: first, key: "k" });
  next({ busy: true, lanes: [{ name: "a" }] });
  const before = mounted.length;
  next({ busy: false, again: true, lanes: [{ name: "a" }] });
  assert.equal(mounted.length, before + 1);
  next({ busy: false, lanes: [{ name: "b" }] }); // set aside
  next({ busy: false, again: true, lanes: [{ name: "b" }] });
  assert.equal(mounted.length, before + 1);
  assert.deepEqual(grown.at(-1), [{ name: "b" }]);
});

test("the right answer is shown with the finished answers, and gone when others grow", () => {
  const lanes = [{ title: "Plain", text: "Yes." }, { title: "Other", text: "No." }];
  const { next, verdict } = onStage({ busy: false, payload: JSON.stringify({ lanes }), truth: "No.", right: [false, true] });
  assert.match(verdict.textContent, /differ.*Right: No\..*Plain: wrong.*Other: right/);
  next({ lanes: [] });
  assert.equal(verdict.textContent, "");
});

test("the server is asked about the comparison that it has, and only where it can answer", () => {
  const questions = [];
  const asked = { why: (question) => questions.push(question), force: () => {} };
  onStage({ payload: JSON.stringify({ lanes: [] }), key: "k", forces: true }, asked);
  mounted.at(-1).why({ what: "explain", at: 3 });
  assert.deepEqual(questions, [{ what: "explain", at: 3, key: "k" }]);
  assert.equal(mounted.at(-1).force, asked.force);
  onStage({ payload: JSON.stringify({ lanes: [] }), key: null }, asked);
  assert.deepEqual([mounted.at(-1).why, mounted.at(-1).force], [undefined, undefined]);
});

/** What a lane's maps read when the server answers with a status and ten bytes. */
async function reading(status, bytes) {
  onStage({ payload: JSON.stringify({ lanes: [{ text: "", maps: [{}, { file: "/tmp/a b" }] }, { text: "", maps: [] }, { text: "" }] }) });
  const asked = [];
  globalThis.fetch = async (address, { headers }) => {
    asked.push(address, headers.Range);
    return new Response(Uint8Array.from(bytes), { status });
  };
  const read = mounted.at(-1).lanes[0].maps[1].read(2, 3);
  return { asked, got: [...(await read)] };
}

test("maps are fetched piece by piece, from servers with and without ranges", async () => {
  const { asked, got } = await reading(206, [2, 3, 4]);
  assert.deepEqual(asked, ["/gradio_api/file=/tmp/a%20b", "bytes=2-4"]);
  assert.deepEqual(got, [2, 3, 4]);
  assert.deepEqual((await reading(200, [0, 1, 2, 3, 4, 5])).got, [2, 3, 4]);
  await assert.rejects(reading(404, []), /404/);
});

test("an example is a button that says which one it is", () => {
  const host = new FakeElement("div");
  const chosen = [];
  const value = JSON.stringify([
    { src: "data:,a", question: "What?", note: "" }, { src: "data:,b", question: "Why?", note: "long" },
  ]);
  examples(host, { value }, (data) => chosen.push(data));
  const [first, second] = host.all("button");
  assert.deepEqual([first.textContent, second.textContent], ["What?", "Why?long"]);
  second.listeners.click();
  assert.deepEqual(chosen, [{ index: 1 }]);
});

test("earlier turns are text, each side under its own name, and follow the server", () => {
  const host = new FakeElement("div");
  const props = { value: "[]" };
  const edited = [];
  let show;
  turns(host, props, (_, watcher) => (show = watcher), (data) => edited.push(data));
  assert.deepEqual(host.children, []);
  const asked = { question: "<b>What?</b>", about: "With a video", pictures: ["data:,a"] };
  props.value = JSON.stringify([{ ...asked, answer: "<i>That.</i>", by: "VCD" }]);
  show();
  const [one, other] = host.children;
  assert.equal(one.textContent, "You<b>What?</b>With a videoEdit");
  one.all("button")[0].listeners.click();
  assert.deepEqual(edited, [{ index: 0 }]);
  assert.deepEqual(one.all("img").map((image) => image.src), ["data:,a"]);
  assert.equal(other.textContent, "VCD<i>That.</i>");
  assert.ok(other.classList.contains("st-answered"));
  props.value = "[]";
  show();
  assert.deepEqual(host.children, []);
});
