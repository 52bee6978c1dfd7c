// Keys that work anywhere on the page. A key never takes a letter from a field that is being typed into.

import { selection } from "../state/view.js";
import { openHelp, openTable } from "./dialogs.js";
import { byId } from "./element.js";
import { zoom } from "./map_input.js";
import { nextTheme, togglePresent } from "./theme.js";
import { moveTime, zoomTime } from "./time_input.js";
import { step, toggleRun } from "./toolbar.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("./screen.js").Screen} Screen */

/**
 * @param {Guest} guest
 * @param {Screen} screen
 */
export function connectKeys(guest, screen) {
  /** @type {Record<string, () => void>} */
  const keys = {
    " ": () => toggleRun(guest),
    ".": () => step(guest),
    "/": () => byId("find").focus(),
    "?": openHelp,
    m: () => openTable(guest),
    p: togglePresent,
    t: nextTheme,
    "+": () => zoom(true, guest),
    "=": () => zoom(true, guest),
    "-": () => zoom(false, guest),
    w: () => zoomTime(screen, 0.5),
    s: () => zoomTime(screen, 2),
    a: () => moveTime(screen, -0.25),
    d: () => moveTime(screen, 0.25),
    Escape: escape,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || (event.key !== "Escape" && isTaken(event))) return;
    event.preventDefault();
    action();
  });
}

/** Whether the focused element has its own use for the key. @param {KeyboardEvent} event */
function isTaken({ target, key }) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("input:not([type=checkbox]):not([type=range]), textarea, select")) return true;
  return key === " " && target.matches("button, a, input, summary");
}

function escape() {
  const { activeElement } = document;
  if (activeElement instanceof HTMLInputElement) activeElement.blur();
  selection.set(null);
}
