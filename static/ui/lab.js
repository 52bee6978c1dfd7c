// The lab page: joins model, view state, drawing and the connection. Frames change the model at once; everything
// that shows it happens in the paint that follows.

import { Guest } from "../model/guest.js";
import { lossText } from "../model/words.js";
import { invalidate, onPaint } from "../draw/raf.js";
import { Rates } from "../draw/rates.js";
import * as view from "../state/view.js";
import { connectRefusals } from "./banners.js";
import { Connection } from "./connection.js";
import { connectDetail } from "./detail.js";
import { connectDialogs } from "./dialogs.js";
import { byId, setText } from "./element.js";
import { connectKeys } from "./keys.js";
import { connectMap } from "./map_input.js";
import { connectMemory } from "./memory.js";
import { connectMeasure, expose, note } from "./measure.js";
import { connectPolicy, connectSpeed } from "./policy.js";
import { connectPopover, openRights } from "./popover.js";
import { Screen } from "./screen.js";
import { connectChurn, connectSlots } from "./slots.js";
import { connectKinds, connectStream } from "./stream.js";
import { connectTheme } from "./theme.js";
import { connectTime } from "./time_input.js";
import { connectTips } from "./tip.js";
import { connectToolbar } from "./toolbar.js";
import { connectVcpus } from "./vcpus.js";

const PANELS_EVERY = 120;
const RATES_EVERY = 250;
const HIDDEN_ACK = 1000;

const measured = connectMeasure();
const guest = new Guest();
const screen = new Screen(guest);
const rates = new Rates(byId("rates"));
const connection = new Connection(document.body.dataset.scenario ?? "", onFrame, () => guest.begin());
const popover = connectPopover(guest, screen);
const panels = [
  connectToolbar, connectVcpus, connectSlots, connectChurn, connectPolicy, connectSpeed, connectStream, connectKinds,
  connectDetail,
].map((connect) => connect(guest));
panels.push(connectTime(guest, screen));
/** A frame was taken into the model and not yet acknowledged. */
let pending = false;
let panelsAt = 0;

/** @param {import("../model/types").Frame} frame */
function onFrame(frame) {
  guest.apply(frame);
  pending = true;
  byId("map-empty").hidden = true;
  invalidate();
  // A hidden tab paints nothing; it stays in touch, slowly.
  if (document.hidden) setTimeout(acknowledge, HIDDEN_ACK);
}

function acknowledge() {
  if (!pending) return;
  pending = false;
  connection.socket?.acknowledge();
}

/** @param {number} elapsed */
function paint(elapsed) {
  const began = performance.now();
  guest.pass(elapsed);
  screen.paint();
  popover();
  if (began - panelsAt >= PANELS_EVERY) updatePanels(began);
  if (pending) note(measured.latency, Date.now() - guest.encodedAt);
  note(measured.painting, performance.now() - began);
  expose(guest);
  acknowledge();
}

/** @param {number} now */
function updatePanels(now) {
  panelsAt = now;
  for (const update of panels) update();
}

function sampleRates() {
  const status = guest.status;
  if (!status || document.hidden || document.body.dataset.live !== "true") return;
  rates.resize();
  rates.add(status.exits_per_second, status.dirty_per_second);
  setText(byId("rate-exits"), Math.round(status.exits_per_second).toLocaleString("en"));
  setText(byId("lost"), lossText(status.dirty_losses));
  byId("lost").hidden = status.dirty_losses === 0;
  setText(byId("rate-dirty"), Math.round(status.dirty_per_second).toLocaleString("en"));
  // Heat fades and panels catch up also when no frame comes.
  if (guest.running || performance.now() - panelsAt > PANELS_EVERY) invalidate();
}

connectTheme(() => {
  screen.restyle();
  rates.restyle(screen.palette);
  invalidate();
});
connectMap(guest, screen, openRights);
connectDialogs(guest);
connectMemory();
connectKeys(guest, screen);
connectRefusals();
connectTips();
onPaint(paint);
for (const atom of [view.viewport, view.selection, view.cursor, view.layers, view.timeWindow]) atom.watch(invalidate);
for (const atom of [view.chosenExit, view.chosenSlot, view.hiddenKinds]) {
  atom.watch(() => {
    panelsAt = 0;
    invalidate();
  });
}
new ResizeObserver(invalidate).observe(byId("map"));
byId("map").addEventListener("blur", invalidate);
setInterval(sampleRates, RATES_EVERY);
connection.start();
