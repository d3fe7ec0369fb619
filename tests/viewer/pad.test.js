"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { FakeElement } = require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom");
const { pad } = load("pad");

const NUMBERS = ["one", "two", "three"];
const WORLD = {
  places: NUMBERS.map((row) => NUMBERS.map((column) => `row ${row} column ${column}`)),
  colours: { red: [200, 0, 0], blue: [0, 0, 200] },
  shapes: { circle: [[0, 0], [1, 0], [0, 1]], star: [[0, 0], [1, 1], [0, 1]] },
  sizes: ["large", "small"],
  most: 2,
};

/** A pad, what it sent last, and what it told the server. */
function drawnOn(cells = [], offers = []) {
  const host = new FakeElement("div");
  const props = {
    value: JSON.stringify({ cells, seed: 7, usual: true }), world: JSON.stringify(WORLD), offers: JSON.stringify(offers),
  };
  const told = [];
  const names = ["drawn", "sample", "other", "choose"];
  let receive;
  pad(host, props, (_, watcher) => (receive = watcher),
    Object.fromEntries(names.map((name) => [name, (data) => told.push(data ?? name)])));
  const [grid] = host.all("div").filter((each) => each.attributes.role === "grid");
  const cell = (place) => grid.all("button").find((each) => each.attributes["aria-label"].startsWith(`${place}:`));
  const labels = () => grid.all("button").map((each) => each.attributes["aria-label"]);
  const press = (text) => host.all("button").find((each) => each.textContent === text).listeners.click();
  const pick = (name) => host.all("input").find((each) => each.ariaLabel === name).listeners.change();
  const key = (name) => grid.listeners.keydown({ key: name, preventDefault: () => {} });
  return { host, props, grid, cell, labels, press, pick, key, told,
    sent: () => JSON.parse(props.value), receive: () => receive() };
}

const PLACE = "row two column three";
const RED = { row: 0, column: 0, colour: "red", shape: "circle", size: "large" };

test("a cell takes what is chosen, and says so", () => {
  const { cell, pick, sent, told } = drawnOn();
  pick("blue");
  pick("star");
  pick("small");
  cell(PLACE).listeners.click();
  assert.deepEqual(sent(), { cells: [{ row: 1, column: 2, colour: "blue", shape: "star", size: "small" }], seed: 7, usual: true });
  assert.equal(cell(PLACE).attributes["aria-label"], `${PLACE}: small blue star`);
  assert.deepEqual(told, ["drawn"]);
});

test("a second press takes it away again", () => {
  const { cell, sent } = drawnOn([RED]);
  cell("row one column one").listeners.click();
  assert.deepEqual(sent().cells, []);
});

test("there are never more things than the model knows", () => {
  const { cell, sent, told, host } = drawnOn([RED, { ...RED, column: 1 }]);
  cell(PLACE).listeners.click();
  assert.equal(sent().cells.length, 2);
  assert.deepEqual(told, []);
  assert.match(host.textContent, /2 things are the most/);
});

test("arrow keys go from cell to cell and stay on the grid, and one cell alone is in the tab order", () => {
  const { key, grid } = drawnOn();
  const inOrder = () => grid.all("button").filter((each) => each.tabIndex === 0).map((each) => each.attributes["aria-label"]);
  assert.deepEqual(inOrder(), ["row one column one: empty"]);
  ["ArrowUp", "ArrowRight", "ArrowDown", "End"].forEach(key);
  assert.deepEqual(inOrder(), [`${PLACE}: empty`]);
  ["ArrowRight", "ArrowLeft"].forEach(key);
  assert.deepEqual(inOrder(), ["row two column two: empty"]);
});

test("a thing under the keyboard's place is deleted, and where there is none nothing is put", () => {
  const { key, sent, told } = drawnOn([RED]);
  key("Delete");
  key("Delete");
  assert.deepEqual(sent().cells, []);
  assert.deepEqual(told, ["drawn"]);
});

test("what the server sends takes the place of what is there", () => {
  const { props, receive, labels, press, sent } = drawnOn();
  press("Random scene");
  props.value = JSON.stringify({ cells: [RED], seed: 9, usual: false });
  receive();
  assert.equal(labels()[0], "row one column one: large red circle");
  press("Empty");
  assert.deepEqual(sent(), { cells: [], seed: 9, usual: false });
});

test("a question that is chosen is told, and a new drawing takes the old questions away", () => {
  const { press, told, cell, host } = drawnOn([RED], [{ text: "Is <b>it</b> red?", note: "" }]);
  press("Is <b>it</b> red?");
  assert.deepEqual(told, ["Is <b>it</b> red?"]);
  assert.deepEqual(host.all("b"), []);
  cell(PLACE).listeners.click();
  assert.ok(!host.textContent.includes("Questions with known answers"));
});
