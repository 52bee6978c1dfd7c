// The vCPUs: state, VTL, where it last was, exits a second; registers while all are out of the guest.

import { hex, short } from "../base/numbers.js";
import { vtlColour } from "../draw/switches.js";
import { byId, make, setText } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../model/types").VcpuStatus} VcpuStatus */
/** @typedef {{item: HTMLLIElement, dot: HTMLElement, vtl: HTMLElement, rip: HTMLElement, rate: HTMLElement}} Row */

/** @type {Record<string, string>} */
const ABOUT = {
  running: "It is in the guest, or on its way back in.",
  stopped: "It is out of the guest because the machine is paused.",
  halted: "It executed HLT.",
  fenced: "The policy stopped it after a denied access.",
  waiting: "Another vCPU must start it, or unlock its TLB.",
  dead: "A triple fault or an internal error ended it.",
};

/**
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectVcpus(guest) {
  const list = byId("vcpus");
  /** @type {Row[]} */
  let rows = [];
  return () => {
    const vcpus = guest.status?.vcpus ?? [];
    if (rows.length !== vcpus.length) {
      rows = vcpus.map(row);
      list.replaceChildren(...rows.map(({ item }) => item));
    }
    vcpus.forEach((vcpu, i) => update(rows[i], vcpu));
  };
}

/**
 * @param {VcpuStatus} vcpu
 * @returns {Row}
 */
function row({ index }) {
  const dot = make("i", "dot");
  const vtl = make("span", "vtl");
  const rip = make("span", "mono dim where");
  const rate = make("span", "mono num");
  const item = make("li", "vcpu", dot, make("b", "mono", String(index)), vtl, rip, rate);
  item.tabIndex = 0;
  return { item, dot, vtl, rip, rate };
}

/** Where it was at its last exit; before the first one nobody outside the guest knows. @param {VcpuStatus} vcpu */
function where({ state, rip, exits }) {
  if (state === "waiting" && exits === 0) return state;
  if (state === "running") return exits === 0 ? "no exit yet" : `rip ${hex(rip)}`;
  return state === "stopped" ? `rip ${hex(rip)}` : `${state} ${hex(rip)}`;
}

/**
 * @param {Row} row
 * @param {VcpuStatus} vcpu
 */
function update({ item, dot, vtl, rip, rate }, vcpu) {
  dot.className = `dot ${vcpu.state}`;
  vtl.className = `vtl ${vtlColour(vcpu.vtl).slice(2)}`;
  setText(vtl, `VTL${vcpu.vtl}`);
  setText(rip, where(vcpu));
  setText(rate, `${short(vcpu.rate)}/s`);
  const tip = `vCPU ${vcpu.index} is ${vcpu.state}: ${ABOUT[vcpu.state] ?? ""} It is in VTL${vcpu.vtl}. ${vcpu.exits.toLocaleString("en")} exits and ${vcpu.switches.toLocaleString("en")} VTL switches so far.`;
  if (item.dataset.tip !== tip) item.dataset.tip = tip;
}
