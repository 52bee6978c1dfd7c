// What the page says when there is no live machine, and what the machine said no to.

import { refusal } from "../net/commands.js";
import { byId, make, setText } from "./element.js";

/** @typedef {import("../model/types").Ended} Ended */

const REFUSAL_SHOWN = 8000;
const MOST_TOASTS = 3;
/** @type {Record<number, string>} */
const SIGNALS = { 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM" };

/**
 * Shows a banner; `phase` goes onto the body for styles and tests.
 * @param {string} phase
 * @param {string} text
 * @param {{label: string, act: () => void}[]} [actions]
 */
export function showBanner(phase, text, actions = []) {
  document.body.dataset.phase = phase;
  setLive(false);
  setText(byId("banner-text"), text);
  byId("banner-actions").replaceChildren(...actions.map(button));
  byId("banner").className = phase;
  byId("banner").hidden = false;
}

export function hideBanner() {
  setLive(true);
  byId("banner").hidden = true;
}

/**
 * Without a machine its controls answer nobody: they are out of reach, not merely refused.
 * @param {boolean} live
 */
function setLive(live) {
  document.body.dataset.live = String(live);
  for (const part of document.querySelectorAll(".machine, .run")) /** @type {HTMLElement} */ (part).inert = !live;
}

/** @param {{label: string, act: () => void}} action */
function button({ label, act }) {
  const made = make("button", "go", label);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/**
 * What ended the machine, in a sentence.
 * @param {Ended} ended
 */
export function endedText({ reason, signal, exit }) {
  if (signal) {
    const name = SIGNALS[signal] ? ` (${SIGNALS[signal]})` : "";
    return `The engine process was killed by signal ${signal}${name}. This machine is gone; its scenario is not.`;
  }
  if (exit) return `The engine process ended with status ${exit}. ${reason}`.trim();
  return reason || "This machine is no longer there.";
}

/** Refusals appear at the foot of the page, and go by themselves. */
export function connectRefusals() {
  refusal.watch((refused) => {
    if (!refused) return;
    const toasts = byId("toasts");
    const toast = make("p", "toast", refused.text);
    toast.addEventListener("click", () => toast.remove());
    toasts.append(toast);
    while (toasts.children.length > MOST_TOASTS) toasts.firstElementChild?.remove();
    setTimeout(() => toast.remove(), REFUSAL_SHOWN);
  });
}
