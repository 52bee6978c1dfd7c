import assert from "node:assert/strict";
import test from "node:test";
import { messageRows } from "../../static/model/message.js";

/** @type {import("../../static/model/types").MessageField[]} */
const LAYOUT = [
  { at: 0, size: 4, name: "type", bits: [], words: { 2147483649: "gpa intercept" } },
  { at: 4, size: 1, name: "payload size", bits: [], words: {} },
  { at: 16, size: 2, name: "state", bits: [{ name: "cpl", first: 0, width: 2 }, { name: "pe", first: 2, width: 1 }, { name: "vtl", first: 7, width: 4 }], words: {} },
  { at: 18, size: 6, name: "reserved", bits: [], words: {} },
  { at: 24, size: 8, name: "gpa", bits: [], words: {} },
  { at: 32, size: 16, name: "instruction", bits: [], words: {} },
  { at: 48, size: 8, name: "rax", bits: [], words: {} },
];

/** @param {Record<number, number[]>} parts */
function message(parts) {
  const bytes = new Uint8Array(256);
  for (const [at, some] of Object.entries(parts)) bytes.set(some, Number(at));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const DATA = message({ 0: [1, 0, 0, 0x80], 4: [32], 16: [0x87, 0], 24: [8, 0, 0x21, 0, 0, 0, 0, 0xff], 32: [0x48, 0x89, 0] });

test("each field has its bytes in memory order, four a group, and its value", () => {
  const rows = messageRows(LAYOUT, DATA);
  assert.equal(rows.find(({ name }) => name === "gpa")?.bytes, "08002100 000000ff");
  assert.deepEqual(rows[0], { at: "0x0", bytes: "01000080", name: "type", value: "0x80000001 gpa intercept", zero: false });
  assert.equal(rows.find(({ name }) => name === "gpa")?.value, "0xff00000000210008");
});

test("bits are told by name, numbers within by value, and none is said too", () => {
  const state = (/** @type {string} */ data) => messageRows(LAYOUT, data).find(({ name }) => name === "state")?.value;
  assert.equal(state(DATA), "cpl 3, pe, vtl 1");
  assert.equal(state(message({ 4: [32] })), "all 0");
  const nameless = LAYOUT.map((field) => ({ ...field, name: "" }));
  assert.equal(messageRows(nameless, message({ 4: [32] }))[2].value, "cpl, pe, vtl 0");
});

test("what the payload does not reach is left out", () => {
  assert.deepEqual(messageRows(LAYOUT, DATA).map(({ name }) => name).slice(-1), ["instruction"]);
  assert.deepEqual(messageRows(LAYOUT, message({ 4: [40] })).map(({ name }) => name).slice(-1), ["rax"]);
});

test("bytes that are no number have no value, and zeros are marked", () => {
  const rows = messageRows(LAYOUT, DATA);
  assert.deepEqual(rows.filter(({ zero }) => zero).map(({ name }) => name), ["reserved"]);
  const instruction = rows.find(({ name }) => name === "instruction");
  assert.deepEqual([instruction?.value, instruction?.bytes], ["", "48890000 00000000\n00000000 00000000"]);
});
