// The claim: one press is one claim, which is sent again until its answer arrives, and the page then says what came of
// it. If the outcome is unknown, only the service's record of the member's keys can answer it.

import { ACCEPT_FIRST, ACCEPT_ID } from "./claim-view.js";
import { Press } from "./press.js";
import { say } from "./say.js";
import { showSecret } from "./secret-box.js";
import { keySummary, laterWords, waitsForReset } from "./state-words.js";
import { claimFailure, isRefusal, lostWords } from "./words.js";
import { namedWorkspace } from "./workspaces-view.js";

/** @import { Lost, Outcome } from "./api.js" */
/** @import { Issued, Key, Keys, Overview, Problem } from "./types.js" */
/** @import { Model, Notice } from "./keys-view.js" */
/** @import { Found } from "./keys.js" */

/** States that a key leaves without an action of the page. */
const UNSETTLED = new Set(["minting", "verifying"]);

/**
 * The kind of unsettled claim that the page has to wait for; null if there is none.
 * @param {Key[]} keys @returns {"in_progress" | "unknown" | null}
 */
export function openClaim(keys) {
  const open = keys.find(({ state }) => UNSETTLED.has(state));
  return open === undefined ? null : open.state === "minting" ? "in_progress" : "unknown";
}

/**
 * @param {object} page
 * @param {() => Model} page.read
 * @param {(change: Partial<Model>) => void} page.show
 * @param {() => void} page.announce
 * @param {() => void} page.signedOut
 * @param {() => void} page.refresh
 * @param {() => Promise<Outcome<Keys>>} page.askKeys
 * @param {() => Promise<Outcome<Overview>>} page.askOverview
 * @param {(keys: Keys) => Found & Partial<Model>} page.onRecord
 * @param {(answer: Outcome<unknown>) => void} page.failToLoad
 * @param {(notice: Notice) => Promise<void>} page.settle
 * @param {(kind: "in_progress" | "unknown", ifActive?: Notice) => Promise<void>} page.wait
 */
export function claimer(page) {
  const { read, show, announce, signedOut } = page;
  const press = new Press();

  /** Claims a key. A second press does nothing while the first claim waits for its answer. */
  async function claim() {
    const { me } = read();
    if (read().claiming || me === null) return;
    const { terms } = me;
    const asksTerms = terms.accepted_at === null;
    if (asksTerms && !read().accepts) return missTerms();
    show({ claiming: true, notice: null });
    say("Claiming your key. This takes a few seconds.");
    const answer = /** @type {Outcome<Issued>} */ (await press.send("POST", "/api/v1/claim", { ...(asksTerms ? { accept_terms: terms.revision } : {}), ...namedWorkspace(me.claim, read().workspace) }));
    if (answer.outcome === "lost") await lost(answer);
    else if (answer.outcome === "refused") await refused(answer.status, answer.problem);
    else if (typeof answer.body.secret === "string") await claimed(answer.body.key, answer.body.secret);
    else await page.settle(answer.body.replayed ? LOST_KEY : ALREADY);
  }

  /** @param {Event} event */
  function accept(event) {
    show({ accepts: /** @type {HTMLInputElement} */ (event.target).checked, missesTerms: false });
  }

  /** @param {Event} event */
  function place(event) {
    show({ workspace: /** @type {HTMLSelectElement} */ (event.target).value });
  }

  function missTerms() {
    show({ missesTerms: true });
    say(ACCEPT_FIRST);
    document.getElementById(ACCEPT_ID)?.focus();
  }

  /** @param {Key} key @param {string} secret */
  async function claimed(key, secret) {
    say("");
    await showSecret({ secret, summary: keySummary(key, read().now) });
    show({ claiming: false, keys: [key], ended: read().ended.filter(({ id }) => id !== key.id), notice: waitsForReset(key) ? worksLater(key, read().now) : READY });
    announce();
    // The refresh is not awaited, because a function that waits here would keep the secret in memory.
    void page.refresh();
  }

  /**
   * No answer arrived, so the key may exist. Only the record can answer that, so it is read before the page says more.
   * @param {Lost} answer
   */
  async function lost(answer) {
    const title = answer.between ? lostWords(answer).title : "The answer to your claim did not arrive.";
    const keys = await page.askKeys();
    if (keys.outcome === "refused" && keys.status === 401) return signedOut();
    if (keys.outcome !== "done") {
      show({ claiming: false, phase: "failed", notice: { tone: "bad", title, text: `A key may still have been made. ${answer.between ? lostWords(answer).advice : "Check your connection, then look again."} This page will show whether there is a key.` } });
      return announce();
    }
    const found = page.onRecord(keys.body);
    const open = openClaim(found.keys);
    const notice = open !== null ? { text: "The claim is still in progress. This page checks again and will show the result." } : { text: `No key is on record for you. ${answer.between ? lostWords(answer).advice : ""} You can claim again.`.replace("  ", " ") };
    show({ claiming: false, ...found, notice: found.keys.length > 0 && open === null ? LOST_KEY : { tone: "warn", title, ...notice } });
    announce();
    if (open !== null) await page.wait(open, LOST_KEY);
  }

  /** @param {number} status @param {Problem} problem */
  async function refused(status, problem) {
    if (status === 401) return signedOut();
    if (problem.code === "claim_in_progress") {
      show({ claiming: false });
      return page.wait("in_progress");
    }
    if (problem.code === "terms_changed" || problem.code === "terms_not_accepted") return termsChanged();
    if (isRefusal(problem.code)) {
      const overview = problem.request === null ? null : await page.askOverview();
      show({ claiming: false, refusal: problem, requests: overview?.outcome === "done" ? overview.body.requests : read().requests });
      return announce();
    }
    const notice = { tone: /** @type {const} */ ("bad"), ...claimFailure(problem), requestId: problem.requestId };
    if (problem.code !== "claim_unknown") return page.settle(notice);
    show({ claiming: false });
    return page.wait("unknown");
  }

  /** The rules in force are not the ones that this page asked about, so the page asks again. */
  async function termsChanged() {
    const overview = await page.askOverview();
    if (overview.outcome !== "done") return page.failToLoad(overview);
    show({ claiming: false, accepts: false, me: overview.body.me, notice: { tone: "warn", title: "The rules have changed.", text: "No key was made. Read the rules as they are now, accept them, then claim again." } });
    announce();
  }

  return { claim, accept, place };
}

/** @type {Notice} */
const READY = { tone: "good", title: "Your key is ready to use.", text: "You can use it wherever an OpenRouter key is accepted. This page shows its masked form from now on." };

/** @param {Key} key @param {number} now @returns {Notice} */
function worksLater(key, now) {
  const { title, text } = laterWords(key, now);
  return { tone: "warn", title: `Your key is made; ${title}`, text };
}

/** @type {Notice} */
const ALREADY = { tone: "plain", title: "You already have a key.", text: "There is one per account. A secret is shown once, when it is made: if you do not have this one’s, make a new secret." };

/** @type {Notice} */
const LOST_KEY = { tone: "bad", title: "Your key was made, but its secret did not reach this page.", text: "The secret cannot be shown again. Make a new secret. The lost secret then stops working." };
