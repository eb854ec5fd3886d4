// Reads a history page by page.

import { call } from "./api.js";
import { UNREAD_HISTORY } from "./history-view.js";
import { failedReading } from "./failure-words.js";
import { say } from "./say.js";

/** @import { Outcome } from "./api.js" */
/** @import { HistoryPage } from "./types.js" */
/** @import { History } from "./history-view.js" */

/**
 * Reads the first page, or the next one of what is known.
 * @param {string} path
 * @param {History | null} known
 * @param {(history: History) => void} show
 * @returns {Promise<"done" | "signed_out">}
 */
export async function readHistory(path, known, show) {
  const before = known ?? UNREAD_HISTORY;
  if (known?.loading) return "done";
  show({ ...before, loading: true, failed: "" });
  const after = before.next === null ? "" : `?after=${encodeURIComponent(before.next)}`;
  const answer = /** @type {Outcome<HistoryPage>} */ (await call("GET", `${path}${after}`));
  if (answer.outcome === "refused" && answer.status === 401) return "signed_out";
  if (answer.outcome === "done") show({ events: [...before.events, ...answer.body.events], next: answer.body.next, loading: false, failed: "" });
  else show({ ...before, loading: false, failed: failedReading(answer) });
  say(answer.outcome === "done" ? `${answer.body.events.length} events.` : "The history could not be read.");
  return "done";
}
