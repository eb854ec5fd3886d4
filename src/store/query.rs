//! How the store queries the database, and how it reads the rows.

use crate::domain::people::identity::Status;
use crate::ports::json::{self, FromJson};
use crate::ports::{Database, DbError, Rows, Stmt};

/// Why the store cannot answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The database did not answer, or refused.
    Db(DbError),
    /// The session has ended, or there is no such member.
    SessionEnded,
    /// The member is not active.
    MemberNotActive(Status),
    /// There is no such row, or it belongs to someone else.
    NotFound,
    /// One of our own values cannot be written as JSON.
    Unwritable,
}

impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

/// Returns the rows of the `n`th statement of a batch, from 0.
pub(crate) fn rows_of(batch: &[Rows], n: usize) -> Result<&Rows, DbError> {
    batch.get(n).ok_or(DbError::Broken)
}

/// Reads one row. Fails with `DbError::Broken` if the row has another shape.
pub(crate) fn read<T: FromJson>(row: &str) -> Result<T, DbError> {
    json::read(row.as_bytes()).ok_or(DbError::Broken)
}

/// Reads every row of a statement.
pub(crate) fn read_all<T: FromJson>(rows: &Rows) -> Result<Vec<T>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}

/// Returns the first row of the last statement, if it has one.
pub(crate) fn last_row<T: FromJson>(batch: &[Rows]) -> Result<Option<T>, DbError> {
    let rows = batch.last().ok_or(DbError::Broken)?;
    rows.first().map(|row| read(row)).transpose()
}

/// Runs a batch, and runs it once more if its outcome is unknown. Every statement in it must be harmless when repeated.
pub(crate) async fn batch_retrying_unknown(
    db: &dyn Database,
    stmts: Vec<Stmt>,
) -> Result<Vec<Rows>, DbError> {
    match db.batch(stmts.clone()).await {
        Err(DbError::Unknown) => db.batch(stmts).await,
        other => other,
    }
}
