// The billing providers: which of them members may use with an account of their own, in which order, and what they read
// about them.

import { html } from "../html.js";
import { perform } from "./change.js";
import { openForm } from "./form.js";
import { openList } from "./list.js";
import { cell, chip, rowHead } from "./parts.js";

/** @import { BillingProvider } from "./types.js" */

/** @type {import("./frame.js").View} */
export const PROVIDERS_VIEW = { address: /^\/admin\/providers$/, open };

const PATH = "/api/v1/admin/providers";

/** @param {HTMLElement} host */
async function open(host) {
  await openList(host, {
    title: "Providers",
    about: "Where members may sign in with an account of their own. The provider makes the key and bills that account; no limit of ours applies to it. Daydream sends browsers back only to addresses on its own list: have this deployment put there before you enable it.",
    path: async () => PATH,
    rows: ({ providers }) => providers,
    columns: ["Provider", "State", "Place", "What members read", "Actions"],
    row,
    filters: [],
    none: "There is no provider.",
  });
}

/** @param {BillingProvider} provider @param {Record<string, unknown>} body @returns {import("./change.js").Act} */
const change = ({ slug }, body) => ({ method: "PATCH", path: `${PATH}/${slug}`, body });

/** @param {BillingProvider} provider @param {() => Promise<void>} again */
const row = (provider, again) => html`
  <tr>
    ${rowHead("Provider", html`${provider.name} <code translate="no">${provider.slug}</code>`)} ${cell("State", chip(provider.enabled ? "on" : "off", provider.enabled ? "good" : "plain"))} ${cell("Place", provider.position, "figure")} ${cell("What members read", provider.about)}
    ${cell("Actions", html`<div class="row-actions"><button class="button" type="button" data-opens @click=${() => toggle(provider, again)}>${provider.enabled ? "Disable" : "Enable"}</button><button class="button" type="button" data-opens @click=${() => edit(provider, again)}>Change…</button></div>`)}
  </tr>
`;

/** @param {BillingProvider} provider @param {() => Promise<void>} again */
function toggle(provider, again) {
  const [on, off] = [`Members can sign in at ${provider.name}.`, `Members can no longer sign in at ${provider.name}. Keys that it made go on working.`];
  const to = !provider.enabled;
  void perform({ act: change(provider, { enabled: to }), undo: change(provider, { enabled: !to }), done: to ? on : off, undone: to ? off : on, after: again });
}

/** @param {BillingProvider} provider @param {() => Promise<void>} again */
const edit = (provider, again) =>
  openForm({
    title: `Change ${provider.name}`,
    text: [],
    fields: [
      { name: "name", label: "Name", value: provider.name, hint: "1 to 64 characters." },
      { name: "about", label: "What members read", value: provider.about, long: true, hint: "One line of at most 300 characters." },
      { name: "position", label: "Place in the list", value: String(provider.position), keys: "numeric", hint: "0 to 99; the lowest comes first." },
    ],
    button: "Save it",
    act: ({ name = "", about = "", position = "" }) => {
      const changed = {
        ...(name.trim() === provider.name ? {} : { name: name.trim() }),
        ...(about.trim() === provider.about ? {} : { about: about.trim() }),
        ...(position.trim() === String(provider.position) ? {} : { position: Number(position) }),
      };
      return Object.keys(changed).length === 0 ? "Nothing differs from what is saved." : change(provider, changed);
    },
    done: () => `${provider.name} is changed.`,
    after: again,
  });
