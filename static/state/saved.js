// UI state that outlives a visit: one versioned record in localStorage, unknown versions ignored.

const KEY = "ringfence.ui";
const VERSION = 1;

/** @typedef {"system" | "dark" | "light"} Theme */
/** @typedef {{slots: boolean, masks: boolean, dirty: boolean, faults: boolean}} Layers */
/**
 * @typedef {object} Saved
 * @property {number} version
 * @property {Theme} theme
 * @property {boolean} present
 * @property {Layers} layers
 * @property {string[]} hidden exit kinds left out of the stream
 */

/** @returns {Saved} */
export function defaults() {
  const layers = { slots: true, masks: true, dirty: true, faults: true };
  return { version: VERSION, theme: "system", present: false, layers, hidden: [] };
}

/** @returns {Saved} */
export function load() {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return saved?.version === VERSION ? { ...defaults(), ...saved } : defaults();
  } catch {
    // Storage is off, or what it holds is no JSON: the defaults do.
    return defaults();
  }
}

/** @param {Partial<Saved>} changes */
export function save(changes) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...load(), ...changes }));
  } catch {
    // Storage is off: the setting lasts as long as the page.
  }
}
