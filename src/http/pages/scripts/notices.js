// Notices: what the service tells a member until they have read it, on whatever device. The pages of a member show them
// above all else; every other page says in its header how many there are.

import { call, now } from "./api.js";
import { lostWords, sentence } from "./words.js";
import { html, nothing, render, repeat } from "./html.js";
import { noticeWords } from "./notice-words.js";
import { Press } from "./press.js";
import { moment } from "./parts.js";
import { say } from "./say.js";

/** @import { Outcome } from "./api.js" */
/** @import { MemberNotice } from "./types.js" */

/** @typedef {{ notices: MemberNotice[] }} Told */

/** @param {MemberNotice[]} notices */
const unread = (notices) => notices.filter(({ read_at: at }) => at === null);

/**
 * How many notices are not read; null if that cannot be said now.
 * @returns {Promise<number | null>}
 */
export async function countUnread() {
  const answer = /** @type {Outcome<Told>} */ (await call("GET", "/api/v1/notices"));
  return answer.outcome === "done" ? unread(answer.body.notices).length : null;
}

/**
 * Shows the notices of a member in a place, and marks them as read on request.
 * @param {HTMLElement} place
 * @param {{ renewable: (key: string) => boolean, renew: (key: string) => Promise<boolean>, signedOut: () => void }} page
 */
export function noticeBoard(place, { renewable, renew, signedOut }) {
  const press = new Press();
  /** @type {{ notices: MemberNotice[], failed: string }} */
  let board = { notices: [], failed: "" };

  /** @param {MemberNotice[]} notices */
  function show(notices, failed = "") {
    board = { notices, failed };
    redraw();
  }

  /** Shows them anew: the time has gone on, or the keys have changed. */
  function redraw() {
    render(view(unread(board.notices)), place);
  }

  /** @param {string[]} ids */
  async function markRead(ids) {
    const answer = /** @type {Outcome<Told>} */ (await press.send("POST", "/api/v1/notices/read", { ids }));
    if (answer.outcome === "refused" && answer.status === 401) return signedOut();
    if (answer.outcome === "done") {
      show(answer.body.notices);
      return say("Marked as read.");
    }
    const why = answer.outcome === "lost" ? `${lostWords(answer).title} ${lostWords(answer).advice}` : sentence(answer.problem.title);
    show(board.notices, `Not marked as read. ${why}`);
    say(board.failed);
  }

  /** @param {MemberNotice[]} notices */
  const view = (notices) =>
    notices.length === 0
      ? nothing
      : html`
          <section class="notices" aria-labelledby="notices-title">
            <h2 id="notices-title" class="spoken">Notices</h2>
            ${repeat(notices, ({ id }) => id, one)}
            ${notices.length > 1 ? html`<p><button class="button is-quiet" type="button" @click=${() => markRead(notices.map(({ id }) => id))}>Mark all as read</button></p>` : nothing}
            ${board.failed === "" ? nothing : html`<p class="hint is-bad">${board.failed}</p>`}
          </section>
        `;

  /** A notice whose key was renewed has done its work. @param {string} key @param {MemberNotice} notice */
  async function renewed(key, notice) {
    if (await renew(key)) await markRead([notice.id]);
  }

  /** @param {MemberNotice} notice */
  function one(notice) {
    const { tone, title, text } = noticeWords(notice, now());
    const key = notice.key?.id ?? "";
    return html`
      <div class=${tone === "plain" ? "notice" : `notice is-${tone}`}>
        <h3>${title}</h3>
        <p>${text} <span class="hint">${moment(Date.parse(notice.at), now())}</span></p>
        <div class="actions">
          ${notice.kind === "expiry" && renewable(key) ? html`<button class="button" type="button" @click=${() => renewed(key, notice)}>Renew it</button>` : nothing}
          <button class="button is-quiet" type="button" aria-label=${`Mark as read: ${title}`} @click=${() => markRead([notice.id])}>Mark as read</button>
        </div>
      </div>
    `;
  }

  return { show, redraw };
}
