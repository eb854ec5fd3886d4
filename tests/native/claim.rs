//! A claim and what it leaves behind when nothing fails.

use serde_json::json;

use crate::support::browser::CLAIM;
use crate::support::{Browser, World, oracle};

#[test]
fn a_member_claims_one_key_and_a_second_claim_returns_it() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let first = member.claim();
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.header("cache-control"), "no-store, no-transform");
    let secret = first.secret().unwrap();
    let key = first.json()["key"].clone();
    assert_eq!(key["state"], "active");
    assert_eq!(key["limit_usd"], "5.00");
    assert_eq!(key["limit_reset"], "daily");
    assert_eq!(key["resets_at"], "2026-11-22T00:00:00Z");
    assert_eq!(key["expires_at"], "2027-02-19T12:00:00Z");

    let second = member.claim();
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(second.secret(), None);
    assert_eq!(second.json()["key"], key);
    assert_eq!(world.calls("openrouter.keys.create"), 1);

    let listed = member.get("/api/v1/keys");
    assert_eq!(listed.json()["keys"], serde_json::json!([key]));
    assert!(!listed.body.contains(&secret));
    oracle::settled(&world);
}

#[test]
fn the_mint_sends_name_limit_reset_byok_expiry_and_workspace() {
    let world = World::new();
    let workspace = world.workspace();
    world.set("OPENROUTER_WORKSPACE_ID", &workspace);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let minted = world.usable().remove(0);
    let row = world.db.text("SELECT upstream_name FROM generations");
    assert_eq!(minted.name, row);
    assert!(!minted.name.contains("member") && !minted.name.contains("1000100"));
    assert_eq!(minted.limit.unwrap().nanos, 5_000_000_000);
    assert_eq!(minted.limit_reset, Some(sandbox::Period::Daily));
    assert!(minted.include_byok_in_limit);
    assert_eq!(minted.expires_at.unwrap(), "2027-02-19T12:00:00Z");
    assert_eq!(minted.workspace_id, workspace);
    oracle::settled(&world);
}

#[test]
fn a_claim_is_one_upstream_call_and_two_database_round_trips() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.effects.plan(&[]);
    assert_eq!(member.claim().status, 201);
    let names = world.effects.names();
    let of = |kind: &str| names.iter().filter(|name| name.starts_with(kind)).count();
    assert_eq!((of("http"), of("db")), (1, 2), "{names:?}");
    world.effects.plan(&[]);
    assert_eq!(member.get("/api/v1/keys").status, 200);
    assert_eq!(member.get("/api/v1/me").status, 200);
    assert_eq!(world.effects.count(), 2, "{:?}", world.effects.names());
}

/// The fields of a key that a member gets; there are no others.
const FIELDS: [&str; 23] = [
    "available_from",
    "created_at",
    "expires_at",
    "generation",
    "grace_until",
    "holds",
    "id",
    "issued_at",
    "limit_reset",
    "limit_usd",
    "mask",
    "missing",
    "name",
    "own_limit_usd",
    "plan_limit_usd",
    "project",
    "renewable_from",
    "resets_at",
    "spend",
    "spendable",
    "state",
    "upstream_limit_usd",
    "workspace",
];

#[test]
fn a_key_is_shown_with_a_fixed_list_of_fields_without_its_hash() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let claimed = member.claim().json();
    let listed = member.get("/api/v1/keys").json();
    for (body, extra) in [(&claimed, "secret"), (&listed["keys"][0], "")] {
        let key = if extra.is_empty() { body } else { &body["key"] };
        let mut fields: Vec<&str> = key
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        fields.sort_unstable();
        assert_eq!(fields, FIELDS, "a field is told on purpose, or not at all");
    }
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    let name = world.db.text("SELECT upstream_name FROM generations");
    for response in [claimed, listed] {
        let response = response.to_string();
        assert!(
            !response.contains(&hash) && !response.contains(&name),
            "{response}"
        );
    }
}

#[test]
fn an_idempotency_key_replays_without_the_secret_and_refuses_another_body() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let send = |key: &str, body: &str| {
        let headers = [
            ("origin", "http://localhost:8787"),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        let body = keycap::http::server::message::Body::Bytes(body.as_bytes().to_vec());
        member.send("POST", "/api/v1/claim", &headers, body)
    };
    assert_eq!(send("one", CLAIM).status, 201);
    let replay = send("one", CLAIM);
    assert_eq!((replay.status, replay.secret()), (201, None));
    let other = send("one", "{ }");
    assert_eq!(
        (other.status, other.code().as_str()),
        (422, "idempotency_mismatch")
    );
    for bad in [String::from("a b"), "x".repeat(129), String::from("\u{e9}")] {
        assert_eq!(send(&bad, "{}").status, 400, "{bad}");
    }
    assert_eq!(world.calls("openrouter.keys.create"), 1);
}

#[test]
fn a_repeated_request_whose_first_try_was_refused_tries_again() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault(
        "openrouter.keys.create",
        "refuse",
        serde_json::json!({ "status": 400 }),
    );
    let headers = [
        ("origin", "http://localhost:8787"),
        ("content-type", "application/json"),
        ("idempotency-key", "once"),
    ];
    let body = || keycap::http::server::message::Body::Bytes(CLAIM.into());
    assert_eq!(
        member
            .send("POST", "/api/v1/claim", &headers, body())
            .status,
        502
    );
    let again = member.send("POST", "/api/v1/claim", &headers, body());
    assert_eq!((again.status, again.secret().is_some()), (201, true));
    oracle::settled(&world);
}

#[test]
fn every_time_in_an_answer_is_rfc_3339_with_z() {
    fn times(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    match value.as_str() {
                        Some(text) if name.ends_with("_at") => found.push(text.to_owned()),
                        _ => times(value, found),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| times(item, found)),
            _ => {}
        }
    }
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let mut found = Vec::new();
    times(&member.claim().json(), &mut found);
    times(&member.get("/api/v1/keys").json(), &mut found);
    times(&member.get("/api/v1/me").json(), &mut found);
    assert_eq!(found.len(), 10, "{found:?}");
    for text in found {
        assert!(text.ends_with('Z') && text.len() == 20, "{text}");
        assert!(keycap::domain::time::Timestamp::parse(&text).is_some());
    }
}

#[test]
fn a_renamed_account_keeps_its_key_and_a_recycled_login_does_not_inherit_it() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let key = member.claim().json()["key"]["id"].clone();
    let renamed = Browser::signed_in(&world, "renamed");
    assert_eq!(renamed.claim().json()["key"]["id"], key);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 1);
    // Somebody else takes the old login. They have another account number, so they are another member.
    world
        .db
        .run("UPDATE members SET login = 'second', change_id = change_id");
    let other = Browser::signed_in(&world, "second");
    assert_eq!(other.claim().status, 201);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 2);
    oracle::settled(&world);
}

#[test]
fn an_expired_keys_spend_counts_against_the_next_one_of_the_same_day() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let hash = world.usable()[0].hash.clone();
    // The clock is now at the last hour of the key, on its last day.
    world.pass(90 * 86_400 - 3600);
    let now = world.now_ms.get();
    let spent = sandbox::Usd {
        nanos: 1_250_000_000,
    };
    assert!(world.sandbox.borrow_mut().book_usage(&hash, spent, now));
    world.pass(3600 + 301);
    assert!(world.sweep());
    assert_eq!(world.states(), ["expired"]);
    let again = Browser::signed_in(&world, "member");
    let response = again.claim();
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.json()["key"]["limit_usd"], "3.75");
    oracle::always(&world);
}

#[test]
fn an_expired_key_of_unknown_spend_counts_with_its_whole_limit_until_the_reset() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.pass(90 * 86_400 + 301);
    world.add_fault(
        "openrouter.keys.get",
        "html_error",
        serde_json::json!({ "times": 0 }),
    );
    for _ in 0..12 {
        assert!(world.sweep());
        world.pass(600);
    }
    assert_eq!(world.states(), ["expired"]);
    let again = Browser::signed_in(&world, "member");
    let response = again.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let key = &response.json()["key"];
    assert_eq!(
        (&key["state"], &key["holds"], &key["limit_usd"]),
        (&json!("disabled"), &json!(["budget"]), &json!("5.00"))
    );
    assert_eq!(world.usable().len(), 0, "off before it is recorded");
    world.pass(86_400);
    world.sandbox.borrow_mut().clear_faults();
    assert!(world.sweep());
    let key = again.at_fresh_isolate().claim().json()["key"].clone();
    assert_eq!(
        (&key["state"], &key["limit_usd"]),
        (&json!("active"), &json!("5.00"))
    );
    oracle::always(&world);
}
