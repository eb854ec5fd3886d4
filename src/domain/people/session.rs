//! Who asks: a session, as its signed token names it.

use crate::domain::id::PublicId;

/// Who a valid session speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub member: PublicId,
    /// The member's epoch and the deployment's, added, when it was issued: raising either ends it.
    pub epoch: i64,
}
