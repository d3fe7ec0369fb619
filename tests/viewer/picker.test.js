"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom");
const { picker } = load("picker");

const PLAIN = { kind: "plain", title: "Plain", summary: "Nothing.", group: "plain", rows: 1, needs: "", source: "", parameters: [] };
const LOUD = {
  ...PLAIN, kind: "loud", title: "Loud", group: "method", rows: 2, needs: "needs a picture", source: "https://example.org/",
  parameters: [
    { name: "gain", default: "2", range: "a number", help: "How loud.", choices: [], number: "any", low: 0, high: 9 },
    { name: "tone", default: "low", range: "low or high", help: "Which.", choices: ["low", "high"], number: "", low: null, high: null },
  ],
};
const OFFER = { cards: [PLAIN, LOUD, { ...PLAIN, kind: "mask", title: "Mask", group: "control" }], fewest: 2, most: 3, default: ["plain", "loud"] };
const value = (...kinds) => JSON.stringify({ chosen: kinds.map((kind) => ({ kind, set: {} })), said: "" });

/** A picker, what it sent last, and its inputs and buttons by what they are called. */
function shown(...kinds) {
  const host = new FakeElement("div");
  const props = { value: value(...kinds), cards: JSON.stringify(OFFER) };
  let receive;
  let asked = 0;
  picker(host, props, (_, watcher) => (receive = watcher), () => (asked += 1));
  const sent = () => JSON.parse(props.value).chosen;
  const named = (tag, name) => host.all(tag).find((each) =>
    [each.ariaLabel, each.attributes["aria-label"], each.textContent].includes(name));
  return { host, props, sent, receive: () => receive(), asked: () => asked, named,
    press: (name) => named("button", name).listeners.click() };
}

test("a method is chosen by its card, up to the limit, and left out again", () => {
  const { sent, named } = shown("plain");
  const tick = (name, checked) => {
    const box = named("input", name);
    box.checked = checked;
    box.listeners.change();
  };
  tick("Loud", true);
  assert.deepEqual(sent().map(({ kind }) => kind), ["plain", "loud"]);
  assert.equal(named("input", "Mask").disabled, false);
  tick("Mask", true);
  tick("Plain", false);
  assert.deepEqual(sent().map(({ kind }) => kind), ["loud", "mask"]);
});

test("a method twice fills a place, and no card can be ticked beyond the limit", () => {
  const { sent, named, press } = shown("plain", "loud");
  press("Duplicate Loud");
  assert.deepEqual(sent().map(({ kind }) => kind), ["plain", "loud", "loud"]);
  assert.ok(named("input", "Mask").disabled && !named("input", "Loud").disabled);
  assert.ok(named("button", "Duplicate Loud").disabled);
  press("Leave out Plain");
  assert.deepEqual(sent().map(({ kind }) => kind), ["loud", "loud"]);
});

test("what is set is sent as text, and an empty input leaves the default", () => {
  const { host, sent } = shown("plain", "loud");
  const [gain] = host.all("details")[0].all("input");
  const [tone] = host.all("details")[0].all("select");
  assert.equal(gain.placeholder, "2");
  assert.deepEqual(tone.all("option").map((each) => each.textContent), ["low (default)", "low", "high"]);
  gain.value = " 0.5 ";
  gain.listeners.input();
  tone.value = "high";
  tone.listeners.input();
  assert.deepEqual(sent()[1].set, { gain: "0.5", tone: "high" });
  assert.equal(host.all("summary")[0].textContent, "Settings: gain=0.5, tone=high");
  gain.value = "";
  gain.listeners.input();
  assert.deepEqual(sent()[1].set, { tone: "high" });
});

test("what the server sends is shown, with its sentence, until something is chosen", () => {
  const { host, props, receive, press, asked, sent } = shown("plain", "loud");
  press("All that fit");
  assert.equal(asked(), 1);
  props.value = JSON.stringify({ chosen: [{ kind: "mask", set: {} }], said: "1 method fits." });
  receive();
  const said = () => host.all("p").find((each) => each.attributes.role === "status").textContent;
  assert.equal(said(), "1 method fits.");
  assert.equal(host.all("strong")[0].textContent, "Mask");
  press("Reset");
  assert.equal(said(), "");
  assert.deepEqual(sent().map(({ kind }) => kind), ["plain", "loud"]);
});

test("too few are said, and a kind that the server does not offer is shown by its name", () => {
  const { host } = shown("gone");
  assert.match(host.all("span")[0].textContent, /^1 chosen, 2 to 3 are compared$/);
  assert.equal(host.all("strong")[0].textContent, "gone");
});

test("a card says what it costs and needs, and its paper opens elsewhere", () => {
  const { host } = shown("plain", "loud");
  const [link] = host.all("a");
  assert.deepEqual([link.href, link.target, link.rel], ["https://example.org/", "_blank", "noopener noreferrer"]);
  const facts = host.all("span").map((each) => each.textContent);
  for (const fact of ["2 rows", "1 row", "needs a picture"]) assert.ok(facts.includes(fact), fact);
  assert.deepEqual(host.all("h3").map((each) => each.textContent).length, 3);
});
