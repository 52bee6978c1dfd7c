// Scales: value to pixel, ticks at round numbers, the logarithmic speed slider, times in words.

/** @typedef {{from: number, to: number, left: number, width: number}} Scale */

/** The narrowest span of time, of either clock. */
export const LEAST_SPAN = 1000;

/**
 * @param {Scale} scale
 * @param {number} value
 */
export function toPixel(scale, value) {
  return scale.left + ((value - scale.from) / (scale.to - scale.from)) * scale.width;
}

/**
 * @param {Scale} scale
 * @param {number} pixel
 */
export function toValue(scale, pixel) {
  return scale.from + ((pixel - scale.left) / scale.width) * (scale.to - scale.from);
}

/**
 * The smallest of 1, 2, 5 times a power of ten that is at least `value`.
 * @param {number} value
 */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

/**
 * A span for a run whose last exit is at `last`; null where the usual one is no wider.
 * @param {number} last
 * @param {number} usual
 */
export function wholeSpan(last, usual) {
  const whole = roundUp(Math.max(LEAST_SPAN, last));
  return whole < usual ? whole : null;
}

/**
 * Round values in [from, to], at most `most` of them.
 * @param {number} from
 * @param {number} to
 * @param {number} most
 */
export function ticks(from, to, most) {
  const step = roundUp(Math.max((to - from) / Math.max(1, most), Number.MIN_VALUE));
  const found = [];
  for (let i = Math.ceil(from / step); i * step <= to; i++) found.push(i * step);
  return found;
}

/** Position of the speed slider that means: as fast as exits come. */
export const UNLIMITED = 100;
const DECADES = 5;

/**
 * Exits a second for a slider position 0 to 100: 1 to 100,000, null at the end.
 * @param {number} position
 * @returns {number | null}
 */
export function speedAt(position) {
  if (position >= UNLIMITED) return null;
  const value = 10 ** ((position / (UNLIMITED - 1)) * DECADES);
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.round(value / unit) * unit;
}

/**
 * @param {number | null} speed
 */
export function positionOf(speed) {
  if (speed === null) return UNLIMITED;
  return Math.min(UNLIMITED - 1, Math.round((Math.log10(Math.max(1, speed)) / DECADES) * (UNLIMITED - 1)));
}

/**
 * Whether times count nanoseconds of the host (otherwise executed guest instructions).
 * @param {string} clock
 */
export function isHostClock(clock) {
  return clock.startsWith("host");
}

/**
 * A time with its unit: `12.418 s` of the host, or `1,204,331 instr`.
 * @param {number} time
 * @param {string} clock
 * @param {number} [decimals]
 */
export function timeText(time, clock, decimals = 3) {
  if (isHostClock(clock)) return `${(time / 1e9).toFixed(decimals)} s`;
  return `${Math.round(time).toLocaleString("en")} instr`;
}

/**
 * A tick's label: as many decimals as the step needs.
 * @param {number} time
 * @param {number} span
 * @param {string} clock
 */
export function tickText(time, span, clock) {
  if (!isHostClock(clock)) return time >= 1e6 ? `${Number((time / 1e6).toFixed(2))}M` : `${Number((time / 1e3).toFixed(1))}k`;
  const decimals = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(span / 1e9))));
  return `${(time / 1e9).toFixed(decimals)} s`;
}
