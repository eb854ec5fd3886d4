// What an administrator can do about one member, with what each asks before.

import { html } from "../html.js";
import { accountName, usd } from "../words.js";
import { perform, tell } from "./change.js";
import { openForm } from "./form.js";

/** @import { ListedKey, MemberPage, Raise } from "./types.js" */

/** An amount as a person types it. @param {string} text */
const isAmount = (text) => /^\d{1,7}(\.\d{1,2})?$/.test(text.trim());

/** @param {number} left */
const later = (left) => (left > 0 ? ` ${left} more keys follow with the next sweeps.` : "");

/**
 * @param {MemberPage} page @param {[string, string][]} plans @param {() => Promise<void>} look
 */
export function memberForms({ member, keys }, plans, look) {
  const path = `/api/v1/admin/members/${member.id}`;
  const who = member.login === null ? "this member" : accountName(member.login);
  const live = keys.filter(({ ended_at: ended, state }) => ended === null && !["expired", "revoked", "void"].includes(state)).length;
  const keysWords = live === 0 ? "They have no key at present." : `${live === 1 ? "Their key ends" : `Their ${live} keys end`} for good, at once. Reinstating them does not bring ${live === 1 ? "it" : "them"} back.`;
  /** @param {"suspended" | "banned"} status @param {string} verb @param {string} more */
  const end = (status, verb, more) => () =>
    openForm({
      title: `${verb} ${who}?`,
      text: [`Account number ${member.subject}. Their sessions end, and they cannot sign in.${more}`, keysWords],
      fields: [],
      button: `${verb} ${who}`,
      final: true,
      act: () => ({ method: "PATCH", path, body: { status } }),
      done: (_body, _values, code) => `${who} is ${status}.${code === 202 ? " OpenRouter has not confirmed yet that every key is disabled; the sweep goes on." : ""}`,
      after: look,
    });
  return {
    suspend: end("suspended", "Suspend", ""),
    ban: end("banned", "Ban", " Their account number is blocked."),
    reinstate: () => perform({ act: { method: "PATCH", path, body: { status: "active" } }, done: `${who} may sign in again. Ended keys stay ended.`, after: look }),
    signOut: () =>
      openForm({
        title: `End the sessions of ${who}?`,
        text: ["Every browser that is signed in as this member is signed out. Their keys go on working, and they can sign in again."],
        fields: [],
        button: "End sessions",
        final: true,
        act: () => ({ method: "POST", path: `${path}/sign-out` }),
        done: () => `The sessions of ${who} have ended.`,
        after: look,
      }),
    plan: () =>
      openForm({
        title: `Give ${who} another plan`,
        text: [html`Now: <strong>${member.plan}</strong>. Their keys keep their secrets and get the new limit. If the plan allows fewer keys, the newest are disabled.`],
        fields: [{ name: "plan", label: "Plan", options: plans, value: member.plan }],
        button: "Give this plan",
        act: ({ plan }) => (plan === member.plan ? `${who} has the plan ${plan} already.` : { method: "POST", path: `${path}/plan`, body: { plan } }),
        done: (body, { plan }) =>
          void tell(`${who} has the plan ${plan}.${later(body.keys_left_to_sweep ?? 0)}`, "plain", () => perform({ act: { method: "POST", path: `${path}/plan`, body: { plan: member.plan } }, done: `${who} has the plan ${member.plan} again.`, after: look })),
        after: look,
      }),
    payment: () =>
      openForm({
        title: `Book a payment of ${who}`,
        text: ["Only for a member whose plan is prepaid. A payment is booked once for each payment id, and cannot be taken back."],
        fields: [
          { name: "payment_id", label: "Payment id", hint: "As your accounts name it." },
          { name: "amount_usd", label: "Amount in US dollars", keys: "decimal", hint: "Such as 50.00" },
        ],
        button: "Book it",
        final: true,
        act: ({ payment_id: id, amount_usd: amount }) => (isAmount(amount) ? { method: "POST", path: `${path}/payments`, body: { payment_id: id.trim(), amount_usd: amount.trim() } } : "The amount has to be US dollars, such as 50.00."),
        done: (body, { amount_usd: amount }) => (body.already_booked ? "This payment was booked before. Nothing was changed." : `${usd(amount)} are booked for ${who}.${later(body.keys_left_to_sweep ?? 0)}`),
        after: look,
      }),
    /** @param {ListedKey} key */
    raise: (key) =>
      openForm({
        title: `Raise the limit of ${key.name ?? "this key"}`,
        text: [`Now ${usd(key.limit_usd)}. The raise is added to what the plan gives.`],
        fields: [
          { name: "amount_usd", label: "By how many US dollars", keys: "decimal", hint: "Such as 5.00" },
          { name: "until", label: "Until the end of this UTC day", optional: true, hint: "Such as 2027-01-31. Without a day, for good. It ends 22 minutes before midnight." },
        ],
        button: "Raise it",
        act: ({ amount_usd: amount, until }) => {
          if (!isAmount(amount)) return "The amount has to be US dollars, such as 5.00.";
          if (until.trim() !== "" && !/^\d{4}-\d\d-\d\d$/.test(until.trim())) return "The day has to be a date, such as 2027-01-31.";
          return { method: "POST", path: `/api/v1/admin/keys/${key.id}/raises`, body: { amount_usd: amount.trim(), ...(until.trim() === "" ? {} : { until: `${until.trim()}T23:59:59Z` }) } };
        },
        done: (body) => `The limit is raised.${later(body.keys_left_to_sweep ?? 0)} You can end the raise below.`,
        after: look,
      }),
    /** @param {Raise} raise */
    endRaise: (raise) =>
      openForm({
        title: `End the raise by ${usd(raise.amount_usd)}?`,
        text: ["The key’s limit is what the plan gives again. What was spent stays spent."],
        fields: [],
        button: "End the raise",
        final: true,
        act: () => ({ method: "DELETE", path: `/api/v1/admin/raises/${raise.id}` }),
        done: () => "The raise has ended.",
        after: look,
      }),
    /** @param {ListedKey} key */
    liftUpstream: (key) =>
      openForm({
        title: "Lift what somebody did at OpenRouter?",
        text: ["Somebody outside keycap disabled this key there, or lowered its limit. If you lift it, the key works again within its limit, unless it has another hold."],
        fields: [],
        button: "Lift it",
        act: () => ({ method: "PATCH", path: `/api/v1/admin/keys/${key.id}`, body: { upstream_hold: "lift" } }),
        done: (_body, _values, code) => `It is lifted.${code === 202 ? " OpenRouter has not confirmed the change yet." : ""}`,
        after: look,
      }),
    /** @param {ListedKey} key */
    remove: (key) =>
      openForm({
        title: `Remove ${key.name ?? "the key"} ${key.mask ?? ""} of ${who}?`,
        text: ["It is disabled at once and ends for good. Nothing brings it back; the member can claim another one."],
        fields: [],
        button: "Remove it",
        final: true,
        act: () => ({ method: "DELETE", path: `/api/v1/keys/${key.id}` }),
        done: (_body, _values, code) => `The key has ended.${code === 202 ? " OpenRouter has not confirmed yet that it is disabled; the sweep goes on." : ""}`,
        after: look,
      }),
  };
}
