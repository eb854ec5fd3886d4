// The page `/account`: who the member is here, what is kept about them, and how to take it away or to leave.

import { accountView } from "./account-view.js";
import { now } from "./api.js";
import { askFirst } from "./confirm.js";
import { failureWords } from "./failure-words.js";
import { exportAll } from "./export.js";
import { readHistory } from "./history.js";
import { html, render } from "./html.js";
import { noticeBoard } from "./notices.js";
import { askOverview, overviewInDocument } from "./overview.js";
import { Press } from "./press.js";
import { say } from "./say.js";
import { askSignOutEverywhere, forget, showAccount, watchAccount } from "./shell.js";
import { accountName, lostWords, sentence } from "./words.js";

/** @import { Outcome } from "./api.js" */
/** @import { MemberRequest, Overview } from "./types.js" */
/** @import { AccountActions, AccountModel } from "./account-view.js" */

const place = /** @type {HTMLElement} */ (document.getElementById("you"));

const withdrawing = new Press();

/** @type {AccountModel} */
let model = { phase: "loading", overview: null, history: null, exporting: "", failed: null, now: now() };

/** @param {Partial<AccountModel>} change */
function show(change) {
  model = { ...model, ...change, now: now() };
  place.setAttribute("aria-busy", String(model.phase === "loading"));
  render(accountView(model, actions), place);
}

/** @type {AccountActions} */
const actions = { withdraw, load: () => void load(), save, history: () => (model.history === null ? void moreHistory() : show({ history: null })), moreHistory, signOutEverywhere, leave };

const board = noticeBoard(/** @type {HTMLElement} */ (document.getElementById("notices")), { renewable: () => false, renew: async () => false, signedOut });

/** @param {Outcome<Overview> | null} [known] what the document had */
async function load(known = null) {
  const overview = known ?? (await askOverview());
  if (overview.outcome === "done") {
    showAccount(overview.body.me);
    board.show(overview.body.notices);
    return show({ phase: "ready", overview: overview.body, failed: null });
  }
  if (overview.outcome === "refused" && overview.status === 401) return signedOut();
  const words = overview.outcome === "lost" ? { title: lostWords(overview).title, text: `Nothing was changed. ${lostWords(overview).advice}` } : { title: sentence(overview.problem.title), text: "Nothing was changed. Try again." };
  show({ phase: "failed", failed: words });
  say(words.title);
}

function signedOut() {
  showAccount(null);
  board.show([]);
  show({ phase: "signed_out", overview: null });
  say("You are signed out.");
}

/** Asks for everything that is stored, page by page, and saves it as one file. */
async function save() {
  if (model.exporting === "pending") return;
  show({ exporting: "pending" });
  say("Collecting what is stored about you.");
  const outcome = await exportAll();
  if (outcome === "signed_out") return signedOut();
  show({ exporting: outcome });
  say(outcome === "saved" ? "The file is saved." : "The file could not be made.");
}

async function moreHistory() {
  if ((await readHistory("/api/v1/me/history", model.history, (history) => show({ history }))) === "signed_out") signedOut();
}

/** @param {MemberRequest} request */
async function withdraw(request) {
  const answer = /** @type {Outcome<{ request: MemberRequest }>} */ (await withdrawing.send("DELETE", `/api/v1/requests/${request.id}`));
  if (answer.outcome === "refused" && answer.status === 401) return signedOut();
  await load();
  say(answer.outcome === "done" ? "The request is withdrawn." : `The request was not withdrawn. ${failureWords(answer).text}`);
}

function signOutEverywhere() {
  if (model.overview !== null) askSignOutEverywhere(model.overview.me.member);
}

/** Leaving is final, so the member types their own login first. */
function leave() {
  if (model.overview === null) return;
  const { me, keys } = model.overview;
  const { login } = me.member;
  const press = new Press();
  const typed = { login: "", error: "" };
  const { redraw } = askFirst({
    title: `Leave as ${accountName(login)}?`,
    text: [
      keys.length === 0 ? "You have no key here." : "Every key of yours is disabled for good.",
      "Your login, account number, names of keys and notes are erased. A keyed hash of the number stays, so that leaving and coming back resets no limit. This cannot be undone.",
    ],
    fields: () => html`
      <div class="field">
        <label for="leave-login">Type your login, <strong translate="no">${login}</strong>, to confirm</label>
        <input
          id="leave-login"
          type="text"
          autocomplete="off"
          autocapitalize="none"
          spellcheck="false"
          autofocus
          .value=${typed.login}
          aria-invalid=${typed.error === "" ? "false" : "true"}
          aria-describedby="leave-error"
          @input=${(/** @type {Event} */ event) => {
            Object.assign(typed, { login: /** @type {HTMLInputElement} */ (event.target).value, error: "" });
            redraw();
          }}
        />
        <p id="leave-error" class="hint is-bad said">${typed.error}</p>
      </div>
    `,
    refuse: () => (typed.error = typed.login.trim() === login ? "" : `Type ${login}, exactly as it is written here. Nothing was sent.`),
    button: "Leave for good",
    pending: "Leaving…",
    act: async () => {
      const answer = await press.send("DELETE", "/api/v1/me", { confirm: typed.login.trim() });
      if (answer.outcome === "done") return () => left(answer.status === 204);
      if (answer.outcome === "refused" && answer.status === 401) return signedOut;
      return failureWords(answer).text;
    },
  });
}

/** @param {boolean} confirmed whether OpenRouter has confirmed that every key is disabled */
function left(confirmed) {
  forget();
  showAccount(null);
  board.show([]);
  show({ phase: confirmed ? "left" : "leaving", overview: null });
  const heading = /** @type {HTMLElement | null} */ (place.querySelector("[data-news]"));
  say(heading?.textContent ?? "");
  heading?.focus();
}

watchAccount({
  signedIn: (me) => {
    if (model.phase === "signed_out") void load();
    else showAccount(me);
  },
  signedOut: () => {
    if (model.phase === "ready") signedOut();
  },
});
place.replaceChildren();
show({});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
await load(overviewInDocument());
