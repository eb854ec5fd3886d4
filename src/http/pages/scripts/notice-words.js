// What the service has to tell a member, in words. The functions are pure: they use no DOM, no clock and no network.

import { billingName } from "./own-billing-words.js";
import { clockUtc, dateUtc, DEFAULT_NAME, relative, usd } from "./words.js";

/** @import { MemberNotice } from "./types.js" */

/** @typedef {{ tone: "plain" | "good" | "warn" | "bad", title: string, text: string }} NoticeWords */

/** @param {MemberNotice} notice */
const keyName = ({ key }) => (key === null ? "A key of yours" : `“${key.name ?? DEFAULT_NAME}”`);

/** @param {MemberNotice} notice @param {number} now @returns {NoticeWords} */
function expiry(notice, now) {
  const at = Date.parse(notice.expires_at ?? "");
  const when = Number.isFinite(at) ? `${at > now ? "expires" : "expired"} ${relative(at, now)}` : "expires soon";
  return { tone: "warn", title: `${keyName(notice)} ${when}.`, text: Number.isFinite(at) ? `It ${at > now ? "stops" : "stopped"} working on ${dateUtc(at)}, ${clockUtc(at)}. A renewal gives it a new lifetime and a new secret.` : "A renewal gives it a new lifetime and a new secret." };
}

/** @type {Record<string, (notice: MemberNotice, now: number) => NoticeWords>} */
const KINDS = {
  expiry,
  request_decided: ({ request }) => (request?.state === "approved" ? { tone: "good", title: "Your request was approved.", text: "The answer is on your account’s page." } : { tone: "plain", title: "Your request was declined.", text: "The answer is on your account’s page. You can ask again." }),
  leak: (notice) => ({ tone: "bad", title: `${keyName(notice)} was reported as leaked.`, text: "Its secret is disabled for good, or is being disabled: the key’s state says which. Make a new secret, and remove the old one from the place where it leaked." }),
  provider_key_leaked: ({ after }) => ({ tone: "bad", title: `A key of your own account at ${billingName(after ?? "")} was reported as found.`, text: "This service has neither the key nor a way to disable it: end it there, at once. Under “Use your own billing” on your keys’ page it is marked." }),
  limit_raised: (notice) => ({ tone: "good", title: `The limit of ${keyName(notice)} was raised${notice.after_usd === null ? "" : ` by ${usd(notice.after_usd)}`}.`, text: "An administrator raised it." }),
  raise_ended: (notice) => ({ tone: "plain", title: `A raise of ${keyName(notice)} has ended.`, text: notice.before_usd === null ? "An administrator ended it." : `An administrator ended it. It was ${usd(notice.before_usd)}.` }),
  plan_assigned: ({ before, after }) => ({ tone: "plain", title: `You have another plan${after === null ? "" : `: “${after}”`}.`, text: before === null ? "An administrator gave it to you. Your keys follow." : `An administrator gave it to you in place of “${before}”. Your keys follow.` }),
  plan_changed: ({ before_usd: before, after_usd: after }) => ({ tone: "plain", title: "The limit of your plan has changed.", text: before === null || after === null ? "An administrator changed it. Your keys follow." : `An administrator changed it from ${usd(before)} to ${usd(after)}. Your keys follow.` }),
};

/** The kinds that have words of their own. */
export const KNOWN_NOTICES = Object.keys(KINDS);

/** @param {MemberNotice} notice @param {number} now */
export const noticeWords = (notice, now) => KINDS[notice.kind]?.(notice, now) ?? { tone: /** @type {const} */ ("plain"), title: "Something has changed.", text: "Your history says what." };
