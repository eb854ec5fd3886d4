//! How a reserved mint ends: it is recorded if the gates still hold, or it is abandoned, refused, or its outcome is unknown.
//!
//! Every batch writes its audit row first, so each may be sent twice, and a lost answer is settled by sending it again.

use crate::domain::id::PublicId;
use crate::domain::key::generation::{GenerationState, RECORD_WITHIN_SECS};
use crate::domain::money::NanoUsd;
use crate::domain::policy::terms::REVISION;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::keys::attempt::{Attempt, Minted};
use crate::store::keys::successors;

/// This many mints of unknown outcome close the guard of reservations for everyone.
const MANY_UNKNOWN: i64 = 5;
/// Only mints that were begun within this many seconds are counted for that.
const UNKNOWN_WINDOW_SECS: i64 = 300;
/// The guard stays closed for this many seconds.
const UNKNOWN_PAUSE_SECS: i64 = 60;

statements! {
    // The guard of the record checks the state, the nonce and again every gate that a decision can close. It does not
    // repeat the day's attempts, the claims of the hour, a pause and unsettled spend, which only count or delay.
    // `seats_taken` already counts this generation, so it may equal the ceiling.
    RECORD_GUARD {
        change: PublicId, now: Timestamp, generation: PublicId, nonce: String, created_after: Timestamp, epoch: i64,
        public_origin: String, deployment_open: bool, max_total_keys: i64, account_created_by: Timestamp,
        upstream_terms_waived: bool, terms_rev: i64, state: String, google_domains: String,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'recorded', g.public_id, 'minting', :state, :now
        FROM generations n JOIN claim_gates g ON g.owner_id = n.owner_id
        WHERE n.public_id = :generation AND n.state = 'minting' AND n.op_nonce = :nonce AND n.created_at > :created_after
          AND EXISTS (SELECT 1 FROM keys k WHERE k.id = n.key_id AND k.ended_at IS NULL)
          AND g.plan_rev = n.plan_rev AND g.keys_live <= g.keys_allowed
          AND g.epoch = :epoch AND g.status = 'active' AND g.blocked = 0 AND g.held = 0
          AND g.minting = 'open' AND g.public_origin = :public_origin
          AND (g.upstream_terms = 'confirmed' OR :upstream_terms_waived = 1) AND g.terms_rev >= :terms_rev
          AND :deployment_open = 1 AND g.seats_taken <= :max_total_keys
          AND (g.account_created_at <= :account_created_by OR g.age_waived = 1)
          AND (g.claims = 'open' OR g.allotted = 1) AND ", google_admitted!("g"), "
          AND CASE WHEN EXISTS (SELECT 1 FROM workspaces e WHERE e.enabled = 1)
            THEN EXISTS (SELECT 1 FROM workspaces w WHERE w.enabled = 1 AND w.upstream_id = n.workspace_id)
            ELSE n.workspace_id IS (SELECT p.workspace_id FROM plans p WHERE p.id = g.plan_id) END
        ON CONFLICT DO NOTHING");

    // This happens once: if it arrives late, the state is no longer `minting`, and it changes nothing. The same holds for
    // every update below.
    RECORD {
        state: String, upstream_hash: String, secret_sha256: String, label: Option<String>, workspace: Option<String>,
        limit: NanoUsd, now: Timestamp, change: PublicId, generation: PublicId, cap_due_at: Option<Timestamp>,
        guardrail: Option<String>,
    } = "UPDATE generations SET state = :state, upstream_hash = :upstream_hash, secret_sha256 = :secret_sha256, label = :label,
            workspace_id = :workspace, limit_nano = :limit, recorded_at = :now, change_id = :change, guardrail_id = :guardrail,
            cap_due_at = MIN(COALESCE(cap_due_at, :cap_due_at), COALESCE(:cap_due_at, cap_due_at))
        WHERE public_id = :generation AND state = 'minting'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // What an earlier generation of the key left to spend says nothing about this one: the hold for want of a budget is
    // put if this generation is recorded as disabled, and lifted if it is recorded as active.
    BUDGET_HOLD { now: Timestamp, change: PublicId, generation: PublicId } =
        "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT n.key_id, 'budget', 'mint', :now, :change FROM generations n
        WHERE n.public_id = :generation AND n.change_id = :change
        ON CONFLICT DO NOTHING";

    BUDGET_LIFT { change: PublicId, generation: PublicId } = "DELETE FROM holds WHERE reason = 'budget'
        AND key_id = (SELECT n.key_id FROM generations n WHERE n.public_id = :generation AND n.change_id = :change)";

    // The first key that was recorded in the default workspace shows which OpenRouter account this is.
    HOME { workspace: String, change: PublicId, generation: PublicId } = "UPDATE settings SET home_workspace_id = :workspace
        WHERE home_workspace_id IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // The key exists at OpenRouter and must not. Its removal is written down before it is tried.
    ABANDON_GUARD { change: PublicId, now: Timestamp, generation: PublicId, nonce: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'abandoned', 'mint', n.state, 'revoking', :now
        FROM generations n WHERE n.public_id = :generation AND n.state = 'minting' AND n.op_nonce = :nonce
        ON CONFLICT DO NOTHING";

    ABANDON {
        upstream_hash: Option<String>, workspace: Option<String>, failure: String, change: PublicId, generation: PublicId,
    } = "UPDATE generations SET state = 'revoking', upstream_hash = COALESCE(:upstream_hash, upstream_hash),
            workspace_id = COALESCE(:workspace, workspace_id), failure = :failure, next_attempt_at = 0, change_id = :change
        WHERE public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    REFUSE_GUARD { change: PublicId, now: Timestamp, generation: PublicId, nonce: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'refused', 'mint', n.state, 'void', :now
        FROM generations n WHERE n.public_id = :generation AND n.state = 'minting' AND n.op_nonce = :nonce
        ON CONFLICT DO NOTHING";

    REFUSE { now: Timestamp, failure: String, change: PublicId, generation: PublicId } =
        "UPDATE generations SET state = 'void', ended_at = :now, failure = :failure, change_id = :change
        WHERE public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    UNKNOWN_GUARD { change: PublicId, now: Timestamp, generation: PublicId, nonce: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'doubted', 'mint', n.state, 'verifying', :now
        FROM generations n WHERE n.public_id = :generation AND n.state = 'minting' AND n.op_nonce = :nonce
        ON CONFLICT DO NOTHING";

    UNKNOWN { fresh_nonce: String, change: PublicId, generation: PublicId } =
        "UPDATE generations SET state = 'verifying', op_nonce = :fresh_nonce, failure = 'unknown', change_id = :change
        WHERE public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    PAUSE_AFTER_UNKNOWN { until: Timestamp, created_after: Timestamp, many: i64 } =
        "UPDATE settings SET pause_until = MAX(pause_until, :until)
        WHERE (SELECT COUNT(*) FROM (SELECT 1 FROM generations
          WHERE unsettled = 1 AND state = 'verifying' AND created_at > :created_after LIMIT :many)) >= :many";

    PAUSE { until: Timestamp } = "UPDATE settings SET pause_until = MAX(pause_until, :until)";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The generation is recorded, and its secret may be delivered.
    Active,
    /// A gate closed in the meantime. The row is `revoking`, and the key has to be removed.
    Abandoned,
    /// Another attempt has taken over the row. The key is a stray and has to be removed.
    Lost,
}

/// Records the mint if its state, its nonce and every gate that a decision can close still hold. Otherwise, in a batch of
/// its own, writes down that the key has to be removed. If that batch never runs, the row stays `minting`, as after a
/// crash, and the sweep removes the key.
pub async fn record(db: &dyn Database, minted: &Minted<'_>) -> Result<Recorded, DbError> {
    let (attempt, generation) = (minted.attempt, minted.attempt.generation.as_str());
    if audit::run(db, recording(minted), &minted.record, generation).await? {
        return Ok(Recorded::Active);
    }
    let abandoned = abandon(
        db,
        attempt,
        &minted.abandon,
        Some(minted.upstream_hash.as_str()),
        minted.workspace_id.as_deref(),
        "gate_closed",
        minted.now,
    );
    Ok(if abandoned.await? {
        Recorded::Abandoned
    } else {
        Recorded::Lost
    })
}

/// The batch that records a mint. It has only the statements that can change something for this mint.
fn recording(minted: &Minted<'_>) -> Vec<Stmt> {
    let Minted { attempt, now, .. } = minted;
    let (change, generation) = (&minted.record, &attempt.generation);
    let mut batch = vec![
        guard(minted),
        stmt!(RECORD {
            state: minted.state.name(),
            upstream_hash: minted.upstream_hash.as_str(),
            secret_sha256: minted.secret_sha256.as_str(),
            label: minted.label.as_deref(),
            workspace: minted.workspace_id.as_deref(),
            limit: minted.limit,
            now: *now,
            change,
            generation,
            cap_due_at: minted.cap_due_at,
            guardrail: minted.guardrail_id,
        }),
        match minted.state {
            GenerationState::Disabled => stmt!(BUDGET_HOLD {
                now: *now,
                change,
                generation
            }),
            _ => stmt!(BUDGET_LIFT { change, generation }),
        },
    ];
    let home = minted.workspace_id.as_deref().filter(|_| minted.shows_home);
    batch.extend(home.map(|workspace| {
        stmt!(HOME {
            workspace,
            change,
            generation
        })
    }));
    let succession = attempt.rotation.as_ref();
    batch.extend(
        succession
            .map(|rotation| successors::succeed(minted, rotation))
            .unwrap_or_default(),
    );
    batch
}

fn guard(minted: &Minted<'_>) -> Stmt {
    let Minted { attempt, now, .. } = minted;
    let (terms, generation) = (&attempt.policy.terms, &attempt.generation);
    match &attempt.rotation {
        None => stmt!(RECORD_GUARD {
            change: &minted.record,
            now: *now,
            generation,
            nonce: attempt.nonce.as_str(),
            created_after: now.plus(-RECORD_WITHIN_SECS),
            epoch: attempt.session.epoch,
            public_origin: attempt.policy.public_origin.as_str(),
            deployment_open: terms.open(),
            max_total_keys: terms.max_total_keys,
            account_created_by: terms.account_made_by(*now),
            upstream_terms_waived: terms.upstream_terms_waived,
            terms_rev: REVISION,
            state: minted.state.name(),
            google_domains: attempt.policy.google_domains.as_str(),
        }),
        Some(rotation) => successors::record_guard(minted, rotation),
    }
}

/// The key exists and must not, because its echo was wrong: `minting → revoking`. Returns false if another attempt has
/// taken over the row.
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
        stmt!(ABANDON_GUARD {
            change,
            now,
            generation,
            nonce: attempt.nonce.as_str(),
        }),
        stmt!(ABANDON {
            upstream_hash,
            workspace: workspace_id,
            failure,
            change,
            generation,
        }),
    ];
    audit::run(db, batch, change, generation.as_str())
}

/// OpenRouter refused, or nothing was sent: `minting → void`, and the seat is free. `pause_until` delays everyone's next
/// attempt.
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
        stmt!(REFUSE_GUARD {
            change,
            now,
            generation,
            nonce: attempt.nonce.as_str(),
        }),
        stmt!(REFUSE {
            now,
            failure,
            change,
            generation,
        }),
    ];
    batch.extend(pause_until.map(|until| stmt!(PAUSE { until })));
    audit::run(db, batch, change, generation.as_str())
}

/// Records that the outcome is unknown: the state goes from `minting` to `verifying`, and the row gets a nonce that no
/// attempt knows.
pub fn mark_unknown(
    db: &dyn Database,
    attempt: &Attempt,
    change: &PublicId,
    fresh_nonce: &str,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let generation = &attempt.generation;
    let batch = vec![
        stmt!(UNKNOWN_GUARD {
            change,
            now,
            generation,
            nonce: attempt.nonce.as_str(),
        }),
        stmt!(UNKNOWN {
            fresh_nonce,
            change,
            generation,
        }),
        stmt!(PAUSE_AFTER_UNKNOWN {
            until: now.plus(UNKNOWN_PAUSE_SECS),
            created_after: now.plus(-UNKNOWN_WINDOW_SECS),
            many: MANY_UNKNOWN,
        }),
    ];
    audit::run(db, batch, change, generation.as_str())
}
