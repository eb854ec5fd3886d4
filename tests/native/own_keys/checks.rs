//! What is checked before a key of one's own is changed: the name, the id and the session.

use keycap::domain::id::{IdKind, PublicId};
use keycap::domain::people::session::Session;
use keycap::http::server::message::Body;
use keycap::store::keys::own_keys;
use keycap::store::keys::own_keys::{KeyAct, KeyChange};
use keycap::store::query::StoreError;
use serde_json::json;

use super::{OFF, ON, changed, holder, key_of};
use crate::support::world::ORIGIN;
use crate::support::{Browser, World};

#[test]
fn a_name_is_checked_before_anything_else_and_the_answer_names_the_field() {
    let world = World::new();
    let (member, key) = holder(&world);
    let before = world.db.dump();
    let long = json!({ "name": "x".repeat(65), "disabled": true }).to_string();
    for body in ["{}", r#"{"name":""}"#, r#"{"name":" \t "}"#, long.as_str()] {
        let response = member.patch(&key, body);
        assert_eq!(
            (response.status, response.code().as_str()),
            (400, "bad_request"),
            "{body}"
        );
        assert!(
            response.json()["detail"].as_str().unwrap().contains("name"),
            "{body}"
        );
    }
    assert_eq!(world.db.dump(), before);
    assert_eq!(world.calls("openrouter.keys.update"), 0);
}

#[test]
fn a_malformed_an_unknown_and_another_members_id_are_answered_alike() {
    let world = World::new();
    let (member, key) = holder(&world);
    let other = Browser::signed_in(&world, "second");
    let before = world.db.dump();
    let unknown = [
        key.as_str(),
        "/api/v1/keys/key_000000000000000000000000",
        "/api/v1/keys/mem_000000000000000000000000",
        "/api/v1/keys/1",
        "/api/v1/keys/%27%20OR%201=1--",
        "/api/v1/keys/KEY",
    ];
    for (method, body) in [
        ("PATCH", OFF),
        ("PATCH", ON),
        ("PATCH", r#"{"name":"mine"}"#),
        ("DELETE", "{}"),
    ] {
        let mut answers = Vec::new();
        for target in unknown {
            let headers = [
                ("origin", ORIGIN),
                ("content-type", "application/json"),
                ("x-request-id", "same-request-id"),
            ];
            world.effects.plan(&[]);
            let answer = other.send(method, target, &headers, Body::Bytes(body.into()));
            assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
            answers.push((answer.headers, answer.body, world.effects.names()));
        }
        assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
    }
    assert_eq!(world.db.dump(), before);
    for body in [
        "{}",
        r#"{"disabled":1}"#,
        r#"{"disabled":"true"}"#,
        r#"{"disabled":null}"#,
        r#"{"disabled":true,"limit":9}"#,
        r#"{"name":7}"#,
        r#"{"name":" "}"#,
    ] {
        for target in [&key, unknown[1]] {
            assert_eq!(member.patch(target, body).status, 400, "{body}");
        }
    }
    assert_eq!(world.db.dump(), before);
    assert_eq!(world.calls("openrouter.keys.update"), 0);
}

#[test]
fn a_name_is_never_sent_to_openrouter_and_is_stored_together_with_a_switch_or_not_at_all() {
    let world = World::new();
    let (member, key) = holder(&world);
    let upstream = world.usable()[0].name.clone();
    let named = key_of(&member.patch(&key, r#"{"name":"  my\tlaptop \u202e"}"#));
    assert_eq!(named["name"], "mylaptop");
    assert_eq!(world.usable()[0].name, upstream);
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    let both = key_of(&member.patch(&key, r#"{"name":"spare","disabled":true}"#));
    assert_eq!(
        (&both["name"], &both["state"]),
        (&json!("spare"), &json!("disabled"))
    );
    let audit = world.db.texts("SELECT * FROM audit").join(" ");
    assert!(!audit.contains("spare") && !audit.contains("laptop"));

    world.pass(91 * 86_400);
    assert!(world.sweep());
    assert_eq!(world.states(), ["expired"]);
    let member = Browser::signed_in(&world, "member");
    let response = member.patch(&key, r#"{"name":"other","disabled":true}"#);
    assert_eq!(
        (response.status, response.code().as_str()),
        (409, "key_ended")
    );
    let listed = member.get("/api/v1/keys").json()["keys"][0].clone();
    assert_eq!(listed["name"], "spare");
    let renamed = key_of(&member.patch(&key, r#"{"name":"other"}"#));
    assert_eq!(renamed["name"], "other");
}

#[test]
fn each_change_requires_a_current_session_in_its_own_statement() {
    let world = World::new();
    let (member, key) = holder(&world);
    let id = world.db.text("SELECT public_id FROM members");
    let session = Session {
        member: PublicId::parse(IdKind::Member, &id).unwrap(),
        epoch: 7,
    };
    let change = |n| PublicId::new(IdKind::Change, [n; 12]);
    let wish = KeyAct {
        session: &session,
        key: key.rsplit('/').next().unwrap(),
        admins: String::from("[]"),
        change: change(9),
        now: world.now(),
    };
    for off_before in [false, true] {
        if off_before {
            assert_eq!(changed(&member, &key, OFF).0, "disabled");
        }
        let before = world.db.dump();
        for disabled in [None, Some(true), Some(false)] {
            let name = Some((change(8), String::from("name")));
            let wanted = KeyChange { disabled, name };
            let response = world.run(own_keys::change(&world.db, &wish, &wanted));
            assert!(matches!(response, Some(Err(StoreError::SessionEnded))));
        }
        let response = world.run(own_keys::end(&world.db, &wish));
        assert!(matches!(response, Some(Err(StoreError::SessionEnded))));
        assert_eq!(world.db.dump(), before);
    }
    // The statements also require an active member, even if the member is an admin.
    let operator = Browser::signed_in(&world, "operator");
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'sessions_ended', 't', 1 FROM members;
         UPDATE members SET status = 'suspended', change_id = 't'",
    );
    let before = world.db.dump();
    let cookies = member.cookies.take();
    let asked = || Browser::with(&world, &cookies);
    for response in [
        asked().patch(&key, ON),
        asked().patch(&key, r#"{"name":"x"}"#),
        asked().delete(&key),
    ] {
        assert_eq!(response.code(), "member_suspended");
        assert_eq!(world.db.dump(), before);
    }
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'u', public_id, 'sessions_ended', 't', 1 FROM members
           WHERE login = 'member';
         UPDATE members SET status = 'active', change_id = 'u' WHERE login = 'member'",
    );
    let before = world.db.dump();
    let cookies = operator.cookies.take();
    let asked = || Browser::with(&world, &cookies);
    for response in [asked().patch(&key, OFF), asked().delete(&key)] {
        assert_eq!(response.code(), "member_suspended");
        assert_eq!(world.db.dump(), before);
    }
}
