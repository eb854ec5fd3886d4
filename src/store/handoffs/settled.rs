//! The exchange of a hand-off: it is taken once, and its outcome is recorded once. What never told how it ended becomes
//! unknown, and what nobody needs any more is forgotten.

use crate::domain::id::PublicId;
use crate::domain::people::handoff::SETTLED_WITHIN_SECS;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::handoffs::linked::{self, NewProviderKey, ProviderKey};
use crate::store::handoffs::{Handoff, HandoffAct, and_then_read, outcome};
use crate::store::members;
use crate::store::query::{StoreError, batch_retrying_unknown, rows_of};

/// One run of the sweep ends or forgets at most this many.
const ROWS: i64 = 500;
/// How long what was left behind stays after its end, in seconds, so that its page can say what happened.
const FORGOTTEN_AFTER_SECS: i64 = 3_600;
/// How long an unknown outcome stays, in seconds, so that its member learns of it: thirty days.
const UNKNOWN_KEPT_SECS: i64 = 30 * 86_400;

statements! {
    // This compare-and-set is what makes an exchange happen once. Everything that could refuse it is checked here.
    TAKE_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, handoff: PublicId, challenge: String,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, h.public_id, 'handoff_redeeming', a.member, h.state, 'redeeming', :now
        FROM current_sessions a JOIN handoffs h ON h.owner_id = a.owner_id
          JOIN providers p ON p.slug = h.provider AND p.enabled = 1
        WHERE a.member = :member AND a.epoch = :epoch AND h.public_id = :handoff AND h.challenge = :challenge
          AND h.state = 'ready' AND h.confirmed_at IS NOT NULL AND h.expires_at > :now
        ON CONFLICT DO NOTHING";

    TAKE { now: Timestamp, change: PublicId, handoff: PublicId } =
        concat!("UPDATE handoffs SET state = 'redeeming', redeeming_at = :now, change_id = :change
        WHERE public_id = :handoff AND state = 'ready' AND ", newest_change!(":handoff"));

    // Only the request that took it records the key, in time, and for a member whose session is still current.
    RECORD_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, handoff: PublicId, taken: PublicId,
        taken_after: Timestamp,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, h.public_id, 'handoff_redeemed', a.member, h.state, 'redeemed', :now
        FROM current_sessions a JOIN handoffs h ON h.owner_id = a.owner_id
        WHERE a.member = :member AND a.epoch = :epoch AND h.public_id = :handoff AND h.state = 'redeeming'
          AND h.change_id = :taken AND h.redeeming_at > :taken_after
        ON CONFLICT DO NOTHING";

    RECORD { now: Timestamp, change: PublicId, handoff: PublicId } =
        concat!("UPDATE handoffs SET state = 'redeemed', ended_at = :now, change_id = :change
        WHERE public_id = :handoff AND state = 'redeeming' AND ", newest_change!(":handoff"));

    FAIL_GUARD { change: PublicId, action: String, after: String, member: PublicId, now: Timestamp, handoff: PublicId,
        taken: PublicId,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, h.public_id, :action, :member, h.state, :after, :now FROM handoffs h
        WHERE h.public_id = :handoff AND h.state = 'redeeming' AND h.change_id = :taken
        ON CONFLICT DO NOTHING";

    FAIL { after: String, now: Timestamp, change: PublicId, handoff: PublicId } =
        concat!("UPDATE handoffs SET state = :after, ended_at = :now, change_id = :change
        WHERE public_id = :handoff AND state = 'redeeming' AND ", newest_change!(":handoff"));

    STALE_GUARD { change: PublicId, now: Timestamp, taken_by: Timestamp, most: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, h.public_id, 'handoff_unknown', 'sweep', h.state, 'unknown', :now FROM handoffs h
        WHERE h.state = 'redeeming' AND h.redeeming_at <= :taken_by ORDER BY h.redeeming_at LIMIT :most
        ON CONFLICT DO NOTHING";

    STALE { now: Timestamp, change: PublicId, taken_by: Timestamp } =
        "UPDATE handoffs SET state = 'unknown', ended_at = :now, change_id = :change
        WHERE state = 'redeeming' AND redeeming_at <= :taken_by
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = handoffs.public_id)";

    // The hand-off is forgotten; that a key may have been made stays in the history of its member.
    TELL_UNKNOWN { change: PublicId } = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT a.change_id, m.public_id, a.action, a.actor, h.provider, a.at
        FROM audit a JOIN handoffs h ON h.public_id = a.target JOIN members m ON m.owner_id = h.owner_id
        WHERE a.change_id = :change AND a.action = 'handoff_unknown'
        ON CONFLICT DO NOTHING";

    FORGET_OPEN { expired_before: Timestamp, most: i64 } = "DELETE FROM handoffs WHERE id IN
        (SELECT id FROM handoffs WHERE state IN ('pending', 'ready') AND expires_at < :expired_before
          ORDER BY expires_at LIMIT :most)";

    FORGET_ENDED { ended_before: Timestamp, unknown_before: Timestamp, most: i64 } = "DELETE FROM handoffs WHERE id IN
        (SELECT id FROM handoffs WHERE state IN ('redeemed', 'refused', 'unknown') AND ended_at < :ended_before
          AND (state <> 'unknown' OR ended_at < :unknown_before) ORDER BY ended_at LIMIT :most)";
}

/// Takes a hand-off for its one exchange. Returns it as it is then, and whether this request has it.
pub async fn take(db: &dyn Database, act: &HandoffAct<'_>) -> Result<(Handoff, bool), StoreError> {
    let batch = vec![
        stmt!(TAKE_GUARD {
            change: &act.change,
            now: act.now,
            member: &act.session.member,
            epoch: act.session.epoch,
            handoff: act.handoff,
            challenge: act.challenge,
        }),
        stmt!(TAKE {
            now: act.now,
            change: &act.change,
            handoff: act.handoff,
        }),
    ];
    outcome(
        &batch_retrying_unknown(db, and_then_read(batch, act)).await?,
        act,
    )
}

/// Records the key that the provider made, for the request that took the hand-off under the change `taken`. Returns the
/// key if it was recorded.
pub async fn record(
    db: &dyn Database,
    act: &HandoffAct<'_>,
    taken: &PublicId,
    key: &NewProviderKey<'_>,
) -> Result<Option<ProviderKey>, StoreError> {
    let (change, now, handoff) = (&act.change, act.now, act.handoff);
    let member = &act.session.member;
    let batch = vec![
        stmt!(RECORD_GUARD {
            change,
            now,
            member,
            epoch: act.session.epoch,
            handoff,
            taken,
            taken_after: now.plus(-SETTLED_WITHIN_SECS),
        }),
        stmt!(RECORD {
            now,
            change,
            handoff,
        }),
        linked::link_guard(act, key),
        linked::link(act, key),
        linked::tell(act.session, change, key.id),
        members::session_check(act.session),
        linked::one(act.session, key.id),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 5)?, act.session)?;
    let found = linked::read_list(rows_of(&rows, 6)?)?;
    Ok(found.into_iter().next())
}

/// Writes down that an exchange made no key, or that it is not known whether it did. Answers whether this was written.
pub async fn fail(
    db: &dyn Database,
    act: &HandoffAct<'_>,
    taken: &PublicId,
    is_known: bool,
) -> Result<bool, DbError> {
    let (action, after) = if is_known {
        ("handoff_refused", "refused")
    } else {
        ("handoff_unknown", "unknown")
    };
    let batch = vec![
        stmt!(FAIL_GUARD {
            change: &act.change,
            action,
            after,
            member: &act.session.member,
            now: act.now,
            handoff: act.handoff,
            taken,
        }),
        stmt!(FAIL {
            after,
            now: act.now,
            change: &act.change,
            handoff: act.handoff,
        }),
        stmt!(TELL_UNKNOWN {
            change: &act.change
        }),
    ];
    audit::run(db, batch, &act.change, act.handoff.as_str()).await
}

/// The statements that end exchanges which nobody works on any more, and forget what was left behind.
pub(crate) fn tidy(change: &PublicId, now: Timestamp) -> Vec<Stmt> {
    let taken_by = now.plus(-SETTLED_WITHIN_SECS);
    vec![
        stmt!(STALE_GUARD {
            change,
            now,
            taken_by,
            most: ROWS,
        }),
        stmt!(STALE {
            now,
            change,
            taken_by,
        }),
        stmt!(TELL_UNKNOWN { change }),
        stmt!(FORGET_OPEN {
            expired_before: now.plus(-FORGOTTEN_AFTER_SECS),
            most: ROWS,
        }),
        stmt!(FORGET_ENDED {
            ended_before: now.plus(-FORGOTTEN_AFTER_SECS),
            unknown_before: now.plus(-UNKNOWN_KEPT_SECS),
            most: ROWS,
        }),
    ]
}
