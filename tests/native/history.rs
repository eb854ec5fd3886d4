//! The history of a key and of an account: what has happened, who did it, and what was before.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::caps::{admin, assign, sweeps};
use crate::support::browser::Response;
use crate::support::world::ORIGIN;
use crate::support::{Browser, TEN_MINUTES, World};

/// Makes a member with a key. Returns the member and the key's address.
fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, format!("/api/v1/keys/{id}"))
}

/// Reads all pages of a history, newest first.
fn whole(member: &Browser<'_>, target: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        member.world.effects.plan(&[]);
        let response = member.get(&format!("{target}{after}"));
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(member.world.effects.count(), 1, "one round trip a page");
        assert!(
            !response.body.contains("mem_"),
            "nobody is named: {response:?}"
        );
        let page = response.json();
        let events = page["events"].as_array().unwrap();
        all.extend(events.clone());
        let Some(next) = page["next"].as_str() else {
            assert!(events.len() <= 50);
            return all;
        };
        assert_eq!(events.len(), 50, "a page that is not the last one is full");
        after = format!("?after={next}");
    }
}

/// The events, oldest first, each as words: event, actor, secret, reason, before and after.
fn told(events: &[Value]) -> Vec<String> {
    let word = |value: &Value| match value {
        Value::Null => String::from("-"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let members = ["event", "actor", "generation", "reason"];
    let line = |event: &Value| {
        let mut line = members.map(|name| word(&event[name])).to_vec();
        for (words, amount) in [("before", "before_usd"), ("after", "after_usd")] {
            assert!(event[words].is_null() || event[amount].is_null(), "{event}");
            line.push(word(
                &event[if event[amount].is_null() {
                    words
                } else {
                    amount
                }],
            ));
        }
        line.join(" ")
    };
    events.iter().rev().map(line).collect()
}

#[test]
fn a_keys_history_tells_who_did_what_and_what_was_before() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let id = key.rsplit('/').next().unwrap();
    assert_eq!(member.patch(&key, r#"{"name":"laptop"}"#).status, 200);
    for limit in [r#"{"limit_usd":"2"}"#, r#"{"limit_usd":null}"#] {
        assert_eq!(member.post(&format!("{key}/limit"), limit).status, 200);
    }
    for body in [r#"{"disabled":true}"#, r#"{"disabled":false}"#] {
        assert_eq!(member.patch(&key, body).status, 200);
    }
    let raises = format!("/api/v1/admin/keys/{id}/raises");
    let raised = admin(&world, "POST", &raises, r#"{"amount_usd":"2.50"}"#);
    let raise = raised["raise"]["id"].as_str().unwrap();
    admin(
        &world,
        "DELETE",
        &format!("/api/v1/admin/raises/{raise}"),
        "{}",
    );
    world.pass(TEN_MINUTES);
    let hash = world.usable()[0].hash.clone();
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "limit": 1, "disabled": true }),
    );
    member.post("/api/v1/keys/refresh", "{}");
    admin(
        &world,
        "PATCH",
        &format!("/api/v1/admin/keys/{id}"),
        r#"{"upstream_hold":"lift"}"#,
    );
    sweeps(&world, 3);
    assert_eq!(member.post(&format!("{key}/rotate"), "{}").status, 201);
    assert_eq!(member.delete(&key).status, 200);
    let events = whole(&member, &format!("{key}/history"));
    assert_eq!(
        told(&events),
        [
            "secret_issued you 1 - - -",
            "renamed you - - - -",
            "own_limit_set you - - - 2.00",
            "limit_changed you 1 - 5.00 2.00",
            "own_limit_set you - - 2.00 -",
            "limit_changed you 1 - 2.00 5.00",
            "disabled you - owner - -",
            "secret_off openrouter 1 - - -",
            "enabled you - owner - -",
            "secret_on openrouter 1 - - -",
            "limit_raised administrator - - - 2.50",
            "limit_changed administrator 1 - 5.00 7.50",
            "raise_ended administrator - - 2.50 -",
            "limit_changed administrator 1 - 7.50 5.00",
            "disabled openrouter - upstream - -",
            "secret_off openrouter 1 - - -",
            "limit_lowered_upstream openrouter - - 5.00 1.00",
            "upstream_lifted administrator - - - -",
            "secret_on openrouter 1 - - -",
            "limit_changed keycap 1 - 1.00 5.00",
            "secret_off openrouter 1 - - -",
            "secret_issued you 2 - - -",
            "secret_replaced you 1 - - -",
            "ended you - - - -",
            "secret_removed openrouter 1 - - -",
            "secret_removed openrouter 2 - - -",
        ]
    );
    for event in &events {
        assert_eq!(event["key"], json!({ "id": id, "name": "laptop" }));
        assert!(event["at"].as_str().unwrap().ends_with('Z'));
    }
}

#[test]
fn the_accounts_history_has_its_own_events_and_those_of_every_key() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    assign(&world, &member, "pro");
    let (other, _) = holder(&world, "second");
    assign(&world, &other, "basic");
    let second = member.post("/api/v1/keys", r#"{"name":"server"}"#);
    assert_eq!(second.status, 201, "{second:?}");
    assert_eq!(member.post(&format!("{key}/leaked"), "{}").status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let by_approval = r#"{"claims":"by_approval"}"#;
    assert_eq!(
        operator.patch("/api/v1/admin/settings", by_approval).status,
        200
    );
    let asked = member.post("/api/v1/requests", r#"{"kind":"claim"}"#);
    assert_eq!(asked.status, 201, "{asked:?}");
    let request = asked.json()["request"]["id"].as_str().unwrap().to_owned();
    let target = format!("/api/v1/admin/requests/{request}");
    assert_eq!(
        operator.patch(&target, r#"{"state":"declined"}"#).status,
        200
    );
    let events = whole(&member, "/api/v1/me/history");
    let told = told(&events);
    let of_the_account: Vec<&String> = told
        .iter()
        .zip(events.iter().rev())
        .filter_map(|(line, event)| event["key"].is_null().then_some(line))
        .collect();
    assert_eq!(
        of_the_account,
        [
            "joined you - - - -",
            "terms_accepted you - - 0 1",
            "plan_assigned administrator - - default pro",
            "request_made you - - - -",
            "request_decided administrator - - open declined",
        ]
    );
    assert_eq!(events[0]["request_kind"], "claim");
    let names: BTreeSet<&str> = events
        .iter()
        .filter_map(|event| event["key"]["id"].as_str())
        .collect();
    assert_eq!(names.len(), 2, "both keys, and no key of another member");
    assert!(
        told.contains(&String::from("disabled you - leak - -")),
        "{told:#?}"
    );
}

#[test]
fn a_long_history_is_delivered_page_by_page_and_each_event_once() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    for n in 0..120 {
        world.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, before_nano, at)
             SELECT 'c-{n}', public_id, 'own_limit_set', 'somebody', {n}000000000, 1800000000 + {n} FROM keys"
        ));
    }
    for target in [format!("{key}/history"), String::from("/api/v1/me/history")] {
        let events = whole(&member, &target);
        let limits: Vec<&str> = events
            .iter()
            .filter_map(|event| {
                event["before_usd"]
                    .as_str()
                    .filter(|_| event["event"] == "own_limit_set")
            })
            .collect();
        let expected: Vec<String> = (0..120).rev().map(|n| format!("{n}.00")).collect();
        assert_eq!(limits, expected, "{target}");
    }
}

#[test]
fn a_page_of_one_history_opens_no_other_one() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let (second, _) = holder(&world, "second");
    world.db.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
         INSERT INTO audit (change_id, target, action, actor, at)
           SELECT 'c-' || public_id || i, public_id, 'key_renamed', 'somebody', 1 FROM n, keys",
    );
    let history = format!("{key}/history");
    let next = member.get(&history).json()["next"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(member.get(&format!("{history}?after={next}")).status, 200);
    for (browser, target, after) in [
        (&second, "/api/v1/me/history", next.as_str()),
        (&member, "/api/v1/me/export", &next),
        (&member, &history, &next[1..]),
        (&member, &history, "1"),
        (&member, &history, ""),
        (&member, "/api/v1/me/history", "%7B%22row%22%3A9%7D"),
    ] {
        let response = browser.get(&format!("{target}?after={after}"));
        assert_eq!(
            (response.status, response.code().as_str()),
            (400, "bad_request"),
            "{target}"
        );
    }
}

#[test]
fn the_history_of_another_members_key_is_answered_like_that_of_none() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let stranger = Browser::signed_in(&world, "second");
    // A key whose secret was never made is not shown anywhere.
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    assert_eq!(stranger.claim().status, 502);
    let never_made = world
        .db
        .text("SELECT public_id FROM keys ORDER BY id DESC LIMIT 1");
    let ask = |browser: &Browser<'_>, target: &str| -> Response {
        let headers = [("origin", ORIGIN), ("x-request-id", "same-request-id")];
        let body = keycap::http::server::message::Body::Empty;
        browser.send("GET", &format!("{target}/history"), &headers, body)
    };
    assert_eq!(ask(&member, &key).status, 200);
    let unknown = ask(&stranger, "/api/v1/keys/key_000000000000000000000000");
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (404, "not_found")
    );
    let operator = Browser::signed_in(&world, "operator");
    let never = format!("/api/v1/keys/{never_made}");
    for (browser, target) in [
        (&stranger, key.as_str()),
        (&operator, &key),
        (&stranger, &never),
        (&stranger, "/api/v1/keys/1"),
        (&stranger, "/api/v1/keys/%27%20OR%201=1--"),
        (&stranger, "/api/v1/keys/mem_000000000000000000000000"),
    ] {
        let answer = ask(browser, target);
        assert_eq!(
            (answer.status, &answer.body),
            (404, &unknown.body),
            "{target}"
        );
    }
}

/// Actions that are told nowhere: steps of a change that is told by another action, and changes of what is nobody's.
const STEPS: &[&str] = &[
    "instance_bound",
    "minting_switched",
    "keys_switched",
    "claims_switched",
    "upstream_terms_confirmed",
    "restore_suspected",
    "restore_accepted",
    "account_lost",
    "account_found",
    "account_accepted",
    "job_asked",
    "stop_asked",
    "workspaces_chosen",
    "workspace_enabled",
    "workspace_disabled",
    "workspace_closing",
    "workspace_closed",
    "workspace_opened",
    "audit_pruned",
    "admin_pinned",
    "admin_refused",
    "plan_seeded",
    "plan_created",
    "plan_changed",
    "blocked",
    "unblocked",
    "allotted",
    "allotment_withdrawn",
    "finding_acknowledged",
    "departures_listed",
    "departures_released",
    "departures_rejected",
    "departures_expired",
    "bulk_started",
    "bulk_stopped",
    "bulk_ended",
    "member_erased",
    "rotation_begun",
    "rotation_ended",
    "reserved",
    "doubted",
    "abandoned",
    "revoke_asked",
    "provider_changed",
    "handoff_started",
    "handoff_ready",
    "handoff_code_wrong",
    "handoff_confirmed",
    "handoff_redeeming",
    "handoff_redeemed",
    "handoff_refused",
    "device_code_wrong",
    "device_failed",
    "provider_key_changed",
];

#[test]
fn every_action_of_the_audit_is_told_or_is_known_to_be_a_step() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    let before = whole(&member, "/api/v1/me/history").len();
    let mut told = 0;
    for action in world.db.texts("SELECT name FROM audit_actions") {
        world.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, before_nano, after_nano, at)
             SELECT 'c-{action}', public_id, '{action}', 'somebody', 1, 2, 1800000000 FROM keys"
        ));
        let events = whole(&member, "/api/v1/me/history");
        let is_told = events.len() > before + told;
        assert_ne!(is_told, STEPS.contains(&action.as_str()), "{action}");
        told += usize::from(is_told);
    }
    assert!(told > 30, "{told}");
}
