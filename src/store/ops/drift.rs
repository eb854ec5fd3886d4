//! What the nightly comparison with the upstream has seen, and in what an upstream key differs from its row.

use crate::domain::key::drift::{Drift, ExpectedKey};
use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::json::FromJson;
use crate::ports::{Database, DbError, Stmt};
use crate::store::keys::generations::{Due, LANDS_WITHIN_SECS};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read_all;

/// Differences that are kept; the run's counts have the rest.
const KEPT: i64 = 1_000;
/// Of these an admin is shown the newest.
const SHOWN: i64 = 100;

statements! {
    BY_HASHES = "SELECT json_object('public_id', n.public_id, 'upstream_hash', n.upstream_hash,
            'upstream_name', n.upstream_name, 'state', n.state, 'doubted', n.switch_doubted_at IS NOT NULL,
            'limit_nano', n.limit_nano, 'limit_sent_nano', n.limit_sent_nano, 'limit_reset', n.limit_reset,
            'expires_at', n.expires_at, 'missing', n.missing_since IS NOT NULL, 'nonce', n.op_nonce, 'key', k.public_id,
            'changed_at', (SELECT a.at FROM audit a WHERE a.target = n.public_id ORDER BY a.id DESC LIMIT 1))
        FROM generations n JOIN keys k ON k.id = n.key_id WHERE n.upstream_hash IN (SELECT value FROM json_each(?1))";

    SIGHT = "INSERT INTO sightings (generation_id, seen_at)
        SELECT n.id, ?1 FROM generations n WHERE n.upstream_hash IN (SELECT value FROM json_each(?2))
        ON CONFLICT (generation_id) DO UPDATE SET seen_at = MAX(seen_at, excluded.seen_at)";

    // What was recorded before the walk began, and it did not see.
    UNSEEN = concat!("SELECT json_object('row', n.id, 'due', json_object(", due!(), "), 'missing', n.missing_since IS NOT NULL)
        FROM generations n LEFT JOIN sightings s ON s.generation_id = n.id
        WHERE n.id > ?1 AND n.live = 1 AND n.state IN ('active', 'disabled') AND n.expires_at > ?2
          AND n.recorded_at < ?3 AND COALESCE(s.seen_at, 0) < ?3
        ORDER BY n.id LIMIT ?4");

    // Whatever drives holds says again what is wanted.
    SAY_AGAIN = "UPDATE generations SET switch_doubted_at = ?1, attempts = 0, next_attempt_at = 0
        WHERE public_id = ?2 AND state IN ('active', 'disabled') AND switch_doubted_at IS NULL";

    // Whatever drives caps says it again too: what is in force is as little known as after an answer that was lost.
    LIMIT_AGAIN = "UPDATE generations SET cap_due_at = MIN(COALESCE(cap_due_at, ?1), ?1),
            limit_sent_nano = COALESCE(limit_sent_nano, limit_nano), limit_sent_at = COALESCE(limit_sent_at, ?2)
        WHERE public_id = ?3 AND state IN ('active', 'disabled')";

    NOTE = "INSERT INTO drift (generation_id, kind, first_seen_at, last_seen_at)
        SELECT n.id, ?1, ?2, ?2 FROM generations n
        WHERE n.public_id = ?3 AND ((SELECT COUNT(*) FROM drift) < ?4
          OR EXISTS (SELECT 1 FROM drift d WHERE d.generation_id = n.id AND d.kind = ?1))
        ON CONFLICT (generation_id, kind) DO UPDATE SET last_seen_at = excluded.last_seen_at";

    // What a whole run did not see any more is gone.
    CLOSE = "DELETE FROM drift WHERE last_seen_at < ?1";

    WORKSPACES = "SELECT json_object('id', w.workspace_id) FROM
        (SELECT DISTINCT n.workspace_id FROM generations n WHERE n.live = 1 AND n.workspace_id IS NOT NULL LIMIT ?1) w";

    OPEN = "SELECT json_object('generation', n.public_id, 'key', k.public_id, 'kind', d.kind,
            'first_seen_at', d.first_seen_at, 'last_seen_at', d.last_seen_at)
        FROM drift d JOIN generations n ON n.id = d.generation_id JOIN keys k ON k.id = n.key_id
        ORDER BY d.first_seen_at DESC, d.generation_id DESC LIMIT ?1";
}

from_json! {
    /// A row with an upstream key.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ComparedRow {
        pub public_id: String,
        pub upstream_hash: String,
        upstream_name: String,
        pub state: GenerationState,
        doubted: bool,
        pub limit_nano: NanoUsd,
        limit_sent_nano: Option<NanoUsd>,
        limit_reset: LimitReset,
        expires_at: Timestamp,
        pub missing: bool,
        /// Another one since: something of ours was sent meanwhile.
        pub nonce: String,
        /// The key that the generation belongs to.
        pub key: String,
        changed_at: Timestamp,
    }
}

impl ComparedRow {
    /// Whether it wants its key to be there.
    pub fn is_to_be_there(&self) -> bool {
        matches!(
            self.state,
            GenerationState::Active | GenerationState::Disabled
        )
    }

    pub fn wanted(&self) -> ExpectedKey {
        ExpectedKey {
            name: self.upstream_name.clone(),
            state: self.state,
            doubted: self.doubted,
            limit: self.limit_nano,
            limit_sent: self.limit_sent_nano,
            limit_reset: self.limit_reset,
            expires_at: self.expires_at,
            changed_at: self.changed_at,
        }
    }
}

from_json! {
    /// A recorded key that a whole walk has not seen.
    #[derive(Clone, Debug)]
    pub struct Unseen {
        pub row: i64,
        pub due: Due,
        /// As it was before.
        pub missing: bool,
    }
}

async fn all<T: FromJson>(db: &dyn Database, batch: Vec<Stmt>) -> Result<Vec<T>, DbError> {
    let rows = db.batch(batch).await?;
    read_all(rows.last().ok_or(DbError::Broken)?)
}

/// The rows of these upstream keys, which are there: that is written down as of `now`.
pub async fn sighted(
    db: &dyn Database,
    hashes: &[&str],
    now: Timestamp,
) -> Result<Vec<ComparedRow>, DbError> {
    let hashes = serde_json::to_string(hashes).map_err(|_| DbError::Broken)?;
    let hashes = hashes.as_str();
    all(
        db,
        vec![stmt!(SIGHT, now, hashes), stmt!(BY_HASHES, hashes)],
    )
    .await
}

/// The row of one upstream key, as it is this moment.
pub async fn by_hash(db: &dyn Database, hash: &str) -> Result<Option<ComparedRow>, DbError> {
    let hashes = serde_json::to_string(&[hash]).map_err(|_| DbError::Broken)?;
    Ok(all(db, vec![stmt!(BY_HASHES, hashes)]).await?.pop())
}

/// Recorded keys that a walk begun at `began` has not seen, from the row after `after` on.
pub async fn unseen(
    db: &dyn Database,
    after: i64,
    began: Timestamp,
    now: Timestamp,
    rows: i64,
) -> Result<Vec<Unseen>, DbError> {
    all(db, vec![stmt!(UNSEEN, after, now, began, rows)]).await
}

/// Keeps a difference, to be told.
pub async fn note(
    db: &dyn Database,
    generation: &str,
    drift: Drift,
    now: Timestamp,
) -> Result<(), DbError> {
    let batch = vec![stmt!(NOTE, drift.name(), now, generation, KEPT)];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// Has the switch that is wanted sent again.
pub async fn switch_again(
    db: &dyn Database,
    generation: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt!(SAY_AGAIN, now, generation)])
        .await
        .map(|_| ())
}

/// Has the limit that is wanted sent again.
pub async fn limit_again(
    db: &dyn Database,
    generation: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    // Nothing of ours is under way that may land yet.
    let sent_at = now.plus(-LANDS_WITHIN_SECS);
    let again = stmt!(LIMIT_AGAIN, now, sent_at, generation);
    batch_retrying_unknown(db, vec![again]).await.map(|_| ())
}

/// Forgets the differences that a whole run, begun at `began`, has not seen any more.
pub async fn close(db: &dyn Database, began: Timestamp) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt!(CLOSE, began)])
        .await
        .map(|_| ())
}

/// The workspaces that rows name.
pub async fn workspaces(db: &dyn Database, most: i64) -> Result<Vec<String>, DbError> {
    from_json! {
        struct Named {
            id: String,
        }
    }
    let named: Vec<Named> = all(db, vec![stmt!(WORKSPACES, most)]).await?;
    Ok(named.into_iter().map(|named| named.id).collect())
}

/// What differs, newest first, to be passed on.
pub fn open() -> Stmt {
    stmt!(OPEN, SHOWN)
}
