import assert from "node:assert/strict";
import test from "node:test";
import { ALL, executesApart, flip, KX, missingText, R, rightsText, UX, W, X } from "../../static/base/rights.js";

const EVERY_TLFS_MASK = [0, R, R | W, R | X, ALL];
const STOCK_KVM = [0, R | X, ALL];

test("taking and giving W on a host that can", () => {
  assert.equal(flip(ALL, W, EVERY_TLFS_MASK), R | X);
  assert.equal(flip(R | X, W, EVERY_TLFS_MASK), ALL);
});

test("taking R takes everything, since nothing is allowed without it", () => {
  assert.equal(flip(ALL, R, STOCK_KVM), 0);
  assert.equal(flip(R, R, EVERY_TLFS_MASK), 0);
});

test("X apart from R is not offered where the host cannot do it", () => {
  assert.equal(flip(ALL, X, STOCK_KVM), null);
  assert.equal(flip(R | X, X, STOCK_KVM), null);
  assert.equal(flip(ALL, X, EVERY_TLFS_MASK), R | W);
});

test("from no access, a right brings the smallest mask that has it", () => {
  assert.equal(flip(0, W, EVERY_TLFS_MASK), R | W);
  assert.equal(flip(0, R, STOCK_KVM), R | X);
  assert.equal(flip(0, W, STOCK_KVM), ALL);
});

test("kernel and user execution are apart only where some mask has one without the other", () => {
  assert.equal(executesApart(EVERY_TLFS_MASK), false);
  assert.equal(executesApart([...EVERY_TLFS_MASK, R | UX]), true);
  assert.equal(flip(R | UX, KX, [R | UX, R | X]), R | X);
});

test("masks as text", () => {
  assert.deepEqual([ALL, R | X, R, 0, R | UX].map(rightsText), ["RWX", "R-X", "R--", "---", "R-U"]);
  assert.equal(missingText(R | X), "no W");
  assert.equal(missingText(R), "no W, no X");
  assert.equal(missingText(0), "no access");
  assert.equal(missingText(R | W | UX), "no KX");
});
