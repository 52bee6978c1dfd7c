// The rights of the selected pages, and the switches that set them.

import { cellArea, cellOf } from "../base/grid.js";
import { bytes, gpaText, pagesText } from "../base/numbers.js";
import { ALL, executesApart, flip, KX, missingText, R, rightsText, UX, W, X } from "../base/rights.js";
import { send } from "../net/commands.js";
import { selection } from "../state/view.js";
import { byId, make, setText } from "./element.js";
import { dragging } from "./map_input.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../model/types").Range} Range */
/** @typedef {import("./screen.js").Screen} Screen */
/** @typedef {{name: string, bits: number, about: string}} Right */

/** @type {Right[]} */
const TIED = [
  { name: "R", bits: R, about: "Read. Without it nothing else is allowed either." },
  { name: "W", bits: W, about: "Write." },
  { name: "X", bits: X, about: "Execute, in kernel and user mode alike." },
];
/** @type {Right[]} */
const APART = [
  ...TIED.slice(0, 2),
  { name: "KX", bits: KX, about: "Execute in kernel mode." },
  { name: "UX", bits: UX, about: "Execute in user mode." },
];

/**
 * @param {Guest} guest
 * @param {Screen} screen
 * @returns {() => void}
 */
export function connectPopover(guest, screen) {
  const popover = byId("popover");
  let drawn = "";
  byId("pop-clear").addEventListener("click", () => setRights(ALL));
  popover.addEventListener("keydown", ({ key }) => key === "Escape" && byId("map").focus());
  return () => {
    const range = selection.value;
    popover.hidden = range === null || dragging || guest.info === null;
    if (range === null || popover.hidden) return;
    const key = JSON.stringify([range, guest.pages.version, guest.info?.masks]);
    if (key !== drawn) describe(guest, range);
    drawn = key;
    place(popover, screen, range);
  };
}

/** Moves the focus to the first switch. */
export function openRights() {
  requestFocus(byId("popover"));
}

/** @param {HTMLElement} popover */
function requestFocus(popover) {
  popover.hidden = false;
  const first = popover.querySelector("button:not([aria-disabled=true])");
  if (first instanceof HTMLElement) first.focus();
}

/**
 * @param {Guest} guest
 * @param {Range} range
 */
function describe(guest, range) {
  const { common, mixed } = rightsOf(guest, range);
  const masks = guest.info?.masks ?? [];
  setText(byId("pop-range"), `${gpaText(range.first)} + ${pagesText(range.count)} (${bytes(range.count * 4096)})`);
  setText(byId("pop-what"), `${slotsOf(guest, range)} · ${fenceText(guest, range, common, mixed)}`);
  const rights = executesApart(masks) ? APART : TIED;
  const wasIn = byId("pop-rights").contains(document.activeElement) ? document.activeElement?.textContent : null;
  const buttons = rights.map((right) => toggle(right, common, masks, guest.info?.mask_reason ?? ""));
  byId("pop-rights").replaceChildren(...buttons);
  // The switches are made anew; the focus goes back to the one it was on.
  buttons.find((button) => button.textContent === wasIn)?.focus();
  const lacking = buttons.some((button) => button.ariaDisabled === "true");
  byId("pop-reason").hidden = !lacking;
  setText(byId("pop-reason"), lacking ? (guest.info?.mask_reason ?? "") : "");
  /** @type {HTMLButtonElement} */ (byId("pop-clear")).disabled = common === ALL && !mixed;
}

/**
 * @param {Guest} guest
 * @param {Range} range
 * @param {number} common
 * @param {boolean} mixed
 */
function fenceText({ pages }, { first, count }, common, mixed) {
  if (common === ALL && !mixed) return "not fenced";
  return `${mixed ? "rights differ" : `fenced: ${missingText(common)}`} · set by ${pages.settersIn(first, first + count)}`;
}

/**
 * @param {Right} right
 * @param {number} common
 * @param {number[]} masks
 * @param {string} reason
 */
function toggle({ name, bits, about }, common, masks, reason) {
  const next = flip(common, bits, masks);
  const button = make("button", "mono", name);
  button.type = "button";
  button.ariaPressed = String((common & bits) === bits);
  button.dataset.right = name;
  button.dataset.tip = next === null ? `This host cannot: ${reason || "no such mask here."}` : `${about} Press for ${rightsText(next)}.`;
  // aria-disabled keeps the button within reach of the keyboard, so that its reason can be read.
  if (next === null) button.ariaDisabled = "true";
  else button.addEventListener("click", () => setRights(next));
  return button;
}

/** @param {number} rights */
function setRights(rights) {
  const range = selection.value;
  if (range) send({ do: "set_mask", base: range.first * 4096, pages: range.count, rights, vtl: 0 });
}

/**
 * The rights that all pages have, and whether some have more.
 * @param {Guest} guest
 * @param {Range} range
 */
function rightsOf({ pages }, { first, count }) {
  let common = ALL;
  let union = 0;
  for (let page = first; page < first + count; page++) {
    common &= pages.rights[page];
    union |= pages.rights[page];
  }
  return { common, mixed: common !== union };
}

/**
 * @param {Guest} guest
 * @param {Range} range
 */
function slotsOf({ pages, info }, { first, count }) {
  const inside = pages.slots.filter(({ base, size }) => base / 4096 < first + count && (base + size) / 4096 > first);
  const names = inside.map(({ slot }) => `slot ${slot}`);
  const end = first + count;
  const held = inside.reduce((sum, { base, size }) => sum + Math.min(end, (base + size) / 4096) - Math.max(first, base / 4096), 0);
  if (held < count) names.push("void");
  return names.join(", ") + (first < (info?.system_pages ?? 0) ? " · system" : "");
}

/**
 * Beside the end of the selection, inside the map.
 * @param {HTMLElement} popover
 * @param {Screen} screen
 * @param {Range} range
 */
function place(popover, screen, range) {
  const { grid } = screen;
  const map = byId("map");
  const cell = Math.max(0, Math.min(grid.cols * grid.rows - 1, cellOf(grid, range.first + range.count - 1)));
  const { left, top, width, height } = cellArea(grid, cell);
  const below = top + height + 8;
  const fits = below + popover.offsetHeight < map.offsetHeight;
  const first = cellArea(grid, Math.max(0, Math.min(grid.cols * grid.rows - 1, cellOf(grid, range.first))));
  const y = fits ? below : Math.max(4, first.top - popover.offsetHeight - 8);
  const x = Math.max(4, Math.min(left + width / 2 - popover.offsetWidth / 2, map.offsetWidth - popover.offsetWidth - 4));
  popover.style.left = `${map.offsetLeft + Math.round(x)}px`;
  popover.style.top = `${map.offsetTop + Math.round(y)}px`;
}
