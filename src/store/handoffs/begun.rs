//! A hand-off from its beginning until it is confirmed.

use crate::domain::id::PublicId;
use crate::domain::people::handoff::{HANDOFF_SECS, HANDOFFS_A_DAY, WRONG_CODES};
use crate::domain::time::Timestamp;
use crate::ports::{Database, KV_TTL_SECS};
use crate::store::handoffs::{Handoff, HandoffAct, and_then_read, outcome, providers};
use crate::store::query::{StoreError, batch_retrying_unknown, rows_of};

/// The hand-off `h` of the member `a` in a current session, with an enabled provider, in the browser that began. The
/// statement declares `member`, `epoch`, `handoff` and `challenge`.
macro_rules! own_handoff {
    () => {
        " FROM current_sessions a JOIN handoffs h ON h.owner_id = a.owner_id
          JOIN providers p ON p.slug = h.provider AND p.enabled = 1
        WHERE a.member = :member AND a.epoch = :epoch AND h.public_id = :handoff AND h.challenge = :challenge"
    };
}

statements! {
    START_GUARD {
        change: PublicId, handoff: PublicId, now: Timestamp, member: PublicId, epoch: i64, slug: String, most_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :handoff, 'handoff_started', a.member, p.slug, :now
        FROM current_sessions a JOIN providers p ON p.slug = :slug AND p.enabled = 1
        WHERE a.member = :member AND a.epoch = :epoch
          AND ", used_today!("a.owner_id", "handoff_started", ":now"), " < :most_a_day
        ON CONFLICT DO NOTHING");

    START {
        handoff: PublicId, slug: String, challenge: String, now: Timestamp, expires_at: Timestamp, change: PublicId,
        member: PublicId,
    } = "INSERT INTO handoffs (public_id, owner_id, provider, challenge, created_at, expires_at, change_id)
        SELECT :handoff, m.owner_id, :slug, :challenge, :now, :expires_at, :change FROM members m
        WHERE m.public_id = :member AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :handoff)
        ON CONFLICT DO NOTHING";

    // The provider has sent the browser back. What it sent is in KV already, and must live there for a minute at least.
    RETURN_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, handoff: PublicId, challenge: String, slug: String,
        until: Timestamp,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, h.public_id, 'handoff_ready', a.member, h.state, 'ready', :now", own_handoff!(), "
          AND h.provider = :slug AND h.state = 'pending' AND h.expires_at >= :until
        ON CONFLICT DO NOTHING");

    RETURN { blob: String, change: PublicId, handoff: PublicId } =
        concat!("UPDATE handoffs SET state = 'ready', blob = :blob, change_id = :change
        WHERE public_id = :handoff AND state = 'pending' AND ", newest_change!(":handoff"));

    DECLINE_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, handoff: PublicId, challenge: String, slug: String,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, h.public_id, 'handoff_refused', a.member, h.state, 'refused', :now", own_handoff!(), "
          AND h.provider = :slug AND h.state = 'pending'
        ON CONFLICT DO NOTHING");

    DECLINE { now: Timestamp, change: PublicId, handoff: PublicId } =
        concat!("UPDATE handoffs SET state = 'refused', ended_at = :now, change_id = :change
        WHERE public_id = :handoff AND state = 'pending' AND ", newest_change!(":handoff"));

    CONFIRM_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, handoff: PublicId, challenge: String,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, h.public_id, 'handoff_confirmed', a.member, :now", own_handoff!(), "
          AND h.state = 'ready' AND h.confirmed_at IS NULL AND h.expires_at > :now
        ON CONFLICT DO NOTHING");

    CONFIRM { now: Timestamp, change: PublicId, handoff: PublicId } =
        concat!("UPDATE handoffs SET confirmed_at = :now, change_id = :change
        WHERE public_id = :handoff AND state = 'ready' AND change_id <> :change AND ", newest_change!(":handoff"));

    WRONG_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, handoff: PublicId, challenge: String,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, h.public_id, 'handoff_code_wrong', a.member, CAST(h.wrong_codes + 1 AS TEXT), :now", own_handoff!(), "
          AND h.state = 'ready' AND h.confirmed_at IS NULL AND h.expires_at > :now
        ON CONFLICT DO NOTHING");

    WRONG { most: i64, now: Timestamp, change: PublicId, handoff: PublicId } =
        concat!("UPDATE handoffs SET wrong_codes = wrong_codes + 1,
          state = CASE WHEN wrong_codes + 1 >= :most THEN 'refused' ELSE state END,
          ended_at = CASE WHEN wrong_codes + 1 >= :most THEN :now END, change_id = :change
        WHERE public_id = :handoff AND state = 'ready' AND change_id <> :change AND ", newest_change!(":handoff"));
}

/// The outcome of [`start`].
pub enum HandoffStarted {
    Begun(Handoff),
    /// There is no such provider, or it is not enabled.
    NoProvider,
    /// The member has begun as many as a day allows.
    UsedUp,
}

/// Begins a hand-off with this new id.
pub async fn start(
    db: &dyn Database,
    act: &HandoffAct<'_>,
    slug: &str,
) -> Result<HandoffStarted, StoreError> {
    let (change, handoff, now) = (&act.change, act.handoff, act.now);
    let member = &act.session.member;
    let batch = vec![
        stmt!(START_GUARD {
            change,
            handoff,
            now,
            member,
            epoch: act.session.epoch,
            slug,
            most_a_day: HANDOFFS_A_DAY,
        }),
        stmt!(START {
            handoff,
            slug,
            challenge: act.challenge,
            now,
            expires_at: now.plus(HANDOFF_SECS),
            change,
            member,
        }),
        providers::list(),
    ];
    let rows = batch_retrying_unknown(db, and_then_read(batch, act)).await?;
    let all = providers::read_list(rows_of(&rows, 2)?)?;
    match outcome(&rows, act) {
        Ok((begun, _)) => Ok(HandoffStarted::Begun(begun)),
        Err(StoreError::NotFound) => {
            let mut all = all.iter();
            let is_there = all.any(|provider| provider.slug == slug && provider.enabled);
            Ok(if is_there {
                HandoffStarted::UsedUp
            } else {
                HandoffStarted::NoProvider
            })
        }
        Err(error) => Err(error),
    }
}

/// Writes down that the browser has come back to this provider's callback, and where in KV that is. Answers whether it
/// was this very return that counts.
pub async fn come_back(
    db: &dyn Database,
    act: &HandoffAct<'_>,
    slug: &str,
    blob: &str,
) -> Result<bool, StoreError> {
    let batch = vec![
        stmt!(RETURN_GUARD {
            change: &act.change,
            now: act.now,
            member: &act.session.member,
            epoch: act.session.epoch,
            handoff: act.handoff,
            challenge: act.challenge,
            slug,
            until: act.now.plus(KV_TTL_SECS),
        }),
        stmt!(RETURN {
            blob,
            change: &act.change,
            handoff: act.handoff,
        }),
    ];
    let rows = batch_retrying_unknown(db, and_then_read(batch, act)).await?;
    outcome(&rows, act).map(|(_, is_ours)| is_ours)
}

/// Writes down that the provider or its member declined. Nothing was asked of the provider.
pub async fn decline(
    db: &dyn Database,
    act: &HandoffAct<'_>,
    slug: &str,
) -> Result<bool, StoreError> {
    let batch = vec![
        stmt!(DECLINE_GUARD {
            change: &act.change,
            now: act.now,
            member: &act.session.member,
            epoch: act.session.epoch,
            handoff: act.handoff,
            challenge: act.challenge,
            slug,
        }),
        stmt!(DECLINE {
            now: act.now,
            change: &act.change,
            handoff: act.handoff,
        }),
    ];
    let rows = batch_retrying_unknown(db, and_then_read(batch, act)).await?;
    outcome(&rows, act).map(|(_, is_ours)| is_ours)
}

/// Writes down that the right code was typed. Returns the hand-off as it is then.
pub async fn confirm(db: &dyn Database, act: &HandoffAct<'_>) -> Result<Handoff, StoreError> {
    let batch = vec![
        stmt!(CONFIRM_GUARD {
            change: &act.change,
            now: act.now,
            member: &act.session.member,
            epoch: act.session.epoch,
            handoff: act.handoff,
            challenge: act.challenge,
        }),
        stmt!(CONFIRM {
            now: act.now,
            change: &act.change,
            handoff: act.handoff,
        }),
    ];
    let rows = batch_retrying_unknown(db, and_then_read(batch, act)).await?;
    outcome(&rows, act).map(|(found, _)| found)
}

/// Counts a wrong code. The fifth ends the hand-off. Returns the hand-off as it is then.
pub async fn count_wrong_code(
    db: &dyn Database,
    act: &HandoffAct<'_>,
) -> Result<Handoff, StoreError> {
    let batch = vec![
        stmt!(WRONG_GUARD {
            change: &act.change,
            now: act.now,
            member: &act.session.member,
            epoch: act.session.epoch,
            handoff: act.handoff,
            challenge: act.challenge,
        }),
        stmt!(WRONG {
            most: WRONG_CODES,
            now: act.now,
            change: &act.change,
            handoff: act.handoff,
        }),
    ];
    let rows = batch_retrying_unknown(db, and_then_read(batch, act)).await?;
    outcome(&rows, act).map(|(found, _)| found)
}
