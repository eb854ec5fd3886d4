// The audit: every change, who made it, to what, and what it was before and after.

import { html, nothing } from "../html.js";
import { inAddress, queryOf } from "./address.js";
import { ACTIONS, actionWords, actorWords, changeWords } from "./audit-words.js";
import { accountName } from "../words.js";
import { undoOf, undoable } from "./audit-undo.js";
import { perform } from "./change.js";
import { openList } from "./list.js";
import { age, cell, rowHead } from "./parts.js";

/** @import { AuditEntry } from "./types.js" */

/** @type {import("./frame.js").View} */
export const AUDIT_VIEW = { address: /^\/admin\/audit$/, open };

/** A day in the address is the whole UTC day. @param {string | undefined} day @param {string} time */
const moment = (day, time) => (day === undefined || !/^\d{4}-\d\d-\d\d$/.test(day) ? (day ?? "") : `${day}T${time}Z`);

/** Whether no newer change of the same thing can be missing from the page. */
const isNewest = () => ["after", "action", "actor", "until"].every((name) => inAddress()[name] === undefined);

/** @param {HTMLElement} host */
async function open(host) {
  await openList(host, {
    title: "Audit",
    about: "Every change, the newest first. Days are UTC days. What people write to each other is not in the audit.",
    path: async ({ since, until, actor = "", target = "", member = "", action = "", after = "" }) =>
      `/api/v1/admin/audit${queryOf({ actor, target, member, action, after, since: moment(since, "00:00:00"), until: moment(until, "23:59:59") })}`,
    rows: ({ entries }) => entries,
    columns: ["When", "Who", "What", "Before → after", "About", "Undo"],
    row: (entry, again, _pick, entries) => row(entry, isNewest() && undoable(entries).has(entry) ? again : undefined),
    filters: [
      { name: "action", label: "What", options: Object.entries(ACTIONS) },
      { name: "actor", label: "Who", hint: "mem_… or sweep" },
      { name: "member", label: "Member", hint: "mem_…" },
      { name: "target", label: "About", hint: "Any id, or settings" },
      { name: "since", label: "From", hint: "From 2026-11-01" },
      { name: "until", label: "Until", hint: "Until 2026-11-30" },
    ],
    saves: true,
    none: "Nothing has changed yet.",
  });
}

/**
 * @param {AuditEntry} entry
 * @param {() => Promise<void>} [again] reads the list anew after the change is taken back; without it that is not offered
 */
const row = (entry, again) => html`
  <tr>
    ${rowHead("When", age(entry.at))}
    ${cell("Who", entry.actor.startsWith("mem_") ? html`<a href=${`/admin/audit?actor=${entry.actor}`} translate="no">${actorWords(entry)}</a>` : actorWords(entry))} ${cell("What", actionWords(entry.action))}
    ${cell("Before → after", changeWords(entry) || html`<span class="is-aside">–</span>`)} ${cell("About", about(entry))}
    ${cell("Undo", again === undefined ? html`<span class="is-aside">–</span>` : undoButton(entry, again))}
  </tr>
`;

/** The newest changes of one thing, as its own page shows them. @param {AuditEntry[]} entries @param {() => Promise<void>} again */
export function auditRows(entries, again) {
  const offers = undoable(entries);
  return entries.map((entry) => row(entry, offers.has(entry) ? again : undefined));
}

/** @param {AuditEntry} entry @param {() => Promise<void>} again */
function undoButton(entry, again) {
  const undo = undoOf(entry);
  return undo === null ? nothing : html`<button class="button" type="button" @click=${() => perform({ ...undo, after: again })}>Undo</button>`;
}

/** @param {AuditEntry} entry */
function about({ member, login, key, key_name: name, target }) {
  if (member !== null) return html`<a data-opens href=${key === null ? `/admin/members/${member}` : `/admin/members/${member}#${key}`}>${key === null ? nothing : html`${name ?? "key"} of `}<span translate="no">${login === null ? "a member who left" : accountName(login)}</span></a>`;
  if (target.startsWith("blc_")) return html`<a data-opens href=${`/admin/bulk-changes/${target}`}>the bulk change</a>`;
  if (target.startsWith("run_")) return html`<a data-opens href=${`/admin/runs/${target}`}>the run</a>`;
  return html`<a data-opens href=${`/admin/audit?target=${encodeURIComponent(target)}`}><span class="figure" translate="no">${target}</span></a>`;
}
