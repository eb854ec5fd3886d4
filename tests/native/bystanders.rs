//! The bystanders beside every world are many enough to notice a statement that forgets whom it is about.

use std::panic::{AssertUnwindSafe, catch_unwind};

use keycap::ports::{Database, Sql, SqlValue, Stmt};

use crate::support::bystanders::Bystanders;
use crate::support::{Browser, World};

/// Tables with rows for everybody.
const OF_THE_DEPLOYMENT: [&str; 11] = [
    "audit_actions",
    "closed_workspaces",
    "deployment_figures",
    "directories",
    "instance",
    "providers",
    "seats",
    "settings",
    "transitions",
    "unread_workspaces",
    "workspaces",
];

static WIDE_UPDATE: Sql = Sql {
    name: "keycap::store::tests::WIDE_UPDATE",
    text: "UPDATE members SET signed_in_at = signed_in_at + 1",
    for_each: false,
    parameters: &[],
};
static WIDE_ANSWER: Sql = Sql {
    name: "keycap::store::tests::WIDE_ANSWER",
    text: "SELECT login FROM members",
    for_each: false,
    parameters: &[],
};
static FOREIGN_VALUE: Sql = Sql {
    name: "keycap::store::tests::FOREIGN_VALUE",
    text: "UPDATE members SET signed_in_at = (SELECT MIN(created_at) FROM members) WHERE login = 'member'",
    for_each: false,
    parameters: &[],
};
static LIMITLESS: Sql = Sql {
    name: "keycap::store::tests::LIMITLESS",
    text: "SELECT login FROM members WHERE ?1 > 0",
    for_each: false,
    parameters: &["most"],
};

static AUDIT: Sql = Sql {
    name: "keycap::store::tests::AUDIT",
    text: "INSERT INTO audit (change_id, target, action, actor, at) VALUES (?1, 'it', 'recorded', 'test', 1)",
    parameters: &["change"],
    for_each: false,
};
static UNGUARDED: Sql = Sql {
    name: "keycap::store::tests::UNGUARDED",
    text: "UPDATE members SET signed_in_at = 1 WHERE login = 'member' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1)",
    parameters: &["change"],
    for_each: false,
};

/// Runs statements beside bystanders, with the same value for each parameter, and says why the batch fails.
fn noticed(statements: &[&'static Sql], value: &SqlValue) -> String {
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let world = World::new();
        Browser::signed_in(&world, "member");
        world.pass(1);
        let stmt = |sql: &&'static Sql| Stmt {
            sql,
            values: sql.parameters.iter().map(|_| value.clone()).collect(),
        };
        let batch = world.db.batch(statements.iter().map(stmt).collect());
        world.run(batch).unwrap().unwrap();
    }));
    let why = ran.expect_err("a failure");
    why.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_statement_that_forgets_whom_it_is_about_fails_beside_bystanders() {
    assert!(
        noticed(&[&WIDE_UPDATE], &SqlValue::Null)
            .contains("tests::WIDE_UPDATE changes so many rows")
    );
    assert!(
        noticed(&[&WIDE_ANSWER], &SqlValue::Null)
            .contains("tests::WIDE_ANSWER answers differently")
    );
    assert!(noticed(&[&FOREIGN_VALUE], &SqlValue::Null).contains("'member'"));
}

#[test]
fn a_statement_that_does_not_keep_to_its_limit_fails() {
    assert!(
        noticed(&[&LIMITLESS], &SqlValue::Int(100))
            .contains("tests::LIMITLESS does not keep to its limit")
    );
}

#[test]
fn a_statement_that_acts_without_the_audit_row_of_its_target_fails() {
    let change = SqlValue::Text(String::from("chg_of_a_test"));
    let why = noticed(&[&AUDIT, &UNGUARDED], &change);
    assert!(
        why.contains("tests::UNGUARDED acts without its audit row"),
        "{why}"
    );
}

#[test]
fn every_table_about_somebody_has_a_row_of_bystanders() {
    let rows = Bystanders::rows();
    let of = |table: &str| {
        rows.iter()
            .filter(|row| row.starts_with(&format!("{table}|")))
            .count()
    };
    let world = World::new();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    for table in world.db.texts(tables) {
        let has_none = OF_THE_DEPLOYMENT.contains(&table.as_str());
        assert_eq!(
            of(&table) == 0,
            has_none,
            "the rows of bystanders in {table}"
        );
    }
}

#[test]
fn a_bystander_is_in_each_state() {
    let rows = Bystanders::rows();
    let world = World::new();
    let states = "SELECT before FROM transitions UNION SELECT after FROM transitions";
    for state in world.db.texts(states) {
        let is_in = |row: &&String| {
            row.starts_with("generations|") && row.contains(&format!("|'{state}'|"))
        };
        assert!(
            rows.iter().any(|row| is_in(&row)),
            "a generation in state {state}"
        );
    }
}
