//! The session of a caller, as its signed token names it.

use crate::domain::id::PublicId;

/// The member whom a valid session belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub member: PublicId,
    /// The member's epoch plus the deployment's, when the session was issued. Raising either of them ends the session.
    pub epoch: i64,
}
