// Keeps the figures recent: asks for new ones once after the page has loaded, again when the page comes back into view,
// and on request. The known figures stay on the page until newer ones arrive.

import { call, now } from "./api.js";
import { isWaiting } from "./keys-view.js";
import { say } from "./say.js";
import { LIVE_MS, METERED, newer } from "./spend-words.js";
import { lostWords } from "./words.js";

/** @import { EndedKey, Key, Keys } from "./types.js" */
/** @import { Model } from "./keys-view.js" */

/**
 * @param {object} page
 * @param {() => Model} page.read
 * @param {(change: Partial<Model>) => void} page.show
 * @param {(keys: Key[], ended: EndedKey[]) => Partial<Model>} page.sorted
 * @param {() => void} page.signedOut
 */
export function refresher({ read, show, sorted, signedOut }) {
  let askedAt = 0;
  /** Whether a key with a meter is on the page. */
  const isShown = () => read().phase === "ready" && !isWaiting(read()) && read().keys.some(({ state }) => METERED.has(state));

  /** @param {boolean} pressed whether a person pressed the button and waits for the answer */
  async function refresh(pressed = false) {
    if (!isShown() || read().refreshing === "pending") return;
    askedAt = now();
    show({ refreshing: "pending" });
    if (pressed) say("Asking for newer figures.");
    const answer = /** @type {import("./api.js").Outcome<Keys>} */ (await call("POST", "/api/v1/keys/refresh"));
    if (answer.outcome === "refused" && answer.status === 401) return signedOut();
    if (answer.outcome !== "done") {
      show({ refreshing: "failed" });
      if (pressed) say(`${answer.outcome === "lost" && answer.between ? lostWords(answer).title : "No answer."} The earlier figures are still shown.`);
      return;
    }
    const answered = read().upstream?.answers !== false;
    const upstream = newer(read().upstream, answer.body.openrouter);
    show({ refreshing: "idle", upstream, unread: answer.body.workspaces_unread, ...(isShown() ? sorted(answer.body.keys, answer.body.ended) : {}) });
    if (answered && !upstream.answers) say("OpenRouter does not answer.");
    else if (pressed) say(upstream.answers ? "These are the newest figures." : "OpenRouter still does not answer.");
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && now() - askedAt >= LIVE_MS) void refresh();
  });
  return refresh;
}
