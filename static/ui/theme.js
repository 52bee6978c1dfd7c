// Dark, light, as the system has it; and Present, large type with high contrast, on top of either.

import { save } from "../state/saved.js";
import { present, theme } from "../state/view.js";
import { byId } from "./element.js";

/** @typedef {import("../state/saved.js").Theme} Theme */

/** @type {Theme[]} */
const ORDER = ["system", "dark", "light"];
const LIGHT = matchMedia("(prefers-color-scheme: light)");

/**
 * Connects the two buttons; `restyle` runs after every change of colours or of the size of type.
 * @param {() => void} restyle
 */
export function connectTheme(restyle) {
  const change = () => {
    apply();
    restyle();
  };
  byId("theme").addEventListener("click", nextTheme);
  byId("present").addEventListener("click", togglePresent);
  theme.watch(change);
  present.watch(change);
  LIGHT.addEventListener("change", change);
}

export function nextTheme() {
  theme.set(ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length]);
  save({ theme: theme.value });
}

export function togglePresent() {
  present.set(!present.value);
  save({ present: present.value });
}

function apply() {
  const root = document.documentElement;
  root.dataset.theme = theme.value === "system" ? (LIGHT.matches ? "light" : "dark") : theme.value;
  root.toggleAttribute("data-present", present.value);
  byId("present").setAttribute("aria-pressed", String(present.value));
  byId("theme").textContent = { system: "◐ system", dark: "● dark", light: "○ light" }[theme.value];
}
