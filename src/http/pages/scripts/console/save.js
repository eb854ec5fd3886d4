// Saving a filtered list as a file: its pages are read one after another, and put together here.

import { call, saveAs } from "../api.js";
import { say } from "../say.js";
import { tell } from "./change.js";
import { csvOf } from "./csv.js";
import { failureText, grouped } from "./parts.js";

/** @import { Outcome } from "../api.js" */

/** The rows of one page, the most that the service gives. */
const PAGE_ROWS = 500;
/** A file has at most so many rows. */
const MOST_ROWS = 100_000;
/** So often in a row the service may ask to wait. */
const WAITS = 5;

let working = false;

/**
 * Reads the whole list under the filters in the address, and saves it.
 * @template Row
 * @param {{ title: string, path: (filters: Record<string, string>) => Promise<string>, rows: (body: any) => Row[] }} list
 * @param {Record<string, string>} filters @param {"csv" | "json"} kind
 */
export async function saveList(list, filters, kind) {
  if (working) return;
  working = true;
  try {
    const rows = await whole(list, filters);
    if (rows === null) return;
    if (rows.length === 0) return tell("There is nothing to save.");
    const name = `keycap-${list.title.toLowerCase()}.${kind}`;
    const json = () => `${JSON.stringify(rows, null, 2)}\n`;
    saveAs(name, kind === "csv" ? new Blob([csvOf(/** @type {any} */ (rows))], { type: "text/csv" }) : new Blob([json()], { type: "application/json" }));
    tell(rows.length >= MOST_ROWS ? `The first ${grouped(rows.length)} rows are saved. There are more: add a filter.` : `${grouped(rows.length)} ${rows.length === 1 ? "row is" : "rows are"} saved.`);
  } finally {
    working = false;
  }
}

/**
 * @template Row
 * @param {{ path: (filters: Record<string, string>) => Promise<string>, rows: (body: any) => Row[] }} list
 * @param {Record<string, string>} filters @returns {Promise<Row[] | null>} null if a page could not be read
 */
async function whole(list, filters) {
  /** @type {Row[]} */
  const rows = [];
  let [after, waits] = ["", 0];
  while (rows.length < MOST_ROWS) {
    const path = await list.path({ ...filters, after });
    const answer = /** @type {Outcome<any>} */ (await call("GET", `${path}${path.includes("?") ? "&" : "?"}rows=${PAGE_ROWS}`));
    if (answer.outcome === "refused" && answer.status === 429 && waits < WAITS) {
      waits += 1;
      await new Promise((resolve) => setTimeout(resolve, (answer.problem.retryAfterSecs ?? 10) * 1_000));
      continue;
    }
    if (answer.outcome !== "done") {
      tell(`No file was saved. ${failureText(answer)}`, "bad");
      return null;
    }
    waits = 0;
    rows.push(...list.rows(answer.body));
    if (!answer.body.next) return rows;
    after = answer.body.next;
    say(`${grouped(rows.length)} rows are read.`);
  }
  return rows;
}
