// The providers that people sign in with: the buttons that lead there, and what an account is called.

import { html, nothing } from "./html.js";

/** @import { Me } from "./types.js" */

/** @type {Record<string, string>} */
const NAMES = { github: "GitHub", google: "Google" };

/** The provider's own name. @param {string} provider */
export const providerName = (provider) => NAMES[provider] ?? provider;

/** The providers that the document's own frame names, in their order. */
const offered = () => (globalThis.document?.documentElement.dataset.signIn ?? "github").split(" ").filter((provider) => provider !== "");

/** One button for each provider, which lead to the page of this name. @param {string} next */
export const signInButtons = (next) => html`
  <p class="actions">${offered().map((provider, n) => html`<a class=${n === 0 ? "button is-primary" : "button"} href=${`/auth/${provider}?next=${next}`}>Continue with ${providerName(provider)}</a>`)}</p>
`;

/** The button that signs in with another account of the same provider. @param {Me["member"] | undefined} member */
export const anotherAccount = (member) => {
  const provider = member?.provider ?? "github";
  return offered().includes(provider) ? html`<a class="button is-quiet" href=${`/auth/${provider}?next=keys&account=another`}>Use another ${providerName(provider)} account</a>` : nothing;
};
