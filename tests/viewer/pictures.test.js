"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./elements.js");
const { load } = require("./load.js");

load("colour", "dom");
const { Pictures, Zoom } = load("pictures");

const SIZE = [400, 300];

test("what is under the pointer stays there while a picture grows", () => {
  const zoom = new Zoom();
  zoom.by(2, [100, 90], SIZE);
  assert.deepEqual({ ...zoom }, { scale: 2, x: -100, y: -90 });
  zoom.by(1.5, [200, 150], SIZE);
  assert.deepEqual([(200 - zoom.x) / zoom.scale, (150 - zoom.y) / zoom.scale], [150, 120]);
});

test("a picture never leaves its stage, and is neither smaller than it nor boundless", () => {
  const zoom = new Zoom();
  zoom.by(0.1, [10, 10], SIZE);
  assert.equal(zoom.scale, 1);
  zoom.move(50, -50, SIZE);
  assert.deepEqual([zoom.x, zoom.y], [0, 0]);
  zoom.by(1000, [400, 300], SIZE);
  assert.equal(zoom.scale, 8);
  zoom.move(-9999, 9999, SIZE);
  assert.deepEqual([zoom.x, zoom.y], [-2800, 0]);
});

/** A large picture of three, and what its keys do. */
function large() {
  const pictures = new Pictures(["a", "b", "c"]);
  Object.assign(pictures.stage, { clientWidth: 400, clientHeight: 300 });
  pictures.dialog.showModal = () => {};
  pictures.open(0);
  const press = (key) => {
    const done = [];
    pictures.key({ key, stopPropagation: () => done.push("kept"), preventDefault: () => done.push("used") });
    return done;
  };
  return { pictures, press };
}

test("arrow keys go round the pictures, each as large as its stage at first", () => {
  const { pictures, press } = large();
  press("+");
  assert.ok(pictures.zoom.scale > 1);
  assert.deepEqual(press("ArrowRight"), ["kept", "used"]);
  assert.deepEqual([pictures.at, pictures.image.src, pictures.zoom.scale], [1, "b", 1]);
  press("ArrowLeft");
  press("ArrowLeft");
  assert.deepEqual([pictures.image.src, pictures.title.textContent], ["c", "Picture 3 of 3"]);
});

test("the page's own keys mean nothing while a picture is large", () => {
  const { press } = large();
  for (const key of ["1", "u", "Enter", "a"]) assert.deepEqual(press(key), ["kept"]);
});

test("two fingers zoom and one moves", () => {
  const { pictures } = large();
  pictures.stage.getBoundingClientRect = () => ({ left: 0, top: 0 });
  const at = (pointerId, clientX, clientY) => ({ pointerId, clientX, clientY });
  pictures.fingers.set(1, [100, 100]).set(2, [200, 100]);
  pictures.dragged(at(2, 300, 100));
  assert.equal(pictures.zoom.scale, 2);
  assert.deepEqual([pictures.zoom.x, pictures.zoom.y], [-100, -100]);
  pictures.fingers.delete(1);
  pictures.dragged(at(2, 290, 80));
  assert.deepEqual([pictures.zoom.x, pictures.zoom.y], [-110, -120]);
  pictures.dragged(at(7, 0, 0)); // was never put down here
  assert.equal(pictures.zoom.x, -110);
});
