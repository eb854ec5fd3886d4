//! What owners do with their own keys: disable and enable them, name them, and delete them.

mod admins;
mod checks;
mod removal;
mod switches;

use serde_json::{Value, json};

use crate::support::{Browser, TEN_MINUTES, World, oracle};

const OFF: &str = r#"{"disabled":true}"#;

const ON: &str = r#"{"disabled":false}"#;

/// Makes a member with a key. Returns the member and the key's address.
fn holder(world: &World) -> (Browser<'_>, String) {
    let member = Browser::signed_in(world, "member");
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, format!("/api/v1/keys/{id}"))
}

/// Checks that an answer says that a change is being carried out. Returns the answer's key.
fn under_way(response: &crate::support::browser::Response) -> Value {
    assert_eq!(response.status, 202, "{response:?}");
    response.json()["key"].clone()
}

/// Checks that an answer is good, so that OpenRouter has confirmed the change. Returns the answer's key.
fn key_of(response: &crate::support::browser::Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["key"].clone()
}

fn changed(member: &Browser<'_>, key: &str, body: &str) -> (Value, Value) {
    let key = key_of(&member.patch(key, body));
    (key["state"].clone(), key["holds"].clone())
}

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
}

/// Checks that a key was made and is disabled until the window ends.
fn nothing_left(response: &crate::support::browser::Response) {
    assert_eq!(response.status, 201, "{response:?}");
    let key = response.json()["key"].clone();
    assert_eq!(
        (&key["state"], &key["holds"]),
        (&json!("disabled"), &json!(["budget"]))
    );
}

/// Puts a hold of an admin on the key, which its owner cannot lift.
fn admin_hold(world: &World) {
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys",
    );
}
