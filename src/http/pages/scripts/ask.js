// Requests to the people who run this service: to be allowed to claim, or to be exempt from a rule. They decide, and
// the page shows their answer.

import { NOTE_ID } from "./ask-view.js";
import { Press } from "./press.js";
import { say } from "./say.js";
import { lostWords, noteError, sentence } from "./words.js";

/** @import { MemberRequest, Problem } from "./types.js" */
/** @import { Model, Notice, Wish } from "./keys-view.js" */
/** @import { Lost, Outcome } from "./api.js" */

/** @type {Wish} */
export const NO_WISH = { note: "", sending: false, error: "", requestId: null };

/**
 * @param {object} page
 * @param {() => Model} page.read
 * @param {(change: Partial<Model>) => void} page.show
 * @param {(notice: Notice) => Promise<void>} page.lookAgain
 * @param {() => void} page.signedOut
 */
export function asker({ read, show, lookAgain, signedOut }) {
  const press = new Press();

  /** @param {Partial<Wish>} change */
  const showWish = (change) => show({ wish: { ...read().wish, ...change } });

  /** @param {Event} event */
  const write = (event) => showWish({ note: /** @type {HTMLTextAreaElement} */ (event.target).value, error: "", requestId: null });

  /** @param {Event} event */
  async function ask(event) {
    event.preventDefault();
    const { wish, refusal, me } = read();
    const kind = (refusal ?? me?.claim.refusal)?.requestKind;
    if (!kind || wish.sending) return;
    const error = noteError(wish.note);
    if (error !== "") return refuse(error);
    showWish({ sending: true, error: "", requestId: null });
    const answer = /** @type {Outcome<{ request: MemberRequest }>} */ (await press.send("POST", "/api/v1/requests", { kind, note: wish.note }));
    if (answer.outcome === "lost") return fail(lostRequest(answer), null);
    if (answer.outcome === "done") return lookAgain(SENT);
    if (answer.status === 401) return signedOut();
    if (answer.problem.code === "nothing_to_request") return lookAgain(NOT_NEEDED);
    fail([sentence(answer.problem.title), answer.problem.detail].join(" ").trim(), answer.problem.requestId);
  }

  /** Says why the note cannot be sent. Nothing was sent. @param {string} error */
  function refuse(error) {
    showWish({ error });
    say(error);
    document.getElementById(NOTE_ID)?.focus();
  }

  /** @param {string} error @param {string | null} requestId */
  function fail(error, requestId) {
    showWish({ sending: false, error, requestId });
    say(error);
  }

  return { ask, write };
}

/** @param {Lost} answer */
function lostRequest(answer) {
  const { title, advice } = lostWords(answer);
  return answer.between ? `${title} ${advice}` : "No answer came. Your request may have arrived. If you send it again unchanged, it counts once.";
}

/** @type {Notice} */
const SENT = { tone: "good", title: "Your request was sent.", text: "The people who run this service decide. Their answer will appear here. You will not get a message." };

/** @type {Notice} */
const NOT_NEEDED = { tone: "plain", title: "You no longer need to ask.", text: "No request was made. What applies to you now is shown below." };
