// The switches of the deployment: how each is set, what it does, and the way to change it.

import { html, nothing, render } from "../html.js";
import { call } from "../api.js";
import { say } from "../say.js";
import { span } from "../words.js";
import { perform, tell } from "./change.js";
import { openForm } from "./form.js";
import { age, chip, failed, grouped, upTo } from "./parts.js";

/** @import { ConsoleOverview, Settings } from "./types.js" */
/** @import { Outcome } from "../api.js" */
/** @import { Tone } from "../state-words.js" */

/** @type {import("./frame.js").View} */
export const SWITCHES_VIEW = { address: /^\/admin\/switches$/, open };

const PATH = "/api/v1/admin/settings";
/** How often the page looks how far the disabling of all keys has come. */
const LOOK_MS = 4_000;
/** So many keys the sweep disables in a second: it sends six changes at a time, and each takes a tenth of a second. */
const KEYS_A_SECOND = 60;

/** @param {Record<string, unknown>} body @returns {import("./change.js").Act} */
const change = (body) => ({ method: "PATCH", path: PATH, body });

/** @param {HTMLElement} host */
async function open(host) {
  const look = async () => {
    const answer = /** @type {Outcome<ConsoleOverview>} */ (await call("GET", "/api/v1/admin/overview"));
    if (answer.outcome !== "done") return render(html`<h1>Switches</h1>${failed(answer, look)}`, host);
    render(view(answer.body, look), host);
    const isUnderWay = answer.body.keys.to_disable > 0 || answer.body.settings.workspace === "closing" || answer.body.settings.workspace === "opening";
    clearTimeout(timer);
    if (isUnderWay && !document.hidden) timer = setTimeout(look, LOOK_MS);
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  document.addEventListener("visibilitychange", () => void (document.hidden || look()));
  await look();
}

/** @param {ConsoleOverview} is @param {() => Promise<unknown>} look */
function view({ settings: is, keys, counted_up_to: most }, look) {
  /** @param {Record<string, unknown>} to @param {Record<string, unknown>} back @param {string} done @param {string} undone */
  const both = (to, back, done, undone) => () => perform({ act: change(to), undo: change(back), done, undone, after: look });
  return html`
    <h1>Switches</h1>
    <p class="is-aside">Each takes effect at once, everywhere. What can be undone asks nothing; you can undo it for ten seconds, or switch it back later.</p>
    <ul class="switches">
      ${one("New keys", is.minting === "open" ? ["open", "good"] : ["stopped", "warn"], "While this is stopped, no new key is made. Existing keys go on working.",
        is.minting === "open"
          ? html`<button class="button" type="button" data-opens @click=${both({ minting: "stopped" }, { minting: "open" }, "No new keys are made.", "New keys are made again.")}>Stop new keys</button>`
          : is.keys === "off"
            ? html`<span class="is-aside">Enable the keys first.</span>`
            : html`<button class="button" type="button" data-opens @click=${both({ minting: "open" }, { minting: "stopped" }, "New keys are made again.", "No new keys are made.")}>Make new keys again</button>`)}
      ${one("Who may claim", is.claims === "open" ? ["everybody within the rules", "plain"] : ["people who were approved", "plain"], "By approval, people ask first, and you decide under Requests, or let them in under Allotments.",
        is.claims === "open"
          ? html`<button class="button" type="button" data-opens @click=${both({ claims: "by_approval" }, { claims: "open" }, "Only people who were approved may claim.", "Everybody within the rules may claim.")}>Require approval</button>`
          : html`<button class="button" type="button" data-opens @click=${both({ claims: "open" }, { claims: "by_approval" }, "Everybody within the rules may claim.", "Only people who were approved may claim.")}>Let everybody claim</button>`)}
      ${one("OpenRouter’s terms", is.upstream_terms === "confirmed" ? ["confirmed", "good"] : ["not confirmed", "warn"], html`Claims open once an administrator has read OpenRouter’s terms and confirms it.${is.upstream_terms_at === null ? nothing : html` Last confirmed ${age(is.upstream_terms_at)}${is.upstream_terms_by === null ? nothing : html` by <a href=${`/admin/members/${is.upstream_terms_by}`}>this administrator</a>`}.`}`,
        html`<button class="button" type="button" data-opens @click=${() => confirmTerms(look)}>${is.upstream_terms === "confirmed" ? "Confirm again…" : "Confirm…"}</button>`)}
      ${is.restore === "none" ? nothing : one("Database", ["restored", "bad"], "The database is older than it was: whatever was made or forbidden since is missing from it. Claims are closed and nothing is deleted until you accept it. Look through the manual first.", html`<button class="button is-final" type="button" data-opens @click=${() => accept("restore", "Accept the restored database?", "Keys that were made since the state it was restored to are strays now, and are deleted at OpenRouter. Bans and ended sessions since then are lost.", "The database is accepted.", look)}>Accept it…</button>`)}
      ${is.account === "known" ? nothing : one("OpenRouter account", ["another one", "bad"], "The management key belongs to another OpenRouter account. Claims are closed and nothing is swept. Put the old key back, or accept the new account.", html`<button class="button is-final" type="button" data-opens @click=${() => accept("account", "Go on with the other account?", "Keys of the old account stay as they are. Nothing more can be done with them from here.", "The account is accepted.", look)}>Accept it…</button>`)}
      ${one("Deployment", ["bound", "plain"], html`This database belongs to <code translate="no">${is.bound_to ?? "no origin yet"}</code>. A deployment at another origin makes and sweeps nothing.`,
        is.bound_to === null || is.bound_to === location.origin ? nothing : html`<button class="button is-final" type="button" data-opens @click=${() => takeOver(is.bound_to ?? "", look)}>Take it over…</button>`)}
      ${one("Sessions", ["open", "plain"], "Ends everybody’s sessions, yours too, once. Keys go on working.", html`<button class="button is-final" type="button" data-opens @click=${() => endSessions(is)}>End all sessions…</button>`)}
      ${one("All keys", is.keys === "on" ? ["work", "good"] : ["disabled", "bad"], is.keys === "on" ? "Stops everything: no new keys, and every key is disabled." : "Enabling leaves disabled what had another hold before. New keys stay stopped until you open them.",
        is.keys === "on"
          ? html`<button class="button is-final" type="button" data-opens @click=${() => stopEverything(is, look)}>Disable every key…</button>`
          : html`<button class="button" type="button" data-opens @click=${() => enableAll(is, look)}>Enable the keys again…</button>`)}
    </ul>
    ${is.workspace === null && keys.to_disable === 0 ? nothing : progress(is, keys.to_disable, most)}
  `;
}

/**
 * @param {string} name @param {[string, Tone]} state @param {unknown} about @param {unknown} action
 */
const one = (name, [word, tone], about, action) => html`
  <li class="switch">
    <h2>${name}</h2>
    ${chip(word, tone)}
    <p class="switch-about">${about}</p>
    <div class="switch-action">${action}</div>
  </li>
`;

/** How far OpenRouter has confirmed that keys are disabled. @param {Settings} is @param {number} left @param {number} most */
const progress = (is, left, most) => html`
  <section class="notice is-warn" role="status" aria-label="Progress">
    <h2>${left > 0 ? `${upTo(left, most)} ${left === 1 ? "key" : "keys"} still to be disabled.` : "OpenRouter has confirmed every key."}</h2>
    ${is.workspace === null ? nothing : html`<p>${{ closing: "The workspace is being closed. OpenRouter has not confirmed it yet: until then keys may still work.", closed: "The workspace is closed: it lets nothing through.", opening: "The workspace is being opened again. Keys are enabled after that." }[is.workspace]}</p>`}
    ${left > 0 ? html`<p>Until OpenRouter has confirmed it, these keys may still work. The sweep goes on by itself every ten minutes until all are disabled; this page looks again by itself. <a href="/admin/runs">See the runs</a></p>` : nothing}
  </section>
`;

/** @param {() => Promise<unknown>} look */
const confirmTerms = (look) =>
  openForm({
    title: "Confirm OpenRouter’s terms",
    text: ["You confirm that you have read what OpenRouter’s terms say about handing out keys, and that this deployment keeps to them. Who confirmed it and when is kept."],
    fields: [],
    button: "I have read them",
    act: () => change({ upstream_terms: "confirmed" }),
    done: () => "The terms are confirmed.",
    after: look,
  });

/** @param {"restore" | "account"} what @param {string} title @param {string} text @param {string} done @param {() => Promise<unknown>} look */
const accept = (what, title, text, done, look) =>
  openForm({ title, text: [text], fields: [], button: "Accept it", final: true, act: () => change({ [what]: "accept" }), done: () => done, after: look });

/** @param {string} from @param {() => Promise<unknown>} look */
const takeOver = (from, look) =>
  openForm({
    title: `Take the database over from ${from}?`,
    text: [`From then on it belongs to ${location.origin}. A deployment at ${from} makes and sweeps nothing any more.`],
    fields: [],
    button: "Take it over",
    final: true,
    act: () => change({ instance: "take_over" }),
    done: () => "The database belongs to this origin now.",
    after: look,
  });

/** @param {Settings} is */
const endSessions = (is) =>
  openForm({
    title: "End everybody’s sessions?",
    text: ["Every member is signed out, you too. Everybody can sign in again. Keys go on working."],
    fields: [],
    button: "End all sessions",
    final: true,
    act: () => change({ sessions: "end", confirm: is.session_epoch }),
    done: () => location.assign("/"),
    after: () => {},
  });

/** The number is typed, so that nobody disables more than they think. @param {Settings} is @param {() => Promise<unknown>} look */
const stopEverything = (is, look) =>
  openForm({
    title: `Disable every key?`,
    text: [
      html`<strong>${grouped(is.live_keys)} live ${is.live_keys === 1 ? "key" : "keys"}</strong> of all members stop working, and no new ones are made.`,
      `It takes about ${span((is.live_keys / KEYS_A_SECOND) * 1_000 + 60_000)} until OpenRouter has confirmed the last one, if it answers within a tenth of a second. What one run does not reach, the next one continues.`,
      "You can enable them again: then those stay disabled that had another hold before.",
    ],
    fields: [{ name: "count", label: `Type ${is.live_keys} to confirm`, keys: "numeric", must: String(is.live_keys) }],
    button: "Disable every key",
    final: true,
    act: () => change({ keys: "off", confirm: is.live_keys }),
    done: () => void startSweep(look, "Every key is being disabled, and no new ones are made."),
    after: look,
  });

/** @param {Settings} is @param {() => Promise<unknown>} look */
const enableAll = (is, look) =>
  openForm({
    title: "Enable the keys again?",
    text: [`The keys that were disabled by this switch work again. Those that had another hold before stay disabled. ${grouped(is.live_keys)} are live in all.`, "New keys stay stopped until you open them."],
    fields: [],
    button: "Enable the keys",
    act: () => change({ keys: "on" }),
    done: () => void startSweep(look, "The keys are being enabled. New keys stay stopped."),
    after: look,
  });

/** The next sweep would come within ten minutes; a run that is started now does not wait. @param {() => Promise<unknown>} look @param {string} text */
async function startSweep(look, text) {
  tell(text);
  const answer = /** @type {Outcome<{ run: string }>} */ (await call("POST", "/api/v1/admin/jobs/sweep", { dry_run: false }));
  if (answer.outcome === "done") say("A sweep has begun.");
  await look();
}

