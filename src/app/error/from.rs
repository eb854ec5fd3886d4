//! Turns the failures of ports and of the store into errors of a request.

use crate::app::error::Error;
use crate::domain::people::device::DeviceRefusal;
use crate::domain::people::handoff::HandoffRefusal;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{DbError, NoRandomness};
use crate::store::query::StoreError;

/// A failure of the database during a request. A lost answer is the fault of another service, and every other failure
/// is ours.
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

impl From<HandoffRefusal> for Error {
    fn from(why: HandoffRefusal) -> Self {
        Self::Handoff(why)
    }
}

impl From<DeviceRefusal> for Error {
    fn from(why: DeviceRefusal) -> Self {
        Self::Device(why)
    }
}

impl From<NoRandomness> for Error {
    fn from(_: NoRandomness) -> Self {
        Self::Internal
    }
}

impl Error {
    /// The error for a daily quota that is used up. The quota starts again with the next UTC day.
    pub fn daily_quota(now: Timestamp) -> Self {
        let retry_at = LimitReset::Daily.ends(now);
        Self::DailyQuota { retry_at }
    }
}
