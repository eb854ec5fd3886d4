//! The end of a generation: it is disabled at once, later readings settle its figures, and then it is deleted at
//! OpenRouter.

use serde_json::json;

use keycap::domain::id::{IdKind, PublicId};
use keycap::domain::key::purge::Removed;
use keycap::store::keys::generations;

use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

/// Makes a member whose key has spent this many dollars and is removed. Returns the member's cookies and the key's
/// hash.
fn removed(world: &World, dollars: f64) -> (Cookies, String) {
    let member = Browser::signed_in(world, "member");
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let hash = world.usable()[0].hash.clone();
    world.spends(dollars);
    world.pass(60);
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    let response = member.delete(&format!("/api/v1/keys/{id}"));
    assert_eq!(response.json()["key"]["state"], "revoked", "{response:?}");
    (member.cookies.take(), hash)
}

fn sweep(world: &World) {
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    oracle::always(world);
}

fn is_there(world: &World, hash: &str) -> bool {
    let sandbox = world.sandbox.borrow();
    let key = sandbox.ledger().key(hash);
    key.is_some_and(|key| key.deleted_at_ms.is_none())
}

fn readings(world: &World) -> i64 {
    world
        .db
        .number("SELECT readings_since_off FROM generations WHERE state = 'revoked'")
}

fn puts_on(world: &World, hash: &str) {
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "disabled": false }),
    );
    assert_eq!(world.usable().len(), 1, "somebody has put it on");
}

#[test]
fn a_removed_key_that_spent_is_disabled_at_once_and_deleted_an_hour_into_the_next_day() {
    let world = World::new();
    let (_, hash) = removed(&world, 2.0);
    assert_eq!(world.usable().len(), 0);
    assert!(is_there(&world, &hash));
    assert_eq!(
        world.db.number("SELECT live FROM seats"),
        0,
        "its seat is free"
    );
    for n in [1, 2] {
        sweep(&world);
        assert_eq!(readings(&world), n);
    }
    let calls = world.calls("openrouter.keys.get");
    sweep(&world);
    assert_eq!(world.calls("openrouter.keys.get"), calls, "settled");
    let at = "2026-11-22T00:59:00Z";
    let at = keycap::domain::time::Timestamp::parse(at).unwrap();
    world.now_ms.set((at.secs() - TEN_MINUTES) * 1000);
    sweep(&world);
    assert!(is_there(&world, &hash));
    sweep(&world);
    assert!(!is_there(&world, &hash));
    assert_eq!(
        world.db.text("SELECT action || ' ' || actor || ' ' || before || ' ' || after FROM audit ORDER BY id DESC LIMIT 1"),
        "erased sweep revoked revoked"
    );
    // The figures of the week stay.
    assert_eq!(
        world.db.text("SELECT usage_daily_nano || ' ' || usage_weekly_nano || ' ' || usage_lifetime_nano FROM generations"),
        "0 2000000000 2000000000"
    );
    oracle::settled(&world);
}

#[test]
fn a_removed_key_that_spent_nothing_is_deleted_as_soon_as_that_is_settled() {
    let world = World::new();
    let (_, hash) = removed(&world, 0.0);
    sweep(&world);
    assert!(is_there(&world, &hash), "one reading is none");
    sweep(&world);
    assert!(!is_there(&world, &hash));
    oracle::settled(&world);
}

#[test]
fn a_run_that_follows_at_once_does_not_count_as_another_reading() {
    let world = World::new();
    let (_, hash) = removed(&world, 0.0);
    for _ in 0..3 {
        world.pass(60);
        assert!(world.sweep());
    }
    assert_eq!(readings(&world), 0);
    assert!(is_there(&world, &hash));
}

#[test]
fn spend_that_is_counted_late_is_recorded_and_the_successors_cap_is_due() {
    let world = World::new();
    let (cookies, hash) = removed(&world, 2.0);
    let member = Browser::with(&world, &cookies);
    let other = Browser::signed_in(&world, "second");
    assert_eq!(other.claim().status, 201);
    let next = member.claim();
    assert_eq!(next.json()["key"]["limit_usd"], "3.00");
    // Records whose cap became due, because the same run sends it to OpenRouter.
    world.db.run(
        "CREATE TABLE were_due (login TEXT NOT NULL);
         CREATE TRIGGER is_due AFTER UPDATE OF cap_due_at ON generations WHEN NEW.cap_due_at < COALESCE(OLD.cap_due_at, 9e15)
         BEGIN INSERT INTO were_due SELECT login FROM members WHERE owner_id = NEW.owner_id; END",
    );
    let were_due = || world.db.texts("SELECT login FROM were_due");
    sweep(&world);
    assert_eq!(were_due(), Vec::<String>::new(), "nothing new");
    world.spent_by(&hash, 1.5);
    sweep(&world);
    assert_eq!(were_due(), ["member"]);
    let shown = member.get("/api/v1/keys").json()["keys"][0]["limit_usd"].clone();
    assert_eq!(shown, "1.50");
    world.db.run("DROP TRIGGER is_due; DROP TABLE were_due");
    assert_eq!(
        world.db.text("SELECT usage_daily_nano || ' ' || usage_lifetime_nano FROM generations WHERE state = 'revoked'"),
        "3500000000 3500000000"
    );
    // The late spend also counts for a key that is claimed afterwards.
    let id = next.json()["key"]["id"].as_str().unwrap().to_owned();
    assert_eq!(member.delete(&format!("/api/v1/keys/{id}")).status, 200);
    assert_eq!(member.claim().json()["key"]["limit_usd"], "1.50");
    oracle::settled(&world);
}

#[test]
fn lower_figures_than_recorded_change_nothing() {
    let world = World::new();
    let (_, hash) = removed(&world, 2.0);
    world.db.run(
        "UPDATE generations SET usage_daily_nano = 2500000000, usage_lifetime_nano = 2500000000",
    );
    for _ in 0..2 {
        sweep(&world);
    }
    assert_eq!(
        world
            .db
            .text("SELECT usage_daily_nano || ' ' || usage_lifetime_nano FROM generations"),
        "2500000000 2500000000"
    );
    assert!(is_there(&world, &hash));
}

#[test]
fn a_retained_key_that_is_found_enabled_is_disabled_and_deleted_at_once() {
    // The key is found enabled once while every sweep reads it, and once when only the walk sees it.
    for sweeps_before in [0, 2] {
        let world = World::new();
        let (_, hash) = removed(&world, 2.0);
        for _ in 0..sweeps_before {
            sweep(&world);
        }
        puts_on(&world, &hash);
        world.spent_by(&hash, 0.5);
        sweep(&world);
        assert_eq!(world.usable().len(), 0);
        assert!(!is_there(&world, &hash), "{sweeps_before}");
        assert_eq!(
            world.db.text(
                "SELECT usage_lifetime_nano || ' ' || (erased_at IS NOT NULL) FROM generations"
            ),
            "2500000000 1"
        );
        assert!(world.log.borrow().join("\n").contains("revoked_was_on"));
        oracle::settled(&world);
    }
}

#[test]
fn a_list_that_shows_a_disabled_key_as_enabled_deletes_nothing() {
    let world = World::new();
    let (_, hash) = removed(&world, 2.0);
    for _ in 0..2 {
        sweep(&world);
    }
    puts_on(&world, &hash);
    // The key is disabled between the listing and the look at it.
    world.pass(TEN_MINUTES);
    let service = world.service();
    let looks = |world: &World| {
        let names = world.effects.names();
        names.iter().position(|name| name.contains("retained::ONE"))
    };
    let dry = world.copied();
    dry.effects.plan(&[]);
    assert!(dry.sweep());
    let k = looks(&dry).expect("the walk looks at it");
    world.effects.plan(&[(k, Fate::HeldBefore)]);
    let mut run = Box::pin(keycap::jobs::sweep_and_go_on(service.app(), world.now()));
    let mut poll = || {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        run.as_mut().poll(&mut context)
    };
    use std::future::Future;
    assert!(poll().is_pending());
    world.effects.plan(&[]);
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "disabled": true }),
    );
    assert!(poll().is_ready());
    assert!(is_there(&world, &hash), "kept until its time");
    oracle::settled(&world);
}

#[test]
fn a_404_of_another_account_does_not_count_as_deleted() {
    let world = World::new();
    let (_, _) = removed(&world, 2.0);
    let ours = world.swap_account();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped foreign_account");
    let erased = "SELECT COUNT(*) FROM generations WHERE erased_at IS NOT NULL";
    assert_eq!(world.db.number(erased), 0);
    world.sandbox.replace(ours);
    // The account is ours again and somebody has deleted the key: nothing more can be read.
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    world.by_hand("DELETE", &format!("/keys/{hash}"), &serde_json::Value::Null);
    sweep(&world);
    assert_eq!(world.db.number(erased), 1);
    oracle::settled(&world);
}

#[test]
fn figures_that_cannot_be_read_are_asked_for_later_each_time_and_nothing_is_deleted() {
    let world = World::new();
    let (_, hash) = removed(&world, 0.0);
    world.add_fault("openrouter.keys.get", "error_before", json!({ "times": 0 }));
    world.pass(2 * 86_400);
    let tries = |world: &World| world.db.number("SELECT attempts FROM generations");
    for _ in 0..20 {
        sweep(&world);
    }
    assert!((3..=6).contains(&tries(&world)), "{}", tries(&world));
    assert!(is_there(&world, &hash));
    assert_eq!(world.states(), ["revoked"]);
    world.sandbox.borrow_mut().clear_faults();
    world.pass(86_400);
    sweep(&world);
    sweep(&world);
    assert!(!is_there(&world, &hash));
    oracle::settled(&world);
}

#[test]
fn a_key_is_recorded_as_disabled_only_with_its_figures_and_without_an_enable_in_flight() {
    for (spoil, allowed) in [
        ("SELECT 1", true),
        ("UPDATE generations SET usage_read_at = NULL", false),
        ("UPDATE generations SET usage_read_at = ended_at - 1", false),
        ("UPDATE generations SET ended_at = NULL", false),
        (
            "UPDATE generations SET switch_doubted_at = ended_at - 299",
            false,
        ),
        (
            "UPDATE generations SET switch_doubted_at = ended_at - 300",
            true,
        ),
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let id = member.claim().json()["key"]["id"].clone();
        // The request is cut between the reading of its figures and the record of them.
        let key = format!("/api/v1/keys/{}", id.as_str().unwrap());
        let dry = world.copied();
        let cookies = member.cookies.take();
        dry.effects.plan(&[]);
        Browser::with(&dry, &cookies).delete(&key);
        let effects = dry.effects.names();
        let k = effects.iter().position(|name| name.contains("OFF_GUARD"));
        world
            .effects
            .plan(&[(k.expect("it is confirmed"), Fate::CutBefore)]);
        let headers = [
            ("origin", crate::support::world::ORIGIN),
            ("content-type", "application/json"),
        ];
        let body = keycap::http::server::message::Body::Bytes(b"{}".to_vec());
        assert!(
            Browser::with(&world, &cookies)
                .try_send("DELETE", &key, &headers, body)
                .is_none()
        );
        world.effects.plan(&[]);
        world.db.run(spoil);
        let generation = world.db.text("SELECT public_id FROM generations");
        let change = PublicId::new(IdKind::Change, [7; 12]);
        let off = generations::confirm_off(
            &world.db,
            &generation,
            Removed::Off,
            "t",
            &change,
            world.now(),
        );
        assert_eq!(world.run(off).unwrap(), Ok(allowed), "{spoil}");
        assert_eq!(world.states() == ["revoked"], allowed);
    }
}

#[test]
fn a_purge_that_breaks_at_any_point_is_finished_cleanly() {
    let mut scenarios = 0;
    for dollars in [0.0, 2.0] {
        let start = World::new();
        let (cookies, hash) = removed(&start, dollars);
        sweep(&start);
        if dollars > 0.0 {
            sweep(&start);
            start.pass(86_400);
        }
        start.pass(TEN_MINUTES);
        let dry = start.copied();
        dry.effects.plan(&[]);
        assert!(dry.sweep());
        assert!(!is_there(&dry, &hash));
        for k in 0..dry.effects.count() {
            for fate in Fate::ALL.into_iter().chain([Fate::Late]) {
                let world = start.forked();
                world.effects.plan(&[(k, fate)]);
                world.sweep();
                world.effects.plan(&[]);
                oracle::always(&world);
                world.effects.land();
                for _ in 0..3 {
                    sweep(&world);
                }
                assert!(!is_there(&world, &hash), "{k} {fate:?}");
                assert_eq!(
                    world
                        .db
                        .number("SELECT COUNT(*) FROM audit WHERE action = 'erased'"),
                    1,
                    "{k} {fate:?}"
                );
                oracle::settled(&world);
                scenarios += 1;
            }
        }
        assert_eq!(Browser::with(&start, &cookies).claim().status, 201);
    }
    println!("counted: {scenarios} scenarios of an erasure that breaks");
    assert!(scenarios > 60, "{scenarios}");
}

#[test]
fn a_key_ends_while_another_generation_of_it_is_made() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let id = member.claim().json()["key"]["id"].clone();
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, after, at) VALUES ('t', 'gen_t', 'reserved', 't', 'minting', 1);
         INSERT INTO generations (public_id, key_id, owner_id, slot, state, op_nonce, upstream_name, plan_rev, limit_nano, limit_reset,
             created_at, expires_at, change_id)
           SELECT 'gen_t', key_id, owner_id, 1, 'minting', 'n', 'keycap/t/gen_t', plan_rev, limit_nano, limit_reset, created_at, expires_at, 't'
           FROM generations",
    );
    let response = member.delete(&format!("/api/v1/keys/{}", id.as_str().unwrap()));
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(world.states(), ["revoked", "minting"]);
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM keys WHERE ended_at IS NULL"),
        0
    );
    assert_eq!(world.usable().len(), 0);
    assert_eq!(member.claim().code(), "claim_in_progress");
}

/// Makes a member's key that has spent this many dollars on the last day of its life and has expired. Returns its hash.
fn expired(world: &World, dollars: f64) -> String {
    let member = Browser::signed_in(world, "member");
    assert_eq!(member.claim().status, 201);
    let hash = world.usable()[0].hash.clone();
    world.pass(90 * 86_400 - 600);
    world.spends(dollars);
    world.pass(600 + 301);
    hash
}

#[test]
fn an_expired_key_is_deleted_once_its_figures_are_settled() {
    let world = World::new();
    let hash = expired(&world, 1.25);
    sweep(&world);
    assert_eq!(world.states(), ["expired"]);
    for _ in 0..3 {
        sweep(&world);
        assert!(is_there(&world, &hash), "its last day is not over");
    }
    assert!(!world.log.borrow().join("\n").contains("revoked_was_on"));
    // The next day has lasted more than an hour.
    world.pass(86_400 + 3_600);
    sweep(&world);
    assert!(!is_there(&world, &hash));
    assert_eq!(
        world.db.text("SELECT before || ' ' || usage_lifetime_nano FROM audit a JOIN generations g ON g.public_id = a.target WHERE action = 'erased'"),
        "expired 1250000000"
    );
    oracle::settled(&world);
}

#[test]
fn the_spend_of_an_expired_key_is_read_again_until_openrouter_answers() {
    let world = World::new();
    let hash = expired(&world, 1.25);
    world.add_fault("openrouter.keys.get", "html_error", json!({ "times": 0 }));
    for _ in 0..12 {
        sweep(&world);
    }
    assert_eq!(world.states(), ["expired"]);
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM generations WHERE usage_read_at IS NULL"),
        1
    );
    world.sandbox.borrow_mut().clear_faults();
    world.pass(86_400);
    for _ in 0..3 {
        sweep(&world);
    }
    assert_eq!(
        world
            .db
            .number("SELECT usage_lifetime_nano FROM generations"),
        1_250_000_000
    );
    world.pass(86_400);
    sweep(&world);
    assert!(!is_there(&world, &hash));
    oracle::settled(&world);
}

#[test]
fn an_expired_key_that_spent_nothing_leaves_its_successor_everything_once_that_is_known() {
    let world = World::new();
    expired(&world, 0.0);
    world.add_fault("openrouter.keys.get", "html_error", json!({ "times": 0 }));
    for _ in 0..12 {
        sweep(&world);
    }
    assert_eq!(world.states(), ["expired"]);
    let member = Browser::signed_in(&world, "member");
    let response = member.claim();
    assert_eq!(
        response.json()["key"]["holds"],
        json!(["budget"]),
        "{response:?}"
    );
    world.sandbox.borrow_mut().clear_faults();
    // It is the same day: only the reading can have raised the limit.
    let due = "SELECT cap_due_at FROM generations WHERE live = 1";
    let at_reset = world.db.number(due);
    for _ in 0..40 {
        sweep(&world);
    }
    assert!(world.now().secs() < at_reset);
    let key = member.get("/api/v1/keys").json()["keys"][0].clone();
    assert_eq!(
        (&key["state"], &key["limit_usd"]),
        (&json!("active"), &json!("5.00"))
    );
    oracle::settled(&world);
}
