"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom", "data", "moved", "card", "asked");
const { mount } = load("viewer");

const PAYLOAD = {
  question: "What is it?",
  passage: "Rollo ruled Normandy.",
  turns: [],
  segments: [],
  visuals: [{ segment: "image", title: "Picture", frames: ["data:image/png;base64,AAAA"] }],
  sinks: [],
  parts_at: null,
  lanes: [
    { name: "plain", title: "plain", subtitle: "Made elsewhere.", text: "A <b>cat</b>." },
    { name: "new", title: "new", subtitle: "Made elsewhere.", text: "" },
  ],
};

test("answers made elsewhere are shown with what they are about, and without attention", () => {
  const element = new FakeElement("div");
  mount(element, PAYLOAD).choose(3);
  assert.deepEqual(element.all("article").map((card) => card.dataset.lane), ["plain", "new"]);
  assert.match(element.textContent, /A <b>cat<\/b>\./);
  assert.match(element.textContent, /Nothing was written\./);
  assert.match(element.textContent, /Rollo ruled Normandy\./);
  assert.equal(element.all("img")[0].attributes.src, "data:image/png;base64,AAAA");
  assert.match(element.textContent, /no attention was recorded/);
});

test("answers without passage and picture are shown as well", () => {
  const element = new FakeElement("div");
  mount(element, { lanes: [PAYLOAD.lanes[0]] });
  assert.equal(element.all("article").length, 1);
});
