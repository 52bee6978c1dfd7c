// An exit in words: a line for the stream, why it happened, and what was done about it.

import { grouped, hex } from "../base/numbers.js";
import { missingText, rightsText, setterText } from "../base/rights.js";
import { callAnswered, callDone, callLine } from "./calls.js";

/** @typedef {import("./types").ExitRecord} ExitRecord */

const VERB = { read: "read", write: "write", execute: "fetch" };
/** @type {Record<string, string>} */
const PAST = { read: "loaded", write: "stored", execute: "fetched" };

/** @type {Record<string, string>} */
const DROPPED = { write: "the store did not happen", execute: "the instruction was skipped", read: "the load got all ones" };

/** @param {ExitRecord} record */
function verb(record) {
  return VERB[/** @type {"read"} */ (record.access ?? "read")] ?? String(record.access);
}

/**
 * What the stream shows after time and vCPU: what was tried, on what, and a remark.
 * @param {ExitRecord} record
 * @returns {{act: string, on: string, remark: string}}
 */
export function line(record) {
  const gpa = record.gpa === null ? "" : hex(record.gpa);
  switch (record.kind) {
    case "protection": return { act: verb(record), on: gpa, remark: denied(record) };
    case "void": return { act: verb(record), on: gpa, remark: "no slot" };
    case "mmio": return { act: verb(record), on: gpa, remark: "read-only" };
    case "io": return portLine(record);
    case "msr": return msrLine(record);
    case "hypercall":
    case "interrupted": return callLine(record);
    case "synic": return { act: "synic", on: msrName(record), remark: "kept by the kernel" };
    default: return { act: record.kind.replace("_", " "), on: "", remark: record.text };
  }
}

/** @param {ExitRecord} record */
function denied({ vtl, mask }) {
  return ["denied", vtl === 0 ? "" : `VTL${vtl}`, mask === null ? "" : rightsText(mask)].filter(Boolean).join(" ");
}

/** @param {ExitRecord} record */
function portLine({ port, data }) {
  const on = port === null ? "" : hex(port);
  return data === null ? { act: "in", on, remark: "" } : { act: "out", on, remark: `← ${valueOf(data)}` };
}

/** By name where it has one. @param {ExitRecord} record */
function msrName({ index, register }) {
  return register ?? hex(index ?? 0);
}

/** @param {ExitRecord} record */
function msrLine(record) {
  const { data } = record, on = msrName(record);
  return data === null ? { act: "rdmsr", on, remark: record.given ? `→ ${valueOf(record.given)}` : "" } : { act: "wrmsr", on, remark: `← ${valueOf(data)}` };
}

/**
 * The number that little-endian bytes hold, from their hex text.
 * @param {string} data
 */
export function valueOf(data) {
  const bytes = data.match(/../g) ?? [];
  return bytes.length ? hex("0x" + bytes.reverse().join("")) : "nothing";
}

/**
 * Why it happened, in one or two sentences.
 * @param {ExitRecord} record
 */
export function why(record) {
  switch (record.kind) {
    case "protection": return `${who(record)} ${tried(record)}. ${masked(record)}`;
    case "void": return `${who(record)} ${tried(record)}. No memslot held that page at that moment.`;
    case "mmio": return `${who(record)} ${tried(record)}. Its slot is read-only, so the store came out as device memory.`;
    case "io": return `${who(record)} ${ported(record)} I/O port ${hex(record.port ?? 0)}.`;
    case "msr": return `${who(record)} ${ported(record)} MSR ${hex(record.index ?? 0)}, ${kept(record)}.`;
    case "hypercall": return `${who(record)} ${callDone(record)}`;
    case "synic": return `${who(record)} wrote MSR ${hex(record.index ?? 0)} of the synthetic interrupt controller, which the kernel keeps.`;
    case "interrupted": return `${who(record)} was brought out of the guest: ${record.raw}.`;
    case "hlt": return `${who(record)} executed HLT and waits.`;
    case "ring_full": return `${who(record)} had filled its ring of dirty pages up to the soft limit.`;
    case "shutdown": return `${who(record)} took a triple fault: it cannot go on.`;
    case "internal_error": return `${who(record)} met something that the hypervisor cannot carry out.`;
    default: return `${who(record)} left the guest.`;
  }
}

/** @param {ExitRecord} record */
function kept({ register, vtl }) {
  return register === null ? "a register that the hypervisor does not keep itself" : `the synthetic register ${register} of VTL${vtl}`;
}

/** @param {ExitRecord} record */
function ported({ data }) {
  return data === null ? "read from" : `wrote ${valueOf(data)} to`;
}

/** @param {ExitRecord} record */
function who({ vcpu, vtl }) {
  return `vCPU ${vcpu}, in VTL${vtl},`;
}

/** @param {ExitRecord} record */
function tried(record) {
  const what = PAST[record.access ?? ""] ?? "touched";
  if (record.access === "execute") return `${what} an instruction from ${hex(record.gpa ?? 0)}`;
  const size = record.size === 1 ? "1 byte" : `${record.size ?? "some"} bytes`;
  return `${what} ${size} ${record.access === "write" ? "to" : "from"} ${hex(record.gpa ?? 0)}`;
}

/** @param {ExitRecord} record */
function masked({ mask, vtl, setter }) {
  if (mask === null) return "The page's mask denied it.";
  return `The page's mask for VTL${vtl} is ${rightsText(mask)}: ${missingText(mask)}.${setter === null ? "" : ` Set by ${setterText(setter)}.`}`;
}

/**
 * What the VMM did about it.
 * @param {ExitRecord} record
 */
export function answered(record) {
  if (record.kind === "ring_full") return "Harvested: the entries were taken out, the ring was reset, and the vCPU runs on.";
  if (record.kind === "hypercall" || record.kind === "interrupted") return callAnswered(record);
  if (record.kind === "synic") return "Noted: the kernel has done it already, and the vCPU runs on.";
  switch (record.answer) {
    case "complete": return completed(record);
    case "retry": return retried(record);
    case "inject": return "Injected: the guest took #GP(0) at this instruction, through its own IDT; without one that is a triple fault.";
    case "drop": return `Dropped: ${DROPPED[record.access ?? "read"]}.`;
    default: return record.kind === "hlt" ? "The vCPU stays halted." : "Not answered: the vCPU is out of the guest for good.";
  }
}

/** @param {ExitRecord} record */
function retried({ switch: switched }) {
  if (!switched) return "Retried: the page has its rights back, and the instruction ran again from its start.";
  return `Intercepted: VTL${switched.to_vtl} has the message, and is entered; when it returns, the instruction starts again.`;
}

/** @param {ExitRecord} record */
function completed({ kind, given }) {
  if (kind !== "protection") return given ? `Completed by the VMM: the guest got ${valueOf(given)}.` : "Completed by the VMM.";
  return "Completed: the access was carried out once, as if the fence were lifted.";
}

/**
 * What stands by the rates once the host has lost entries of a dirty ring.
 * @param {number} losses
 */
export function lossText(losses) {
  const times = losses === 1 ? "once" : `${grouped(losses)} times`;
  return `✕ The host lost ring entries ${times}: all logged pages count as written.`;
}

/**
 * Time of an exit as the stream shows it.
 * @param {number} time
 * @param {boolean} host
 */
export function stamp(time, host) {
  return host ? (time / 1e9).toFixed(4) : grouped(time);
}
