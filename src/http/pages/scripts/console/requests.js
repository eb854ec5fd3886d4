// Requests and appeals, the oldest first, each with what is needed to decide it.

import { html, nothing } from "../html.js";
import { now } from "../api.js";
import { accountName, counted } from "../words.js";
import { queryOf } from "./address.js";
import { openForm } from "./form.js";
import { openList } from "./list.js";
import { age, cell, chip, rowHead } from "./parts.js";

/** @import { AskedRequest } from "./types.js" */

/** @type {import("./frame.js").View} */
export const REQUESTS_VIEW = { address: /^\/admin\/requests$/, open };

/** The longest answer, in characters as the service counts them. */
const ANSWER_CHARS = 500;

/** @param {HTMLElement} host */
async function open(host) {
  await openList(host, {
    title: "Requests",
    about: "People who ask to claim, and appeals against the age of their account. An approved appeal lets them claim however new their account is; it lifts no block.",
    path: async (filters) => `/api/v1/admin/requests${queryOf(filters)}`,
    rows: ({ requests }) => requests,
    columns: ["Who", "Wants", "Asked", "They wrote", "Account", "Decision"],
    row,
    filters: [{ name: "state", label: "State", options: [["open", "open"], ["approved", "approved"], ["declined", "declined"]] }],
    none: "Nobody waits for a decision.",
  });
}

/** @param {AskedRequest} request @param {() => Promise<void>} again */
const row = (request, again) => html`
  <tr>
    ${rowHead("Who", html`<a href=${`/admin/members/${request.member.id}`} translate="no">${request.member.login === null ? "left" : accountName(request.member.login)}</a>`)} ${cell("Wants", request.kind === "claim" ? "to claim" : "an exception from a rule")} ${cell("Asked", age(request.created_at))}
    ${cell("They wrote", request.note ?? html`<span class="is-aside">nothing</span>`)} ${cell("Account", accountWords(request))}
    ${cell("Decision", request.state === "open" ? html`<div class="row-actions"><button class="button" type="button" data-opens @click=${() => decide(request, "approved", again)}>Approve…</button><button class="button" type="button" @click=${() => decide(request, "declined", again)}>Decline…</button></div>` : html`${chip(request.state, request.state === "approved" ? "good" : "plain")} ${request.answer ?? ""}`)}
  </tr>
`;

/** What is known of the account, for the decision. @param {AskedRequest} request */
function accountWords({ member }) {
  const made = Date.parse(member.account_created_at ?? "");
  const days = Number.isFinite(made) && made > 0 ? counted(Math.floor((now() - made) / 86_400_000), "day") : null;
  return html`<span class="figure" translate="no">${member.subject ?? ""}</span>${days === null ? nothing : html` <span class="is-aside">${days} old</span>`}${member.blocked ? html` ${chip("blocked", "bad")}` : nothing}`;
}

/** @param {AskedRequest} request @param {"approved" | "declined"} state @param {() => Promise<void>} again */
function decide(request, state, again) {
  const verb = state === "approved" ? "Approve" : "Decline";
  const who = request.member.login === null ? "the member" : accountName(request.member.login);
  openForm({
    title: `${verb} the request of ${who}`,
    text: [request.note === null ? "They wrote nothing." : html`They wrote: “${request.note}”`, "A request is decided once."],
    fields: [{ name: "answer", label: "Your answer, which they will read", long: true, optional: true, hint: `At most ${ANSWER_CHARS} characters.` }],
    button: verb,
    act: ({ answer }) => ([...answer.trim()].length > ANSWER_CHARS ? `The answer has more than ${ANSWER_CHARS} characters.` : { method: "PATCH", path: `/api/v1/admin/requests/${request.id}`, body: { state, ...(answer.trim() === "" ? {} : { answer: answer.trim() }) } }),
    done: () => `The request of ${who} is ${state}.`,
    after: again,
  });
}
