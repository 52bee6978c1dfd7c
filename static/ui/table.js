// The map as a table: one row per run of pages with the same slot and rights.

import { gpaText, grouped } from "../base/numbers.js";
import { rightsText } from "../base/rights.js";
import { runsOf } from "../base/runs.js";
import { timeText } from "../base/scale.js";
import { byId, make, setText } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */

const HOT = 100;
const MOST_ROWS = 500;

/** @param {Guest} guest */
export function fillTable(guest) {
  const { pages } = guest;
  const system = guest.info?.system_pages ?? 0;
  const runs = runsOf(0, pages.count, (page) => pages.owner[page] * 512 + pages.setters[page] * 32 + pages.rights[page] * 2 + (page < system ? 1 : 0));
  const rows = runs.slice(0, MOST_ROWS).map(({ first, count }) => row(guest, first, count, first < system));
  byId("table-rows").replaceChildren(...rows);
  const more = runs.length > MOST_ROWS ? ` First ${MOST_ROWS} of ${grouped(runs.length)} rows.` : "";
  setText(byId("table-when"), `As of ${timeText(guest.time, guest.info?.clock ?? "host ns")}.${more}`);
}

/**
 * @param {Guest} guest
 * @param {number} first
 * @param {number} count
 * @param {boolean} system
 */
function row(guest, first, count, system) {
  const slot = guest.pages.slotOf(first);
  const flags = slot ? (slot.flags & 1 ? " log" : "") + (slot.flags & 2 ? " ro" : "") : "";
  let written = 0;
  let hot = 0;
  let denied = 0;
  for (let page = first; page < first + count; page++) {
    const level = guest.heat.level(guest.heat.stamps[page], guest.now);
    if (level > 0) written++;
    if (level > HOT) hot++;
    if (guest.faults.level(guest.faults.stamps[page], guest.now) > 0) denied++;
  }
  const cells = [gpaText(first), grouped(count), slot ? `${slot.slot}${flags}${system ? " system" : ""}` : "void",
    slot ? rightsText(guest.pages.rights[first]) : "–", guest.pages.settersIn(first, first + 1) || "–", ...[written, hot, denied].map(grouped)];
  return make("tr", "", ...cells.map((text) => make("td", "", text)));
}

/** The table as tab-separated text. */
export function tableText() {
  const rows = [...document.querySelectorAll("#table-dialog tr")];
  return rows.map((one) => [...one.children].map((cell) => cell.textContent).join("\t")).join("\n");
}
