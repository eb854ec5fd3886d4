//! The control API, as tests over HTTP use it.

use crate::common::*;
use sandbox::Sandbox;
use serde_json::{Value, json};

fn control(sandbox: &mut Sandbox, method: &str, path: &str, body: &str) -> (u16, Value) {
    let response = answer(
        sandbox,
        &request(method, &format!("/_sandbox/{path}"), &[], body),
        NOON,
    );
    (response.status, response.value())
}

#[test]
fn faults_are_added_one_by_one_or_as_a_list_and_dropped_together() {
    let mut sandbox = Sandbox::default();
    let one = r#"{"operation":"openrouter.keys.list","kind":"error_before","status":503}"#;
    assert_eq!(
        control(&mut sandbox, "POST", "faults", one),
        (200, json!({"added": 1}))
    );
    assert_eq!(call(&mut sandbox, "GET", "/keys", None).0, 503);
    assert_eq!(
        control(&mut sandbox, "POST", "faults", &format!("[{one},{one}]")),
        (200, json!({"added": 2}))
    );
    assert_eq!(
        control(&mut sandbox, "DELETE", "faults", ""),
        (200, json!({"cleared": true}))
    );
    assert_eq!(call(&mut sandbox, "GET", "/keys", None).0, 200);
}

#[test]
fn a_list_with_one_wrong_fault_adds_none() {
    let mut sandbox = Sandbox::default();
    let list = r#"[{"operation":"openrouter.keys.list","kind":"error_before"},{"operation":"openrouter.keys.list","kind":"eror"}]"#;
    assert_eq!(control(&mut sandbox, "POST", "faults", list).0, 400);
    assert_eq!(call(&mut sandbox, "GET", "/keys", None).0, 200);
}

#[test]
fn the_ledger_shows_keys_calls_violations_tokens_and_what_waits() {
    let mut sandbox = Sandbox::default();
    sign_in(&mut sandbox, "member", NOON);
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    let (status, ledger) = control(&mut sandbox, "GET", "ledger", "");
    assert_eq!(status, 200);
    let key = &ledger["keys"][0];
    assert_eq!(
        (&key["hash"], &key["secret"], &key["name"]),
        (&json!(hash), &json!(secret), &json!("a"))
    );
    assert_eq!(
        (&key["limit"], &key["limit_reset"], &key["expires_at"]),
        (&json!(5), &json!("daily"), &json!("2026-11-13T12:00:00Z"))
    );
    assert_eq!(
        (
            &key["disabled"],
            &key["deleted_at_ms"],
            &key["created_at_ms"]
        ),
        (&json!(false), &Value::Null, &json!(NOON))
    );
    assert_eq!(
        ledger["counts"],
        json!({"github.authorize": 1, "github.token": 1, "openrouter.keys.create": 1})
    );
    let call = json!({"n": 3, "operation": "openrouter.keys.create", "at_ms": NOON, "outcome": {"answered": 201}, "effect": true, "fault": null});
    assert_eq!(ledger["calls"][2], call);
    assert_eq!(
        (&ledger["violations"], &ledger["held"], &ledger["late"]),
        (&json!([]), &json!([]), &json!(0))
    );
    assert_eq!(
        (
            &ledger["secrets_minted"],
            &ledger["github_tokens"][0]["user_id"]
        ),
        (&json!([secret]), &json!(1_000_100))
    );
}

#[test]
fn held_calls_are_shown_by_operation() {
    let mut sandbox = Sandbox::default();
    control(
        &mut sandbox,
        "POST",
        "faults",
        r#"{"operation":"openrouter.keys.list","kind":"hold_before"}"#,
    );
    assert_eq!(control(&mut sandbox, "GET", "held", "").0, 408);
    sandbox.handle(&openrouter("GET", "/keys", None), NOON);
    let (status, held) = control(
        &mut sandbox,
        "GET",
        "held?operation=openrouter.keys.list&count=1",
        "",
    );
    assert_eq!(
        (status, held),
        (
            200,
            json!({"held": [{"ticket": 1, "operation": "openrouter.keys.list", "effect": false}]})
        )
    );
    assert_eq!(
        control(
            &mut sandbox,
            "GET",
            "held?operation=openrouter.keys.create",
            ""
        )
        .0,
        408
    );
    assert_eq!(
        control(&mut sandbox, "GET", "held?operation=openrouter.keys", "").0,
        400
    );
}

#[test]
fn somebody_elses_key_appears_in_the_account() {
    let mut sandbox = Sandbox::default();
    let (status, added) = control(
        &mut sandbox,
        "POST",
        "keys",
        r#"{"name":"theirs","limit":3}"#,
    );
    assert_eq!(
        (status, &added["key"]["foreign"], &added["key"]["limit"]),
        (201, &json!(true), &json!(3))
    );
    let (_, list) = call(&mut sandbox, "GET", "/keys", None);
    assert_eq!(list["data"][0]["name"], "theirs");
    assert_eq!(
        control(&mut sandbox, "POST", "keys", "{}").1["key"]["name"],
        "made by somebody else"
    );
    assert_eq!(
        control(&mut sandbox, "POST", "keys", r#"{"limit":"3"}"#).0,
        400
    );
}

#[test]
fn usage_is_booked_by_hash() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("a"));
    assert_eq!(
        control(
            &mut sandbox,
            "POST",
            "usage",
            &json!({"hash": hash, "usd": 1.25}).to_string()
        )
        .0,
        200
    );
    assert_eq!(
        control(
            &mut sandbox,
            "POST",
            "usage",
            &json!({"hash": hash, "usd": 1, "byok": true}).to_string()
        )
        .0,
        200
    );
    let (_, shown) = call(&mut sandbox, "GET", &format!("/keys/{hash}"), None);
    assert_eq!(
        (&shown["data"]["usage_weekly"], &shown["data"]["byok_usage"]),
        (&json!(1.25), &json!(1))
    );
    assert_eq!(
        control(&mut sandbox, "POST", "usage", r#"{"hash":"x","usd":1}"#).0,
        400
    );
}

#[test]
fn model_calls_are_made_with_a_secret_and_metered_as_requested() {
    let mut sandbox = Sandbox::default();
    let (_, secret) = mint(&mut sandbox, mint_body("a"));
    let spend = |sandbox: &mut Sandbox, usd: u64| {
        let body = json!({"key": secret, "usd": usd}).to_string();
        control(sandbox, "POST", "spend", &body)
    };
    let overshoot = r#"{"lag_ms":0,"overshoot":true}"#;
    assert_eq!(control(&mut sandbox, "POST", "metering", overshoot).0, 200);
    for (usd, expected) in [
        (4, json!({"booked_usd": 4})),
        (4, json!({"booked_usd": 4})),
        (1, json!({"refused": "limit_reached", "status": 403})),
    ] {
        assert_eq!(spend(&mut sandbox, usd), (200, expected));
    }
    control(&mut sandbox, "POST", "reset", "");
    assert_eq!(
        spend(&mut sandbox, 1),
        (200, json!({"refused": "unusable", "status": 401}))
    );
    let (_, secret) = mint(&mut sandbox, mint_body("b"));
    let body = json!({"key": secret, "usd": 9}).to_string();
    let cut = control(&mut sandbox, "POST", "spend", &body);
    assert_eq!(cut, (200, json!({"booked_usd": 5})), "reset with the rest");
    for (path, body) in [("spend", r#"{"usd":1}"#), ("metering", r#"{"lag_ms":1}"#)] {
        assert_eq!(control(&mut sandbox, "POST", path, body).0, 400);
    }
}

#[test]
fn the_clock_moves_late_effects_happen_and_a_reset_forgets_everything() {
    let mut sandbox = Sandbox::default();
    assert_eq!(
        control(&mut sandbox, "POST", "clock", r#"{"advance_ms":3600000}"#),
        (200, json!({"offset_ms": HOUR}))
    );
    assert_eq!(
        control(&mut sandbox, "POST", "clock", r#"{"advance_ms":"1h"}"#).0,
        400
    );
    control(
        &mut sandbox,
        "POST",
        "faults",
        r#"{"operation":"openrouter.keys.create","kind":"late"}"#,
    );
    sandbox.handle(&openrouter("POST", "/keys", Some(&mint_body("a"))), NOON);
    assert_eq!(
        control(&mut sandbox, "POST", "land", ""),
        (200, json!({"landed": 1}))
    );
    assert_eq!(sandbox.ledger().keys[0].created_at_ms, NOON + HOUR);
    assert_eq!(
        control(&mut sandbox, "POST", "reset", ""),
        (200, json!({"reset": true}))
    );
    assert!(sandbox.ledger().keys.is_empty() && sandbox.clock_offset_ms() == 0);
}

#[test]
fn the_control_api_answers_its_health_and_knows_no_other_route() {
    let mut sandbox = Sandbox::default();
    assert_eq!(
        control(&mut sandbox, "GET", "healthz", ""),
        (200, json!({"status": "ok"}))
    );
    assert_eq!(control(&mut sandbox, "GET", "elsewhere", "").0, 404);
    assert!(
        sandbox.ledger().calls.is_empty(),
        "control calls are not in the ledger"
    );
}
