// What the owner of a key does with it that asks first: a new secret, a renewal, a leak, a limit of one's own, the end.
// Afterwards the page says what the answer says: 202 means that the change is recorded and that OpenRouter has not
// confirmed it yet.

import { askFirst } from "./confirm.js";
import { failureWords } from "./failure-words.js";
import { NO_GRACE, NO_WISH_FOR_MORE, graceFields, hoursError, limitFields, moreFields } from "./fields-view.js";
import { Press } from "./press.js";
import { showSecret } from "./secret-box.js";
import { keySummary, laterWords, waitsForReset } from "./state-words.js";
import { endingWords } from "./spend-words.js";
import { DEFAULT_NAME, amountError, clockUtc, dateUtc, dayError, noteError, perPeriod, usd } from "./words.js";

/** @import { Outcome } from "./api.js" */
/** @import { Issued, Key } from "./types.js" */
/** @import { Model, Notice } from "./keys-view.js" */

/**
 * What the actions need of the page.
 * @typedef {object} ActionsPage
 * @property {() => Model} read
 * @property {(change: Partial<Model>) => void} show
 * @property {(key: Key, news: Notice | null) => void} tell shows a key as an answer has it, with what just happened to it
 * @property {() => void} refresh asks for the spend of keys that were just made
 * @property {() => Promise<void>} reread reads the keys again, after an answer that left something open
 * @property {() => void} signedOut
 */

/** @param {ActionsPage} page */
export function keyActions(page) {
  const now = () => page.read().now;
  const renewing = new Press();

  /** @param {Key} key */
  function newSecret(key) {
    const press = new Press();
    const choice = { ...NO_GRACE };
    const canWait = !key.missing && key.holds.length === 0;
    const { redraw } = askFirst({
      title: `Make a new secret for ${nameOf(key)}?`,
      text: ["The key keeps its name, its limit and what it has spent. The new secret is shown once. Decide first where you will store it."],
      ...(canWait ? { fields: () => graceFields(choice, change, "now"), refuse: () => (choice.error = hoursError(choice)) } : {}),
      button: "Make a new secret",
      pending: "Making it…",
      act: async () => issued(key, await press.send("POST", `/api/v1/keys/${key.id}/rotate`, choice.when === "later" ? { grace_hours: Number(choice.hours) } : {}), choice.when === "later" ? "overlapping" : "rotated"),
    });
    /** @param {Partial<typeof choice>} changed */
    function change(changed) {
      Object.assign(choice, changed, { error: "" });
      redraw();
    }
  }

  /** @param {Key} key */
  function renew(key) {
    const press = new Press();
    const choice = { ...NO_GRACE, when: /** @type {const} */ ("later") };
    const { redraw } = askFirst({
      title: `Renew ${nameOf(key)}?`,
      text: ["The key keeps its name, its limit and what it has spent. It gets a new lifetime and a new secret, which is shown once. Decide first where you will store it."],
      fields: () => graceFields(choice, change, "later"),
      refuse: () => (choice.error = hoursError(choice)),
      kind: "primary",
      button: "Renew it",
      pending: "Renewing…",
      act: async () => issued(key, await press.send("POST", `/api/v1/keys/${key.id}/renew`, { grace_hours: Number(choice.hours) }), "renewed"),
    });
    /** @param {Partial<{ hours: string }>} changed */
    function change(changed) {
      Object.assign(choice, changed, { error: "" });
      redraw();
    }
  }

  /**
   * Renews a key without asking, with the grace period that the service gives by itself. Returns whether it was done.
   * @param {Key} key
   */
  async function renewNow(key) {
    const outcome = issued(key, await renewing.send("POST", `/api/v1/keys/${key.id}/renew`), "renewed");
    if (typeof outcome !== "string") await outcome();
    else page.tell(key, { tone: "bad", title: "The key was not renewed.", text: outcome });
    return typeof outcome !== "string";
  }

  /** @param {Key} key */
  function reportLeak(key) {
    const press = new Press();
    askFirst({
      title: `Has ${nameOf(key)} leaked?`,
      text: ["Its secret is disabled at once, and never enabled again. If a new one can be made now, it is shown once. Decide first where you will store it."],
      button: "It leaked: disable it",
      pending: "Disabling…",
      act: async () => issued(key, await press.send("POST", `/api/v1/keys/${key.id}/leaked`), "leaked"),
    });
  }

  /** @param {Key} key */
  function limit(key) {
    const press = new Press();
    const own = { amount: key.own_limit_usd ?? "", error: "" };
    const whole = page.read().me?.claim.limit_usd ?? key.plan_limit_usd;
    const { redraw } = askFirst({
      title: `A lower limit for ${nameOf(key)}`,
      text: [`Your plan gives a key ${usd(whole)} ${perPeriod(key.limit_reset)}. You can set less for this one, and take it back at any time. What it has spent stays counted.`],
      fields: () => limitFields(own, change, key.own_limit_usd !== null),
      refuse: () => (own.error = own.amount.trim() === "" && key.own_limit_usd !== null ? "" : amountError(own.amount)),
      kind: "primary",
      button: "Set the limit",
      pending: "Setting it…",
      act: async () => limited(await press.send("POST", `/api/v1/keys/${key.id}/limit`, { limit_usd: own.amount.trim() === "" ? null : own.amount.trim() })),
    });
    /** @param {Partial<typeof own>} changed */
    function change(changed) {
      Object.assign(own, changed, { error: "" });
      redraw();
    }
  }

  /** Asks the people who run the service for a higher limit of the key, until a day or for good. @param {Key} key */
  function askForMore(key) {
    const press = new Press();
    const wish = { ...NO_WISH_FOR_MORE };
    const { redraw } = askFirst({
      title: `Ask for more for ${nameOf(key)}`,
      text: [`The key may spend ${usd(key.plan_limit_usd)} ${perPeriod(key.limit_reset)}. The people who run this service decide; their answer appears on your account’s page.`],
      fields: () => moreFields(wish, change),
      refuse: () => Object.values(Object.assign(wish, { errors: { amount: amountError(wish.amount), until: dayError(wish.until, now()), note: noteError(wish.note) } }).errors).find((error) => error !== "") ?? "",
      kind: "primary",
      button: "Ask for it",
      pending: "Asking…",
      act: async () => {
        const until = wish.until.trim();
        const answer = await press.send("POST", "/api/v1/requests", { kind: "limit", key: key.id, amount_usd: wish.amount.trim(), note: wish.note, until: until === "" ? null : `${until}T00:00:00Z` });
        return answer.outcome === "done" ? () => page.tell(key, ASKED_FOR_MORE) : failure(answer);
      },
    });
    /** @param {Partial<typeof wish>} changed */
    function change(changed) {
      Object.assign(wish, changed, { errors: NO_WISH_FOR_MORE.errors });
      redraw();
    }
  }

  /** @param {Key} key */
  function remove(key) {
    const press = new Press();
    askFirst({
      title: `Delete ${nameOf(key)}?`,
      text: ["It stops working for good, and its name and history stay with your ended keys. To stop it for a while, disable it instead.", endingWords(key, now())],
      button: "Delete it",
      pending: "Deleting…",
      act: async () => changed(await press.send("DELETE", `/api/v1/keys/${key.id}`), (confirmed) => (confirmed ? DELETED : BEING_DELETED)),
    });
  }

  /**
   * @param {Key} before
   * @param {Outcome<Issued>} answer
   * @param {"rotated" | "overlapping" | "renewed" | "leaked"} what
   */
  function issued(before, answer, what) {
    if (answer.outcome !== "done") return failure(answer);
    const { key, secret, replayed, note } = answer.body;
    if (typeof secret === "string") return () => shown(key, secret, what);
    const news = replayed ? LOST_SECRET : what !== "leaked" ? { ...NO_SECRET, text: note ?? "" } : { ...(answer.status === 202 ? LEAK_BEGUN : LEAK_DONE), text: note ?? "" };
    return async () => {
      page.tell(replayed ? before : key, news);
      if (replayed) await page.reread();
    };
  }

  /** @param {Key} key @param {string} secret @param {"rotated" | "overlapping" | "renewed" | "leaked"} what */
  async function shown(key, secret, what) {
    await showSecret({ secret, summary: keySummary(key, now()) });
    const old = what === "leaked" ? "The one that leaked is disabled for good. Remove it from the place where it leaked." : key.grace_until !== null ? graceWords(key.grace_until) : "The previous secret no longer works.";
    const later = waitsForReset(key) ? laterWords(key, now()) : null;
    const made = what === "renewed" ? "Your key is renewed" : "Your new secret is made";
    page.tell(key, { tone: later === null ? "good" : "warn", title: later === null ? `${made}.` : `${made}; ${later.title}`, text: later === null ? old : `${old} ${later.text}` });
    page.refresh();
  }

  /**
   * @param {Outcome<{ key: Key }>} answer
   * @param {(confirmed: boolean, key: Key) => Notice} news
   */
  function changed(answer, news) {
    if (answer.outcome !== "done") return failure(answer);
    return () => page.tell(answer.body.key, news(answer.status === 200, answer.body.key));
  }

  /** @param {Outcome<{ key: Key }>} answer */
  const limited = (answer) =>
    changed(answer, (confirmed, key) => {
      const title = key.own_limit_usd === null ? "The key has no limit of your own any more." : `The key may spend at most ${usd(key.own_limit_usd)} ${perPeriod(key.limit_reset)}.`;
      return confirmed ? { tone: "good", title, text: "" } : { tone: "warn", title, text: "OpenRouter has not confirmed it yet. Until then the earlier limit is in force, usually for no more than ten minutes." };
    });

  /** @param {Exclude<Outcome<unknown>, { outcome: "done" }>} answer */
  function failure(answer) {
    if (answer.outcome === "refused" && answer.status === 401) return page.signedOut;
    // What is on record may have changed, so the page behind the dialog shows it.
    void page.reread();
    return failureWords(answer).text;
  }

  return { newSecret, renew, renewNow, reportLeak, limit, askForMore, remove };
}

/** @param {Key} key */
const nameOf = (key) => `“${key.name ?? DEFAULT_NAME}”`;

/** @param {string} until */
function graceWords(until) {
  const at = Date.parse(until);
  return `The old secret works until ${dateUtc(at)}, ${clockUtc(at)}. Replace it before then: in the variable OPENROUTER_API_KEY of your shell’s profile, in .env files, in CI and on servers. Claude Code and Codex read that variable too.`;
}

/** @type {Notice} */
export const LOST_SECRET = { tone: "bad", title: "A secret was made, but it did not reach this page.", text: "It cannot be shown again. Make a new secret. The lost secret then stops working." };

/** @type {Notice} */
const NO_SECRET = { tone: "warn", title: "No new secret was made.", text: "" };

/** @type {Notice} */
const LEAK_DONE = { tone: "good", title: "The leaked secret is disabled for good.", text: "" };

/** @type {Notice} */
const LEAK_BEGUN = { tone: "bad", title: "The leaked secret is being disabled, and still works until that is confirmed.", text: "" };

/** @type {Notice} */
const ASKED_FOR_MORE = { tone: "good", title: "You have asked for more.", text: "The people who run this service decide. Until then nothing changes. You can withdraw the request on your account’s page." };

/** @type {Notice} */
const DELETED = { tone: "good", title: "The key is deleted.", text: "It no longer works." };

/** @type {Notice} */
const BEING_DELETED = { tone: "warn", title: "The key is being removed.", text: "OpenRouter has not confirmed it yet: until then the key may still work. The service tries again until OpenRouter confirms it, usually within 10 minutes." };
