// The page `/leak`: makes the SHA-256 of a key that somebody found, in the browser, and sends only that. The answer is
// the same for every key, so the page says the same too.

import { call } from "./api.js";
import { equipSnippets } from "./copy.js";
import { render } from "./html.js";
import { KEY_FIELD, leakView } from "./leak-view.js";
import { say } from "./say.js";
import { greet } from "./shell.js";
import { lostWords, sentence, span } from "./words.js";

/** @import { LeakModel } from "./leak-view.js" */

const place = /** @type {HTMLElement} */ (document.getElementById("leak"));

/** @type {LeakModel} */
let model = { phase: "empty", error: "" };

/** @param {Partial<LeakModel>} change */
function show(change) {
  model = { ...model, ...change };
  render(leakView(model, { report, another, typed: () => model.error !== "" && show({ error: "" }) }), place);
}

/** @param {Event} event */
async function report(event) {
  event.preventDefault();
  const field = /** @type {HTMLTextAreaElement} */ (document.getElementById(KEY_FIELD));
  if (model.phase === "sending") return;
  const found = secretIn(field.value);
  if (found === null) return refuse("This is not an OpenRouter key: one begins with sk-or-. Paste the whole key. Nothing was sent.");
  show({ phase: "sending", error: "" });
  const answer = await call("POST", "/api/v1/leaks", { sha256: await sha256(found) });
  if (answer.outcome === "done") {
    field.value = "";
    return told();
  }
  show({ phase: "empty" });
  if (answer.outcome === "lost") return refuse(`${lostWords(answer).title} Your report may have arrived. ${lostWords(answer).advice}`);
  const wait = answer.problem.retryAfterSecs === null ? "" : ` Try again in ${span(answer.problem.retryAfterSecs * 1000)}.`;
  refuse(`${sentence(answer.problem.title)} Nothing was reported.${wait}`);
}

function told() {
  show({ phase: "told" });
  const heading = /** @type {HTMLElement | null} */ (place.querySelector("[data-news]"));
  heading?.focus();
  say(heading?.textContent ?? "");
}

function another() {
  show({ phase: "empty" });
  document.getElementById(KEY_FIELD)?.focus();
}

/** @param {string} error */
function refuse(error) {
  show({ error });
  say(error);
  document.getElementById(KEY_FIELD)?.focus();
}

/** The key in a pasted text, which may be a whole line such as `OPENROUTER_API_KEY="…"`. @param {string} text */
const secretIn = (text) => /sk-or-[A-Za-z0-9_-]{8,}/.exec(text)?.[0] ?? null;

/** @param {string} text @returns {Promise<string>} 64 lower-case hexadecimal digits */
async function sha256(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

equipSnippets();
place.replaceChildren();
show({});
await greet();
