// The page `/usage`: what keys were used for, by UTC day and by groups. Its address says all that it shows.

import { call, now, save } from "./api.js";
import { render } from "./html.js";
import { askOverview, overviewInDocument } from "./overview.js";
import { say } from "./say.js";
import { showAccount, watchAccount } from "./shell.js";
import { forecast, remarkable } from "./usage-forecast.js";
import { address, apiQuery, changed, dayOf, plusDays, rangeError, viewOf } from "./usage-query.js";
import { usageView } from "./usage-view.js";
import { finding, labelText } from "./usage-words.js";
import { lostWords, sentence } from "./words.js";

/** @import { Outcome } from "./api.js" */
/** @import { Overview } from "./types.js" */
/** @import { Usage } from "./usage-types.js" */
/** @import { View } from "./usage-query.js" */
/** @import { UsageActions, UsageModel } from "./usage-view.js" */

/** The chart's width on paper, in pixels. */
const PAPER = 640;

const place = /** @type {HTMLElement} */ (document.getElementById("usage"));

/** @type {UsageModel} */
let model = { phase: "loading", me: null, keys: [], ended: [], names: new Map(), view: viewOf(location.search), usage: null, at: 0, width: place.clientWidth, range: { from: "", to: "", error: "" }, forecast: null, remarkable: [], failed: null, saving: { state: "", text: "" }, now: now() };

/** Grows with every question, so that an older answer knows that it is late. */
let question = 0;

/** @param {Partial<UsageModel>} change */
function show(change) {
  model = { ...model, ...change, now: now() };
  place.setAttribute("aria-busy", String(model.phase === "loading"));
  render(usageView(model, actions), place);
}

/** @type {UsageActions} */
const actions = {
  load: () => void load(),
  read: (at) => {
    if (at !== model.at) show({ at });
  },
  save: () => void saveCsv(),
  go,
  type: (typed) => show({ range: { ...model.range, ...typed, error: "" } }),
  apply: (event) => {
    event.preventDefault();
    const { from, to } = model.range;
    const error = rangeError(from, to, now());
    show({ range: { from, to, error } });
    if (error === "") return go(changed(model.view, { from, to }));
    document.getElementById("range-from")?.focus();
    say(error);
  },
};

/** Shows another view, and puts it into the browser's history. @param {View} view */
function go(view) {
  history.pushState(null, "", address(view));
  void load();
}

/** Reads what the address asks for. */
async function load() {
  question += 1;
  const mine = question;
  const view = viewOf(location.search);
  show({ phase: "loading", view, range: { from: view.from, to: view.to, error: "" }, saving: { state: "", text: "" } });
  const answer = /** @type {Outcome<Usage>} */ (await call("GET", `/api/v1/usage?${apiQuery(view)}`));
  if (mine !== question) return;
  if (answer.outcome === "done") return loaded(view, answer.body);
  if (answer.outcome === "refused" && answer.status === 401) return signedOut();
  const failed = answer.outcome === "lost" ? { title: lostWords(answer).title, text: lostWords(answer).advice, requestId: null } : { title: sentence(answer.problem.title), text: answer.problem.detail, requestId: answer.problem.requestId };
  show({ phase: "failed", failed });
  say(failed.title);
}

/** @param {View} view @param {Usage} usage */
function loaded(view, usage) {
  const exact = { ...view, from: usage.from, to: usage.to };
  // Exact dates, so that the address means the same tomorrow.
  history.replaceState(history.state, "", address(exact));
  for (const { one, two } of usage.series) for (const [n, label] of [one, two].entries()) if (label?.id) model.names.set(`${usage.groups[n]} ${label.id}`, labelText(label, usage.groups[n]));
  const key = model.keys.find(({ id }) => id === view.only.key);
  show({ phase: "ready", view: exact, usage, at: usage.buckets.length - 1, range: { from: usage.from, to: usage.to, error: "" }, failed: null, forecast: key === undefined || usage.to !== dayOf(now()) ? null : forecast(key, now()) });
  document.title = `${finding(usage, now()).replace(/\.$/, "")} · keycap`;
  say(finding(usage, now()));
}

function signedOut() {
  showAccount(null);
  show({ phase: "signed_out", usage: null, failed: null });
  say("You are signed out.");
}

/** Saves exactly what is shown; the service refuses it while a part cannot be read. */
async function saveCsv() {
  if (model.saving.state === "pending") return;
  show({ saving: { state: "pending", text: "" } });
  const answer = await save(`/api/v1/usage.csv?${apiQuery(model.view)}`);
  if (answer.outcome === "refused" && answer.status === 401) return signedOut();
  const saving = savingOf(answer);
  show({ saving });
  say(saving.text);
}

/** @param {Outcome<{ name: string }>} answer @returns {UsageModel["saving"]} */
function savingOf(answer) {
  if (answer.outcome === "done") return { state: "saved", text: `The file ${answer.body.name} is saved.` };
  if (answer.outcome === "lost") return { state: "failed", text: `${lostWords(answer).title} ${lostWords(answer).advice}` };
  return { state: "failed", text: `${sentence(answer.problem.title)} ${answer.problem.detail}` };
}

/** Looks for keys that are silent or spend unusually much. @param {Overview} overview */
async function lookForRemarkable({ keys }) {
  if (keys.length === 0 || model.view.scope === "all") return;
  const today = dayOf(now());
  const answer = /** @type {Outcome<Usage>} */ (await call("GET", `/api/v1/usage?from=${plusDays(today, -29)}&to=${today}&group=key&top=50`));
  if (answer.outcome === "done") show({ remarkable: remarkable(keys, answer.body, now()) });
}

/** A link to another view of this page needs no new document. */
place.addEventListener("click", (event) => {
  const link = /** @type {Element} */ (event.target).closest("a[data-view]");
  if (!(link instanceof HTMLAnchorElement) || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(viewOf(link.search));
});
window.addEventListener("popstate", () => void load());
new ResizeObserver(() => {
  const width = place.querySelector(".chart")?.clientWidth ?? place.clientWidth;
  if (width !== model.width && width > 0) show({ width });
}).observe(place);
window.addEventListener("beforeprint", () => {
  show({ width: PAPER });
  for (const details of place.querySelectorAll("details")) details.open = true;
});
window.addEventListener("afterprint", () => show({ width: place.querySelector(".chart")?.clientWidth ?? place.clientWidth }));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
watchAccount({
  signedIn: (me) => {
    if (model.phase === "signed_out") void start();
    else showAccount(me);
  },
  signedOut: () => {
    if (model.phase !== "signed_out") signedOut();
  },
});

/** @param {Outcome<Overview> | null} [known] what the document had */
async function start(known = null) {
  const overview = known ?? (await askOverview());
  if (overview.outcome === "refused" && overview.status === 401) return signedOut();
  if (overview.outcome === "done") {
    const { me, keys, ended } = overview.body;
    showAccount(me);
    show({ me, keys, ended });
  }
  await load();
  if (overview.outcome === "done") await lookForRemarkable(overview.body);
}

place.replaceChildren();
show({});
await start(overviewInDocument());
