// What the page says about a sign-in at a billing provider: how it ended, and the way on.

/** @import { HandoffStatus } from "./own-billing-types.js" */

/** @typedef {{ tone: "plain" | "good" | "warn" | "bad", title: string, text: string }} Ending */

/** The billing providers that the code knows, by slug. @type {Record<string, string>} */
const BILLING_NAMES = { openrouter: "OpenRouter", daydream: "Livepeer Daydream" };

/** @param {string} slug */
export const billingName = (slug) => BILLING_NAMES[slug] ?? (slug === "" ? "a billing provider" : slug);

/** Nothing is left to do about a sign-in that ended so. @type {Record<"redeemed" | "expired" | "refused" | "unknown" | "gone", Ending>} */
export const ENDINGS = {
  redeemed: { tone: "warn", title: "This sign-in was used already.", text: "Its key was handed out once, perhaps in another tab. If you do not have it, end it at the provider and start again." },
  expired: { tone: "warn", title: "This sign-in took too long.", text: "It lasts ten minutes. No key was made. Start again." },
  refused: { tone: "warn", title: "The provider said no, or the sign-in was ended.", text: "No key was made. Start again, or choose another provider." },
  unknown: { tone: "bad", title: "It is not known whether the provider made a key.", text: "If there is one in your account there, nobody has it. Below is how to find and end it. Then start again." },
  gone: { tone: "warn", title: "This sign-in is over.", text: "It was left too long, or another browser began it. No key was made here. Start again." },
};

/** The statuses after which nothing changes any more. @param {HandoffStatus} status */
export const endingOf = (status) => (status === "expired" || status === "refused" || status === "unknown" || status === "redeemed" ? ENDINGS[status] : null);

/** @type {Ending} */
export const CANCELLED = { tone: "plain", title: "You stopped.", text: "No key was made. You can close the provider’s tab." };

/** @type {Ending} */
export const LINKED = { tone: "good", title: "The key is yours.", text: "Your own account at the provider pays for it. This page keeps its masked form." };

/** @type {Ending} */
export const SECRET_LOST = { tone: "bad", title: "A key was made, but its secret did not reach this page.", text: "It cannot be shown again. End that key at the provider, forget it here, and start again." };

/** How to end a key that only the provider can end. @param {string} name @param {string | null} page */
export const howToEnd = (name, page) => (page === null ? `${name} has no page for ending keys that we know of. Ask ${name}.` : `End it on the page of your keys at ${name}.`);
