//! The schema's own rules, tried without the code that respects them.

use keycap::domain::generation::{Event, State, next};

use crate::support::{Browser, World};

#[test]
fn the_databases_edges_are_the_codes_edges() {
    let world = World::new();
    let mut stored = world
        .db
        .texts("SELECT before || ' ' || after FROM transitions");
    let mut coded: Vec<String> = State::ALL
        .into_iter()
        .flat_map(|state| Event::ALL.map(|event| (state, next(state, event))))
        .filter_map(|(state, after)| Some(format!("{} {}", state.name(), after?.name())))
        .collect();
    stored.sort_unstable();
    coded.sort_unstable();
    coded.dedup();
    assert_eq!(stored, coded);
}

#[test]
fn live_is_the_same_in_the_database_and_in_the_code() {
    let world = World::new();
    let sql = world
        .db
        .text("SELECT sql FROM sqlite_master WHERE name = 'generations'");
    let column = sql
        .split("live INTEGER GENERATED ALWAYS AS (")
        .nth(1)
        .unwrap();
    let expression = column.split(") STORED").next().unwrap();
    for state in State::ALL {
        let live = world.db.number(&format!(
            "SELECT {expression} FROM (SELECT '{}' AS state)",
            state.name()
        ));
        assert_eq!(live == 1, state.is_live(), "{state:?}");
    }
}

/// A statement, and a word of the refusal it must meet.
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

#[test]
fn p11_the_audit_can_only_grow_and_guards_every_change_of_state() {
    for (sql, word) in [
        ("UPDATE audit SET at = 1", "append-only"),
        ("DELETE FROM audit", "append-only"),
        ("UPDATE generations SET state = 'disabled'", "unaudited"),
        (
            "UPDATE generations SET state = 'disabled', change_id = 'x'",
            "unaudited",
        ),
        (
            "UPDATE generations SET guardrail_id = 'g', change_id = 'x'",
            "unaudited",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'plan:default', 'plan_changed', 't', 1);
             UPDATE plans SET guardrail_id = '../keys', change_id = 't'",
            "plans_guardrail_id_valid",
        ),
        ("UPDATE members SET status = 'banned'", "unaudited"),
        (
            "INSERT INTO blocks (provider, subject, since, public_id, change_id) SELECT 'github', '1', 1, 'blk_1', change_id FROM audit LIMIT 1",
            "unaudited",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'blk_1', 'unblocked', 't', 1);
             INSERT INTO blocks (provider, subject, since, public_id, change_id) VALUES ('github', '1', 1, 'blk_1', 't')",
            "unaudited",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'blk_1', 'blocked', 't', 1), ('u', 'blk_1', 'unblocked', 't', 1);
             INSERT INTO blocks (provider, subject, since, public_id, change_id) VALUES ('github', '1', 1, 'blk_1', 't')",
            "unaudited",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'blk_1', 'blocked', 't', 1);
             INSERT INTO blocks (provider, subject, since, public_id, change_id) VALUES ('github', '1', 1, 'blk_1', 't');
             DELETE FROM blocks",
            "unaudited",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'blk_1', 'blocked', 't', 1);
             INSERT INTO blocks (provider, subject, since, public_id, change_id) VALUES ('github', '1', 1, 'blk_1', 't');
             UPDATE blocks SET subject = '2'",
            "put and lifted",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'member_left', 't', 1 FROM members;
             UPDATE members SET status = 'left', change_id = 't'",
            "erased",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'member_left', 't', 1 FROM members;
             UPDATE members SET subject = '2', change_id = 't'",
            "identity is fixed",
        ),
        (
            "UPDATE members SET terms_rev = 0, terms_at = NULL, change_id = (SELECT change_id FROM audit WHERE action = 'member_created')",
            "unaudited",
        ),
        ("UPDATE members SET epoch = epoch + 1", "unaudited"),
        ("UPDATE settings SET minting = 'stopped'", "unaudited"),
        ("UPDATE settings SET session_epoch = 9", "unaudited"),
        ("UPDATE instance SET name = 'aaaaaaaaaaaa'", "unaudited"),
        ("UPDATE keys SET ended_at = 1", "unaudited"),
        ("UPDATE plans SET limit_nano = 9000000000", "unaudited"),
        (
            "INSERT INTO holds (key_id, reason, actor, since, change_id) VALUES (1, 'admin', 'x', 1, 'x')",
            "unaudited",
        ),
        (
            "UPDATE members SET terms_rev = 9, terms_at = 1",
            "unaudited",
        ),
        ("UPDATE settings SET claims = 'by_approval'", "unaudited"),
        (
            "UPDATE settings SET upstream_terms = 'confirmed'",
            "unaudited",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'claims_switched', 't', 1), ('u', 'settings', 'claims_switched', 't', 1);
             UPDATE settings SET claims = 'by_approval', change_id = 't'",
            "unaudited",
        ),
        (
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'claims_switched', 't', 1);
             UPDATE settings SET claims = 'by_approval', change_id = 't';
             UPDATE settings SET claims = 'open'",
            "unaudited",
        ),
        (
            "UPDATE settings SET upstream_terms_by = 'x', change_id = (SELECT change_id FROM audit LIMIT 1)",
            "unaudited",
        ),
        ("UPDATE settings SET upstream_terms_at = 1", "unaudited"),
        (
            "INSERT INTO requests (public_id, owner_id, kind, created_at, change_id)
               SELECT 'ask_t', owner_id, 'claim', 1, change_id FROM members",
            "unaudited",
        ),
        (
            "INSERT INTO allotments (public_id, provider, subject, kind, since, change_id)
               SELECT 'alt_t', provider, subject, 'claim', 1, change_id FROM members",
            "unaudited",
        ),
    ] {
        refused(sql, word);
    }
}

#[test]
fn s1_02_s4_12_what_must_be_unique_is_so_in_the_database() {
    let audit = "INSERT INTO audit (change_id, target, action, actor, after, at) VALUES ('t', 'gen_t', 'reserved', 't', 'minting', 1);";
    for (sql, word) in [
        (
            format!("{audit} INSERT INTO generations (public_id, key_id, owner_id, state, op_nonce, upstream_name, plan_rev,
               limit_nano, limit_reset, created_at, expires_at, change_id)
               SELECT 'gen_t', key_id, owner_id, 'minting', 'n', 'name', 0, limit_nano, limit_reset, created_at, expires_at, 't' FROM generations"),
            "UNIQUE",
        ),
        (
            format!("{audit} INSERT INTO keys (public_id, owner_id, ordinal, origin, plan_id, created_at, change_id)
               SELECT 'key_t', owner_id, 0, 'claim', plan_id, 1, 't' FROM keys"),
            "UNIQUE",
        ),
        (
            String::from("INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at, created_at, signed_in_at, change_id)
               SELECT owner_id + 1, 'mem_t', provider, subject, login, 1, 1, 1, 't' FROM members"),
            "unaudited",
        ),
        (String::from("UPDATE generations SET upstream_name = 'x'"), "keeps its name"),
        (String::from("UPDATE members SET subject = '1'"), "identity is fixed"),
        (
            String::from("INSERT INTO audit (change_id, target, action, actor, before, after, at)
               SELECT 't', public_id, 'cleared', 't', 'active', 'void', 1 FROM generations;
               UPDATE generations SET state = 'void', change_id = 't'"),
            "no such transition",
        ),
    ] {
        refused(&sql, word);
    }
}

#[test]
fn p3_a_key_without_limit_reset_or_expiry_cannot_be_written_down() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    for sql in [
        "UPDATE generations SET limit_nano = NULL",
        "UPDATE generations SET limit_nano = 0",
        "UPDATE generations SET limit_reset = NULL",
        "UPDATE generations SET limit_reset = ''",
        "UPDATE generations SET expires_at = NULL",
        "UPDATE generations SET upstream_hash = NULL",
    ] {
        let refusal = world.db.connection.borrow().execute_batch(sql);
        assert!(refusal.is_err(), "{sql}");
    }
}

#[test]
fn every_constraint_has_a_name() {
    let world = World::new();
    for sql in world
        .db
        .texts("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
    {
        for line in sql
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
        {
            let checks = line.matches("CHECK (").count() + line.matches(" UNIQUE (").count();
            assert_eq!(checks, line.matches("CONSTRAINT ").count(), "{line}");
        }
    }
}

#[test]
fn every_table_is_strict() {
    let world = World::new();
    let loose = world.db.texts(
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
    );
    assert!(loose.is_empty(), "{loose:?}");
}

#[test]
fn s1_12_hot_statements_never_scan_a_table_that_grows() {
    let world = World::new();
    let connection = world.db.connection.borrow();
    for sql in keycap::store::statements() {
        let mut explain = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text))
            .unwrap_or_else(|error| panic!("{}: {error}", sql.name));
        let values = (1..=explain.parameter_count()).map(|_| rusqlite::types::Null);
        let plan: Vec<String> = explain
            .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for step in plan {
            let grows = [
                "generations",
                "members",
                "keys",
                "owners",
                "audit",
                "n",
                "m",
                "g",
                "k",
                "a",
                "d",
            ];
            let scans = step.strip_prefix("SCAN ").is_some_and(|rest| {
                let table = rest.split(' ').next().unwrap_or_default();
                grows.contains(&table) && !rest.contains("USING")
            });
            assert!(!scans, "{}: {step}", sql.name);
        }
    }
}
