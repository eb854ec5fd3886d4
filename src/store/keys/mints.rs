//! What becomes of a reserved mint: recorded where every gate still holds, or one of the three other ends.
//!
//! Every batch is audit first, so each may be sent twice, and a lost answer is settled by sending it again.

use crate::domain::id::PublicId;
use crate::domain::key::generation::RECORD_WITHIN_SECS;
use crate::domain::policy::terms::REVISION;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::audit;
use crate::store::keys::attempt::{Attempt, Minted};
use crate::store::keys::successors;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;

/// This many doubtful mints …
const DOUBTS: i64 = 5;
/// … within this many seconds close the reservation guard for everybody …
const DOUBT_WINDOW_SECS: i64 = 300;
/// … for this long.
const DOUBT_PAUSE_SECS: i64 = 60;

statements! {
    // The record: state, nonce and every gate again. `seats_taken` has this generation's in it, so not more than the ceiling.
    RECORD_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'recorded', g.public_id, 'minting', ?13, ?2
        FROM generations n JOIN claim_gates g ON g.owner_id = n.owner_id
        WHERE n.public_id = ?3 AND n.state = 'minting' AND n.op_nonce = ?4 AND n.created_at > ?5
          AND EXISTS (SELECT 1 FROM keys k WHERE k.id = n.key_id AND k.ended_at IS NULL)
          AND g.plan_rev = n.plan_rev AND g.keys_live <= g.keys_allowed
          AND g.epoch = ?6 AND g.status = 'active' AND g.blocked = 0 AND g.held = 0
          AND g.minting = 'open' AND g.public_origin = ?7
          AND (g.upstream_terms = 'confirmed' OR ?11 = 1) AND g.terms_rev >= ?12
          AND ?8 = 1 AND g.seats_taken <= ?9 AND (g.account_created_at <= ?10 OR g.age_waived = 1)
          AND (g.claims = 'open' OR g.allotted = 1)
        ON CONFLICT DO NOTHING";

    // Once: what lands late changes nothing back, here and below.
    RECORD = "UPDATE generations SET state = ?9, upstream_hash = ?1, secret_sha256 = ?2, label = ?3,
            workspace_id = ?4, limit_nano = ?5, recorded_at = ?6, change_id = ?7, guardrail_id = ?11,
            cap_due_at = MIN(COALESCE(cap_due_at, ?10), COALESCE(?10, cap_due_at))
        WHERE public_id = ?8 AND state = 'minting' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?7 AND target = ?8)";

    // Off for want of a budget, or with one: what an earlier generation of the key left to spend says nothing about this.
    BUDGET_HOLD = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT n.key_id, 'budget', 'mint', ?1, ?2 FROM generations n
        WHERE n.public_id = ?3 AND n.state = 'disabled' AND n.change_id = ?2
        ON CONFLICT DO NOTHING";

    BUDGET_LIFT = "DELETE FROM holds WHERE reason = 'budget'
        AND key_id = (SELECT n.key_id FROM generations n WHERE n.public_id = ?1 AND n.state = 'active' AND n.change_id = ?2)";

    // The first key that was recorded in it tells which account this is.
    HOME = "UPDATE settings SET home_workspace_id = ?1
        WHERE home_workspace_id IS NULL AND ?1 IS NOT NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";

    // The key is there and must not be: its removal is written down before it is tried.
    ABANDON_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'abandoned', 'mint', n.state, 'revoking', ?2
        FROM generations n WHERE n.public_id = ?3 AND n.state = 'minting' AND n.op_nonce = ?4
        ON CONFLICT DO NOTHING";

    ABANDON = "UPDATE generations SET state = 'revoking', upstream_hash = COALESCE(?1, upstream_hash),
            workspace_id = COALESCE(?2, workspace_id), failure = ?3, next_attempt_at = 0, change_id = ?4
        WHERE public_id = ?5 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = ?5)";

    RECORDED = "SELECT json_object(
          'recorded', EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?3),
          'abandoned', EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3))";

    REFUSE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'refused', 'mint', n.state, 'void', ?2
        FROM generations n WHERE n.public_id = ?3 AND n.state = 'minting' AND n.op_nonce = ?4
        ON CONFLICT DO NOTHING";

    REFUSE = "UPDATE generations SET state = 'void', ended_at = ?1, failure = ?2, change_id = ?3
        WHERE public_id = ?4 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?4)";

    DOUBT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'doubted', 'mint', n.state, 'verifying', ?2
        FROM generations n WHERE n.public_id = ?3 AND n.state = 'minting' AND n.op_nonce = ?4
        ON CONFLICT DO NOTHING";

    DOUBT = "UPDATE generations SET state = 'verifying', op_nonce = ?1, failure = 'unknown', change_id = ?2
        WHERE public_id = ?3 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";

    PAUSE_AFTER_DOUBTS = "UPDATE settings SET pause_until = MAX(pause_until, ?1)
        WHERE (SELECT COUNT(*) FROM (SELECT 1 FROM generations
          WHERE unsettled = 1 AND state = 'verifying' AND created_at > ?2 LIMIT ?3)) >= ?3";

    PAUSE = "UPDATE settings SET pause_until = MAX(pause_until, ?1)";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Deliver.
    Active,
    /// A gate closed meanwhile: the row is `revoking`, the key must go.
    Abandoned,
    /// The row is somebody else's by now: the key is a stray and must go.
    Lost,
}

/// Records where state, nonce and every gate still hold; else writes down that the key must go.
pub async fn record(db: &dyn Database, minted: &Minted<'_>) -> Result<Recorded, DbError> {
    let Minted { attempt, now, .. } = minted;
    let (terms, generation) = (&attempt.house.terms, &attempt.generation);
    let guard = match &attempt.rotation {
        None => stmt!(
            RECORD_GUARD,
            &minted.record,
            *now,
            generation,
            attempt.nonce.as_str(),
            now.plus(-RECORD_WITHIN_SECS),
            attempt.session.epoch,
            attempt.house.public_origin.as_str(),
            terms.open(),
            terms.max_total_keys,
            terms.account_made_by(*now),
            terms.upstream_terms_waived,
            REVISION,
            minted.state.name(),
        ),
        Some(rotation) => successors::record_guard(minted, rotation),
    };
    let mut batch = vec![
        guard,
        stmt!(
            RECORD,
            minted.upstream_hash.as_str(),
            minted.secret_sha256.as_str(),
            minted.label.as_deref(),
            minted.workspace_id.as_deref(),
            minted.limit,
            *now,
            &minted.record,
            generation,
            minted.state.name(),
            minted.cap_due_at,
            minted.guardrail_id,
        ),
        stmt!(BUDGET_HOLD, *now, &minted.record, generation),
        stmt!(BUDGET_LIFT, generation, &minted.record),
        stmt!(
            HOME,
            minted.workspace_id.as_deref().filter(|_| minted.is_home),
            &minted.record,
            generation
        ),
    ];
    let succession = attempt.rotation.as_ref();
    batch.extend(
        succession
            .map(|rotation| successors::succeed(minted, rotation))
            .unwrap_or_default(),
    );
    batch.extend([
        stmt!(
            ABANDON_GUARD,
            &minted.abandon,
            *now,
            generation,
            attempt.nonce.as_str()
        ),
        stmt!(
            ABANDON,
            minted.upstream_hash.as_str(),
            minted.workspace_id.as_deref(),
            "gate_closed",
            &minted.abandon,
            generation,
        ),
        stmt!(RECORDED, &minted.record, &minted.abandon, generation),
    ]);
    let row: RecordedRow =
        last_row(&batch_retrying_unknown(db, batch).await?)?.ok_or(DbError::Broken)?;
    Ok(match (row.recorded, row.abandoned) {
        (true, _) => Recorded::Active,
        (false, true) => Recorded::Abandoned,
        (false, false) => Recorded::Lost,
    })
}

from_json! {
    struct RecordedRow {
        recorded: bool,
        abandoned: bool,
    }
}

/// The key exists and must not (a bad echo): `minting → revoking`. False when the row was no longer ours.
pub fn abandon(
    db: &dyn Database,
    attempt: &Attempt,
    change: &PublicId,
    upstream_hash: Option<&str>,
    workspace_id: Option<&str>,
    failure: &'static str,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let generation = &attempt.generation;
    let batch = vec![
        stmt!(
            ABANDON_GUARD,
            change,
            now,
            generation,
            attempt.nonce.as_str()
        ),
        stmt!(
            ABANDON,
            upstream_hash,
            workspace_id,
            failure,
            change,
            generation
        ),
    ];
    audit::run(db, batch, change, generation.as_str())
}

/// Upstream refused, or nothing was sent: `minting → void`, the seat is free. `pause_until` delays everybody's next try.
pub fn refuse(
    db: &dyn Database,
    attempt: &Attempt,
    change: &PublicId,
    failure: &'static str,
    pause_until: Option<Timestamp>,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let generation = &attempt.generation;
    let mut batch = vec![
        stmt!(
            REFUSE_GUARD,
            change,
            now,
            generation,
            attempt.nonce.as_str()
        ),
        stmt!(REFUSE, now, failure, change, generation),
    ];
    batch.extend(pause_until.map(|until| stmt!(PAUSE, until)));
    audit::run(db, batch, change, generation.as_str())
}

/// The outcome is unknown: `minting → verifying`, under a nonce that no attempt knows.
pub fn doubt(
    db: &dyn Database,
    attempt: &Attempt,
    change: &PublicId,
    fresh_nonce: &str,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let generation = &attempt.generation;
    let batch = vec![
        stmt!(DOUBT_GUARD, change, now, generation, attempt.nonce.as_str()),
        stmt!(DOUBT, fresh_nonce, change, generation),
        stmt!(
            PAUSE_AFTER_DOUBTS,
            now.plus(DOUBT_PAUSE_SECS),
            now.plus(-DOUBT_WINDOW_SECS),
            DOUBTS
        ),
    ];
    audit::run(db, batch, change, generation.as_str())
}
