// A further key: the form opens in the page, one press is one request, and the secret is shown once.

import { CREATE_IDS, NOTHING_FILLED } from "./create-view.js";
import { failureWords } from "./failure-words.js";
import { Press } from "./press.js";
import { say } from "./say.js";
import { showSecret } from "./secret-box.js";
import { keySummary, laterWords, waitsForReset } from "./state-words.js";
import { amountError, nameError } from "./words.js";
import { namedWorkspace } from "./workspaces-view.js";

/** @import { Outcome } from "./api.js" */
/** @import { Issued, Key } from "./types.js" */
/** @import { Notice } from "./keys-view.js" */
/** @import { Making } from "./create-view.js" */
/** @import { ActionsPage } from "./key-actions.js" */

/** @param {ActionsPage & { wait: () => Promise<void> }} page */
export function creator(page) {
  const { read, show } = page;
  const press = new Press();

  function begin() {
    show({ making: NOTHING_FILLED, notice: null });
    document.getElementById(CREATE_IDS.name)?.focus();
  }

  function cancel() {
    show({ making: null });
    /** @type {HTMLElement | null} */ (document.querySelector(".is-create"))?.focus();
  }

  /** @param {Partial<Making>} change */
  function fillIn(change) {
    const { making } = read();
    if (making !== null) show({ making: { ...making, ...change } });
  }

  /** @param {keyof typeof CREATE_IDS} what @param {Event} event */
  function fill(what, event) {
    const { errors } = read().making ?? NOTHING_FILLED;
    fillIn({ [what]: /** @type {HTMLInputElement} */ (event.target).value, errors: { ...errors, [what]: "", form: "" }, requestId: null });
  }

  /** @param {Event} event */
  function placeNew(event) {
    fillIn({ workspace: /** @type {HTMLSelectElement} */ (event.target).value });
  }

  /** @param {Event} event */
  async function create(event) {
    event.preventDefault();
    const { making, me } = read();
    if (making === null || making.sending) return;
    const limit = making.limit.trim();
    const project = making.project.trim();
    const errors = { name: nameError(making.name), limit: limit === "" ? "" : amountError(limit), project: project === "" ? "" : nameError(project), form: "" };
    if (errors.name !== "" || errors.limit !== "" || errors.project !== "") return refuse(errors);
    fillIn({ sending: true, errors, requestId: null });
    say("Creating your key. This takes a few seconds.");
    const answer = /** @type {Outcome<Issued>} */ (await press.send("POST", "/api/v1/keys", { name: making.name, ...(limit === "" ? {} : { limit_usd: limit }), ...(project === "" ? {} : { project }), ...(me === null ? {} : namedWorkspace(me.claim, making.workspace)) }));
    if (answer.outcome === "done") return made(answer.body);
    if (answer.outcome === "refused" && answer.status === 401) return page.signedOut();
    const { text, requestId } = failureWords(answer);
    fillIn({ sending: false, requestId, errors: { name: "", limit: "", project: "", form: `The key was not handed out. ${text}` } });
    say(text);
    await page.reread();
    await page.wait();
  }

  /** Says what is wrong beside its field. Nothing was sent. @param {Making["errors"]} errors */
  function refuse(errors) {
    fillIn({ errors });
    const wrong = /** @type {const} */ (["name", "limit", "project"]).find((field) => errors[field] !== "") ?? "name";
    say(errors[wrong]);
    document.getElementById(CREATE_IDS[wrong])?.focus();
  }

  /** @param {Issued} issued */
  async function made({ key, secret }) {
    say("");
    if (typeof secret === "string") await showSecret({ secret, summary: keySummary(key, read().now) });
    show({ making: null });
    page.tell(key, typeof secret === "string" ? ready(key, read().now) : LOST);
    page.refresh();
  }

  return { begin, cancel, fill, placeNew, create };
}

/** @param {Key} key @param {number} now @returns {Notice} */
function ready(key, now) {
  if (!waitsForReset(key)) return { tone: "good", title: "The key is ready to use.", text: "This page shows its masked form from now on." };
  const { title, text } = laterWords(key, now);
  return { tone: "warn", title: `The key is made; ${title}`, text };
}

/** @type {Notice} */
const LOST = { tone: "bad", title: "The key was made, but its secret did not reach this page.", text: "It cannot be shown again. Make a new secret. The lost secret then stops working." };
