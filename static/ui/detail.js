// One exit: why it happened, the instruction among its neighbours, the raw facts, what was done about it.

import { grouped, hex } from "../base/numbers.js";
import { timeText } from "../base/scale.js";
import { rightsText } from "../base/rights.js";
import { styleOf } from "../draw/kinds.js";
import { callFacts } from "../model/calls.js";
import { answered, valueOf, why } from "../model/words.js";
import { chosenExit } from "../state/view.js";
import { byId, make } from "./element.js";
import { messageTable } from "./message.js";
import { parameterList, repList } from "./reps.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../model/types").ExitRecord} ExitRecord */
/** @typedef {import("../model/types").Line} Line */
/** @typedef {[string, string]} Fact */

/**
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectDetail(guest) {
  const panel = byId("detail");
  let drawn = "";
  return () => {
    const record = chosenExit.value ?? (guest.running ? null : (guest.history.records.at(-1) ?? null));
    const vcpu = guest.status?.vcpus[record?.vcpu ?? -1];
    const registers = vcpu?.registers ?? null;
    const key = `${record?.seq} ${guest.generation} ${JSON.stringify(registers)} ${guest.running}`;
    if (key === drawn) return;
    drawn = key;
    if (record === null) return panel.replaceChildren(hint(guest));
    const message = messageTable(record.message, guest.info?.message ?? []);
    panel.replaceChildren(...described(record, guest.info?.clock ?? "host ns"), ...message, ...registerList(record.vcpu, registers));
  };
}

/** @param {Guest} guest */
function hint(guest) {
  const text = guest.running
    ? "Choose an exit to see its instruction and why it left the guest, or press . to run up to the next one."
    : "Nothing has left the guest yet.";
  return make("p", "dim", text);
}

/**
 * @param {ExitRecord} record
 * @param {string} clock
 */
function described(record, clock) {
  const badge = make("span", `badge kind-${record.kind}`, `${styleOf(record.kind).letter} ${record.kind.replace("_", " ")}`);
  badge.dataset.tip = styleOf(record.kind).about;
  return [
    make("h2", "", `Exit ${grouped(record.seq)} `, badge),
    make("p", "why", why(record)),
    ...listing(record.listing),
    make("p", "next", make("b", "", "Next: "), answered(record)),
    ...repList(record.call),
    ...parameterList(record.call),
    factList(facts(record, clock)),
  ];
}

/** @param {Line[]} lines */
function listing(lines) {
  if (lines.length === 0) return [];
  const pre = make("pre", "mono");
  for (const { address, text, here } of lines) {
    const code = make(here ? "mark" : "span", "code", make("span", "dim", hex(address).padEnd(9)), ` ${text}`);
    if (here) code.ariaLabel = "the instruction that exited";
    pre.append(code);
  }
  return [pre];
}

/**
 * @param {ExitRecord} record
 * @param {string} clock
 * @returns {Fact[]}
 */
function facts(record, clock) {
  /** @type {[string, string | null][]} */
  const all = [
    ["time", timeText(record.time, clock, 6)],
    ["rip", hex(record.rip)],
    ["gpa", record.gpa === null ? null : hex(record.gpa)],
    ["gva", record.gva === null ? null : hex(record.gva)],
    ["msr", record.index === null ? null : [hex(record.index), record.register].filter(Boolean).join(" ")],
    ["port", record.port === null ? null : hex(record.port)],
    ["size", record.size ? `${record.size} B` : null],
    ["data", record.data && record.kind !== "hypercall" ? valueOf(record.data) : null],
    ["got", record.given ? valueOf(record.given) : null],
    ...callFacts(record),
    ["mask", record.mask === null ? null : `VTL${record.vtl} ${rightsText(record.mask)}`],
    ["raw", record.raw || null],
  ];
  return /** @type {Fact[]} */ (all.filter(([, value]) => value !== null));
}

/** @param {Fact[]} facts */
function factList(facts) {
  return make("dl", "mono", ...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
}

/**
 * @param {number} vcpu
 * @param {Record<string, import("../model/types").Wide> | null} registers
 */
function registerList(vcpu, registers) {
  if (registers === null) return [];
  const rows = Object.entries(registers).map(([name, value]) => /** @type {Fact} */ ([name, hex(value)]));
  const list = factList(rows);
  list.classList.add("registers");
  return [make("h2", "", `vCPU ${vcpu} now`), list];
}
