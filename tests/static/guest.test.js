import assert from "node:assert/strict";
import test from "node:test";
import { Guest } from "../../static/model/guest.js";
import { slotChange } from "../../static/model/history.js";

const SLOT = { slot: 1, base: 0x200000, size: 0x200000, offset: 0x200000, flags: 1 };

/** @param {Partial<import("../../static/model/types").Frame>} given @param {object} [status] */
function frame(given, status = {}) {
  const whole = {
    phase: "running", why: "", on_protection: "complete", speed: null, vcpus: [], slots: [SLOT], churn: null, exits: {},
    exits_per_second: 0, dirty_per_second: 0, dirty_losses: 0, instructions: null, dropped: 0, last_seq: 10, ...status,
  };
  return {
    keyframe: false, merged: false, seq: 1, firstSeq: 1, time: 0, pages: 1024, leftOut: 0, encodedAt: 0, info: null,
    status: whole, dirty: null, masks: null, exits: [], faults: null, ...given,
  };
}

test("frames fill the pages: slots, masks and heat", () => {
  const guest = new Guest();
  const dirty = new Uint32Array(32);
  dirty[16] = 1;
  guest.apply(frame({ dirty, masks: new Uint32Array([0x210, 4, 13]) }));
  assert.equal(guest.pages.slotOf(0x200)?.slot, 1);
  assert.equal(guest.pages.slotOf(0x1ff), null);
  assert.deepEqual([...guest.pages.rights.subarray(0x20f, 0x215)], [15, 13, 13, 13, 13, 15]);
  assert.equal(guest.pages.missingIn(0x200, 0x240), 2);
  assert.equal(guest.heat.level(guest.heat.stamps[0x200], guest.now), 255);
});

test("a paused picture keeps its heat", () => {
  const guest = new Guest();
  guest.apply(frame({ dirty: new Uint32Array(32).fill(1) }));
  guest.apply(frame({}, { phase: "paused" }));
  guest.pass(5000);
  assert.equal(guest.heat.level(guest.heat.stamps[0], guest.now), 255);
});

test("a reset forgets what happened before it", () => {
  const guest = new Guest();
  guest.apply(frame({ dirty: new Uint32Array(32).fill(1) }));
  guest.apply(frame({}, { last_seq: 2 }));
  assert.equal(guest.heat.stamps[0], 0);
  assert.equal(guest.history.dirty.length, 0);
  assert.equal(guest.generation, 2);
});

test("changes of slots and masks are marked, how things were at first is not", () => {
  const guest = new Guest();
  guest.apply(frame({ masks: new Uint32Array([0x210, 4, 13]) }));
  assert.equal(guest.history.slotMarks.length + guest.history.maskMarks.length, 0);
  guest.apply(frame({ time: 5, masks: new Uint32Array([]) }, { slots: [] }));
  assert.deepEqual(guest.history.slotMarks, [{ time: 5, what: "slot 1 deleted" }]);
  assert.equal(guest.history.maskMarks.length, 1);
});

test("slot changes in words", () => {
  assert.equal(slotChange([], [SLOT]), "slot 1 added");
  assert.equal(slotChange([SLOT], [{ ...SLOT, base: 0 }]), "slot 1 moved");
  assert.equal(slotChange([SLOT], [{ ...SLOT, flags: 0 }]), "slot 1 flags");
});

test("a harvest that lost entries is marked when it happens, not again when the page is opened anew", () => {
  const guest = new Guest();
  guest.apply(frame({ time: 5 }, { dirty_losses: 2 }));
  assert.deepEqual(guest.history.losses, []);
  guest.apply(frame({ time: 6 }, { dirty_losses: 2 }));
  guest.apply(frame({ time: 7 }, { dirty_losses: 3 }));
  assert.deepEqual(guest.history.losses.map(({ time }) => time), [7]);
});

/** @param {number} time @param {object} given @returns {import("../../static/model/types").ExitRecord} */
function exit(time, given) {
  return {
    seq: time, time, vcpu: 0, vtl: 0, kind: "hypercall", rip: 0, text: "", listing: [], raw: "", answer: "complete", gpa: null, gva: null,
    access: null, size: null, data: null, mask: null, port: null, index: null, register: null, given: null, setter: null, call: null, switch: null, message: null, ...given,
  };
}

test("the lane of a vCPU changes its VTL when the exit did, not when the frame came", () => {
  const guest = new Guest();
  const vcpu = { index: 0, vtl: 0, state: "running", rip: 0, exits: 0, rate: 0, switches: 0, registers: null };
  guest.apply(frame({ time: 1 }, { vcpus: [vcpu] }));
  const there = exit(5, { switch: { from_vtl: 0, to_vtl: 1, reason: "call" } });
  const back = exit(8, { vtl: 1, switch: { from_vtl: 1, to_vtl: 0, reason: "return" } });
  guest.apply(frame({ time: 9, exits: [there, back] }, { vcpus: [{ ...vcpu, switches: 2 }] }));
  assert.deepEqual(guest.history.stays[0].map(({ time, vtl }) => [time, vtl]), [[1, 0], [5, 1], [8, 0]]);
});

test("an exit from another VTL tells of a switch that no record told", () => {
  const guest = new Guest();
  guest.apply(frame({ exits: [exit(3, { vtl: 0 }), exit(6, { vtl: 1 })] }));
  assert.deepEqual(guest.history.stays[0].map(({ time, vtl }) => [time, vtl]), [[3, 0], [6, 1]]);
});

test("a mask says who set it, until it is lifted", () => {
  const guest = new Guest();
  guest.apply(frame({ masks: new Uint32Array([0x210, 2, 13, 0x212, 2, 13 | (3 << 4)]) }));
  assert.deepEqual([...guest.pages.rights.subarray(0x20f, 0x215)], [15, 13, 13, 13, 13, 15]);
  assert.equal(guest.pages.missingIn(0x200, 0x240), 2);
  assert.equal(guest.pages.settersIn(0x200, 0x212), "the scenario");
  assert.equal(guest.pages.settersIn(0x211, 0x220), "the scenario and a hypercall of VTL1");
  guest.apply(frame({ masks: new Uint32Array([]) }));
  assert.equal(guest.pages.settersIn(0, 1024), "");
});
