import assert from "node:assert/strict";
import test from "node:test";
import { callFacts, parameterFacts, repRows } from "../../static/model/calls.js";
import { answered, line, lossText, valueOf, why } from "../../static/model/words.js";

/** @type {import("../../static/model/types").ExitRecord} */
const STORE = {
  seq: 1, time: 0, vcpu: 0, vtl: 0, kind: "protection", rip: 0x10018, text: "mov [rdi], rax", listing: [], raw: "KVM_EXIT_MMIO",
  answer: "complete", gpa: 0x210000, gva: 0x210000, access: "write", size: 8, data: "2a00000000000000", mask: 13, port: null, index: null,
  register: null, given: null, setter: null, call: null, switch: null, message: null,
};

test("a denied store, in the stream and in a sentence", () => {
  assert.deepEqual(line(STORE), { act: "write", on: "0x210000", remark: "denied R-X" });
  assert.equal(why(STORE), "vCPU 0, in VTL0, stored 8 bytes to 0x210000. The page's mask for VTL0 is R-X: no W.");
  assert.match(answered(STORE), /once/);
});

test("a denied store says who set the mask, where that is known", () => {
  assert.match(why({ ...STORE, setter: 3 }), /no W\. Set by a hypercall of VTL1\.$/);
  assert.match(why({ ...STORE, setter: 4 }), /Set by a hypercall of VTL2\.$/);
  assert.match(why({ ...STORE, setter: 1 }), /Set by a command\.$/);
});

test("a dropped load gets all ones, a dropped store vanishes, a dropped fetch is skipped", () => {
  assert.match(answered({ ...STORE, answer: "drop", access: "read" }), /all ones/);
  assert.match(answered({ ...STORE, answer: "drop" }), /did not happen/);
  assert.match(answered({ ...STORE, answer: "drop", access: "execute" }), /skipped/);
});

test("ports: out with its value, in without", () => {
  const io = { ...STORE, kind: "io", gpa: null, access: null, mask: null, port: 0x10, size: 1 };
  assert.deepEqual(line({ ...io, data: "2a" }), { act: "out", on: "0x10", remark: "← 0x2a" });
  assert.deepEqual(line({ ...io, data: null }), { act: "in", on: "0x10", remark: "" });
});

test("a full ring is no access: it was emptied", () => {
  const full = { ...STORE, kind: "ring_full", answer: "retry", gpa: null, access: null, size: null, data: null, mask: null };
  assert.match(why(full), /ring of dirty pages/);
  assert.match(answered(full), /^Harvested/);
});

test("bytes are little-endian", () => {
  assert.equal(valueOf("3412"), "0x1234");
  assert.equal(valueOf(""), "nothing");
});

test("an exit of a kind this page does not know is still told", () => {
  assert.match(why({ ...STORE, kind: "later" }), /left the guest/);
  assert.equal(line({ ...STORE, kind: "later_kind" }).act, "later kind");
});

test("an MSR is read or written by number; an exception goes to the guest", () => {
  const msr = { ...STORE, kind: "msr", answer: "inject", gpa: null, gva: null, access: null, size: null, mask: null, index: 0x4b564dff };
  assert.deepEqual(line({ ...msr, data: null }), { act: "rdmsr", on: "0x4b564dff", remark: "" });
  assert.deepEqual(line({ ...msr, data: "2a00000000000000" }), { act: "wrmsr", on: "0x4b564dff", remark: "← 0x2a" });
  assert.match(why({ ...msr, data: null }), /read from MSR 0x4b564dff/);
  assert.match(answered(msr), /#GP\(0\)/);
});

test("a synthetic register has a name", () => {
  const msr = { ...STORE, kind: "msr", gpa: null, gva: null, access: null, size: null, mask: null, index: 0x40000001, register: "HYPERCALL" };
  assert.deepEqual(line({ ...msr, data: "0180210000000000" }), { act: "wrmsr", on: "HYPERCALL", remark: "← 0x218001" });
  const read = { ...msr, data: null, answer: "complete", given: "0170000000000000" };
  assert.deepEqual(line(read), { act: "rdmsr", on: "HYPERCALL", remark: "→ 0x7001" });
  assert.match(answered(read), /the guest got 0x7001\.$/);
  assert.match(why({ ...msr, data: null }), /read from MSR 0x40000001, the synthetic register HYPERCALL of VTL0\.$/);
});

test("a SynIC of the kernel's only tells", () => {
  const synic = { ...STORE, kind: "synic", answer: "retry", gpa: null, gva: null, access: null, size: null, mask: null, data: null, index: 0x40000080 };
  assert.deepEqual(line(synic), { act: "synic", on: "0x40000080", remark: "kept by the kernel" });
  assert.match(why(synic), /wrote MSR 0x40000080 .* which the kernel keeps/);
  assert.match(answered(synic), /^Noted/);
});

test("lost ring entries are counted in words", () => {
  assert.match(lossText(1), /once: all logged pages/);
  assert.match(lossText(1200), /1,200 times/);
});

/** @type {import("../../static/model/types").CallRecord} */
const FENCE = {
  name: "ModifyVtlProtectionMask", code: 0xc, fast: false, start: 0, count: 4, reps: 4, rdx: 0x10100, r8: 0, status: "SUCCESS", finished: true, why: "",
  fields: [["map flags", "0x1 R"]], elements: ["0x210", "0x211", "0x212", "0x213"], output: [],
};
const CALL = { ...STORE, kind: "hypercall", vtl: 1, gpa: null, gva: null, access: null, size: null, mask: null, data: "000000040000000c" };

test("a hypercall by name, reps and status", () => {
  const made = { ...CALL, call: FENCE };
  assert.deepEqual(line(made), { act: "ModifyVtlProtectionMask", on: "4/4 reps", remark: "✓ SUCCESS" });
  assert.equal(why(made), "vCPU 0, in VTL1, made the hypercall ModifyVtlProtectionMask for 4 reps.");
  assert.match(answered(made), /gets SUCCESS in RAX, with 4 of 4 reps completed/);
});

test("a refused hypercall has another sign, and says what this host lacks", () => {
  const refused = { ...CALL, call: { ...FENCE, reps: 0, status: "OPERATION_FAILED", why: "no mask RW-" } };
  assert.equal(line(refused).remark, "✕ OPERATION_FAILED");
  assert.match(answered(refused), /On this host: no mask RW-/);
});

test("a hypercall that goes on has no status yet", () => {
  const stretch = { ...CALL, call: { ...FENCE, count: 510, reps: 64, finished: false } };
  assert.deepEqual(line(stretch), { act: "ModifyVtlProtectionMask", on: "64/510 reps", remark: "… goes on" });
  assert.match(answered(stretch), /rep 64 of 510/);
});

test("a hypercall's fields: slow with gpas, fast with registers", () => {
  const slow = new Map(callFacts({ ...CALL, call: FENCE }));
  assert.equal(slow.get("call"), "ModifyVtlProtectionMask, code 0xc");
  assert.equal(slow.get("in"), "0x10100 (gpa)");
  assert.equal(slow.get("out"), "0x0: none");
  assert.equal(slow.get("rcx"), "0x40000000c");
  const fast = new Map(callFacts({ ...CALL, call: { ...FENCE, fast: true, count: 0, r8: 1 } }));
  assert.equal(fast.get("r8"), "0x1");
  assert.match(String(fast.get("reps")), /not a rep call/);
});

test("rep by rep: done, refused, and not reached", () => {
  assert.deepEqual(repRows(FENCE).map(({ state }) => state), ["done", "done", "done", "done"]);
  const refused = { ...FENCE, reps: 1, status: "INVALID_PARAMETER" };
  assert.deepEqual(repRows(refused).map(({ state }) => state), ["done", "refused", "left", "left"]);
  const later = { ...FENCE, start: 64, count: 68, reps: 66, status: "ACCESS_DENIED" };
  assert.deepEqual(repRows(later).map(({ index, state }) => [index, state]), [[64, "done"], [65, "done"], [66, "refused"], [67, "left"]]);
  assert.deepEqual(repRows(null), []);
});

test("parameters: the header's fields, and what came back", () => {
  assert.deepEqual(parameterFacts({ ...FENCE, output: [["gpa page", "0x210"]] }), [["map flags", "0x1 R"], ["gpa page", "0x210"]]);
  assert.deepEqual(parameterFacts(null), []);
});

test("a VTL switch by where it leads; a call that was not served by its registers", () => {
  const switched = { ...CALL, vtl: 0, switch: { from_vtl: 0, to_vtl: 1, reason: "call" } };
  assert.deepEqual(line(switched), { act: "VTL call", on: "", remark: "VTL0 → VTL1" });
  assert.match(answered(switched), /goes on in VTL1/);
  assert.equal(line(CALL).remark, "not served");
  assert.match(answered({ ...CALL, answer: "inject" }), /#UD/);
  assert.equal(new Map(callFacts(CALL)).get("rcx"), "0x40000000c");
});

test("an intercept names the VTL that is told", () => {
  const switched = { from_vtl: 0, to_vtl: 1, reason: "intercept" };
  assert.match(answered({ ...STORE, answer: "retry", switch: switched }), /^Intercepted: VTL1 /);
  assert.match(answered({ ...STORE, answer: "retry", switch: null }), /^Retried/);
});

test("an interrupt for a higher VTL says what it led to", () => {
  const out = {
    ...STORE, kind: "interrupted", answer: "retry", raw: "an interrupt waits for VTL1", gpa: null, access: null, size: null, data: null, mask: null,
    switch: { from_vtl: 0, to_vtl: 1, reason: "interrupt" },
  };
  assert.deepEqual(line(out), { act: "interrupt", on: "", remark: "VTL0 → VTL1" });
  assert.match(why(out), /an interrupt waits for VTL1\.$/);
  assert.match(answered(out), /goes on in VTL1/);
});
