//! How the store asks the database, and how it reads what comes back.

use crate::domain::people::identity::Status;
use crate::ports::json::FromJson;
use crate::ports::{Database, DbError, Rows, Stmt};

/// Why the store has no answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The database did not answer, or refused.
    Db(DbError),
    /// The session has ended, or there never was such a member.
    SessionEnded,
    /// The member is not active.
    MemberNotActive(Status),
    /// There is no such row, or it belongs to someone else.
    NotFound,
    /// A value of our own cannot be written as JSON.
    Unwritable,
}

impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

/// The rows of the `n`th statement of a batch.
pub(crate) fn rows_of(batch: &[Rows], n: usize) -> Result<&Rows, DbError> {
    batch.get(n).ok_or(DbError::Broken)
}

pub(crate) fn read<T: FromJson>(row: &str) -> Result<T, DbError> {
    let row = serde_json::from_str(row).map_err(|_| DbError::Broken)?;
    T::of(&row).ok_or(DbError::Broken)
}

pub(crate) fn read_all<T: FromJson>(rows: &Rows) -> Result<Vec<T>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}

/// The first row of the last statement.
pub(crate) fn last_row<T: FromJson>(batch: &[Rows]) -> Result<Option<T>, DbError> {
    let rows = batch.last().ok_or(DbError::Broken)?;
    rows.first().map(|row| read(row)).transpose()
}

/// Runs a batch that writes and whose every statement is harmless when repeated: an unknown answer is asked for once more.
pub(crate) async fn batch_retrying_unknown(
    db: &dyn Database,
    stmts: Vec<Stmt>,
) -> Result<Vec<Rows>, DbError> {
    match db.batch(stmts.clone()).await {
        Err(DbError::Unknown) => db.batch(stmts).await,
        other => other,
    }
}
