//! D1: the only place with SQL. One file for each aggregate, its statements beside the functions that bind them;
//! every statement that returns rows returns one column of JSON.

#[macro_use]
mod sql;
#[macro_use]
mod allowed;
#[macro_use]
mod figures;
#[macro_use]
pub mod idempotency;

pub mod alarms;
pub mod allotments;
pub mod allowances;
pub mod audit;
pub mod blocks;
pub mod caps;
pub mod cards;
pub mod claims;
pub mod drift;
pub mod export;
mod facts;
pub mod findings;
pub mod generations;
pub mod guardrails;
pub mod holds;
pub mod kept;
pub mod members;
pub mod mints;
pub mod missing;
pub mod offboard;
pub mod own_keys;
pub mod plans;
pub mod quotas;
pub mod raises;
pub mod requests;
pub mod retention;
pub mod roster;
pub mod rotations;
pub mod runs;
pub mod settings;
pub mod spend;
pub mod strays;
pub mod successors;
pub mod terms;
pub mod tidy;
pub mod told;
pub mod upstream_holds;

use crate::json::FromJson;
use crate::ports::{Database, DbError, Rows, Sql, Stmt};

/// Every statement there is, for the test that runs each on SQLite and on D1 (B6).
pub fn statements() -> Vec<&'static Sql> {
    [
        alarms::STATEMENTS,
        allotments::STATEMENTS,
        allowances::STATEMENTS,
        audit::STATEMENTS,
        blocks::STATEMENTS,
        caps::STATEMENTS,
        cards::STATEMENTS,
        claims::STATEMENTS,
        export::STATEMENTS,
        findings::STATEMENTS,
        drift::STATEMENTS,
        generations::STATEMENTS,
        guardrails::STATEMENTS,
        holds::STATEMENTS,
        idempotency::STATEMENTS,
        kept::STATEMENTS,
        members::STATEMENTS,
        mints::STATEMENTS,
        missing::STATEMENTS,
        offboard::STATEMENTS,
        own_keys::STATEMENTS,
        plans::STATEMENTS,
        quotas::STATEMENTS,
        raises::STATEMENTS,
        requests::STATEMENTS,
        retention::STATEMENTS,
        roster::STATEMENTS,
        rotations::STATEMENTS,
        runs::STATEMENTS,
        settings::STATEMENTS,
        spend::STATEMENTS,
        strays::STATEMENTS,
        successors::STATEMENTS,
        terms::STATEMENTS,
        tidy::STATEMENTS,
        upstream_holds::STATEMENTS,
    ]
    .concat()
}

/// The rows of the `n`th statement of a batch.
fn rows_of(batch: &[Rows], n: usize) -> Result<&Rows, DbError> {
    batch.get(n).ok_or(DbError::Broken)
}

fn read<T: FromJson>(row: &str) -> Result<T, DbError> {
    let row = serde_json::from_str(row).map_err(|_| DbError::Broken)?;
    T::of(&row).ok_or(DbError::Broken)
}

fn read_all<T: FromJson>(rows: &Rows) -> Result<Vec<T>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}

/// The first row of the last statement.
fn last_row<T: FromJson>(batch: &[Rows]) -> Result<Option<T>, DbError> {
    let rows = batch.last().ok_or(DbError::Broken)?;
    rows.first().map(|row| read(row)).transpose()
}

/// Runs a batch that writes and whose every statement is harmless when repeated: an unknown answer is asked for once more.
async fn twice(db: &dyn Database, stmts: Vec<Stmt>) -> Result<Vec<Rows>, DbError> {
    match db.batch(stmts.clone()).await {
        Err(DbError::Unknown) => db.batch(stmts).await,
        other => other,
    }
}
