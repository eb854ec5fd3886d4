// The words and figures of the pages, as tables: without a browser and without a clock.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { inRoot } from "../../scripts/paths.mjs";
import { NO_GRACE, hoursError } from "../../src/http/pages/scripts/fields-view.js";
import { KNOWN_EVENTS, historyWords } from "../../src/http/pages/scripts/history-words.js";
import { arranged, arrangementOf, searchOf } from "../../src/http/pages/scripts/list.js";
import { ageText, boundText, endingWords, meterText, newer, outageText, partText, share, shareTone, spendableUntil, spent } from "../../src/http/pages/scripts/spend-words.js";
import { beforeClaim, keySummary, stateAt, statusOf } from "../../src/http/pages/scripts/state-words.js";
import { amountError, claimFailure, closedButton, isRefusal, limitRules, lostWords, masked, nameError, noteCount, noteError, refusalAdvice, relative, resetText, retryText, span, usd, usdShort } from "../../src/http/pages/scripts/words.js";
import { event, key as someKey } from "./states.mjs";

const NOW = Date.parse("2026-11-21T20:59:30Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** @param {Partial<import("../../src/http/pages/scripts/types.js").Key>} change */
const key = (change) => someKey({ spend: null, ...change });

/** @param {Partial<import("../../src/http/pages/scripts/types.js").Refusal>} change */
const refusal = (change) => ({ code: "", detail: "", retryAt: null, accountAgeDays: null, requiredDays: null, requestKind: null, request: null, ...change });

/**
 * Replaces no-break spaces by ordinary ones, because the pages write "00:00 UTC" with a no-break space.
 * @param {string} text
 */
const plain = (text) => text.replaceAll("\u00a0", " ");

test("a length of time is shown in its largest fitting unit", () => {
  /** @type {[number, string][]} */
  const cases = [[1, "1 min"], [MINUTE, "1 min"], [61_000, "2 min"], [59 * MINUTE, "59 min"], [HOUR - 1, "1 h"], [HOUR, "1 h"], [3 * HOUR + 59 * MINUTE, "3 h"], [2 * DAY - 1, "47 h"], [2 * DAY, "2 days"], [90 * DAY - MINUTE, "90 days"]];
  for (const [ms, expected] of cases) assert.equal(span(ms), expected, `${ms} ms`);
  assert.equal(relative(NOW + 2 * DAY, NOW), "in 2 days");
  assert.equal(relative(NOW - 2 * DAY, NOW), "2 days ago");
});

test("a reset is shown in both forms, with the day if it is not the next midnight", () => {
  /** @type {[Partial<import("../../src/http/pages/scripts/types.js").Key>, string][]} */
  const cases = [
    [{}, "resets in 3 h (00:00 UTC)"],
    [{ limit_reset: "weekly", resets_at: "2026-11-23T00:00:00Z" }, "resets in 27 h (23 Nov 2026, 00:00 UTC)"],
    [{ limit_reset: "monthly", resets_at: "2026-12-01T00:00:00Z" }, "resets in 9 days (1 Dec 2026, 00:00 UTC)"],
    [{ resets_at: "2026-11-21T00:00:00Z" }, "reset at 00:00 UTC"],
    [{ limit_reset: "none", resets_at: null }, "does not reset"],
    [{ limit_reset: "weekly", resets_at: null }, "resets on Mondays at 00:00 UTC"],
  ];
  for (const [change, expected] of cases) assert.equal(plain(resetText(key(change), NOW)), expected);
});

test("a key past its expiry is shown as expired before the database says so", () => {
  const past = "2026-11-21T20:59:30Z";
  assert.equal(stateAt(key({ expires_at: past }), NOW), "expired");
  assert.equal(stateAt(key({ expires_at: past, state: "disabled" }), NOW), "expired");
  assert.equal(stateAt(key({ expires_at: past, state: "revoking" }), NOW), "revoking");
  assert.equal(stateAt(key({ expires_at: "2026-11-21T20:59:31Z" }), NOW), "active");
});

test("a refusal names the failed rule with its figures, from the problem or from the service's words", () => {
  const detail = "GitHub says that your account is 4 days old. To claim a key, it must be 30 days old.";
  assert.equal(refusalAdvice(refusal({ code: "account_too_young", detail })).text, detail);
  assert.equal(refusalAdvice(refusal({ code: "account_too_young", accountAgeDays: 4, requiredDays: 30 })).text, detail);
  assert.equal(refusalAdvice(refusal({ code: "account_too_young", accountAgeDays: 1, requiredDays: 30 })).text, "GitHub says that your account is 1 day old. To claim a key, it must be 30 days old.");
  assert.equal(refusalAdvice(refusal({ code: "project_not_live" })).title, "Claims are paused.");
  assert.equal(refusalAdvice(refusal({ code: "a_later_rule", detail: "Its own words." })).text, "Its own words.");
  assert.equal(plain(retryText(refusal({ retryAt: "2026-12-17T20:59:30Z" }), NOW)), "You can claim from 17 Dec 2026, 20:59 UTC (in 26 days).");
  assert.equal(plain(retryText(refusal({ code: "seats_full", retryAt: "2026-11-22T00:00:00Z" }), NOW)), "The next seat becomes free on 22 Nov 2026, 00:00 UTC (in 3 h). The first person to claim it gets it.");
  assert.equal(retryText(refusal({ retryAt: "2026-11-21T00:00:00Z" }), NOW), "");
  assert.equal(retryText(refusal({}), NOW), "");
});

test("every failed claim says what happened, unless the outcome is unknown", () => {
  const problem = { ...refusal({}), title: "Something went wrong here", requestId: null, retryAfterSecs: null };
  for (const code of ["claim_unknown", "openrouter_busy", "openrouter_refused", "openrouter_mismatch", "rate_limited", "internal"]) {
    const { title, text } = claimFailure({ ...problem, code });
    assert.match(title, /\.$/, code);
    assert.ok(text.length > 20, code);
    assert.equal(isRefusal(code), false, code);
  }
  assert.match(claimFailure({ ...problem, code: "openrouter_busy", retryAfterSecs: 30 }).text, /in 1 min\./);
  assert.match(claimFailure({ ...problem, code: "claim_unknown" }).text, /usually within 10 minutes after OpenRouter answers again/);
});

test("what counts toward the limit is shown with the limit in force, whatever its window", () => {
  assert.equal(usdShort("5.00"), "$5");
  assert.equal(usdShort("7.50"), "$7.50");
  for (const [reset, expected] of [["daily", "The limit resets daily at 00:00 UTC."], ["weekly", "The limit resets on Mondays at 00:00 UTC."], ["monthly", "The limit resets on the 1st of each month at 00:00 UTC."], ["none", "The limit does not reset."]]) {
    const [counts, resets, overshoot, refusal] = limitRules("5.00", reset);
    assert.match(counts, /^Credits and BYOK .* both count toward the \$5\.$/);
    assert.equal(resets, expected);
    assert.match(overshoot, /overshoot/);
    assert.equal(/until the reset\.$/.test(refusal), reset !== "none");
  }
});

test("money is $0, <$0.01 or $x.xx, and never what a float or a mistake would make of it", () => {
  /** @type {[string, string][]} */
  const cases = [
    ["0", "$0"], ["0.00", "$0"], ["0.000000000", "$0"], ["0.000000001", "<$0.01"], ["0.009999", "<$0.01"], ["0.01", "$0.01"], ["0.014", "$0.01"], ["0.015", "$0.02"],
    ["5", "$5.00"], ["5.0", "$5.00"], ["5.00", "$5.00"], ["1.005", "$1.01"], ["4.999999999", "$5.00"], ["10000", "$10000.00"], ["9007199254740993.25", "$9007199254740993.25"], ["007.5", "$7.50"],
  ];
  for (const [amount, expected] of cases) assert.equal(usd(amount), expected, amount);
  for (const wrong of ["", "NaN", "1e-7", "1e21", "-1.00", "$5", "5.", ".5", "5,00", "Infinity", "null"]) assert.equal(usd(wrong), "unknown", wrong);
  for (const wrong of /** @type {any[]} */ ([NaN, 1e-7, null, undefined, {}])) assert.equal(usd(wrong), "unknown", String(wrong));
});

test("a key is shown by its masked form, and never by more than a beginning and its last four", () => {
  const whole = `sk-or-v1-5a4db0c5${"0".repeat(52)}beef`;
  assert.equal(masked("sk-or-v1-5a4...eef"), "sk-or-v1-5a4...eef");
  assert.equal(masked("sk-or-v1-5a4…beef"), "sk-or-v1-5a4…beef");
  assert.equal(masked(whole), "…beef");
  assert.equal(masked(`sk-or-v1-5a4...${whole}`), "…beef");
  assert.equal(masked(`${whole}...eef`), "….eef");
  for (const nothing of [null, ""]) assert.equal(masked(nothing), null);
});

test("a closed deployment has words for its button, an account that may not claim has no button", () => {
  assert.equal(closedButton("project_not_live"), "Project pending");
  for (const paused of ["minting_stopped", "database_restored", "foreign_account"]) assert.equal(closedButton(paused), "Claims are paused");
  for (const own of ["account_too_young", "blocked", "seats_full", ""]) assert.equal(closedButton(own), null, own);
});

/** @param {Partial<import("../../src/http/pages/scripts/types.js").Spend>} change */
const spend = (change) => ({ used_usd: "1.20", left_usd: "3.80", day_usd: "1.20", week_usd: "2.00", month_usd: "3.00", total_usd: "4.00", read_at: "2026-11-21T20:59:00Z", ...change });

test("spend is shown in figures and as a share of the limit; an unknown figure is not $0", () => {
  /** @type {[Partial<import("../../src/http/pages/scripts/types.js").Key>, number | null, string, string][]} */
  const cases = [
    [{ spend: null }, null, "plain", "not read yet"],
    [{ spend: spend({ used_usd: null, left_usd: null }) }, null, "plain", "not read yet"],
    [{ spend: spend({ used_usd: "0.00", left_usd: "5.00" }) }, 0, "good", "$0 used, $5.00 left of $5.00"],
    [{ spend: spend({}) }, 0.24, "good", "$1.20 used, $3.80 left of $5.00"],
    [{ spend: spend({ used_usd: "4.00", left_usd: "1.00" }) }, 0.8, "warn", "$4.00 used, $1.00 left of $5.00"],
    [{ spend: spend({ used_usd: "0.00", left_usd: "0.00" }) }, 1, "bad", "$0 used, $0 left of $5.00"],
    [{ spend: spend({ used_usd: "5.25", left_usd: "0.00" }) }, 1, "bad", "$5.25 used, $0 left of $5.00"],
    [{ spend: spend({}), limit_usd: "0.00" }, null, "plain", "$1.20 used, $3.80 left of $0"],
  ];
  for (const [change, part, tone, expected] of cases) {
    assert.equal(share(key(change)), part, expected);
    assert.equal(shareTone(part), tone, expected);
    assert.equal(meterText(key(change)), expected);
  }
  for (const unknown of [null, undefined, ""]) assert.equal(spent(unknown), "not read yet");
});

test("a key that has only a part of its limit in this window says so, and why", () => {
  assert.equal(partText(key({})), "");
  assert.equal(partText(key({ limit_usd: "3.00" })), "This secret may spend $3.00 of the $5.00 until the reset. Earlier secrets used the rest.");
});

test("figures say how old they are, and are never called live if nobody answers", () => {
  /** @type {[string | null, string, string][]} */
  const cases = [
    [null, "", "Figures not read yet"],
    [null, "why", "Figures not read yet: why"],
    ["2026-11-21T20:58:31Z", "", "Figures are live"],
    ["2026-11-21T20:58:30Z", "", "Figures from 1 min ago"],
    ["2026-11-21T20:59:30Z", "why", "Figures from 1 min ago: why"],
    ["2026-11-21T17:59:30Z", "why", "Figures from 3 h ago: why"],
  ];
  for (const [readAt, because, expected] of cases) assert.equal(ageText(readAt, NOW, because), expected);
});

test("the latest news about OpenRouter counts, and during an outage the page says how old its figures are", () => {
  const [silent, heard] = [{ answers: false, as_of: "2026-11-21T20:59:00Z" }, { answers: true, as_of: "2026-11-21T20:50:00Z" }];
  assert.equal(newer(null, heard), heard);
  assert.equal(newer(silent, heard), silent, "a sweep before the silence does not end it");
  assert.equal(newer(heard, silent), silent);
  assert.equal(newer({ answers: true, as_of: null }, silent), silent);
  assert.equal(newer(silent, { ...heard, as_of: "2026-11-21T20:59:00Z" }).answers, true);
  assert.match(plain(outageText(silent, [key({ spend: spend({}) })], NOW)), /its figures are less than 1 min old\. The service last asked OpenRouter at 21 Nov 2026, 20:59 UTC\.$/);
  assert.match(outageText(silent, [key({})], NOW), /its figures are not read yet\./);
  assert.match(outageText({ answers: false, as_of: null }, [], NOW), /whether a key was made\.$/);
  assert.match(outageText(silent, [key({}), key({})], NOW), /^Your keys are not changed\. .*each key says how old its figures are\./);
});

test("a note is counted as the service counts it: characters, without the space around", () => {
  assert.equal(noteCount("  a😀\n"), 2);
  assert.equal(noteError("😀".repeat(500)), "");
  assert.equal(noteError("x".repeat(501)), "The note is 1 character too long. Nothing was sent.");
});

test("a key is disabled only once that is confirmed; until then it is being disabled and still works", () => {
  for (const hold of /** @type {const} */ (["owner", "admin", "offboarding", "leak", "idle", "plan", "switch", "upstream"])) {
    const begun = statusOf(key({ state: "active", holds: [hold] }), NOW);
    assert.equal(begun.word, "being disabled", hold);
    assert.match(begun.means, /until then it still works/, hold);
    const done = statusOf(key({ state: "disabled", holds: [hold] }), NOW);
    assert.match(done.word, /^disabled/, hold);
    assert.match(done.means, /refuses requests/, hold);
    assert.doesNotMatch(done.means, /still works/, hold);
  }
  assert.equal(statusOf(key({ state: "disabled", holds: [] }), NOW).word, "being enabled");
  assert.match(statusOf(key({ state: "revoking" }), NOW).means, /may still work/);
  assert.match(statusOf(key({ state: "disabled", holds: ["upstream"] }), NOW).means, /Someone disabled it at OpenRouter\..*Only an administrator can enable it/);
  assert.equal(statusOf(key({ state: "disabled", holds: ["owner", "leak"] }), NOW).word, "disabled: leaked", "a hold that nobody can lift is shown first");
});

test("a key that OpenRouter no longer has says so, and what to do, whatever holds it has", () => {
  for (const state of /** @type {const} */ (["active", "disabled"])) {
    const status = statusOf(key({ state, missing: true, holds: ["owner"] }), NOW);
    assert.equal(status.word, "missing at OpenRouter");
    assert.match(status.means, /so it no longer works\. Make a new secret for it, or delete it/);
  }
  assert.equal(statusOf(key({ state: "revoking", missing: true }), NOW).word, "being removed");
});

test("a key at its limit, and one with two secrets, say until when", () => {
  const spentOut = statusOf(key({ spend: spend({ used_usd: "5.00", left_usd: "0.00" }) }), NOW);
  assert.equal(plain(spentOut.word), "limit spent until 00:00 UTC");
  assert.match(plain(spentOut.means), /^Today’s limit is spent\. OpenRouter refuses requests with it until 00:00 UTC \(in 3 h\)\. Then it works again by itself\.$/);
  assert.equal(statusOf(key({ spend: spend({ used_usd: null, left_usd: null }) }), NOW).word, "active", "a figure that is not read is no figure");
  assert.equal(statusOf(key({ limit_reset: "none", resets_at: null, spend: spend({ left_usd: "0.00" }) }), NOW).word, "limit spent");
  const two = statusOf(key({ grace_until: "2026-11-22T10:00:00Z" }), NOW);
  assert.equal(plain(two.word), "rotating, old secret until 10:00 UTC");
  assert.match(plain(two.means), /together within one limit\. The old one stops at 10:00 UTC \(in 13 h\): replace it everywhere before then\./);
  assert.equal(statusOf(key({ grace_until: "2026-11-21T20:00:00Z" }), NOW).word, "active", "the grace is over");
});

test("a name, an amount and a number of hours are checked before anything is sent", () => {
  for (const name of ["a", "x".repeat(64), `${"😀".repeat(64)} `]) assert.equal(nameError(name), "", name);
  assert.equal(nameError(" \n"), "Write a name. Nothing was sent.");
  assert.equal(nameError("😀".repeat(66)), "The name is 2 characters too long. Nothing was sent.");
  for (const amount of ["0.01", "2", "2.5", " 2.50 "]) assert.equal(amountError(amount), "", amount);
  for (const amount of ["", "0", "0.00", "-1", "2,50", "2.505", "$2", "1e3", "abc"]) assert.notEqual(amountError(amount), "", amount);
  for (const hours of ["1", "24", "168"]) assert.equal(hoursError({ ...NO_GRACE, when: "later", hours }), "", hours);
  for (const hours of ["", "0", "169", "1.5", "-1", "a"]) assert.match(hoursError({ ...NO_GRACE, when: "later", hours }), /from 1 to 168/, hours);
  assert.equal(hoursError({ ...NO_GRACE, hours: "a" }), "", "without a grace nobody asks");
});

test("before a key is deleted the page says what its spend means for the next one", () => {
  assert.equal(plain(endingWords(key({ spend: spend({}) }), NOW)), "It has spent $1.20, which stays counted until the reset at 00:00 UTC (in 3 h): a key that you claim before then gets what is left.");
  assert.match(endingWords(key({ spend: null }), NOW), /^What it has spent stays counted until/);
  assert.match(endingWords(key({ spend: spend({ used_usd: "0.00" }) }), NOW), /^What it has spent by then stays counted until/);
  assert.match(endingWords(key({ limit_reset: "none", resets_at: null, spend: spend({}) }), NOW), /stays counted for good, because this limit does not reset/);
});

test("every event of the API's description has words, with who did it and what was before and after", async () => {
  const described = JSON.parse(await readFile(inRoot("public", "api", "v1", "openapi.json"), "utf8"));
  const events = [...new Set(JSON.stringify(described.components.schemas.HistoryEvent).match(/"const":"([a-z_]+)"|"enum":\[[^\]]*\]/g)?.flatMap((found) => found.match(/[a-z_]+/g) ?? []))].filter((word) => !["const", "enum"].includes(word));
  assert.ok(events.length > 30, events.join());
  assert.deepEqual(events.filter((event) => !KNOWN_EVENTS.includes(event)), []);
  /** @type {[Partial<import("../../src/http/pages/scripts/types.js").HistoryEntry>, string][]} */
  const cases = [
    [{}, "Secret 2 issued by you"],
    [{ generation: 1 }, "Made, with its first secret"],
    [{ event: "own_limit_set", before_usd: "5.00", after_usd: "2.00" }, "Own limit set from $5.00 to $2.00 by you"],
    [{ event: "own_limit_set", before_usd: "2.00", after_usd: null }, "Own limit removed by you"],
    [{ event: "limit_changed", actor: "administrator", before_usd: "5.00", after_usd: "7.50" }, "Limit at OpenRouter changed from $5.00 to $7.50"],
    [{ event: "limit_raised", actor: "administrator", after_usd: "7.50" }, "Limit raised by $7.50 by an administrator"],
    [{ event: "disabled", actor: "openrouter", reason: "upstream" }, "Disabled at OpenRouter"],
    [{ event: "disabled", actor: "keycap", reason: "budget" }, "Stopped: its limit was spent"],
    [{ event: "enabled", reason: "owner" }, "Enabled by you"],
    [{ event: "plan_assigned", actor: "administrator", before: "default", after: "pro" }, "Plan changed from “default” to “pro” by an administrator"],
    [{ event: "request_decided", actor: "administrator", after: "declined" }, "Request declined by an administrator"],
    [{ event: "a_later_event" }, "A later event"],
  ];
  for (const [change, expected] of cases) assert.equal(historyWords(event(change)), expected);
});

test("what can still be spent is named with its bound and its end, and so are the bounds that only OpenRouter knows", () => {
  /** @type {import("../../src/http/pages/scripts/types.js").Spendable} */
  const spendable = { amount_usd: "3.75", bound: "key", until: "2026-11-22T00:00:00Z", unknown: ["guardrail", "workspace", "account"] };
  assert.equal(plain(spendableUntil(spendable, NOW)), "until 00:00 UTC (in 3 h)");
  assert.equal(plain(spendableUntil({ ...spendable, until: "2026-12-01T00:00:00Z" }, NOW)), "until 1 Dec 2026, 00:00 UTC (in 9 days)");
  assert.equal(boundText(spendable), "by this key’s limit; the key’s guardrail or OpenRouter’s own limits may allow less");
  assert.equal(boundText({ ...spendable, bound: "credit", unknown: ["account"] }), "by what was paid; OpenRouter’s own limits may allow less");
  assert.equal(boundText({ ...spendable, unknown: [] }), "by this key’s limit");
});

test("a list of keys is narrowed and ordered by what its address says, and an address with other words shows all", () => {
  const [cheap, dear, off] = [someKey({ id: "a", name: "beta" }), someKey({ id: "b", name: "Alpha", spend: spend({ used_usd: "4.00", left_usd: "1.00" }) }), someKey({ id: "c", name: null, state: "disabled", holds: ["owner"], expires_at: "2026-12-01T00:00:00Z" })];
  const shown = (/** @type {string} */ search) => arranged([cheap, dear, off], arrangementOf(search), NOW).map(({ id }) => id).join("");
  for (const [search, expected] of [["", "abc"], ["?q=A", "abc"], ["?q=alp", "b"], ["?q=openrouter", "c"], ["?state=working", "ab"], ["?state=stopped", "c"], ["?sort=name", "bac"], ["?sort=spent", "bac"], ["?sort=left", "bac"], ["?sort=expires", "cab"], ["?state=working&sort=name", "ba"], ["?state=constructor&sort=toString&q=", "abc"]]) assert.equal(shown(search), expected, search);
  for (const search of ["", "?q=a+b%26c", "?state=working&sort=name"]) assert.equal(searchOf(arrangementOf(search)), search);
});

test("a key made with a spent limit says from when it works, before and after the claim, and no text offers a cent a day", () => {
  const waits = key({ state: "disabled", holds: ["budget"], plan_limit_usd: "5.00", limit_usd: "0.01", available_from: "2026-11-22T00:00:00Z" });
  assert.equal(plain(statusOf(waits, NOW).word), "works from 00:00 UTC");
  assert.match(plain(statusOf(waits, NOW).means), /^Today’s limit is spent\. The key starts to work at 00:00 UTC \(in 3 h\)/);
  assert.match(plain(keySummary(waits, NOW)), /^Limit \$5\.00 a day, .* It works from 00:00 UTC\.$/);
  assert.doesNotMatch(keySummary(key({}), NOW), /works from/);
  const claim = { open: true, refusal: null, limit_usd: "5.00", available_usd: "0.00", available_from: "2026-11-22T00:00:00Z", limit_reset: "daily", expiry_days: 90, min_account_age_days: 30, seats_left: 3, workspaces: [] };
  assert.deepEqual(beforeClaim(claim, NOW)?.title, "Today’s limit is spent.");
  assert.match(plain(beforeClaim(claim, NOW)?.text ?? ""), /starts to work at 00:00 UTC \(in 3 h\)/);
  assert.equal(beforeClaim({ ...claim, available_usd: "3.00", available_from: null }, NOW)?.title, "$3.00 of $5.00 is left.");
  assert.equal(beforeClaim({ ...claim, available_usd: "5.00", available_from: null }, NOW), null);
  const weekly = statusOf(key({ state: "disabled", holds: ["budget"], limit_reset: "weekly", available_from: "2026-11-23T00:00:00Z" }), NOW);
  assert.equal(plain(weekly.word), "works from 23 Nov 2026, 00:00 UTC");
});

test("an answer that is not from the service is explained as coming from something in between, with what to do", () => {
  assert.match(lostWords({ outcome: "lost", between: true }).title, /^Something between you and keycap refused/);
  assert.match(lostWords({ outcome: "lost", between: true }).advice, /Reload this page/);
  assert.equal(lostWords({ outcome: "lost", between: false }).title, "The service did not answer.");
});

test("every code that the pages have words for is a code of the service", async () => {
  const source = await readFile(inRoot("src", "app", "error.rs"), "utf8");
  const codes = new Set(Array.from(source.matchAll(/=> "([a-z_]+)"/g), ([, code]) => code));
  const words = await readFile(inRoot("src", "http", "pages", "scripts", "words.js"), "utf8");
  const table = (/** @type {string} */ name) => Array.from(new RegExp(`const ${name} = \\{([^]*?)\\n?\\};`).exec(words)?.[1].matchAll(/(?:^|[{,]\s*|\n\s*)([a-z_]+): /g) ?? [], ([, code]) => code);
  const known = [...table("REFUSALS"), ...table("CLOSED_BUTTONS")].filter((word) => !["title", "text", "next"].includes(word));
  assert.ok(known.length > 20, known.join());
  assert.deepEqual(known.filter((code) => !codes.has(code)), []);
});
