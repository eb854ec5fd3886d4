//! What owners do with their own keys: disable and enable them, name them, and delete them.

use keycap::domain::id::{IdKind, PublicId};
use keycap::domain::people::session::Session;
use keycap::domain::time::Timestamp;
use keycap::http::server::message::Body;
use keycap::store::keys::own_keys::{self, KeyAct, KeyChange};
use keycap::store::query::StoreError;
use serde_json::{Value, json};

use crate::support::world::ORIGIN;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

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

#[test]
fn an_owner_disables_and_enables_a_key_at_once() {
    let world = World::new();
    let (member, key) = holder(&world);
    for _ in 0..2 {
        assert_eq!(
            changed(&member, &key, OFF),
            (json!("disabled"), json!(["owner"]))
        );
        assert_eq!(world.usable().len(), 0);
        let listed = member.get("/api/v1/keys").json()["keys"][0].clone();
        assert_eq!(
            (&listed["state"], &listed["holds"]),
            (&json!("disabled"), &json!(["owner"]))
        );
    }
    assert_eq!(world.calls("openrouter.keys.update"), 1, "again is nothing");
    for _ in 0..2 {
        assert_eq!(changed(&member, &key, ON), (json!("active"), json!([])));
        assert_eq!(world.usable().len(), 1);
    }
    assert_eq!(world.calls("openrouter.keys.update"), 2);
    let audit = world
        .db
        .texts("SELECT action || ' ' || (actor LIKE 'mem_%') FROM audit ORDER BY id DESC LIMIT 4");
    assert_eq!(
        audit,
        ["enabled 1", "hold_lifted 1", "disabled 1", "hold_put 1"]
    );
    oracle::settled(&world);
}

#[test]
fn a_change_that_could_not_be_carried_out_at_once_is_shown_so_and_the_sweep_finishes_it() {
    for kind in ["reset_before", "reset_after", "error_before", "refuse"] {
        let world = World::new();
        let (member, key) = holder(&world);
        let more = if kind == "refuse" {
            json!({ "status": 403, "times": 0 })
        } else {
            json!({ "times": 0 })
        };
        for (body, before, after, holds) in [
            (OFF, "active", "disabled", json!(["owner"])),
            (ON, "disabled", "active", json!([])),
        ] {
            world.add_fault("openrouter.keys.update", kind, more.clone());
            let shown = under_way(&member.patch(&key, body));
            assert_eq!(
                (&shown["state"], &shown["holds"]),
                (&json!(before), &holds),
                "{kind}"
            );
            oracle::always(&world);
            world.sandbox.borrow_mut().clear_faults();
            sweeps(&world, 2);
            assert_eq!(world.states(), [after], "{kind}");
            oracle::settled(&world);
        }
    }
}

#[test]
fn an_owner_lifts_only_their_own_hold_and_sees_the_others() {
    let world = World::new();
    let (member, key) = holder(&world);
    admin_hold(&world);
    sweeps(&world, 1);
    assert_eq!(world.states(), ["disabled"]);
    let said = world.calls("openrouter.keys.update");
    let disabled = json!("disabled");
    assert_eq!(member.patch(&key, ON).code(), "key_held");
    assert_eq!(
        changed(&member, &key, OFF),
        (disabled.clone(), json!(["admin", "owner"]))
    );
    let before = world.db.dump();
    let refused = member.patch(&key, r#"{"disabled":false,"name":"mine"}"#);
    assert_eq!((refused.status, refused.code().as_str()), (403, "key_held"));
    assert_eq!(world.db.dump(), before, "a name that comes with it too");
    assert_eq!(
        world.calls("openrouter.keys.update"),
        said,
        "nothing to say"
    );
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}

#[test]
fn nobody_enables_a_key_that_the_operator_holds_and_its_owner_may_still_disable_it() {
    for (reason, owner_may, admin_may) in [
        ("admin", false, true),
        ("offboarding", false, false),
        ("leak", true, true),
        ("switch", false, false),
        ("idle", true, true),
        ("budget", true, true),
        ("plan", true, true),
        ("rotation", true, true),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        let operator = Browser::signed_in(&world, "operator");
        for who in [&member, &operator] {
            assert_eq!(changed(who, &key, OFF).0, "disabled");
        }
        world.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
             INSERT OR IGNORE INTO holds (key_id, reason, actor, since, change_id) SELECT id, '{reason}', 't', 1, 't' FROM keys"
        ));
        let said = world.calls("openrouter.keys.update");
        // The admin's hold keeps the owner from enabling the key in every case.
        let before = world.db.dump();
        assert_eq!(member.patch(&key, ON).code(), "key_held", "{reason}");
        assert_eq!(world.db.dump(), before);
        let response = operator.patch(&key, ON);
        if admin_may {
            let own = json!(["admin", "owner", reason]);
            let left = own.as_array().unwrap().iter().filter(|r| **r != "admin");
            let mut response: Vec<Value> = key_of(&response)["holds"].as_array().unwrap().clone();
            response.sort_by_key(ToString::to_string);
            let mut left: Vec<Value> = left.cloned().collect();
            left.sort_by_key(ToString::to_string);
            assert_eq!(response, left, "{reason}");
        } else {
            assert_eq!(
                (response.status, response.code().as_str()),
                (403, "key_held")
            );
            assert_eq!(world.db.dump(), before, "{reason}");
        }
        if reason != "admin" {
            world.db.run("DELETE FROM holds WHERE reason = 'admin'");
            let response = member.patch(&key, ON);
            assert_eq!(response.status == 200, owner_may, "{reason}: {response:?}");
            assert_eq!(changed(&member, &key, OFF).0, "disabled");
        }
        assert_eq!(world.calls("openrouter.keys.update"), said, "{reason}");
        assert_eq!(world.usable().len(), 0);
    }
}

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
fn an_owners_hold_ends_with_its_generation_and_the_next_one_begins_enabled() {
    let world = World::new();
    let (member, key) = holder(&world);
    assert_eq!(changed(&member, &key, OFF).0, "disabled");
    world.pass(91 * 86_400);
    assert!(world.sweep());
    let response = Browser::signed_in(&world, "member").claim();
    assert_eq!(response.status, 201);
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn a_removed_key_is_gone_upstream_and_stays_as_a_tombstone() {
    let world = World::new();
    let (member, key) = holder(&world);
    let gone = key_of(&member.delete(&key));
    assert_eq!(gone["state"], "revoked");
    assert_eq!(world.usable().len(), 0);
    assert_eq!(world.states(), ["revoked"]);
    assert_eq!(member.get("/api/v1/keys").json()["keys"], json!([]));
    oracle::settled(&world);

    // Deleting it again gives the same answer, and nothing enables it again.
    assert_eq!(key_of(&member.delete(&key))["state"], "revoked");
    for body in [ON, OFF, r#"{"name":"late"}"#] {
        let response = member.patch(&key, body);
        assert_eq!(
            (response.status, response.code().as_str()),
            (409, "key_ended")
        );
    }
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
    assert_eq!(
        world.calls("openrouter.keys.update"),
        1,
        "off, before its figures"
    );
    let response = member.claim();
    assert_eq!(response.status, 201);
    let next = response.json()["key"]["id"].clone();
    assert!(!key.ends_with(next.as_str().unwrap()), "another key");
    assert_eq!(world.states(), ["revoked", "active"]);
    sweeps(&world, 2);
    assert_eq!(world.calls("openrouter.keys.delete"), 1);
    oracle::settled(&world);
}

#[test]
fn a_removal_that_breaks_at_any_point_is_finished_cleanly() {
    let mut scenarios = 0;
    for off_before in [false, true] {
        let start = World::new();
        let (member, key) = holder(&start);
        if off_before {
            assert_eq!(changed(&member, &key, OFF).0, "disabled");
        }
        let cookies = member.cookies.take();
        drop(member);
        let dry = start.copied();
        dry.effects.plan(&[]);
        Browser::with(&dry, &cookies).delete(&key);
        for k in 0..dry.effects.count() {
            for fate in Fate::ALL
                .into_iter()
                .chain([Fate::Late, Fate::RefusedAfter])
            {
                if fate == Fate::RefusedAfter && !dry.effects.names()[k].starts_with("db") {
                    continue;
                }
                let world = start.forked();
                let member = Browser::with(&world, &cookies);
                world.effects.plan(&[(k, fate)]);
                let headers = [("origin", ORIGIN), ("content-type", "application/json")];
                member.try_send("DELETE", &key, &headers, Body::Bytes(b"{}".to_vec()));
                world.effects.plan(&[]);
                oracle::always(&world);
                let what = format!("{k} {fate:?}");
                if world.states() == ["revoking"] {
                    let listed = member.get("/api/v1/keys").json()["keys"][0].clone();
                    assert_eq!(listed["state"], "revoking", "visible meanwhile: {what}");
                    assert_eq!(member.claim().code(), "key_being_removed", "{what}");
                    assert_eq!(member.patch(&key, ON).code(), "key_being_removed");
                    assert_eq!(under_way(&member.delete(&key))["state"], "revoking");
                }
                world.effects.land();
                sweeps(&world, 2);
                assert!(world.effects.land() == 0);
                let ended = key_of(&member.delete(&key));
                assert_eq!(ended["state"], "revoked", "{what}");
                oracle::settled(&world);
                assert_eq!(world.usable().len(), 0, "{what}");
                scenarios += 1;
            }
        }
    }
    println!("counted: {scenarios} scenarios of a removal that breaks");
    assert!(scenarios > 40, "{scenarios}");
}

#[test]
fn removing_a_key_and_claiming_again_gives_no_more_money() {
    let world = World::new();
    let (member, key) = holder(&world);
    world.spends(2.0);
    world.pass(60);
    assert_eq!(key_of(&member.delete(&key))["state"], "revoked");
    assert_eq!(
        world.db.text(
            "SELECT usage_lifetime_nano || ' ' || (usage_read_at >= ended_at) FROM generations"
        ),
        "2000000000 1"
    );
    world.pass(60);
    let next = member.claim();
    assert_eq!(
        (next.status, next.json()["key"]["limit_usd"].clone()),
        (201, json!("3.00"))
    );
    world.spends(3.0);
    world.pass(60);
    let id = next.json()["key"]["id"].as_str().unwrap().to_owned();
    key_of(&member.delete(&format!("/api/v1/keys/{id}")));
    // What was in flight for two keys in a row must be counted before the next claim.
    let response = member.claim();
    assert_eq!(
        (response.status, response.code().as_str()),
        (409, "rotation_unsettled")
    );
    for _ in 0..2 {
        world.pass(600);
        assert!(world.sweep());
    }
    nothing_left(&member.claim());
    world.pass(86_400);
    assert!(world.sweep());
    let response = Browser::signed_in(&world, "member").claim();
    assert_eq!(response.json()["key"]["limit_usd"], "5.00", "the next day");
}

#[test]
fn figures_that_cannot_be_read_count_as_the_whole_cap() {
    let world = World::new();
    let (member, key) = holder(&world);
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.get", "reset_before", more);
    assert_eq!(under_way(&member.delete(&key))["state"], "revoking");
    assert_eq!(world.usable().len(), 0, "off, though not removed");
    // The retry is postponed further each time, and the walk that sees the key meanwhile leaves it to that retry.
    let mut sweeps_taken = 0;
    while world.states() == ["revoking"] {
        assert_eq!(world.calls("openrouter.keys.delete"), 0);
        sweeps(&world, 1);
        sweeps_taken += 1;
    }
    assert!((5..=8).contains(&sweeps_taken), "{sweeps_taken}");
    assert_eq!(world.states(), ["revoked"]);
    nothing_left(&member.claim());
}

#[test]
fn while_an_enable_is_in_flight_a_removed_key_is_deleted_at_once_and_its_whole_cap_counts() {
    let world = World::new();
    let (member, key) = holder(&world);
    assert_eq!(changed(&member, &key, OFF).0, "disabled");
    world.add_fault("openrouter.keys.update", "late", json!({ "times": 3 }));
    let shown = under_way(&member.patch(&key, ON));
    assert_eq!(
        (&shown["state"], &shown["holds"]),
        (&json!("disabled"), &json!([]))
    );
    let figures = world.calls("openrouter.keys.get");
    assert_eq!(key_of(&member.delete(&key))["state"], "revoked");
    assert_eq!(world.calls("openrouter.keys.get"), figures);
    let now = world.now_ms.get();
    world.sandbox.borrow_mut().land_late(now);
    assert_eq!(world.usable().len(), 0);
    nothing_left(&member.claim());
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn a_key_whose_mint_is_under_way_is_not_removed_and_one_that_ended_is_not_recorded() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    // The claim is held just before its create is sent.
    world.effects.plan(&[(1, Fate::HeldBefore)]);
    let claim = member.start_claim();
    world.effects.plan(&[]);
    let id = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = format!("/api/v1/keys/{}", id.as_str().unwrap());
    assert_eq!(member.delete(&key).code(), "claim_in_progress");
    assert_eq!(member.patch(&key, OFF).code(), "claim_in_progress");
    assert_eq!(claim.release().status, 201);

    // A key whose mint was refused does not exist for its owner.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    assert_eq!(member.claim().status, 502);
    let key = format!(
        "/api/v1/keys/{}",
        world.db.text("SELECT public_id FROM keys")
    );
    let before = world.db.dump();
    for response in [
        member.delete(&key),
        member.patch(&key, r#"{"name":"x"}"#),
        member.patch(&key, OFF),
    ] {
        assert_eq!(response.status, 404);
        assert_eq!(world.db.dump(), before);
    }

    let world = World::new();
    world.db.run(
        "CREATE TRIGGER ends AFTER INSERT ON generations BEGIN
           INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'key_ended', 't', 1);
           UPDATE keys SET ended_at = 1, change_id = 't' WHERE id = NEW.key_id;
         END",
    );
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().code(), "claim_superseded");
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}

#[test]
fn of_two_switches_in_flight_the_first_answer_does_not_settle_the_other() {
    let world = World::new();
    let (member, key) = holder(&world);
    admin_hold(&world);
    // The owner's disable is held just before it is sent, and meanwhile the sweep disables the key.
    let off = member.at_fresh_isolate();
    world.effects.plan(&[(4, Fate::HeldBefore)]);
    let held = off.start("PATCH", &key, OFF);
    assert!(world.effects.names()[4].starts_with("http PATCH"));
    world.effects.plan(&[]);
    assert!(world.sweep());
    assert_eq!(world.states(), ["disabled"]);
    let in_flight = "SELECT COUNT(*) FROM generations WHERE switch_doubted_at IS NOT NULL";
    assert_eq!(
        world.db.number(in_flight),
        1,
        "what is on its way may land yet"
    );
    assert_eq!(held.release().status, 202);
    assert_eq!(
        world.db.number(in_flight),
        1,
        "overtaken: the sweep ends it"
    );
    sweeps(&world, 2);
    assert_eq!(world.db.number(in_flight), 0);
    oracle::settled(&world);
}

#[test]
fn a_repeated_attempt_may_take_effect_after_the_next_switch_and_changes_nothing() {
    for (before, first, then, left) in [(OFF, ON, OFF, 0), (ON, OFF, ON, 1)] {
        let world = World::new();
        let (member, key) = holder(&world);
        changed(&member, &key, before);
        world.add_fault("openrouter.keys.update", "late", json!({}));
        changed(&member, &key, first);
        changed(&member, &key, then);
        let now = world.now_ms.get();
        assert_eq!(world.sandbox.borrow_mut().land_late(now), 1);
        assert_ne!(world.usable().len(), left, "it has landed");
        oracle::always(&world);
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), left);
        oracle::settled(&world);
    }
}

#[test]
fn a_batch_that_takes_effect_late_reverts_nothing() {
    let world = World::new();
    let (member, key) = holder(&world);
    let mut late = Vec::new();
    for body in [OFF, ON, r#"{"name":"first"}"#, r#"{"name":"second"}"#, OFF] {
        *world.db.trace.borrow_mut() = Some(Vec::new());
        key_of(&member.patch(&key, body));
        let trace = world.db.trace.borrow_mut().take().unwrap();
        late.push(trace[0].stmts.clone());
    }
    let before = world.db.dump();
    use keycap::ports::Database;
    for stmts in late {
        world.run(world.db.batch(stmts)).unwrap().unwrap();
        assert_eq!(world.db.dump(), before);
    }
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
