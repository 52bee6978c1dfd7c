import assert from "node:assert/strict";
import test from "node:test";
import { linesOf, vtlColour } from "../../static/draw/switches.js";

test("a VTL has as many lines as it is high, and VTL0 none", () => {
  assert.deepEqual([0, 1, 2, 3].map((vtl) => linesOf(vtl).length), [0, 1, 2, 3]);
  assert.equal(linesOf(15).length, 4);
  assert.equal(new Set(linesOf(3)).size, 3);
});

test("every VTL has a colour of the page", () => {
  assert.deepEqual([0, 1, 2, 15].map(vtlColour), ["--vtl0", "--vtl1", "--vtl2", "--vtl2"]);
});
