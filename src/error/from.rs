//! What the failures of ports are to a request.

use super::Error;
use crate::ports::{DbError, NoRandomness};

/// A store's failure on the request path: lost answers are the world's, the rest is ours.
impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unknown => Self::StorageUnavailable,
            DbError::Unique | DbError::Constraint | DbError::Broken => Self::Internal,
        }
    }
}

impl From<NoRandomness> for Error {
    fn from(_: NoRandomness) -> Self {
        Self::Internal
    }
}
