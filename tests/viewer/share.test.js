"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom", "copy");
const { addressOf, share, copy, gallery } = load("share");

FakeElement.prototype.prepend = function prepend(...children) {
  this.children.unshift(...children);
};
FakeElement.prototype.select = function select() {};
globalThis.window = { location: { origin: "https://a.example", pathname: "/sub/" } };

function shown(value) {
  const host = new FakeElement("div");
  share(host, { value: JSON.stringify(value) }, () => {});
  return host;
}

test("an address is that of the page as it was reached, with the name as text", () => {
  assert.equal(addressOf("abc"), "https://a.example/sub/?c=abc");
  assert.equal(addressOf("a&b=<"), "https://a.example/sub/?c=a%26b%3D%3C");
});

test("what is kept stands beside the button as text", () => {
  const host = shown({ name: "abc", sentences: ["Kept for <b>2</b> hours."] });
  assert.equal(host.dataset.name, "abc");
  assert.equal(host.textContent, "Kept for <b>2</b> hours.");
});

test("a copied link is said, and a refused clipboard shows a field", async () => {
  const copied = [];
  const set = (clipboard) => Object.defineProperty(globalThis, "navigator", { value: { clipboard }, configurable: true });
  set({ writeText: async (text) => copied.push(text) });
  const host = shown({ name: "abc", sentences: [] });
  await copy(host);
  assert.deepEqual(copied, ["https://a.example/sub/?c=abc"]);
  assert.equal(host.textContent, "The link is copied.");
  set(undefined); // a page without https
  const other = shown({ name: "abc", sentences: [] });
  await copy(other);
  assert.equal(other.all("input")[0].value, "https://a.example/sub/?c=abc");
});

test("nothing is copied where nothing is kept", async () => {
  const host = shown({ name: "", sentences: [] });
  await copy(host);
  assert.equal(host.children.length, 0);
});

test("an entry of the gallery is text, its picture a PNG of ours, and a click names it", () => {
  const host = new FakeElement("div");
  const chosen = [];
  const entry = { name: "2026-01-31-0", title: "<i>T</i>", question: "Q?", methods: "Plain model", date: "2026-01-31" };
  const value = JSON.stringify([{ ...entry, src: "https://elsewhere.example/x.png" }, { ...entry, src: "data:image/png;base64,x" }]);
  gallery(host, { value }, () => {}, (data) => chosen.push(data));
  const [first] = host.all("button");
  assert.equal(host.all("img").length, 1);
  assert.match(first.textContent, /^<i>T<\/i>Q\?Plain model · 2026-01-31$/);
  first.listeners.click();
  assert.deepEqual(chosen, [{ entry: "2026-01-31-0" }]);
});
