// The frame around every page: who is signed in, whether that is still the account that the page was made for, and how
// to sign out.

import { html, nothing, render } from "./html.js";
import { Press } from "./press.js";
import { say } from "./say.js";
import { countUnread } from "./notices.js";
import { providerName } from "./sign-in-view.js";
import { accountName, counted, lostWords } from "./words.js";
import { call, isSomebodys, whenAccountChanges } from "./api.js";
import { askFirst } from "./confirm.js";

/** @import { Me } from "./types.js" */

/**
 * The entry in local storage that says that this browser was signed in last time. Scripts cannot read the session
 * cookie, and if the landing page asked the API on every visit, each newcomer would get a refusal. The entry decides
 * only whether the page asks.
 */
const SIGNED_IN_HINT = "keycap.signed-in";

function wasSignedIn() {
  try {
    return localStorage.getItem(SIGNED_IN_HINT) === "1";
  } catch {
    return false;
  }
}

/** @param {boolean} signedIn */
function remember(signedIn) {
  try {
    if (signedIn) localStorage.setItem(SIGNED_IN_HINT, "1");
    else localStorage.removeItem(SIGNED_IN_HINT);
  } catch {
    // Storage is not available. The landing page then shows the signed-out form, which is right often enough.
  }
}

/**
 * On pages that are open to everybody: shows who is signed in, if this browser was signed in last time.
 * @returns {Promise<Me | null>}
 */
export async function greet() {
  if (!wasSignedIn()) return null;
  watchAccount({ signedIn: showAccount, signedOut: () => showAccount(null) });
  const answer = /** @type {import("./api.js").Outcome<Me>} */ (await call("GET", "/api/v1/me"));
  if (answer.outcome === "done") {
    showAccount(answer.body);
    void countUnread().then((count) => count !== null && count > 0 && showAccount(answer.body, count));
    return answer.body;
  }
  if (answer.outcome === "refused" && answer.status === 401) showAccount(null);
  return null;
}

/**
 * Asks again who is signed in whenever the page comes back into view, or out of the browser's history: another tab may
 * have changed the account meanwhile.
 * @param {{ signedIn: (me: Me) => void, signedOut: () => void }} page
 */
export function watchAccount({ signedIn, signedOut }) {
  const look = async () => {
    if (document.hidden || !isSomebodys()) return;
    const answer = /** @type {import("./api.js").Outcome<Me>} */ (await call("GET", "/api/v1/me"));
    if (answer.outcome === "done") signedIn(answer.body);
    if (answer.outcome === "refused" && answer.status === 401) signedOut();
  };
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pageshow", ({ persisted }) => void (persisted && look()));
}

/** The member of this page's history state that says why the page was reloaded. */
const OTHER_ACCOUNT = "keycap.other-account";
/** Whether this page was reloaded because another account is signed in. */
const isLoadedAnew = history.state?.[OTHER_ACCOUNT] !== undefined;
/**
 * For this long after such a reload the page does not reload again, so that contradicting answers cause no endless
 * loop.
 */
const SETTLING_MS = 10_000;

/** Whether a change was refused because of another account. The reloaded page says so, even if later answers do not. */
let isRefused = false;

// A page that shows a secret is not reloaded. The next change on it is refused, and that leads here again.
whenAccountChanges((refused) => {
  if (document.querySelector("dialog.secret") !== null) return;
  if (isLoadedAnew && performance.now() < SETTLING_MS) return;
  isRefused ||= refused;
  history.replaceState({ [OTHER_ACCOUNT]: isRefused ? "refused" : "seen" }, "");
  location.reload();
});

/** Says, on a page that was reloaded because of another account, why it was reloaded. */
function tellAccountChange() {
  const why = history.state?.[OTHER_ACCOUNT];
  if (why === undefined) return;
  history.replaceState(null, "");
  const host = document.createElement("div");
  document.getElementById("main")?.prepend(host);
  const text = why === "refused" ? "This page was loaded for the previous account, so your action was not carried out." : "This page was loaded for the previous account.";
  render(otherAccount(`${text} It now shows the account that is signed in.`), host);
}

/** @param {string} text */
const otherAccount = (text) => html`
  <section class="notice is-warn is-first" role="alert" aria-labelledby="other-account">
    <h2 id="other-account">Another account is signed in now.</h2>
    <p>${text}</p>
  </section>
`;

tellAccountChange();

/**
 * Shows the member in the header, or removes them from it.
 * @param {Me | null} me
 * @param {number} [unread] how many notices are not read, if the page does not show them itself
 */
export function showAccount(me, unread = 0) {
  remember(me !== null);
  const place = document.getElementById("account");
  if (place) render(me === null ? nothing : account(me.member, unread), place);
}

/** Forgets that this browser was signed in. */
export const forget = () => remember(false);

/** @param {Me["member"]} member @param {number} unread */
const account = (member, unread) => html`
  ${unread === 0 ? nothing : html`<a class="button is-quiet notice-count" href="/keys" aria-label=${counted(unread, "notice")}>${unread}<span class="notice-word"> ${unread === 1 ? "notice" : "notices"}</span></a>`}
  <button class="button is-quiet who" type="button" popovertarget="account-menu" aria-label=${`Signed in as ${accountName(member.login)}. Account menu`}>
    <span class="who-name" translate="no">${accountName(member.login)}</span>
    <svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false"><path d="m4 6 4 4 4-4" /></svg>
  </button>
  <div id="account-menu" class="menu" popover>
    <p class="menu-who">Signed in with ${providerName(member.provider)} as <strong translate="no">${accountName(member.login)}</strong></p>
    <a class="button is-quiet" href="/account">Your account</a>
    <form method="post" action="/auth/logout" @submit=${() => remember(false)}>
      <button class="button is-quiet" type="submit">Sign out</button>
    </form>
    <button class="button is-quiet is-final" type="button" @click=${() => askSignOutEverywhere(member)}>Sign out everywhere…</button>
  </div>
`;

/** The action is final, so the page asks first; the question names the account. @param {Me["member"]} member */
export function askSignOutEverywhere(member) {
  document.getElementById("account-menu")?.hidePopover();
  const press = new Press();
  askFirst({
    title: `Sign out ${accountName(member.login)} everywhere?`,
    text: [`Every browser signed in as ${accountName(member.login)} is signed out, this one included. Your key is not affected.`],
    button: "Sign out everywhere",
    pending: "Signing out…",
    act: async () => {
      const answer = await press.send("POST", "/api/v1/me/sign-out-everywhere");
      if (answer.outcome === "lost") return `The service did not confirm it. Your sessions may still be open. ${lostWords(answer).advice}`;
      if (answer.outcome === "refused" && answer.status !== 401) return "It was refused, and your sessions may still be open. Try again.";
      return () => {
        remember(false);
        location.assign("/");
      };
    },
  });
}
