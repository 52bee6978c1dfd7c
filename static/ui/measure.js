// What the page shows to measurements: window.ringfence, and attributes on the body.

/** @typedef {import("../model/guest.js").Guest} Guest */

const MOST = 512;

/** @returns {Window["ringfence"]} */
export function connectMeasure() {
  const p50 = () => {
    const sorted = [...window.ringfence.latency].sort((one, other) => one - other);
    return sorted[sorted.length >> 1] ?? Number.NaN;
  };
  window.ringfence = { latency: [], painting: [], p50 };
  return window.ringfence;
}

/**
 * @param {number[]} samples
 * @param {number} sample
 */
export function note(samples, sample) {
  samples.push(sample);
  if (samples.length > MOST) samples.shift();
}

/** @param {Guest} guest */
export function expose(guest) {
  const { dataset } = document.body;
  dataset.frameSeq = String(guest.seq);
  dataset.hypervisor = guest.info?.hypervisor ?? "";
  if (dataset.live === "true") dataset.phase = guest.status?.phase ?? "connecting";
}
