// Small parts that several sections of the console use.

import { html, nothing } from "../html.js";
import { now } from "../api.js";
import { clockUtc, dateUtc, lostWords, relative, sentence, span } from "../words.js";
import { requestId } from "../parts.js";
import { signInButtons } from "../sign-in-view.js";

/** @import { Outcome } from "../api.js" */
/** @import { Tone } from "../state-words.js" */

/** A state: the word says it, the colour only helps to find it. @param {string} word @param {Tone} [tone] */
export const chip = (word, tone = "plain") => html`<span class=${tone === "plain" ? "chip" : `chip is-${tone}`}>${word}</span>`;

/**
 * A cell of a table. On a phone the table becomes cards, and the label stands beside the value.
 * @param {string} label @param {unknown} value @param {string} [kind] a class
 */
export const cell = (label, value, kind = "") => html`<td data-label=${label} class=${kind}><div class="cell">${value}</div></td>`;

/** The cell that names its row. @param {string} label @param {unknown} value */
export const rowHead = (label, value) => html`<th scope="row" data-label=${label}><div class="cell">${value}</div></th>`;

/** The heads of a table's columns. @param {string[]} names */
export const heads = (names) => html`<thead><tr>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>`;

/** "21 Nov 2026, 12:00 UTC". @param {number} ms */
export const fullTime = (ms) => `${dateUtc(ms)}, ${clockUtc(ms)}`;

/**
 * How long ago something was, short enough for a table; the full time is in its title.
 * @param {string | null | undefined} at
 */
export function age(at) {
  const ms = Date.parse(at ?? "");
  if (!Number.isFinite(ms)) return html`<span class="is-aside">never</span>`;
  return html`<time datetime=${new Date(ms).toISOString()} title=${fullTime(ms)}>${Math.abs(now() - ms) < 60_000 ? "just now" : relative(ms, now())}</time>`;
}

/** How long something has waited: "for 3 h". @param {string | null} since */
export function waited(since) {
  const ms = Date.parse(since ?? "");
  return Number.isFinite(ms) ? html`<time class="is-aside" datetime=${new Date(ms).toISOString()} title=${fullTime(ms)}>for ${span(Math.max(0, now() - ms))}</time>` : nothing;
}

/** 12345 → "12,345". @param {number} n */
export const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/**
 * A count that ends at a number: "1,000 or more".
 * @param {number} n @param {number} most
 */
export const upTo = (n, most) => (n >= most ? `${grouped(most)} or more` : grouped(n));

/** What a refusal or a lost answer means, in one text. @param {Exclude<Outcome<unknown>, { outcome: "done" }>} answer */
export function failureText(answer) {
  if (answer.outcome === "refused") return [sentence(answer.problem.title), answer.problem.detail].join(" ").trim();
  const { title, advice } = lostWords(answer);
  return `${title} ${advice}`;
}

/**
 * Says that something could not be read, and offers to try again.
 * @param {Exclude<Outcome<unknown>, { outcome: "done" }>} answer @param {() => void} again
 */
export const failed = (answer, again) => html`
  <section class="notice is-bad" role="alert" aria-labelledby="failed-title">
    <h2 id="failed-title">${answer.outcome === "refused" ? "The service refused to show this." : "The service did not answer."}</h2>
    <p>${failureText(answer)} Nothing was changed.</p>
    ${requestId(answer.outcome === "refused" ? answer.problem.requestId : null)}
    <p class="actions"><button class="button" type="button" @click=${again}>Try again</button></p>
  </section>
`;

export const signedOutView = () => html`
  <h1>Console</h1>
  <section class="notice is-warn">
    <h2>You are signed out.</h2>
    <p>Sign in as an administrator, then open this page again. Nothing was changed.</p>
    ${signInButtons("keys")}
  </section>
`;

/** Whether the navigation has a section with this address: links lead only to sections that are there. @param {string} href */
export const hasSection = (href) => document.querySelector(`.sections a[href="${href.split("?")[0]}"]`) !== null || href.split("?")[0] === "/admin";
