//! What an administrator sees of everybody, beside what each member sees of their own.

use serde_json::Value;

use crate::support::{Browser, TEN_MINUTES, World};

/// The keys that a list answers with.
fn keys(browser: &Browser<'_>, target: &str) -> Vec<Value> {
    let answer = browser.get(target);
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    answer.json()["keys"].as_array().unwrap().clone()
}

fn ids(keys: &[Value]) -> Vec<&str> {
    keys.iter().map(|key| key["id"].as_str().unwrap()).collect()
}

#[test]
fn an_administrators_own_keys_are_in_both_lists_and_everybody_elses_in_one() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let claimed = |browser: &Browser<'_>| {
        let answer = browser.claim();
        answer.json()["key"]["id"].as_str().unwrap().to_owned()
    };
    let (theirs, own) = (claimed(&member), claimed(&operator));

    let everybodys = keys(&operator, "/api/v1/admin/keys");
    assert_eq!(ids(&everybodys), [&own, &theirs]);
    assert_eq!(ids(&keys(&operator, "/api/v1/keys")), [&own]);
    assert_eq!(ids(&keys(&member, "/api/v1/keys")), [&theirs]);
    // What an administrator changes in everybody's list is seen in the member's own, and in nobody else's.
    let hold = r#"{"disabled":true}"#;
    let disabled = operator.patch(&format!("/api/v1/keys/{theirs}"), hold);
    assert_eq!(disabled.status, 200, "{disabled:?}");
    assert_eq!(keys(&member, "/api/v1/keys")[0]["state"], "disabled");
    assert_eq!(keys(&operator, "/api/v1/keys")[0]["state"], "active");
    let everybodys = keys(&operator, "/api/v1/admin/keys");
    assert_eq!(everybodys[1]["state"], "disabled");
}

#[test]
fn when_a_key_ended_stays_on_its_row_and_administrators_see_it() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let claimed = member.claim();
    let id = claimed.json()["key"]["id"].as_str().unwrap().to_owned();
    let seen = || keys(&operator, "/api/v1/admin/keys")[0]["ended_at"].clone();
    assert_eq!(seen(), Value::Null);

    let removed = member.delete(&format!("/api/v1/keys/{id}"));
    assert_eq!(removed.status, 200, "{removed:?}");
    let ended = seen();
    assert!(ended.is_string(), "{ended}");
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        world.tick();
        world.reconcile();
    }
    world.pass(86_400);
    world.sync_usage();
    world.tick();
    assert_eq!(seen(), ended, "no job changes it");
    for change in ["ended_at = ended_at + 1", "ended_at = NULL"] {
        let sql = format!("UPDATE keys SET {change} WHERE public_id = '{id}'");
        let connection = world.db.connection().borrow();
        assert!(connection.execute_batch(&sql).is_err(), "{change}");
    }
}
