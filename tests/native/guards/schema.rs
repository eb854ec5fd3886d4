//! The rules of the schema, one at a time.

use serde_json::json;

use super::generation;
use crate::support::{Browser, Fate, World};

#[test]
fn an_audit_row_is_not_replaced_either() {
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
        .connection()
        .borrow()
        .execute_batch(&format!("BEGIN; {sql}; COMMIT"))
        .expect_err(sql);
    assert!(error.to_string().contains(word), "{sql}: {error}");
    if !world.db.connection().borrow().is_autocommit() {
        world.db.run("ROLLBACK");
    }
    assert_eq!(world.db.dump(), before, "{sql}");
}

#[test]
fn every_inserted_row_is_audited_and_unique() {
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
        // A name and a hash belong to one row, also across slots.
        (audit("gen_t", "minting") + &generation("minting", "upstream_name", "NULL"), "upstream_name"),
        (audit("gen_t", "minting") + &generation("minting", "'name'", "upstream_hash"), "upstream_hash"),
        // A generation begins as `reserved` or `minting`, and with its own audit row.
        (audit("gen_t", "active") + &generation("active", "'name'", "'hash'"), "unaudited"),
        (generation("minting", "'name'", "NULL"), "unaudited"),
        (audit("gen_t", "reserved") + &generation("minting", "'name'", "NULL"), "unaudited"),
        // A person is only one member.
        (
            audit("mem_t", "x")
                + "INSERT INTO owners (kind, plan_id, created_at) SELECT 'member', plan_id, 1 FROM owners;
                   INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at, created_at, signed_in_at, change_id)
                     SELECT (SELECT MAX(id) FROM owners), 'mem_t', provider, subject, login, 1, 1, 1, 't' FROM members",
            "UNIQUE",
        ),
        // There is only one default plan, and no plan is made without an audit row.
        (audit("plan:t", "x") + &plan(1), "UNIQUE"),
        (plan(0), "unaudited"),
        (
            String::from("INSERT INTO keys (public_id, owner_id, ordinal, origin, plan_id, created_at, change_id)
               SELECT 'key_t', owner_id, 1, 'claim', plan_id, 1, 't' FROM keys"),
            "unaudited",
        ),
        // Only the newest audit row of a generation permits a change.
        (
            String::from("INSERT INTO audit (change_id, target, action, actor, before, after, at)
                 SELECT 't', public_id, 'disabled', 't', 'active', 'disabled', 1 FROM generations;
               INSERT INTO audit (change_id, target, action, actor, before, after, at)
                 SELECT 'u', public_id, 'enabled', 't', 'disabled', 'active', 1 FROM generations;
               UPDATE generations SET state = 'disabled', change_id = 't'"),
            "unaudited",
        ),
        // A name is written with the newest audit row of its key, and a key ends only once.
        (String::from("UPDATE keys SET name = 'x', change_id = 't'"), "unaudited"),
        (
            String::from("INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'key_renamed', 't', 1 FROM keys;
               INSERT INTO audit (change_id, target, action, actor, at) SELECT 'u', public_id, 'hold_put', 't', 1 FROM keys;
               UPDATE keys SET name = 'x', change_id = 't'"),
            "unaudited",
        ),
        (
            audit("key_t", "x") + "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('u', 'key_t', 'key_ended', 't', 1);
               UPDATE keys SET ended_at = 5, change_id = 't';
               UPDATE keys SET ended_at = NULL, change_id = 'u'",
            "stays so",
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
fn a_row_that_is_deleted_gives_its_seat_back() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(member.claim().status, 503);
    assert_eq!(world.db.number("SELECT live FROM seats"), 1);
    world.db.run("DELETE FROM generations");
    assert_eq!(world.db.number("SELECT live FROM seats"), 0);
}

#[test]
fn a_seat_is_given_back_once_however_often_the_end_is_written() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(Browser::signed_in(&world, "second").claim().status, 201);
    world.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
    // The effects are reserve, create, abandon, delete and the record of the delete. The answer of the last one is
    // lost, so it is sent again.
    world.effects.plan(&[(4, Fate::LostAfter)]);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    assert_eq!(world.states(), ["active", "revoked"]);
    assert_eq!(world.db.number("SELECT live FROM seats"), 1);
}
