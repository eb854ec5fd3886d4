// What takes back a change that the audit has: the same request that takes it back anywhere else in the console. What has a newer
// change on the page that undid or repeated it offers nothing. The functions are pure.

import { accountName } from "../words.js";

/** @import { Act } from "./change.js" */
/** @import { AuditEntry } from "./types.js" */

/** Changes of the same thing: the newest of them is the one that can be taken back. @type {Record<string, string>} */
const SAME = { hold_put: "hold", hold_lifted: "hold", member_suspended: "status", member_banned: "status", member_reinstated: "status", member_left: "status", allotted: "allotment", allotment_withdrawn: "allotment" };

/**
 * The request that takes a change back, and what the page says then; null if nothing does.
 * @param {AuditEntry} entry @returns {{ act: Act, done: string } | null}
 */
export function undoOf({ action, before, after, key, member, target, login }) {
  const of = login === null ? "the member" : accountName(login);
  if (key !== null && action === "hold_put" && after === "admin") return { act: { method: "PATCH", path: `/api/v1/keys/${key}`, body: { disabled: false } }, done: `The key of ${of} is enabled again.` };
  if (key !== null && action === "hold_lifted" && before === "admin") return { act: { method: "PATCH", path: `/api/v1/keys/${key}`, body: { disabled: true } }, done: `The key of ${of} is disabled again.` };
  if (member !== null && (action === "member_suspended" || action === "member_banned")) return { act: { method: "PATCH", path: `/api/v1/admin/members/${member}`, body: { status: "active" } }, done: `${of} may claim again. The old keys stay dead.` };
  if (action === "plan_assigned" && before !== null) return { act: { method: "POST", path: `/api/v1/admin/members/${target}/plan`, body: { plan: before } }, done: `${of} has the plan ${before} again.` };
  if (action === "minting_switched" && before !== after) return { act: { method: "PATCH", path: "/api/v1/admin/settings", body: { minting: before } }, done: before === "open" ? "Keys are made again." : "No key is made any more." };
  if (action === "claims_switched" && before !== after) return { act: { method: "PATCH", path: "/api/v1/admin/settings", body: { claims: before } }, done: before === "open" ? "Everybody may claim again." : "Only people who were approved may claim." };
  if (action === "allotted" && target.startsWith("alt_")) return { act: { method: "DELETE", path: `/api/v1/admin/allotments/${target}`, body: {} }, done: "The permission is withdrawn." };
  return null;
}

/** What an entry is about, and in which respect. @param {AuditEntry} entry */
const subject = ({ action, target, key, member }) => `${SAME[action] ?? action} ${SAME[action] === "hold" ? key : SAME[action] === "status" ? member : target}`;

/**
 * The entries of a page, the newest first, that can be taken back.
 * @param {AuditEntry[]} entries @returns {Set<AuditEntry>}
 */
export function undoable(entries) {
  const seen = new Set();
  const found = new Set();
  for (const entry of entries) {
    const about = subject(entry);
    if (!seen.has(about) && undoOf(entry) !== null) found.add(entry);
    seen.add(about);
  }
  return found;
}
