// The one place that asks for animation frames: painters run together, at most once a frame, only when asked for.

/** @type {((elapsed: number) => void)[]} */
const painters = [];
let asked = false;
let last = 0;

/**
 * `painter` runs in every painted frame, in order of registration; `elapsed` is ms since the one before.
 * @param {(elapsed: number) => void} painter
 */
export function onPaint(painter) {
  painters.push(painter);
}

/** Asks for one frame; asking again before it comes changes nothing. */
export function invalidate() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(paint);
}

/** @param {number} now */
function paint(now) {
  asked = false;
  const elapsed = now - last;
  last = now;
  for (const painter of painters) painter(elapsed);
}
