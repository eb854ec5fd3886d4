// The page `/device`: a member types the code that a terminal shows, sees what asks, and approves or denies it. The key is
// made for the terminal's own next question, so this page never has it.

import { now } from "./api.js";
import { CODE_FIELD, deviceView } from "./device-view.js";
import { failedReading, failureWords } from "./failure-words.js";
import { render } from "./html.js";
import { askOverview, overviewInDocument } from "./overview.js";
import { Press } from "./press.js";
import { say } from "./say.js";
import { showAccount, watchAccount } from "./shell.js";
import { namedWorkspace } from "./workspaces-view.js";

/** @import { Outcome } from "./api.js" */
/** @import { Overview } from "./types.js" */
/** @import { DeviceGrant, DeviceModel } from "./device-view.js" */

/** @typedef {Outcome<{ grant: DeviceGrant }>} Answer */

const place = /** @type {HTMLElement} */ (document.getElementById("device"));
const press = new Press();

/** @type {DeviceModel} */
let model = { phase: "loading", overview: null, grant: null, code: "", isTyped: false, accepts: false, workspace: "", working: false, error: "", now: now() };

/** @param {Partial<DeviceModel>} change */
function show(change) {
  model = { ...model, ...change, now: now() };
  place.setAttribute("aria-busy", String(model.phase === "loading"));
  render(deviceView(model, actions), place);
}

const actions = {
  load: () => void load(),
  find,
  approve,
  deny,
  again: () => {
    show({ phase: "type", grant: null, code: "", isTyped: false, error: "" });
    document.getElementById(CODE_FIELD)?.focus();
  },
  typed: () => model.error !== "" && show({ error: "" }),
  accept: (/** @type {Event} */ event) => show({ accepts: /** @type {HTMLInputElement} */ (event.target).checked, error: "" }),
  place: (/** @type {Event} */ event) => show({ workspace: /** @type {HTMLSelectElement} */ (event.target).value }),
};

/** @param {Outcome<Overview> | null} [known] what the document had */
async function load(known = null) {
  const overview = known ?? (await askOverview());
  if (overview.outcome !== "done") return overview.outcome === "refused" && overview.status === 401 ? signedOut() : show({ phase: "failed", error: failedReading(overview) });
  showAccount(overview.body.me);
  show({ phase: "type", overview: overview.body, error: "" });
  const code = codeInAddress();
  if (code === null) return document.getElementById(CODE_FIELD)?.focus();
  await ask(code, false);
}

/** The code of a terminal's whole address. It leaves the address at once. */
function codeInAddress() {
  const code = /^#([A-Za-z]{4}-?[A-Za-z]{4})$/.exec(location.hash)?.[1] ?? null;
  if (location.hash !== "") history.replaceState(history.state, "", location.pathname);
  return code;
}

function signedOut() {
  showAccount(null);
  show({ phase: "signed_out", overview: null, grant: null, code: "" });
  say("You are signed out.");
}

const inField = () => /** @type {HTMLInputElement | null} */ (document.getElementById(CODE_FIELD))?.value.trim() ?? "";

/** @param {Event} event */
async function find(event) {
  event.preventDefault();
  const code = inField();
  if (model.working) return;
  if (code === "") return refuse("Type the eight letters that your terminal shows.");
  await ask(code, true);
}

/** @param {string} code @param {boolean} isTyped */
async function ask(code, isTyped) {
  show({ working: true, error: "" });
  const answer = /** @type {Answer} */ (await press.send("POST", "/api/v1/device/lookup", { user_code: code }));
  if (answer.outcome !== "done") return refused(answer);
  const { grant } = answer.body;
  const phase = grant.state === "pending" ? "decide" : grant.state === "approved" ? "approved" : "decided";
  show({ phase, grant, code, isTyped, working: false });
  news();
}

/** @param {Event} event */
async function approve(event) {
  event.preventDefault();
  if (model.working || model.overview === null) return;
  const { me } = model.overview;
  const code = model.isTyped ? model.code : inField();
  if (code === "") return refuse("Type the eight letters that your terminal shows. Nothing was sent.");
  const asksTerms = me.terms.accepted_at === null;
  if (asksTerms && !model.accepts) return refuse("Accept the rules first; then you can approve.");
  show({ working: true, error: "" });
  const wanted = { user_code: code, ...(asksTerms ? { accept_terms: me.terms.revision } : {}), ...namedWorkspace(me.claim, model.workspace) };
  await decided(/** @type {Answer} */ (await press.send("POST", "/api/v1/device/approve", wanted)), "approved");
}

async function deny() {
  if (model.working) return;
  show({ working: true, error: "" });
  await decided(/** @type {Answer} */ (await press.send("POST", "/api/v1/device/deny", { user_code: model.code })), "denied");
}

/** @param {Answer} answer @param {"approved" | "denied"} phase */
async function decided(answer, phase) {
  if (answer.outcome !== "done") return refused(answer);
  show({ phase, grant: answer.body.grant, working: false });
  news();
}

/** @param {Exclude<Answer, { outcome: "done" }>} answer */
function refused(answer) {
  if (answer.outcome === "refused" && answer.status === 401) return signedOut();
  show({ working: false });
  refuse(failureWords(answer).text);
}

/** @param {string} error */
function refuse(error) {
  show({ error });
  say(error);
  document.getElementById(CODE_FIELD)?.focus();
}

function news() {
  const heading = /** @type {HTMLElement | null} */ (place.querySelector("[data-news]"));
  say(heading?.textContent ?? "");
  heading?.focus();
}

watchAccount({
  signedIn: (me) => (model.phase === "signed_out" ? void load() : showAccount(me)),
  signedOut: () => {
    if (model.phase !== "signed_out" && model.phase !== "loading") signedOut();
  },
});
place.replaceChildren();
show({});
await load(overviewInDocument());
