// One tooltip for everything that carries data-tip: on pointing, and on keyboard focus.

import { byId } from "./element.js";

const DELAY = 350;

/** Watches the whole page, so that elements made later are covered. */
export function connectTips() {
  const tip = byId("tip");
  let timer = 0;
  /** @type {HTMLElement | null} */
  let shown = null;
  const hide = () => {
    clearTimeout(timer);
    if (shown?.getAttribute("aria-describedby") === "tip") shown.removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
  };
  const show = (/** @type {HTMLElement} */ target) => {
    if (!target.isConnected || !target.dataset.tip) return;
    shown = target;
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    if (!target.hasAttribute("aria-describedby")) target.setAttribute("aria-describedby", "tip");
    place(tip, target.getBoundingClientRect());
  };
  const consider = (/** @type {Event} */ event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (target === shown) return;
    hide();
    if (target instanceof HTMLElement) timer = setTimeout(() => show(target), event.type === "focusin" ? 0 : DELAY);
  };
  document.addEventListener("pointerover", consider);
  document.addEventListener("focusin", consider);
  document.addEventListener("focusout", hide);
  for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, hide, true);
}

/**
 * Below the target where there is room, otherwise above, never beyond the window.
 * @param {HTMLElement} tip
 * @param {DOMRect} target
 */
function place(tip, target) {
  const { width, height } = tip.getBoundingClientRect();
  const below = target.bottom + 6;
  const top = below + height < innerHeight ? below : Math.max(4, target.top - height - 6);
  tip.style.left = `${Math.max(4, Math.min(target.left, innerWidth - width - 8))}px`;
  tip.style.top = `${top}px`;
}
