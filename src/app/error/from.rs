//! What the failures of ports are to a request.

use crate::app::error::Error;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{DbError, NoRandomness};
use crate::store::query::StoreError;

/// A store's failure on the request path: lost answers are the world's, the rest is ours.
impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unknown => Self::StorageUnavailable,
            DbError::Unique | DbError::Constraint | DbError::Broken => Self::Internal,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Db(error) => error.into(),
            StoreError::SessionEnded => Self::SignInRequired,
            StoreError::MemberNotActive(status) => Self::MemberNotActive(status),
            StoreError::NotFound => Self::NotFound,
            StoreError::Unwritable => Self::Internal,
        }
    }
}

impl From<NoRandomness> for Error {
    fn from(_: NoRandomness) -> Self {
        Self::Internal
    }
}

impl Error {
    /// The day's quota is used up: it begins again with the next UTC day.
    pub fn daily_quota(now: Timestamp) -> Self {
        let retry_at = LimitReset::Daily.ends(now);
        Self::DailyQuota { retry_at }
    }
}
