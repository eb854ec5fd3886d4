//! Members who are suspended, banned or reinstated, or who leave. One batch changes their status, their sessions and
//! all of their keys. A key that is being made for them meanwhile is refused by the gates of its record.

use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::people::identity::Status;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::keys::due::Due;
use crate::store::members::{self, roster};
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;
use crate::store::query::rows_of;

/// A request itself removes at most this many generations; the sweep removes the others.
const AT_ONCE: i64 = 5;

statements_at! {
    // A member who has left cannot be changed. An administrator by configuration can only be reinstated.
    STAND_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, m.public_id, ?2, a.public_id, m.status, ?3, ?4
        FROM members m JOIN members a ON a.public_id = ?5 JOIN settings s
        WHERE m.public_id = ?6 AND a.epoch + s.session_epoch = ?7 AND a.status = 'active'
          AND m.status <> ?3 AND m.status <> 'left'
          AND (?3 = 'active' OR m.provider <> 'github' OR m.subject NOT IN (SELECT value FROM json_each(?8)))
        ON CONFLICT DO NOTHING";

    STAND = "UPDATE members SET status = ?1, epoch = epoch + 1, change_id = ?2
        WHERE public_id = ?3 AND change_id <> ?2 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";

    // An admin's hold on a key that has ended would refuse the member's claims for ever.
    FORGIVE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, k.public_id, 'hold_lifted', ?2, 'admin', ?3
        FROM members m JOIN keys k ON k.owner_id = m.owner_id JOIN holds h ON h.key_id = k.id AND h.reason = 'admin'
        WHERE m.public_id = ?4 AND k.ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?4)
        ON CONFLICT DO NOTHING";

    FORGIVE = "DELETE FROM holds WHERE reason = 'admin' AND key_id IN
        (SELECT k.id FROM audit a JOIN keys k ON k.public_id = a.target WHERE a.change_id = ?1 AND a.action = 'hold_lifted')";

    // A ban is for the person, whatever happens to the member's row.
    BAN_GUARD = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, ?2, 'blocked', ?3, m.public_id, ?4 FROM members m
        WHERE m.public_id = ?5 AND m.status = 'banned' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?5)
          AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject)
        ON CONFLICT DO NOTHING";

    BAN = "INSERT INTO blocks (provider, subject, since, public_id, change_id)
        SELECT m.provider, m.subject, ?1, ?2, ?3 FROM members m
        WHERE m.public_id = ?4 AND ?3 = (SELECT a.change_id FROM audit a WHERE a.target = ?2 ORDER BY a.id DESC LIMIT 1)
        ON CONFLICT DO NOTHING";

    // Lifts only the block that the ban has set: a block that was set separately is lifted separately.
    UNBAN_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, b.public_id, 'unblocked', ?2, m.public_id, ?3
        FROM members m JOIN blocks b ON b.provider = m.provider AND b.subject = m.subject
        WHERE m.public_id = ?4 AND m.status <> 'banned' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?4)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = b.change_id AND target = ?4 AND action = 'member_banned')
        ON CONFLICT DO NOTHING";

    UNBAN = "DELETE FROM blocks
        WHERE (provider, subject) = (SELECT m.provider, m.subject FROM members m WHERE m.public_id = ?1)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = blocks.public_id AND action = 'unblocked')";

    END_KEYS_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, k.public_id, 'key_ended', ?2, ?3 FROM members m JOIN keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = ?4 AND k.ended_at IS NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?4)
        ON CONFLICT DO NOTHING";

    REVOKE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'revoke_asked', ?2, n.state, 'revoking', ?3
        FROM members m JOIN generations n ON n.owner_id = m.owner_id
        WHERE m.public_id = ?4 AND n.live = 1 AND n.state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?4)
        ON CONFLICT DO NOTHING";

    REVOKE = "UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, change_id = ?1
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?2)
          AND live = 1 AND state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = generations.public_id)";

    END_KEYS = "UPDATE keys SET ended_at = ?1, change_id = ?2
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?3) AND ended_at IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = keys.public_id)";

    // The generations that this change wants removed at OpenRouter.
    DUE = concat!("SELECT json_object(", due!(), ")
        FROM members m JOIN generations n ON n.owner_id = m.owner_id
        WHERE m.public_id = ?1 AND n.live = 1 AND n.state = 'revoking' AND n.change_id = ?2 LIMIT ?3");

    // Whether no secret of theirs can work any more.
    KEYS_OFF = "SELECT json_object('off', NOT EXISTS (SELECT 1 FROM generations n WHERE n.owner_id = m.owner_id AND n.live = 1))
        FROM members m WHERE m.public_id = ?1";

    LEAVE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, m.public_id, 'member_left', m.public_id, m.status, 'left', ?2
        FROM members m JOIN settings s
        WHERE m.public_id = ?3 AND m.epoch + s.session_epoch = ?4 AND m.status = 'active' AND m.login = ?5
        ON CONFLICT DO NOTHING";

    // A key's name changes only with an audit row of the key; a key that ends in this batch has one already.
    UNNAME_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, k.public_id, 'key_renamed', m.public_id, ?2 FROM members m JOIN keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = ?3 AND k.name IS NOT NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?3)
        ON CONFLICT DO NOTHING";

    UNNAME = "UPDATE keys SET name = NULL, change_id = ?1
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?2) AND name IS NOT NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = keys.public_id)";

    UNMASK = "UPDATE generations SET label = NULL
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?2) AND label IS NOT NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?2)";

    // The requests are declined, since nobody is left to receive an answer.
    WITHDRAW_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, q.public_id, 'request_decided', m.public_id, q.state, 'declined', ?2
        FROM members m JOIN requests q ON q.owner_id = m.owner_id
        WHERE m.public_id = ?3 AND q.state = 'open' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?3)
        ON CONFLICT DO NOTHING";

    WITHDRAW = "UPDATE requests SET state = 'declined', decided_at = ?1, change_id = ?2
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?3) AND state = 'open'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = requests.public_id)";

    UNWRITE = "UPDATE requests SET note = NULL, answer = NULL
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?2)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?2)";

    // An allotment names the person. If they come back, they ask again.
    UNALLOT = "DELETE FROM allotments
        WHERE (provider, subject) = (SELECT m.provider, m.subject FROM members m WHERE m.public_id = ?2)
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?2)";

    // Stored answers to the member, and to administrators about the member, may name the person.
    UNANSWER = "DELETE FROM idempotency_keys
        WHERE (owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = ?2)
            OR (owner_id, key_sha256) IN (SELECT o.owner_id, o.key_sha256 FROM idempotency_names o WHERE o.member = ?2))
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?2)";

    // It comes last, because the other statements find the person by what it erases. The owner stays, with what was
    // spent and under which plan.
    ERASE = "UPDATE members SET status = 'left', subject = ?1, login = '', login_passed_on_at = NULL, account_created_at = 0,
            terms_rev = 0, terms_at = NULL, epoch = epoch + 1, change_id = ?2
        WHERE public_id = ?3 AND change_id <> ?2 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";
}

/// An administrator's change of a member's status.
pub struct StatusChange<'a> {
    pub session: &'a Session,
    pub member: PublicId,
    pub status: Status,
    pub change: PublicId,
    /// The id of the block that a ban sets.
    pub block: PublicId,
    /// The account numbers of the administrators in the configuration, as a JSON list.
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
) -> Result<Option<(Value, Vec<Due>)>, StoreError> {
    let (change, member, now) = (&verdict.change, &verdict.member, verdict.now);
    let (admin, status) = (&verdict.session.member, verdict.status.name());
    let mut stmts = vec![
        stmt_at!(
            STAND_GUARD,
            change,
            verdict.action(),
            status,
            now,
            admin,
            member,
            verdict.session.epoch,
            verdict.admins.as_str()
        ),
        stmt_at!(STAND, status, change, member),
        stmt_at!(BAN_GUARD, change, &verdict.block, admin, now, member),
        stmt_at!(BAN, now, &verdict.block, change, member),
        stmt_at!(UNBAN_GUARD, change, admin, now, member),
        stmt_at!(UNBAN, member, change),
    ];
    if verdict.status == Status::Active {
        stmts.push(stmt_at!(FORGIVE_GUARD, change, admin, now, member));
        stmts.push(stmt_at!(FORGIVE, change));
    } else {
        stmts.extend(end_keys(change, admin, member, now));
    }
    let written = stmts.len();
    stmts.extend([
        members::session_check(verdict.session),
        roster::one(member),
        stmt_at!(DUE, member, change, AT_ONCE),
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
        stmt_at!(END_KEYS_GUARD, change, actor, now, member),
        stmt_at!(REVOKE_GUARD, change, actor, now, member),
        stmt_at!(REVOKE, change, member),
        stmt_at!(END_KEYS, now, change, member),
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
    let row: Option<KeysOff> = last_row(&db.batch(vec![stmt_at!(KEYS_OFF, member)]).await?)?;
    Ok(row.is_some_and(|row| row.off))
}

/// A member who leaves, with the login that they confirmed.
pub struct Leaving<'a> {
    pub session: &'a Session,
    pub login: &'a str,
    /// The pseudonym that replaces their account number.
    pub subject: &'a str,
    pub change: PublicId,
    pub now: Timestamp,
}

/// Ends everything of the member's and erases who they are. Returns the generations to be removed at once; `None` if
/// the session has ended or the login has changed.
pub async fn leave(db: &dyn Database, leaving: &Leaving<'_>) -> Result<Option<Vec<Due>>, DbError> {
    let (change, now) = (&leaving.change, leaving.now);
    let member = &leaving.session.member;
    let mut stmts = vec![stmt_at!(
        LEAVE_GUARD,
        change,
        now,
        member,
        leaving.session.epoch,
        leaving.login
    )];
    stmts.extend(end_keys(change, member, member, now));
    stmts.extend([
        stmt_at!(UNNAME_GUARD, change, now, member),
        stmt_at!(UNNAME, change, member),
        stmt_at!(UNMASK, change, member),
        stmt_at!(WITHDRAW_GUARD, change, now, member),
        stmt_at!(WITHDRAW, now, change, member),
        stmt_at!(UNWRITE, change, member),
        stmt_at!(UNALLOT, change, member),
        stmt_at!(UNANSWER, change, member),
        stmt_at!(ERASE, leaving.subject, change, member),
        stmt_at!(DUE, member, change, AT_ONCE),
        audit::committed(change, member.as_str()),
    ]);
    let rows = batch_retrying_unknown(db, stmts).await?;
    if !audit::was_committed(&rows)? {
        return Ok(None);
    }
    dues(rows_of(&rows, rows.len().saturating_sub(2))?).map(Some)
}
