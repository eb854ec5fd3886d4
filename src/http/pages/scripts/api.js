// The one function through which the pages call the API. Every call ends in one of three outcomes, and the caller has
// to tell them apart: `done` (a 2xx answer), `refused` (the service answered with a problem), `lost` (no answer of the
// service arrived, so it is not known whether a change happened).

/** @import { Problem, Refusal } from "./types.js" */

/**
 * `between` says that something other than the service answered: a firewall, a browser check, a network's sign-in page.
 * @typedef {{ outcome: "lost", between: boolean }} Lost
 */

/**
 * @template T
 * @typedef {{ outcome: "done", status: number, body: T } | { outcome: "refused", status: number, problem: Problem } | Lost} Outcome
 */

/** @typedef {"POST" | "PUT" | "PATCH" | "DELETE"} Change */

/**
 * The deadline of a call. It is longer than the service's own deadline for a claim, so that the service answers first.
 */
const DEADLINE_MS = 60_000;

/**
 * The id of the member for whom this page was made: the one in the document, or the first one that `/me` returned. Every change sends it, and the
 * service refuses the change if another account is signed in by then. It stays the same until the page is reloaded.
 * @type {string | null}
 */
let pageMember = null;

/** Whether this page was made for a signed-in member. */
export const isSomebodys = () => pageMember !== null;

/** @type {(refused: boolean) => void} */
let onOtherAccount = () => {};

/**
 * Sets what happens when another account is signed in than the one this page was made for. `refused` says whether the
 * service refused a change for that reason.
 * @param {(refused: boolean) => void} act
 */
export function whenAccountChanges(act) {
  onOtherAccount = act;
}

/** How many changes wait for their answers. Those answers come first, because they say whether a change was refused. */
let changesUnderWay = 0;
/** Whether `/me` returned another account while a change was waiting for its answer. */
let otherAccountSeen = false;

/** How far the service's clock is ahead of this device's. The pages compute relative times by the service's clock. */
let clockAheadMs = 0;

/** The `date` header counts whole seconds, and an answer takes a moment. A smaller difference counts as none. */
const ROUNDING_MS = 2_000;

/** The time by the service's clock, in milliseconds. @returns {number} */
export const now = () => Date.now() + clockAheadMs;

/**
 * What the device's clock showed when `performance.now()` was 0. Nobody can set that counter, so this value changes
 * only if the device's clock is set, or if the counter stood while the device slept.
 */
const steadyBeganAt = () => Date.now() - performance.now();
let steadyBeganAtLastAnswer = steadyBeganAt();

/**
 * Whether the device's clock was set, or the device slept, since the last answer. Relative times are then wrong until
 * the next one.
 */
export const clockWasSet = () => Math.abs(steadyBeganAt() - steadyBeganAtLastAnswer) > ROUNDING_MS;

/** What the page `/keys` shows, in one answer; `me` in it is what `/api/v1/me` answers. */
export const OVERVIEW = "/api/v1/me/overview";

/**
 * Calls the API. Never throws: every failure is one of the outcomes.
 * @template T
 * @param {"GET" | Change} method
 * @param {string} path
 * @param {Record<string, unknown>} [body] sent with a change
 * @param {string} [idempotencyKey] sent with a change
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
    if (!isEmpty(response) && !isJson(response)) return { outcome: "lost", between: isRefusalBetween(response) };
    readClock(response);
    const parsed = isEmpty(response) ? {} : JSON.parse(await response.text());
    if (!response.ok) return refusal(response, parsed);
    if (!changes && (path === "/api/v1/me" || path === OVERVIEW)) compareMember(stringOf((parsed.me ?? parsed).member?.id));
    return { outcome: "done", status: response.status, body: /** @type {T} */ (parsed) };
  } catch {
    // The device is offline, the connection was cut, the deadline passed or the answer is incomplete: a change may have
    // happened.
    return { outcome: "lost", between: false };
  } finally {
    if (changes) changeEnded();
  }
}

/**
 * Asks for a file, and has the browser save it under the name that the service gives it. A refusal is no file. Never throws.
 * @param {string} path
 * @returns {Promise<Outcome<{ name: string }>>}
 */
export async function save(path) {
  try {
    const response = await fetch(path, { credentials: "same-origin", cache: "no-store", redirect: "error", signal: AbortSignal.timeout(DEADLINE_MS) });
    const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
    if (!response.ok && isJson(response)) return refusal(response, JSON.parse(await response.text()));
    if (!response.ok || name === undefined) return { outcome: "lost", between: isRefusalBetween(response) };
    readClock(response);
    saveAs(name, await response.blob());
    return { outcome: "done", status: response.status, body: { name } };
  } catch {
    return { outcome: "lost", between: false };
  }
}

/** @param {string} name @param {Blob} content */
export function saveAs(name, content) {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
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

/** Takes a member for whom the document itself was made. @param {string} member */
export const adopt = (member) => compareMember(stringOf(member));

/** @param {string | null} member */
function compareMember(member) {
  pageMember ??= member;
  if (member === pageMember) return;
  if (changesUnderWay > 0) otherAccountSeen = true;
  else onOtherAccount(false);
}

/** Whether the service has done something, or will do it, and has nothing more to say. @param {Response} response */
const isEmpty = (response) => response.status === 204 || (response.status === 202 && !response.headers.has("content-type"));

/** Every other answer of the service is JSON. @param {Response} response */
const isJson = (response) => /^application\/(problem\+)?json\b/.test(response.headers.get("content-type") ?? "");

/**
 * Whether something in between refused the request or answered in the service's place. An error page with a 5xx status
 * is not such a refusal: with it the edge reports that the service failed. The exception is a page that Cloudflare
 * marks with `cf-mitigated`.
 * @param {Response} response
 */
const isRefusalBetween = (response) => response.status < 500 || response.headers.has("cf-mitigated");

/**
 * Every problem of the service has a code. A problem without a code comes from something in between.
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

/** Compares the clocks anew with each answer, so that a past difference does not stay. @param {Response} response */
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
 * Why something is refused. The members are the same in a problem and in the refusal that `/me` announces in advance.
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
