//! Analytics and `/activity`: the same usage in both, in the forms and with the limits that OpenRouter documents.

use crate::common::*;
use sandbox::{NewUse, Reports, Sandbox, Usd};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DAY: i64 = 24 * HOUR;

fn uses(sandbox: &mut Sandbox, hash: &str, model: &str, nanos: i64, at_ms: i64) {
    let booked = sandbox.use_model(&NewUse {
        hash,
        model,
        usd: Usd { nanos },
        byok: false,
        at_ms,
        lag_ms: 0,
    });
    assert!(booked);
}

/// A sandbox with two keys that were used yesterday, by two models.
fn used() -> (Sandbox, [String; 2]) {
    let mut sandbox = Sandbox::default();
    let hashes = ["one", "two"].map(|name| mint(&mut sandbox, mint_body(name)).0);
    let yesterday = NOON - DAY;
    for (n, hash) in hashes.iter().enumerate() {
        for (m, model) in ["a/first", "b/second:free"].into_iter().enumerate() {
            let nanos = 1_000_003 * i64::try_from(10 * n + m + 1).unwrap();
            uses(&mut sandbox, hash, model, nanos, yesterday);
            uses(&mut sandbox, hash, model, nanos, yesterday + HOUR);
        }
    }
    (sandbox, hashes)
}

fn query(more: Value) -> Value {
    let mut body = json!({
        "metrics": ["credits_usage", "byok_usage", "request_count", "tokens_prompt", "tokens_completion", "reasoning_tokens", "cached_tokens"],
        "dimensions": ["api_key_id", "model"], "granularity": "day", "limit": 10_000,
        "time_range": {"start": "2026-08-14T00:00:00Z", "end": "2026-08-15T00:00:00.000Z"},
    });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn rows(sandbox: &mut Sandbox, more: Value) -> Vec<Value> {
    let (status, body) = call(sandbox, "POST", "/analytics/query", Some(query(more)));
    assert_eq!(status, 200, "{body}");
    body["data"]["data"].as_array().unwrap().clone()
}

/// The figures of each model: of analytics and of `/activity` in the same form.
fn of_analytics(rows: &[Value]) -> BTreeMap<String, Vec<String>> {
    let figure = |row: &Value, name: &str| {
        row[name]
            .as_str()
            .map_or_else(|| row[name].to_string(), str::to_owned)
    };
    let names = [
        "credits_usage",
        "request_count",
        "tokens_prompt",
        "tokens_completion",
        "reasoning_tokens",
        "cached_tokens",
    ];
    let each = rows.iter().map(|row| {
        (
            row["model"].as_str().unwrap().to_owned(),
            names.map(|name| figure(row, name)).to_vec(),
        )
    });
    each.collect()
}

fn of_activity(rows: &[Value]) -> BTreeMap<String, Vec<String>> {
    let names = [
        "usage",
        "requests",
        "prompt_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "cached_tokens",
    ];
    let each = rows.iter().map(|row| {
        (
            row["model"].as_str().unwrap().to_owned(),
            names.map(|name| row[name].to_string()).to_vec(),
        )
    });
    each.collect()
}

#[test]
fn analytics_and_activity_have_the_same_rows() {
    let (mut sandbox, hashes) = used();
    for hash in &hashes {
        let of_one = json!({"filters": [{"field": "api_key_id", "operator": "eq", "value": hash}]});
        let analytics = of_analytics(&rows(&mut sandbox, of_one));
        let (_, activity) = call(
            &mut sandbox,
            "GET",
            &format!("/activity?date=2026-08-14&api_key_hash={hash}"),
            None,
        );
        assert_eq!(analytics, of_activity(activity["data"].as_array().unwrap()));
        assert_eq!(analytics.len(), 2);
    }
    let whole = of_analytics(&rows(&mut sandbox, json!({"dimensions": ["model"]})));
    let (_, activity) = call(&mut sandbox, "GET", "/activity", None);
    assert_eq!(whole, of_activity(activity["data"].as_array().unwrap()));
}

#[test]
fn keys_come_back_as_names_and_both_spellings_of_the_day_can_be_had() {
    let (mut sandbox, _) = used();
    let first = &rows(&mut sandbox, json!({}))[0];
    assert_eq!(
        (
            &first["api_key_id"],
            &first["date__day"],
            &first["byok_usage"]
        ),
        (&json!("one"), &json!("2026-08-14"), &Value::Null)
    );
    assert!(first["request_count"].is_string());
    sandbox.set_reports(Reports {
        created_at_column: true,
        times: true,
        numeric_counts: true,
        ..Reports::default()
    });
    let first = &rows(&mut sandbox, json!({}))[0];
    assert_eq!(first["created_at__day"], "2026-08-14T00:00:00.000Z");
    assert_eq!(first["request_count"], 2);
}

#[test]
fn an_answer_has_no_more_rows_than_asked_for_and_says_so() {
    let (mut sandbox, _) = used();
    for (limit, count, is_truncated) in [(3, 3, true), (4, 4, false)] {
        let order = json!({"field": "credits_usage", "direction": "desc"});
        let body = query(json!({"limit": limit, "order_by": order}));
        let (_, body) = call(&mut sandbox, "POST", "/analytics/query", Some(body));
        let data = &body["data"];
        assert_eq!(data["data"].as_array().unwrap().len(), count);
        assert_eq!(data["data"][0]["api_key_id"], "two", "the largest first");
        assert_eq!(data["metadata"]["truncated"], is_truncated);
    }
}

#[test]
fn a_use_is_reported_after_its_lag_and_on_the_day_it_was_made() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("one"));
    for (lag_ms, at_ms) in [(0, NOON - DAY), (2 * DAY, NOON - DAY), (0, NOON)] {
        sandbox.use_model(&NewUse {
            hash: &hash,
            model: "m",
            usd: Usd { nanos: 7 },
            byok: false,
            at_ms,
            lag_ms,
        });
    }
    for (now, count) in [(NOON, "1"), (NOON + DAY, "2")] {
        let (_, body) = call_at(
            &mut sandbox,
            now,
            "POST",
            "/analytics/query",
            Some(query(json!({}))),
        );
        assert_eq!(body["data"]["data"][0]["request_count"], count);
    }
    let (_, today) = call(&mut sandbox, "GET", "/activity", None);
    assert_eq!(
        today["data"].as_array().unwrap().len(),
        1,
        "today is not completed"
    );
    assert_eq!(sandbox.ledger().keys[0].usage.lifetime, Usd { nanos: 21 });
}

#[test]
fn what_openrouter_refuses_is_refused() {
    let (mut sandbox, hashes) = used();
    for more in [
        json!({"metrics": []}),
        json!({"metrics": ["spend"]}),
        json!({"dimensions": ["api_key_id", "model", "workspace"]}),
        json!({"dimensions": ["planet"]}),
        json!({"limit": 10_001}),
        json!({"time_range": {"start": "2026-08-14", "end": "2026-08-15T00:00:00Z"}}),
        json!({"filters": [{"field": "api_key_id", "operator": "in", "value": hashes[0]}]}),
        json!({"offset": 10}),
        json!({"order_by": {"field": "nothing", "direction": "asc"}}),
    ] {
        let (status, _) = call(
            &mut sandbox,
            "POST",
            "/analytics/query",
            Some(query(more.clone())),
        );
        assert_eq!(status, 400, "{more}");
    }
    for date in ["2026-08-15", "2026-07-15", "yesterday"] {
        let (status, _) = call(&mut sandbox, "GET", &format!("/activity?date={date}"), None);
        assert_eq!(status, 400, "{date}");
    }
    let nobodys = "0".repeat(64);
    let (status, body) = call(
        &mut sandbox,
        "POST",
        "/analytics/query",
        Some(query(
            json!({"filters": [{"field": "api_key_id", "operator": "eq", "value": nobodys}]}),
        )),
    );
    assert_eq!(
        (status, &body["data"]["metadata"]["row_count"]),
        (200, &json!(0))
    );
    assert!(body["data"]["warnings"][0].is_string());
    sandbox.set_reports(Reports {
        most_in_list: 1,
        ..Reports::default()
    });
    let both = json!({"filters": [{"field": "api_key_id", "operator": "in", "value": hashes}]});
    assert_eq!(
        call(&mut sandbox, "POST", "/analytics/query", Some(query(both))).0,
        400
    );
}

#[test]
fn analytics_answers_sixty_four_requests_a_minute() {
    let mut sandbox = Sandbox::default();
    let mut asks = |now| {
        call_at(
            &mut sandbox,
            now,
            "POST",
            "/analytics/query",
            Some(query(json!({}))),
        )
        .0
    };
    assert!((0..64).all(|n| asks(NOON + n) == 200));
    assert_eq!(asks(NOON + 64), 429);
    assert_eq!(asks(NOON + 60_001), 200);
}

#[test]
fn renamed_metrics_are_told_by_meta_and_credits_can_be_zeros() {
    let (mut sandbox, _) = used();
    sandbox.set_reports(Reports {
        credits_metric: String::from("credit_cost"),
        no_credits: true,
        ..Reports::default()
    });
    assert_eq!(
        call(
            &mut sandbox,
            "POST",
            "/analytics/query",
            Some(query(json!({})))
        )
        .0,
        400
    );
    let (_, meta) = call(&mut sandbox, "GET", "/analytics/meta", None);
    let names: Vec<&str> = meta["data"]["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"credit_cost") && !names.contains(&"credits_usage"));
    let (_, credits) = call(&mut sandbox, "GET", "/credits", None);
    assert_eq!(
        credits["data"],
        json!({"total_credits": 0, "total_usage": 0})
    );
}
