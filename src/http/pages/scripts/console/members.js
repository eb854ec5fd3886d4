// The members, newest first, or found by the beginning of their login or by their number.

import { html, nothing } from "../html.js";
import { queryOf } from "./address.js";
import { openList } from "./list.js";
import { age, cell, chip, grouped, rowHead } from "./parts.js";

/** @import { MemberCard, MemberStatus } from "./types.js" */
/** @import { Tone } from "../state-words.js" */

/** @type {import("./frame.js").View} */
export const MEMBERS_VIEW = { address: /^\/admin\/members$/, open };

/** @type {Record<MemberStatus, [string, Tone]>} */
const STATUSES = { active: ["active", "good"], suspended: ["suspended", "warn"], banned: ["banned", "bad"], left: ["left", "plain"] };

/** @param {MemberCard} member */
export function statusChips({ status, blocked }) {
  const [word, tone] = STATUSES[status] ?? [status, "plain"];
  return html`${chip(word, tone)}${blocked && status !== "banned" ? html` ${chip("blocked", "bad")}` : nothing}`;
}

/** Digits and our own ids are exact; anything else is the beginning of a login. @param {string} q @returns {Record<string, string>} */
const searched = (q) => (/^(\d+|mem_[0-9a-f]+)$/.test(q) ? { id: q } : { login: q.replace(/^@/, "") });

/** @param {HTMLElement} host */
async function open(host) {
  await openList(host, {
    title: "Members",
    about: "People change their logins, and others take them: go by the number. A search finds logins that begin so, or one number.",
    path: async ({ q, status = "", after = "" }) => `/api/v1/admin/members${queryOf({ ...(q === undefined ? {} : searched(q)), status, after })}`,
    rows: ({ members }) => members,
    columns: ["Login", "Number", "Status", "Plan", "Live keys", "Last sign-in", "Joined"],
    row,
    filters: [
      { name: "q", label: "Search", hint: "Login or number" },
      { name: "status", label: "Status", options: Object.entries(STATUSES).map(([status, [word]]) => [status, word]) },
    ],
    choice: {
      of: "member",
      actions: [["suspend", "Suspend"], ["reinstate", "Reinstate"]],
      matching: ({ q, status }) => (q !== undefined && "id" in searched(q) ? null : { ...(q === undefined ? {} : searched(q)), ...(status === undefined ? {} : { status }) }),
      id: ({ id }) => id,
      name: ({ login, id }) => login ?? id,
    },
    saves: true,
    none: "Nobody has signed in yet.",
    note: (_body, { q }) => (q === undefined || /^(\d+|mem_)/.test(q) ? nothing : html`<p><a class="more" href=${`/admin/keys?${new URLSearchParams({ q })}`}>Keys whose name begins with “${q}”</a></p>`),
  });
}

/** @param {MemberCard} member */
export const loginWords = ({ login, login_passed_on_at: passedOn }) => html`<span translate="no">${login ?? "left"}</span>${passedOn === null ? nothing : html` <span class="is-aside">(former login)</span>`}`;

/** @param {MemberCard} member */
const row = (member, _again = async () => {}, pick = /** @type {unknown} */ (nothing)) => html`
  <tr>
    ${pick} ${rowHead("Login", html`<a data-opens href=${`/admin/members/${member.id}`}>${loginWords(member)}</a>`)}
    ${cell("Number", html`<span translate="no">${member.subject ?? "–"}</span> <span class="is-aside">${member.provider}</span>`, "figure")} ${cell("Status", statusChips(member))} ${cell("Plan", member.plan)}
    ${cell("Live keys", grouped(member.keys_live), "figure")} ${cell("Last sign-in", age(member.signed_in_at))} ${cell("Joined", age(member.created_at))}
  </tr>
`;
