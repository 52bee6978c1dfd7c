// What a person has chosen to look at. The guest itself is in model/; nothing here reaches the engine.

import { Atom } from "./atom.js";
import { load } from "./saved.js";

/** @typedef {import("../model/types").Range} Range */
/** @typedef {import("../model/types").ExitRecord} ExitRecord */
/** @typedef {{first: number, span: number}} Viewport pages [first, first + span) */
/** @typedef {{end: number | null, span: number | null}} Window null: follow the end, the span that suits the clock */

const saved = load();

/** @type {Atom<Viewport>} */
export const viewport = new Atom({ first: 0, span: 0 });
/** @type {Atom<Range | null>} */
export const selection = new Atom(/** @type {Range | null} */ (null));
/** The page that the keyboard is on. */
export const cursor = new Atom(0);
/** @type {Atom<ExitRecord | null>} */
export const chosenExit = new Atom(/** @type {ExitRecord | null} */ (null));
/** @type {Atom<number | null>} */
export const chosenSlot = new Atom(/** @type {number | null} */ (null));
/** @type {Atom<Window>} */
export const timeWindow = new Atom(/** @type {Window} */ ({ end: null, span: null }));
export const layers = new Atom(saved.layers);
export const hiddenKinds = new Atom(new Set(saved.hidden));
export const theme = new Atom(saved.theme);
export const present = new Atom(saved.present);
