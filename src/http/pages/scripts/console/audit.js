// The audit: every change, who made it, to what, and what it was before and after.

import { html, nothing } from "../html.js";
import { queryOf } from "./address.js";
import { ACTIONS, actionWords, actorWords, changeWords } from "./audit-words.js";
import { accountName } from "../words.js";
import { openList } from "./list.js";
import { age, cell, rowHead } from "./parts.js";

/** @import { AuditEntry } from "./types.js" */

/** @type {import("./frame.js").View} */
export const AUDIT_VIEW = { address: /^\/admin\/audit$/, open };

/** A day in the address is the whole UTC day. @param {string | undefined} day @param {string} time */
const moment = (day, time) => (day === undefined || !/^\d{4}-\d\d-\d\d$/.test(day) ? (day ?? "") : `${day}T${time}Z`);

/** @param {HTMLElement} host */
async function open(host) {
  await openList(host, {
    title: "Audit",
    about: "Every change, the newest first. Days are UTC days. What people write to each other is not in the audit.",
    path: async ({ since, until, actor = "", target = "", member = "", action = "", after = "" }) =>
      `/api/v1/admin/audit${queryOf({ actor, target, member, action, after, since: moment(since, "00:00:00"), until: moment(until, "23:59:59") })}`,
    rows: ({ entries }) => entries,
    columns: ["When", "Who", "What", "Before → after", "About"],
    row,
    filters: [
      { name: "action", label: "What", options: Object.entries(ACTIONS) },
      { name: "actor", label: "Who", hint: "mem_… or sweep" },
      { name: "member", label: "Member", hint: "mem_…" },
      { name: "target", label: "About", hint: "Any id, or settings" },
      { name: "since", label: "From", hint: "From 2026-11-01" },
      { name: "until", label: "Until", hint: "Until 2026-11-30" },
    ],
    none: "Nothing has changed yet.",
  });
}

/** @param {AuditEntry} entry */
export const row = (entry) => html`
  <tr>
    ${rowHead("When", age(entry.at))}
    ${cell("Who", entry.actor.startsWith("mem_") ? html`<a href=${`/admin/audit?actor=${entry.actor}`} translate="no">${actorWords(entry)}</a>` : actorWords(entry))} ${cell("What", actionWords(entry.action))}
    ${cell("Before → after", changeWords(entry) || html`<span class="is-aside">–</span>`)} ${cell("About", about(entry))}
  </tr>
`;

/** @param {AuditEntry} entry */
function about({ member, login, key, key_name: name, target }) {
  if (member !== null) return html`<a data-opens href=${key === null ? `/admin/members/${member}` : `/admin/members/${member}#${key}`}>${key === null ? nothing : html`${name ?? "key"} of `}<span translate="no">${login === null ? "a member who left" : accountName(login)}</span></a>`;
  if (target.startsWith("run_")) return html`<a data-opens href=${`/admin/runs/${target}`}>the run</a>`;
  return html`<a data-opens href=${`/admin/audit?target=${encodeURIComponent(target)}`}><span class="figure" translate="no">${target}</span></a>`;
}
