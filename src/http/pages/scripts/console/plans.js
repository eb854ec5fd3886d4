// The plans: what people get. Before a change is saved, the form says whom it reaches.

import { html, nothing } from "../html.js";
import { call } from "../api.js";
import { counted, usd } from "../words.js";
import { queryOf } from "./address.js";
import { openForm } from "./form.js";
import { period } from "./key-words.js";
import { openList } from "./list.js";
import { cell, chip, failureText, rowHead, upTo } from "./parts.js";

/** @import { Plan, PlanReach } from "./types.js" */
/** @import { Outcome } from "../api.js" */
/** @import { Field, Values } from "./form.js" */

/** @type {import("./frame.js").View} */
export const PLANS_VIEW = { address: /^\/admin\/plans$/, open };

const PATH = "/api/v1/admin/plans";

/** @type {[string, string][]} */
const RESETS = [["daily", "daily at 00:00 UTC"], ["weekly", "on Mondays at 00:00 UTC"], ["monthly", "on the 1st of each month at 00:00 UTC"]];

/** @param {HTMLElement} host */
async function open(host) {
  await openList(host, {
    title: "Plans",
    about: "What a key of each plan may spend. A change reaches everybody who has the plan: keys keep their secrets and get the new limit with the next sweeps.",
    path: async ({ after = "" }) => `${PATH}${queryOf({ after })}`,
    rows: ({ plans }) => plans,
    columns: ["Plan", "Limit", "Resets", "Lives for", "Keys each", "Margin", "Restricted", "Actions"],
    row,
    filters: [],
    none: "There is no plan yet. The first sign-in makes the default one.",
    head: (_filters, again) => html`<button class="button" type="button" @click=${() => create(again)}>New plan…</button>`,
  });
}

/** @param {Plan} plan @param {() => Promise<void>} again */
const row = (plan, again) => html`
  <tr>
    ${rowHead("Plan", html`${plan.name}${plan.is_default ? html` ${chip("default")}` : nothing}`)}
    ${cell("Limit", plan.limit_usd === null ? "what was paid" : html`<span class="figure">${usd(plan.limit_usd)}</span> ${period(plan.limit_reset)}`)} ${cell("Resets", plan.limit_reset === "none" ? "never" : plan.limit_reset)}
    ${cell("Lives for", counted(plan.expiry_days, "day"))} ${cell("Keys each", plan.max_active_keys, "figure")} ${cell("Margin", `${plan.margin_percent} %`, "figure")}
    ${cell("Restricted", plan.guardrail_id === null && plan.workspace_id === null ? html`<span class="is-aside">–</span>` : html`${plan.guardrail_id === null ? nothing : html`guardrail <code translate="no">${plan.guardrail_id}</code> `}${plan.workspace_id === null ? nothing : html`workspace <code translate="no">${plan.workspace_id}</code>`}`)}
    ${cell("Actions", html`<div class="row-actions"><button class="button" type="button" data-opens @click=${() => edit(plan, again)}>Change…</button>${plan.is_default ? nothing : html`<button class="button" type="button" @click=${() => makeDefault(plan, again)}>Make default…</button>`}</div>`)}
  </tr>
`;

/** The fields of a plan. A prepaid plan has no limit of its own and one key. @param {Plan | null} plan @returns {Field[]} */
const fields = (plan) => [
  ...(plan === null ? /** @type {Field[]} */ ([{ name: "name", label: "Name", hint: "1 to 32 lower-case letters, digits and dashes." }]) : []),
  ...(plan?.limit_reset === "none"
    ? []
    : /** @type {Field[]} */ ([
        { name: "limit_usd", label: "Limit in US dollars", keys: "decimal", value: plan?.limit_usd ?? "" },
        { name: "limit_reset", label: "Resets", options: RESETS, value: plan?.limit_reset ?? "daily" },
        { name: "max_active_keys", label: "Keys for each member", keys: "numeric", value: String(plan?.max_active_keys ?? 1) },
      ])),
  { name: "expiry_days", label: "A key lives for so many days", keys: "numeric", value: String(plan?.expiry_days ?? 90) },
  { name: "margin_percent", label: "Margin of payments in percent", keys: "decimal", value: plan?.margin_percent ?? "0" },
  { name: "guardrail_id", label: "Guardrail", optional: true, value: plan?.guardrail_id ?? "", hint: "The id of a guardrail at OpenRouter that these keys are held to." },
  { name: "workspace_id", label: "Workspace", optional: true, value: plan?.workspace_id ?? "", hint: "The id of the one workspace at OpenRouter in which new keys of this plan are made. Without it, members choose one of those that are enabled." },
];

/** What differs from the plan, as the API takes it. @param {Values} values @param {Plan | null} plan */
function changed(values, plan) {
  /** @type {Record<string, unknown>} */
  const all = {};
  for (const [name, text] of Object.entries(values)) {
    const value = text.trim();
    const is = plan === null ? undefined : plan[/** @type {keyof Plan} */ (name)];
    const next = name === "max_active_keys" || name === "expiry_days" ? Number(value) : (name === "guardrail_id" || name === "workspace_id") && value === "" ? null : value;
    if (plan === null ? next !== null : next !== is) all[name] = next;
  }
  return all;
}

/** @param {() => Promise<void>} again */
const create = (again) =>
  openForm({
    title: "New plan",
    text: ["Nobody has it until you give it to a member or make it the default."],
    fields: fields(null),
    button: "Make it",
    act: (values) => ({ method: "POST", path: PATH, body: changed(values, null) }),
    done: (_body, { name }) => `The plan ${name} is made.`,
    after: again,
  });

/** @param {Plan} plan @param {() => Promise<void>} again */
const edit = (plan, again) =>
  openForm({
    title: `Change the plan ${plan.name}`,
    text: [],
    fields: fields(plan),
    button: "Save for everybody who has it",
    act: (values) => {
      const body = changed(values, plan);
      return Object.keys(body).length === 0 ? "Nothing differs from what is saved." : { method: "PATCH", path: `${PATH}/${plan.name}`, body };
    },
    preview: (values) => reach(plan, values),
    done: () => `The plan ${plan.name} is changed. Its keys follow with the next sweeps.`,
    after: again,
  });

/** Whom the change reaches, in words. @param {Plan} plan @param {Values} values */
async function reach(plan, values) {
  const most = Number(values.max_active_keys ?? 1);
  const query = Number.isInteger(most) && most >= 1 && most <= 100 ? `?max_active_keys=${most}` : "";
  const answer = /** @type {Outcome<PlanReach>} */ (await call("GET", `${PATH}/${plan.name}/reach${query}`));
  if (answer.outcome !== "done") return html`<p>Whom this reaches could not be read. ${failureText(answer)}</p>`;
  const { reach: is, counted_up_to: up } = answer.body;
  return html`
    <p><strong>${upTo(is.members, up)} ${is.members === 1 ? "member" : "members"}</strong> ${is.members === 1 ? "has" : "have"} this plan, with ${counted(is.keys, "live key")}${is.members >= up ? ` among the first ${up}` : ""}.</p>
    ${is.keys_over > 0 ? html`<p><strong>${counted(is.keys_over, "key")}</strong> of ${counted(is.members_over, "member")} ${is.keys_over === 1 ? "is" : "are"} over this number and will be disabled, the newest first.</p>` : nothing}
    ${values.limit_usd !== undefined && values.limit_usd !== plan.limit_usd ? html`<p>The limit of ${is.keys === 1 ? "this key" : "these keys"} goes from ${usd(plan.limit_usd ?? "")} to ${usd(values.limit_usd)} ${period(values.limit_reset ?? plan.limit_reset)}.</p>` : nothing}
  `;
}

/** @param {Plan} plan @param {() => Promise<void>} again */
const makeDefault = (plan, again) =>
  openForm({
    title: `Make ${plan.name} the default plan?`,
    text: ["Everybody who signs in for the first time from now on gets it. Those who are here keep their plan."],
    fields: [],
    button: "Make it the default",
    act: () => ({ method: "PATCH", path: `${PATH}/${plan.name}`, body: { is_default: true } }),
    done: () => `${plan.name} is the default plan.`,
    after: again,
  });
