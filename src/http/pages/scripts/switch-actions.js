// Actions on a key that ask nothing first, since they can be taken back at once: disable, enable, rename, keep. Also its
// history. The page
// says what the answer says: 202 means that the change is recorded and that OpenRouter has not confirmed it yet.

import { UNTOUCHED, renameId } from "./key-card-view.js";
import { readHistory } from "./history.js";
import { Press } from "./press.js";
import { say } from "./say.js";
import { failureWords } from "./failure-words.js";
import { DEFAULT_NAME, nameError } from "./words.js";

/** @import { Outcome } from "./api.js" */
/** @import { Key } from "./types.js" */
/** @import { Model, Notice } from "./keys-view.js" */
/** @import { CardState } from "./key-card-view.js" */
/** @import { ActionsPage } from "./key-actions.js" */

/** @param {ActionsPage} page */
export function switchActions(page) {
  const press = new Press();
  const cardOf = (/** @type {{ id: string }} */ key) => page.read().cards[key.id] ?? UNTOUCHED;
  const showCard = (/** @type {{ id: string }} */ key, /** @type {Partial<CardState>} */ change) => page.show({ cards: { ...page.read().cards, [key.id]: { ...cardOf(key), ...change } } });

  /** @param {Key} key @param {boolean} disabled */
  async function setDisabled(key, disabled) {
    if (cardOf(key).doing !== "") return;
    const shown = disabled ? { ...key, holds: /** @type {Key["holds"]} */ ([...key.holds, "owner"]) } : { ...key, holds: key.holds.filter((hold) => hold !== "owner" && hold !== "idle") };
    page.show({ keys: page.read().keys.map((one) => (one.id === key.id ? shown : one)) });
    showCard(key, { doing: disabled ? "disable" : "enable", news: null });
    const answer = /** @type {Outcome<{ key: Key }>} */ (await press.send("PATCH", `/api/v1/keys/${key.id}`, { disabled }));
    showCard(key, { doing: "" });
    if (answer.outcome === "done") return page.tell(answer.body.key, news(disabled, answer.status === 200));
    page.show({ keys: page.read().keys.map((one) => (one.id === key.id ? key : one)) });
    if (answer.outcome === "refused" && answer.status === 401) return page.signedOut();
    page.tell(key, { tone: "bad", title: disabled ? "The key was not disabled." : "The key was not enabled.", ...failureWords(answer), offer: { text: "Try again", action: disabled ? "disable" : "enable" } });
    if (answer.outcome === "lost") await page.reread();
  }

  /** Keeps a key enabled where the plan allows fewer keys. Another one is disabled for it. @param {Key} key */
  async function prefer(key) {
    if (cardOf(key).doing !== "") return;
    showCard(key, { doing: "prefer", news: null });
    const answer = /** @type {Outcome<{ key: Key }>} */ (await press.send("POST", `/api/v1/keys/${key.id}/prefer`));
    showCard(key, { doing: "" });
    if (answer.outcome === "refused" && answer.status === 401) return page.signedOut();
    if (answer.outcome !== "done") return page.tell(key, { tone: "bad", title: "Nothing was decided.", ...failureWords(answer), offer: { text: "Try again", action: "prefer" } });
    page.tell(answer.body.key, KEPT);
    await page.reread();
  }

  /** Opens the history of a key, or closes it. @param {{ id: string }} key */
  const history = (key) => (cardOf(key).history === null ? moreHistory(key) : showCard(key, { history: null }));

  /** @param {{ id: string }} key */
  async function moreHistory(key) {
    if ((await readHistory(`/api/v1/keys/${key.id}/history`, cardOf(key).history, (read) => showCard(key, { history: read }))) === "signed_out") page.signedOut();
  }

  /** @param {Key} key */
  function rename(key) {
    showCard(key, { renaming: { name: key.name ?? DEFAULT_NAME, error: "", sending: false }, news: null });
    const field = /** @type {HTMLInputElement | null} */ (document.getElementById(renameId(key)));
    field?.focus();
    field?.select();
  }

  /** @param {Event} event @param {Key} key */
  function typeName(event, key) {
    showCard(key, { renaming: { name: /** @type {HTMLInputElement} */ (event.target).value, error: "", sending: false } });
  }

  /** @param {Key} key */
  function stopRenaming(key) {
    showCard(key, { renaming: null });
    focusAction(key, "Rename");
  }

  /** @param {Event} event @param {Key} key */
  async function saveName(event, key) {
    event.preventDefault();
    const renaming = cardOf(key).renaming;
    if (renaming === null || renaming.sending) return;
    const { name } = renaming;
    if (name.trim() === (key.name ?? DEFAULT_NAME)) return stopRenaming(key);
    const error = nameError(name);
    if (error !== "") return refuse(key, name, error);
    showCard(key, { renaming: { name, error: "", sending: true } });
    const answer = /** @type {Outcome<{ key: Key }>} */ (await press.send("PATCH", `/api/v1/keys/${key.id}`, { name }));
    if (answer.outcome === "refused" && answer.status === 401) return page.signedOut();
    if (answer.outcome !== "done") return refuse(key, name, `The name was not saved. ${failureWords(answer).text}`);
    showCard(key, { renaming: null });
    page.tell(answer.body.key, null);
    say(`Renamed to ${answer.body.key.name ?? ""}.`);
    focusAction(key, "Rename");
  }

  /** @param {Key} key @param {string} name @param {string} error */
  function refuse(key, name, error) {
    showCard(key, { renaming: { name, error, sending: false } });
    say(error);
    document.getElementById(renameId(key))?.focus();
  }

  return {
    disable: (/** @type {Key} */ key) => setDisabled(key, true),
    enable: (/** @type {Key} */ key) => setDisabled(key, false),
    fold: (/** @type {Key} */ key, /** @type {boolean} */ open) => showCard(key, { open }),
    prefer,
    history,
    moreHistory,
    rename,
    typeName,
    stopRenaming,
    saveName,
  };
}

/** Gives the focus back to a button of a key's card. @param {Key} key @param {string} text */
function focusAction(key, text) {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`[data-key="${CSS.escape(key.id)}"] button`));
  [...buttons].find((button) => button.textContent?.trim() === text)?.focus();
}

/** @param {boolean} disabled @param {boolean} confirmed @returns {Notice} */
function news(disabled, confirmed) {
  if (disabled) return { ...(confirmed ? DISABLED : BEING_DISABLED), offer: { text: "Undo", action: "enable" } };
  return { ...(confirmed ? ENABLED : BEING_ENABLED), offer: { text: "Undo", action: "disable" } };
}

/** @type {Notice} */
const DISABLED = { tone: "good", title: "The key is disabled.", text: "OpenRouter refuses requests with it until you enable it. It is not deleted, and what it has spent stays counted." };
/** @type {Notice} */
const BEING_DISABLED = { tone: "warn", title: "The key is being disabled.", text: "OpenRouter has not confirmed it yet: until then the key still works. Look again in a minute." };
/** @type {Notice} */
const ENABLED = { tone: "good", title: "The key is enabled.", text: "It works again, unless there is another reason why it is disabled; its state shows that." };
/** @type {Notice} */
const BEING_ENABLED = { tone: "warn", title: "The key is being enabled.", text: "OpenRouter has not confirmed it yet. Look again in a minute." };
/** @type {Notice} */
const KEPT = { tone: "good", title: "This key is kept.", text: "If your plan allows fewer keys than you have, another one is disabled in its place. That can take ten minutes." };
