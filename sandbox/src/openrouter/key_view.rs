//! Keys as the wire shows them.

use crate::{
    clock::{Period, timestamp},
    ledger::{UpstreamKey, Usage},
    money::Usd,
};
use serde_json::{Map, Value, json};

/// The key object of `/keys`.
pub(super) fn key(key: &UpstreamKey, now: i64) -> Value {
    let key = &*key.as_shown(now);
    let mut members = shared(key, now);
    let own = [
        ("hash", json!(key.hash)),
        ("name", json!(key.name)),
        ("disabled", json!(key.disabled)),
        ("created_at", json!(timestamp(key.created_at_ms))),
        ("updated_at", json!(key.updated_at_ms.map(timestamp))),
        ("external_user", json!(key.external_user)),
        ("last_used_at", json!(key.last_used_at_ms.map(timestamp))),
    ];
    members.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(members)
}

/// The answer to `GET /key` for a minted key.
pub(super) fn current(key: &UpstreamKey, now: i64) -> Value {
    let key = &*key.as_shown(now);
    let mut members = shared(key, now);
    let budget = key.limit.map(|limit| budget(key, limit, now));
    members.extend(caller(false, budget));
    Value::Object(members)
}

/// The answer to `GET /key` for the management key.
pub(super) fn management(workspace_id: &str) -> Value {
    let zero = [
        "usage",
        "usage_daily",
        "usage_weekly",
        "usage_monthly",
        "byok_usage",
        "byok_usage_daily",
        "byok_usage_weekly",
        "byok_usage_monthly",
    ];
    let mut members: Map<String, Value> = zero
        .iter()
        .map(|name| ((*name).to_owned(), json!(0)))
        .collect();
    let unlimited = [
        "limit",
        "limit_remaining",
        "limit_reset",
        "creator_user_id",
        "expires_at",
    ];
    members.extend(
        unlimited
            .iter()
            .map(|name| ((*name).to_owned(), Value::Null)),
    );
    members.insert("label".to_owned(), json!("sk-or-v1-san...eal"));
    members.insert("include_byok_in_limit".to_owned(), json!(false));
    members.insert("workspace_id".to_owned(), json!(workspace_id));
    members.extend(caller(true, None));
    Value::Object(members)
}

fn shared(key: &UpstreamKey, now: i64) -> Map<String, Value> {
    let mut members = usage("usage", &key.usage, now);
    members.extend(usage("byok_usage", &key.byok_usage, now));
    let limits = [
        ("label", json!(key.label)),
        ("limit", json!(key.limit)),
        ("limit_remaining", json!(key.limit_remaining(now))),
        ("limit_reset", json!(key.limit_reset)),
        ("include_byok_in_limit", json!(key.include_byok_in_limit)),
        ("expires_at", json!(key.expires_at)),
        ("creator_user_id", json!(key.creator_user_id)),
        ("workspace_id", json!(key.workspace_id)),
    ];
    members.extend(limits.map(|(name, value)| (name.to_owned(), value)));
    members
}

fn usage(name: &str, usage: &Usage, now: i64) -> Map<String, Value> {
    let windows = [
        ("", None),
        ("_daily", Some(Period::Daily)),
        ("_weekly", Some(Period::Weekly)),
        ("_monthly", Some(Period::Monthly)),
    ];
    windows
        .into_iter()
        .map(|(suffix, period)| {
            (
                format!("{name}{suffix}"),
                usage.in_window(period, now).to_json(),
            )
        })
        .collect()
}

fn caller(management: bool, budget: Option<Value>) -> Map<String, Value> {
    let free = json!({"limit": 1000, "remaining": 1000, "used": 0});
    let rate = json!({"requests": -1, "interval": "10s", "note": "This field is deprecated and safe to ignore."});
    let members = [
        ("is_free_tier", json!(false)),
        ("is_management_key", json!(management)),
        ("is_provisioning_key", json!(management)),
        ("organization_id", Value::Null),
        ("allowed_data_regions", json!(["global"])),
        ("free_model_daily_requests", free),
        ("rate_limit", rate),
        ("budgets", budget.iter().cloned().collect()),
        ("effective_budget", budget.unwrap_or(Value::Null)),
    ];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn budget(key: &UpstreamKey, limit: Usd, now: i64) -> Value {
    let spent = key.spent_in_window(now);
    json!({
        "scope": "key_limit",
        "guardrail_id": null,
        "budget_id": null,
        "limit_usd": limit,
        "spend_usd": spent,
        "remaining_usd": limit.left_after(spent),
        "reset_interval": key.limit_reset,
        "resets_at": key.limit_reset.map(|period| timestamp(period.end(now))),
        "include_byok": key.include_byok_in_limit,
    })
}
