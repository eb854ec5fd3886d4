//! A key's next generation up to its mint: the hold that locks the key for the rotation, and the reservation of the
//! successor. `successors` records how the rotation ends.
//!
//! The hold carries the change of its attempt. A later attempt that locks the key takes the place of the earlier one, which
//! then neither reserves nor records anything.

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
use crate::store::figures;
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

/// Successors of the key of `r` since the beginning of its day, `$since`. What failed for want of money or of upstream's
/// patience is none; but four of those are one, and twenty begun by the owner are, so that there is an end to them too.
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

statements_at! {
    // At once: no key is disabled that could not be replaced as things are.
    BEGIN_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, r.key, 'rotation_begun', r.member, CASE WHEN r.leaked IS NULL THEN 'rotation' ELSE 'leak' END, ?2
        FROM rotation_gates r
        WHERE r.key = ?3 AND r.member = ?4 AND r.epoch = ?5 AND r.public_origin = ?6
          AND r.minting = 'open' AND r.pause_until <= ?2 AND r.blocked = 0 AND r.held = 0 AND r.is_off = 0
          AND r.being_made = 0 AND r.unsettled = 0 AND r.expires_at > ?2
          AND (r.in_hand_of IS NULL OR (r.leaked IS NOT NULL AND ?7 = 0))
          AND (?7 = 0 OR r.renewable_at <= ?2)
          AND ", rotations_today!("?8"), " < ?9
        ON CONFLICT DO NOTHING");

    // Whose secret has this fingerprint, and whether it may still work.
    FOUND = concat!("SELECT json_object('key', k.public_id, 'live', n.live, 'owner', m.public_id,
          'being_removed', (SELECT json_object(", due!(), ") WHERE n.state IN ('revoking', 'stuck')))
        FROM generations n JOIN keys k ON k.id = n.key_id JOIN members m ON m.owner_id = k.owner_id
        WHERE n.secret_sha256 IS NOT NULL AND n.secret_sha256 = ?1");

    // A leak puts the key off whatever else stands; an admin may say so too.
    LEAK_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, r.key, 'hold_put', a.public_id, 'leak', ?2
        FROM rotation_gates r JOIN members a ON a.public_id = ?4 JOIN settings s
        WHERE r.key = ?3 AND a.status = 'active' AND a.epoch + s.session_epoch = ?5
          AND (r.member = a.public_id OR ?6 = 1)
          AND (r.leaked IS NULL OR r.member <> a.public_id OR ", used_today!("r.owner_id", "hold_put", "?2"), " < ?7)
        ON CONFLICT DO NOTHING");

    // Both secrets of a key in grace are the leaked key's; the older one does not wait for its time.
    LEAK_GRACE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'grace_ended', ?2, n.state, 'revoking', ?3
        FROM keys k JOIN generations n ON n.key_id = k.id
        WHERE k.public_id = ?4 AND n.grace_until IS NOT NULL AND n.state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?4)
        ON CONFLICT DO NOTHING";

    // What is already in hand changes hands, unless its mint is under way.
    HOLD = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, a.after, a.actor, ?1, ?2 FROM keys k JOIN audit a ON a.target = k.public_id
        WHERE k.public_id = ?3 AND a.change_id = ?2
          AND ?2 = (SELECT l.change_id FROM audit l WHERE l.target = ?3 ORDER BY l.id DESC LIMIT 1)
        ON CONFLICT (key_id, reason) DO UPDATE SET change_id = excluded.change_id
          WHERE NOT EXISTS (SELECT 1 FROM generations g
            WHERE g.key_id = holds.key_id AND g.live = 1 AND g.state IN ('reserved', 'minting'))";

    // The gates, decided again where the successor gets its row. At once: the old one is off for certain, by this very
    // change. With grace: it is on, and nobody has the key in hand.
    RESERVE_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, ?2, 'reserved', r.member, 'minting', ?3
        FROM rotation_gates r
        WHERE r.key = ?4 AND r.member = ?5 AND r.epoch = ?6 AND r.public_origin = ?7
          AND r.minting = 'open' AND r.pause_until <= ?3 AND r.blocked = 0 AND r.held = 0 AND r.is_off = 0
          AND r.being_made = 0 AND r.unsettled = 0 AND r.expires_at > ?3 AND r.switch_in_doubt = 0
          AND ((?8 = 0 AND r.old_state = 'disabled' AND r.in_hand_of = ?1)
            OR (?8 = 1 AND r.old_state = 'active' AND r.in_hand_of IS NULL AND r.limit_in_doubt = 0))
          AND (?9 = 0 OR r.renewable_at <= ?3)
          AND ", rotations_today!("?10"), " < ?11
          AND (?12 IS NULL OR EXISTS (SELECT 1 FROM idempotency_keys i
            WHERE i.owner_id = r.owner_id AND i.key_sha256 = ?12 AND i.nonce = ?13 AND ", nothing_reserved!("i"), "))
        ON CONFLICT DO NOTHING");

    // What the old one had spent when it was disabled.
    BOOK = concat!("UPDATE generations SET ", figures!(), "
        WHERE state = 'disabled' AND id = (SELECT n.replaces FROM generations n WHERE n.public_id = ?10)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?11 AND target = ?10)");

    // If nothing is minted, the limit that was lowered for the rotation becomes due again, even if this isolate has died.
    CAP_DUE = "UPDATE generations SET cap_due_at = ?1
        WHERE id = (SELECT n.replaces FROM generations n WHERE n.public_id = ?2)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?2)";

    // The other slot. A fresh life is the renewal's alone: what expires is as long as ever.
    GENERATION = concat!("INSERT INTO generations (public_id, key_id, owner_id, slot, state, op_nonce, upstream_name,
            workspace_id, plan_rev, limit_nano, limit_reset, created_at, expires_at, replaces, change_id)
        SELECT ?1, r.key_id, r.owner_id, 1 - r.old_slot, 'minting', ?2, 'keycap/' || r.instance || '/' || ?1,
            p.workspace_id, r.plan_rev, ", most!("r.owner_id", "r.key_id"), ", p.limit_reset, ?3,
            CASE ?4 WHEN 1 THEN CAST(?3 AS INTEGER) + p.expiry_days * 86400 ELSE r.expires_at END, r.old_id, ?5
        FROM rotation_gates r JOIN plans p ON p.id = r.plan_id
        WHERE r.key = ?6 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?5 AND target = ?1)
        ON CONFLICT (public_id) DO NOTHING");

    // How the key stands, for the words and for the next step.
    FACTS = concat!("SELECT json_object('begun', EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = r.key),
          'member', r.member, 'limit', n.limit_nano, 'limit_reset', n.limit_reset,
          'gates', json_object('same_instance', r.public_origin = ?3, 'minting_open', r.minting = 'open',
            'pause_until', r.pause_until, 'held', r.held OR r.blocked, 'is_off', r.is_off,
            'leaked', r.leaked IS NOT NULL, 'in_hand', r.in_hand_of IS NOT NULL AND r.in_hand_of <> ?2,
            'being_made', r.being_made, 'unsettled', r.unsettled, 'grace_until', r.grace_until,
            'rotations_today', ", rotations_today!("?4"), ", 'leak_reports_today', ", used_today!("r.owner_id", "hold_put", "?4"), ",
            'expires_at', r.expires_at, 'renewable_at', r.renewable_at),
          'old', json_object(", due!(), "),
          'older', (SELECT json_object(", due!(), ") FROM generations n
            WHERE n.key_id = r.key_id AND n.state = 'revoking' AND n.change_id = ?2 LIMIT 1))
        FROM rotation_gates r JOIN generations n ON n.id = r.old_id WHERE r.key = ?1");
}

from_json! {
    /// How a key stands that may be replaced.
    pub struct RotationFacts {
        pub begun: bool,
        /// Whose it is.
        pub member: String,
        pub limit: NanoUsd,
        pub limit_reset: LimitReset,
        pub gates: Gates,
        pub old: Due,
        /// The one beside it, where this very change has ended its grace.
        pub older: Option<Due>,
    }
}

from_json! {
    /// What may speak against it.
    pub struct Gates {
        pub same_instance: bool,
        pub minting_open: bool,
        pub pause_until: Timestamp,
        pub held: bool,
        pub is_off: bool,
        pub leaked: bool,
        pub in_hand: bool,
        pub being_made: bool,
        pub unsettled: bool,
        pub grace_until: Option<Timestamp>,
        pub rotations_today: i64,
        pub leak_reports_today: i64,
        pub expires_at: Timestamp,
        pub renewable_at: Timestamp,
    }
}

/// What the database said to a step: the key as its owner sees it, none when it is another's, and how it stands, where
/// there is a generation that may be replaced.
pub struct StepResult {
    pub member: Member,
    pub card: Option<Card>,
    pub facts: Option<RotationFacts>,
}

/// Takes a key in hand to replace it at once, where every gate is open.
pub async fn begin(
    db: &dyn Database,
    attempt: &Attempt,
    rotation: &Rotation,
) -> Result<StepResult, StoreError> {
    let (change, key, now) = (&attempt.change, rotation.key.as_str(), attempt.now);
    let stmts = vec![
        stmt_at!(
            BEGIN_GUARD,
            change,
            now,
            key,
            &attempt.session.member,
            attempt.session.epoch,
            attempt.house.public_origin.as_str(),
            rotation.renews,
            LimitReset::Daily.starts(now),
            ROTATIONS_A_DAY,
        ),
        stmt_at!(HOLD, now, change, key),
    ];
    told(db, attempt, key, stmts).await
}

from_json! {
    /// The key of a secret that was found.
    pub struct FoundKey {
        pub key: String,
        /// The secret may still work.
        pub live: bool,
        /// The member whose key it is.
        pub owner: String,
        /// Its generation, where that is to be removed already.
        pub being_removed: Option<Due>,
    }
}

/// The key of the secret with this fingerprint, in an admin's current session.
pub async fn find(
    db: &dyn Database,
    session: &Session,
    secret_sha256: &str,
) -> Result<Option<FoundKey>, StoreError> {
    let found = vec![stmt_at!(FOUND, secret_sha256)];
    let (_, rows) = members::signed_in(db, session, found).await?;
    let row = rows.first().and_then(|rows| rows.first());
    Ok(row.map(|row| read(row)).transpose()?)
}

/// Puts the hold of a leak, by its owner or an admin.
pub async fn report_leak(
    db: &dyn Database,
    attempt: &Attempt,
    key: &str,
    as_admin: bool,
) -> Result<StepResult, StoreError> {
    let (change, now, member) = (&attempt.change, attempt.now, &attempt.session.member);
    let stmts = vec![
        stmt_at!(
            LEAK_GUARD,
            change,
            now,
            key,
            member,
            attempt.session.epoch,
            as_admin,
            LEAK_REPORTS_A_DAY,
        ),
        stmt_at!(LEAK_GRACE_GUARD, change, member, now, key),
        successors::revoke(change, key),
        stmt_at!(HOLD, now, change, key),
    ];
    told(db, attempt, key, stmts).await
}

async fn told(
    db: &dyn Database,
    attempt: &Attempt,
    key: &str,
    mut stmts: Vec<Stmt>,
) -> Result<StepResult, StoreError> {
    let written = stmts.len();
    stmts.extend(ask(attempt, key));
    let rows = batch_retrying_unknown(db, stmts).await?;
    read_told(attempt, &rows, written)
}

/// Reads what [`ask`] asked, from the `n`th statement on.
fn read_told(attempt: &Attempt, rows: &[Rows], n: usize) -> Result<StepResult, StoreError> {
    let read_at = |more: usize| rows_of(rows, n.saturating_add(more));
    Ok(StepResult {
        member: members::current(read_at(0)?, &attempt.session)?,
        card: cards::read_cards(read_at(1)?)?.pop(),
        facts: read_at(2)?.first().map(|row| read(row)).transpose()?,
    })
}

fn ask(attempt: &Attempt, key: &str) -> [Stmt; 3] {
    let facts = stmt_at!(
        FACTS,
        key,
        &attempt.change,
        attempt.house.public_origin.as_str(),
        LimitReset::Daily.starts(attempt.now),
    );
    [
        members::session_check(&attempt.session),
        cards::one_of(attempt.session.member.as_str(), key, attempt.now),
        facts,
    ]
}

/// What the old secret may do when its successor is reserved.
pub enum OldSecret {
    /// It goes on working, for its grace.
    Works,
    /// It was disabled, and had spent so much then.
    Off(Spend),
    /// Upstream no longer has its key: what it had spent is not known, and all of its limit counts.
    Gone,
}

/// Reserves the successor, straight into `minting`.
pub async fn reserve(
    db: &dyn Database,
    attempt: &Attempt,
    rotation: &Rotation,
    old: &OldSecret,
) -> Result<(StepResult, ClaimDecision), StoreError> {
    let (change, generation, now) = (&attempt.change, &attempt.generation, attempt.now);
    let (key, taking) = (rotation.key.as_str(), attempt.taking.as_ref());
    let mut batch = vec![stmt_at!(
        RESERVE_GUARD,
        change,
        generation,
        now,
        key,
        &attempt.session.member,
        attempt.session.epoch,
        attempt.house.public_origin.as_str(),
        rotation.grace_hours.is_some(),
        rotation.renews,
        LimitReset::Daily.starts(now),
        ROTATIONS_A_DAY,
        taking.map(|taking| taking.key_sha256.as_str()),
        taking.map(|taking| taking.nonce.as_str()),
    )];
    batch.push(stmt_at!(
        GENERATION,
        generation,
        attempt.nonce.as_str(),
        now,
        rotation.renews,
        change,
        key
    ));
    batch.extend(match old {
        OldSecret::Off(spend) => Some(book(spend, generation, change)),
        OldSecret::Works => Some(stmt_at!(
            CAP_DUE,
            now.plus(DEAD_AFTER_SECS),
            generation,
            change
        )),
        OldSecret::Gone => None,
    });
    batch.extend(claims::remember(attempt));
    let written = batch.len();
    batch.extend(ask(attempt, key));
    batch.extend(claims::facts(attempt));
    let rows = batch_retrying_unknown(db, batch).await?;
    let told = read_told(attempt, &rows, written)?;
    let decision = claims::read_decision(&rows)?.ok_or(StoreError::SessionEnded)?;
    Ok((told, decision))
}

fn book(spend: &Spend, generation: &PublicId, change: &PublicId) -> Stmt {
    Stmt {
        sql: &BOOK,
        values: figures::values(spend, [generation.into(), change.into()]),
    }
}
