// Help, share, the map as a table, and the form that adds a slot.

import { bytes, gpaText, parseSize } from "../base/numbers.js";
import { runsOf } from "../base/runs.js";
import { send } from "../net/commands.js";
import { byId, setText } from "./element.js";
import { fillTable, tableText } from "./table.js";

/** @typedef {import("../model/guest.js").Guest} Guest */

/** @param {Guest} guest */
export function connectDialogs(guest) {
  byId("help").addEventListener("click", openHelp);
  byId("share").addEventListener("click", openShare);
  byId("share-copy").addEventListener("click", () => copy(shareLink(), "share-done"));
  byId("table-open").addEventListener("click", () => openTable(guest));
  byId("table-refresh").addEventListener("click", () => fillTable(guest));
  byId("table-copy").addEventListener("click", () => copy(tableText(), "table-when"));
  byId("slot-add").addEventListener("click", () => openSlot(guest));
  byId("slot-form").addEventListener("submit", (event) => addSlot(event));
}

/** @param {string} id */
function open(id) {
  const dialog = /** @type {HTMLDialogElement} */ (byId(id));
  if (!dialog.open) dialog.showModal();
}

export function openHelp() {
  open("help-dialog");
}

function openShare() {
  /** @type {HTMLInputElement} */ (byId("share-link")).value = shareLink();
  setText(byId("share-done"), "");
  open("share-dialog");
}

/** @param {Guest} guest */
export function openTable(guest) {
  fillTable(guest);
  open("table-dialog");
}

function shareLink() {
  return new URL(`/s/${document.body.dataset.scenario}`, location.href).href;
}

/**
 * @param {string} text
 * @param {string} where id of the element that says how it went
 */
async function copy(text, where) {
  try {
    await navigator.clipboard.writeText(text);
    setText(byId(where), "Copied.");
  } catch {
    // Only secure origins have a clipboard: the field can still be copied by hand.
    setText(byId(where), "This browser does not let the page copy: select the text and copy it.");
  }
}

/**
 * Opens the form with the lowest free id and the first gap between the slots.
 * @param {Guest} guest
 */
function openSlot(guest) {
  const slots = guest.status?.slots ?? [];
  const form = /** @type {HTMLFormElement} */ (byId("slot-form"));
  let id = 0;
  while (slots.some(({ slot }) => slot === id)) id++;
  const gap = runsOf(0, guest.pages.count, (page) => guest.pages.owner[page] === 0).find(({ key }) => key);
  field(form, "slot").value = String(id);
  field(form, "base").value = gap ? gpaText(gap.first) : "";
  field(form, "size").value = gap ? bytes(gap.count * 4096).replace(" ", "") : "";
  setText(byId("slot-problem"), gap ? "" : "All of the guest's memory is in slots already: delete one first.");
  open("slot-dialog");
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 */
function field(form, name) {
  return /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
}

/** What was typed stays in the form when it is refused. @param {SubmitEvent} event */
async function addSlot(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  const [base, size] = [parseSize(field(form, "base").value), parseSize(field(form, "size").value)];
  const offset = field(form, "offset").value ? parseSize(field(form, "offset").value) : base;
  if (base === null || size === null || offset === null) {
    return setText(byId("slot-problem"), "Write addresses and sizes like 0x600000, 4096 or 1MiB.");
  }
  const flags = (field(form, "log").checked ? 1 : 0) | (field(form, "readonly").checked ? 2 : 0);
  const slot = { slot: field(form, "slot").valueAsNumber, base, size, offset, flags };
  const done = await send({ do: "set_slot", slot });
  if (done) /** @type {HTMLDialogElement} */ (byId("slot-dialog")).close();
  else setText(byId("slot-problem"), byId("toasts").lastElementChild?.textContent ?? "Refused.");
}
