// Where a new key is made, if there are several places, and which places could not be read. Templates only.

import { html, nothing } from "./html.js";
import { clockUtc, dateUtc } from "./words.js";

/** @import { Claim, UnreadWorkspace, WorkspaceName } from "./types.js" */

/** The id of the choice in the offer of a claim. */
export const CLAIM_WORKSPACE = "claim-workspace";

/**
 * The workspace that the request for a key has to name: the one that was chosen, or the first that is offered. The only
 * one is chosen by the service itself.
 * @param {Claim} claim @param {string} chosen @returns {{ workspace_id?: string }}
 */
export function namedWorkspace({ workspaces }, chosen) {
  if (workspaces.length < 2) return {};
  return { workspace_id: (workspaces.find(({ id }) => id === chosen) ?? workspaces[0]).id };
}

/**
 * The choice of a workspace; nothing while there are not several.
 * @param {string} id @param {Claim} claim @param {string} chosen @param {(event: Event) => void} choose
 */
export const workspaceField = (id, { workspaces }, chosen, choose) =>
  workspaces.length < 2
    ? nothing
    : html`
        <div class="field">
          <label for=${id}>Workspace</label>
          <select id=${id} aria-describedby=${`${id}-hint`} @change=${choose}>
            ${workspaces.map((one) => html`<option value=${one.id} ?selected=${one.id === chosen}>${one.name}</option>`)}
          </select>
          <p id=${`${id}-hint`} class="hint">Where the key is made at OpenRouter. It stays there.</p>
        </div>
      `;

/** "Blue and Red". @param {UnreadWorkspace[]} unread */
export function workspaceNames(unread) {
  const names = unread.map(({ id, name }) => name ?? id ?? "the default workspace");
  return names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

/** The earliest moment since when one of them could not be read. @param {UnreadWorkspace[]} unread */
function earliest(unread) {
  const since = Math.min(...unread.map(({ since: at }) => Date.parse(at)));
  return Number.isFinite(since) ? ` since ${dateUtc(since)}, ${clockUtc(since)}` : "";
}

/**
 * Says which workspaces could not be read, and what that means for what is shown.
 * @param {UnreadWorkspace[]} unread
 */
export const unreadBanner = (unread) =>
  unread.length === 0
    ? nothing
    : html`
        <section class="notice is-warn" aria-labelledby="unread-title">
          <h2 id="unread-title">${unread.length === 1 ? "A workspace" : "Some workspaces"} could not be read: ${workspaceNames(unread)}.</h2>
          <p>OpenRouter has not listed the keys there${earliest(unread)}. They are all shown, and may still work; what is shown about their spending is as old as it says. Keys elsewhere are not affected.</p>
        </section>
      `;
