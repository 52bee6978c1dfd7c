// The one door to the machine: a command goes out by POST, its refusal comes back as text.

import { Atom } from "../state/atom.js";

/** @typedef {import("../model/types").Command} Command */

/** Id of the session that commands go to; empty while there is none. */
export const session = new Atom("");
/** The last refusal, a new object each time. */
export const refusal = new Atom(/** @type {{text: string} | null} */ (null));

/**
 * True when the machine carried the command out; a refusal is told in `refusal`.
 * @param {Command} command
 * @returns {Promise<boolean>}
 */
export async function send(command) {
  if (!session.value) return refuse("There is no machine to do this on.");
  try {
    const response = await fetch(`/api/sessions/${session.value}/commands`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(command),
    });
    return response.ok || refuse(`${command.do}: ${await reason(response)}`);
  } catch {
    return refuse(`${command.do}: the server did not answer. Is it still running?`);
  }
}

/**
 * Guest memory as hex, or why there is none.
 * @param {number} gpa
 * @param {number} size
 * @returns {Promise<{data: string, error: string}>}
 */
export async function look(gpa, size) {
  try {
    const response = await fetch(`/api/sessions/${session.value}/memory?gpa=${gpa}&size=${size}`);
    if (!response.ok) return { data: "", error: await reason(response) };
    return { data: (await response.json()).data, error: "" };
  } catch {
    return { data: "", error: "The server did not answer. Is it still running?" };
  }
}

/** @param {string} text */
function refuse(text) {
  refusal.set({ text });
  return false;
}

/**
 * What the server said was wrong, in its own words where it gave any.
 * @param {Response} response
 * @returns {Promise<string>}
 */
export async function reason(response) {
  try {
    const body = await response.json();
    if (typeof body.error === "string") return body.error;
    if (Array.isArray(body.problems)) return body.problems.map(problem).join("; ");
    if (typeof body.detail === "string") return body.detail;
  } catch {
    // No JSON: the status line must do.
  }
  return `the server answered ${response.status} ${response.statusText}`.trim();
}

/** @param {{path: string, value: string, rule: string}} one */
function problem({ path, value, rule }) {
  return [path, value, rule].filter(Boolean).join(": ");
}
