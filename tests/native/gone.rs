//! A key that OpenRouter no longer has, and how its owner, an admin and the jobs treat the 404: they conclude something
//! from it only if the same credential still finds our own workspace.

use serde_json::{Value, json};

use crate::support::browser::Response;
use crate::support::{Browser, TEN_MINUTES, World, oracle};

/// Makes a member with a key that OpenRouter no longer has. Returns the key's address too.
fn holder_of_nothing(world: &World) -> (Browser<'_>, String) {
    let member = Browser::signed_in(world, "member");
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let key = response.json()["key"]["id"].as_str().unwrap().to_owned();
    let hash = world.usable()[0].hash.clone();
    world.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
    (member, format!("/api/v1/keys/{key}"))
}

fn shown(member: &Browser<'_>) -> Value {
    member.get("/api/v1/keys").json()["keys"][0].clone()
}

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
}

fn holds(world: &World) -> Vec<String> {
    world.db.texts("SELECT reason FROM holds ORDER BY reason")
}

/// The states of all generations that ever existed, except void ones.
fn states(world: &World) -> Vec<String> {
    let mut states = world.states();
    states.retain(|state| state != "void");
    states
}

fn missed_by(world: &World) -> Vec<String> {
    world
        .db
        .texts("SELECT actor FROM audit WHERE action = 'key_missed'")
}

/// A new secret was made for a key whose old one is gone. It is disabled until the window ends, because nobody knows
/// what the old one had spent.
fn is_replaced(world: &World, response: &Response) {
    assert_eq!(response.status, 201, "{response:?}");
    assert!(response.secret().is_some());
    let key = &response.json()["key"];
    assert_eq!(
        (&key["missing"], &key["holds"], &key["generation"]),
        (&json!(false), &json!(["budget"]), &json!(2))
    );
    assert_eq!(holds(world), ["budget"]);
    assert_eq!(world.usable().len(), 0);
    sweeps(world, 2);
    assert_eq!(states(world), ["revoked", "disabled"]);
    world.pass(86_400);
    sweeps(world, 1);
    assert_eq!(states(world), ["revoked", "active"]);
    assert_eq!(world.usable()[0].limit.unwrap().nanos, 5_000_000_000);
    oracle::settled(world);
}

#[test]
fn a_key_that_is_gone_upstream_is_rotated_renewed_or_replaced_after_a_leak() {
    for (verb, body) in [
        ("rotate", "{}"),
        ("rotate", r#"{"grace_hours":4}"#),
        ("leaked", "{}"),
    ] {
        let world = World::new();
        let (member, key) = holder_of_nothing(&world);
        is_replaced(&world, &member.post(&format!("{key}/{verb}"), body));
        assert_eq!(missed_by(&world), [world.member("member")], "{verb}");
    }
    let world = World::new();
    let (member, key) = holder_of_nothing(&world);
    world.pass(80 * 86_400);
    let member = renewed(&member);
    is_replaced(&world, &member.post(&format!("{key}/renew"), "{}"));
}

/// Signs the member in again, because their session has ended meanwhile.
fn renewed<'a>(member: &Browser<'a>) -> Browser<'a> {
    Browser::signed_in(member.world, "member")
}

#[test]
fn a_key_that_is_gone_upstream_is_removed_at_once_and_its_place_is_free() {
    let world = World::new();
    let (member, key) = holder_of_nothing(&world);
    let response = member.delete(&key);
    assert_eq!(
        (response.status, &response.json()["key"]["state"]),
        (200, &json!("revoked"))
    );
    assert_eq!(world.states(), ["revoked"]);
    assert_eq!(world.db.number("SELECT live FROM seats"), 0);
    assert_eq!(member.claim().status, 201);
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn an_admins_leak_report_of_a_key_that_is_gone_upstream_is_finished_at_once() {
    let world = World::new();
    let (member, key) = holder_of_nothing(&world);
    let operator = Browser::signed_in(&world, "operator");
    let response = operator.post(&format!("{key}/leaked"), "{}");
    assert_eq!(response.status, 200, "{response:?}");
    let note = response.json()["note"].as_str().unwrap().to_owned();
    assert!(note.contains("no longer works"), "{note}");
    assert_eq!(
        (&shown(&member)["state"], &shown(&member)["missing"]),
        (&json!("disabled"), &json!(true))
    );
    // Only the owner asks for the replacement, and it ends the report.
    is_replaced(&world, &member.post(&format!("{key}/rotate"), "{}"));
}

#[test]
fn any_action_on_a_key_that_is_gone_upstream_shows_it_as_missing_at_once() {
    type Act = fn(&Browser<'_>, &str) -> Response;
    let acts: [(&str, Act); 4] = [
        ("disable", |m, key| m.patch(key, r#"{"disabled":true}"#)),
        ("limit", |m, key| {
            m.post(&format!("{key}/limit"), r#"{"limit_usd":"2"}"#)
        }),
        ("refresh", |m, _| m.post("/api/v1/keys/refresh", "{}")),
        ("list after a plan change", |m, _| {
            let operator = Browser::signed_in(m.world, "operator");
            let response = operator.patch("/api/v1/admin/plans/default", r#"{"limit_usd":"3"}"#);
            assert_eq!(response.status, 200);
            sweeps(m.world, 1);
            m.get("/api/v1/keys")
        }),
    ];
    for (name, act) in acts {
        let world = World::new();
        let (member, key) = holder_of_nothing(&world);
        let response = act(&member, &key);
        assert_eq!(response.status, 200, "{name} {response:?}");
        let of_answer = response.json();
        let of_answer = of_answer
            .get("key")
            .unwrap_or(&of_answer["keys"][0])
            .clone();
        assert_eq!(of_answer["missing"], true, "{name}");
        assert_eq!(shown(&member)["missing"], true, "{name}");
        assert_eq!(missed_by(&world).len(), 1, "{name}");
        // The sweep asks OpenRouter nothing more about the key.
        sweeps(&world, 1);
        let before = world.calls("openrouter.keys.update") + world.calls("openrouter.keys.get");
        sweeps(&world, 2);
        let after = world.calls("openrouter.keys.update") + world.calls("openrouter.keys.get");
        assert_eq!(before, after, "{name}");
        assert_eq!(world.last_run(), "done", "{name}");
    }
}

#[test]
fn a_missing_key_that_is_disabled_cannot_be_enabled_and_says_why() {
    let world = World::new();
    let (member, key) = holder_of_nothing(&world);
    for body in [r#"{"disabled":true}"#, r#"{"disabled":false}"#] {
        let response = member.patch(&key, body);
        assert_eq!(
            (response.status, &response.json()["key"]["missing"]),
            (200, &json!(true)),
            "{body}"
        );
    }
    assert_eq!(
        (&shown(&member)["state"], holds(&world).len()),
        (&json!("disabled"), 0)
    );
    sweeps(&world, 2);
    assert_eq!(world.last_run(), "done");
    is_replaced(&world, &member.post(&format!("{key}/rotate"), "{}"));
}

#[test]
fn a_404_that_may_be_another_accounts_changes_nothing() {
    // Three cases: the credential belongs to another account; the workspace does not answer; the database may have been
    // restored.
    for way in ["account", "silent", "suspected"] {
        let world = World::new();
        let (member, key) = holder_of_nothing(&world);
        let ours = match way {
            "account" => Some(world.swap_account()),
            "silent" => {
                let more = json!({ "times": 0 });
                world.add_fault("openrouter.workspaces.get", "error_before", more);
                None
            }
            _ => {
                world.db.run(
                    "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'restore_suspected', 't', 1);
                     UPDATE settings SET restore = 'suspected', change_id = 't'",
                );
                None
            }
        };
        if way != "suspected" {
            let response = member.post(&format!("{key}/rotate"), "{}");
            assert_eq!(
                (response.status, response.code().as_str()),
                (503, "old_unconfirmed"),
                "{way}"
            );
        }
        assert_eq!(member.post("/api/v1/keys/refresh", "{}").status, 200);
        let response = member.post(&format!("{key}/leaked"), "{}");
        assert_eq!(
            (response.status, response.secret()),
            (202, None),
            "{way} {response:?}"
        );
        let note = response.json()["note"].as_str().unwrap().to_owned();
        assert!(note.starts_with("The leaked secret still works."), "{note}");
        let response = member.delete(&key);
        assert_eq!(
            (response.status, &response.json()["key"]["state"]),
            (202, &json!("revoking")),
            "{way}"
        );
        assert_eq!(world.states(), ["revoking"], "{way}");
        assert!(missed_by(&world).is_empty(), "{way}");
        if let Some(ours) = ours {
            world.sandbox.replace(ours);
        }
    }
}

#[test]
fn a_key_that_waits_for_its_reset_and_is_gone_upstream_can_be_replaced() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let first = member.claim().json()["key"]["id"].clone();
    world.spends(5.0);
    let key = format!("/api/v1/keys/{}", first.as_str().unwrap());
    assert_eq!(member.delete(&key).status, 200);
    sweeps(&world, 3);
    let second = member.claim().json()["key"].clone();
    assert_eq!(second["holds"], json!(["budget"]));
    let key = format!("/api/v1/keys/{}", second["id"].as_str().unwrap());
    let hash = world
        .db
        .text("SELECT upstream_hash FROM generations WHERE state = 'disabled'");
    world.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
    // The key waits for its budget until the next day, and nobody knows yet that it is gone.
    assert_eq!(
        member.post(&format!("{key}/rotate"), "{}").code(),
        "key_off"
    );
    world.pass(86_400);
    sweeps(&world, 1);
    assert_eq!(shown(&member)["missing"], true);
    assert_eq!(holds(&world), ["budget"]);
    let response = member.post(&format!("{key}/rotate"), "{}");
    assert_eq!(response.status, 201, "{response:?}");
    world.pass(86_400);
    sweeps(&world, 2);
    assert_eq!(world.usable()[0].limit.unwrap().nanos, 5_000_000_000);
    assert_eq!(holds(&world).len(), 0);
    oracle::settled(&world);
}
