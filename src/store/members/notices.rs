//! What members are told on every page until they have read it: that a key expires, that a request was decided, that a
//! leak was reported, and that an administrator changed a limit. Only the marks of what was read are stored.

use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::people::history::HistoryActor;
use crate::domain::people::notice::{KEPT_SECS, NoticeKind};
use crate::domain::people::request::{RequestKind, RequestState};
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::members;
use crate::store::members::history::HistoryKey;
use crate::store::query::{StoreError, batch_retrying_unknown, read_all, rows_of};

/// The most notices that are shown, the latest first.
pub const SHOWN: i64 = 50;

/// The notices of the member `m`. The statement declares the parameters `member`, `now` and `since`.
///
/// Of a key that expires, only the latest of its three notices counts, and a key with a shorter life gets fewer of them. A
/// change of a plan is told to the members who had the plan then.
macro_rules! notices {
    () => {
        "SELECT m.owner_id, 'ntc_' || substr(g.public_id, 5) || '_' || MIN(d.days) AS id, 'expiry' AS kind,
          g.expires_at - MIN(d.days) * 86400 AS at, k.id AS key_id, NULL AS request_id, g.expires_at,
          NULL AS before, NULL AS after, NULL AS before_nano, NULL AS after_nano, 'keycap' AS actor
        FROM members m JOIN keys k ON k.owner_id = m.owner_id
        JOIN generations g ON g.id = (SELECT MAX(n.id) FROM generations n
          WHERE n.key_id = k.id AND n.live = 1 AND n.state IN ('active', 'disabled'))
        JOIN (SELECT 30 AS days UNION ALL SELECT 10 UNION ALL SELECT 3) d
        WHERE m.public_id = :member AND k.ended_at IS NULL AND g.missing_since IS NULL AND g.expires_at > :now
          AND g.expires_at - d.days * 86400 <= :now AND g.expires_at - g.created_at > d.days * 86400
        GROUP BY g.id
        UNION ALL
        SELECT m.owner_id, 'ntc_' || substr(a.change_id, 5), CASE a.action WHEN 'hold_put' THEN 'leak' ELSE a.action END, a.at,
          t.key_id, t.request_id, NULL, CASE a.action WHEN 'plan_assigned' THEN a.before END,
          CASE WHEN a.action IN ('plan_assigned', 'provider_key_leaked') THEN a.after END, a.before_nano, a.after_nano,
          CASE WHEN a.actor = 'leak-report' THEN 'finder' WHEN a.actor GLOB 'mem_*' THEN 'administrator' ELSE 'keycap' END
        FROM members m JOIN (
            SELECT :member AS target, NULL AS key_id, NULL AS request_id
            UNION ALL SELECT k.public_id, k.id, NULL FROM members w JOIN keys k ON k.owner_id = w.owner_id
              WHERE w.public_id = :member
            UNION ALL SELECT q.public_id, NULL, q.id FROM members w JOIN requests q ON q.owner_id = w.owner_id
              WHERE w.public_id = :member
            UNION ALL SELECT 'plan:' || p.name, NULL, NULL FROM members w JOIN owners v ON v.id = w.owner_id
              JOIN plans p ON p.id = v.plan_id WHERE w.public_id = :member) t
        CROSS JOIN audit a ON a.target = t.target
        WHERE m.public_id = :member AND a.at >= :since AND a.actor <> :member
          AND (a.action IN ('request_decided', 'limit_raised', 'raise_ended', 'plan_assigned', 'provider_key_leaked')
            OR (a.action = 'hold_put' AND a.after = 'leak')
            OR (a.action = 'plan_changed' AND a.before_nano <> a.after_nano AND a.at >= m.created_at
              AND a.id > COALESCE((SELECT MAX(s.id) FROM audit s
                WHERE s.target = :member AND s.action = 'plan_assigned'), 0)))"
    };
}

statements! {
    LIST { member: String, now: Timestamp, since: Timestamp, most: i64 } = concat!("SELECT json_object('id', n.id, 'kind', n.kind,
          'at', n.at, 'read_at', r.read_at, 'actor', n.actor, 'expires_at', n.expires_at,
          'key', (SELECT json_object('id', k.public_id, 'name', k.name) FROM keys k WHERE k.id = n.key_id),
          'request', (SELECT json_object('id', q.public_id, 'kind', q.kind, 'state', q.state)
            FROM requests q WHERE q.id = n.request_id),
          'before', n.before, 'after', n.after, 'before_usd', n.before_nano, 'after_usd', n.after_nano)
        FROM (", notices!(), ") n LEFT JOIN notice_reads r ON r.owner_id = n.owner_id AND r.notice = n.id
        ORDER BY n.at DESC, n.id LIMIT :most");

    // Only a notice that the member has is marked, so there are never more marks than notices.
    MARK { member: String, epoch: i64, now: Timestamp, since: Timestamp, ids: String } =
        concat!("INSERT INTO notice_reads (owner_id, notice, read_at)
        SELECT n.owner_id, n.id, :now FROM (", notices!(), ") n
        WHERE n.id IN (SELECT value FROM json_each(:ids))
          AND EXISTS (SELECT 1 FROM current_sessions a WHERE a.member = :member AND a.epoch = :epoch)
        ON CONFLICT DO NOTHING");

    FORGET { member: String, epoch: i64, since: Timestamp } = "DELETE FROM notice_reads
        WHERE owner_id = (SELECT a.owner_id FROM current_sessions a WHERE a.member = :member AND a.epoch = :epoch)
          AND read_at < :since";
}

from_json! {
    /// Something that the member is told.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct Notice {
        /// What it is marked as read by.
        id: String,
        kind: NoticeKind,
        at: Timestamp,
        /// When the member marked it as read, on whatever device.
        read_at: Option<Timestamp>,
        /// Whose doing it was.
        actor: HistoryActor,
        key: Option<HistoryKey>,
        /// When the key expires, if the notice is about that.
        expires_at: Option<Timestamp>,
        request: Option<NoticeRequest>,
        /// The plan before and after, if the member was given another one; or the billing provider of a key that was reported.
        before: Option<String>,
        after: Option<String>,
        /// The limit of the plan before and after, or the amount of a raise.
        before_usd: Option<NanoUsd>,
        after_usd: Option<NanoUsd>,
    }
}

from_json! {
    /// The request of a notice, and its decision.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct NoticeRequest {
        id: String,
        kind: RequestKind,
        state: RequestState,
    }
}

/// The statement that reads the member's notices.
pub fn list(session: &Session, now: Timestamp) -> Stmt {
    stmt!(LIST {
        member: session.member.as_str(),
        now,
        since: now.plus(-KEPT_SECS),
        most: SHOWN,
    })
}

/// Returns the rows of [`list`].
pub fn read_list(rows: &Rows) -> Result<Vec<Notice>, DbError> {
    read_all(rows)
}

/// Marks notices as read, by their ids as a JSON list. Returns all notices as they are then. Any other id changes nothing.
pub async fn mark_read(
    db: &dyn Database,
    session: &Session,
    ids: &str,
    now: Timestamp,
) -> Result<Vec<Notice>, StoreError> {
    let (member, epoch, since) = (session.member.as_str(), session.epoch, now.plus(-KEPT_SECS));
    let batch = vec![
        stmt!(MARK {
            member,
            epoch,
            now,
            since,
            ids,
        }),
        stmt!(FORGET {
            member,
            epoch,
            since: since.plus(-KEPT_SECS),
        }),
        members::session_check(session),
        list(session, now),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    Ok(read_list(rows_of(&rows, 3)?)?)
}
