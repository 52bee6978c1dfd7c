import assert from "node:assert/strict";
import test from "node:test";
import { between, clip, fromTriples, runsOf } from "../../static/base/runs.js";

test("a drag selects the same pages in either direction", () => {
  assert.deepEqual(between(5, 9), { first: 5, count: 5 });
  assert.deepEqual(between(9, 5), { first: 5, count: 5 });
});

test("clip keeps what is inside, and null when nothing is", () => {
  assert.deepEqual(clip({ first: 2, count: 10 }, 4, 8), { first: 4, count: 4 });
  assert.equal(clip({ first: 2, count: 2 }, 4, 8), null);
});

test("runsOf joins neighbours with the same key", () => {
  const letters = "aabccc";
  assert.deepEqual(runsOf(0, 6, (at) => letters[at]), [
    { first: 0, count: 2, key: "a" }, { first: 2, count: 1, key: "b" }, { first: 3, count: 3, key: "c" },
  ]);
});

test("triples of a masks section become runs", () => {
  assert.deepEqual(fromTriples(new Uint32Array([0x210, 4, 13, 0x300, 1, 0])), [
    { first: 0x210, count: 4, key: 13 }, { first: 0x300, count: 1, key: 0 },
  ]);
});
