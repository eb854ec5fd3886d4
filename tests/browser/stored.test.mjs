// The landing page says what is stored. This test compares that text with the schema, so that nobody can add a column
// about people or their keys without checking the text.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

const root = new URL("../../", import.meta.url);

/** Each column, with the words of the page that mention it. */
const SAID = {
  "members.subject": "account number",
  "members.login": "login",
  "members.login_passed_on_at": "login",
  "members.account_created_at": "the account’s creation date",
  "members.hosted_domain": "its Workspace",
  "members.created_at": "when you first and last signed in",
  "members.signed_in_at": "when you first and last signed in",
  "members.status": "whether the account may claim here",
  "members.terms_rev": "when you accepted the terms",
  "members.terms_at": "when you accepted the terms",
  "requests.kind": "your requests to the people who run this service",
  "requests.state": "their answers",
  "requests.note": "your requests to the people who run this service",
  "requests.answer": "their answers",
  "requests.amount_nano": "your requests to the people who run this service",
  "requests.until": "your requests to the people who run this service",
  "requests.created_at": "your requests to the people who run this service",
  "requests.decided_at": "their answers",
  "allotments.subject": "account number",
  "allotments.kind": "whether the account may claim here",
  "allotments.since": "whether the account may claim here",
  "presences.found": "whether the account is still there",
  "presences.walk": "whether the account is still there",
  "presences.strikes": "whether the account is still there",
  "presences.strike_day": "whether the account is still there",
  "presences.since": "whether the account is still there",
  "departures.reason": "whether the account is still there",
  "departures.since": "whether the account is still there",
  "departures.blocked_at": "whether the account may claim here",
  "departed.reason": "whether the account is still there",
  "departed.since": "whether the account may claim here",
  "departed.erased_at": "whether the account may claim here",
  "blocks.subject": "account number",
  "blocks.since": "whether the account may claim here",
  "owners.plan_id": "your plan",
  "owners.prepaid_since": "your plan",
  "payments.payment_id": "your payments",
  "payments.paid_nano": "your payments",
  "payments.credit_nano": "your payments",
  "payments.at": "your payments",
  "keys.name": "its name",
  "projects.name": "its project",
  "projects.normal_name": "its project",
  "projects.created_at": "dates",
  "projects.archived_at": "dates",
  "handoffs.provider": "at which billing provider you signed in",
  "handoffs.state": "at which billing provider you signed in",
  "handoffs.created_at": "dates",
  "handoffs.expires_at": "dates",
  "handoffs.confirmed_at": "dates",
  "handoffs.redeeming_at": "dates",
  "handoffs.ended_at": "dates",
  "provider_keys.provider": "at which billing provider you signed in",
  "provider_keys.label": "its name",
  "provider_keys.mask": "its masked form",
  "provider_keys.secret_sha256": "fingerprints",
  "provider_keys.created_at": "dates",
  "allotments.name": "its name",
  "keys.own_limit_nano": "what raises or lowers it",
  "keys.upstream_limit_nano": "what raises or lowers it",
  "keys.preferred_at": "dates",
  "raises.amount_nano": "what raises or lowers it",
  "raises.since": "what raises or lowers it",
  "raises.until": "what raises or lowers it",
  "keys.created_at": "dates",
  "keys.ended_at": "dates",
  "holds.reason": "state",
  "holds.since": "state",
  "generations.state": "state",
  "generations.live": "state",
  "generations.limit_nano": "its limit",
  "generations.limit_reset": "its limit",
  "generations.limit_sent_nano": "its limit",
  "generations.created_at": "dates",
  "generations.expires_at": "dates",
  "generations.recorded_at": "dates",
  "generations.ended_at": "dates",
  "generations.erased_at": "dates",
  "generations.erase_at": "dates",
  "generations.grace_until": "dates",
  "generations.seen_at": "dates",
  "generations.label": "its masked form",
  "generations.upstream_hash": "fingerprints",
  "generations.secret_sha256": "fingerprints",
  "generations.usage_daily_nano": "what it has spent",
  "generations.usage_weekly_nano": "what it has spent",
  "generations.usage_monthly_nano": "what it has spent",
  "generations.usage_lifetime_nano": "what it has spent",
  "generations.lifetime_at_switch_nano": "what it has spent",
  "generations.prepaid_spent_nano": "what it has spent",
  "generations.prepaid_reserved_nano": "what it has spent",
  "generations.usage_read_at": "what it has spent",
  "generations.usage_asked_at": "what it has spent",
  "generations.failure": "state",
  "limit_steps.at": "what raises or lowers it",
  "limit_steps.limit_nano": "its limit",
  "limit_steps.limit_reset": "its limit",
  "usage_days.day": "by day and model",
  "usage_days.model_id": "by day and model",
  "usage_days.plan_id": "your plan",
  "usage_days.cost_nano": "what it has spent",
  "usage_days.byok_nano": "what it has spent",
  "usage_days.requests": "its requests and tokens",
  "usage_days.prompt": "its requests and tokens",
  "usage_days.completion": "its requests and tokens",
  "usage_days.reasoning": "its requests and tokens",
  "usage_days.cached": "its requests and tokens",
  "usage_months.month": "by day and model",
  "usage_months.model_id": "by day and model",
  "usage_months.plan_id": "your plan",
  "usage_months.cost_nano": "what it has spent",
  "usage_months.byok_nano": "what it has spent",
  "usage_months.requests": "its requests and tokens",
  "usage_months.prompt": "its requests and tokens",
  "usage_months.completion": "its requests and tokens",
  "usage_months.reasoning": "its requests and tokens",
  "usage_months.cached": "its requests and tokens",
  "idempotency_keys.body": "The answers to your changes",
  "idempotency_keys.created_at": "for one day",
  "notice_reads.notice": "which notices you have read",
  "notice_reads.read_at": "which notices you have read",
  "daily_uses.action": "what was changed and when",
  "daily_uses.day": "what was changed and when",
  "daily_uses.n": "what was changed and when",
  "audit.id": "sign-ins and changes of limits for {{ rules.audit_retention_days }} days, the rest for good",
  "audit.action": "what was changed and when",
  "audit.before": "what was changed and when",
  "audit.after": "what was changed and when",
  "audit.before_nano": "what was changed and when",
  "audit.after_nano": "what was changed and when",
  "audit.at": "what was changed and when",
  "audit.target": "by number, without a name or login",
  "audit.actor": "by number, without a name or login",
};

/** Columns that say nothing about a person: our own numbers and our own records. */
const OURS = [
  "members.owner_id", "members.public_id", "members.provider", "members.epoch", "members.change_id", "blocks.provider", "blocks.public_id", "blocks.change_id",
  "requests.id", "requests.public_id", "requests.owner_id", "requests.key_id", "requests.change_id", "allotments.provider", "allotments.public_id", "allotments.change_id",
  "keys.id", "keys.public_id", "keys.owner_id", "keys.ordinal", "keys.origin", "keys.plan_id", "keys.project_id", "keys.change_id",
  "projects.id", "projects.public_id", "projects.owner_id", "projects.change_id",
  "owners.id", "owners.kind", "owners.created_at", "owners.plan_rev", "owners.change_id", "payments.owner_id", "payments.change_id",
  "raises.id", "raises.public_id", "raises.key_id", "raises.change_id",
  "handoffs.id", "handoffs.public_id", "handoffs.owner_id", "handoffs.challenge", "handoffs.blob", "handoffs.wrong_codes", "handoffs.change_id",
  "provider_keys.id", "provider_keys.public_id", "provider_keys.owner_id", "provider_keys.project_id", "provider_keys.handoff", "provider_keys.change_id",
  "holds.key_id", "holds.actor", "holds.change_id",
  "generations.id", "generations.public_id", "generations.key_id", "generations.owner_id", "generations.slot", "generations.op_nonce",
  "generations.upstream_name", "generations.workspace_id", "generations.plan_rev", "generations.attempts", "generations.next_attempt_at", "generations.unsettled", "generations.switch_doubted_at", "generations.limit_sent_at", "generations.cap_due_at", "generations.readings_since_off", "generations.replaces",
  "generations.missing_since", "generations.held", "generations.change_id", "generations.guardrail_id", "generations.guardrail_sent_at", "generations.guardrail_list_offset",
  "presences.owner_id", "presences.source", "departures.list_id", "departures.owner_id", "departed.owner_id", "departed.change_id",
  "daily_uses.owner_id", "notice_reads.owner_id",
  "admin_pins.email_sha256", "admin_pins.domain", "admin_pins.owner_id", "admin_pins.public_id", "admin_pins.since", "admin_pins.refused_at", "admin_pins.change_id",
  "generations.explained_nano", "limit_steps.generation_id",
  "usage_days.revision", "usage_days.generation_id", "usage_days.owner_id", "usage_days.project", "usage_days.workspace",
  "usage_months.generation_id", "usage_months.owner_id", "usage_months.project", "usage_months.workspace",
  "audit.change_id",
  "idempotency_keys.owner_id", "idempotency_keys.key_sha256", "idempotency_keys.request_sha256", "idempotency_keys.nonce", "idempotency_keys.seed", "idempotency_keys.taken_at",
  "idempotency_keys.generation_id", "idempotency_keys.status", "idempotency_names.member", "idempotency_names.owner_id", "idempotency_names.key_sha256",
];

/** Tables that are not about people. */
const IMPERSONAL = [
  "audit_actions", "bulk_changes", "bulk_targets", "closed_workspaces", "departure_lists", "directories", "drift", "sightings", "findings", "instance", "leak_reports", "plans", "providers", "retained_seats", "runs", "seats", "settings", "transitions", "used_states", "sqlite_sequence",
  "models", "usage_workspaces", "usage_days_read", "usage_months_summed", "workspaces", "unread_workspaces",
];

test("what the landing page says is stored is what the schema stores", async () => {
  const page = (await readFile(new URL("src/http/pages/index.html", root), "utf8")).replace(/\s+/g, " ");
  const columns = await columnsOfPeople();
  assert.deepEqual(columns.filter((column) => !(column in SAID) && !OURS.includes(column)), [], "columns that the page does not mention");
  assert.deepEqual([...Object.keys(SAID), ...OURS].filter((column) => !columns.includes(column)), [], "columns that no longer exist");
  const stored = page.slice(page.indexOf("What we see and store"));
  for (const [column, words] of Object.entries(SAID)) assert.ok(stored.includes(words), `${column}: the page no longer says "${words}"`);
});

/** Every column of every table that is about people or their keys, after all migrations. */
async function columnsOfPeople() {
  const database = new DatabaseSync(":memory:");
  const folder = new URL("migrations/", root);
  for (const name of (await readdir(folder)).sort()) database.exec(await readFile(new URL(name, folder), "utf8"));
  const rows = database.prepare("SELECT t.name AS tab, c.name AS col FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c WHERE t.type = 'table'").all();
  database.close();
  return rows.filter(({ tab }) => !IMPERSONAL.includes(String(tab))).map(({ tab, col }) => `${tab}.${col}`);
}
