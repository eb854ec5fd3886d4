// The page `/keys`: shows the member's keys, first as the document has them, claims on request, waits while an outcome is
// unknown, and shows a secret once, in the secret box. The page never says more than the API said, and says so if that is not
// enough.

import { call, clockWasSet, now } from "./api.js";
import { NO_WISH, asker } from "./ask.js";
import { claimer, openClaim } from "./claim.js";
import { equipSnippets } from "./copy.js";
import { creator } from "./create.js";
import { render } from "./html.js";
import { keyActions } from "./key-actions.js";
import { isRenewable } from "./key-actions-view.js";
import { UNTOUCHED } from "./key-card-view.js";
import { aside, isUsable, isWaiting, page } from "./keys-view.js";
import { arrangementOf, searchOf } from "./list.js";
import { noticeBoard } from "./notices.js";
import { askOverview, overviewInDocument } from "./overview.js";
import { ownBilling } from "./own-billing.js";
import { projectActions, withProjectOf } from "./projects.js";
import { refresher } from "./refresh.js";
import { say } from "./say.js";
import { showAccount, watchAccount } from "./shell.js";
import { newer } from "./spend-words.js";
import { stateAt } from "./state-words.js";
import { switchActions } from "./switch-actions.js";
import { equipTabs } from "./tabs.js";
import { lostWords, sentence } from "./words.js";

/** @import { EndedKey, Key, Keys, Overview } from "./types.js" */
/** @import { Model, Notice } from "./keys-view.js" */
/** @import { Outcome } from "./api.js" */

/**
 * The keys that have not ended, and those that have.
 * @typedef {{ keys: Key[], ended: EndedKey[] }} Found
 */

/** The states of a key that has ended. Such a key does not prevent a new claim. */
const ENDED = new Set(["expired", "revoked", "void"]);

/**
 * Waits between two readings. They begin short, because a claim in another window takes seconds; the last one repeats.
 */
const WAITS_MS = { in_progress: [1_000, 2_000, 4_000, 8_000, 15_000], unknown: [15_000, 30_000, 60_000] };
/** @type {ReturnType<typeof keyActions>} */
let renewals;

/** How often the page updates its relative times. */
const TICK_MS = 20_000;

const place = /** @type {HTMLElement} */ (document.getElementById("keys"));
const rulesPlace = /** @type {HTMLElement} */ (document.getElementById("rules"));
/**
 * Sections that only a member with a key needs. The document contains them hidden; they are shown when there is a key.
 */
const forHolders = ["use", "check"].map((id) => /** @type {HTMLElement} */ (document.getElementById(id)));

/** @type {Model} */
let model = { phase: "loading", me: null, keys: [], ended: [], cards: {}, making: null, projects: [], arrangement: arrangementOf(location.search), upstream: null, refreshing: "idle", requests: null, wish: NO_WISH, accepts: false, missesTerms: false, workspace: "", unread: [], claiming: false, waiting: null, notice: null, refusal: null, now: now() };

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
  board.redraw();
  for (const part of forHolders) part.hidden = !isUsable(model);
  if (model.phase === "ready" || model.phase === "signed_out") billing.showFor(model.phase === "ready");
}

const board = noticeBoard(/** @type {HTMLElement} */ (document.getElementById("notices")), {
  renewable: (id) => model.keys.some((key) => key.id === id && isRenewable(key, now())),
  renew: (id) => {
    const key = model.keys.find((one) => one.id === id);
    return key === undefined ? Promise.resolve(false) : renewals.renewNow(key);
  },
  signedOut,
});

const billing = ownBilling(/** @type {HTMLElement} */ (document.getElementById("billing")), { signedOut, arrange });

const refresh = refresher({ read: () => model, show, sorted, signedOut });

const { ask, write } = asker({ read: () => model, show, lookAgain, signedOut });

const { claim, accept, place: placeClaim } = claimer({ read: () => model, show, announce, signedOut, refresh: () => refresh(), askKeys, askOverview, onRecord, failToLoad, settle, wait });

/** @type {import("./keys-view.js").Actions} */
const actions = { arrange, showAll, claim, accept, place: placeClaim, ask, write, refresh: () => refresh(true), load: reload, ...acting() };

function acting() {
  const parts = { read: () => model, show, tell, reread, refresh: () => void refresh(), signedOut };
  renewals = keyActions(parts);
  return { ...renewals, ...switchActions(parts), ...projectActions(parts), ...creator({ ...parts, wait: waitIfOpen }) };
}

/**
 * Shows a key as an answer has it. What just happened to it stands in its card, or above all if the key has ended.
 * @param {Key} key
 * @param {Notice | null} news
 */
function tell(key, news) {
  const found = sorted(model.keys.some(({ id }) => id === key.id) ? model.keys.map((one) => (one.id === key.id ? key : one)) : [...model.keys, key], model.ended);
  if (found.keys.length === 0 && news !== null) return void settle(news);
  const isHere = found.keys.some(({ id }) => id === key.id);
  show({ ...found, projects: withProjectOf(model.projects, key), notice: isHere ? null : news, cards: { ...model.cards, [key.id]: { ...(model.cards[key.id] ?? UNTOUCHED), news: isHere ? news : null } } });
  if (news !== null) announce(isHere ? key : null);
}

/** @param {keyof import("./list.js").Arrangement} part @param {Event} event */
function arrange(part, event) {
  showArranged({ ...model.arrangement, [part]: /** @type {HTMLInputElement | HTMLSelectElement} */ (event.target).value });
}

function showAll() {
  showArranged(arrangementOf(""));
}

/** @param {import("./list.js").Arrangement} arrangement */
function showArranged(arrangement) {
  history.replaceState(history.state, "", `${location.pathname}${searchOf(arrangement)}`);
  billing.arranged(arrangement);
  show({ arrangement });
}

/** Reads the keys again, below what the page says. */
async function reread() {
  const keys = await askKeys();
  if (keys.outcome === "done" && model.phase === "ready") show(onRecord(keys.body));
}

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

/**
 * Reads who is signed in and which keys they have. If a claim is not settled yet, waits for it.
 * @param {Outcome<Overview> | null} [known] what the document had
 */
async function load(known = null) {
  const overview = known ?? (await askOverview());
  if (overview.outcome !== "done") return failToLoad(overview);
  showAccount(overview.body.me);
  show({ phase: "ready", ...everything(overview.body) });
  void refresh();
  await waitIfOpen();
}

/** @param {Overview} overview */
function everything({ me, requests, projects, notices, ...keys }) {
  board.show(notices);
  return { me, requests, projects, ...onRecord(keys) };
}

/** @returns {Promise<Outcome<Keys>>} */
function askKeys() {
  return call("GET", "/api/v1/keys");
}

/** @param {Key} key */
const isEnded = (key) => ENDED.has(stateAt(key, now()));

/** @param {Keys} listed */
function onRecord({ keys, ended, openrouter, workspaces_unread: unread }) {
  return { unread, upstream: newer(model.upstream, openrouter), ...sorted(keys, ended) };
}

/** @param {Key[]} keys @param {EndedKey[]} ended @returns {Found} */
function sorted(keys, ended) {
  const over = keys.filter((key) => isEnded(key) && key.state !== "void");
  const before = ended.filter(({ id }) => !keys.some((key) => key.id === id));
  return { keys: keys.filter((key) => !isEnded(key)), ended: [...over.map(asEnded), ...before] };
}

/** A key that no longer works and is not listed as ended yet. @param {Key} key @returns {EndedKey} */
const asEnded = ({ id, name, mask, created_at, expires_at, spend, ...key }) => ({ id, name, mask, state: stateAt({ ...key, expires_at }, now()), created_at, ended_at: null, expires_at, spent_usd: spend?.total_usd ?? null });

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
  board.show([]);
  show({ phase: "signed_out", me: null, keys: [], ended: [], cards: {}, making: null, projects: [], unread: [], refreshing: "idle", requests: null, wish: NO_WISH, accepts: false, claiming: false, waiting: null, notice: null, refusal: null });
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
  const open = openClaim(model.keys);
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
  if (isWaiting(model)) announce();
  for (let round = 0; ; round += 1) {
    const waits = WAITS_MS[model.waiting ?? kind];
    await pause(waits[Math.min(round, waits.length - 1)] ?? 0);
    if (mine !== waitNumber) return;
    const keys = await askKeys();
    if (mine !== waitNumber) return;
    if (keys.outcome === "refused" && keys.status === 401) return signedOut();
    if (keys.outcome !== "done") continue;
    const found = onRecord(keys.body);
    const open = openClaim(found.keys);
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
  const notice = found.keys.length === 0 ? NOT_CREATED : found.keys.every(({ state }) => state === "active") ? ifActive : null;
  show({ waiting: null, ...found, notice, ...(overview.outcome === "done" ? everything(overview.body) : {}) });
  announce();
  await refresh();
}

/** @type {Notice} */
const NOT_CREATED = { tone: "plain", title: "No key was created.", text: "Everything that was started has been removed. You can claim again." };

/** Updates the relative times. If a reset has passed or the device's clock was set, reads the keys again. */
async function tick() {
  show({});
  const hasReset = model.keys.some(({ resets_at: at }) => Date.parse(at ?? "") <= now());
  if (model.phase !== "ready" || document.hidden || !(hasReset || clockWasSet())) return;
  const keys = await askKeys();
  if (keys.outcome !== "done" || model.phase !== "ready" || isWaiting(model)) return;
  show(onRecord(keys.body));
  await refresh();
}

/**
 * Says what changed to a screen reader, and moves the focus there if the element that had it is gone.
 * @param {Key | null} [key] the key whose card says it
 */
function announce(key = null) {
  const within = key === null ? place : place.querySelector(`[data-key="${CSS.escape(key.id)}"]`);
  const heading = /** @type {HTMLElement | null} */ (within?.querySelector("[data-news]"));
  if (!heading) return;
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
await load(overviewInDocument());
