// Everybody's keys: found by name, mask, id, or the SHA-256 of a secret; filtered by state, hold and plan.

import { html, nothing } from "../html.js";
import { usd } from "../words.js";
import { unreadBanner } from "../workspaces-view.js";
import { addressWith, queryOf } from "./address.js";
import { HOLD_OPTIONS, STATE_OPTIONS, holdWord, keyStatus, period } from "./key-words.js";
import { openList } from "./list.js";
import { age, cell, chip, rowHead } from "./parts.js";
import { planOptions } from "./plan-names.js";

/** @import { ListedKey } from "./types.js" */

/** @type {import("./frame.js").View} */
export const KEYS_VIEW = { address: /^\/admin\/keys$/, open };

/** A day in the address is its beginning in UTC. @param {string | undefined} day */
const dayBegins = (day = "") => (/^\d{4}-\d\d-\d\d$/.test(day) ? `${day}T00:00:00Z` : day);

/** @param {HTMLElement} host */
async function open(host) {
  await openList(host, {
    title: "Keys",
    about: "Everybody’s keys, the newest first. The search finds a key by the beginning of its name, its mask, its id, its secret or the SHA-256 of that.",
    path: async ({ made_before: day, ...filters }) => `/api/v1/admin/keys${queryOf({ ...filters, made_before: dayBegins(day) })}`,
    rows: ({ keys }) => keys,
    columns: ["Key", "State", "Disabled because", "Spent of limit", "Read", "Plan", "Workspace", "Project", "Member", "Made", "Expires"],
    row,
    filters: [
      { name: "q", label: "Search", hint: "Name, mask, id, SHA-256" },
      { name: "state", label: "State", options: STATE_OPTIONS },
      { name: "hold", label: "Hold", options: HOLD_OPTIONS },
      { name: "plan", label: "Plan", options: await planOptions() },
      { name: "idle", label: "Nothing spent", options: [["never", "ever"], ["month", "this month"], ["week", "this week"]] },
      { name: "over_limit", label: "Limit", options: [["true", "spent"]] },
      { name: "made_before", label: "Made before", hint: "Made before 2026-11-01" },
      { name: "workspace", label: "Workspace", hint: "OpenRouter’s id" },
      { name: "project", label: "Project", hint: "prj_…" },
    ],
    choice: {
      of: "key",
      actions: [["disable", "Disable"], ["enable", "Enable"], ["revoke", "Revoke"]],
      matching: ({ q, after: _, over_limit: over, made_before: day, ...filters }) => (q === undefined ? { ...filters, ...(day === undefined ? {} : { made_before: dayBegins(day) }), ...(over === undefined ? {} : { over_limit: true }) } : null),
      id: ({ id }) => id,
      name: ({ name, mask, id }) => name ?? mask ?? id,
    },
    note: ({ workspaces_unread: unread }) => unreadBanner(unread),
    saves: true,
    none: "There is no key yet. A key is made when a member claims one.",
  });
}

/** "$1.20 of $5.00 a day". @param {ListedKey} key */
export const spentWords = (key) => html`<span class="figure">${key.used_usd === null ? "unread" : usd(key.used_usd)}</span> of <span class="figure">${usd(key.limit_usd)}</span> ${period(key.limit_reset)}`;

/** @param {ListedKey} key */
export const keyName = (key) => html`${key.name === null ? nothing : html`${key.name} `}<span class="figure is-aside" translate="no">${key.mask ?? key.id}</span>`;

/** @param {ListedKey} key */
export const workspaceCell = (key) => cell("Workspace", key.workspace === null ? html`<span class="is-aside">–</span>` : key.workspace.name);

/** @param {ListedKey} key */
export function stateCells(key) {
  const { word, tone } = keyStatus(key);
  return html`${cell("State", chip(word, tone))} ${cell("Disabled because", key.holds.length === 0 ? html`<span class="is-aside">–</span>` : key.holds.map(holdWord).join(", "))}`;
}

/** @param {ListedKey} key */
const row = (key, _again = async () => {}, pick = /** @type {unknown} */ (nothing)) => html`
  <tr>
    ${pick} ${rowHead("Key", html`<a data-opens href=${`/admin/members/${key.member.id}#${key.id}`}>${keyName(key)}</a>`)} ${stateCells(key)}
    ${cell("Spent of limit", spentWords(key))} ${cell("Read", age(key.read_at))} ${cell("Plan", key.plan)} ${workspaceCell(key)}
    ${cell("Project", key.project === null ? html`<span class="is-aside">–</span>` : html`<a href=${addressWith({ project: key.project.id, after: "" })}>${key.project.name}</a>`)}
    ${cell("Member", html`<span translate="no">${key.member.login ?? "left"}</span> <span class="figure is-aside">${key.member.subject ?? ""}</span>`)}
    ${cell("Made", age(key.created_at))} ${cell("Expires", age(key.expires_at))}
  </tr>
`;
