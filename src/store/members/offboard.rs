//! Members who are suspended, banned or reinstated, or who leave. One batch changes their status, their sessions and
//! all of their keys. A key that is being made for them meanwhile is refused by the gates of its record.

use crate::domain::id::PublicId;
use crate::domain::people::identity::Status;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::keys::due::Due;
use crate::store::members;
use crate::store::members::erasure;
use crate::store::members::roster::{self, MemberDetails};
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;
use crate::store::query::rows_of;

/// A request itself removes at most this many generations. The sweep removes the others.
const AT_ONCE: i64 = 5;

statements! {
    // A member who has left cannot be changed. An administrator by configuration can only be reinstated.
    SET_STATUS_GUARD {
        change: PublicId, action: String, status: String, now: Timestamp, actor: PublicId, member: PublicId, epoch: i64,
        admins: String,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, m.public_id, :action, a.member, m.status, :status, :now
        FROM members m JOIN current_sessions a ON a.member = :actor
        WHERE m.public_id = :member AND a.epoch = :epoch
          AND m.status <> :status AND m.status <> 'left'
          AND (:status = 'active' OR NOT ", is_admins!("m"), ")
        ON CONFLICT DO NOTHING");

    SET_STATUS { status: String, change: PublicId, member: PublicId } =
        "UPDATE members SET status = :status, epoch = epoch + 1, change_id = :change
        WHERE public_id = :member AND change_id <> :change
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    // An admin's hold on a key that has ended would refuse the member's claims for ever.
    FORGIVE_GUARD { change: PublicId, actor: PublicId, now: Timestamp, member: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, k.public_id, 'hold_lifted', :actor, 'admin', :now
        FROM members m JOIN keys k ON k.owner_id = m.owner_id JOIN holds h ON h.key_id = k.id AND h.reason = 'admin'
        WHERE m.public_id = :member AND k.ended_at IS NOT NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)
        ON CONFLICT DO NOTHING";

    FORGIVE { change: PublicId } = "DELETE FROM holds WHERE reason = 'admin' AND key_id IN
        (SELECT k.id FROM audit a JOIN keys k ON k.public_id = a.target
          WHERE a.change_id = :change AND a.action = 'hold_lifted')";

    // A ban blocks the person, whatever happens to the member's row.
    BAN_GUARD { change: PublicId, block: PublicId, actor: PublicId, now: Timestamp, member: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :block, 'blocked', :actor, m.public_id, :now FROM members m
        WHERE m.public_id = :member AND m.status = 'banned'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)
          AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject)
        ON CONFLICT DO NOTHING";

    BAN { now: Timestamp, block: PublicId, change: PublicId, member: PublicId } =
        concat!("INSERT INTO blocks (provider, subject, since, public_id, change_id)
        SELECT m.provider, m.subject, :now, :block, :change FROM members m
        WHERE m.public_id = :member AND ", newest_change!(":block"), "
        ON CONFLICT DO NOTHING");

    // This lifts only the block that the ban has set. A block that was set separately is lifted separately.
    UNBAN_GUARD { change: PublicId, actor: PublicId, now: Timestamp, member: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, b.public_id, 'unblocked', :actor, m.public_id, :now
        FROM members m JOIN blocks b ON b.provider = m.provider AND b.subject = m.subject
        WHERE m.public_id = :member AND m.status <> 'banned'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = b.change_id AND target = :member AND action = 'member_banned')
        ON CONFLICT DO NOTHING";

    UNBAN { member: PublicId, change: PublicId } = "DELETE FROM blocks
        WHERE (provider, subject) = (SELECT m.provider, m.subject FROM members m WHERE m.public_id = :member)
          AND EXISTS (SELECT 1 FROM audit
            WHERE change_id = :change AND target = blocks.public_id AND action = 'unblocked')";

    END_KEYS_GUARD { change: PublicId, actor: PublicId, now: Timestamp, member: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, k.public_id, 'key_ended', :actor, :now FROM members m JOIN keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = :member AND k.ended_at IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)
        ON CONFLICT DO NOTHING";

    REVOKE_GUARD { change: PublicId, actor: PublicId, now: Timestamp, member: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'revoke_asked', :actor, n.state, 'revoking', :now
        FROM members m JOIN generations n ON n.owner_id = m.owner_id
        WHERE m.public_id = :member AND n.live = 1 AND n.state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)
        ON CONFLICT DO NOTHING";

    REVOKE { change: PublicId, member: PublicId } =
        "UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, change_id = :change
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
          AND live = 1 AND state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = generations.public_id)";

    END_KEYS { now: Timestamp, change: PublicId, member: PublicId } = "UPDATE keys SET ended_at = :now, change_id = :change
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member) AND ended_at IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = keys.public_id)";

    // The generations that this change wants removed at OpenRouter.
    DUE { member: PublicId, change: PublicId, most: i64 } = concat!("SELECT json_object(", due!(), ")
        FROM members m JOIN generations n ON n.owner_id = m.owner_id
        WHERE m.public_id = :member AND n.live = 1 AND n.state = 'revoking' AND n.change_id = :change LIMIT :most");

    // This answers whether no secret of the member can work any more.
    KEYS_OFF { member: PublicId } =
        "SELECT json_object('off', NOT EXISTS (SELECT 1 FROM generations n WHERE n.owner_id = m.owner_id AND n.live = 1))
        FROM members m WHERE m.public_id = :member";

    LEAVE_GUARD { change: PublicId, now: Timestamp, member: PublicId, epoch: i64, login: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, m.public_id, 'member_left', m.public_id, m.status, 'left', :now
        FROM current_sessions a JOIN members m ON m.owner_id = a.owner_id
        WHERE a.member = :member AND a.epoch = :epoch AND m.login = :login
        ON CONFLICT DO NOTHING";

    // This comes last, because the other statements find the person by what it erases. The owner stays, with the plan
    // and with what was spent.
    ERASE { pseudonym: String, change: PublicId, member: PublicId } =
        "UPDATE members SET status = 'left', subject = :pseudonym, login = '', login_passed_on_at = NULL,
            account_created_at = 0, hosted_domain = NULL, terms_rev = 0, terms_at = NULL, epoch = epoch + 1, change_id = :change
        WHERE public_id = :member AND change_id <> :change
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";
}

/// An administrator's change of a member's status.
pub struct StatusChange<'a> {
    pub session: &'a Session,
    pub member: PublicId,
    pub status: Status,
    pub change: PublicId,
    /// The id of the block that a ban sets.
    pub block: PublicId,
    /// The names of the administrators in the configuration, as a JSON list.
    pub admins: String,
    pub now: Timestamp,
}

impl StatusChange<'_> {
    const fn action(&self) -> &'static str {
        match self.status {
            Status::Banned => "member_banned",
            Status::Active => "member_reinstated",
            Status::Suspended | Status::Left => "member_suspended",
        }
    }
}

/// Sets a member's status, if the guard allows it. Returns the member as they are afterwards, and the generations to be
/// removed at once; `None` if there is no such member.
pub async fn set_member_status(
    db: &dyn Database,
    verdict: &StatusChange<'_>,
) -> Result<Option<(MemberDetails, Vec<Due>)>, StoreError> {
    let (change, member, now) = (&verdict.change, &verdict.member, verdict.now);
    let (actor, status) = (&verdict.session.member, verdict.status.name());
    let mut stmts = vec![
        stmt!(SET_STATUS_GUARD {
            change,
            action: verdict.action(),
            status,
            now,
            actor,
            member,
            epoch: verdict.session.epoch,
            admins: verdict.admins.as_str(),
        }),
        stmt!(SET_STATUS {
            status,
            change,
            member,
        }),
        stmt!(BAN_GUARD {
            change,
            block: &verdict.block,
            actor,
            now,
            member,
        }),
        stmt!(BAN {
            now,
            block: &verdict.block,
            change,
            member,
        }),
        stmt!(UNBAN_GUARD {
            change,
            actor,
            now,
            member,
        }),
        stmt!(UNBAN { member, change }),
    ];
    if verdict.status == Status::Active {
        stmts.push(stmt!(FORGIVE_GUARD {
            change,
            actor,
            now,
            member,
        }));
        stmts.push(stmt!(FORGIVE { change }));
    } else {
        stmts.extend(end_keys(change, actor, member, now));
    }
    let written = stmts.len();
    stmts.extend([
        members::session_check(verdict.session),
        roster::one(member),
        stmt!(DUE {
            member,
            change,
            most: AT_ONCE,
        }),
    ]);
    let rows = batch_retrying_unknown(db, stmts).await?;
    let read_at = |n: usize| rows_of(&rows, written.saturating_add(n));
    members::current(read_at(0)?, verdict.session)?;
    let due = dues(read_at(2)?)?;
    let details = roster::read_one(read_at(1)?)?;
    Ok(details.map(|details| (details, due)))
}

/// The statements that end all of a member's keys: the keys are to be removed, and nothing enables them again.
fn end_keys(change: &PublicId, actor: &PublicId, member: &PublicId, now: Timestamp) -> [Stmt; 4] {
    [
        stmt!(END_KEYS_GUARD {
            change,
            actor,
            now,
            member,
        }),
        stmt!(REVOKE_GUARD {
            change,
            actor,
            now,
            member,
        }),
        stmt!(REVOKE { change, member }),
        stmt!(END_KEYS {
            now,
            change,
            member,
        }),
    ]
}

fn dues(rows: &Rows) -> Result<Vec<Due>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}

from_json! {
    struct KeysOff {
        off: bool,
    }
}

/// Answers whether OpenRouter has confirmed that every key of the member is disabled for good.
pub async fn keys_are_off(db: &dyn Database, member: &PublicId) -> Result<bool, DbError> {
    let row: Option<KeysOff> = last_row(&db.batch(vec![stmt!(KEYS_OFF { member })]).await?)?;
    Ok(row.is_some_and(|row| row.off))
}

/// A member who leaves, with the login that they confirmed.
pub struct Leaving<'a> {
    pub session: &'a Session,
    pub login: &'a str,
    /// The pseudonym that replaces the member's account number.
    pub pseudonym: &'a str,
    pub change: PublicId,
    pub now: Timestamp,
}

/// Ends the keys and the sessions of the member, and erases who they are. Returns the generations to be removed at
/// once; `None` if the session has ended or the login has changed.
pub async fn leave(db: &dyn Database, leaving: &Leaving<'_>) -> Result<Option<Vec<Due>>, DbError> {
    let (change, now) = (&leaving.change, leaving.now);
    let member = &leaving.session.member;
    let mut stmts = vec![stmt!(LEAVE_GUARD {
        change,
        now,
        member,
        epoch: leaving.session.epoch,
        login: leaving.login,
    })];
    stmts.extend(end_keys(change, member, member, now));
    stmts.extend(erasure::words(change, member.as_str(), member, now));
    stmts.extend([
        stmt!(ERASE {
            pseudonym: leaving.pseudonym,
            change,
            member,
        }),
        stmt!(DUE {
            member,
            change,
            most: AT_ONCE,
        }),
        audit::committed(change, member.as_str()),
    ]);
    let rows = batch_retrying_unknown(db, stmts).await?;
    if !audit::was_committed(&rows)? {
        return Ok(None);
    }
    dues(rows_of(&rows, rows.len().saturating_sub(2))?).map(Some)
}
