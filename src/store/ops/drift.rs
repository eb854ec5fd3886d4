//! What the nightly comparison with OpenRouter has seen, and in which points an OpenRouter key differs from its row.

use serde::Serialize;

use crate::domain::key::drift::{Drift, ExpectedKey};
use crate::domain::key::generation::GenerationState;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::json::FromJson;
use crate::ports::{Database, DbError, Stmt};
use crate::store::keys::due::Due;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read_all;

/// At most this many differences are stored; the counts of the run include the others.
const KEPT: i64 = 1_000;
/// An administrator is shown at most this many of them, the newest.
const SHOWN: i64 = 100;

/// The JSON members of a [`ComparedRow`], for the generation `n` of the key `k`.
macro_rules! compared {
    () => {
        "'public_id', n.public_id, 'upstream_hash', n.upstream_hash,
            'upstream_name', n.upstream_name, 'state', n.state, 'switch_in_flight', n.switch_doubted_at IS NOT NULL,
            'limit_nano', n.limit_nano, 'limit_sent_nano', n.limit_sent_nano, 'limit_reset', n.limit_reset,
            'expires_at', n.expires_at, 'missing', n.missing_since IS NOT NULL, 'nonce', n.op_nonce, 'key', k.public_id,
            'changed_at', (SELECT a.at FROM audit a WHERE a.target = n.public_id ORDER BY a.id DESC LIMIT 1)"
    };
}

statements! {
    // `:hashes` is a JSON array.
    BY_HASHES { hashes: String } = concat!("SELECT json_object(", compared!(), ")
        FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.upstream_hash IN (SELECT value FROM json_each(:hashes))");

    // The row of one key, for each OpenRouter hash.
    BY_HASH { hash: String } for each = concat!("SELECT json_object('row', chunk.key, ", compared!(), ")
        FROM json_each(:rows) chunk JOIN generations n ON n.upstream_hash = :hash JOIN keys k ON k.id = n.key_id");

    SIGHT { now: Timestamp, hashes: String } = "INSERT INTO sightings (generation_id, seen_at)
        SELECT n.id, :now FROM generations n WHERE n.upstream_hash IN (SELECT value FROM json_each(:hashes))
        ON CONFLICT (generation_id) DO UPDATE SET seen_at = MAX(seen_at, excluded.seen_at)";

    // Rows that were recorded before the walk began and that the walk did not see.
    UNSEEN { after: i64, now: Timestamp, began: Timestamp, most: i64 } = concat!("SELECT json_object('row', n.id,
          'due', json_object(", due!(), "), 'missing', n.missing_since IS NOT NULL)
        FROM generations n LEFT JOIN sightings s ON s.generation_id = n.id
        WHERE n.id > :after AND n.live = 1 AND n.state IN ('active', 'disabled') AND n.expires_at > :now
          AND n.recorded_at < :began AND COALESCE(s.seen_at, 0) < :began
        ORDER BY n.id LIMIT :most");

    // The code that carries out holds then sends the wanted switch again.
    SWITCH_AGAIN { now: Timestamp, generation: String } =
        "UPDATE generations SET switch_doubted_at = :now, attempts = 0, next_attempt_at = 0
        WHERE public_id = :generation AND state IN ('active', 'disabled') AND switch_doubted_at IS NULL";

    // The code that sets limits then sends the wanted limit again. The limit in force is as unknown as after a lost
    // answer.
    LIMIT_AGAIN { now: Timestamp, sent_at: Timestamp, generation: String } =
        "UPDATE generations SET cap_due_at = MIN(COALESCE(cap_due_at, :now), :now),
            limit_sent_nano = COALESCE(limit_sent_nano, limit_nano), limit_sent_at = COALESCE(limit_sent_at, :sent_at)
        WHERE public_id = :generation AND state IN ('active', 'disabled')";

    NOTE { kind: String, now: Timestamp, generation: String, most: i64 } =
        "INSERT INTO drift (generation_id, kind, first_seen_at, last_seen_at)
        SELECT n.id, :kind, :now, :now FROM generations n
        WHERE n.public_id = :generation AND ((SELECT COUNT(*) FROM drift) < :most
          OR EXISTS (SELECT 1 FROM drift d WHERE d.generation_id = n.id AND d.kind = :kind))
        ON CONFLICT (generation_id, kind) DO UPDATE SET last_seen_at = excluded.last_seen_at";

    // Deletes the differences that a complete run did not see again.
    CLOSE { began: Timestamp } = "DELETE FROM drift WHERE last_seen_at < :began";

    WORKSPACES { most: i64 } = "SELECT json_object('id', w.workspace_id) FROM
        (SELECT n.workspace_id FROM generations n WHERE n.live = 1 AND n.workspace_id IS NOT NULL
          UNION SELECT e.upstream_id FROM workspaces e WHERE e.enabled = 1 LIMIT :most) w";

    OPEN { most: i64 } = "SELECT json_object('generation', n.public_id, 'key', k.public_id, 'kind', d.kind,
            'first_seen_at', d.first_seen_at, 'last_seen_at', d.last_seen_at)
        FROM drift d JOIN generations n ON n.id = d.generation_id JOIN keys k ON k.id = n.key_id
        ORDER BY d.first_seen_at DESC, d.generation_id DESC LIMIT :most";
}

from_json! {
    /// A row that has an OpenRouter key, for the comparison with that key.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ComparedRow {
        pub public_id: String,
        pub upstream_hash: String,
        upstream_name: String,
        pub state: GenerationState,
        switch_in_flight: bool,
        pub limit_nano: NanoUsd,
        limit_sent_nano: Option<NanoUsd>,
        limit_reset: LimitReset,
        expires_at: Timestamp,
        pub missing: bool,
        /// It changes whenever keycap sends something for this generation.
        pub nonce: String,
        /// The public id of the key that the generation belongs to.
        pub key: String,
        changed_at: Timestamp,
    }
}

impl ComparedRow {
    /// Whether the row expects its key to exist at OpenRouter.
    pub fn is_to_be_there(&self) -> bool {
        matches!(
            self.state,
            GenerationState::Active | GenerationState::Disabled
        )
    }

    /// Returns what the row expects of its key at OpenRouter.
    pub fn wanted(&self) -> ExpectedKey {
        ExpectedKey {
            name: self.upstream_name.clone(),
            state: self.state,
            switch_in_flight: self.switch_in_flight,
            limit: self.limit_nano,
            limit_sent: self.limit_sent_nano,
            limit_reset: self.limit_reset,
            expires_at: self.expires_at,
            changed_at: self.changed_at,
        }
    }
}

from_json! {
    /// A recorded key that a complete walk has not seen.
    #[derive(Clone, Debug)]
    pub struct Unseen {
        /// The internal id of the row, behind which the next batch begins.
        pub row: i64,
        pub due: Due,
        /// Whether the row was marked as missing before.
        pub missing: bool,
    }
}

async fn all<T: FromJson>(db: &dyn Database, batch: Vec<Stmt>) -> Result<Vec<T>, DbError> {
    let rows = db.batch(batch).await?;
    read_all(rows.last().ok_or(DbError::Broken)?)
}

/// Records that the keys with these OpenRouter hashes exist as of `now`, and returns their rows.
pub async fn sighted(
    db: &dyn Database,
    hashes: &[&str],
    now: Timestamp,
) -> Result<Vec<ComparedRow>, DbError> {
    let hashes = serde_json::to_string(hashes).map_err(|_| DbError::Broken)?;
    let hashes = hashes.as_str();
    all(
        db,
        vec![stmt!(SIGHT { now, hashes }), stmt!(BY_HASHES { hashes })],
    )
    .await
}

/// Returns the row of the key with this OpenRouter hash, as it is at this moment.
pub async fn by_hash(db: &dyn Database, hash: &str) -> Result<Option<ComparedRow>, DbError> {
    Ok(all(db, vec![stmt!(BY_HASH { hash })]).await?.pop())
}

/// Returns at most `most` recorded keys that a walk begun at `began` has not seen, behind the row with the internal id
/// `after`.
pub async fn unseen(
    db: &dyn Database,
    after: i64,
    began: Timestamp,
    now: Timestamp,
    most: i64,
) -> Result<Vec<Unseen>, DbError> {
    all(
        db,
        vec![stmt!(UNSEEN {
            after,
            now,
            began,
            most
        })],
    )
    .await
}

/// Stores a difference, to be shown to administrators.
pub async fn note(
    db: &dyn Database,
    generation: &str,
    drift: Drift,
    now: Timestamp,
) -> Result<(), DbError> {
    let batch = vec![stmt!(NOTE {
        kind: drift.name(),
        now,
        generation,
        most: KEPT
    })];
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// Marks a generation so that its wanted switch is sent again.
pub async fn switch_again(
    db: &dyn Database,
    generation: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt!(SWITCH_AGAIN { now, generation })])
        .await
        .map(|_| ())
}

/// Marks a generation so that its wanted limit is sent again.
pub async fn limit_again(
    db: &dyn Database,
    generation: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    // The time lies in the past because keycap has sent nothing just now: no earlier request can still take effect.
    let sent_at = now.plus(-LANDS_WITHIN_SECS);
    let again = stmt!(LIMIT_AGAIN {
        now,
        sent_at,
        generation
    });
    batch_retrying_unknown(db, vec![again]).await.map(|_| ())
}

/// Deletes the differences that a complete run, begun at `began`, has not seen again.
pub async fn close(db: &dyn Database, began: Timestamp) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt!(CLOSE { began })])
        .await
        .map(|_| ())
}

/// Returns at most `most` ids of workspaces that live generations name, or in which keys may be made.
pub async fn workspaces(db: &dyn Database, most: i64) -> Result<Vec<String>, DbError> {
    from_json! {
        struct Named {
            id: String,
        }
    }
    let named: Vec<Named> = all(db, vec![stmt!(WORKSPACES { most })]).await?;
    Ok(named.into_iter().map(|named| named.id).collect())
}

from_json! {
    /// A difference between a key at OpenRouter and its row.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct DriftEntry {
        pub generation: String,
        pub key: String,
        /// What differs: `name`, `disabled`, `limit`, `limit_reset`, `byok`, `expires_at`, `on_after_end` (it is enabled
        /// although it was disabled for good) or `missing` (it does not exist).
        pub kind: String,
        pub first_seen_at: Timestamp,
        pub last_seen_at: Timestamp,
    }
}

/// The statement that reads the stored differences as [`DriftEntry`], newest first.
pub fn open() -> Stmt {
    stmt!(OPEN { most: SHOWN })
}
