//! Rotates a key up to the mint of its next generation: the hold that locks the key, and the reservation of the successor.
//! `successors` has how the rotation ends.
//!
//! The hold has the change id of its attempt. If a later attempt locks the key too, its change id replaces the earlier one.
//! The earlier attempt can then neither reserve nor record a successor.

use crate::domain::id::PublicId;
use crate::domain::key::generation::DEAD_AFTER_SECS;
use crate::domain::key::rotation::ROTATIONS_A_DAY;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::people::session::Session;
use crate::domain::policy::quota::LEAK_REPORTS_A_DAY;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, Rows, Stmt};
use crate::store::keys::attempt::{Attempt, Rotation};
use crate::store::keys::cards::{self, Card};
use crate::store::keys::claims::{self, ClaimDecision};
use crate::store::keys::due::Due;
use crate::store::keys::successors;
use crate::store::members::{self, Member};
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

/// The number of successors of the key of `r` since its UTC day began, at `$since`. A successor that failed for want of
/// money, or because OpenRouter was too busy, does not count. But four of those count as one, and so do twenty rotations
/// that the owner began, so that there is a limit to these as well.
macro_rules! rotations_today {
    ($since:literal) => {
        concat!(
            "(SELECT MAX(COALESCE(SUM(COALESCE(a.failure, '') NOT IN ('busy', 'budget_spent', 'credit_spent', 'key_missing')), 0),
              COUNT(*) / 4, ",
            used_today!("r.owner_id", "rotation_begun", $since),
            " / 20)
            FROM generations a WHERE a.key_id = r.key_id AND a.replaces IS NOT NULL AND a.created_at >= ",
            $since,
            ")"
        )
    };
}

statements! {
    // A rotation at once begins here. No key is disabled that could not be replaced at this moment.
    BEGIN_GUARD {
        change: PublicId, now: Timestamp, key: String, member: PublicId, epoch: i64, public_origin: String, renews: bool,
        day_began: Timestamp, rotations_a_day: i64, google_domains: String,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, r.key, 'rotation_begun', r.member, CASE WHEN r.leaked IS NULL THEN 'rotation' ELSE 'leak' END, :now
        FROM rotation_gates r
        WHERE r.key = :key AND r.member = :member AND r.epoch = :epoch AND r.public_origin = :public_origin
          AND r.minting = 'open' AND r.pause_until <= :now AND r.blocked = 0 AND r.held = 0 AND r.is_off = 0
          AND r.being_made = 0 AND r.unsettled = 0 AND r.expires_at > :now
          AND (r.in_hand_of IS NULL OR (r.leaked IS NOT NULL AND :renews = 0))
          AND (:renews = 0 OR (r.renewable_at <= :now AND ", google_admitted!("r"), "))
          AND ", rotations_today!(":day_began"), " < :rotations_a_day
        ON CONFLICT DO NOTHING");

    FOUND { secret_sha256: String } = concat!("SELECT json_object('key', k.public_id, 'live', n.live, 'owner', m.public_id,
          'being_removed', (SELECT json_object(", due!(), ") WHERE n.state IN ('revoking', 'stuck')))
        FROM generations n JOIN keys k ON k.id = n.key_id JOIN members m ON m.owner_id = k.owner_id
        WHERE n.secret_sha256 IS NOT NULL AND n.secret_sha256 = :secret_sha256");

    // A reported leak disables the key, whatever gate is closed. The owner and an administrator may report it.
    LEAK_GUARD {
        change: PublicId, now: Timestamp, key: String, actor: PublicId, epoch: i64, as_admin: bool, leak_reports_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, r.key, 'hold_put', a.member, 'leak', :now
        FROM rotation_gates r JOIN current_sessions a ON a.member = :actor
        WHERE r.key = :key AND a.epoch = :epoch
          AND (r.member = a.member OR :as_admin = 1)
          AND (r.leaked IS NULL OR r.member <> a.member
            OR ", used_today!("r.owner_id", "hold_put", ":now"), " < :leak_reports_a_day)
        ON CONFLICT DO NOTHING");

    // While a grace lasts, either secret may be the leaked one. So the grace of the older one ends at once.
    LEAK_GRACE_GUARD { change: PublicId, actor: PublicId, now: Timestamp, key: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'grace_ended', :actor, n.state, 'revoking', :now
        FROM keys k JOIN generations n ON n.key_id = k.id
        WHERE k.public_id = :key AND n.grace_until IS NOT NULL AND n.state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)
        ON CONFLICT DO NOTHING";

    // A key that another attempt has locked becomes locked by this one, unless the mint of the other is under way.
    HOLD { now: Timestamp, change: PublicId, key: String } = concat!("INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, a.after, a.actor, :now, :change FROM keys k JOIN audit a ON a.target = k.public_id
        WHERE k.public_id = :key AND a.change_id = :change
          AND ", newest_change!(":key"), "
        ON CONFLICT (key_id, reason) DO UPDATE SET change_id = excluded.change_id
          WHERE NOT EXISTS (SELECT 1 FROM generations g
            WHERE g.key_id = holds.key_id AND g.live = 1 AND g.state IN ('reserved', 'minting'))");

    // The gates are decided again where the successor gets its row. Without grace, the old generation is certainly
    // disabled, and this change has locked the key. With grace, the old generation is active, and nobody has locked the
    // key.
    RESERVE_GUARD {
        change: PublicId, generation: PublicId, now: Timestamp, key: String, member: PublicId, epoch: i64,
        public_origin: String, has_grace: bool, renews: bool, day_began: Timestamp, rotations_a_day: i64, google_domains: String,
        idempotency_sha256: Option<String>, idempotency_nonce: Option<String>,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :generation, 'reserved', r.member, 'minting', :now
        FROM rotation_gates r
        WHERE r.key = :key AND r.member = :member AND r.epoch = :epoch AND r.public_origin = :public_origin
          AND r.minting = 'open' AND r.pause_until <= :now AND r.blocked = 0 AND r.held = 0 AND r.is_off = 0
          AND r.being_made = 0 AND r.unsettled = 0 AND r.expires_at > :now AND r.switch_in_doubt = 0
          AND ((:has_grace = 0 AND r.old_state = 'disabled' AND r.in_hand_of = :change)
            OR (:has_grace = 1 AND r.old_state = 'active' AND r.in_hand_of IS NULL AND r.limit_in_doubt = 0))
          AND (:renews = 0 OR (r.renewable_at <= :now AND ", google_admitted!("r"), "))
          AND ", rotations_today!(":day_began"), " < :rotations_a_day
          AND (:idempotency_sha256 IS NULL OR EXISTS (SELECT 1 FROM idempotency_keys i
            WHERE i.owner_id = r.owner_id AND i.key_sha256 = :idempotency_sha256 AND i.nonce = :idempotency_nonce
              AND ", nothing_reserved!("i"), "))
        ON CONFLICT DO NOTHING");

    // This statement stores what the old generation had spent when it was disabled.
    BOOK { generation: PublicId, change: PublicId, ..Spend } = concat!("UPDATE generations SET ", join_reading!(), "
        WHERE state = 'disabled' AND id = (SELECT n.replaces FROM generations n WHERE n.public_id = :generation)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)");

    // If no successor is minted, the limit that was lowered for the rotation is due again then, even if this isolate has
    // died.
    CAP_DUE { due_at: Timestamp, generation: PublicId, change: PublicId } = "UPDATE generations SET cap_due_at = :due_at
        WHERE id = (SELECT n.replaces FROM generations n WHERE n.public_id = :generation)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // The successor takes the other slot of the key. It is made in the workspace of its key, if administrators have ever
    // enabled that and the plan does not tie its keys to another one. Only a renewal gets a full lifetime; otherwise the successor expires
    // when its old generation would have.
    GENERATION {
        generation: PublicId, nonce: String, now: Timestamp, renews: bool, change: PublicId, key: String,
        default_workspace: Option<String>,
    } = concat!("INSERT INTO generations (public_id, key_id, owner_id, slot, state, op_nonce, upstream_name,
            workspace_id, plan_rev, limit_nano, limit_reset, created_at, expires_at, replaces, change_id)
        SELECT :generation, r.key_id, r.owner_id, 1 - r.old_slot, 'minting', :nonce,
            'keycap/' || r.instance || '/' || :generation,
            COALESCE(NULLIF(p.workspace_id, COALESCE(:default_workspace, '')),
              (SELECT w.upstream_id FROM generations o JOIN workspaces w ON w.upstream_id = o.workspace_id WHERE o.id = r.old_id),
              p.workspace_id), r.plan_rev,
            ", most!("r.owner_id", "r.key_id"), ", p.limit_reset, :now,
            CASE :renews WHEN 1 THEN CAST(:now AS INTEGER) + p.expiry_days * 86400 ELSE r.expires_at END, r.old_id, :change
        FROM rotation_gates r JOIN plans p ON p.id = r.plan_id
        WHERE r.key = :key AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)
        ON CONFLICT (public_id) DO NOTHING");

    FACTS { key: String, change: PublicId, public_origin: String, day_began: Timestamp, google_domains: String } = concat!("SELECT json_object(
          'begun', EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = r.key),
          'member', r.member, 'limit', n.limit_nano, 'limit_reset', n.limit_reset,
          'gates', json_object('same_instance', r.public_origin = :public_origin, 'minting_open', r.minting = 'open',
            'pause_until', r.pause_until, 'held', r.held OR r.blocked, 'is_off', r.is_off,
            'leaked', r.leaked IS NOT NULL, 'locked', r.in_hand_of IS NOT NULL AND r.in_hand_of <> :change,
            'being_made', r.being_made, 'unsettled', r.unsettled, 'grace_until', r.grace_until,
            'rotations_today', ", rotations_today!(":day_began"), ",
            'leak_reports_today', ", used_today!("r.owner_id", "hold_put", ":day_began"), ",
            'expires_at', r.expires_at, 'renewable_at', r.renewable_at, 'google_admitted', ", google_admitted!("r"), "),
          'old', json_object(", due!(), "),
          'older', (SELECT json_object(", due!(), ") FROM generations n
            WHERE n.key_id = r.key_id AND n.state = 'revoking' AND n.change_id = :change LIMIT 1))
        FROM rotation_gates r JOIN generations n ON n.id = r.old_id WHERE r.key = :key");
}

from_json! {
    /// The facts about a key whose newest generation may be replaced.
    pub struct RotationFacts {
        /// The step of this attempt was written.
        pub begun: bool,
        /// The member whose key it is.
        pub member: String,
        pub limit: NanoUsd,
        pub limit_reset: LimitReset,
        pub gates: Gates,
        pub old: Due,
        /// The generation before it, if this change has ended the grace of that generation.
        pub older: Option<Due>,
    }
}

from_json! {
    /// The facts that may forbid the rotation.
    pub struct Gates {
        pub same_instance: bool,
        pub minting_open: bool,
        pub pause_until: Timestamp,
        pub held: bool,
        pub is_off: bool,
        pub leaked: bool,
        pub locked: bool,
        pub being_made: bool,
        pub unsettled: bool,
        pub grace_until: Option<Timestamp>,
        pub rotations_today: i64,
        pub leak_reports_today: i64,
        pub expires_at: Timestamp,
        pub renewable_at: Timestamp,
        /// The member's provider may vouch for a claim, and so for another lifetime of a key.
        pub google_admitted: bool,
    }
}

/// What the database answered to a step. The card is `None` if the key is not the member's own. The facts are `None` if
/// the key has no generation that may be replaced.
pub struct StepResult {
    pub member: Member,
    pub card: Option<Card>,
    pub facts: Option<RotationFacts>,
}

/// Locks a key for a rotation at once, if every gate is open.
pub async fn begin(
    db: &dyn Database,
    attempt: &Attempt,
    rotation: &Rotation,
) -> Result<StepResult, StoreError> {
    let (change, key, now) = (&attempt.change, rotation.key.as_str(), attempt.now);
    let stmts = vec![
        stmt!(BEGIN_GUARD {
            change,
            now,
            key,
            member: &attempt.session.member,
            epoch: attempt.session.epoch,
            public_origin: attempt.policy.public_origin.as_str(),
            renews: rotation.renews,
            day_began: LimitReset::Daily.starts(now),
            rotations_a_day: ROTATIONS_A_DAY,
            google_domains: attempt.policy.google_domains.as_str(),
        }),
        stmt!(HOLD { now, change, key }),
    ];
    run_step(db, attempt, key, stmts).await
}

from_json! {
    /// The key of a secret that was found.
    pub struct FoundKey {
        pub key: String,
        /// The secret may still work.
        pub live: bool,
        /// The member whose key it is.
        pub owner: String,
        /// The generation of the secret, if it is being removed already.
        pub being_removed: Option<Due>,
    }
}

/// Returns the key of the secret with this fingerprint, if the administrator's session is current.
pub async fn find(
    db: &dyn Database,
    session: &Session,
    secret_sha256: &str,
) -> Result<Option<FoundKey>, StoreError> {
    let found = vec![stmt!(FOUND { secret_sha256 })];
    let (_, rows) = members::signed_in(db, session, found).await?;
    let row = rows.first().and_then(|rows| rows.first());
    Ok(row.map(|row| read(row)).transpose()?)
}

/// Sets the hold of a leak, which the owner or an administrator reports.
pub async fn report_leak(
    db: &dyn Database,
    attempt: &Attempt,
    key: &str,
    as_admin: bool,
) -> Result<StepResult, StoreError> {
    let (change, now, actor) = (&attempt.change, attempt.now, &attempt.session.member);
    let stmts = vec![
        stmt!(LEAK_GUARD {
            change,
            now,
            key,
            actor,
            epoch: attempt.session.epoch,
            as_admin,
            leak_reports_a_day: LEAK_REPORTS_A_DAY,
        }),
        stmt!(LEAK_GRACE_GUARD {
            change,
            actor,
            now,
            key
        }),
        successors::revoke(change, key),
        stmt!(HOLD { now, change, key }),
    ];
    run_step(db, attempt, key, stmts).await
}

/// Runs the statements of a step, and reads how the key is after them.
async fn run_step(
    db: &dyn Database,
    attempt: &Attempt,
    key: &str,
    mut stmts: Vec<Stmt>,
) -> Result<StepResult, StoreError> {
    let written = stmts.len();
    stmts.extend(step_queries(attempt, key));
    let rows = batch_retrying_unknown(db, stmts).await?;
    read_step(attempt, &rows, written)
}

/// Reads the rows of [`step_queries`], which begin at the `n`th statement of the batch.
fn read_step(attempt: &Attempt, rows: &[Rows], n: usize) -> Result<StepResult, StoreError> {
    let read_at = |more: usize| rows_of(rows, n.saturating_add(more));
    Ok(StepResult {
        member: members::current(read_at(0)?, &attempt.session)?,
        card: cards::read_cards(read_at(1)?)?.pop(),
        facts: read_at(2)?.first().map(|row| read(row)).transpose()?,
    })
}

fn step_queries(attempt: &Attempt, key: &str) -> [Stmt; 3] {
    [
        members::session_check(&attempt.session),
        cards::one_of(attempt.session.member.as_str(), key, attempt.now),
        stmt!(FACTS {
            key,
            change: &attempt.change,
            public_origin: attempt.policy.public_origin.as_str(),
            day_began: LimitReset::Daily.starts(attempt.now),
            google_domains: attempt.policy.google_domains.as_str(),
        }),
    ]
}

/// What has become of the old secret when its successor is reserved.
pub enum OldSecret {
    /// It works until its grace is over.
    Works,
    /// It was disabled, and had spent this much by then.
    Off(Spend),
    /// OpenRouter no longer has its key. What it had spent is not known, so its whole limit counts.
    Gone,
}

/// Reserves the successor, in the state `minting`.
pub async fn reserve(
    db: &dyn Database,
    attempt: &Attempt,
    rotation: &Rotation,
    old: &OldSecret,
) -> Result<(StepResult, ClaimDecision), StoreError> {
    let (change, generation, now) = (&attempt.change, &attempt.generation, attempt.now);
    let (key, taking) = (rotation.key.as_str(), attempt.taking.as_ref());
    let mut batch = vec![
        stmt!(RESERVE_GUARD {
            change,
            generation,
            now,
            key,
            member: &attempt.session.member,
            epoch: attempt.session.epoch,
            public_origin: attempt.policy.public_origin.as_str(),
            has_grace: rotation.grace_hours.is_some(),
            renews: rotation.renews,
            day_began: LimitReset::Daily.starts(now),
            rotations_a_day: ROTATIONS_A_DAY,
            google_domains: attempt.policy.google_domains.as_str(),
            idempotency_sha256: taking.map(|taking| taking.key_sha256.as_str()),
            idempotency_nonce: taking.map(|taking| taking.nonce.as_str()),
        }),
        stmt!(GENERATION {
            generation,
            nonce: attempt.nonce.as_str(),
            now,
            renews: rotation.renews,
            change,
            key,
            default_workspace: attempt.policy.default_workspace.as_deref(),
        }),
    ];
    batch.extend(match old {
        OldSecret::Off(spend) => Some(stmt!(BOOK {
            generation,
            change,
            ..spend
        })),
        OldSecret::Works => Some(stmt!(CAP_DUE {
            due_at: now.plus(DEAD_AFTER_SECS),
            generation,
            change
        })),
        OldSecret::Gone => None,
    });
    batch.extend(claims::remember(attempt));
    let written = batch.len();
    batch.extend(step_queries(attempt, key));
    batch.extend(claims::facts(attempt));
    let rows = batch_retrying_unknown(db, batch).await?;
    let step = read_step(attempt, &rows, written)?;
    let decision = claims::read_decision(&rows)?.ok_or(StoreError::SessionEnded)?;
    Ok((step, decision))
}
