//! What somebody else does while a rotation is held at one of its effects, and a rotation that breaks at one.

use super::{FOUR_HOURS, WAYS, asks, effects_of, holder, holds, meanwhile, rotates, sweeps};
use crate::support::{Browser, Fate, World, oracle};

#[test]
fn of_fifty_rotations_at_once_one_gives_a_secret_wherever_the_first_one_is_paused() {
    for body in ["{}", FOUR_HOURS] {
        let start = World::new();
        let (member, key) = holder(&start);
        for k in 0..effects_of(&start, &member, &key, "rotate", body).len() {
            let world = start.forked();
            let member = Browser::with(&world, &member.cookies.borrow());
            world.effects.plan(&[(k, Fate::HeldBefore)]);
            let held = member.start("POST", &format!("{key}/rotate"), body);
            world.effects.plan(&[]);
            let mut made = 0;
            for _ in 1..50 {
                let response = member.post(&format!("{key}/rotate"), body);
                assert!([201, 409].contains(&response.status), "{response:?}");
                made += usize::from(response.status == 201);
            }
            let response = held.release();
            oracle::always(&world);
            assert!([201, 409, 503].contains(&response.status), "{response:?}");
            made += usize::from(response.status == 201);
            assert_eq!(made, 1, "{body} {k}");
            sweeps(&world, 3);
            assert_eq!(world.usable().len(), if body == "{}" { 1 } else { 2 });
            oracle::settled(&world);
        }
    }
}

#[test]
fn a_key_that_ends_while_it_is_rotated_stays_ended() {
    for (verb, body) in WAYS {
        let ends = |_: &World, member: &Browser<'_>, key: &str| {
            let response = member.delete(key);
            assert!([200, 202, 409].contains(&response.status), "{response:?}");
        };
        meanwhile(verb, body, ends, |world, response, at| {
            if world
                .db
                .number("SELECT COUNT(*) FROM keys WHERE ended_at IS NULL")
                == 0
            {
                assert_eq!(world.usable().len(), 0, "{at}: {response:?}");
            }
        });
    }
}

#[test]
fn a_member_who_is_blocked_or_disabled_during_a_rotation_gets_no_new_secret() {
    for (verb, body) in WAYS {
        let blocks = |world: &World, _: &Browser<'_>, _: &str| {
            world.db.run("INSERT INTO audit (change_id, target, action, actor, at) SELECT 'block', 'blk_' || subject, 'blocked', 'test', 1 FROM members;
             INSERT INTO blocks (provider, subject, since, public_id, change_id)
               SELECT provider, subject, 1, 'blk_' || subject, 'block' FROM members");
        };
        meanwhile(verb, body, blocks, |world, response, at| {
            assert_eq!(
                response.status == 201,
                world.delivered.borrow().len() == 2,
                "{at}"
            );
            // Only a successor that was recorded before the block is delivered.
            assert!(
                response.status != 201 || at.contains("RECORD_GUARD HeldAfter"),
                "{at}: {response:?}"
            );
        });
        let switches = |world: &World, _: &Browser<'_>, _: &str| {
            let operator = Browser::signed_in(world, "operator");
            let response =
                operator.patch("/api/v1/admin/settings", r#"{"keys":"off","confirm":9}"#);
            assert_eq!(response.status, 200, "{response:?}");
        };
        meanwhile(verb, body, switches, |world, response, at| {
            assert_eq!(world.usable().len(), 0, "{at}: {response:?}");
        });
        let puts_off = |_: &World, member: &Browser<'_>, key: &str| {
            member.patch(key, r#"{"disabled":true}"#);
        };
        meanwhile(verb, body, puts_off, |world, response, at| {
            if holds(world).contains(&String::from("owner")) {
                assert_eq!(world.usable().len(), 0, "{at}: {response:?}");
            }
        });
    }
}

#[test]
fn a_changed_plan_or_an_ended_session_before_the_record_undoes_the_rotation() {
    for (verb, body) in WAYS {
        for change in [
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'plan', 'plan_changed', 't', 1);
             UPDATE plans SET rev = rev + 1, change_id = 'c'",
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'c', public_id, 'sessions_ended', 't', 1 FROM members;
             UPDATE members SET epoch = epoch + 1, change_id = 'c'",
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'settings', 'minting_switched', 't', 1);
             UPDATE settings SET minting = 'stopped', change_id = 'c'",
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'key_t', 'hold_put', 't', 1);
             INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'owner', 't', 1, 'c' FROM keys",
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 'key_t', 'hold_put', 't', 1);
             INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 'c' FROM keys",
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'block', 'blk_' || subject, 'blocked', 'test', 1 FROM members;
             INSERT INTO blocks (provider, subject, since, public_id, change_id)
               SELECT provider, subject, 1, 'blk_' || subject, 'block' FROM members",
        ] {
            let acts = |world: &World, _: &Browser<'_>, _: &str| world.db.run(change);
            let reserved = |at: &str| at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
            meanwhile(verb, body, acts, |world, response, at| {
                if reserved(at) {
                    assert_ne!(response.status, 201, "{at}");
                    assert_eq!(world.delivered.borrow().len(), 1, "{at}");
                }
            });
        }
    }
}

#[test]
fn a_leak_reported_during_a_rotation_ends_the_old_secret_for_good() {
    for (verb, body) in WAYS {
        let reports = |world: &World, _: &Browser<'_>, key: &str| {
            let operator = Browser::signed_in(world, "operator");
            asks(&operator, key, "leaked", "{}");
        };
        meanwhile(verb, body, reports, |world, response, at| {
            let minting = at.contains("POST") || at.contains("RECORD_GUARD HeldBefore");
            assert!(
                verb == "leaked" || !minting || response.status != 201,
                "{at}: {response:?}"
            );
            let old = world
                .db
                .text("SELECT upstream_hash FROM generations ORDER BY id LIMIT 1");
            assert!(
                world.usable().iter().all(|key| key.hash != old),
                "{at}: {response:?}"
            );
        });
    }
}

#[test]
fn whatever_effect_breaks_one_secret_works_and_the_next_rotation_succeeds() {
    for (verb, body) in WAYS {
        let start = World::new();
        let (member, key) = holder(&start);
        for k in 0..effects_of(&start, &member, &key, verb, body).len() {
            for fate in Fate::ALL
                .into_iter()
                .chain([Fate::RefusedAfter, Fate::Late])
            {
                let world = start.forked();
                let member = Browser::with(&world, &member.cookies.borrow());
                world.effects.plan(&[(k, fate)]);
                let headers = [
                    ("origin", crate::support::world::ORIGIN),
                    ("content-type", "application/json"),
                ];
                let sent = keycap::http::server::message::Body::Bytes(body.into());
                let response = member.try_send("POST", &format!("{key}/{verb}"), &headers, sent);
                world.effects.plan(&[]);
                oracle::always(&world);
                // A late effect lands within five minutes of its sending.
                world.pass(240);
                assert!(world.sweep());
                world.effects.land();
                oracle::always(&world);
                sweeps(&world, 6);
                oracle::settled(&world);
                let what = format!("{verb} {body} {k} {fate:?} {response:?}");
                let leaked = holds(&world).contains(&String::from("leak"));
                assert_eq!(world.usable().is_empty(), leaked, "{what}");
                if world.usable().len() == 1 {
                    let response = rotates(&member, &key);
                    assert_eq!(response.status, 201, "{what}: {response:?}");
                }
            }
        }
    }
}

#[test]
fn a_sweep_does_not_disturb_a_rotation_under_way() {
    for (verb, body) in WAYS {
        let sweep = |world: &World, _: &Browser<'_>, _: &str| {
            world.pass(1);
            assert!(world.sweep());
        };
        meanwhile(verb, body, sweep, |_, response, at| {
            // The sweep and the rotation may both want to disable the old generation. Then one of them does it, and the
            // other learns that.
            let contended =
                at.contains("ABOUT_TO") || at.contains("PATCH") || at.contains("holds::");
            assert!(
                response.status == 201 || contended || at.contains("::HOLD"),
                "{at}: {response:?}"
            );
        });
    }
}
