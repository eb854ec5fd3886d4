// The page `/keys`: reads the member's keys from the API, claims on request, waits while an outcome is unknown, and
// shows a secret once, in the secret box. The page never says more than the API said, and says so if that is not
// enough.

import { OVERVIEW, call, clockWasSet, now, readRefusal } from "./api.js";
import { NO_WISH, asker } from "./ask.js";
import { claimer, openClaim } from "./claim.js";
import { equipSnippets } from "./copy.js";
import { render } from "./html.js";
import { keyActions } from "./key-actions.js";
import { aside, isUsable, page } from "./keys-view.js";
import { refresher } from "./refresh.js";
import { say } from "./say.js";
import { showAccount, watchAccount } from "./shell.js";
import { newer } from "./spend-words.js";
import { stateAt } from "./state-words.js";
import { equipTabs } from "./tabs.js";
import { lostWords, sentence } from "./words.js";

/** @import { Key, Keys, Overview } from "./types.js" */
/** @import { Model, Notice } from "./keys-view.js" */
/** @import { Outcome } from "./api.js" */

/**
 * The first key that has not ended, the others that have not ended, and those that have.
 * @typedef {{ key: Key | null, others: Key[], ended: Key[] }} Found
 */

/** The states of a key that has ended. Such a key does not prevent a new claim. */
const ENDED = new Set(["expired", "revoked", "void"]);

/**
 * Waits between two readings. They begin short, because a claim in another window takes seconds; the last one repeats.
 */
const WAITS_MS = { in_progress: [1_000, 2_000, 4_000, 8_000, 15_000], unknown: [15_000, 30_000, 60_000] };
/** How often the page updates its relative times. */
const TICK_MS = 20_000;

const place = /** @type {HTMLElement} */ (document.getElementById("keys"));
const rulesPlace = /** @type {HTMLElement} */ (document.getElementById("rules"));
/**
 * Sections that only a member with a key needs. The document contains them hidden; they are shown when there is a key.
 */
const forHolders = ["use", "check"].map((id) => /** @type {HTMLElement} */ (document.getElementById(id)));

/** @type {Model} */
let model = { phase: "loading", me: null, key: null, others: [], ended: [], upstream: null, refreshing: "idle", requests: null, wish: NO_WISH, accepts: false, missesTerms: false, claiming: false, waiting: null, notice: null, refusal: null, now: now() };

/** Whether the focus was in this part of the page. If a change removes the focused element, the focus is set again. */
let hadFocus = false;

/** Grows with every new wait, so that an older wait knows that it is over. */
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

const { claim, accept } = claimer({ read: () => model, show, announce, signedOut, refresh: () => refresh(), askKeys, askOverview, onRecord, failToLoad, settle, wait });

/** @type {import("./keys-view.js").Actions} */
const actions = { claim, accept, ask, write, refresh: () => refresh(true), load: reload, ...keyActions({ now, settle, signedOut }) };

async function reload() {
  show({ phase: "loading", notice: null, refusal: null });
  await load();
}

/** Reads again what holds for the member, and shows a notice of what they just did. @param {Notice} notice */
async function lookAgain(notice) {
  await load();
  show({ refusal: null, wish: NO_WISH });
  if (model.phase !== "ready") return;
  show({ notice });
  announce();
}

/** Reads who is signed in and which keys they have. If a claim is not settled yet, waits for it. */
async function load() {
  const overview = await askOverview();
  if (overview.outcome !== "done") return failToLoad(overview);
  showAccount(overview.body.me);
  show({ phase: "ready", ...everything(overview.body) });
  void refresh();
  await waitIfOpen();
}

/** @returns {Promise<Outcome<Overview>>} */
async function askOverview() {
  const answer = /** @type {Outcome<Overview>} */ (await call("GET", OVERVIEW));
  if (answer.outcome !== "done") return answer;
  const { claim } = answer.body.me;
  const me = { ...answer.body.me, claim: { ...claim, refusal: claim.refusal && readRefusal({ ...claim.refusal }) } };
  return { ...answer, body: { ...answer.body, me } };
}

/** @param {Overview} overview */
function everything({ me, requests, ...keys }) {
  return { me, requests, ...onRecord(keys) };
}

/** @returns {Promise<Outcome<Keys>>} */
function askKeys() {
  return call("GET", "/api/v1/keys");
}

/** @param {Keys} listed */
function onRecord({ keys, openrouter }) {
  return { upstream: newer(model.upstream, openrouter), ...sorted(keys) };
}

/** @param {Key[]} keys @returns {Found} */
function sorted(keys) {
  /** @param {Key} key */
  const isEnded = (key) => ENDED.has(stateAt(key, now()));
  const [key = null, ...others] = keys.filter((key) => !isEnded(key));
  return { key, others, ended: keys.filter((key) => isEnded(key) && key.state !== "void") };
}

/** @param {Outcome<unknown>} answer */
function failToLoad(answer) {
  if (answer.outcome === "refused" && answer.status === 401) return signedOut();
  show({ phase: "failed", notice: { tone: "bad", ...failedWords(answer) } });
  announce();
}

/** The words for a page that could not be loaded. Loading only reads. @param {Outcome<unknown>} answer */
function failedWords(answer) {
  const unchanged = "Nothing was changed, and if you have a key, it is not affected.";
  if (answer.outcome === "lost") {
    const { title, advice } = lostWords(answer);
    return { title, text: `${unchanged} ${advice}` };
  }
  const problem = answer.outcome === "refused" ? answer.problem : null;
  return { title: sentence(problem?.title ?? "") || "The service could not answer.", text: `${unchanged} Try again.`, requestId: problem?.requestId ?? null };
}

function signedOut() {
  waitNumber += 1;
  showAccount(null);
  show({ phase: "signed_out", me: null, key: null, others: [], ended: [], refreshing: "idle", requests: null, wish: NO_WISH, accepts: false, claiming: false, waiting: null, notice: null, refusal: null });
  say("You are signed out.");
}

/** Shows what is on record now, below a notice of what just happened. @param {Notice} notice */
async function settle(notice) {
  const overview = await askOverview();
  if (overview.outcome === "refused" && overview.status === 401) return signedOut();
  show({ claiming: false, notice, ...(overview.outcome === "done" ? everything(overview.body) : {}) });
  announce();
  await waitIfOpen();
}

/** Waits for an earlier claim that is not settled yet. */
async function waitIfOpen() {
  const open = openClaim(model.key);
  if (open !== null) await wait(open);
}

/**
 * Reads the keys, at growing intervals, until the open claim is settled.
 * @param {"in_progress" | "unknown"} kind
 * @param {Notice} [ifActive] what to say if the claim ends with an active key
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
    const open = openClaim(found.key);
    if (open === null) return settled(found, ifActive);
    show({ ...found, waiting: open });
  }
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @type {Notice} */
const ELSEWHERE = {
  tone: "plain",
  title: "Your key was made.",
  text: "Its secret goes to the window that claimed it, and to no other. If you do not have it, make a new secret.",
};

/**
 * @param {Found} found
 * @param {Notice} ifActive
 */
async function settled(found, ifActive) {
  const overview = await askOverview();
  if (overview.outcome === "refused" && overview.status === 401) return signedOut();
  const notice = found.key === null ? NOT_CREATED : found.key.state === "active" ? ifActive : null;
  show({ waiting: null, ...found, notice, ...(overview.outcome === "done" ? everything(overview.body) : {}) });
  announce();
  await refresh();
}

/** @type {Notice} */
const NOT_CREATED = { tone: "plain", title: "No key was created.", text: "Everything that was started has been removed. You can claim again." };

/** Updates the relative times. If a reset has passed or the device's clock was set, reads the keys again. */
async function tick() {
  show({});
  const hasReset = Date.parse(model.key?.resets_at ?? "") <= now();
  if (model.phase !== "ready" || document.hidden || !(hasReset || clockWasSet())) return;
  const keys = await askKeys();
  if (keys.outcome !== "done" || model.phase !== "ready" || model.waiting !== null) return;
  show(onRecord(keys.body));
  await refresh();
}

/** Says what changed to a screen reader, and moves the focus there if the element that had it is gone. */
function announce() {
  const heading = /** @type {HTMLElement | null} */ (place.querySelector("[data-news]"));
  if (heading === null) return;
  say(heading.textContent?.trim() ?? "");
  if (hadFocus && (document.activeElement === null || document.activeElement === document.body)) heading.focus();
}

watchAccount({
  signedIn: () => {
    if (model.phase === "signed_out") void reload();
  },
  signedOut: () => {
    if (model.phase !== "signed_out") signedOut();
  },
});
equipSnippets();
equipTabs();
place.replaceChildren();
show({});
setInterval(tick, TICK_MS);
// The browser's history can bring back a page that was kept in memory: it is loaded anew.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
await load();
