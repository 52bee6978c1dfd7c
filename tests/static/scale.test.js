import assert from "node:assert/strict";
import test from "node:test";
import { positionOf, roundUp, speedAt, tickText, ticks, timeText, toPixel, toValue, UNLIMITED, wholeSpan } from "../../static/base/scale.js";

test("pixels and values are each other's inverse", () => {
  const scale = { from: 1e9, to: 11e9, left: 60, width: 700 };
  assert.equal(toPixel(scale, 1e9), 60);
  assert.equal(toPixel(scale, 11e9), 760);
  assert.ok(Math.abs(toValue(scale, toPixel(scale, 3.3e9)) - 3.3e9) < 1);
});

test("ticks stand at round values and never exceed their number", () => {
  assert.deepEqual(ticks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual([3, 5, 7, 0.12].map(roundUp), [5, 5, 10, 0.2]);
});

test("a run that ended sooner than the usual span is shown whole", () => {
  assert.equal(wholeSpan(581, 200_000), 1000);
  assert.equal(wholeSpan(0.25e9, 10e9), 0.5e9);
  assert.equal(wholeSpan(8e9, 10e9), null);
  assert.equal(wholeSpan(25e9, 10e9), null);
});

test("the speed slider is logarithmic and ends without a limit", () => {
  assert.equal(speedAt(0), 1);
  assert.equal(speedAt(99), 100_000);
  assert.equal(speedAt(UNLIMITED), null);
  for (const speed of [1, 10, 1000, 100_000]) assert.ok(Math.abs((speedAt(positionOf(speed)) ?? 0) / speed - 1) < 0.1);
  assert.equal(positionOf(null), UNLIMITED);
});

test("a time says whose clock it is on", () => {
  assert.equal(timeText(12_418_000_000, "host ns"), "12.418 s");
  assert.equal(timeText(1_204_331, "guest instructions"), "1,204,331 instr");
  assert.equal(tickText(2e9, 10e9, "host ns"), "2 s");
  assert.equal(tickText(2_500_000, 1e7, "guest instructions"), "2.5M");
});
