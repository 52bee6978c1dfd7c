// A hypercall's parameters by name, and its list as one cell a rep: what it was about, and whether it was done.

import { grouped } from "../base/numbers.js";
import { parameterFacts, repRows } from "../model/calls.js";
import { make } from "./element.js";

/** @typedef {import("../model/types").CallRecord} CallRecord */

const SIGNS = { done: "✓", refused: "✕", left: "·" };
const SAID = { done: "done", refused: "refused here", left: "not done" };

/** @param {CallRecord | null} call */
export function parameterList(call) {
  const rows = parameterFacts(call);
  if (rows.length === 0) return [];
  const list = make("dl", "mono parameters", ...rows.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
  return [make("h2", "", "Parameters"), list];
}

/** @param {CallRecord | null} call */
export function repList(call) {
  const rows = repRows(call);
  if (call === null || rows.length === 0) return [];
  const list = make("ol", "reps mono", ...rows.map(({ index, text, state }) => cell(index, text, state)));
  list.start = call.start;
  list.ariaLabel = "Reps";
  return [make("h2", "", heading(call, rows.length)), list];
}

/**
 * @param {number} index
 * @param {string} text
 * @param {"done" | "refused" | "left"} state
 */
function cell(index, text, state) {
  const made = make("li", state, make("b", "", SIGNS[state]), ` ${text}`);
  made.dataset.tip = `Rep ${grouped(index)}: ${SAID[state]}.`;
  made.value = index;
  return made;
}

/**
 * @param {CallRecord} call
 * @param {number} shown
 */
function heading({ start, count }, shown) {
  if (start === 0 && shown === count) return `Rep by rep`;
  return `Reps ${grouped(start)} to ${grouped(start + shown - 1)} of ${grouped(count)}`;
}
