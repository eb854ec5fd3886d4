//! Findings: OpenRouter keys that carry our marker and have no row, as administrators see them, newest first. A finding
//! is listed until its key has not been seen for a while. An administrator can acknowledge it.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::query::read_all;

/// The number of findings on one page.
pub const PAGE_ROWS: usize = 50;

/// A finding as a JSON object. The hash of the key is left out, since anyone who knows it can have the key disabled.
macro_rules! finding {
    () => {
        "SELECT json_object('id', f.public_id, 'name', f.upstream_name, 'workspace_id', f.workspace_id,
            'first_seen_at', f.first_seen_at, 'last_seen_at', f.last_seen_at, 'disabled_at', f.disabled_at,
            'acknowledged_at', f.acknowledged_at) FROM findings f"
    };
}

statements! {
    PAGE { after: Option<PublicId>, most: i64 } = concat!(finding!(), "
        WHERE f.id < CASE WHEN :after IS NULL THEN 9223372036854775807
          ELSE (SELECT l.id FROM findings l WHERE l.public_id = :after) END
        ORDER BY f.id DESC LIMIT :most");

    ONE { finding: PublicId } = concat!(finding!(), " WHERE f.public_id = :finding");

    ACKNOWLEDGE_GUARD { change: PublicId, now: Timestamp, finding: PublicId, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, f.public_id, 'finding_acknowledged', a.member, :now FROM findings f JOIN current_sessions a
        WHERE f.public_id = :finding AND f.acknowledged_at IS NULL
          AND a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    // One change acknowledges a finding only once. If the key was enabled again since, no audit row tells that, so only
    // the condition on `change_id` keeps a repeated statement from acknowledging it again.
    ACKNOWLEDGE { change: PublicId, finding: PublicId, now: Timestamp } =
        concat!("UPDATE findings SET acknowledged_at = :now, change_id = :change
        WHERE public_id = :finding AND acknowledged_at IS NULL AND change_id IS NOT :change
          AND ", newest_change!(":finding"));
}

/// The statement that reads one page of findings, behind the one with the id `after`, and one finding more if there is
/// one.
pub fn page(after: Option<&PublicId>) -> Stmt {
    let most = i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(i64::MAX);
    stmt!(PAGE { after, most })
}

from_json! {
    /// A key at OpenRouter that carries our marker and has no row.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct Finding {
        pub id: String,
        /// The key's name at OpenRouter.
        pub name: String,
        pub workspace_id: Option<String>,
        pub first_seen_at: Timestamp,
        pub last_seen_at: Timestamp,
        /// When keycap disabled it.
        pub disabled_at: Option<Timestamp>,
        /// When an administrator acknowledged it. Null again if it was found enabled since.
        pub acknowledged_at: Option<Timestamp>,
    }
}

/// Reads the rows of [`page`].
pub fn read_page(rows: &Rows) -> Result<Vec<Finding>, DbError> {
    read_all(rows)
}

/// Records that an administrator knows a finding. Repeating it changes nothing. Returns the finding, or `None` if there
/// is none with this id.
pub async fn acknowledge(
    db: &dyn Database,
    session: &Session,
    finding: &PublicId,
    change: &PublicId,
    now: Timestamp,
) -> Result<Option<Finding>, DbError> {
    let batch = vec![
        stmt!(ACKNOWLEDGE_GUARD {
            change,
            now,
            finding,
            actor: &session.member,
            epoch: session.epoch,
        }),
        stmt!(ACKNOWLEDGE {
            change,
            finding,
            now,
        }),
    ];
    audit::run(db, batch, change, finding.as_str()).await?;
    let rows = db.batch(vec![stmt!(ONE { finding })]).await?;
    let mut found = read_page(rows.first().ok_or(DbError::Broken)?)?;
    Ok(found.pop())
}
