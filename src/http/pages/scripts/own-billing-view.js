// The section "Use your own billing": choosing a provider, waiting for the sign-in there, typing the code, and the keys that
// came of it. Templates only.

import { html, nothing, repeat } from "./html.js";
import { NO_PROJECT, ownBilled } from "./list.js";
import { choice } from "./list-view.js";
import { PROJECT_NAMES } from "./projects-view.js";
import { howToEnd } from "./own-billing-words.js";
import { requestId } from "./parts.js";
import { NAME_CHARS, dateUtc } from "./words.js";

/** @import { Handoff, Provider, ProviderKey, UnknownHandoff } from "./own-billing-types.js" */
/** @import { Arrangement } from "./list.js" */
/** @import { Ending } from "./own-billing-words.js" */

/**
 * Where the member is. `blocked` says that the browser did not open the provider's tab.
 * @typedef {{ at: "choose", sending: boolean } | { at: "waiting", handoff: Handoff, authUrl: string | null, blocked: boolean } |
 *   { at: "code", handoff: Handoff, code: string, error: string, sending: "" | "asking" | "not_yet" }} Step
 */

/**
 * @typedef {object} BillingModel
 * @property {"folded" | "loading" | "failed" | "ready"} phase
 * @property {string} failure why it could not be loaded
 * @property {Provider[]} providers
 * @property {ProviderKey[]} keys
 * @property {UnknownHandoff[]} unknown
 * @property {Arrangement} arrangement which of the keys the address asks for
 * @property {string} chosen the slug of a provider, or an empty text
 * @property {string} label
 * @property {string} project
 * @property {{ provider: string, label: string, project: string }} errors
 * @property {Step} step
 * @property {(Ending & { requestId?: string | null }) | null} ending how the last sign-in ended
 */

/**
 * @typedef {object} BillingActions
 * @property {(open: boolean) => void} fold
 * @property {() => void} load
 * @property {(field: "chosen" | "label" | "project" | "code", event: Event) => void} fill
 * @property {(event: Event) => void} start
 * @property {() => void} cancel
 * @property {(event: Event) => void} finish
 * @property {(part: "project" | "provider", event: Event) => void} arrange
 * @property {(key: ProviderKey) => void} edit
 * @property {(key: ProviderKey) => void} forget
 */

/** The ids of the fields, which get the focus if something is wrong with them. */
export const BILLING_IDS = { provider: "billing-providers", label: "billing-label", project: "billing-project", code: "billing-code" };

/** @param {BillingModel} model @param {BillingActions} actions */
export const billing = (model, actions) => html`
  <details class="ended billing" ?open=${model.phase !== "folded"} @toggle=${(/** @type {Event} */ event) => actions.fold(/** @type {HTMLDetailsElement} */ (event.target).open)}>
    <summary>Use your own billing</summary>
    ${model.phase === "folded" ? nothing : html`<div class="card">${model.phase === "loading" ? html`<p class="is-aside">Loading…</p>` : model.phase === "failed" ? failed(model, actions) : content(model, actions)}</div>`}
  </details>
`;

/** @param {BillingModel} model @param {BillingActions} actions */
const failed = ({ failure }, { load }) => html`
  <p class="hint is-bad">${failure}</p>
  <p class="actions"><button class="button" type="button" @click=${load}>Look again</button></p>
`;

/** @param {BillingModel} model @param {BillingActions} actions */
function content(model, actions) {
  const { ending, step, providers, keys, unknown } = model;
  return html`
    <p>Sign in at a provider with an account of your own. It makes a key that your account there pays for. Our limits do not apply to it, and we see nothing of what it spends.</p>
    ${ending === null ? nothing : endingNotice(ending)}
    ${step.at === "waiting" ? waiting(model, step, actions) : step.at === "code" ? code(model, step, actions) : providers.length === 0 ? html`<p class="is-aside">No provider is offered here at the moment.</p>` : choose(model, step, actions)}
    ${unknown.length === 0 ? nothing : lost(unknown, providers)}
    ${keys.length === 0 ? nothing : listed(model, actions)}
  `;
}

/** @param {Ending & { requestId?: string | null }} ending */
const endingNotice = ({ tone, title, text, requestId: id }) => html`
  <section class=${tone === "plain" ? "notice" : `notice is-${tone}`} aria-labelledby="billing-ending">
    <h3 id="billing-ending" data-ending tabindex="-1">${title}</h3>
    <p>${text}</p>
    ${requestId(id)}
  </section>
`;

/** @param {string} slug @param {Provider[]} providers */
const nameOf = (slug, providers) => providers.find((one) => one.slug === slug)?.name ?? slug;

/** @param {BillingModel} model @param {Extract<Step, { at: "choose" }>} step @param {BillingActions} actions */
const choose = ({ providers, chosen, errors, label, project }, { sending }, actions) => html`
  <form class="create" novalidate @submit=${actions.start}>
    <fieldset class="choices" id=${BILLING_IDS.provider} aria-describedby="billing-provider-error">
      <legend>1. Choose a provider</legend>
      ${repeat(providers, ({ slug }) => slug, ({ slug, name, about }) => html`<label class="check"><input type="radio" name="provider" value=${slug} .checked=${slug === chosen} @change=${(/** @type {Event} */ event) => actions.fill("chosen", event)} /> <span><strong>${name}</strong> <span class="is-aside">${about}</span></span></label>`)}
    </fieldset>
    <p id="billing-provider-error" class="hint is-bad said">${errors.provider}</p>
    ${field("label", "Name (optional)", `1 to ${NAME_CHARS} characters, such as where you will use it.`, label, errors.label, actions)}
    ${field("project", "Project (optional)", "It groups your keys. Choose one, or write a new name.", project, errors.project, actions)}
    <div class="actions"><button class="button is-primary" type="submit" aria-disabled=${sending ? "true" : "false"}>${sending ? "Opening…" : chosen === "" ? "Continue" : `Continue to ${nameOf(chosen, providers)}`}</button></div>
    <p class="hint">It opens in a new tab. Nothing is made before you confirm it here.</p>
  </form>
`;

/** @param {"label" | "project" | "code"} what @param {string} label @param {string} hint @param {string} value @param {string} error @param {BillingActions} actions */
const field = (what, label, hint, value, error, actions) => html`
  <div class="field">
    <label for=${BILLING_IDS[what]}>${label}</label>
    <input id=${BILLING_IDS[what]} class=${what === "code" ? "is-short" : ""} type="text" autocomplete="off" spellcheck="false" autocapitalize=${what === "code" ? "characters" : "off"} list=${what === "project" ? PROJECT_NAMES : nothing} .value=${value} aria-invalid=${error === "" ? "false" : "true"} aria-describedby=${`${BILLING_IDS[what]}-hint ${BILLING_IDS[what]}-error`} @input=${(/** @type {Event} */ event) => actions.fill(what, event)} />
    <p id=${`${BILLING_IDS[what]}-hint`} class="hint">${hint}</p>
    <p id=${`${BILLING_IDS[what]}-error`} class="hint is-bad said">${error}</p>
  </div>
`;

/** @param {BillingModel} model @param {Extract<Step, { at: "waiting" }>} step @param {BillingActions} actions */
const waiting = ({ providers }, { handoff, authUrl, blocked }, { cancel }) => html`
  <section class="billing-step" aria-labelledby="billing-waiting">
    <h3 id="billing-waiting" data-ending tabindex="-1">${blocked ? "Your browser did not open the new tab." : `2. Sign in at ${nameOf(handoff.provider, providers)}`}</h3>
    <p>${blocked ? "Open it yourself with one of these links." : "It is open in another tab. After the sign-in it shows a code; come back here then. This page waits for it."}</p>
    <div class="actions">
      ${authUrl === null ? nothing : html`<a class=${blocked ? "button is-primary" : "button"} href=${authUrl} target="_blank" rel="noopener">${blocked ? "Open it in a new tab" : "Closed it? Open it again"}</a> <a class="button" href=${authUrl}>Go there in this tab</a>`}
      <button class="button" type="button" @click=${cancel}>Cancel</button>
    </div>
  </section>
`;

/** @param {BillingModel} model @param {Extract<Step, { at: "code" }>} step @param {BillingActions} actions */
const code = ({ providers }, { handoff, code: typed, error, sending }, actions) => html`
  <form class="create billing-step" novalidate aria-labelledby="billing-code-title" @submit=${actions.finish}>
    <h3 id="billing-code-title" data-ending tabindex="-1">3. Type the code</h3>
    <p>You are signed in at ${nameOf(handoff.provider, providers)}. The page that opened after it shows a code of eight letters. If you did not sign in there yourself, cancel.</p>
    ${field("code", "Code", "Such as BCDF-GHJK.", typed, error, actions)}
    <div class="actions">
      <button class="button is-primary" type="submit" aria-disabled=${sending === "" ? "false" : "true"}>${sending === "" ? "Get the key" : sending === "asking" ? "Getting it…" : "Waiting…"}</button>
      <button class="button" type="button" @click=${actions.cancel}>Cancel</button>
    </div>
    <p class="hint">${sending === "not_yet" ? "What the provider sent back is on its way to this part of the network. This usually takes seconds, and at most a minute or two." : "The key is shown once, right after. Decide first where you will store it."}</p>
  </form>
`;

/** @param {UnknownHandoff[]} unknown @param {Provider[]} providers */
const lost = (unknown, providers) => html`
  <section class="notice is-warn" aria-labelledby="billing-unknown">
    <h3 id="billing-unknown">Look for keys that nobody has</h3>
    <p>These sign-ins ended without an answer of the provider. If your account there has a key with such a name, nobody has its secret.</p>
    <ul class="plain">
      ${unknown.map(({ id, provider, at }) => html`<li>At ${nameOf(provider, providers)}, on ${dateUtc(Date.parse(at))}: <code translate="no">keycap ${id}</code>. ${ends(provider, providers)}</li>`)}
    </ul>
  </section>
`;

/** @param {string} slug @param {Provider[]} providers */
function ends(slug, providers) {
  const page = providers.find((one) => one.slug === slug)?.keys_page ?? null;
  const words = howToEnd(nameOf(slug, providers), page);
  return page === null ? words : html`<a href=${page} rel="noreferrer">${words}</a>`;
}

/** @param {BillingModel} model @param {BillingActions} actions */
function listed({ keys, providers, arrangement }, actions) {
  const shown = ownBilled(keys, arrangement);
  const isNarrowed = shown.length < keys.length;
  return html`
    <h3>Your keys at providers${isNarrowed ? ` (${shown.length} of ${keys.length})` : ""}</h3>
    ${
      keys.length > 1
        ? html`<form class="list-tools" aria-label="Keys at providers" @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
            ${choice("billing-list-project", "Project", projectsOf(keys), arrangement.project, (event) => actions.arrange("project", event))}
            ${choice("billing-list-provider", "Provider", { "": "All", ...Object.fromEntries(keys.map(({ provider }) => [provider, nameOf(provider, providers)])) }, arrangement.provider ?? "", (event) => actions.arrange("provider", event))}
          </form>`
        : nothing
    }
    <ul class="plain billing-keys">${repeat(shown, ({ id }) => id, (key) => linked(key, providers, actions))}</ul>
    ${shown.length === 0 ? html`<p>No key at a provider matches.</p>` : nothing}
  `;
}

/** The projects of these keys. @param {ProviderKey[]} keys @returns {Record<string, string>} */
const projectsOf = (keys) => ({ "": "All", ...Object.fromEntries(keys.map(({ project }) => (project === null ? [NO_PROJECT, "No project"] : [project.id, project.name]))) });

/** @param {ProviderKey} key @param {Provider[]} providers @param {BillingActions} actions */
const linked = (key, providers, actions) => html`
  <li>
    <p><strong>${key.label ?? "Key"}</strong> <code translate="no">${key.mask}</code></p>
    <p class="is-aside">${nameOf(key.provider, providers)}, since ${dateUtc(Date.parse(key.created_at))}${key.project === null ? "" : `, in “${key.project.name}”`}. What it spends is known only there.</p>
    ${key.leaked_at === null ? nothing : html`<p class="hint is-bad">Somebody reported it as found, on ${dateUtc(Date.parse(key.leaked_at))}. This service cannot disable it. ${ends(key.provider, providers)}</p>`}
    <div class="actions">
      <button class="button is-quiet" type="button" aria-label=${`Change the name or project of ${key.label ?? key.mask}`} @click=${() => actions.edit(key)}>Change…</button>
      <button class="button is-quiet" type="button" aria-label=${`Forget ${key.label ?? key.mask}`} @click=${() => actions.forget(key)}>Forget…</button>
    </div>
  </li>
`;
