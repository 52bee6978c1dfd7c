// What a page holds, as a dump: read when asked for, and once more on demand.

import { gpaText } from "../base/numbers.js";
import { dumpLines } from "../model/dump.js";
import { look } from "../net/commands.js";
import { selection } from "../state/view.js";
import { byId, make, setText } from "./element.js";

const PAGE = 4096;
/** gpa of the page that the dialog shows. */
let gpa = 0;

export function connectMemory() {
  byId("pop-bytes").addEventListener("click", open);
  byId("bytes-refresh").addEventListener("click", read);
}

async function open() {
  const range = selection.value;
  if (range === null) return;
  gpa = range.first * PAGE;
  setText(byId("bytes-title"), `Page ${gpaText(range.first)}`);
  await read();
  const dialog = /** @type {HTMLDialogElement} */ (byId("bytes-dialog"));
  if (!dialog.open) dialog.showModal();
}

async function read() {
  const { data, error } = await look(gpa, PAGE);
  setText(byId("bytes-when"), error || "As the guest has left it; masks do not count here.");
  byId("bytes-rows").replaceChildren(...dumpLines(gpa, data).map(row));
}

/** @param {import("../model/dump.js").DumpLine} line */
function row({ at, bytes, words, text, left }) {
  const cells = left ? [`${left * 16} bytes of zeros`, "", ""] : [bytes, words, text];
  return make("tr", left ? "zero" : "", make("td", "dim", `0x${at.toString(16)}`), ...cells.map((cell) => make("td", "", cell)));
}
