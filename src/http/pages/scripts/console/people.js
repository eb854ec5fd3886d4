// People by their account number, before or after they first sign in: those who may not claim, and those who may although
// claims are by approval.

import { html } from "../html.js";
import { accountName, counted } from "../words.js";
import { queryOf } from "./address.js";
import { perform } from "./change.js";
import { openForm } from "./form.js";
import { openList } from "./list.js";
import { age, cell, rowHead } from "./parts.js";

/** @import { Allotment, Block } from "./types.js" */

/** @type {import("./frame.js").View} */
export const BLOCKS_VIEW = { address: /^\/admin\/blocks$/, open: openBlocks };
/** @type {import("./frame.js").View} */
export const ALLOTMENTS_VIEW = { address: /^\/admin\/allotments$/, open: openAllotments };

const BLOCKS = "/api/v1/admin/blocks";
const ALLOTMENTS = "/api/v1/admin/allotments";
/** As many as one request may block. */
const MOST = 500;

/** @type {import("./form.js").Field} */
const PROVIDER = { name: "provider", label: "Provider", options: [["github", "GitHub"], ["google", "Google"]], value: "github" };

/** The numbers in a text, each once. @param {string} text */
const numbers = (text) => [...new Set(text.split(/[\s,;]+/).filter((word) => word !== ""))];

/** @param {{ member: string | null, login: string | null, subject: string }} person */
const person = ({ member, login, subject }) => (member === null ? html`<span class="figure" translate="no">${subject}</span>` : html`<a href=${`/admin/members/${member}`} translate="no">${login === null ? "left" : accountName(login)}</a> <span class="figure is-aside" translate="no">${subject}</span>`);

/** @param {HTMLElement} host */
async function openBlocks(host) {
  await openList(host, {
    title: "Blocks",
    about: "These people may not claim, also before they first sign in. A key that they have goes on working; only a ban ends it.",
    path: async ({ after = "" }) => `${BLOCKS}${queryOf({ after })}`,
    rows: ({ blocks }) => blocks,
    columns: ["Person", "Provider", "Since", "Actions"],
    row: (/** @type {Block} */ block, again) => {
      const body = { provider: block.provider, subject: block.subject };
      const lift = () => perform({ act: { method: "DELETE", path: BLOCKS, body }, done: `The block of ${block.subject} is lifted.`, undo: { method: "POST", path: BLOCKS, body }, undone: `${block.subject} is blocked again.`, after: again });
      return html`<tr>${rowHead("Person", person(block))} ${cell("Provider", block.provider)} ${cell("Since", age(block.put_at))} ${cell("Actions", html`<button class="button" type="button" data-opens @click=${lift}>Lift</button>`)}</tr>`;
    },
    filters: [],
    none: "Nobody is blocked.",
    head: (_filters, again) => html`<button class="button" type="button" @click=${() => block(again)}>Block people…</button>`,
  });
}

/** @param {() => Promise<void>} again */
const block = (again) =>
  openForm({
    title: "Block people from claiming",
    text: ["Go by the account number: logins change hands."],
    fields: [PROVIDER, { name: "subjects", label: "Account numbers", long: true, hint: `One a line, up to ${MOST}.` }],
    button: "Block them",
    act: ({ provider, subjects }) => {
      const all = numbers(subjects);
      if (all.length > MOST) return `These are ${all.length} numbers; one request takes ${MOST}.`;
      if (!all.every((number) => /^\d+$/.test(number))) return "An account number has only digits.";
      return { method: "POST", path: BLOCKS, body: { provider, subjects: all } };
    },
    preview: async ({ subjects }) => html`<p>${counted(numbers(subjects).length, "number")}.</p>`,
    done: (body) => `${counted(body.added, "person")} ${body.added === 1 ? "is" : "are"} newly blocked.`.replace("persons", "people"),
    after: again,
  });

/** @param {HTMLElement} host */
async function openAllotments(host) {
  await openList(host, {
    title: "Allotments",
    about: "These people may claim while claims are by approval. No key is made until the person claims, and only they see the secret.",
    path: async ({ after = "" }) => `${ALLOTMENTS}${queryOf({ after })}`,
    rows: ({ allotments }) => allotments,
    columns: ["Person", "Provider", "Key’s name", "Age of the account", "Since", "Actions"],
    row: (/** @type {Allotment} */ allotment, again) => {
      const waives = allotment.kind === "appeal";
      const back = { provider: allotment.provider, subject: allotment.subject, ...(allotment.name === null ? {} : { name: allotment.name }), waives_age: waives };
      const withdraw = () =>
        perform({ act: { method: "DELETE", path: `${ALLOTMENTS}/${allotment.id}` }, done: `The permission of ${allotment.subject} is withdrawn. A key that is there goes on working.`, undo: { method: "POST", path: ALLOTMENTS, body: back }, undone: `${allotment.subject} may claim again.`, after: again });
      return html`<tr>${rowHead("Person", person(allotment))} ${cell("Provider", allotment.provider)} ${cell("Key’s name", allotment.name ?? "–")} ${cell("Age of the account", waives ? "may be any" : "by the rule")} ${cell("Since", age(allotment.put_at))} ${cell("Actions", html`<button class="button" type="button" data-opens @click=${withdraw}>Withdraw</button>`)}</tr>`;
    },
    filters: [],
    none: "Nobody was permitted by hand.",
    head: (_filters, again) => html`<button class="button" type="button" @click=${() => allot(again)}>Let a person claim…</button>`,
  });
}

/** @param {() => Promise<void>} again */
const allot = (again) =>
  openForm({
    title: "Let a person claim",
    text: ["Every other rule still holds. They get their key by claiming it."],
    fields: [
      PROVIDER,
      { name: "subject", label: "Account number", keys: "numeric" },
      { name: "name", label: "Name of their key", optional: true, hint: "At most 64 characters." },
      { name: "waives_age", label: "Age of the account", options: [["no", "as the rule says"], ["yes", "may be any"]], value: "no" },
    ],
    button: "Let them claim",
    act: ({ provider, subject, name, waives_age: waives }) => (/^\d+$/.test(subject.trim()) ? { method: "POST", path: ALLOTMENTS, body: { provider, subject: subject.trim(), ...(name.trim() === "" ? {} : { name: name.trim() }), waives_age: waives === "yes" } } : "An account number has only digits."),
    done: (_body, { subject }) => `${subject} may claim.`,
    after: again,
  });
