// Everybody's keys: found by name, mask, id, or the SHA-256 of a secret; filtered by state, hold and plan.

import { html, nothing } from "../html.js";
import { usd } from "../words.js";
import { unreadBanner } from "../workspaces-view.js";
import { queryOf } from "./address.js";
import { HOLD_OPTIONS, STATE_OPTIONS, holdWord, keyStatus, period } from "./key-words.js";
import { openList } from "./list.js";
import { age, cell, chip, rowHead } from "./parts.js";
import { planOptions } from "./plan-names.js";

/** @import { ListedKey } from "./types.js" */

/** @type {import("./frame.js").View} */
export const KEYS_VIEW = { address: /^\/admin\/keys$/, open };

/** @param {HTMLElement} host */
async function open(host) {
  await openList(host, {
    title: "Keys",
    about: "Everybody’s keys, the newest first. The search finds a key by the beginning of its name, its mask, its id, its secret or the SHA-256 of that.",
    path: async (filters) => `/api/v1/admin/keys${queryOf(filters)}`,
    rows: ({ keys }) => keys,
    columns: ["Key", "State", "Disabled because", "Spent of limit", "Read", "Plan", "Workspace", "Member", "Expires"],
    row,
    filters: [
      { name: "q", label: "Search", hint: "Name, mask, id, SHA-256" },
      { name: "state", label: "State", options: STATE_OPTIONS },
      { name: "hold", label: "Hold", options: HOLD_OPTIONS },
      { name: "plan", label: "Plan", options: await planOptions() },
    ],
    note: ({ workspaces_unread: unread }) => unreadBanner(unread),
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
const row = (key) => html`
  <tr>
    ${rowHead("Key", html`<a data-opens href=${`/admin/members/${key.member.id}#${key.id}`}>${keyName(key)}</a>`)} ${stateCells(key)}
    ${cell("Spent of limit", spentWords(key))} ${cell("Read", age(key.read_at))} ${cell("Plan", key.plan)} ${workspaceCell(key)}
    ${cell("Member", html`<span translate="no">${key.member.login ?? "left"}</span> <span class="figure is-aside">${key.member.subject ?? ""}</span>`)}
    ${cell("Expires", age(key.expires_at))}
  </tr>
`;
