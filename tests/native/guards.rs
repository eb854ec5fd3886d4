//! One guard at a time: each test here fails when one guard is taken out and everything else stays (`npm run mutants`).
//! Ordered by the file of `tests/native` whose subject it is.

use keycap::crypto::keyring::{self, Purpose};
use keycap::crypto::session::{self, Session};
use keycap::domain::id::{Kind, PublicId};
use keycap::domain::secret::Secret;
use keycap::store::settings::{self, Minting, Switched};
use serde_json::json;

use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

fn shut_after_reservation(world: &World, sql: &str) {
    world.db.run(&format!(
        "CREATE TRIGGER shut AFTER INSERT ON generations BEGIN {sql}; END"
    ));
}

// ---- schema.rs

#[test]
fn p11_an_audit_row_is_not_replaced_either() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    let before = world.db.dump();
    for sql in [
        "INSERT OR REPLACE INTO audit (id, change_id, target, action, actor, at) SELECT id, 't', 't', 'refused', 't', 1 FROM audit",
        "INSERT OR REPLACE INTO audit (change_id, target, action, actor, at) SELECT change_id, target, 'refused', 't', 1 FROM audit",
    ] {
        world.db.run(sql);
        assert_eq!(world.db.dump(), before, "{sql}");
    }
}

fn refused(sql: &str, word: &str) {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let before = world.db.dump();
    let error = world
        .db
        .connection
        .borrow()
        .execute_batch(&format!("BEGIN; {sql}; COMMIT"))
        .expect_err(sql);
    assert!(error.to_string().contains(word), "{sql}: {error}");
    if !world.db.connection.borrow().is_autocommit() {
        world.db.run("ROLLBACK");
    }
    assert_eq!(world.db.dump(), before, "{sql}");
}

/// A second generation beside the claimed one, in the other slot.
fn generation(state: &str, name: &str, hash: &str) -> String {
    format!(
        "INSERT INTO generations (public_id, key_id, owner_id, slot, state, op_nonce, upstream_name, upstream_hash, secret_sha256,
           recorded_at, plan_rev, limit_nano, limit_reset, created_at, expires_at, change_id)
         SELECT 'gen_t', key_id, owner_id, 1, '{state}', 'n', {name}, {hash}, 'x', 1, 0, limit_nano, limit_reset, created_at, expires_at, 't'
         FROM generations"
    )
}

#[test]
fn p2_p11_what_is_made_is_audited_and_unique() {
    let audit = |target: &str, after: &str| {
        format!(
            "INSERT INTO audit (change_id, target, action, actor, after, at) VALUES ('t', '{target}', 'reserved', 't', '{after}', 1);"
        )
    };
    let plan = |is_default: u8| {
        format!(
            "INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, is_default, created_at, change_id)
             VALUES ('other', 1000000000, 'daily', 1, 1, {is_default}, 1, 't')"
        )
    };
    for (sql, word) in [
        // A name and a hash are one row's, also in the other slot.
        (audit("gen_t", "minting") + &generation("minting", "upstream_name", "NULL"), "upstream_name"),
        (audit("gen_t", "minting") + &generation("minting", "'name'", "upstream_hash"), "upstream_hash"),
        // A generation begins as reserved or minting, and with an audit row of its own.
        (audit("gen_t", "active") + &generation("active", "'name'", "'hash'"), "unaudited"),
        (generation("minting", "'name'", "NULL"), "unaudited"),
        (audit("gen_t", "reserved") + &generation("minting", "'name'", "NULL"), "unaudited"),
        // A person is one member.
        (
            audit("mem_t", "x")
                + "INSERT INTO owners (kind, plan_id, created_at) SELECT 'member', plan_id, 1 FROM owners;
                   INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at, created_at, signed_in_at, change_id)
                     SELECT (SELECT MAX(id) FROM owners), 'mem_t', provider, subject, login, 1, 1, 1, 't' FROM members",
            "UNIQUE",
        ),
        // There is one default plan, and none without an audit row.
        (audit("plan:t", "x") + &plan(1), "UNIQUE"),
        (plan(0), "unaudited"),
        (
            String::from("INSERT INTO keys (public_id, owner_id, ordinal, origin, plan_id, created_at, change_id)
               SELECT 'key_t', owner_id, 1, 'claim', plan_id, 1, 't' FROM keys"),
            "unaudited",
        ),
        (
            audit("plan:t", "x") + "UPDATE plans SET limit_nano = 9999999, change_id = 't'",
            "plans_limit_nano_valid",
        ),
    ] {
        refused(&sql, word);
    }
}

#[test]
fn p6_a_row_that_is_deleted_gives_its_seat_back() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    assert_eq!(world.db.number("SELECT live FROM seats"), 1);
    world.db.run("DELETE FROM generations");
    assert_eq!(world.db.number("SELECT live FROM seats"), 0);
}

// ---- luck.rs

#[test]
fn x3_a_disable_that_lands_late_does_not_undo_a_newer_enable() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let settings = "/api/v1/admin/settings";
    assert_eq!(
        operator
            .patch(settings, r#"{"keys":"off","confirm":1}"#)
            .status,
        200
    );
    *world.db.trace.borrow_mut() = Some(Vec::new());
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let trace = world.db.trace.borrow_mut().take().unwrap();
    let disable = trace
        .iter()
        .find(|ran| ran.stmts[0].sql.name.ends_with("holds::CONFIRMED_GUARD"))
        .unwrap();
    assert_eq!(operator.patch(settings, r#"{"keys":"on"}"#).status, 200);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active"]);
    let before = world.db.dump();
    use keycap::ports::Database;
    let landed = world.run(world.db.batch(disable.stmts.clone())).unwrap();
    assert_eq!(landed, Err(keycap::ports::DbError::Constraint));
    assert_eq!(world.db.dump(), before);
}

#[test]
fn x2_a_marker_whose_row_appears_after_the_listing_is_left_alone() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let name = format!(
        "keycap/{}/gen_t",
        world.db.text("SELECT name FROM instance")
    );
    let key = sandbox::NewKey {
        name: name.clone(),
        ..Default::default()
    };
    let now = world.now_ms.get();
    world.sandbox.borrow_mut().add_foreign_key(key, now);
    world.db.run(&format!(
        "CREATE TRIGGER late AFTER INSERT ON findings BEGIN
           INSERT INTO audit (change_id, target, action, actor, after, at) VALUES ('t', 'gen_t', 'reserved', 't', 'minting', 1);
           {};
         END",
        generation("minting", "NEW.upstream_name", "NULL")
    ));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    let sandbox = world.sandbox.borrow();
    assert!(sandbox.ledger().keys_named(&name).all(|key| !key.disabled));
}

// ---- gates.rs

#[test]
fn x12_a_row_with_another_nonce_is_neither_recorded_nor_given_up() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    shut_after_reservation(
        &world,
        "UPDATE generations SET op_nonce = 'another' WHERE id = NEW.id",
    );
    assert_eq!(member.claim().code(), "claim_superseded");
    assert_eq!(world.usable().len(), 0);
    assert_eq!(world.states(), ["minting"], "it is its new driver's");
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    oracle::settled(&world);
}

#[test]
fn x12_seats_and_age_are_looked_at_again_at_the_record() {
    for sql in [
        "UPDATE seats SET live = 501",
        "UPDATE members SET account_created_at = 9999999999",
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        shut_after_reservation(&world, sql);
        assert_eq!(member.claim().code(), "claim_superseded", "{sql}");
        assert_eq!(world.usable().len(), 0, "{sql}");
        assert_eq!(world.states(), ["revoked"], "{sql}");
    }
}

#[test]
fn a2_a_leaked_keys_hold_refuses_claims_while_the_key_is_there() {
    for (reason, status) in [("leak", 403), ("owner", 201)] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'refused', 't', 1);
             INSERT INTO keys (public_id, owner_id, ordinal, origin, plan_id, created_at, change_id)
               SELECT 'key_t', owner_id, 0, 'claim', 1, 1, 't' FROM members;
             INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, '{reason}', 't', 1, 't' FROM keys"
        ));
        assert_eq!(member.claim().status, status, "{reason}");
    }
}

// ---- pauses.rs

#[test]
fn x1_a_mint_that_took_a_minute_is_not_recorded() {
    for (secs, status) in [(59, 201), (60, 409)] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.effects.plan(&[(1, Fate::HeldAfter)]);
        let held = member.start_claim();
        world.pass(secs);
        assert_eq!(held.release().status, status, "{secs}");
        assert_eq!(world.usable().len(), usize::from(status == 201), "{secs}");
        oracle::settled(&world);
    }
}

#[test]
fn x1_whoever_takes_a_mint_over_changes_its_nonce() {
    let nonce = |world: &World| world.db.text("SELECT op_nonce FROM generations");
    for fenced in [false, true] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        world.add_fault("openrouter.keys.create", "reset_after", json!({}));
        world.effects.plan(&[(1, Fate::HeldAfter)]);
        let held = member.start_claim();
        let before = nonce(&world);
        if fenced {
            world.pass(120);
            assert!(world.sweep());
        } else {
            assert_eq!(held.release().code(), "claim_unknown");
        }
        assert_ne!(nonce(&world), before, "fenced: {fenced}");
    }
}

// ---- switches.rs

#[test]
fn a4_each_switch_wants_a_current_session_in_its_own_statement() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let id = world.db.text("SELECT public_id FROM members");
    let before = world.db.dump();
    let session = |epoch| Session {
        member: PublicId::parse(Kind::Member, &id).unwrap(),
        epoch,
    };
    let (db, now, change) = (&world.db, world.now(), PublicId::new(Kind::Change, [9; 12]));
    let ended = session(7);
    for told in [
        world.run(settings::switch_minting(
            db,
            &ended,
            &change,
            Minting::Stopped,
            now,
        )),
        world.run(settings::keys_off(db, &ended, &change, 9, now)),
        world.run(settings::keys_on(db, &ended, &change, now)),
        world.run(settings::take_over(
            db,
            &ended,
            &change,
            "https://elsewhere.example",
            now,
        )),
    ] {
        assert!(matches!(told, Some(Ok(Switched::Refused(_)))), "{told:?}");
        assert_eq!(world.db.dump(), before);
    }
    drop(operator);
}

// ---- faults.rs

#[test]
fn x1_a_408_is_no_refusal() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 408 }));
    assert_eq!(member.claim().code(), "claim_unknown");
    assert_eq!(world.states(), ["verifying"]);
}

// ---- sign_in.rs

#[test]
fn a7_a_session_that_would_last_longer_than_seven_days_is_nobodys() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::Mac;
    let secrets = [Secret::new("a".repeat(32))];
    let keys = keyring::keys(&secrets, Purpose::Session);
    let world = World::new();
    let now = world.now();
    let member = PublicId::new(Kind::Member, [9; 12]);
    for (days, valid) in [(7, true), (8, false)] {
        let claims = json!({ "sub": member.as_str(), "epoch": 0, "iat": now.secs(), "exp": now.plus(days * 86_400).secs() });
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!(
            "{}.{}",
            part(r#"{"alg":"HS256"}"#),
            part(&claims.to_string())
        );
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(keys[0].as_slice()).unwrap();
        mac.update(signed.as_bytes());
        let token = format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        );
        assert_eq!(
            session::verify(&keys, &token, now).is_some(),
            valid,
            "{days}"
        );
    }
}

// ---- pauses.rs

#[test]
fn x2_a_sweep_leaves_a_young_mint_alone() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.effects.plan(&[(1, Fate::HeldAfter)]);
    let held = member.start_claim();
    world.pass(59);
    assert!(world.sweep());
    assert_eq!(held.release().status, 201);
    oracle::settled(&world);
}

// ---- sweep.rs

#[test]
fn c1_a_revoke_that_fails_is_tried_later_each_time() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    let more = json!({ "status": 400, "times": 0 });
    world.add_fault("openrouter.keys.delete", "refuse", more);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    let mut attempts = Vec::new();
    for _ in 0..8 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        attempts.push(world.db.number("SELECT attempts FROM generations"));
    }
    assert_eq!(attempts, [1, 2, 2, 3, 3, 3, 3, 4]);
}

/// A workspace beside the default one.
fn workspace(world: &World) -> String {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = sandbox::Request {
        method: String::from("POST"),
        target: String::from("/openrouter/api/v1/workspaces"),
        headers: vec![
            header(
                "authorization",
                &format!("Bearer {}", sandbox::MANAGEMENT_KEY),
            ),
            header("content-type", "application/json"),
            header("user-agent", "operator"),
        ],
        body: br#"{"name":"Keys","slug":"keys"}"#.to_vec(),
    };
    let now = world.now_ms.get();
    let answer = world.sandbox.borrow_mut().handle(&request, now);
    let value = answer.answer().unwrap().value();
    value["data"]["id"].as_str().unwrap().to_owned()
}

fn mint_in(world: &World, workspace: &str) {
    world.db.run(&format!(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'plan:default', 'plan_seeded', 't', 1);
         UPDATE plans SET workspace_id = '{workspace}', change_id = 't'"
    ));
}

#[test]
fn x16_a_walk_frees_only_what_is_of_its_own_workspace() {
    let world = World::new();
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    mint_in(&world, &workspace(&world));
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    // The other workspace does not answer; the default one does, to its end.
    world.add_fault(
        "openrouter.keys.list",
        "error_before",
        json!({ "times": 3 }),
    );
    for state in ["verifying", "void"] {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["active", state], "{}", world.last_run());
    }
    oracle::settled(&world);
}

// ---- switches.rs

#[test]
fn a2_a_switch_that_is_no_longer_wanted_is_not_sent() {
    let world = World::new();
    for person in ["member", "second"] {
        assert_eq!(Browser::signed_in(&world, person).claim().status, 201);
    }
    // While the first key is switched off, the hold on the other one goes.
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys;
         CREATE TRIGGER goes AFTER UPDATE OF switch_doubted_at ON generations WHEN NEW.switch_doubted_at IS NOT NULL
         BEGIN DELETE FROM holds WHERE key_id <> NEW.key_id; END",
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.calls("openrouter.keys.update"), 1);
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn x4_an_enable_that_may_still_land_is_answered_by_a_second_off() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let patch = |body: &str| assert_eq!(operator.patch("/api/v1/admin/settings", body).status, 200);
    let sweep_after = |secs: i64| {
        world.pass(secs);
        assert!(world.sweep());
        oracle::always(&world);
    };
    patch(r#"{"keys":"off","confirm":1}"#);
    sweep_after(TEN_MINUTES);
    patch(r#"{"keys":"on"}"#);
    // All three tries are lost on the way.
    world.add_fault("openrouter.keys.update", "late", json!({ "times": 3 }));
    sweep_after(TEN_MINUTES);
    patch(r#"{"keys":"off","confirm":1}"#);
    // Off is confirmed, but what was sent a minute ago may land yet.
    sweep_after(60);
    let said = world.calls("openrouter.keys.update");
    assert_eq!(said, 1 + 3 + 1, "at once, though the row was postponed");
    let now = world.now_ms.get();
    assert!(world.sandbox.borrow_mut().land_late(now) > 0);
    assert_eq!(world.usable().len(), 1, "it has landed");
    sweep_after(TEN_MINUTES);
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}

// ---- sign_in.rs

#[test]
fn s4_76_a_session_that_has_ended_ends_no_other() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    // Each keeps its cookie, which an answer that refuses it would clear.
    let (ended, everywhere) = (member.at_fresh_isolate(), "/api/v1/me/sign-out-everywhere");
    assert_eq!(member.post(everywhere, "{}").status, 204);
    let again = Browser::signed_in(&world, "member");
    assert_eq!(ended.post(everywhere, "{}").status, 401);
    assert_eq!(again.get("/api/v1/me").status, 200);
}

// ---- luck.rs

#[test]
fn x6_a_key_in_a_plans_own_workspace_tells_the_account_too() {
    let world = World::new();
    world.set("OPENROUTER_WORKSPACE_ID", &workspace(&world));
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    let settings = sandbox::Settings {
        seed: 4_711,
        default_workspace_id: String::from("5a4db0c5-0000-4000-8000-00000000ffff"),
        ..sandbox::Settings::default()
    };
    world.sandbox.replace(sandbox::Sandbox::new(settings));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped foreign_account");
    assert_eq!(world.states(), ["active", "verifying"]);
}

#[test]
fn s4_05_a_state_whose_second_half_is_another_signs_nobody_in() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github");
    let callback = browser.approve(started.header("location"), "member");
    let (before, state) = callback.split_once("state=").unwrap();
    let (suffix, _) = state.split_once('.').unwrap();
    let told = browser.get(&format!("{before}state={suffix}.{}", "x".repeat(43)));
    assert_eq!(told.header("location"), "/?auth_error=state");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 0);
}

// ---- routes.rs

#[test]
fn s2_36_s4_77_only_our_own_pages_use_an_admins_switches() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let ours = "http://localhost:8787";
    for (origin, site, status) in [
        (ours, "same-origin", 200),
        (ours, "same-site", 403),
        ("https://elsewhere.example", "same-origin", 403),
        ("null", "cross-site", 403),
    ] {
        let headers = [
            ("origin", origin),
            ("sec-fetch-site", site),
            ("content-type", "application/json"),
        ];
        let body = keycap::http::Body::Bytes(br#"{"minting":"open"}"#.to_vec());
        let told = operator.send("PATCH", "/api/v1/admin/settings", &headers, body);
        assert_eq!(told.status, status, "{origin} {site}");
    }
}

// ---- sweep.rs

#[test]
fn p7_a_revoke_whose_answer_is_lost_is_not_confirmed() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.delete", "reset_before", more);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["revoking"]);
        oracle::always(&world);
    }
    world.sandbox.borrow_mut().clear_faults();
    world.pass(7_200);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked"]);
    oracle::settled(&world);
}

#[test]
fn x4_a_switch_whose_answer_is_lost_is_not_confirmed() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let off = r#"{"keys":"off","confirm":1}"#;
    assert_eq!(operator.patch("/api/v1/admin/settings", off).status, 200);
    world.add_fault(
        "openrouter.keys.update",
        "reset_before",
        json!({ "times": 3 }),
    );
    for (state, usable) in [("active", 1), ("disabled", 0)] {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(&world);
        assert_eq!(world.states(), [state]);
        assert_eq!(world.usable().len(), usable);
    }
}

// ---- luck.rs

#[test]
fn p8_many_twins_at_once_are_an_upstream_that_changed_its_ways() {
    let world = World::new();
    for n in 0..11 {
        let person = Browser::signed_in(&world, &format!("load-{n}"));
        world.add_fault("openrouter.keys.create", "duplicate", json!({}));
        assert_eq!(person.claim().status, 201);
    }
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped brake");
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
}

#[test]
fn x3_what_cannot_be_known_or_written_down_is_not_touched() {
    for (bent, plan, code) in [
        // The record is lost twice, and so is the audit's answer.
        (
            false,
            vec![
                (2, Fate::LostBefore),
                (3, Fate::LostBefore),
                (4, Fate::LostBefore),
            ],
            "storage_unavailable",
        ),
        // The record was committed and reads as refused, and the audit cannot be asked.
        (
            false,
            vec![(2, Fate::RefusedAfter), (3, Fate::LostBefore)],
            "storage_unavailable",
        ),
        // A bad echo, whose removal cannot be written down.
        (
            true,
            vec![(2, Fate::LostBefore), (3, Fate::LostBefore)],
            "openrouter_mismatch",
        ),
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        if bent {
            world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
        }
        world.effects.plan(&plan);
        assert_eq!(member.claim().code(), code, "{plan:?}");
        let names = world.effects.names();
        assert!(
            !names.iter().any(|name| name.starts_with("http DELETE")),
            "{names:?}"
        );
        oracle::always(&world);
    }
}

// ---- faults.rs, with support's `bend`

#[test]
fn p4_p7_x6_an_answer_that_says_something_else_is_not_taken_for_done() {
    // An empty secret is none.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.bend.set(Some(|call, answer| {
        if call.method == "POST" && call.url.path().ends_with("/keys") {
            answer["key"] = json!("");
        }
    }));
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    oracle::settled(&world);

    // A label that gives the secret away is neither kept nor shown.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.bend.set(Some(|call, answer| {
        if call.method == "POST" && call.url.path().ends_with("/keys") {
            answer["data"]["label"] = answer["key"].clone();
        }
    }));
    let told = member.claim();
    assert_eq!(told.json()["key"]["mask"], json!(null));
    oracle::settled(&world);

    // A delete that was not one.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    world.add_fault("openrouter.keys.delete", "refuse", json!({ "status": 400 }));
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    world.bend.set(Some(|call, answer| {
        if call.method == "DELETE" {
            *answer = json!({ "deleted": false });
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoking"]);

    // A switch that was not one.
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys",
    );
    world.bend.set(Some(|call, answer| {
        if call.method == "PATCH" {
            answer["data"]["disabled"] = json!(false);
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active"]);

    // Another workspace than the one that was asked for.
    world.bend.set(Some(|call, answer| {
        if call.url.path().contains("/workspaces/") {
            answer["data"]["id"] = json!("another");
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped foreign_account");
}

// ---- sweep.rs

fn newer_keys(world: &World, n: usize) {
    let now = world.now_ms.get();
    for n in 0..n {
        let key = sandbox::NewKey {
            name: format!("somebody's {n}"),
            ..Default::default()
        };
        world.sandbox.borrow_mut().add_foreign_key(key, now);
    }
}

#[test]
fn x16_pages_that_do_not_meet_prove_no_absence() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    newer_keys(&world, 150);
    // As if twenty keys had been deleted during each walk.
    world.bend.set(Some(|call, answer| {
        if call
            .url
            .query()
            .is_some_and(|query| query.contains("offset=90&"))
        {
            let rows = answer["data"].as_array_mut().unwrap();
            rows.drain(..20);
        }
    }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["verifying"]);
    assert_eq!(world.last_run(), "failed openrouter_unavailable");
    world.bend.set(None);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["void"]);
}

#[test]
fn x1_a_walk_that_was_resumed_concludes_as_of_its_beginning() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    newer_keys(&world, 150);
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    world.pass(100);
    let more = json!({ "nth": 2, "retry_after": 30 });
    world.add_fault("openrouter.keys.list", "rate_limited", more);
    for (outcome, state) in [
        ("partial", "verifying"),
        ("done", "verifying"),
        ("done", "void"),
    ] {
        assert!(world.sweep());
        assert_eq!(
            (world.last_run().as_str(), world.states()),
            (outcome, vec![state.to_owned()])
        );
        world.pass(TEN_MINUTES);
    }
}

#[test]
fn x16_a_stray_that_somebody_disabled_is_found_and_deleted() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    let hash = world.usable()[0].hash.clone();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = sandbox::Request {
        method: String::from("PATCH"),
        target: format!("/openrouter/api/v1/keys/{hash}"),
        headers: vec![
            header(
                "authorization",
                &format!("Bearer {}", sandbox::MANAGEMENT_KEY),
            ),
            header("content-type", "application/json"),
            header("user-agent", "somebody"),
        ],
        body: br#"{"disabled":true}"#.to_vec(),
    };
    let now = world.now_ms.get();
    assert_eq!(
        world
            .sandbox
            .borrow_mut()
            .handle(&request, now)
            .answer()
            .unwrap()
            .status,
        200
    );
    assert_eq!(world.usable().len(), 0);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["void"]);
    assert_eq!(world.calls("openrouter.keys.delete"), 1);
}

#[test]
fn x1_a_listed_key_whose_time_cannot_be_read_is_never_old() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    newer_keys(&world, 150);
    for _ in 0..2 {
        world.pass(7_200);
        assert!(world.sweep());
    }
    let lists = || world.calls("openrouter.keys.list");
    let (before, pages) = (lists(), |from| lists() - from);
    world.pass(7_200);
    assert!(world.sweep());
    assert_eq!(pages(before), 1, "all of the first page is old");
    world.bend.set(Some(|call, answer| {
        if call.method == "GET" && call.url.path().ends_with("/keys") {
            for row in answer["data"].as_array_mut().unwrap() {
                row["created_at"] = json!("yesterday");
            }
        }
    }));
    let before = lists();
    world.pass(7_200);
    assert!(world.sweep());
    assert!(pages(before) > 1);
}

#[test]
fn p8_a_row_that_is_refused_waits_and_it_is_no_attempt_of_its_own() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    let more = json!({ "status": 403, "times": 0 });
    world.add_fault("openrouter.keys.delete", "refuse", more);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let waits = format!(
        "SELECT attempts || ' ' || (next_attempt_at - {}) FROM generations",
        world.now().secs()
    );
    assert_eq!(world.db.text(&waits), "0 540");
}

// ---- claim.rs

#[test]
fn b1_spend_that_could_not_be_read_is_asked_for_again() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.pass(90 * 86_400 + 301);
    // All three tries of one sweep.
    world.add_fault("openrouter.keys.get", "html_error", json!({ "times": 3 }));
    for state in ["active", "expired"] {
        assert!(world.sweep());
        assert_eq!(world.states(), [state]);
        world.pass(TEN_MINUTES);
    }
    let again = Browser::signed_in(&world, "member");
    assert_eq!(again.claim().json()["key"]["limit_usd"], "5.00");
}

#[test]
fn x1_what_a_walk_has_seen_is_not_absent() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(member.claim().status, 503);
    // It is listed, and cannot be deleted.
    world.add_fault(
        "openrouter.keys.delete",
        "error_before",
        json!({ "times": 0 }),
    );
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["verifying"]);
    }
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["void"]);
    oracle::settled(&world);
}

#[test]
fn x17_a_seat_is_given_back_once_however_often_the_end_is_written() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(Browser::signed_in(&world, "second").claim().status, 201);
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    // Reserve, create, abandon, delete, and the confirmation's answer is lost: it is sent again.
    world.effects.plan(&[(4, Fate::LostAfter)]);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    assert_eq!(world.states(), ["active", "revoked"]);
    assert_eq!(world.db.number("SELECT live FROM seats"), 1);
}

#[test]
fn x16_where_keys_were_minted_lately_is_walked_even_when_no_plan_mints_there_any_more() {
    let world = World::new();
    let first = Browser::signed_in(&world, "second");
    assert_eq!(first.claim().status, 201);
    mint_in(&world, &workspace(&world));
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "late", json!({}));
    assert_eq!(member.claim().status, 503);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active", "void"]);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('back', 'plan:default', 'plan_seeded', 't', 1);
         UPDATE plans SET workspace_id = NULL, change_id = 'back'",
    );
    let now = world.now_ms.get();
    assert_eq!(world.sandbox.borrow_mut().land_late(now), 1);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 1, "the stray is gone");
    oracle::settled(&world);
}

#[test]
fn x4_an_off_that_lands_late_does_not_outlive_the_next_on() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let operator = Browser::signed_in(&world, "operator");
    let patch = |body: &str| assert_eq!(operator.patch("/api/v1/admin/settings", body).status, 200);
    patch(r#"{"keys":"off","confirm":1}"#);
    world.add_fault("openrouter.keys.update", "late", json!({ "times": 3 }));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    patch(r#"{"keys":"on"}"#);
    let now = world.now_ms.get();
    assert!(world.sandbox.borrow_mut().land_late(now) > 0);
    assert_eq!(world.usable().len(), 0, "it has landed");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 1);
    oracle::settled(&world);
}

#[test]
fn a2_a_switch_that_is_no_longer_wanted_is_not_confirmed() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    // The hold goes while the switch is on its way.
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'key_t', 'disabled', 't', 1);
         INSERT INTO holds (key_id, reason, actor, since, change_id) SELECT id, 'admin', 't', 1, 't' FROM keys;
         CREATE TRIGGER goes AFTER UPDATE OF switch_doubted_at ON generations WHEN NEW.switch_doubted_at IS NOT NULL
         BEGIN DELETE FROM holds; END",
    );
    for usable in [0, 1] {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        assert_eq!(world.states(), ["active"]);
        assert_eq!(world.usable().len(), usable);
    }
}
