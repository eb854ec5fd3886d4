// One way to ask the API. Every call ends in one of three outcomes, and a caller has to look which:
// `done` (an answer of 2xx), `refused` (an answer that says no), `lost` (no answer: what happened is not known).

/** @import { Problem, Refusal } from "./types.js" */

/**
 * @template T
 * @typedef {{ outcome: "done", status: number, body: T } | { outcome: "refused", status: number, problem: Problem } | { outcome: "lost" }} Outcome
 */

/** Longer than the service's own deadline for a claim, so that its answer comes first. */
const DEADLINE_MS = 60_000;

/**
 * The member for whom this page was made: the first one that `/me` told of. Every change says so, and is refused where
 * another account is signed in by now. It stays for as long as the page does.
 * @type {string | null}
 */
let pageMember = null;

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
 * @param {"GET" | "POST"} method
 * @param {string} path
 * @param {Record<string, unknown>} [body] of a POST
 * @returns {Promise<Outcome<T>>}
 */
export async function call(method, path, body = {}) {
  try {
    const response = await fetch(path, {
      method,
      headers: { accept: "application/json", ...(method === "POST" ? changeHeaders() : {}) },
      ...(method === "POST" ? { body: JSON.stringify(body) } : {}),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    readClock(response);
    const text = await response.text();
    if (!response.ok) return { outcome: "refused", status: response.status, problem: readProblem(response, text) };
    const told = text === "" ? null : JSON.parse(text);
    if (path === "/api/v1/me") pageMember ??= stringOf(told?.member?.id);
    return { outcome: "done", status: response.status, body: /** @type {T} */ (told) };
  } catch {
    // Offline, cut off, too late or not JSON: the effect may have happened.
    return { outcome: "lost" };
  }
}

/** @returns {Record<string, string>} */
const changeHeaders = () => ({ "content-type": "application/json", ...(pageMember === null ? {} : { "x-keycap-member": pageMember }) });

/** Each answer says anew how the clocks compare, that they agree as well. @param {Response} response */
function readClock(response) {
  const aheadMs = Date.parse(response.headers.get("date") ?? "") - Date.now();
  if (!Number.isFinite(aheadMs)) return;
  clockAheadMs = Math.abs(aheadMs) > ROUNDING_MS ? aheadMs : 0;
  steadyBeganAtLastAnswer = steadyBeganAt();
}

/**
 * @param {Response} response
 * @param {string} text
 * @returns {Problem}
 */
function readProblem(response, text) {
  const body = parseObject(text);
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

/**
 * @param {string} text
 * @returns {Record<string, unknown>}
 */
function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
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
