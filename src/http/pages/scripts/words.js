// What the pages say: money, times, states and refusals in words. The functions are pure: they use no DOM, no clock and
// no network.

/** @import { Lost } from "./api.js" */
/** @import { Key, Problem, Refusal } from "./types.js" */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * "5.00" → "$5.00", for figures. Zero is "$0", an amount that rounds to zero is "<$0.01", and a text that is no amount
 * is "unknown". The amount is rounded digit by digit, because a float would add its own rounding.
 * @param {string} amount
 */
export function usd(amount) {
  const [, whole = "", fraction = ""] = /^(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  if (whole === "") return "unknown";
  if (/^0*$/.test(whole + fraction)) return "$0";
  const digits = whole + fraction.padEnd(3, "0").slice(0, 3);
  if (/^0*$/.test(digits.slice(0, -1))) return "<$0.01";
  const cents = (BigInt(digits) + 5n) / 10n;
  return `$${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}

/** "5.00" → "$5", for sentences. @param {string} amount */
export const usdShort = (amount) => usd(amount).replace(/\.00$/, "");

/** How many characters of a key are shown at most: a beginning that all keys share in part, and the last four. */
const SHOWN = { before: 12, after: 4 };

/**
 * A key's masked form, as OpenRouter wrote it. If it ever holds more of the key than `SHOWN` allows, only its last four
 * characters are shown.
 * @param {string | null} label
 */
export function masked(label) {
  if (!label) return null;
  const [before = "", after = "", ...more] = label.split(/\.{3}|…/);
  const isMask = after !== "" && more.length === 0 && before.length <= SHOWN.before && after.length <= SHOWN.after;
  return isMask ? label : `…${label.slice(-SHOWN.after)}`;
}

/**
 * @param {number} count
 * @param {string} unit singular
 */
export const counted = (count, unit) => `${count} ${count === 1 ? unit : `${unit}s`}`;

/** "daily" → "a day". @param {string} reset */
export function perPeriod(reset) {
  return { daily: "a day", weekly: "a week", monthly: "a month" }[reset] ?? "in total";
}

/** "daily" → "daily at 00:00 UTC". @param {string} reset */
export function resetRule(reset) {
  return { daily: "daily at 00:00 UTC", weekly: "on Mondays at 00:00 UTC", monthly: "on the 1st of each month at 00:00 UTC" }[reset] ?? "never";
}

/** A length of time in the largest unit that fits: "12 min", "3 h", "5 days". @param {number} ms */
export function span(ms) {
  const minutes = Math.max(1, Math.ceil(ms / MINUTE_MS));
  if (minutes < 60) return `${minutes} min`;
  if (ms < 2 * DAY_MS) return `${Math.max(1, Math.floor(ms / HOUR_MS))} h`;
  return `${Math.round(ms / DAY_MS)} days`;
}

/** "00:00 UTC", with a space at which a line never breaks. @param {number} ms */
export function clockUtc(ms) {
  return `${new Date(ms).toISOString().slice(11, 16)}\u00a0UTC`;
}

/** @param {number} ms */
export function dateUtc(ms) {
  if (!Number.isFinite(ms)) return "an unknown day";
  const date = new Date(ms);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

/** "in 3 h" or "3 h ago". @param {number} at @param {number} now */
export const relative = (at, now) => (at > now ? `in ${span(at - now)}` : `${span(now - at)} ago`);

/**
 * The reset in both forms: "resets in 3 h (00:00 UTC)".
 * @param {Key} key
 * @param {number} now
 */
export function resetText(key, now) {
  const at = Date.parse(key.resets_at ?? "");
  if (!Number.isFinite(at)) return key.limit_reset === "none" ? "does not reset" : `resets ${resetRule(key.limit_reset)}`;
  if (at <= now) return `reset at ${clockUtc(at)}`;
  const day = at - now > DAY_MS ? `${dateUtc(at)}, ` : "";
  return `resets in ${span(at - now)} (${day}${clockUtc(at)})`;
}

/** What an account is called: a login has an @ in front, and the e-mail address of a Google account has one inside. @param {string} login */
export const accountName = (login) => (login.includes("@") ? login : `@${login}`);

/** @typedef {{ title: string, text: string, next: string }} Advice */

const PAUSED = { title: "Claims are paused.", text: "New keys are not given out at the moment.", next: "Come back later." };
const BARRED = { title: "This account cannot claim a key.", next: "If that is wrong, ask the people who run this service." };

/**
 * What each refusal means for the member, by its code. If the text is empty, the page shows the service's `detail`.
 * The API has words of its own for the same codes (`app/error/problem.rs`), for callers that are not this page: here the
 * reason, the figures and the next step are shown apart, and beside the page's own buttons.
 * @type {Record<string, Advice>}
 */
const REFUSALS = {
  project_not_live: { ...PAUSED, text: "This service is not live yet." },
  provisioning_closed: PAUSED,
  not_configured: { ...PAUSED, text: "This service is not set up yet." },
  upstream_terms_unconfirmed: { title: "Claims are not open yet.", text: "The people who run this service have not confirmed OpenRouter’s terms yet.", next: "Come back later." },
  minting_stopped: { ...PAUSED, text: "The people who run this service have stopped new keys for now." },
  database_restored: { ...PAUSED, text: "This service’s database was restored. An administrator has to check it first." },
  foreign_account: { ...PAUSED, text: "This service is being reconnected to OpenRouter." },
  seats_full: { title: "All keys are taken.", text: "Every key this service may give out is in use.", next: "A seat becomes free when a key ends, or at 00:00 UTC if that key has spent something. Come back then." },
  account_too_young: { title: "Your GitHub account is too young.", text: "", next: "Come back when the account is old enough." },
  google_not_admitted: { title: "Your Google account cannot claim a key.", text: "With Google, only people of a Google Workspace that this service lists can claim.", next: "Sign in with your work account, or with GitHub." },
  too_many_attempts: { title: "Too many attempts today.", text: "", next: "Come back tomorrow." },
  credit_spent: { title: "Your credit is used up.", text: "", next: "After your next payment you can claim a key." },
  claims_busy: { title: "Too many people are claiming at the moment.", text: "The service limits how many keys it makes in an hour. No key was made.", next: "Come back in an hour." },
  approval_needed: { title: "Claims need approval.", text: "The people who run this service approve each person.", next: "Once they have approved you, you can claim here." },
  workspace_closed: { ...PAUSED, text: "The people who run this service have not enabled the workspace of your plan." },
  key_held: { title: "Your key is on hold.", text: "The people who run this service have disabled it.", next: "Ask them about it." },
  blocked: { ...BARRED, text: "The account is blocked here." },
  member_suspended: { ...BARRED, text: "The account is suspended here." },
  member_banned: { ...BARRED, text: "The account is blocked here." },
  member_not_active: { ...BARRED, text: "The account is no longer active here." },
};

/**
 * OpenRouter asked this service to slow down. All claims wait for a while, and nobody is at fault. `/me` announces this in
 * advance. A claim that OpenRouter has just refused for this reason has the same title and says how long to wait
 * (`claimFailure`).
 * @type {Advice}
 */
const PAUSE = { title: "OpenRouter asked this service to slow down.", text: "No key can be made until that is over.", next: "Look again in a minute." };

/**
 * @param {Pick<Refusal, "code" | "detail" | "accountAgeDays" | "requiredDays">} refusal
 * @returns {Advice}
 */
export function refusalAdvice({ code, detail, accountAgeDays, requiredDays }) {
  if (code === "openrouter_busy") return PAUSE;
  const known = REFUSALS[code] ?? { title: "You cannot claim a key now.", text: "", next: "Come back later." };
  const figures = code === "account_too_young" && accountAgeDays !== null && requiredDays !== null;
  return { ...known, text: figures ? tooYoung(accountAgeDays, requiredDays) : known.text || detail };
}

/** The maximum length of a note, in characters as the service counts them. */
export const NOTE_CHARS = 500;

/** A note's length in code points, without the white space around it. @param {string} note */
export const noteCount = (note) => [...note.trim()].length;

/** @param {string} note */
export function noteError(note) {
  const over = noteCount(note) - NOTE_CHARS;
  return over > 0 ? `The note is ${counted(over, "character")} too long. Nothing was sent.` : "";
}

/** What a key without a name is called. */
export const DEFAULT_NAME = "OpenRouter key";

/** The maximum length of a key's name, in characters as the service counts them. */
export const NAME_CHARS = 64;

/** What is wrong with a key's name; empty if nothing is. @param {string} name */
export function nameError(name) {
  const count = noteCount(name);
  if (count === 0) return "Write a name. Nothing was sent.";
  return count > NAME_CHARS ? `The name is ${counted(count - NAME_CHARS, "character")} too long. Nothing was sent.` : "";
}

/** What is wrong with a day that is to come, such as 2027-01-31; empty if nothing is, or if there is none. @param {string} day @param {number} now */
export function dayError(day, now) {
  if (day.trim() === "") return "";
  const at = /^\d{4}-\d{2}-\d{2}$/.test(day.trim()) ? Date.parse(`${day.trim()}T00:00:00Z`) : Number.NaN;
  return at > now ? "" : "Write a day to come, such as 2027-01-31. Nothing was sent.";
}

/** What is wrong with an amount in US dollars; empty if nothing is. @param {string} amount */
export const amountError = (amount) => (/^\d{1,7}(\.\d{1,2})?$/.test(amount.trim()) && Number(amount) >= 0.01 ? "" : "Write an amount such as 2 or 2.50, at least 0.01. Nothing was sent.");

/**
 * The title, the label and the button of each kind of request.
 * @type {Record<"claim" | "appeal", { title: string, label: string, button: string }>}
 */
export const ASKS = {
  claim: { title: "Ask for approval", label: "What is the key for?", button: "Ask for approval" },
  appeal: { title: "Ask for an exception", label: "Why should there be one?", button: "Ask for an exception" },
};

/** @param {number} ageDays @param {number} requiredDays */
const tooYoung = (ageDays, requiredDays) => `GitHub says that your account is ${counted(ageDays, "day")} old. To claim a key, it must be ${counted(requiredDays, "day")} old.`;

/** What the disabled button says while nobody can claim, by the code of the refusal. @type {Record<string, string>} */
const CLOSED_BUTTONS = { project_not_live: "Project pending", upstream_terms_unconfirmed: "Claims not open yet", provisioning_closed: "Claims are paused", not_configured: "Claims are paused", minting_stopped: "Claims are paused", database_restored: "Claims are paused", foreign_account: "Claims are paused" };

/** Refusals that depend on the account: another account may be able to claim. */
const ABOUT_ACCOUNT = new Set(["account_too_young", "google_not_admitted", "approval_needed", "blocked", "member_suspended", "member_banned", "member_not_active"]);

/** @param {string} code of a refusal */
export const isAboutAccount = (code) => ABOUT_ACCOUNT.has(code);

/** @param {string} code of a refusal */
export const closedButton = (code) => CLOSED_BUTTONS[code] ?? null;

/** Whether a problem is a rule that refuses the member, and not a failure. @param {string} code */
export const isRefusal = (code) => Object.hasOwn(REFUSALS, code);

/**
 * When to come back: "You can claim from 17 Dec 2026, 00:00 UTC (in 26 days)." If others wait for the same seat, the
 * text promises nothing.
 * @param {Pick<Refusal, "code" | "retryAt">} refusal
 * @param {number} now
 */
export function retryText({ code, retryAt }, now) {
  const at = Date.parse(retryAt ?? "");
  if (!(at > now)) return "";
  const when = `${dateUtc(at)}, ${clockUtc(at)} (${relative(at, now)})`;
  return code === "seats_full" ? `The next seat becomes free on ${when}. The first person to claim it gets it.` : `You can claim from ${when}.`;
}

/**
 * Says that no answer came, and what to do. The caller says what was refused or failed.
 * @param {Lost} lost
 * @returns {{ title: string, advice: string }}
 */
export const lostWords = ({ between }) =>
  between
    ? {
        title: "Something between you and keycap refused the request.",
        advice: "keycap did not receive it. A firewall, a browser check, a VPN or the sign-in page of a network answered instead. Reload this page and do what that page asks. Or try another network. If it happens again, tell the people who run this service.",
      }
    : { title: "The service did not answer.", advice: "Check your connection, then try again." };

export const UNKNOWN_OUTCOME =
  "OpenRouter did not answer. You were not given a key. If one was made, it will be removed, usually within 10 minutes after OpenRouter answers again. Try again then.";

/**
 * What a failed claim means: what happened, what was not changed, what to do.
 * @param {Problem} problem
 * @returns {{ title: string, text: string }}
 */
export function claimFailure(problem) {
  const wait = problem.retryAfterSecs === null ? "in a few minutes" : `in ${span(problem.retryAfterSecs * 1000)}`;
  switch (problem.code) {
    case "claim_unknown":
      return { title: "It is not known yet whether your key was made.", text: UNKNOWN_OUTCOME };
    case "openrouter_busy":
      return { title: PAUSE.title, text: `No key was made. Try again ${wait}.` };
    case "openrouter_refused":
      return { title: "OpenRouter refused to make the key.", text: "No key was made, and nothing else was changed. Try again later. If it happens again, ask the people who run this service." };
    case "openrouter_mismatch":
      return { title: "OpenRouter made a different key from the one requested.", text: "OpenRouter made a key with other limits than the ones set here. It is being removed, and you were not given it. Try again later." };
    case "rate_limited":
      return { title: "Too many requests.", text: `This one was not carried out. Try again ${wait}.` };
    default:
      return { title: sentence(problem.title) || "The claim failed.", text: problem.detail || "No key was shown to you. Below is what is on record for you." };
  }
}

/** "Something went wrong here" → "Something went wrong here." @param {string} title */
export const sentence = (title) => (/[\w)]$/.test(title) ? `${title}.` : title);

/**
 * The rules of the limit, with the figures in force.
 * @param {string} limitUsd of a whole window
 * @param {string} reset
 * @returns {string[]}
 */
export function limitRules(limitUsd, reset) {
  const resets = reset !== "none";
  return [
    `Credits and BYOK (requests through your own provider keys) both count toward the ${usdShort(limitUsd)}.`,
    resets ? `The limit resets ${resetRule(reset)}.` : "The limit does not reset.",
    "A request that is running when the limit is reached may finish and overshoot it.",
    `At the limit OpenRouter refuses requests with 403 “Key limit exceeded”${resets ? " until the reset" : ""}.`,
  ];
}
