//! Leaks that anyone reports by the SHA-256 of a secret. A report of a secret of ours and one of any other text run the
//! same statements, so that the time of the answer says nothing.

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::keys::due::Due;
use crate::store::query::{batch_retrying_unknown, read_all};

statements! {
    // Every report is counted, so that every report writes something. A batch that is sent again is counted again.
    COUNT { now: Timestamp } = "INSERT INTO leak_reports (day, reports) VALUES (CAST(:now AS INTEGER) / 86400, 1)
        ON CONFLICT (day) DO UPDATE SET reports = reports + 1";

    // Only a secret that may still work disables its key. A key that is reported already is disabled already, or the sweep
    // is at it.
    GUARD { change: PublicId, now: Timestamp, secret_sha256: String } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, r.key, 'hold_put', 'leak-report', 'leak', :now
        FROM generations n JOIN rotation_gates r ON r.key_id = n.key_id
        WHERE n.secret_sha256 IS NOT NULL AND n.secret_sha256 = :secret_sha256
          AND n.state IN ('active', 'disabled') AND r.leaked IS NULL
        ON CONFLICT DO NOTHING";

    // While a grace lasts, either secret may be the leaked one. So the grace of the older one ends at once.
    GRACE_GUARD { change: PublicId, now: Timestamp } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'grace_ended', l.actor, n.state, 'revoking', :now
        FROM audit l JOIN keys k ON k.public_id = l.target JOIN generations n ON n.key_id = k.id
        WHERE l.change_id = :change AND l.action = 'hold_put'
          AND n.grace_until IS NOT NULL AND n.state IN ('active', 'disabled')
        ON CONFLICT DO NOTHING";

    REVOKE { change: PublicId } = "UPDATE generations
        SET state = 'revoking', attempts = 0, next_attempt_at = 0, grace_until = NULL, change_id = :change
        WHERE state IN ('active', 'disabled')
          AND public_id IN (SELECT a.target FROM audit a WHERE a.change_id = :change AND a.action = 'grace_ended')";

    // A billing provider's key goes on working: only its owner can end it there, so they are told.
    PROVIDER_GUARD { change: PublicId, now: Timestamp, secret_sha256: String } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, k.public_id, 'provider_key_leaked', 'leak-report', k.provider, :now FROM provider_keys k
        WHERE k.secret_sha256 = :secret_sha256
          AND NOT EXISTS (SELECT 1 FROM audit w WHERE w.target = k.public_id AND w.action = 'provider_key_leaked')
        ON CONFLICT DO NOTHING";

    TELL_OWNER { change: PublicId } = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT a.change_id, m.public_id, a.action, a.actor, a.after, a.at
        FROM audit a JOIN provider_keys k ON k.public_id = a.target JOIN members m ON m.owner_id = k.owner_id
        WHERE a.change_id = :change AND a.action = 'provider_key_leaked'
        ON CONFLICT DO NOTHING";

    HOLD { now: Timestamp, change: PublicId } = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, l.after, l.actor, :now, l.change_id FROM audit l JOIN keys k ON k.public_id = l.target
        WHERE l.change_id = :change AND l.action = 'hold_put'
          AND l.id = (SELECT MAX(w.id) FROM audit w WHERE w.target = l.target)
        ON CONFLICT DO NOTHING";

    DUE_NOW { change: PublicId } = "UPDATE generations SET attempts = 0, next_attempt_at = 0
        WHERE live = 1 AND state IN ('active', 'disabled') AND next_attempt_at > 0
          AND key_id = (SELECT k.id FROM audit l JOIN keys k ON k.public_id = l.target
            WHERE l.change_id = :change AND l.action = 'hold_put')";

    // The generations that have to be disabled at OpenRouter: two if a grace was ended.
    DUE { change: PublicId, most: i64 } = concat!("SELECT json_object(", due!(), ", 'state', n.state)
        FROM audit l JOIN keys k ON k.public_id = l.target JOIN generations n ON n.key_id = k.id
        WHERE l.change_id = :change AND l.action = 'hold_put' AND n.live = 1 AND n.state IN ('active', 'disabled', 'revoking')
        ORDER BY n.id LIMIT :most");
}

from_json! {
    /// A generation of a key that was reported, and its state.
    pub struct ReportedGeneration {
        pub state: GenerationState;
        pub row: Due,
    }
}

/// A key has at most two generations that work.
const AT_ONCE: i64 = 2;

/// Sets the hold of a leak on the key of this secret, if there is one and it is not reported already. Returns the
/// generations that have to be disabled at OpenRouter.
pub async fn report(
    db: &dyn Database,
    secret_sha256: &str,
    change: &PublicId,
    now: Timestamp,
) -> Result<Vec<ReportedGeneration>, DbError> {
    let batch = vec![
        stmt!(GUARD {
            change,
            now,
            secret_sha256,
        }),
        stmt!(GRACE_GUARD { change, now }),
        stmt!(REVOKE { change }),
        stmt!(HOLD { now, change }),
        stmt!(DUE_NOW { change }),
        stmt!(PROVIDER_GUARD {
            change,
            now,
            secret_sha256,
        }),
        stmt!(TELL_OWNER { change }),
        stmt!(COUNT { now }),
        stmt!(DUE {
            change,
            most: AT_ONCE,
        }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    read_all(rows.last().ok_or(DbError::Broken)?)
}
