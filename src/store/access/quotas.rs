//! How often a member has made a change today. The database counts it with the audit row of the change
//! (`daily_uses_counted`), and the guard that writes that row compares it with the quota.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::query::last_row;

statements! {
    TODAY { member: PublicId, now: Timestamp } = concat!("SELECT json_object('pause_until', s.pause_until,
          'renames', ", used_today!("m.owner_id", "key_renamed", ":now"), ",
          'enables', ", used_today!("m.owner_id", "hold_lifted", ":now"), ",
          'own_limits', ", used_today!("m.owner_id", "own_limit_set", ":now"), ",
          'preferences', ", used_today!("m.owner_id", "key_preferred", ":now"), ")
        FROM members m JOIN settings s WHERE m.public_id = :member");
}

from_json! {
    /// How many changes of each kind a member has made in this UTC day, and until when keycap waits because OpenRouter
    /// asked it to (`pause_until`).
    pub struct Today {
        pub pause_until: Timestamp,
        pub renames: i64,
        pub enables: i64,
        pub own_limits: i64,
        pub preferences: i64,
    }
}

/// Reads the counts after a guard has refused, so that the answer can name the reason.
pub async fn today(db: &dyn Database, member: &PublicId, now: Timestamp) -> Result<Today, DbError> {
    let rows = db.batch(vec![stmt!(TODAY { member, now })]).await?;
    last_row(&rows)?.ok_or(DbError::Broken)
}
