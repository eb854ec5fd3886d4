//! Idempotency-Keys: which request each belongs to, which attempt works on it, and how it was answered first.
//!
//! A request takes its key before it does anything, and stores its answer there. A request that failed releases the
//! key. If the isolate of a request died, a repeated request takes the key over: at once if the mint came to nothing,
//! otherwise when no mint of it can be recorded any more. The reservation of a mint checks the nonce of the taking, so
//! one Idempotency-Key never makes two keys. Other rows that a request makes have ids that are derived from the seed,
//! which stays with the Idempotency-Key: what was written before is not written again.

use crate::domain::id::PublicId;
use crate::domain::key::generation::RECORD_WITHIN_SECS;
use crate::domain::people::session::Session;
use crate::domain::policy::quota::IDEMPOTENCY_KEYS_A_DAY;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, DbError};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;

/// An Idempotency-Key is remembered for this many seconds: 24 hours.
pub const REMEMBERED_SECS: i64 = 86_400;
/// No attempt works on a request for longer than this many seconds.
const DEAD_AFTER_SECS: i64 = 2 * RECORD_WITHIN_SECS;

/// Whether the attempt that took the Idempotency-Key in `$table` has reserved no mint, or its mint came to nothing.
macro_rules! nothing_reserved {
    ($table:literal) => {
        concat!(
            "(", $table, ".generation_id IS NULL OR EXISTS (SELECT 1 FROM generations rg WHERE rg.id = ", $table, ".generation_id
              AND rg.recorded_at IS NULL AND rg.state NOT IN ('reserved', 'minting', 'verifying')))"
        )
    };
}

statements! {
    FORGET_OLD { key_sha256: String, created_by: Timestamp, member: PublicId } =
        "DELETE FROM idempotency_keys WHERE key_sha256 = :key_sha256 AND created_at <= :created_by
        AND owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)";

    // A key that the member has sent before counts as no new one of the day.
    TAKE {
        key_sha256: String, request_sha256: String, nonce: String, now: Timestamp, member: PublicId, epoch: i64,
        taken_by: Timestamp, today: Timestamp, quota: i64,
    } = concat!("INSERT INTO idempotency_keys (owner_id, key_sha256, request_sha256, nonce, seed, taken_at, created_at)
        SELECT m.owner_id, :key_sha256, :request_sha256, :nonce, :nonce, :now, :now FROM current_sessions m
        WHERE m.member = :member AND m.epoch = :epoch
          AND (EXISTS (SELECT 1 FROM idempotency_keys k WHERE k.owner_id = m.owner_id AND k.key_sha256 = :key_sha256)
            OR (SELECT COUNT(*) FROM idempotency_keys c WHERE c.owner_id = m.owner_id AND c.created_at >= :today) < :quota)
        ON CONFLICT (owner_id, key_sha256) DO UPDATE
          SET nonce = excluded.nonce, taken_at = excluded.taken_at, generation_id = NULL
          WHERE idempotency_keys.request_sha256 = excluded.request_sha256 AND idempotency_keys.status IS NULL
            AND (idempotency_keys.taken_at <= :taken_by OR idempotency_keys.generation_id IS NOT NULL)
            AND ", nothing_reserved!("idempotency_keys"));

    TAKEN { key_sha256: String, nonce: String, request_sha256: String, member: PublicId, epoch: i64 } =
        "SELECT json_object('found', i.nonce IS NOT NULL, 'ours', i.nonce IS :nonce,
          'same_request', i.request_sha256 IS :request_sha256, 'status', i.status, 'seed', i.seed,
          'body', i.body, 'made', (SELECT k.public_id FROM generations g JOIN keys k ON k.id = g.key_id
            WHERE g.id = i.generation_id AND g.recorded_at IS NOT NULL))
        FROM current_sessions m
        LEFT JOIN idempotency_keys i ON i.owner_id = m.owner_id AND i.key_sha256 = :key_sha256
        WHERE m.member = :member AND m.epoch = :epoch";

    ANSWERED { status: i64, body: Option<String>, key_sha256: String, nonce: String, member: PublicId } =
        "UPDATE idempotency_keys SET status = :status, body = :body
        WHERE key_sha256 = :key_sha256 AND nonce = :nonce
          AND owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)";

    // The key is not released while the mint that it has reserved may still be recorded.
    RELEASE { key_sha256: String, nonce: String, member: PublicId } = concat!("DELETE FROM idempotency_keys
        WHERE key_sha256 = :key_sha256 AND nonce = :nonce AND status IS NULL
          AND owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
          AND ", nothing_reserved!("idempotency_keys"));

    // The same request may be tried again at once, but no other one under this key: what the request wrote may be
    // there.
    RELEASE_FOR_RETRY { key_sha256: String, nonce: String, member: PublicId } =
        concat!("UPDATE idempotency_keys SET taken_at = 0
        WHERE key_sha256 = :key_sha256 AND nonce = :nonce AND status IS NULL
          AND owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
          AND ", nothing_reserved!("idempotency_keys"));
}

/// A request with an Idempotency-Key.
pub struct Keyed {
    pub session: Session,
    pub key_sha256: String,
    pub request_sha256: String,
    /// The nonce of this taking.
    pub nonce: String,
}

/// A taking of an Idempotency-Key, as the reservation of a mint refers to it.
#[derive(Clone)]
pub struct Taking {
    pub key_sha256: String,
    pub nonce: String,
    /// The nonce of the key's first taking. The ids of what the request writes are derived from it.
    pub seed: String,
}

/// Who has an Idempotency-Key.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// This attempt has it. It continues and derives its ids from the seed.
    Ours { seed: String },
    /// Another request has used it.
    AnotherRequest,
    /// Another attempt of this request is working.
    UnderWay,
    /// This request was answered so before.
    Answered { status: u16, body: Option<String> },
    /// This request made a secret of the key with this id, and its answer was lost.
    Made { key: String },
    /// Nobody has it, since the session has ended.
    SessionEnded,
    /// Nobody has it, since the member has used up the day's quota of Idempotency-Keys.
    UsedUp,
}

from_json! {
    struct TakenRow {
        found: bool,
        ours: bool,
        same_request: bool,
        status: Option<i64>,
        seed: Option<String>,
        body: Option<String>,
        made: Option<String>,
    }
}

/// Takes the Idempotency-Key for this request, if it is free or no attempt works on it any more.
pub async fn take(db: &dyn Database, keyed: &Keyed, now: Timestamp) -> Result<Taken, DbError> {
    let Session { member, epoch, .. } = &keyed.session;
    let batch = vec![
        stmt!(FORGET_OLD {
            key_sha256: keyed.key_sha256.as_str(),
            created_by: now.plus(-REMEMBERED_SECS),
            member
        }),
        stmt!(TAKE {
            key_sha256: keyed.key_sha256.as_str(),
            request_sha256: keyed.request_sha256.as_str(),
            nonce: keyed.nonce.as_str(),
            now,
            member,
            epoch: *epoch,
            taken_by: now.plus(-DEAD_AFTER_SECS),
            today: LimitReset::Daily.starts(now),
            quota: IDEMPOTENCY_KEYS_A_DAY
        }),
        stmt!(TAKEN {
            key_sha256: keyed.key_sha256.as_str(),
            nonce: keyed.nonce.as_str(),
            request_sha256: keyed.request_sha256.as_str(),
            member,
            epoch: *epoch
        }),
    ];
    let row: Option<TakenRow> = last_row(&batch_retrying_unknown(db, batch).await?)?;
    Ok(row.map_or(Taken::SessionEnded, TakenRow::taken))
}

impl TakenRow {
    fn taken(self) -> Taken {
        match self {
            Self { found: false, .. } => Taken::UsedUp,
            Self {
                ours: true,
                seed: Some(seed),
                ..
            } => Taken::Ours { seed },
            Self {
                same_request: false,
                ..
            } => Taken::AnotherRequest,
            Self {
                status: Some(status),
                body,
                ..
            } => Taken::Answered {
                status: u16::try_from(status).unwrap_or(200),
                body,
            },
            Self {
                made: Some(key), ..
            } => Taken::Made { key },
            Self { made: None, .. } => Taken::UnderWay,
        }
    }
}

/// Stores the answer of the request. `body` is `None` for an answer without a body.
pub async fn answered(
    db: &dyn Database,
    keyed: &Keyed,
    status: u16,
    body: Option<&str>,
) -> Result<(), DbError> {
    let answered = stmt!(ANSWERED {
        status: i64::from(status),
        body,
        key_sha256: keyed.key_sha256.as_str(),
        nonce: keyed.nonce.as_str(),
        member: &keyed.session.member
    });
    batch_retrying_unknown(db, vec![answered]).await.map(|_| ())
}

/// Releases the key after the request has failed: another try may take it.
pub async fn release(db: &dyn Database, keyed: &Keyed) -> Result<(), DbError> {
    let release = stmt!(RELEASE {
        key_sha256: keyed.key_sha256.as_str(),
        nonce: keyed.nonce.as_str(),
        member: &keyed.session.member
    });
    batch_retrying_unknown(db, vec![release]).await.map(|_| ())
}

/// Releases the key for the same request only, since it is unknown whether the request did anything. The next try has
/// the same ids.
pub async fn release_for_retry(db: &dyn Database, keyed: &Keyed) -> Result<(), DbError> {
    let release = stmt!(RELEASE_FOR_RETRY {
        key_sha256: keyed.key_sha256.as_str(),
        nonce: keyed.nonce.as_str(),
        member: &keyed.session.member
    });
    batch_retrying_unknown(db, vec![release]).await.map(|_| ())
}
