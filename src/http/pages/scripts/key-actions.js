// What the owner of a key can do with it: make a new secret, report a leak, disable, enable, delete. Afterwards the
// page says what the answer says: 202 means that the change is recorded and that OpenRouter has not confirmed it yet.

import { askFirst } from "./confirm.js";
import { Press } from "./press.js";
import { showSecret } from "./secret-box.js";
import { keySummary, laterWords, waitsForReset } from "./state-words.js";
import { lostWords, sentence } from "./words.js";

/** @import { Outcome } from "./api.js" */
/** @import { Issued, Key } from "./types.js" */
/** @import { Notice } from "./keys-view.js" */

/**
 * @param {object} page
 * @param {() => number} page.now
 * @param {(notice: Notice) => Promise<void>} page.settle shows what is on record now, below a notice of what just
 *   happened
 * @param {() => void} page.signedOut
 */
export function keyActions({ now, settle, signedOut }) {
  /** @param {Key} key */
  function newSecret(key) {
    const press = new Press();
    askFirst({
      title: `Make a new secret for ${nameOf(key)}?`,
      text: ["The key keeps its name, its limit and what it has spent. The secret it has now stops working, and the new one is shown once. Decide first where you will store it."],
      button: "Make a new secret",
      pending: "Making it…",
      act: async () => issued(await press.send("POST", `/api/v1/keys/${key.id}/rotate`), { replaced: "rotated" }),
    });
  }

  /** @param {Key} key */
  function reportLeak(key) {
    const press = new Press();
    askFirst({
      title: `Has ${nameOf(key)} leaked?`,
      text: ["Its secret is disabled at once, and never enabled again. If a new one can be made now, it is shown once. Decide first where you will store it."],
      button: "It leaked: disable it",
      pending: "Disabling…",
      act: async () => issued(await press.send("POST", `/api/v1/keys/${key.id}/leaked`), { replaced: "leaked" }),
    });
  }

  /** @param {Key} key */
  function remove(key) {
    const press = new Press();
    askFirst({
      title: `Delete ${nameOf(key)}?`,
      text: ["It stops working for good. What it has spent still counts toward your limit until the reset, even if you claim another key."],
      button: "Delete it",
      pending: "Deleting…",
      act: async () => changed(await press.send("DELETE", `/api/v1/keys/${key.id}`), DELETED),
    });
  }

  /** @param {Key} key @param {boolean} disabled */
  async function setDisabled(key, disabled) {
    const answer = /** @type {Outcome<{ key: Key }>} */ (await new Press().send("PATCH", `/api/v1/keys/${key.id}`, { disabled }));
    const outcome = changed(answer, disabled ? DISABLED : ENABLED);
    if (typeof outcome !== "string") await outcome();
    else await settle({ tone: "bad", title: disabled ? "The key was not disabled." : "The key was not enabled.", text: outcome });
  }

  /**
   * @param {Outcome<Issued>} answer
   * @param {{ replaced: "rotated" | "leaked" }} what
   */
  function issued(answer, { replaced }) {
    if (answer.outcome !== "done") return failure(answer);
    const { key, secret, replayed, note } = answer.body;
    if (typeof secret === "string") return () => shown(key, secret, replaced);
    const news = replayed ? LOST_SECRET : replaced === "rotated" ? { ...NO_SECRET, text: note ?? "" } : { ...(answer.status === 202 ? LEAK_BEGUN : LEAK_DONE), text: note ?? "" };
    return () => settle(news);
  }

  /** @param {Key} key @param {string} secret @param {"rotated" | "leaked"} replaced */
  async function shown(key, secret, replaced) {
    await showSecret({ secret, summary: keySummary(key, now()) });
    const old = replaced === "leaked" ? "The one that leaked is disabled for good." : "The previous secret no longer works.";
    const later = waitsForReset(key) ? laterWords(key, now()) : null;
    await settle({ tone: later === null ? "good" : "warn", title: later === null ? "Your new secret is made." : `Your new secret is made; ${later.title}`, text: later === null ? old : `${old} ${later.text}` });
  }

  /**
   * @param {Outcome<{ key: Key }>} answer
   * @param {{ done: Notice, begun: Notice }} news
   */
  function changed(answer, { done, begun }) {
    if (answer.outcome !== "done") return failure(answer);
    return () => settle(answer.status === 202 ? begun : done);
  }

  /** @param {Exclude<Outcome<unknown>, { outcome: "done" }>} answer */
  function failure(answer) {
    if (answer.outcome === "lost") {
      const { title, advice } = lostWords(answer);
      return `${title} It may still have been done. ${advice} If you press again, it is not done twice.`;
    }
    return answer.status === 401 ? signedOut : [sentence(answer.problem.title), answer.problem.detail].join(" ").trim();
  }

  return { newSecret, reportLeak, remove, disable: (/** @type {Key} */ key) => setDisabled(key, true), enable: (/** @type {Key} */ key) => setDisabled(key, false) };
}

/** @param {Key} key */
const nameOf = (key) => `“${key.name ?? "OpenRouter key"}”`;

/** @type {Notice} */
export const LOST_SECRET = { tone: "bad", title: "A secret was made, but it did not reach this page.", text: "It cannot be shown again. Make a new secret. The lost secret then stops working." };

/** @type {Notice} */
const NO_SECRET = { tone: "warn", title: "No new secret was made.", text: "" };

/** @type {Notice} */
const LEAK_DONE = { tone: "good", title: "The leaked secret is disabled for good.", text: "" };

/** @type {Notice} */
const LEAK_BEGUN = { tone: "bad", title: "The leaked secret is being disabled, and still works until that is confirmed.", text: "" };

/** @type {{ done: Notice, begun: Notice }} */
const DISABLED = {
  done: { tone: "good", title: "The key is disabled.", text: "OpenRouter refuses requests with it until you enable it." },
  begun: { tone: "warn", title: "The key is being disabled.", text: "OpenRouter has not confirmed it yet: until then the key still works. Look again in a minute." },
};

/** @type {{ done: Notice, begun: Notice }} */
const ENABLED = {
  done: { tone: "good", title: "The key is enabled.", text: "It works again, unless there is another reason why it is disabled; the status below shows it." },
  begun: { tone: "warn", title: "The key is being enabled.", text: "OpenRouter has not confirmed it yet. Look again in a minute." },
};

/** @type {{ done: Notice, begun: Notice }} */
const DELETED = {
  done: { tone: "good", title: "The key is deleted.", text: "It no longer works." },
  begun: { tone: "warn", title: "The key is being removed.", text: "OpenRouter has not confirmed it yet: until then the key may still work. The service tries again until OpenRouter confirms it, usually within 10 minutes." },
};
