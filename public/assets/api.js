// One way to ask the API. Every call ends in one of three outcomes, and a caller has to look which:
// `done` (an answer of 2xx), `refused` (an answer that says no), `lost` (no answer of ours: what happened is not known).

/** @import { Problem, Refusal } from "./types.js" */

/**
 * `between`: something answered, and it was not the service: a firewall, a browser check, a network's sign-in page.
 * @typedef {{ outcome: "lost", between: boolean }} Lost
 */

/**
 * @template T
 * @typedef {{ outcome: "done", status: number, body: T } | { outcome: "refused", status: number, problem: Problem } | Lost} Outcome
 */

/** @typedef {"POST" | "PATCH" | "DELETE"} Change */

/** Longer than the service's own deadline for a claim, so that its answer comes first. */
const DEADLINE_MS = 60_000;

/**
 * The member for whom this page was made: the first one that `/me` told of. Every change says so, and is refused where
 * another account is signed in by now. It stays for as long as the page does.
 * @type {string | null}
 */
let pageMember = null;

/** Whether this page was made for somebody. */
export const isSomebodys = () => pageMember !== null;

/** @type {(refused: boolean) => void} */
let onOtherAccount = () => {};

/**
 * Sets what happens once another account is signed in than the one this page was made for; `refused`: a change was refused
 * because of that.
 * @param {(refused: boolean) => void} act
 */
export function whenAccountChanges(act) {
  onOtherAccount = act;
}

/** How many changes are on their way: their own answers tell first whether they were refused. */
let changesUnderWay = 0;
/** Whether `/me` told of another account while a change was on its way. */
let otherAccountSeen = false;

/** How far the service's clock is ahead of this device's; relative times are told by the service's clock. */
let clockAheadMs = 0;

/** The header counts whole seconds, and an answer takes a moment: a smaller difference is none. */
const ROUNDING_MS = 2_000;

/** The time by the service's clock. @returns {number} */
export const now = () => Date.now() + clockAheadMs;

/** What the device's clock read when its steady one, which nobody sets, began; it differs once the first is set. */
const steadyBeganAt = () => Date.now() - performance.now();
let steadyBeganAtLastAnswer = steadyBeganAt();

/** Whether the device's clock was set, or the device slept, since the last answer: relative times are then wrong until the next. */
export const clockWasSet = () => Math.abs(steadyBeganAt() - steadyBeganAtLastAnswer) > ROUNDING_MS;

/**
 * @template T
 * @param {"GET" | Change} method
 * @param {string} path
 * @param {Record<string, unknown>} [body] of a change
 * @param {string} [idempotencyKey] of a change
 * @returns {Promise<Outcome<T>>}
 */
export async function call(method, path, body = {}, idempotencyKey) {
  const changes = method !== "GET";
  if (changes) changesUnderWay += 1;
  try {
    const response = await fetch(path, {
      method,
      headers: { accept: "application/json", ...(changes ? changeHeaders(idempotencyKey) : {}) },
      ...(changes ? { body: JSON.stringify(body) } : {}),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (response.status !== 204 && !isJson(response)) return { outcome: "lost", between: isRefusalBetween(response) };
    readClock(response);
    const told = response.status === 204 ? {} : JSON.parse(await response.text());
    if (!response.ok) return refusal(response, told);
    if (path === "/api/v1/me") compareMember(stringOf(told.member?.id));
    return { outcome: "done", status: response.status, body: /** @type {T} */ (told) };
  } catch {
    // Offline, cut off, too late or half an answer: the effect may have happened.
    return { outcome: "lost", between: false };
  } finally {
    if (changes) changeEnded();
  }
}

function changeEnded() {
  changesUnderWay -= 1;
  if (changesUnderWay > 0 || !otherAccountSeen) return;
  otherAccountSeen = false;
  onOtherAccount(false);
}

/** @param {string} [idempotencyKey] @returns {Record<string, string>} */
const changeHeaders = (idempotencyKey) => ({
  "content-type": "application/json",
  ...(pageMember === null ? {} : { "x-keycap-member": pageMember }),
  ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
});

/** @param {string | null} member */
function compareMember(member) {
  pageMember ??= member;
  if (member === pageMember) return;
  if (changesUnderWay > 0) otherAccountSeen = true;
  else onOtherAccount(false);
}

/** The service answers in JSON, whatever it says. @param {Response} response */
const isJson = (response) => /^application\/(problem\+)?json\b/.test(response.headers.get("content-type") ?? "");

/** Not an edge's page about a service that failed, but a refusal, or a page in the service's place. @param {Response} response */
const isRefusalBetween = (response) => response.status < 500 || response.headers.has("cf-mitigated");

/**
 * A problem of the service has a code; what has none comes from something in between.
 * @param {Response} response
 * @param {Record<string, unknown>} body
 * @returns {Outcome<never>}
 */
function refusal(response, body) {
  const problem = readProblem(response, body);
  if (problem.code === "") return { outcome: "lost", between: true };
  if (problem.code === "account_changed") onOtherAccount(true);
  return { outcome: "refused", status: response.status, problem };
}

/** Each answer says anew how the clocks compare, that they agree as well. @param {Response} response */
function readClock(response) {
  const aheadMs = Date.parse(response.headers.get("date") ?? "") - Date.now();
  if (!Number.isFinite(aheadMs)) return;
  clockAheadMs = Math.abs(aheadMs) > ROUNDING_MS ? aheadMs : 0;
  steadyBeganAtLastAnswer = steadyBeganAt();
}

/**
 * @param {Response} response
 * @param {Record<string, unknown>} body
 * @returns {Problem}
 */
function readProblem(response, body) {
  return {
    ...readRefusal(body),
    title: stringOf(body.title) ?? "",
    requestId: stringOf(body.instance),
    retryAfterSecs: retryAfterSecs(response.headers.get("retry-after")),
  };
}

/**
 * Why something is refused: the same members, whether the refusal is a problem of its own or foretold by `/me`.
 * @param {Record<string, unknown>} body
 * @returns {Refusal}
 */
export function readRefusal(body) {
  return {
    code: stringOf(body.code) ?? "",
    detail: stringOf(body.detail) ?? "",
    retryAt: stringOf(body.retry_at),
    accountAgeDays: numberOf(body.account_age_days),
    requiredDays: numberOf(body.required_days),
    requestKind: oneOf(["claim", "appeal"], body.request_kind),
    request: oneOf(["open", "declined"], body.request),
  };
}

/** @param {unknown} value */
const stringOf = (value) => (typeof value === "string" && value !== "" ? value : null);

/** @param {unknown} value */
const numberOf = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

/**
 * @template {string} T
 * @param {T[]} words
 * @param {unknown} value
 */
const oneOf = (words, value) => words.find((word) => word === value) ?? null;

/** @param {string | null} header */
function retryAfterSecs(header) {
  return header !== null && /^\d{1,9}$/.test(header) ? Number(header) : null;
}
