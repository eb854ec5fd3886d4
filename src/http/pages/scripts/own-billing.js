// "Use your own billing": begins a sign-in at a provider in a new tab, asks how far it has come at the service's interval,
// takes the code, and gets the key once. Everything is loaded when the section is opened.

import { call, now } from "./api.js";
import { askFirst } from "./confirm.js";
import { failedReading, failureWords } from "./failure-words.js";
import { textField } from "./fields-view.js";
import { render } from "./html.js";
import { arrangementOf } from "./list.js";
import { BILLING_IDS, billing } from "./own-billing-view.js";
import { CANCELLED, ENDINGS, LINKED, SECRET_LOST, endingOf, howToEnd } from "./own-billing-words.js";
import { Press } from "./press.js";
import { PROJECT_NAMES } from "./projects-view.js";
import { say } from "./say.js";
import { showSecret } from "./secret-box.js";
import { nameError } from "./words.js";

/** @import { Outcome } from "./api.js" */
/** @import { Handoff, Provider, ProviderKey, UnknownHandoff } from "./own-billing-types.js" */
/** @import { BillingModel } from "./own-billing-view.js" */
/** @import { Ending } from "./own-billing-words.js" */

/** The longest wait between two questions, when the service asks to slow down or does not answer. */
const SLOWEST_MS = 15_000;

const NO_ERRORS = { provider: "", label: "", project: "" };

/** @type {BillingModel} */
const AT_FIRST = { phase: "folded", failure: "", providers: [], keys: [], unknown: [], arrangement: arrangementOf(""), chosen: "", label: "", project: "", errors: NO_ERRORS, step: { at: "choose", sending: false }, ending: null };

/**
 * Shows the section while somebody is signed in.
 * @param {HTMLElement} place
 * @param {{ signedOut: () => void, arrange: (part: "project" | "provider", event: Event) => void }} page
 */
export function ownBilling(place, page) {
  const press = new Press();
  /** @type {BillingModel} */
  let model = { ...AT_FIRST, arrangement: arrangementOf(location.search) };
  /** Grows with every step, so that an older wait knows that it is over. */
  let turn = 0;
  let isShown = false;

  /** @param {Partial<BillingModel>} change */
  function show(change) {
    model = { ...model, ...change };
    if (isShown) render(billing(model, actions), place);
  }

  const actions = { fold, load: () => void load(), fill, start, cancel, finish, edit, forget, arrange: page.arrange };

  /** @param {boolean} signedIn */
  function showFor(signedIn) {
    if (signedIn === isShown) return;
    isShown = signedIn;
    place.hidden = !signedIn;
    turn += 1;
    model = { ...AT_FIRST, arrangement: model.arrangement };
    render(signedIn ? billing(model, actions) : "", place);
    const id = /^#handoff=(hnd_[0-9a-f]{24})$/.exec(location.hash)?.[1];
    if (signedIn && id !== undefined) {
      history.replaceState(history.state, "", location.pathname + location.search);
      void resume(id);
    }
  }

  /** @param {boolean} open */
  function fold(open) {
    if (open === (model.phase !== "folded")) return;
    if (open) return void load();
    show({ phase: "folded" });
  }

  async function load() {
    show({ phase: "loading" });
    const [providers, keys] = await Promise.all([
      /** @type {Promise<Outcome<{ providers: Provider[] }>>} */ (call("GET", "/api/v1/providers")),
      askKeys(),
    ]);
    for (const answer of [providers, keys]) {
      if (answer.outcome === "refused" && answer.status === 401) return page.signedOut();
    }
    if (providers.outcome !== "done") return show({ phase: "failed", failure: failedReading(providers) });
    if (keys.outcome !== "done") return show({ phase: "failed", failure: failedReading(keys) });
    const [only, ...others] = providers.body.providers;
    const chosen = only !== undefined && others.length === 0 ? only.slug : model.chosen;
    show({ phase: "ready", providers: providers.body.providers, ...keys.body, chosen });
  }

  /** @returns {Promise<Outcome<{ keys: ProviderKey[], unknown: UnknownHandoff[] }>>} */
  const askKeys = () => call("GET", "/api/v1/provider-keys");

  async function reread() {
    const keys = await askKeys();
    if (keys.outcome === "done") show(keys.body);
  }

  /** Goes on with a sign-in whose page led back here. @param {string} id */
  async function resume(id) {
    await load();
    if (model.phase !== "ready") return;
    const answer = await ask(id);
    if (answer.outcome === "done") return goOn(answer.body.handoff, null, false);
    if (answer.outcome === "refused" && answer.status === 404) end(ENDINGS.gone);
  }

  /** @param {"chosen" | "label" | "project" | "code"} field @param {Event} event */
  function fill(field, event) {
    const { value } = /** @type {HTMLInputElement} */ (event.target);
    if (field === "code") {
      if (model.step.at === "code") show({ step: { ...model.step, code: value, error: "" } });
      return;
    }
    show({ [field]: value, errors: { ...model.errors, [field === "chosen" ? "provider" : field]: "" } });
  }

  /** @param {Event} event */
  async function start(event) {
    event.preventDefault();
    if (model.step.at !== "choose" || model.step.sending) return;
    /** @param {string} text */
    const optional = (text) => (text.trim() === "" ? "" : nameError(text));
    const errors = { provider: model.chosen === "" ? "Please choose a provider." : "", label: optional(model.label), project: optional(model.project) };
    const wrong = /** @type {const} */ (["provider", "label", "project"]).find((field) => errors[field] !== "");
    if (wrong !== undefined) {
      show({ errors });
      say(errors[wrong]);
      const field = document.getElementById(BILLING_IDS[wrong]);
      return (field?.querySelector("input") ?? field)?.focus();
    }
    show({ errors: NO_ERRORS, ending: null, step: { at: "choose", sending: true } });
    const answer = /** @type {Outcome<{ handoff: Handoff, auth_url: string }>} */ (await press.send("POST", `/api/v1/providers/${model.chosen}/start`));
    if (answer.outcome === "refused" && answer.status === 401) return page.signedOut();
    if (answer.outcome !== "done") return end({ tone: "bad", title: "The sign-in was not begun.", ...failureWords(answer) });
    const { handoff, auth_url: authUrl } = answer.body;
    // A browser that blocks the tab says so at once.
    const blocked = window.open(authUrl, "_blank") === null;
    if (blocked) say("Your browser did not open the new tab.");
    goOn(handoff, authUrl, blocked);
  }

  /** Shows the step that a sign-in is at, and waits for the next one. @param {Handoff} handoff @param {string | null} authUrl @param {boolean} blocked */
  function goOn(handoff, authUrl, blocked) {
    const ending = endingOf(handoff.status);
    if (ending !== null) return void ended(ending);
    if (handoff.status === "pending") {
      show({ ending: null, step: { at: "waiting", handoff, authUrl, blocked } });
      focus();
      return void wait(handoff);
    }
    turn += 1;
    show({ ending: null, step: { at: "code", handoff, code: "", error: "", sending: "" } });
    say("You are signed in there. Type the code.");
    document.getElementById(BILLING_IDS.code)?.focus();
  }

  /** @param {string} id @returns {Promise<Outcome<{ handoff: Handoff }>>} */
  const ask = (id) => call("GET", `/api/v1/handoffs/${id}`);

  /** Asks at the service's interval until the member has come back, or the sign-in has ended. @param {Handoff} handoff */
  async function wait(handoff) {
    turn += 1;
    const mine = turn;
    let waitMs = handoff.poll_after_ms;
    for (;;) {
      await pause(waitMs);
      if (mine !== turn) return;
      const answer = await ask(handoff.id);
      if (mine !== turn) return;
      if (answer.outcome === "done") {
        const { handoff: is } = answer.body;
        if (is.status !== "pending") return goOn(is, null, false);
        waitMs = is.poll_after_ms;
      } else if (answer.outcome === "refused" && answer.status === 401) {
        return page.signedOut();
      } else if (answer.outcome === "refused" && answer.status === 404) {
        return end(ENDINGS.gone);
      } else {
        // It asks less often while the service is busy or does not answer.
        const asked = answer.outcome === "refused" ? (answer.problem.retryAfterSecs ?? 0) * 1_000 : 0;
        waitMs = Math.max(asked, Math.min(waitMs * 2, SLOWEST_MS));
        if (Date.parse(handoff.expires_at) <= now()) return end(ENDINGS.expired);
      }
    }
  }

  function cancel() {
    end(CANCELLED);
  }

  /** @param {Event} event */
  async function finish(event) {
    event.preventDefault();
    const { step } = model;
    if (step.at !== "code" || step.sending !== "") return;
    if (!/^([a-z][\s-]*){8}$/i.test(step.code.trim())) return refuse("Type the eight letters of the code.");
    turn += 1;
    const mine = turn;
    show({ step: { ...step, sending: "asking", error: "" } });
    const path = `/api/v1/handoffs/${step.handoff.id}`;
    const confirmed = /** @type {Outcome<{ handoff: Handoff }>} */ (await press.send("POST", `${path}/confirm`, { code: step.code.trim() }));
    if (mine !== turn) return;
    if (confirmed.outcome === "refused" && confirmed.status === 401) return page.signedOut();
    if (confirmed.outcome !== "done") return notConfirmed(confirmed);
    const label = model.label.trim();
    const project = model.project.trim();
    const body = { ...(label === "" ? {} : { label }), ...(project === "" ? {} : { project }) };
    for (;;) {
      const answer = /** @type {Outcome<{ key?: ProviderKey, secret?: string, handoff?: Handoff }>} */ (await press.send("POST", `${path}/redeem`, body));
      if (mine !== turn && (answer.outcome !== "done" || answer.body.key === undefined)) return;
      if (answer.outcome === "refused" && answer.status === 401) return page.signedOut();
      if (answer.outcome !== "done") return notRedeemed(step.handoff.id, answer);
      if (answer.body.key !== undefined) return redeemed(answer.body.key, answer.body.secret);
      show({ step: { ...step, sending: "not_yet", error: "" } });
      await pause(answer.body.handoff?.poll_after_ms ?? SLOWEST_MS);
      if (mine !== turn) return;
    }
  }

  /** @param {string} error */
  function refuse(error) {
    if (model.step.at !== "code") return;
    show({ step: { ...model.step, sending: "", error } });
    say(error);
    document.getElementById(BILLING_IDS.code)?.focus();
  }

  /** @param {Exclude<Outcome<unknown>, { outcome: "done" }>} answer */
  function notConfirmed(answer) {
    const { text, requestId } = failureWords(answer);
    if (answer.outcome === "lost" || answer.status === 422 || answer.status === 429 || answer.status >= 500) return refuse(text);
    if (answer.status === 404) return end(ENDINGS.gone);
    end({ tone: "warn", title: "The sign-in cannot go on.", text, requestId });
  }

  /** @param {string} id @param {Exclude<Outcome<unknown>, { outcome: "done" }>} answer */
  async function notRedeemed(id, answer) {
    const { text, requestId } = failureWords(answer);
    if (answer.outcome === "refused" && answer.status === 429) return refuse(text);
    // What was done is asked, because the answer may be lost while the key is on record.
    const is = await ask(id);
    const known = is.outcome === "done" ? endingOf(is.body.handoff.status) : null;
    if (is.outcome === "done" && is.body.handoff.status === "ready") return refuse(text);
    if (answer.outcome === "lost" && is.outcome === "done" && is.body.handoff.status === "redeemed") return ended(SECRET_LOST);
    ended(known ?? { tone: "bad", title: "The key did not reach this page.", text, requestId });
  }

  /** @param {ProviderKey} key @param {string | undefined} secret */
  async function redeemed(key, secret) {
    say("");
    const name = model.providers.find(({ slug }) => slug === key.provider)?.name ?? key.provider;
    if (typeof secret === "string") await showSecret({ secret, summary: `Made by ${name}. Your account there pays for what it spends, and only there it can be ended.` });
    show({ label: "", project: "" });
    await ended(typeof secret === "string" ? LINKED : SECRET_LOST);
  }

  /** @param {Ending & { requestId?: string | null }} ending */
  async function ended(ending) {
    end(ending);
    await reread();
  }

  /** Says how it ended, and lets the member begin again. @param {Ending & { requestId?: string | null }} ending */
  function end(ending) {
    turn += 1;
    show({ ending, step: { at: "choose", sending: false } });
    say(ending.title);
    focus();
  }

  function focus() {
    /** @type {HTMLElement | null} */ (place.querySelector("[data-ending]"))?.focus();
  }

  /** @param {ProviderKey} key */
  function edit(key) {
    const typed = { label: { name: key.label ?? "", error: "" }, project: { name: key.project?.name ?? "", error: "" } };
    /** @param {{ name: string, error: string }} part */
    const wrong = (part) => (part.error = part.name.trim() === "" ? "" : nameError(part.name));
    const { redraw } = askFirst({
      title: `Change “${key.label ?? key.mask}”`,
      text: ["The name and the project stay here. The provider is not told."],
      fields: () => [
        textField({ id: "provider-key-label", label: "Name", hint: "1 to 64 characters. Leave it empty for none." }, typed.label, (change) => filled(typed.label, change)),
        textField({ id: "provider-key-project", label: "Project", hint: "Choose one, or write a new name. Leave it empty for none.", list: PROJECT_NAMES }, typed.project, (change) => filled(typed.project, change)),
      ],
      refuse: () => wrong(typed.label) || wrong(typed.project),
      kind: "primary",
      button: "Save it",
      pending: "Saving…",
      act: async () => {
        const [label, project] = [typed.label.name.trim(), typed.project.name.trim()];
        const answer = await press.send("PATCH", `/api/v1/provider-keys/${key.id}`, { label: label === "" ? null : label, project: project === "" ? null : project });
        if (answer.outcome === "refused" && answer.status === 401) return page.signedOut;
        return answer.outcome === "done" ? reread : failureWords(answer).text;
      },
    });
    /** @param {{ name: string, error: string }} part @param {{ name: string }} change */
    function filled(part, change) {
      Object.assign(part, change, { error: "" });
      redraw();
    }
  }

  /** @param {ProviderKey} key */
  function forget(key) {
    const provider = model.providers.find(({ slug }) => slug === key.provider);
    const name = provider?.name ?? key.provider;
    askFirst({
      title: `Forget “${key.label ?? key.mask}”?`,
      text: [`This service only forgets it. The key goes on working, and your account at ${name} goes on paying for it: we have neither its secret nor a way to end it.`, howToEnd(name, provider?.keys_page ?? null)],
      button: "Forget it here",
      pending: "Forgetting…",
      act: async () => {
        const answer = await press.send("DELETE", `/api/v1/provider-keys/${key.id}`);
        if (answer.outcome === "refused" && answer.status === 401) return page.signedOut;
        if (answer.outcome !== "done") return failureWords(answer).text;
        return () => ended({ tone: "plain", title: "The key is forgotten here.", text: `It still works at ${name} until you end it there.` });
      },
    });
  }

  /** Shows the keys that the address asks for. @param {import("./list.js").Arrangement} arrangement */
  const arranged = (arrangement) => show({ arrangement });

  return { showFor, arranged };
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
