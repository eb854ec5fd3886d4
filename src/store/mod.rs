//! D1: the only place with SQL. One file for each aggregate, its statements beside the functions that bind them;
//! every statement that returns rows returns one column of JSON.

#[macro_use]
mod sql;

pub mod audit;
pub mod blocks;
pub mod cards;
pub mod claims;
pub mod export;
mod facts;
pub mod generations;
pub mod holds;
pub mod kept;
pub mod members;
pub mod mints;
pub mod offboard;
pub mod own_keys;
pub mod requests;
pub mod roster;
pub mod runs;
pub mod settings;
pub mod spend;
pub mod strays;
pub mod terms;
pub mod tidy;
mod told;

use crate::ports::{Database, DbError, Rows, Sql, Stmt};

/// Every statement there is, for the test that runs each on SQLite and on D1 (B6).
pub fn statements() -> Vec<&'static Sql> {
    [
        audit::STATEMENTS,
        blocks::STATEMENTS,
        cards::STATEMENTS,
        claims::STATEMENTS,
        export::STATEMENTS,
        generations::STATEMENTS,
        holds::STATEMENTS,
        kept::STATEMENTS,
        members::STATEMENTS,
        mints::STATEMENTS,
        offboard::STATEMENTS,
        own_keys::STATEMENTS,
        requests::STATEMENTS,
        roster::STATEMENTS,
        runs::STATEMENTS,
        settings::STATEMENTS,
        spend::STATEMENTS,
        strays::STATEMENTS,
        terms::STATEMENTS,
        tidy::STATEMENTS,
    ]
    .concat()
}

/// The rows of the `n`th statement of a batch.
fn rows_of(batch: &[Rows], n: usize) -> Result<&Rows, DbError> {
    batch.get(n).ok_or(DbError::Broken)
}

/// The first row of the last statement, read as `T`.
fn last_row<T: serde::de::DeserializeOwned>(batch: &[Rows]) -> Result<Option<T>, DbError> {
    let rows = batch.last().ok_or(DbError::Broken)?;
    rows.first().map(|row| read(row)).transpose()
}

fn read<T: serde::de::DeserializeOwned>(row: &str) -> Result<T, DbError> {
    serde_json::from_str(row).map_err(|_| DbError::Broken)
}

/// Runs a batch that writes and whose every statement is harmless when repeated: an unknown answer is asked for once more.
async fn twice(db: &dyn Database, stmts: Vec<Stmt>) -> Result<Vec<Rows>, DbError> {
    match db.batch(stmts.clone()).await {
        Err(DbError::Unknown) => db.batch(stmts).await,
        other => other,
    }
}
