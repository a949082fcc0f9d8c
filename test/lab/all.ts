/**
 * Runs many test files in one process, one after the other, for a guest in which every start of node
 * costs a second:   node [--test-reporter …] dist/test/lab/all.js FILE…
 */
import { afterEach, beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";

/** Milliseconds after which a single test hangs: better one named culprit than a guest killed as a whole. */
const longest = 150_000;

let current = "";
let since = Date.now();
beforeEach((context) => {
  current = context.name;
  since = Date.now();
});
afterEach(() => {
  since = Date.now();
});
setInterval(() => {
  if (Date.now() - since < longest) return;
  process.stdout.write(`\nno end of test "${current}" in ${longest / 1000} s: giving up\n`);
  process.exit(1);
}, 1000).unref();

for (const file of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    // A file that can't even be loaded must not pass unseen.
    test(`load ${file}`, () => {
      throw error;
    });
  }
}
