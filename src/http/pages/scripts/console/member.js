// One member: who they are, their keys with everything that can be done about them, and what has happened.

import { html, nothing, render } from "../html.js";
import { call } from "../api.js";
import { usd } from "../words.js";
import { perform } from "./change.js";
import { canChange } from "./key-words.js";
import { keyName, spentWords, stateCells, workspaceCell } from "./keys.js";
import { loginWords, statusChips } from "./members.js";
import { age, cell, chip, failed, heads, rowHead } from "./parts.js";
import { planOptions } from "./plan-names.js";
import { auditRows } from "./audit.js";
import { memberForms } from "./member-forms.js";

/** @import { AuditEntry, ListedKey, MemberPage } from "./types.js" */
/** @import { Outcome } from "../api.js" */

/** @type {import("./frame.js").View} */
export const MEMBER_VIEW = { address: /^\/admin\/members\/([^/]+)$/, open };

/** @param {HTMLElement} host @param {string} id */
async function open(host, id) {
  const plans = await planOptions();
  const look = async () => {
    const [answer, history] = /** @type {[Outcome<MemberPage>, Outcome<{ entries: AuditEntry[] }>]} */ (
      await Promise.all([call("GET", `/api/v1/admin/members/${encodeURIComponent(id)}`), call("GET", `/api/v1/admin/audit?member=${encodeURIComponent(id)}`)])
    );
    if (answer.outcome !== "done") {
      const isGone = answer.outcome === "refused" && answer.status === 404;
      render(html`<h1>Member</h1>${isGone ? html`<p class="empty">There is no member with the id <span class="figure" translate="no">${id}</span>. <a href="/admin/members">All members</a></p>` : failed(answer, look)}`, host);
      return;
    }
    document.title = `${answer.body.member.login ?? "Member"} · keycap console`;
    render(view(answer.body, history, memberForms(answer.body, plans, look), look), host);
  };
  await look();
  if (location.hash !== "") document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/**
 * @param {MemberPage} page @param {Outcome<{ entries: AuditEntry[] }>} history
 * @param {ReturnType<typeof memberForms>} forms @param {() => Promise<void>} look
 */
const view = (page, history, forms, look) => html`
  <div class="view-head">
    <h1>${loginWords(page.member)}</h1>
    <p>${statusChips(page.member)}</p>
  </div>
  <dl class="tiles">
    ${fact("Number", html`<span class="figure" translate="no">${page.member.subject ?? "–"}</span>`, `${page.member.provider}; the number stays, the login may change`)}
    ${fact("Plan", page.member.plan, "")} ${fact("Live keys", html`<span class="figure">${page.member.keys_live}</span>`, "")} ${fact("Last sign-in", age(page.member.signed_in_at), "")} ${fact("Joined", age(page.member.created_at), "")}
    ${fact("Id", html`<code translate="no">${page.member.id}</code>`, "")}
  </dl>
  <div class="actions">
    ${page.member.status === "left"
      ? html`<p class="is-aside">This member has left. Nothing says who they were.</p>`
      : html`
          <button class="button" type="button" @click=${forms.plan}>Change plan…</button>
          <button class="button" type="button" @click=${forms.payment}>Book a payment…</button>
          <button class="button" type="button" @click=${forms.signOut}>End sessions…</button>
          ${page.member.status === "active"
            ? html`<button class="button is-final" type="button" @click=${forms.suspend}>Suspend…</button><button class="button is-final" type="button" @click=${forms.ban}>Ban…</button>`
            : html`<button class="button" type="button" @click=${forms.reinstate}>Reinstate</button>`}
        `}
  </div>
  <section class="block" aria-labelledby="keys-title">
    <h2 id="keys-title">Keys</h2>
    ${page.keys.length === 0
      ? html`<p class="empty">This member has never had a key.</p>`
      : html`<table class="table">${heads(["Key", "State", "Disabled because", "Spent of limit", "Read", "Workspace", "Expires", "Actions"])}<tbody>${page.keys.map((key) => keyRow(key, forms, look))}</tbody></table>`}
  </section>
  ${page.raises.length === 0
    ? nothing
    : html`<section class="block" aria-labelledby="raises-title">
        <h2 id="raises-title">Raises</h2>
        <table class="table">${heads(["Amount", "Key", "Since", "Until", "Actions"])}
          <tbody>${page.raises.map((raise) => html`<tr>${rowHead("Amount", html`<span class="figure">${usd(raise.amount_usd)}</span>`)} ${cell("Key", nameOf(page.keys, raise.key))} ${cell("Since", age(raise.since))} ${cell("Until", raise.until === null ? "for good" : age(raise.until))} ${cell("Actions", html`<button class="button" type="button" @click=${() => forms.endRaise(raise)}>End…</button>`)}</tr>`)}</tbody>
        </table>
      </section>`}
  ${page.payments.length === 0
    ? nothing
    : html`<section class="block" aria-labelledby="payments-title">
        <h2 id="payments-title">Payments</h2>
        <table class="table">${heads(["Amount", "May be spent", "Booked", "Payment"])}
          <tbody>${page.payments.map((payment) => html`<tr>${rowHead("Amount", html`<span class="figure">${usd(payment.amount_usd)}</span>`)} ${cell("May be spent", usd(payment.credit_usd), "figure")} ${cell("Booked", age(payment.at))} ${cell("Payment", html`<code translate="no">${payment.id}</code>`)}</tr>`)}</tbody>
        </table>
      </section>`}
  ${page.requests.length === 0
    ? nothing
    : html`<section class="block" aria-labelledby="requests-title">
        <h2 id="requests-title">Requests</h2>
        <table class="table">${heads(["Kind", "Made", "State", "They wrote", "Answer"])}
          <tbody>${page.requests.map((request) => html`<tr>${rowHead("Kind", request.kind === "claim" ? "to claim" : "appeal")} ${cell("Made", age(request.created_at))} ${cell("State", request.state === "open" ? html`<a href="/admin/requests">open</a>` : request.state)} ${cell("They wrote", request.note ?? "–")} ${cell("Answer", request.answer ?? "–")}</tr>`)}</tbody>
        </table>
      </section>`}
  <section class="block" aria-labelledby="history-title">
    <h2 id="history-title">History</h2>
    ${history.outcome !== "done" ? failed(history, look) : html`<table class="table">${heads(["When", "Who", "What", "Before → after", "About", "Undo"])}<tbody>${auditRows(history.body.entries.slice(0, 20), look)}</tbody></table>`}
    <p><a class="more" href=${`/admin/audit?member=${page.member.id}`}>Everything that is in the audit about this member</a></p>
  </section>
`;

/** @param {string} name @param {unknown} value @param {string} about */
const fact = (name, value, about) => html`<div><dt>${name}</dt><dd>${value}${about === "" ? nothing : html` <span class="is-aside">${about}</span>`}</dd></div>`;

/** @param {ListedKey[]} keys @param {string} id */
const nameOf = (keys, id) => {
  const key = keys.find((one) => one.id === id);
  return key === undefined ? id : keyName(key);
};

/** @param {ListedKey} key @param {ReturnType<typeof memberForms>} forms @param {() => Promise<void>} look */
function keyRow(key, forms, look) {
  const path = `/api/v1/keys/${key.id}`;
  const isHeld = key.holds.includes("admin");
  const name = key.name ?? "The key";
  /** @param {boolean} disabled */
  const switched = (disabled) => ({ method: /** @type {"PATCH"} */ ("PATCH"), path, body: { disabled } });
  const disable = () => perform({ act: switched(true), done: `${name} is disabled.`, undo: switched(false), undone: `${name} is enabled again.`, after: look });
  const enable = () => perform({ act: switched(false), done: `Your hold on ${name} is lifted.`, undo: switched(true), undone: `${name} is disabled again.`, after: look });
  const atUpstream = key.holds.includes("upstream") || key.upstream_limit_usd !== null;
  return html`
    <tr id=${key.id}>
      ${rowHead("Key", keyName(key))} ${stateCells(key)} ${cell("Spent of limit", spentWords(key))} ${cell("Read", age(key.read_at))} ${workspaceCell(key)}
      ${cell("Expires", key.ended_at === null ? age(key.expires_at) : html`ended ${age(key.ended_at)}`)}
      ${cell(
        "Actions",
        canChange(key)
          ? html`<div class="row-actions">
              ${isHeld ? html`<button class="button" type="button" data-opens @click=${enable}>Enable</button>` : html`<button class="button" type="button" data-opens @click=${disable}>Disable</button>`}
              ${atUpstream ? html`<button class="button" type="button" @click=${() => forms.liftUpstream(key)}>Lift upstream hold…</button>` : nothing}
              <button class="button" type="button" @click=${() => forms.raise(key)}>Raise…</button>
              <button class="button is-final" type="button" @click=${() => forms.remove(key)}>Remove…</button>
            </div>`
          : chip("nothing to do"),
      )}
    </tr>
  `;
}

