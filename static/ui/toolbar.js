// Run control, what the guest runs on, and the clock.

import { bytes, grouped } from "../base/numbers.js";
import { isHostClock, timeText } from "../base/scale.js";
import { send } from "../net/commands.js";
import { chosenExit } from "../state/view.js";
import { byId, setText } from "./element.js";

/** @typedef {import("../model/guest.js").Guest} Guest */

/**
 * @param {Guest} guest
 * @returns {() => void}
 */
export function connectToolbar(guest) {
  byId("run").addEventListener("click", () => toggleRun(guest));
  byId("step").addEventListener("click", () => step(guest));
  byId("reset").addEventListener("click", () => reset());
  return () => {
    updateRun(guest);
    updateBadge(guest);
    updateClock(guest);
  };
}

/** @param {Guest} guest */
export function toggleRun(guest) {
  if (canRun(guest)) send({ do: guest.running ? "pause" : "run" });
}

/** The detail shows each step's exit: nothing stays chosen from before. @param {Guest} guest */
export function step(guest) {
  if (!canRun(guest)) return;
  chosenExit.set(null);
  send({ do: "step" });
}

function reset() {
  chosenExit.set(null);
  send({ do: "reset" });
}

/** @param {Guest} guest */
function canRun({ status }) {
  return status !== null && status.phase !== "ended";
}

/** @param {Guest} guest */
function updateRun(guest) {
  const run = byId("run");
  const possible = canRun(guest) && document.body.dataset.live === "true";
  for (const id of ["run", "step"]) /** @type {HTMLButtonElement} */ (byId(id)).disabled = !possible;
  /** @type {HTMLButtonElement} */ (byId("reset")).disabled = guest.status === null || document.body.dataset.live !== "true";
  run.classList.toggle("go", !guest.running);
  setText(byId("run-text"), guest.running ? "Pause" : "Run");
}

/** @param {Guest} guest */
function updateBadge({ info }) {
  if (!info) return;
  const badge = byId("badge");
  badge.classList.toggle("real", info.real);
  badge.classList.toggle("sim", !info.real);
  setText(badge, info.real ? "● real KVM" : "◇ simulator");
  badge.dataset.tip = info.why_not_kvm ? `${info.label}. Not on KVM: ${info.why_not_kvm}` : `${info.label}.`;
}

/** @param {Guest} guest */
function updateClock({ info, status, time, pages }) {
  if (!info || !status) return;
  const whose = isHostClock(info.clock) ? "host" : "guest";
  const ended = status.phase === "ended" ? ` · ended: ${status.why}` : status.phase === "running" ? "" : ` · ${status.phase}`;
  setText(byId("clock"), `${timeText(time, info.clock)}${isHostClock(info.clock) ? ` · ${whose}` : ""}${ended}`);
  byId("clock").dataset.tip = isHostClock(info.clock)
    ? "Time of the last frame since the start of the run, on the host's clock, as are all times here."
    : "Instructions that the guest had executed at the last frame: the simulator's clock, on which all times here are.";
  setText(byId("map-size"), `${grouped(pages.count)} pages · ${bytes(info.ram)}`);
}
