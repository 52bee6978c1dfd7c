// Which session this page shows: the one it had before a reload, or a new one from the scenario.

import { reason } from "./commands.js";

/** @typedef {{id: string, fresh: boolean}} Attached */

/** A session could not be had; `message` is the server's reason. */
export class Refused extends Error {}

/** @param {string} scenario */
const key = (scenario) => `ringfence.session.${scenario}`;

/**
 * The session this tab had for the scenario if it still lives, otherwise a new one.
 * @param {string} scenario
 * @returns {Promise<Attached>}
 */
export async function attach(scenario) {
  const id = sessionStorage.getItem(key(scenario));
  if (id !== null && (await lives(id))) return { id, fresh: false };
  return create(scenario);
}

/**
 * @param {string} scenario
 * @returns {Promise<Attached>}
 */
export async function create(scenario) {
  const response = await fetch("/api/sessions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ scenario, hypervisor: "auto" }),
  });
  if (!response.ok) throw new Refused(await reason(response));
  const { id } = await response.json();
  sessionStorage.setItem(key(scenario), id);
  return { id, fresh: true };
}

/**
 * Whether the server still has the session, and its engine runs.
 * @param {string} id
 */
export async function lives(id) {
  const response = await fetch(`/api/sessions/${id}`);
  return response.ok && !(await response.json()).ended;
}

/** @param {string} scenario */
export function forget(scenario) {
  sessionStorage.removeItem(key(scenario));
}
