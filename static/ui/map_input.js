// Hands on the map: drag and shift-arrows select pages, the wheel and the buttons zoom, the strip moves the view.

import { cellAt, pageOf } from "../base/grid.js";
import { gpaText, parseAddress } from "../base/numbers.js";
import { rightsText } from "../base/rights.js";
import { between } from "../base/runs.js";
import { moved, showing, zoomed } from "../base/viewport.js";
import { cursor, layers, selection, viewport } from "../state/view.js";
import { save } from "../state/saved.js";
import { byId, setText } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("./screen.js").Screen} Screen */

let anchor = 0;
/** True while the pointer is drawing a selection: the popover waits. */
export let dragging = false;

/**
 * @param {Guest} guest
 * @param {Screen} screen
 * @param {() => void} openRights moves the focus to the rights of the selection
 */
export function connectMap(guest, screen, openRights) {
  const map = byId("map");
  map.addEventListener("pointerdown", (event) => press(event, map, guest, screen));
  map.addEventListener("pointermove", (event) => dragging && stretch(pageUnder(event, map, screen), guest, screen));
  for (const type of ["pointerup", "pointercancel"]) map.addEventListener(type, () => release());
  map.addEventListener("wheel", (event) => wheel(event, map, guest, screen), { passive: false });
  map.addEventListener("keydown", (event) => key(event, guest, screen, openRights));
  map.addEventListener("focus", () => announce(guest));
  byId("zoom-in").addEventListener("click", () => zoom(true, guest));
  byId("zoom-out").addEventListener("click", () => zoom(false, guest));
  connectOverview(guest);
  connectFind(guest);
  connectLayers();
}

/**
 * @param {PointerEvent} event
 * @param {HTMLElement} map
 * @param {Guest} guest
 * @param {Screen} screen
 */
function press(event, map, guest, screen) {
  if (event.button !== 0 || guest.pages.count === 0) return;
  map.setPointerCapture(event.pointerId);
  dragging = true;
  const page = pageUnder(event, map, screen);
  if (!event.shiftKey || !selection.value) anchor = page;
  stretch(page, guest, screen);
}

function release() {
  if (!dragging) return;
  dragging = false;
  // The same range again, as a new value: whoever watches now shows what waits for the end of a drag.
  if (selection.value) selection.set({ ...selection.value });
}

/**
 * @param {MouseEvent} event
 * @param {HTMLElement} map
 * @param {Screen} screen
 */
function pageUnder(event, map, screen) {
  const box = map.getBoundingClientRect();
  return pageOf(screen.grid, cellAt(screen.grid, event.clientX - box.left, event.clientY - box.top));
}

/**
 * Selects whole cells from the anchor to `page`.
 * @param {number} page
 * @param {Guest} guest
 * @param {Screen} screen
 */
function stretch(page, guest, screen) {
  const cell = 2 ** screen.grid.shift;
  const last = guest.pages.count - 1;
  const end = page >= anchor ? page + cell - 1 : page;
  const start = page >= anchor ? anchor : anchor + cell - 1;
  cursor.set(Math.min(page, last));
  selection.set(between(Math.min(start, last), Math.min(end, last)));
}

/**
 * @param {WheelEvent} event
 * @param {HTMLElement} map
 * @param {Guest} guest
 * @param {Screen} screen
 */
function wheel(event, map, guest, screen) {
  event.preventDefault();
  const total = guest.pages.count;
  if (total === 0 || event.deltaY === 0) return;
  const { value } = viewport;
  if (event.shiftKey) viewport.set(moved(value, Math.sign(event.deltaY) * (value.span / 8), total));
  else viewport.set(zoomed(value, event.deltaY < 0, pageUnder(event, map, screen), total));
}

/**
 * @param {boolean} closer
 * @param {Guest} guest
 */
export function zoom(closer, guest) {
  const total = guest.pages.count;
  const { first, span } = viewport.value;
  const inSight = cursor.value >= first && cursor.value < first + span;
  const around = selection.value?.first ?? (inSight ? cursor.value : first + span / 2);
  if (total) viewport.set(zoomed(showing(viewport.value, around, total), closer, around, total));
}

/**
 * @param {KeyboardEvent} event
 * @param {Guest} guest
 * @param {Screen} screen
 * @param {() => void} openRights
 */
function key(event, guest, screen, openRights) {
  const { cols, shift } = screen.grid;
  const cell = 2 ** shift;
  /** @type {Record<string, number>} */
  const steps = {
    ArrowLeft: -cell, ArrowRight: cell, ArrowUp: -cell * cols, ArrowDown: cell * cols,
    PageUp: -viewport.value.span, PageDown: viewport.value.span, Home: -Infinity, End: Infinity,
  };
  if (event.key === "Enter") {
    if (!selection.value) selection.set({ first: cursor.value, count: 1 });
    openRights();
  } else if (event.key in steps && guest.pages.count) walk(steps[event.key], event.shiftKey, guest, screen);
  else return;
  event.preventDefault();
}

/**
 * @param {number} step pages
 * @param {boolean} select
 * @param {Guest} guest
 * @param {Screen} screen
 */
function walk(step, select, guest, screen) {
  if (select && !selection.value) anchor = cursor.value;
  const page = Math.max(0, Math.min(guest.pages.count - 1, cursor.value + step));
  viewport.set(showing(viewport.value, page, guest.pages.count));
  cursor.set(page);
  if (select) stretch(page, guest, screen);
  else selection.set(null);
  announce(guest);
}

/** Says where the cursor is, for those who do not see it. @param {Guest} guest */
function announce(guest) {
  const page = cursor.value;
  if (page >= guest.pages.count) return;
  const slot = guest.pages.slotOf(page);
  const hot = guest.heat.level(guest.heat.stamps[page], guest.now);
  const where = slot ? `slot ${slot.slot}` : "void";
  const selected = selection.value && selection.value.count > 1 ? `, ${selection.value.count} pages selected` : "";
  const rights = `VTL0 may ${rightsText(guest.pages.rights[page])}`;
  setText(byId("announcer"), `${gpaText(page)}, ${where}, ${rights}${hot > 60 ? ", just written" : ""}${selected}`);
}

/** @param {Guest} guest */
function connectOverview(guest) {
  const strip = byId("overview");
  const go = (/** @type {PointerEvent} */ event) => {
    const { left, width } = strip.getBoundingClientRect();
    const { span } = viewport.value;
    const page = ((event.clientX - left) / width) * guest.pages.count;
    if (guest.pages.count) viewport.set(moved({ first: 0, span }, page - span / 2, guest.pages.count));
  };
  strip.addEventListener("pointerdown", (event) => {
    strip.setPointerCapture(event.pointerId);
    go(event);
  });
  strip.addEventListener("pointermove", (event) => event.buttons === 1 && go(event));
}

/** @param {Guest} guest */
function connectFind(guest) {
  const find = /** @type {HTMLInputElement} */ (byId("find"));
  find.addEventListener("input", () => find.setCustomValidity(""));
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const page = Math.floor((parseAddress(find.value) ?? -1) / 4096);
    if (page < 0) find.setCustomValidity("Write an address, like 0x210000 or 2MiB.");
    else if (page >= guest.pages.count) find.setCustomValidity(`The guest ends at ${gpaText(guest.pages.count)}.`);
    if (!find.reportValidity()) return;
    viewport.set(showing(viewport.value, page, guest.pages.count));
    cursor.set(page);
    selection.set({ first: page, count: 1 });
    byId("map").focus();
  });
}

function connectLayers() {
  for (const button of document.querySelectorAll("[data-layer]")) {
    const name = /** @type {"slots"} */ (button.getAttribute("data-layer"));
    button.addEventListener("click", () => {
      layers.set({ ...layers.value, [name]: !layers.value[name] });
      save({ layers: layers.value });
    });
    layers.watch((value) => button.setAttribute("aria-pressed", String(value[name])));
  }
}
