// What a denied access leads to, and how fast exits may come.

import { short } from "../base/numbers.js";
import { positionOf, speedAt } from "../base/scale.js";
import { send } from "../net/commands.js";
import { byId, setText } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */

/**
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectPolicy(guest) {
  const buttons = [...byId("policy").querySelectorAll("button")];
  for (const button of buttons) {
    button.addEventListener("click", () => send({ do: "set_policy", on_protection: button.dataset.policy }));
  }
  return () => {
    for (const button of buttons) {
      button.disabled = guest.status === null;
      button.setAttribute("aria-pressed", String(button.dataset.policy === guest.status?.on_protection));
    }
  };
}

/**
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectSpeed(guest) {
  const slider = /** @type {HTMLInputElement} */ (byId("speed"));
  let held = 0;
  const say = (/** @type {number | null} */ speed) => {
    const text = speed === null ? "unlimited" : `${short(speed)} exits/s`;
    setText(byId("speed-text"), text);
    slider.setAttribute("aria-valuetext", text);
  };
  slider.addEventListener("input", () => {
    held = performance.now();
    say(speedAt(slider.valueAsNumber));
  });
  slider.addEventListener("change", () => send({ do: "set_speed", exits_per_second: speedAt(slider.valueAsNumber) }));
  return () => {
    slider.disabled = guest.status === null;
    // What was just chosen is not undone by a frame that was under way.
    if (guest.status === null || performance.now() - held < 800) return;
    slider.value = String(positionOf(guest.status.speed));
    say(guest.status.speed);
  };
}
