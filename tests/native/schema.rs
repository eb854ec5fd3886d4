//! The schema's own rules, tested without the code that respects them.

use std::collections::{BTreeSet, HashMap};

use keycap::domain::key::generation::{Event, GenerationState, next};

use crate::support::{Browser, World};

#[test]
fn the_database_and_the_code_have_the_same_transitions() {
    let world = World::new();
    let mut stored = world
        .db
        .texts("SELECT before || ' ' || after FROM transitions");
    let mut coded: Vec<String> = GenerationState::ALL
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
fn the_database_and_the_code_agree_on_which_states_are_live() {
    let world = World::new();
    let sql = world
        .db
        .text("SELECT sql FROM sqlite_master WHERE name = 'generations'");
    let column = sql
        .split("live INTEGER GENERATED ALWAYS AS (")
        .nth(1)
        .unwrap();
    let expression = column.split(") STORED").next().unwrap();
    for state in GenerationState::ALL {
        let live = world.db.number(&format!(
            "SELECT {expression} FROM (SELECT '{}' AS state)",
            state.name()
        ));
        assert_eq!(live == 1, state.is_live(), "{state:?}");
    }
}

/// Runs a statement that must be refused with this word in the error, and checks that it changes nothing.
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
fn the_audit_can_only_grow_and_guards_every_change_of_state() {
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
fn the_database_enforces_what_must_be_unique() {
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
fn a_key_without_limit_reset_or_expiry_cannot_be_stored() {
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
        let refusal = world.db.connection().borrow().execute_batch(sql);
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

/// Tables that always have few rows.
const SMALL: [&str; 19] = [
    // It has a row for each address of an admin.
    "admin_pins",
    "sqlite_sequence",
    // They have one row, the second while all keys must be disabled.
    "deployment_figures",
    "closed_workspaces",
    // An account has few workspaces, and at most a hundred are enabled.
    "workspaces",
    "unread_workspaces",
    // The code writes only a bounded number of differences.
    "drift",
    // One has a row for each directory, the other for each night on which somebody was gone.
    "directories",
    "departure_lists",
    // They have a row for each day, month and model that there was.
    "usage_days_read",
    "usage_months_summed",
    "models",
    "settings",
    "instance",
    "providers",
    "seats",
    "plans",
    "audit_actions",
    "transitions",
];

/// Answers whether a walk with this cursor compares each entry with a bound before it goes on to the next one.
fn ends_with_a_range(steps: &[(i64, String, i64, i64)], cursor: i64) -> bool {
    let of_it = steps.iter().filter(|step| step.2 == cursor);
    let mut operations = of_it.map(|step| step.1.as_str());
    let found = operations
        .find(|operation| ["IdxGT", "IdxGE", "IdxLT", "IdxLE", "Next", "Prev"].contains(operation));
    found.is_some_and(|operation| operation.starts_with("Idx"))
}

/// Lists the tables and indexes that a statement, or a trigger that it fires, walks from one end.
fn walks(connection: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut roots = connection
        .prepare("SELECT rootpage, name, tbl_name FROM sqlite_master WHERE rootpage > 0")
        .unwrap();
    let roots: HashMap<i64, (String, String)> = roots
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut explain = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
    let values = (1..=explain.parameter_count()).map(|_| rusqlite::types::Null);
    let steps: Vec<(i64, String, i64, i64)> = explain
        .query_map(rusqlite::params_from_iter(values), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let (mut open, mut walked) = (HashMap::new(), Vec::new());
    for (n, (address, operation, cursor, page)) in steps.iter().enumerate() {
        // Address 0 means that a trigger's own program begins.
        if *address == 0 {
            open.clear();
        }
        match operation.as_str() {
            "OpenRead" | "OpenWrite" | "ReopenIdx" => {
                open.insert(cursor, page);
            }
            "OpenEphemeral" | "OpenAutoindex" | "OpenPseudo" | "SorterOpen" | "VOpen" => {
                open.remove(&cursor);
            }
            // The walk ends where the values of the index leave a range.
            "Rewind" | "Last" if ends_with_a_range(&steps[n + 1..], *cursor) => {}
            "Rewind" | "Last" | "Count" => {
                let of = open.get(cursor).and_then(|page| roots.get(page));
                walked.extend(
                    of.filter(|(_, table)| !SMALL.contains(&table.as_str()))
                        .map(|(name, _)| name.clone()),
                );
            }
            _ => {}
        }
    }
    walked
}

/// The walks that are allowed, each with its reason: they read few rows, or they read all rows because the statement
/// needs all.
const WALKS: [(&str, &str); 32] = [
    // They read the newest row, or the first, and no other.
    ("alarms::HEAD", "audit"),
    ("claims::DECISION", "retained_seats_unused"),
    ("sign_in::MEMBER", "owners"),
    ("trail::BY_ACTOR", "audit"),
    ("trail::NEWEST", "audit"),
    ("trail::OF_MEMBER", "audit"),
    ("trail::OF_TARGET", "audit"),
    ("retention::PRUNE", "audit"),
    ("retention::SINCE_GUARD", "audit"),
    // It adds up the limits of all live keys, once for each whole walk of OpenRouter's list.
    ("figures::LIMITS", "generations_live_by_owner"),
    // It reads the newest ones, as many as are shown.
    ("runs::LATEST", "runs"),
    ("overview::WAITING", "findings"),
    // They end at the number up to which the overview counts.
    ("overview::KEYS", "generations_off"),
    ("overview::KEYS", "generations_to_disable"),
    // This index has few rows: the keys whose limit somebody else has lowered.
    ("upstream_holds::OUTSIDE_CHANGES", "keys_limited_upstream"),
    ("overview::WAITING", "keys_limited_upstream"),
    // This index has the keys whose counter says more than the rows: those that were used today, and those that differ.
    ("counters::DIFFERENCES", "generations_unexplained"),
    ("counters::DIFFERING", "generations_unexplained"),
    ("panel::OF_ALL", "generations_unexplained"),
    // SQLite walks this only if a foreign key was violated before, and no statement leaves such a violation behind.
    ("claims::GENERATION", "idempotency_keys"),
    ("rotations::GENERATION", "idempotency_keys"),
    // These indexes have few rows: who is to be put out, and who was found gone.
    ("departures::LEFT", "departures_open"),
    ("presences::UNLIST", "departures_open"),
    ("presences::FORGIVE", "presences_struck"),
    // The nightly job judges everybody whom a directory has shown, and takes them over when the directory changes.
    ("presences::STRIKE", "presences"),
    ("presences::TAKE_OVER", "presences"),
    // There are few bulk changes, and an administrator selects among all keys.
    ("shown::LATEST", "bulk_changes"),
    ("progress::NEXT", "bulk_changes_running"),
    ("progress::FORGET_TARGETS", "bulk_changes"),
    ("frozen::KEYS_MATCHING", "keys_by_plan"),
    // A switch of all keys changes all keys.
    ("settings::DUE_NOW", "generations_by_expiry"),
    ("settings::HOLD_ALL", "generations_live_by_owner"),
];

#[test]
fn hot_statements_never_scan_a_table_that_grows() {
    let world = World::new();
    let connection = world.db.connection().borrow();
    let mut found = BTreeSet::new();
    for sql in keycap::store::statements() {
        for object in walks(&connection, sql.text) {
            found.insert((sql.short_name().to_owned(), object));
        }
    }
    let known = WALKS
        .iter()
        .map(|(name, object)| ((*name).to_owned(), (*object).to_owned()));
    assert_eq!(found, known.collect());
}

#[test]
fn a_scan_of_a_growing_table_is_detected_in_a_statement_and_in_a_trigger() {
    let world = World::new();
    let connection = world.db.connection().borrow();
    for (sql, walked) in [
        ("SELECT id FROM keys WHERE name = ?1", "keys"),
        ("SELECT COUNT(*) FROM members WHERE status <> ?1", "members"),
        (
            "UPDATE idempotency_keys SET body = ?1 WHERE status = 200",
            "idempotency_keys",
        ),
    ] {
        assert!(!walks(&connection, sql).is_empty(), "{sql}: {walked}");
    }
    connection
        .execute_batch(
            "CREATE TEMP TRIGGER t AFTER INSERT ON blocks BEGIN UPDATE keys SET preferred_at = NULL WHERE preferred_at = 5; END",
        )
        .unwrap();
    let through = "INSERT INTO blocks (provider, subject, since) VALUES ('github', '1', 1)";
    assert_eq!(walks(&connection, through), ["keys"]);
}
