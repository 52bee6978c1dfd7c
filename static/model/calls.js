// A call through the hypercall page in words: a hypercall by its fields and its status, or a VTL switch.

import { hex } from "../base/numbers.js";

/** @typedef {import("./types").CallRecord} CallRecord */
/** @typedef {import("./types").ExitRecord} ExitRecord */
/** @typedef {import("./types").SwitchRecord} SwitchRecord */

/** @type {Record<string, string>} */
const SWITCHES = { call: "VTL call", return: "VTL return", interrupt: "interrupt" };

/**
 * What the stream shows after time and vCPU.
 * @param {ExitRecord} record
 */
export function callLine({ call, switch: switched }) {
  if (call) return { act: call.name, on: reps(call), remark: statusText(call) };
  if (switched) return { act: switchName(switched), on: "", remark: `VTL${switched.from_vtl} → VTL${switched.to_vtl}` };
  return { act: "hypercall", on: "", remark: "not served" };
}

/** @param {CallRecord} call */
function reps({ reps: done, count }) {
  return count ? `${done}/${count} reps` : "";
}

/** A sign and a name, so that a refusal is seen without colour. @param {CallRecord} call */
function statusText({ status, finished }) {
  if (!finished) return "… goes on";
  return `${status === "SUCCESS" ? "✓" : "✕"} ${status}`;
}

/** @param {SwitchRecord} switched */
function switchName({ reason }) {
  return SWITCHES[reason] ?? `VTL switch (${reason})`;
}

/**
 * What the vCPU did, to follow `vCPU 0, in VTL0,`.
 * @param {ExitRecord} record
 */
export function callDone({ call, switch: switched }) {
  if (call) return `made the hypercall ${call.name}${call.count ? ` for ${call.count === 1 ? "1 rep" : `${call.count} reps`}` : ""}.`;
  if (switched) return `made a ${switchName(switched)}.`;
  return "called the hypervisor through the hypercall page.";
}

/**
 * What came of it.
 * @param {ExitRecord} record
 */
export function callAnswered({ call, switch: switched, answer }) {
  if (call) return served(call);
  if (switched) return `The vCPU goes on in VTL${switched.to_vtl}, with that VTL's own RIP, RSP and RFLAGS.`;
  if (answer === "inject") return "Injected: the guest took #UD, as for an instruction that does not exist there.";
  return "Not served: the VTL may not use the page that holds its parameters, and the vCPU is out of the guest for good.";
}

/** @param {CallRecord} call */
function served({ finished, reps: done, count, status, why }) {
  if (!finished) return `Served up to rep ${done} of ${count}; the guest makes the call again, to go on there.`;
  return `Served: the guest gets ${status} in RAX${count ? `, with ${done} of ${count} reps completed` : ""}.${why ? ` On this host: ${why}.` : ""}`;
}

/**
 * The input value by field, the parameters and the status.
 * @param {ExitRecord} record
 * @returns {[string, string | null][]}
 */
export function callFacts({ call, switch: switched, data, kind }) {
  const rcx = kind === "hypercall" && data ? hex("0x" + data) : null;
  if (!call) return [["rcx", rcx], ["vtl", switched ? `${switched.from_vtl} → ${switched.to_vtl}` : null]];
  return [
    ["call", `${call.name}, code ${hex(call.code)}`],
    ["status", call.finished ? statusText(call) : "none yet: the call goes on"],
    ["reps", call.count ? `${call.reps} of ${call.count} done, this time from ${call.start}` : "none: not a rep call"],
    ["form", call.fast ? "fast: parameters in registers" : "slow: parameters in memory"],
    [call.fast ? "rdx" : "in", `${hex(call.rdx)}${call.fast ? "" : " (gpa)"}`],
    [call.fast ? "r8" : "out", call.fast ? hex(call.r8) : outputText(call.r8)],
    ["rcx", rcx],
  ];
}

/**
 * What the call read and wrote, field by field; a list is told by reps.
 * @param {CallRecord | null} call
 * @returns {[string, string][]}
 */
export function parameterFacts(call) {
  return call ? [...call.fields, ...call.output] : [];
}

/**
 * The reps of this stretch in order: done, refused, or not reached.
 * @param {CallRecord | null} call
 * @returns {{index: number, text: string, state: "done" | "refused" | "left"}[]}
 */
export function repRows(call) {
  if (!call) return [];
  return call.elements.map((text, at) => ({ index: call.start + at, text, state: stateOf(call, call.start + at) }));
}

/**
 * @param {CallRecord} call
 * @param {number} index
 */
function stateOf({ reps: done, status }, index) {
  if (index < done) return "done";
  return index === done && status !== "SUCCESS" ? "refused" : "left";
}

/** @param {import("./types").Wide} r8 */
function outputText(r8) {
  return Number(r8) === 0 ? "0x0: none" : `${hex(r8)} (gpa)`;
}
