// The frame around every page: who is signed in, the ways to sign out, and the one place from which the page speaks to a
// screen reader.

import { html, nothing, render } from "./html.js";
import { call } from "./api.js";

/** @import { Me } from "./types.js" */

/**
 * A note to ourselves that this browser was signed in last time. The session cookie is not readable by scripts, and asking
 * the API on every visit of the landing page would greet each newcomer with a refusal. It decides nothing but that question.
 */
const SIGNED_IN_HINT = "keycap.signed-in";

/** Says something to a screen reader without moving the focus. @param {string} text */
export function say(text) {
  const status = document.getElementById("status");
  if (status) status.textContent = text;
}

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
    // Storage is off: the landing page then shows the signed-out form, which is right often enough.
  }
}

/**
 * On pages that are for everybody: shows who is signed in, if anybody was.
 * @returns {Promise<Me | null>}
 */
export async function greet() {
  if (!wasSignedIn()) return null;
  const answer = /** @type {import("./api.js").Outcome<Me>} */ (await call("GET", "/api/v1/me"));
  if (answer.outcome === "done") {
    showAccount(answer.body);
    return answer.body;
  }
  if (answer.outcome === "refused" && answer.status === 401) showAccount(null);
  return null;
}

/** Puts the member into the header, or takes them out. @param {Me | null} me */
export function showAccount(me) {
  remember(me !== null);
  const place = document.getElementById("account");
  if (place) render(me === null ? nothing : account(me.member.login), place);
}

/** @param {string} login */
const account = (login) => html`
  <button class="button is-quiet who" type="button" popovertarget="account-menu" aria-label=${`Signed in as @${login}. Account menu`}>
    <span class="who-name" translate="no">@${login}</span>
    <svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false"><path d="m4 6 4 4 4-4" /></svg>
  </button>
  <div id="account-menu" class="menu" popover>
    <p class="menu-who">Signed in with GitHub as <strong translate="no">@${login}</strong></p>
    <form method="post" action="/auth/logout" @submit=${() => remember(false)}>
      <button class="button is-quiet" type="submit">Sign out</button>
    </form>
    <button class="button is-quiet is-final" type="button" @click=${() => askSignOutEverywhere(login)}>Sign out everywhere…</button>
  </div>
`;

/** Final, so it asks first: names the account and what happens. @param {string} login */
function askSignOutEverywhere(login) {
  document.getElementById("account-menu")?.hidePopover();
  const host = document.createElement("div");
  document.body.append(host);
  const close = () => host.querySelector("dialog")?.close();
  const leave = () => host.remove();
  /** @param {{ working: boolean, failed: string }} view */
  const show = (view) => render(everywhereDialog({ login, ...view, confirm, close, leave }), host);
  const confirm = async () => {
    show({ working: true, failed: "" });
    const answer = await call("POST", "/api/v1/me/sign-out-everywhere");
    if (answer.outcome === "done" || (answer.outcome === "refused" && answer.status === 401)) {
      remember(false);
      location.assign("/");
      return;
    }
    show({ working: false, failed: "No answer that it worked. Your sessions may still be open. Try again." });
  };
  show({ working: false, failed: "" });
  host.querySelector("dialog")?.showModal();
}

/**
 * @param {{ login: string, working: boolean, failed: string, confirm: () => void, close: () => void, leave: () => void }} view
 */
const everywhereDialog = ({ login, working, failed, confirm, close, leave }) => html`
  <dialog class="dialog" aria-labelledby="everywhere-title" aria-describedby="everywhere-why" @close=${leave}>
    <h2 id="everywhere-title">Sign out @${login} everywhere?</h2>
    <p id="everywhere-why">Every browser signed in as @${login} is signed out, this one included. Your key is not touched and keeps working.</p>
    <div class="actions">
      <button class="button is-final" type="button" aria-disabled=${working ? "true" : "false"} @click=${working ? nothing : confirm}>${working ? "Signing out…" : "Sign out everywhere"}</button>
      <button class="button" type="button" autofocus @click=${close}>Cancel</button>
    </div>
    <p class="hint is-bad said" role="alert">${failed}</p>
  </dialog>
`;
