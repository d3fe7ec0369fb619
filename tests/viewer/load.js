/* The scripts of the viewer and of the page, for tests: run as a page runs them, one after the other in
 * one global scope, where each defines one name.
 */
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const ROOT = path.resolve(__dirname, "../..");
const FOLDERS = [
  "sinktrack/report/viewer", "app/shared/static", "app/study/static", "app/compare/static", "app/results/static",
];
const loaded = new Map(); // a script's name -> what it defines

function run(name) {
  const file = FOLDERS.map((folder) => path.join(ROOT, folder, `${name}.js`)).find(fs.existsSync);
  if (!file) throw new Error(`No script ${name}.js in ${FOLDERS.join(" or ")}.`);
  const source = fs.readFileSync(file, "utf8");
  vm.runInThisContext(source, { filename: file });
  return vm.runInThisContext(source.match(/^const (SinkTrack\w+) = /m)[1]);
}

/** Run scripts by name, each after those that it uses; returns what the last one defines. */
function load(...names) {
  for (const name of names) if (!loaded.has(name)) loaded.set(name, run(name));
  return loaded.get(names.at(-1));
}

module.exports = { load };
