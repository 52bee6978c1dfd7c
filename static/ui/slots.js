// The memslots: choose, move, delete, log, churn. Rows stay put while a churned slot comes and goes.

import { bytes, hex, parseSize, short } from "../base/numbers.js";
import { send } from "../net/commands.js";
import { chosenSlot } from "../state/view.js";
import { byId, make, setText } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../model/types").SlotStatus} SlotStatus */

const LOG = 1;
/** ms for which a switch stays as it was set: frames that were under way do not undo it. */
const HELD = 1500;

/**
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectSlots(guest) {
  /** @type {Map<number, SlotStatus>} the slots there are, and the churned one also while it is out */
  const known = new Map();
  let drawn = "";
  connectDetail(known);
  return () => {
    learn(known, guest);
    if (chosenSlot.value === null || !known.has(chosenSlot.value)) chosenSlot.set(firstChoice(known));
    const shown = JSON.stringify([[...known.values()], chosenSlot.value]);
    if (shown !== drawn) {
      drawn = shown;
      byId("slots").replaceChildren(...[...known.values()].map(row));
      showDetail(known);
    }
  };
}

/**
 * @param {Map<number, SlotStatus>} known
 * @param {Guest} guest
 */
function learn(known, guest) {
  const slots = guest.status?.slots ?? [];
  const churned = guest.status?.churn?.slot;
  for (const id of known.keys()) if (id !== churned && !slots.some(({ slot }) => slot === id)) known.delete(id);
  for (const slot of slots) known.set(slot.slot, slot);
}

/** The first logged slot that is not the system's, otherwise the last. @param {Map<number, SlotStatus>} known */
function firstChoice(known) {
  const slots = [...known.values()];
  return (slots.find(({ flags, base }) => flags & LOG && base > 0) ?? slots.at(-1))?.slot ?? null;
}

/** @param {SlotStatus} slot */
function row(slot) {
  const choose = make("button", "choose", String(slot.slot));
  choose.type = "button";
  choose.setAttribute("aria-pressed", String(slot.slot === chosenSlot.value));
  choose.setAttribute("aria-label", `Choose slot ${slot.slot}`);
  const flags = make("td");
  if (slot.flags & LOG) flags.append(make("span", "flag", "log"));
  if (slot.flags & 2) flags.append(make("span", "flag ro", "ro"));
  if (!slot.flags) flags.append("–");
  const made = make("tr", "", make("td", "", choose), make("td", "", hex(slot.base)), make("td", "", bytes(slot.size)), flags);
  made.classList.toggle("chosen", slot.slot === chosenSlot.value);
  made.addEventListener("click", () => chosenSlot.set(slot.slot));
  made.dataset.tip = `Slot ${slot.slot}: ${bytes(slot.size)} at ${hex(slot.base)}, from RAM byte ${hex(slot.offset)}.`;
  return made;
}

/** @param {Map<number, SlotStatus>} known */
function connectDetail(known) {
  const base = byId("slot-base");
  const chosen = () => known.get(chosenSlot.value ?? -1);
  byId("slot-move").addEventListener("submit", (event) => {
    event.preventDefault();
    const to = base instanceof HTMLInputElement ? parseSize(base.value) : null;
    if (to !== null && chosen()) send({ do: "move_slot", slot: chosen()?.slot, base: to });
    else base.focus();
  });
  byId("slot-delete").addEventListener("click", () => chosen() && send({ do: "delete_slot", slot: chosen()?.slot }));
  byId("slot-log").addEventListener("change", async () => {
    const slot = chosen();
    if (slot && !(await send({ do: "set_slot", slot: { ...slot, flags: slot.flags ^ LOG } }))) showDetail(known);
  });
}

/** @param {Map<number, SlotStatus>} known */
function showDetail(known) {
  const slot = known.get(chosenSlot.value ?? -1);
  byId("slot-detail").hidden = slot === undefined;
  if (!slot) return;
  const base = /** @type {HTMLInputElement} */ (byId("slot-base"));
  if (document.activeElement !== base) base.value = hex(slot.base);
  /** @type {HTMLInputElement} */ (byId("slot-log")).checked = (slot.flags & LOG) !== 0;
  byId("slot-base").setAttribute("aria-label", `new base of slot ${slot.slot}`);
}

/**
 * The churn switch and its rate.
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectChurn(guest) {
  const on = /** @type {HTMLInputElement} */ (byId("churn-on"));
  const rate = /** @type {HTMLInputElement} */ (byId("churn-rate"));
  let held = 0;
  const tell = async () => {
    const slot = guest.status?.churn?.slot ?? chosenSlot.value;
    if (slot === null || !rate.reportValidity()) return;
    held = performance.now() + HELD;
    if (!(await send({ do: "churn", slot, rate: on.checked ? rate.valueAsNumber : 0 }))) held = 0;
  };
  on.addEventListener("change", tell);
  rate.addEventListener("change", () => on.checked && tell());
  byId("churn").addEventListener("submit", (event) => event.preventDefault());
  return () => {
    const churn = guest.status?.churn ?? null;
    on.disabled = guest.status === null || (churn === null && chosenSlot.value === null);
    if (performance.now() > held) on.checked = churn !== null && churn.rate > 0;
    const slot = churn?.slot ?? chosenSlot.value;
    setText(byId("churn-slot"), slot === null ? "" : `slot ${slot}`);
    setText(byId("churn-done"), churn ? `${short(churn.done)}×` : "");
  };
}
