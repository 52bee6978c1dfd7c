// The intercept message of one exit as a table: offset, bytes, field and value.

import { messageRows } from "../model/message.js";
import { make } from "./element.js";

/** @typedef {import("../model/types").MessageField} MessageField */
/** @typedef {import("../model/types").MessageRecord} MessageRecord */

const HEADINGS = ["at", "bytes", "field"];

/**
 * @param {MessageRecord | null} message
 * @param {MessageField[]} layout
 */
export function messageTable(message, layout) {
  if (message === null) return [];
  const rows = messageRows(layout, message.data).map(({ at, bytes, name, value, zero }) =>
    make("tr", zero ? "zero" : "", make("td", "", at), make("td", "", bytes), make("td", "", ...(name ? [make("span", "name", name), " "] : []), value)),
  );
  const head = make("thead", "", make("tr", "", ...HEADINGS.map(heading)));
  const table = make("table", "message mono", make("caption", "", slotText(message)), head, make("tbody", "", ...rows));
  return [make("h2", "", `Message to VTL${message.vtl}`), table];
}

/** @param {string} text */
function heading(text) {
  const cell = make("th", "", text);
  cell.scope = "col";
  return cell;
}

/** @param {MessageRecord} message */
function slotText({ vtl, waits }) {
  if (waits) return "Waits: the slot of SINT0 holds an earlier message, now flagged. It comes at EOM.";
  return `256 bytes in the slot of SINT0, as VTL${vtl} reads them; zeros behind the payload.`;
}
