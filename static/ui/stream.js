// The stream of exits, newest first, with a filter per kind; it stands still while pointed at, so that one can be hit.

import { grouped, short } from "../base/numbers.js";
import { isHostClock } from "../base/scale.js";
import { KINDS, styleOf } from "../draw/kinds.js";
import { line, stamp } from "../model/words.js";
import { save } from "../state/saved.js";
import { chosenExit, hiddenKinds } from "../state/view.js";
import { byId, make, setText } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */
/** @typedef {import("../model/types").ExitRecord} ExitRecord */

const ROWS = 40;
const ALWAYS = ["protection", "void", "io"];

/**
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectStream(guest) {
  const list = byId("stream");
  /** @type {ExitRecord[]} */
  let shown = [];
  let drawn = "";
  const show = () => {
    const host = isHostClock(guest.info?.clock ?? "host ns");
    const key = `${shown[0]?.seq} ${shown.length} ${chosenExit.value?.seq} ${guest.generation}`;
    if (key === drawn) return;
    drawn = key;
    list.replaceChildren(...(shown.length ? shown.map((record) => item(record, host)) : [nothing(guest)]));
    const active = shown.find(({ seq }) => seq === chosenExit.value?.seq);
    list.setAttribute("aria-activedescendant", active ? `exit-${active.seq}` : "");
  };
  list.addEventListener("click", (event) => choose(event, shown));
  list.addEventListener("keydown", (event) => walk(event, shown));
  chosenExit.watch(show);
  return () => {
    const held = list.matches(":hover") || list.matches(":focus");
    if (!held || !guest.running) shown = latest(guest.history.records);
    list.classList.toggle("held", held && guest.running);
    show();
  };
}

/** @param {ExitRecord[]} records */
function latest(records) {
  const found = [];
  for (let i = records.length - 1; i >= 0 && found.length < ROWS; i--) {
    if (!hiddenKinds.value.has(records[i].kind)) found.push(records[i]);
  }
  return found;
}

/**
 * @param {ExitRecord} record
 * @param {boolean} host
 */
function item(record, host) {
  const { act, on, remark } = line(record);
  const letter = make("i", "letter", styleOf(record.kind).letter);
  const when = make("time", "", stamp(record.time, host));
  const what = [make("b", "", `v${record.vcpu}`), ` ${act} `, make("u", "", on), " ", make("em", "", remark)];
  const made = make("li", `kind-${record.kind}`, letter, when, ...what);
  made.id = `exit-${record.seq}`;
  made.role = "option";
  made.ariaSelected = String(record.seq === chosenExit.value?.seq);
  made.dataset.seq = String(record.seq);
  return made;
}

/** @param {Guest} guest */
function nothing(guest) {
  const some = guest.history.records.length > 0;
  const made = make("li", "empty", some ? "Every kind that came is switched off above." : "No exit yet. An access that a mask denies shows up here.");
  made.role = "option";
  made.ariaDisabled = "true";
  return made;
}

/**
 * @param {Event} event
 * @param {ExitRecord[]} shown
 */
function choose(event, shown) {
  const seq = event.target instanceof Element ? event.target.closest("li")?.dataset.seq : undefined;
  const record = shown.find((one) => String(one.seq) === seq);
  if (record) chosenExit.set(record.seq === chosenExit.value?.seq ? null : record);
}

/**
 * @param {KeyboardEvent} event
 * @param {ExitRecord[]} shown
 */
function walk(event, shown) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || shown.length === 0) return;
  event.preventDefault();
  event.stopPropagation();
  const at = shown.findIndex((record) => record.seq === chosenExit.value?.seq);
  chosenExit.set(shown[Math.max(0, Math.min(shown.length - 1, at + step))]);
  document.getElementById(`exit-${chosenExit.value?.seq}`)?.scrollIntoView({ block: "nearest" });
}

/**
 * The filters, with exits so far of each kind, and the totals above them.
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectKinds(guest) {
  /** @type {Map<string, {button: HTMLButtonElement, count: HTMLElement}>} */
  const made = new Map();
  return () => {
    const exits = guest.status?.exits ?? {};
    const kinds = [...new Set([...ALWAYS, ...Object.keys(exits)])].filter((kind) => ALWAYS.includes(kind) || exits[kind]);
    if (kinds.some((kind) => !made.has(kind))) {
      kinds.sort((one, other) => styleOf(one).order - styleOf(other).order);
      for (const kind of kinds) if (!made.has(kind)) made.set(kind, chip(kind));
      byId("kinds").replaceChildren(...kinds.map((kind) => made.get(kind)?.button ?? ""));
    }
    for (const [kind, { count }] of made) setText(count, short(exits[kind] ?? 0));
    setText(byId("exit-rate"), `${grouped(guest.status?.exits_per_second ?? 0)}/s`);
    setText(byId("exit-dropped"), `${short(guest.status?.dropped ?? 0)} not shown`);
  };
}

/** @param {string} kind */
function chip(kind) {
  const count = make("b");
  const button = make("button", `kind-${kind}`, make("i", "letter", styleOf(kind).letter), kind.replace("_", " "), " ", count);
  button.type = "button";
  button.dataset.tip = `${KINDS[kind]?.about ?? styleOf(kind).about} Press to show or hide these.`;
  button.addEventListener("click", () => {
    const hidden = new Set(hiddenKinds.value);
    if (!hidden.delete(kind)) hidden.add(kind);
    hiddenKinds.set(hidden);
    save({ hidden: [...hidden] });
  });
  hiddenKinds.watch((hidden) => button.setAttribute("aria-pressed", String(!hidden.has(kind))));
  return { button, count };
}
