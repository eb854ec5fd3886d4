//! The conditions under which a rotation is refused.

use super::{FOUR_HOURS, WAYS, asks, delivered, hold, holder, is, rotates};
use crate::support::{Browser, World};

#[test]
fn gates_for_new_keys_stop_no_rotation_and_the_admins_switches_stop_all() {
    for (name, value) in [
        ("PROJECT_STATUS", "development"),
        ("PROVISIONING_ENABLED", "false"),
        ("MAX_TOTAL_KEYS", "1"),
        ("MIN_ACCOUNT_AGE_DAYS", "9999"),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        world.set(name, value);
        delivered(&world, &rotates(&member, &key), 1);
    }
    for (change, code) in [
        (
            "UPDATE settings SET minting = 'stopped', change_id = 'c'",
            "minting_stopped",
        ),
        (
            "UPDATE instance SET public_origin = 'https://elsewhere.example', change_id = 'c'",
            "minting_stopped",
        ),
        (
            "UPDATE settings SET pause_until = 9999999999",
            "openrouter_busy",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'block', 'blk_' || subject, 'blocked', 'test', 1 FROM members;
             INSERT INTO blocks (provider, subject, since, public_id, change_id)
               SELECT provider, subject, 1, 'blk_' || subject, 'block' FROM members",
            "key_held",
        ),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        world.db.run(
            "INSERT INTO audit (change_id, target, action, actor, at)
             VALUES ('c', 'settings', 'minting_switched', 't', 1), ('c', 'instance', 'instance_bound', 't', 1)",
        );
        world.db.run(change);
        for (verb, body) in [("rotate", "{}"), ("rotate", FOUR_HOURS)] {
            assert_eq!(asks(&member, &key, verb, body).code(), code);
        }
        assert_eq!(
            (world.usable().len(), world.calls("openrouter.keys.update")),
            (1, 0)
        );
    }
}

#[test]
fn a_held_or_disabled_key_is_not_replaced() {
    for (reason, status, code) in [
        ("admin", 403, "key_held"),
        ("offboarding", 403, "key_held"),
        ("switch", 403, "key_held"),
        ("owner", 409, "key_off"),
        ("plan", 409, "key_off"),
        ("budget", 409, "key_off"),
        ("idle", 409, "key_off"),
        ("rotation", 409, "claim_in_progress"),
    ] {
        let world = World::new();
        let (member, key) = holder(&world);
        hold(&world, reason);
        for verb in ["rotate", "renew"] {
            for body in ["{}", FOUR_HOURS] {
                is(&asks(&member, &key, verb, body), status, code);
            }
        }
        assert_eq!(
            world.calls("openrouter.keys.update"),
            0,
            "nothing was put off for it"
        );
        // The replacement after a reported leak waits as well.
        let response = asks(&member, &key, "leaked", "{}");
        if reason == "rotation" {
            assert_eq!(response.status, 201, "whoever began that is out");
        } else {
            assert_eq!(
                (response.status, response.secret()),
                (200, None),
                "{reason}"
            );
            assert_eq!(world.usable().len(), 0);
            assert_eq!(world.calls("openrouter.keys.create"), 1, "{reason}");
        }
    }
}

#[test]
fn rotating_another_members_key_an_ended_key_or_with_a_bad_body_is_refused() {
    let world = World::new();
    let (member, key) = holder(&world);
    let other = Browser::signed_in(&world, "second");
    let before = world.db.dump();
    for verb in ["rotate", "leaked", "renew"] {
        let unknown = "/api/v1/keys/key_000000000000000000000000";
        for target in [key.as_str(), unknown, "/api/v1/keys/%27"] {
            world.effects.plan(&[]);
            is(&asks(&other, target, verb, "{}"), 404, "not_found");
            assert_eq!(world.effects.names().len(), 1);
        }
        for body in [
            r#"{"grace_hours":0}"#,
            r#"{"grace_hours":169}"#,
            r#"{"grace_hours":"1"}"#,
            r#"{"limit":9}"#,
            "[]",
        ] {
            assert_eq!(asks(&member, &key, verb, body).status, 400, "{verb} {body}");
        }
    }
    assert_eq!(world.db.dump(), before);
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    // A session that has ended gets nothing.
    let cookies = member.cookies.borrow().clone();
    assert_eq!(
        member.post("/api/v1/me/sign-out-everywhere", "{}").status,
        204
    );
    let before = world.db.dump();
    for (verb, body) in WAYS {
        let stale = Browser::with(&world, &cookies);
        assert_eq!(asks(&stale, &key, verb, body).status, 401);
    }
    assert_eq!(world.db.dump(), before);
    member.sign_in("member");
    assert_eq!(member.delete(&key).status, 200);
    for verb in ["rotate", "leaked", "renew"] {
        is(&asks(&member, &key, verb, "{}"), 409, "key_ended");
    }
}
