//! What administrators do with the keys of others.

use keycap::domain::id::{IdKind, PublicId};
use keycap::domain::people::session::Session;
use keycap::domain::time::Timestamp;
use keycap::store::keys::own_keys;
use keycap::store::keys::own_keys::{KeyAct, KeyChange};
use keycap::store::query::StoreError;
use serde_json::json;

use super::{OFF, ON, changed, holder, key_of, sweeps};
use crate::support::{Browser, World, oracle};

#[test]
fn an_admin_sets_and_lifts_an_admin_hold_on_any_key() {
    let world = World::new();
    let (member, key) = holder(&world);
    let operator = Browser::signed_in(&world, "operator");
    for _ in 0..2 {
        assert_eq!(
            changed(&operator, &key, OFF),
            (json!("disabled"), json!(["admin"]))
        );
    }
    assert_eq!(world.usable().len(), 0);
    assert_eq!(member.patch(&key, ON).code(), "key_held");
    let admin = world
        .db
        .text("SELECT public_id FROM members WHERE login = 'operator'");
    assert_eq!(
        world.db.text("SELECT reason || ' ' || actor FROM holds"),
        format!("admin {admin}")
    );
    assert_eq!(changed(&operator, &key, ON), (json!("active"), json!([])));
    assert_eq!(world.usable().len(), 1);
    // Of two holds, each actor lifts their own.
    changed(&member, &key, OFF);
    assert_eq!(
        changed(&operator, &key, ON),
        (json!("disabled"), json!(["owner"]))
    );
    assert_eq!(changed(&operator, &key, OFF).1, json!(["admin", "owner"]));
    assert_eq!(changed(&operator, &key, ON).1, json!(["owner"]));
    assert_eq!(changed(&member, &key, ON), (json!("active"), json!([])));
    let named = key_of(&operator.patch(&key, r#"{"name":"theirs"}"#));
    assert_eq!(named["name"], "theirs");
    assert_eq!(
        world.db.texts(&format!(
            "SELECT DISTINCT action FROM audit WHERE actor = '{admin}' AND target NOT LIKE 'mem_%' ORDER BY action"
        )),
        ["disabled", "enabled", "hold_lifted", "hold_put", "key_renamed"]
    );
    // On their own key an admin acts as its owner.
    let response = operator.claim();
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    let own = format!("/api/v1/keys/{id}");
    assert_eq!(changed(&operator, &own, OFF).1, json!(["owner"]));
    oracle::settled(&world);
}

#[test]
fn an_admins_number_at_another_provider_is_no_admin() {
    let world = World::new();
    let (_, key) = holder(&world);
    let member = PublicId::new(IdKind::Member, [9; 12]);
    world.db.run(&format!(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', '{member}', 'member_created', 't', 1);
         INSERT INTO owners (id, kind, plan_id, created_at) SELECT 99, 'member', id, 1 FROM plans WHERE is_default = 1;
         INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at, created_at, signed_in_at, change_id)
           VALUES (99, '{member}', 'google', '1000001', 'namesake', 1, 1, 1, 't')"
    ));
    let session = Session { member, epoch: 0 };
    let wish = KeyAct {
        session: &session,
        key: key.rsplit('/').next().unwrap(),
        admins: String::from(r#"["1000001"]"#),
        change: PublicId::new(IdKind::Change, [9; 12]),
        now: world.now(),
    };
    let wanted = KeyChange {
        disabled: Some(true),
        name: None,
    };
    let before = world.db.dump();
    let response = world.run(own_keys::change(&world.db, &wish, &wanted));
    assert!(matches!(response, Some(Err(StoreError::NotFound))));
    let response = world.run(own_keys::end(&world.db, &wish));
    assert!(matches!(response, Some(Err(StoreError::NotFound))));
    assert_eq!(world.db.dump(), before);
}

#[test]
fn an_admins_hold_outlives_the_generation_and_can_be_lifted_after_it() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.pass(91 * 86_400);
    assert!(world.sweep());
    assert_eq!(world.states(), ["expired"]);
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.patch(&key, OFF).code(), "key_ended");
    assert_eq!(
        changed(&operator, &key, OFF),
        (json!("expired"), json!(["admin"]))
    );
    assert_eq!(member.claim().code(), "key_held");
    assert_eq!(changed(&operator, &key, ON), (json!("expired"), json!([])));
    assert_eq!(member.claim().status, 201);
}

#[test]
fn an_admin_removes_a_key_for_good_and_a_second_removal_answers_the_same() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.spends(1.0);
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(key_of(&operator.delete(&key))["state"], "revoked");
    let before = world.db.dump();
    assert_eq!(key_of(&operator.delete(&key))["state"], "revoked");
    assert_eq!(key_of(&member.delete(&key))["state"], "revoked");
    for who in [&member, &operator] {
        for body in [ON, OFF, r#"{"name":"late"}"#] {
            let response = who.patch(&key, body);
            assert_eq!(
                (response.status, response.code().as_str()),
                (409, "key_ended")
            );
        }
    }
    assert_eq!(world.db.dump(), before);
    let admin = world
        .db
        .text("SELECT public_id FROM members WHERE login = 'operator'");
    let ended =
        "SELECT actor FROM audit WHERE action IN ('key_ended', 'revoke_asked', 'revoke_confirmed')";
    assert_eq!(world.db.texts(ended), vec![admin; 3]);
    // The time when the key was disabled for good is never cleared, and admins see it.
    let off_at = "SELECT ended_at FROM generations";
    let at = world.db.number(off_at);
    sweeps(&world, 2);
    world.pass(2 * 86_400);
    sweeps(&world, 1);
    assert_eq!(world.db.number(off_at), at);
    let shown = format!("/api/v1/admin/members/{}", world.member("member"));
    let shown = Browser::signed_in(&world, "operator").get(&shown).json();
    assert_eq!(
        shown["member"]["keys"][0]["ended_at"],
        Timestamp::from_secs(at).rfc3339()
    );
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM generations WHERE erased_at IS NULL"),
        0
    );
    oracle::settled(&world);
}

#[test]
fn an_admin_removes_and_switches_only_recorded_keys_and_openrouter_is_not_asked_about_others() {
    let world = World::new();
    let (_, key) = holder(&world);
    world.somebodys_key("somebody's own");
    let theirs = {
        let sandbox = world.sandbox.borrow();
        let foreign = sandbox.ledger().keys.iter().find(|key| key.foreign);
        foreign.unwrap().hash.clone()
    };
    let ours = world.usable()[0].hash.clone();
    let operator = Browser::signed_in(&world, "operator");
    let before = world.db.dump();
    for id in ["key_000000000000000000000000", &theirs, &ours] {
        let target = format!("/api/v1/keys/{id}");
        for response in [operator.delete(&target), operator.patch(&target, OFF)] {
            assert_eq!(
                (response.status, response.code()),
                (404, "not_found".into())
            );
        }
    }
    let asked =
        ["get", "update", "delete"].map(|what| world.calls(&format!("openrouter.keys.{what}")));
    assert_eq!(asked, [0; 3]);
    assert_eq!(world.db.dump(), before);
    assert_eq!(operator.delete(&key).status, 200);
}
