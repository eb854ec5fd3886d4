//! Idempotency-Keys: which request each belongs to, which attempt works on it, and how it was answered first.
//!
//! A request takes its key before it does anything, and stores its answer there. A request that failed releases the
//! key. If the isolate of a request died, a repeated request takes the key over: at once if the mint came to nothing,
//! otherwise when no mint of it can be recorded any more. The reservation of a mint checks the nonce of the taking, so
//! one Idempotency-Key never makes two keys. Other rows that a request makes have ids that are derived from the seed,
//! which stays with the Idempotency-Key: what was written before is not written again.

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
/// After this many seconds no attempt works on the request any more.
const DEAD_AFTER_SECS: i64 = 2 * RECORD_WITHIN_SECS;

/// Whether the taking has reserved no mint, or its mint came to nothing.
macro_rules! nothing_reserved {
    ($table:literal) => {
        concat!(
            "(", $table, ".generation_id IS NULL OR EXISTS (SELECT 1 FROM generations rg WHERE rg.id = ", $table, ".generation_id
              AND rg.recorded_at IS NULL AND rg.state NOT IN ('reserved', 'minting', 'verifying')))"
        )
    };
}

statements_at! {
    FORGET_OLD = "DELETE FROM idempotency_keys WHERE key_sha256 = ?1 AND created_at <= ?2
        AND owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?3)";

    TAKE = concat!("INSERT INTO idempotency_keys (owner_id, key_sha256, request_sha256, nonce, seed, taken_at, created_at)
        SELECT m.owner_id, ?1, ?2, ?3, ?3, ?4, ?4 FROM members m JOIN settings s
        WHERE m.public_id = ?5 AND m.epoch + s.session_epoch = ?6 AND m.status = 'active'
          AND (EXISTS (SELECT 1 FROM idempotency_keys k WHERE k.owner_id = m.owner_id AND k.key_sha256 = ?1)
            OR (SELECT COUNT(*) FROM idempotency_keys c WHERE c.owner_id = m.owner_id AND c.created_at >= ?8) < ?9)
        ON CONFLICT (owner_id, key_sha256) DO UPDATE
          SET nonce = excluded.nonce, taken_at = excluded.taken_at, generation_id = NULL
          WHERE idempotency_keys.request_sha256 = excluded.request_sha256 AND idempotency_keys.status IS NULL
            AND (idempotency_keys.taken_at <= ?7 OR idempotency_keys.generation_id IS NOT NULL)
            AND ", nothing_reserved!("idempotency_keys"));

    TAKEN = "SELECT json_object('found', i.nonce IS NOT NULL, 'ours', i.nonce IS ?2, 'same_request', i.request_sha256 IS ?3,
          'status', i.status, 'seed', i.seed,
          'body', i.body, 'made', (SELECT k.public_id FROM generations g JOIN keys k ON k.id = g.key_id
            WHERE g.id = i.generation_id AND g.recorded_at IS NOT NULL))
        FROM members m JOIN settings s LEFT JOIN idempotency_keys i ON i.owner_id = m.owner_id AND i.key_sha256 = ?1
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'";

    ANSWERED = "UPDATE idempotency_keys SET status = ?1, body = ?2
        WHERE key_sha256 = ?3 AND nonce = ?4 AND owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?5)";

    // The key is not released while the mint that it has reserved may still be recorded.
    GIVE_BACK = concat!("DELETE FROM idempotency_keys
        WHERE key_sha256 = ?1 AND nonce = ?2 AND status IS NULL
          AND owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?3)
          AND ", nothing_reserved!("idempotency_keys"));

    // The same request may be tried again at once, but no other one under this key: what the request wrote may be
    // there.
    LET_GO = concat!("UPDATE idempotency_keys SET taken_at = 0
        WHERE key_sha256 = ?1 AND nonce = ?2 AND status IS NULL
          AND owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?3)
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
    let (key, member) = (keyed.key_sha256.as_str(), &keyed.session.member);
    let (request, nonce) = (keyed.request_sha256.as_str(), keyed.nonce.as_str());
    let epoch = keyed.session.epoch;
    let died = now.plus(-DEAD_AFTER_SECS);
    let batch = vec![
        stmt_at!(FORGET_OLD, key, now.plus(-REMEMBERED_SECS), member),
        stmt_at!(
            TAKE,
            key,
            request,
            nonce,
            now,
            member,
            epoch,
            died,
            LimitReset::Daily.starts(now),
            IDEMPOTENCY_KEYS_A_DAY
        ),
        stmt_at!(TAKEN, key, nonce, request, member, epoch),
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
    let answered = stmt_at!(
        ANSWERED,
        i64::from(status),
        body,
        keyed.key_sha256.as_str(),
        keyed.nonce.as_str(),
        &keyed.session.member
    );
    batch_retrying_unknown(db, vec![answered]).await.map(|_| ())
}

/// Releases the key after the request has failed: another try may take it.
pub async fn give_back(db: &dyn Database, keyed: &Keyed) -> Result<(), DbError> {
    let give_back = stmt_at!(
        GIVE_BACK,
        keyed.key_sha256.as_str(),
        keyed.nonce.as_str(),
        &keyed.session.member
    );
    batch_retrying_unknown(db, vec![give_back])
        .await
        .map(|_| ())
}

/// Releases the key for the same request only, since it is unknown whether the request did anything. The next try has
/// the same ids.
pub async fn let_go(db: &dyn Database, keyed: &Keyed) -> Result<(), DbError> {
    let let_go = stmt_at!(
        LET_GO,
        keyed.key_sha256.as_str(),
        keyed.nonce.as_str(),
        &keyed.session.member
    );
    batch_retrying_unknown(db, vec![let_go]).await.map(|_| ())
}
