// The views of the page `/keys`, one for each state. They are templates only: they turn the model into markup, make no
// calls and read no clock.

import { html, nothing, repeat } from "./html.js";
import { inProgress, offer, refused, unknown } from "./claim-view.js";
import { createForm } from "./create-view.js";
import { endedKey, keyCard } from "./key-card-view.js";
import { listHead, noneFound } from "./list-view.js";
import { arranged } from "./list.js";
import { requestId } from "./parts.js";
import { groupHead, groupOf, hasProjects, projectList, projectNames } from "./projects-view.js";
import { signInButtons } from "./sign-in-view.js";
import { outageText } from "./spend-words.js";
import { isUsableAt } from "./state-words.js";
import { counted, limitRules } from "./words.js";
import { unreadBanner } from "./workspaces-view.js";

/** @import { EndedKey, Key, Me, MemberRequest, Problem, Project, UnreadWorkspace, Upstream } from "./types.js" */
/** @import { CardState } from "./key-card-view.js" */
/** @import { Arrangement } from "./list.js" */
/** @import { Making } from "./create-view.js" */

/**
 * What just happened. `offer` is the button below it: the way back, or the way on.
 * @typedef {object} Notice
 * @property {"plain" | "good" | "warn" | "bad"} tone
 * @property {string} title
 * @property {string} text
 * @property {string | null} [requestId]
 * @property {{ text: string, action: keyof KeyActions }} [offer]
 */

/** @typedef {{ note: string, sending: boolean, error: string, requestId: string | null }} Wish */

/**
 * @typedef {object} Model
 * @property {"loading" | "signed_out" | "failed" | "ready"} phase
 * @property {Me | null} me
 * @property {Key[]} keys the keys that have not ended, the claimed one first
 * @property {EndedKey[]} ended keys that have ended, the latest first
 * @property {Record<string, CardState>} cards what each key's card shows, by the key's id
 * @property {Arrangement} arrangement which keys are shown, and in which order
 * @property {Project[]} projects
 * @property {Making | null} making the further key that the member is about to make
 * @property {Upstream | null} upstream whether OpenRouter answers
 * @property {"idle" | "pending" | "failed"} refreshing whether newer figures were requested, or that request failed
 * @property {MemberRequest[] | null} requests the latest ones, newest first
 * @property {Wish} wish the request that the member is writing
 * @property {boolean} accepts whether the box that accepts the rules is ticked
 * @property {boolean} missesTerms whether the member tried to claim without ticking that box
 * @property {string} workspace the id of the workspace that the member has chosen for a claim; empty for the first
 * @property {UnreadWorkspace[]} unread the workspaces of the member's keys that could not be read lately
 * @property {boolean} claiming whether a claim waits for its answer
 * @property {"in_progress" | "unknown" | null} waiting the kind of an earlier claim that is not settled yet
 * @property {Notice | null} notice what just happened
 * @property {Problem | null} refusal the rule that refused the last claim
 * @property {number} now the time by the service's clock, in milliseconds
 */

/** @typedef {Record<"newSecret" | "renew" | "reportLeak" | "limit" | "askForMore" | "remove" | "disable" | "enable" | "prefer" | "rename" | "stopRenaming" | "move", (key: Key) => void>} KeyActions */

/** @typedef {Record<"history" | "moreHistory", (key: { id: string }) => void>} HistoryActions */

/** @typedef {{ saveName: (event: Event, key: Key) => void, typeName: (event: Event, key: Key) => void, fold: (key: Key, open: boolean) => void }} CardActions */

/** @typedef {{ arrange: (part: keyof Arrangement, event: Event) => void, showAll: () => void }} ListActions */

/** @typedef {{ renameProject: (project: Project) => void, archiveProject: (project: Project, archived: boolean) => void }} ProjectActions */

/** @typedef {{ begin: () => void, cancel: () => void, fill: (field: "name" | "limit" | "project", event: Event) => void, placeNew: (event: Event) => void, create: (event: Event) => void }} CreateActions */

/** @typedef {{ claim: () => void, accept: (event: Event) => void, place: (event: Event) => void, ask: (event: Event) => void, write: (event: Event) => void, refresh: () => void, load: () => void } & KeyActions & HistoryActions & CardActions & ListActions & ProjectActions & CreateActions} Actions */

/**
 * @param {Model} model
 * @param {Actions} actions
 */
export function page(model, actions) {
  if (model.phase === "loading") return skeleton;
  if (model.phase === "signed_out") return signedOut;
  if (model.phase === "failed" || model.me === null) return failed(model.notice, actions);
  return html`
    ${model.upstream?.answers === false ? outage(model.upstream, model) : unreadBanner(model.unread)} ${model.notice === null ? nothing : notice(model.notice)} ${subject(model, model.me, actions)}
    ${model.ended.length === 0 ? nothing : earlier(model, actions)} ${model.projects.length > 0 ? projectList(model, actions) : nothing} ${projectNames(model)}
  `;
}

/**
 * How the limit works, for the key or for a key that could be claimed; shown beside it.
 * @param {Model} model
 */
export function aside({ phase, me, keys: [key] }) {
  if (phase !== "ready" || me === null) return nothing;
  return rules(key === undefined ? me.claim.limit_usd : key.plan_limit_usd, (key ?? me.claim).limit_reset);
}

/**
 * Whether all that the page can show is a claim that is not settled. Beside other keys, a key that is not settled has a
 * card of its own.
 * @param {Model} model
 */
export const isWaiting = ({ waiting, keys }) => waiting !== null && keys.length <= 1;

/** Whether the page shows a key that can be used. @param {Model} model */
export const isUsable = (model) => model.phase === "ready" && !isWaiting(model) && model.keys.some((key) => isUsableAt(key, model.now));

/**
 * What this page is about at the moment: the keys, or how to get the first one.
 * @param {Model} model
 * @param {Me} me
 * @param {Actions} actions
 */
function subject(model, me, actions) {
  if (isWaiting(model)) return model.waiting === "unknown" ? unknown : inProgress;
  if (model.keys.length > 0) return keys(model, me, actions);
  if (model.refusal !== null || me.claim.refusal !== null || !me.claim.open) return refused(model, me.claim, actions);
  return offer(model, me, actions);
}

const skeleton = html`
  <section class="card is-loading" aria-hidden="true">
    <div class="card-head"><span class="bone is-title"></span><span class="bone is-chip"></span></div>
    <div class="bones"><span class="bone"></span><span class="bone"></span><span class="bone"></span><span class="bone"></span></div>
    <span class="bone is-button"></span>
  </section>
`;

const signedOut = html`
  <section class="card" aria-labelledby="subject">
    <h2 id="subject" data-news tabindex="-1">You are signed out.</h2>
    <p>Sign in to claim your key or to see the one you have.</p>
    ${signInButtons("keys")}
  </section>
`;

/**
 * @param {Notice | null} news
 * @param {Actions} actions
 */
const failed = (news, actions) => html`
  <section class="card" aria-labelledby="subject">
    <h2 id="subject" data-news tabindex="-1">${news?.title ?? "The service did not answer."}</h2>
    <p>${news?.text ?? ""}</p>
    <p class="actions"><button class="button is-primary" type="button" @click=${actions.load}>Look again</button></p>
    ${requestId(news?.requestId)}
  </section>
`;

/**
 * @param {Upstream} upstream
 * @param {Model} model
 */
const outage = (upstream, { keys, now }) => html`
  <section class="notice is-warn" aria-labelledby="outage">
    <h2 id="outage">OpenRouter does not answer.</h2>
    <p>${outageText(upstream, keys, now)}</p>
  </section>
`;

/** @param {Notice} news */
const notice = (news) => html`
  <section class=${news.tone === "plain" ? "notice" : `notice is-${news.tone}`} aria-labelledby="news">
    <h2 id="news" data-news tabindex="-1">${news.title}</h2>
    <p>${news.text}</p>
    ${requestId(news.requestId)}
  </section>
`;

/** @param {string} limitUsd @param {string} reset */
const rules = (limitUsd, reset) => html`
  <section class="section" aria-labelledby="limit-title">
    <h2 id="limit-title">How the limit works</h2>
    <ul class="plain">
      ${limitRules(limitUsd, reset).map((rule) => html`<li>${rule}</li>`)}
    </ul>
  </section>
`;

/**
 * The member's keys, and the way to a further one if the plan allows several.
 * @param {Model} model
 * @param {Me} me
 * @param {Actions} actions
 */
function keys(model, me, actions) {
  const shown = arranged(model.keys, model.arrangement, model.now);
  return html`
    ${me.keys_allowed > 1 || model.keys.length > 1 ? listHead(model, shown.length, me, actions) : nothing} ${model.making === null ? nothing : createForm(model.making, me, actions)}
    ${shown.length === 0 ? noneFound(actions) : repeat(shown, ({ id }) => id, (key, n) => html`${isGrouped(model) && (n === 0 || groupOf(shown[n - 1]) !== groupOf(key)) ? groupHead(groupOf(key), shown.filter((one) => groupOf(one) === groupOf(key)).length) : nothing}${keyCard(key, key.id, model, actions)}`)}
  `;
}

/** Whether the keys stand below the names of their projects. @param {Model} model */
const isGrouped = (model) => model.arrangement.sort === "project" && hasProjects(model);

/**
 * The keys that have ended, folded away.
 * @param {Model} model
 * @param {Actions} actions
 */
const earlier = (model, actions) => html`
  <details class="ended">
    <summary>${counted(model.ended.length, "ended key")}</summary>
    <ul class="plain">
      ${repeat(model.ended, ({ id }) => id, (key) => endedKey(key, model, actions))}
    </ul>
  </details>
`;
