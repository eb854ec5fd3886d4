//! What must hold of every batch, tried before it runs: the same statements with other values, or some of them without
//! the others. Everything is undone.

use std::collections::BTreeSet;

use keycap::ports::{SqlValue, Stmt};
use rusqlite::Connection;
use serde_json::Value as Json;

use super::database::run_one;

/// Statements that name a change and need no audit row. A sign-in's state is taken before anything else.
const NEEDS_NO_ROW: [&str; 1] = ["sign_in::BURN"];

pub fn all(connection: &mut Connection, stmts: &[Stmt]) {
    keep_to_their_limits(connection, stmts);
    do_nothing_without_their_audit_row(connection, stmts);
}

/// A statement that takes a limit of one returns or changes at most one row.
fn keep_to_their_limits(connection: &mut Connection, stmts: &[Stmt]) {
    let takes_a_limit = |stmt: &Stmt| stmt.sql.parameters.contains(&"most");
    if !stmts.iter().any(takes_a_limit) {
        return;
    }
    let savepoint = connection.savepoint().unwrap();
    for stmt in stmts {
        let named = stmt.sql.parameters.iter().zip(&stmt.values);
        let values = named.map(|(name, value)| match *name {
            "most" => SqlValue::Int(1),
            _ => value.clone(),
        });
        let limited = Stmt {
            sql: stmt.sql,
            values: values.collect(),
        };
        let Ok(rows) = run_one(&savepoint, &limited) else {
            return;
        };
        let changes = match stmt.sql.text.starts_with("SELECT") {
            true => 0,
            false => savepoint.changes(),
        };
        assert!(
            !takes_a_limit(stmt) || (rows.len() <= 1 && changes <= 1),
            "{} does not keep to its limit: {} rows, {changes} changes",
            stmt.sql.short_name(),
            rows.len()
        );
    }
}

/// The statements of a change act only where the audit has its row of their target: a row of the same change about
/// somebody else is not enough.
fn do_nothing_without_their_audit_row(connection: &mut Connection, stmts: &[Stmt]) {
    let is_a_guard = |stmt: &&Stmt| stmt.sql.text.starts_with("INSERT INTO audit");
    if !stmts.iter().any(|stmt| is_a_guard(&stmt)) {
        return;
    }
    let changes: BTreeSet<String> = stmts
        .iter()
        .filter(is_a_guard)
        .flat_map(changes_of)
        .collect();
    let savepoint = connection.savepoint().unwrap();
    for change in changes {
        let row = "INSERT INTO audit (change_id, target, action, actor, at)
            SELECT ?1, 'somebody else', 'recorded', 'test', 1 WHERE NOT EXISTS (SELECT 1 FROM audit WHERE change_id = ?1)";
        let mut insert = savepoint.prepare_cached(row).unwrap();
        if insert.execute([change]).unwrap() == 0 {
            // The batch is sent again.
            return;
        }
    }
    for stmt in stmts
        .iter()
        .filter(|stmt| !is_a_guard(stmt) && !changes_of(stmt).is_empty())
    {
        let before = savepoint.total_changes();
        let ran = run_one(&savepoint, stmt);
        let changes = savepoint.total_changes() - before;
        let name = stmt.sql.short_name();
        assert!(
            NEEDS_NO_ROW.contains(&name) || (ran.is_ok() && changes == 0),
            "{name} acts without its audit row: {ran:?}, {changes} changes"
        );
    }
}

/// The changes that a statement names.
fn changes_of(stmt: &Stmt) -> Vec<String> {
    let texts = stmt.values.iter().filter_map(|value| match value {
        SqlValue::Text(text) => Some(text.clone()),
        _ => None,
    });
    let texts: Vec<String> = if stmt.sql.for_each {
        let rows = texts.map(|rows| serde_json::from_str::<Vec<Vec<Json>>>(&rows).unwrap());
        let values = rows.flatten().flatten();
        values
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect()
    } else {
        texts.collect()
    };
    let is_a_change = |text: &String| text.starts_with("chg_");
    texts.into_iter().filter(is_a_change).collect()
}
