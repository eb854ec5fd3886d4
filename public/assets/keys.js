// The page of one's own key: asks the API what there is, claims on request, waits where the outcome is open, and shows the
// secret once through the secret box. The page never knows more than the API told it, and says so where that is not enough.

import { render } from "./html.js";
import { call, clockWasSet, now, readRefusal } from "./api.js";
import { NO_WISH, askRequests, asker } from "./ask.js";
import { ACCEPT_FIRST, ACCEPT_ID } from "./claim-view.js";
import { equipSnippets } from "./copy.js";
import { aside, isUsable, page } from "./keys-view.js";
import { refresher } from "./refresh.js";
import { showSecret } from "./secret-box.js";
import { say, showAccount } from "./shell.js";
import { newer } from "./spend-words.js";
import { equipTabs } from "./tabs.js";
import { claimFailure, isRefusal, keySummary, sentence, stateAt } from "./words.js";

/** @import { Key, Keys, Me, Problem } from "./types.js" */
/** @import { Model, Notice } from "./keys-view.js" */
/** @import { Outcome } from "./api.js" */

/** States that end without the page doing anything: it asks again until they do. */
const UNSETTLED = new Set(["minting", "verifying"]);
/** States of a key that is over: beside them a new claim is possible. */
const ENDED = new Set(["expired", "revoked", "void"]);

/** Waits between two questions: quick at first, for a claim in another window takes seconds; the last one repeats. */
const WAITS_MS = { in_progress: [1_000, 2_000, 4_000, 8_000, 15_000], unknown: [15_000, 30_000, 60_000] };
/** How often relative times are told anew. */
const TICK_MS = 20_000;

const place = /** @type {HTMLElement} */ (document.getElementById("keys"));
const rulesPlace = /** @type {HTMLElement} */ (document.getElementById("rules"));
/** What is only of use to somebody who has a key. The document brings it; it is uncovered when there is one. */
const forHolders = ["use", "check"].map((id) => /** @type {HTMLElement} */ (document.getElementById(id)));

/** @type {Model} */
let model = { phase: "loading", me: null, key: null, ended: [], upstream: null, refreshing: "idle", requests: null, wish: NO_WISH, accepts: false, missesTerms: false, claiming: false, waiting: null, notice: null, refusal: null, now: now() };

/** Somebody is working in this part of the page, so that a focus lost to a change of it is to be given back. */
let hadFocus = false;

/** Grows with every new wait, so that an older one knows it is over. */
let waitNumber = 0;

/** @param {Partial<Model>} change */
function show(change) {
  model = { ...model, ...change, now: now() };
  if (place.contains(document.activeElement)) hadFocus = true;
  place.setAttribute("aria-busy", String(model.phase === "loading"));
  render(page(model, actions), place);
  render(aside(model), rulesPlace);
  for (const part of forHolders) part.hidden = !isUsable(model);
}

const refresh = refresher({ read: () => model, show, sorted, signedOut });

const { ask, write } = asker({ read: () => model, show, lookAgain, signedOut });

/** @type {import("./keys-view.js").Actions} */
const actions = { claim, accept, ask, write, refresh: () => refresh(true), load: reload };

async function reload() {
  show({ phase: "loading", notice: null, refusal: null });
  await load();
}

/** Looks anew at what holds for the member, and says what they did to it. @param {Notice} notice */
async function lookAgain(notice) {
  await load();
  show({ refusal: null, wish: NO_WISH });
  if (model.phase !== "ready") return;
  show({ notice });
  announce();
}

/** Asks who is here and what they have; whatever is still open is then waited for. */
async function load() {
  const [me, keys] = await Promise.all([askMe(), askKeys()]);
  if (me.outcome === "done" && keys.outcome === "done") {
    showAccount(me.body);
    const found = onRecord(keys.body);
    const requests = found.key === null ? await askRequests() : null;
    show({ phase: "ready", me: me.body, requests, ...found });
    void refresh();
    if (model.key !== null && UNSETTLED.has(model.key.state)) await wait(model.key.state === "minting" ? "in_progress" : "unknown");
    return;
  }
  failToLoad(me.outcome === "done" ? keys : me);
}

/** @returns {Promise<Outcome<Me>>} */
async function askMe() {
  const answer = /** @type {Outcome<Me>} */ (await call("GET", "/api/v1/me"));
  if (answer.outcome !== "done") return answer;
  const { claim: told } = answer.body;
  return { ...answer, body: { ...answer.body, claim: { ...told, refusal: told.refusal && readRefusal({ ...told.refusal }) } } };
}

/** @returns {Promise<Outcome<Keys>>} */
const askKeys = () => call("GET", "/api/v1/keys");

/** @param {Keys} told */
const onRecord = ({ keys, openrouter }) => ({ upstream: newer(model.upstream, openrouter), ...sorted(keys) });

/**
 * The key in force, and those that are over.
 * @param {Key[]} keys
 * @returns {{ key: Key | null, ended: Key[] }}
 */
function sorted(keys) {
  /** @param {Key} key */
  const isEnded = (key) => ENDED.has(stateAt(key, now()));
  return { key: keys.find((key) => !isEnded(key)) ?? null, ended: keys.filter((key) => isEnded(key) && key.state !== "void") };
}

/** @param {Outcome<unknown>} answer */
function failToLoad(answer) {
  if (answer.outcome === "refused" && answer.status === 401) return signedOut();
  const problem = answer.outcome === "refused" ? answer.problem : null;
  show({
    phase: "failed",
    notice: {
      tone: "bad",
      title: problem === null ? "The service did not answer." : sentence(problem.title) || "The service could not answer.",
      text: "Nothing was changed. A key you have keeps working. Check your connection, then try again.",
      requestId: problem?.requestId ?? null,
    },
  });
  announce();
}

function signedOut() {
  waitNumber += 1;
  showAccount(null);
  show({ phase: "signed_out", me: null, key: null, ended: [], refreshing: "idle", requests: null, wish: NO_WISH, accepts: false, claiming: false, waiting: null, notice: null, refusal: null });
  say("You are signed out.");
}

/** Claims the key, once: a second press while the first is on its way does nothing. */
async function claim() {
  const terms = model.me?.terms;
  if (model.claiming || terms === undefined) return;
  const asksTerms = terms.accepted_at === null;
  if (asksTerms && !model.accepts) return missTerms();
  show({ claiming: true, notice: null });
  say("Claiming your key. This takes a few seconds.");
  const answer = /** @type {Outcome<{ key: Key, secret?: string }>} */ (await call("POST", "/api/v1/claim", asksTerms ? { accept_terms: terms.revision } : {}));
  if (answer.outcome === "lost") await claimLost();
  else if (answer.outcome === "refused") await claimRefused(answer.status, answer.problem);
  else if (typeof answer.body.secret === "string") await claimed(answer.body.key, answer.body.secret);
  else await settle({ tone: "plain", title: "You already have a key.", text: "There is one per account. Its secret was shown when it was claimed and cannot be shown again." });
}

/** @param {Event} event */
function accept(event) {
  show({ accepts: /** @type {HTMLInputElement} */ (event.target).checked, missesTerms: false });
}

function missTerms() {
  show({ missesTerms: true });
  say(ACCEPT_FIRST);
  document.getElementById(ACCEPT_ID)?.focus();
}

/** @param {Key} key @param {string} secret */
async function claimed(key, secret) {
  say("");
  await showSecret({ secret, summary: keySummary(key) });
  show({ claiming: false, key, ended: model.ended.filter(({ id }) => id !== key.id), notice: { tone: "good", title: "Your key is ready to use.", text: "It works wherever an OpenRouter key goes. This page shows its masked form from now on." } });
  announce();
  // Not waited for: whoever waits here still holds the secret (S0-112).
  void refresh();
}

/** No answer: the key may exist. Only the record can tell, so look there before saying more. */
async function claimLost() {
  const keys = await askKeys();
  if (keys.outcome === "refused" && keys.status === 401) return signedOut();
  if (keys.outcome !== "done") {
    show({ claiming: false, phase: "failed", notice: { tone: "bad", title: "The answer to your claim did not arrive.", text: "A key may have been made. If so, its secret was not shown and cannot be shown again. Check your connection, then look again: this page will tell whether there is a key." } });
    return announce();
  }
  const found = onRecord(keys.body);
  if (found.key !== null && UNSETTLED.has(found.key.state)) {
    show({ claiming: false, ...found, notice: { tone: "warn", title: "The answer to your claim did not arrive.", text: "It is still being worked on. This page keeps looking and will tell how it ends." } });
    announce();
    return wait(found.key.state === "minting" ? "in_progress" : "unknown", LOST_KEY);
  }
  show({ claiming: false, ...found, notice: found.key === null ? { tone: "warn", title: "The answer to your claim did not arrive.", text: "No key is on record for you. You can claim again." } : LOST_KEY });
  announce();
}

/** @type {Notice} */
const LOST_KEY = {
  tone: "bad",
  title: "Your key was made, but its secret did not reach this page.",
  text: "The secret cannot be shown again, and nobody else has it. Ask the people who run this service to revoke the key; then you can claim a new one.",
};

/** @param {number} status @param {Problem} problem */
async function claimRefused(status, problem) {
  if (status === 401) return signedOut();
  if (problem.code === "claim_in_progress") {
    show({ claiming: false });
    return wait("in_progress");
  }
  if (problem.code === "terms_changed" || problem.code === "terms_not_accepted") return termsChanged();
  if (isRefusal(problem.code)) {
    show({ claiming: false, refusal: problem, requests: problem.request === null ? model.requests : await askRequests() });
    return announce();
  }
  const notice = { tone: /** @type {const} */ ("bad"), ...claimFailure(problem), requestId: problem.requestId };
  if (problem.code !== "claim_unknown") return settle(notice);
  show({ claiming: false });
  return wait("unknown");
}

/** The rules are not those that this page has asked about: whoever read others has to be asked again. */
async function termsChanged() {
  const me = await askMe();
  if (me.outcome !== "done") return failToLoad(me);
  show({ claiming: false, accepts: false, me: me.body, notice: { tone: "warn", title: "The rules have changed.", text: "No key was made. Read the rules as they are now, accept them, then claim again." } });
  announce();
}

/** Shows what is on record now, under a notice of what just happened. @param {Notice} notice */
async function settle(notice) {
  const keys = await askKeys();
  if (keys.outcome === "refused" && keys.status === 401) return signedOut();
  show({ claiming: false, notice, ...(keys.outcome === "done" ? onRecord(keys.body) : {}) });
  announce();
  if (model.key !== null && UNSETTLED.has(model.key.state)) await wait(model.key.state === "minting" ? "in_progress" : "unknown");
}

/**
 * Asks for the keys, at growing intervals, until the open claim has ended one way or the other.
 * @param {"in_progress" | "unknown"} kind
 * @param {Notice} [ifActive] what to say when it ends in a key
 */
async function wait(kind, ifActive = ELSEWHERE) {
  waitNumber += 1;
  const mine = waitNumber;
  show({ waiting: kind });
  announce();
  for (let round = 0; ; round += 1) {
    const waits = WAITS_MS[model.waiting ?? kind];
    await pause(waits[Math.min(round, waits.length - 1)] ?? 0);
    if (mine !== waitNumber) return;
    const keys = await askKeys();
    if (mine !== waitNumber) return;
    if (keys.outcome === "refused" && keys.status === 401) return signedOut();
    if (keys.outcome !== "done") continue;
    const found = onRecord(keys.body);
    if (found.key === null || !UNSETTLED.has(found.key.state)) return settled(found, ifActive);
    show({ ...found, waiting: found.key.state === "minting" ? "in_progress" : "unknown" });
  }
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @type {Notice} */
const ELSEWHERE = {
  tone: "plain",
  title: "Your key was made.",
  text: "Its secret was shown in the window that claimed it and cannot be shown again. If you did not see it, ask the people who run this service to revoke the key; then you can claim a new one.",
};

/**
 * @param {{ key: Key | null, ended: Key[] }} found
 * @param {Notice} ifActive
 */
async function settled(found, ifActive) {
  const me = await askMe();
  if (me.outcome === "refused" && me.status === 401) return signedOut();
  const notice = found.key === null ? NOT_CREATED : found.key.state === "active" ? ifActive : null;
  show({ waiting: null, ...found, notice, ...(me.outcome === "done" ? { me: me.body } : {}) });
  announce();
  await refresh();
}

/** @type {Notice} */
const NOT_CREATED = { tone: "plain", title: "No key was created.", text: "Whatever was begun has been cleared away. You can claim again." };

/** Tells relative times anew; a reset that has passed is worth a new question, and so is a clock that was set. */
async function tick() {
  show({});
  const hasReset = Date.parse(model.key?.resets_at ?? "") <= now();
  if (model.phase !== "ready" || document.hidden || !(hasReset || clockWasSet())) return;
  const keys = await askKeys();
  if (keys.outcome !== "done" || model.phase !== "ready" || model.waiting !== null) return;
  show(onRecord(keys.body));
  await refresh();
}

/** Speaks what changed, and moves the focus there if the button that had it is gone. */
function announce() {
  const heading = /** @type {HTMLElement | null} */ (place.querySelector("[data-news]"));
  if (heading === null) return;
  say(heading.textContent?.trim() ?? "");
  if (hadFocus && (document.activeElement === null || document.activeElement === document.body)) heading.focus();
}

equipSnippets();
equipTabs();
place.replaceChildren();
show({});
setInterval(tick, TICK_MS);
// Coming back through the browser's history shows a page kept from before: ask again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
await load();
