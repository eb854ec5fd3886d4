// The workspaces of the account: in which of them keys may be made. Each says its state in a word, and has one button that changes it.

import { html, nothing, render } from "../html.js";
import { call } from "../api.js";
import { counted } from "../words.js";
import { unreadBanner } from "../workspaces-view.js";
import { perform } from "./change.js";
import { cell, chip, failed, heads, rowHead, upTo } from "./parts.js";

/** @import { AccountWorkspace, AccountWorkspaces } from "./types.js" */
/** @import { Outcome } from "../api.js" */

/** @type {import("./frame.js").View} */
export const WORKSPACES_VIEW = { address: /^\/admin\/workspaces$/, open };

const PATH = "/api/v1/admin/workspaces";

/** @param {HTMLElement} host */
async function open(host) {
  const look = async () => {
    const answer = /** @type {Outcome<AccountWorkspaces>} */ (await call("GET", PATH));
    render(answer.outcome === "done" ? view(answer.body, look) : html`<h1>Workspaces</h1>${failed(answer, look)}`, host);
  };
  await look();
}

/** @param {AccountWorkspaces} is @param {() => Promise<void>} look */
const view = (is, look) => html`
  <div class="view-head"><h1>Workspaces</h1></div>
  <p class="is-aside">Keys are made only in the workspaces that are enabled here. With several, a member chooses one for each new key; the only one is chosen by itself. Keys stay in the workspace in which they were made, also when no new ones are made there any more. While none is enabled, keys are made where their plan says.</p>
  ${unreadBanner(is.workspaces_unread)} ${is.is_whole ? nothing : unlisted(look)} ${is.shut_plans.length === 0 ? nothing : shut(is.shut_plans)}
  ${is.workspaces.length === 0
    ? html`<p class="empty">No workspace is known here yet.</p>`
    : html`<table class="table">${heads(["Workspace", "State", "Live keys", "At OpenRouter", "Actions"])}<tbody>${is.workspaces.map((one) => row(one, is, look))}</tbody></table>`}
`;

/** @param {() => Promise<void>} look */
const unlisted = (look) => html`
  <section class="notice is-warn" aria-labelledby="unlisted-title">
    <h2 id="unlisted-title">OpenRouter did not list all workspaces.</h2>
    <p>Those that were enabled before are shown as they were last read. Others may be missing.</p>
    <p class="actions"><button class="button" type="button" @click=${look}>Try again</button></p>
  </section>
`;

/** @param {AccountWorkspaces["shut_plans"]} plans */
const shut = (plans) => html`
  <section class="notice is-warn" aria-labelledby="shut-title">
    <h2 id="shut-title">No key can be made under ${plans.length === 1 ? "the plan" : "the plans"} ${plans.map(({ name }) => name).join(", ")}.</h2>
    <p>${plans.length === 1 ? "It names" : "They name"} a workspace that is not enabled. Enable it here, or <a href="/admin/plans">change the plan</a>.</p>
  </section>
`;

/** @param {AccountWorkspace} one @param {AccountWorkspaces} is @param {() => Promise<void>} look */
function row(one, is, look) {
  const others = is.workspaces.filter(({ enabled, id }) => enabled && id !== one.id).map(({ id }) => id);
  /** @param {boolean} enabled */
  const act = (enabled) => ({ method: /** @type {"PUT"} */ ("PUT"), path: PATH, body: { workspace_ids: enabled ? [...others, one.id] : others } });
  const keys = one.live_keys ?? 0;
  const stay = keys === 0 ? "" : ` ${keys < is.counted_up_to ? counted(keys, "key") : `${upTo(keys, is.counted_up_to)} keys`} ${keys === 1 ? "stays as it is" : "stay as they are"}.`;
  const enable = () => perform({ act: act(true), done: `Keys may be made in ${one.name} from now on.`, undo: act(false), undone: `No new keys are made in ${one.name} again.`, after: look });
  const disable = () => perform({ act: act(false), done: `No new keys are made in ${one.name} from now on.${stay}`, undo: act(true), undone: `Keys may be made in ${one.name} again.`, after: look });
  return html`
    <tr>
      ${rowHead("Workspace", html`${one.name}${one.is_default ? html` ${chip("default")}` : nothing} <span class="figure is-aside" translate="no">${one.id}</span>`)}
      ${cell("State", one.enabled ? chip("enabled", "good") : chip("not enabled"))}
      ${cell("Live keys", one.live_keys === null ? html`<span class="is-aside">–</span>` : upTo(one.live_keys, is.counted_up_to), "figure")}
      ${cell("At OpenRouter", one.unread_since !== null ? chip("keys not read", "warn") : one.at_openrouter === null ? "not known now" : one.at_openrouter ? "there" : chip("gone", "bad"))}
      ${cell("Actions", html`<button class="button" type="button" data-opens @click=${one.enabled ? disable : enable}>${one.enabled ? "Disable" : "Enable"}<span class="spoken"> ${one.name}</span></button>`)}
    </tr>
  `;
}
