//! The history of a key and of an account, for the member whose it is, read from the audit. It never says which
//! administrator acted.

use serde::Serialize;

use crate::domain::key::hold::Reason;
use crate::domain::money::NanoUsd;
use crate::domain::people::history::{HistoryActor, HistoryEvent};
use crate::domain::people::request::RequestKind;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::json;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::keys::cards::CardProject;
use crate::store::query::{read_all, rows_of};

/// The number of events on one page.
pub const PAGE_ROWS: usize = 50;
/// The position behind all others. Reading from it begins at the newest row.
const FROM_THE_NEWEST: i64 = i64::MAX;

/// The events in the audit's rows of the targets `$targets`, newest first. The statement declares the parameters
/// `member`, `position` and `most`. The targets are read first, so that only their rows are looked at.
///
/// A limit or a switch that OpenRouter has confirmed once more is no event; and what someone outside keycap did is told as theirs, although
/// keycap has noticed it.
macro_rules! events {
    ($targets:expr) => {
        concat!(
            "SELECT json_object('position', u.id, 'event', u.action, 'before', u.before, 'after', u.after, 'before_nano', u.before_nano,
          'after_nano', u.after_nano, 'at', u.at,
          'actor', CASE
            WHEN u.action IN ('upstream_limit_kept', 'key_missed', 'key_found', 'disabled', 'enabled', 'revoke_confirmed', 'erased')
              OR (u.action = 'hold_put' AND u.after = 'upstream') THEN 'openrouter'
            WHEN u.actor = :member THEN 'you' WHEN u.actor = 'leak-report' THEN 'finder' WHEN u.actor GLOB 'mem_*' THEN 'administrator' ELSE 'keycap' END,
          'key', k.public_id, 'key_name', k.name, 'request_kind', q.kind,
          'project', (SELECT json_object('id', j.public_id, 'name', j.name) FROM projects j WHERE j.public_id = u.target),
          'generation', CASE WHEN g.id IS NOT NULL THEN (SELECT COUNT(*) FROM generations o
            WHERE o.key_id = g.key_id AND o.id <= g.id AND o.state <> 'void') END)
        FROM (", $targets, ") t CROSS JOIN audit u
        LEFT JOIN generations g ON g.public_id = u.target
        LEFT JOIN keys k ON k.id = COALESCE(g.key_id, (SELECT n.id FROM keys n WHERE n.public_id = u.target))
        LEFT JOIN requests q ON q.public_id = u.target
        WHERE u.target = t.target AND u.id < :position
          AND u.action IN ('key_renamed', 'hold_put', 'hold_lifted', 'own_limit_set', 'key_preferred', 'key_ended',
            'upstream_limit_kept', 'upstream_lifted', 'limit_raised', 'raise_ended', 'cap_changed', 'guardrail_changed',
            'recorded', 'refused', 'cleared', 'disabled', 'enabled', 'superseded', 'grace_ended', 'expired', 'key_missed',
            'key_found', 'revoke_confirmed', 'revoke_given_up', 'erased', 'member_created', 'signed_in', 'login_passed_on',
            'sessions_ended', 'terms_accepted', 'member_suspended', 'member_banned', 'member_departed', 'member_reinstated', 'member_left',
            'member_returned', 'plan_assigned', 'payment_booked', 'request_made', 'request_decided', 'request_withdrawn', 'key_moved',
            'project_created', 'project_renamed', 'project_archived', 'project_restored', 'device_approved', 'device_denied', 'device_redeemed',
            'provider_key_linked', 'provider_key_unlinked', 'provider_key_leaked', 'handoff_unknown')
          AND (u.action NOT IN ('cap_changed', 'disabled', 'enabled') OR u.before <> u.after
            OR u.before_nano <> u.after_nano)
        ORDER BY u.id DESC LIMIT :most"
        )
    };
}

statements! {
    // A key that was never made is nobody's.
    OWNED { member: String, key: String } = "SELECT json_object('key', k.public_id)
        FROM members m JOIN keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = :member AND k.public_id = :key
          AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.state <> 'void')";

    OF_KEY { member: String, key: String, position: i64, most: i64 } = events!(
        "SELECT y.public_id AS target FROM members m JOIN keys y ON y.owner_id = m.owner_id
          WHERE m.public_id = :member AND y.public_id = :key
        UNION ALL SELECT e.public_id FROM members m JOIN keys y ON y.owner_id = m.owner_id
          JOIN generations e ON e.key_id = y.id WHERE m.public_id = :member AND y.public_id = :key"
    );

    OF_ACCOUNT { member: String, position: i64, most: i64 } = events!(
        "SELECT :member AS target
        UNION ALL SELECT y.public_id FROM members m JOIN keys y ON y.owner_id = m.owner_id WHERE m.public_id = :member
        UNION ALL SELECT e.public_id FROM members m JOIN generations e ON e.owner_id = m.owner_id
          WHERE m.public_id = :member
        UNION ALL SELECT j.public_id FROM members m JOIN projects j ON j.owner_id = m.owner_id WHERE m.public_id = :member
        UNION ALL SELECT r.public_id FROM members m JOIN requests r ON r.owner_id = m.owner_id
          WHERE m.public_id = :member"
    );
}

/// Something that has happened.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct HistoryEntry {
    at: Timestamp,
    event: HistoryEvent,
    actor: HistoryActor,
    /// The key that it happened to, and its present name.
    key: Option<HistoryKey>,
    /// The project that it happened to, and its present name.
    project: Option<CardProject>,
    /// The number of the key's secret that it happened to, from 1.
    generation: Option<i64>,
    /// The reason of a hold that was set or lifted.
    reason: Option<Reason>,
    /// The kind of the request that it is about.
    request_kind: Option<RequestKind>,
    /// What was before and after: the name of a plan, the revision of the terms, the state of a request, the id of a
    /// project, or the `slug` of a billing provider.
    before: Option<String>,
    after: Option<String>,
    /// The limit before and after, or the amount of a raise.
    before_usd: Option<NanoUsd>,
    after_usd: Option<NanoUsd>,
}

from_json! {
    /// The key of an event.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct HistoryKey {
        id: String,
        name: Option<String>,
    }
}

from_json! {
    struct HistoryRow {
        position: i64,
        event: HistoryEvent,
        before: Option<String>,
        after: Option<String>,
        before_nano: Option<NanoUsd>,
        after_nano: Option<NanoUsd>,
        at: Timestamp,
        actor: HistoryActor,
        key: Option<String>,
        key_name: Option<String>,
        request_kind: Option<RequestKind>,
        project: Option<CardProject>,
        generation: Option<i64>,
    }
}

impl From<HistoryRow> for HistoryEntry {
    fn from(row: HistoryRow) -> Self {
        let hold =
            (row.after.as_deref().or(row.before.as_deref())).filter(|_| row.event.is_of_a_hold());
        let reason = hold.and_then(reason);
        let word = |text: Option<String>| text.filter(|_| row.event.has_words());
        let name = row.key_name;
        Self {
            at: row.at,
            event: row.event,
            actor: row.actor,
            key: row.key.map(|id| HistoryKey { id, name }),
            project: row.project,
            generation: row.generation,
            reason,
            request_kind: row.request_kind,
            before: word(row.before),
            after: word(row.after),
            before_usd: row.before_nano,
            after_usd: row.after_nano,
        }
    }
}

fn reason(word: &str) -> Option<Reason> {
    json::from_word(word)
}

from_json! {
    /// Where a page begins: behind this row of the audit.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
    pub struct HistoryPosition {
        row: i64,
    }
}

impl HistoryPosition {
    /// Returns the position at the newest event.
    pub const fn first() -> Self {
        Self {
            row: FROM_THE_NEWEST,
        }
    }
}

/// A page of the history, newest first, and where the next page begins if there is one.
pub type HistoryPage = (Vec<HistoryEntry>, Option<HistoryPosition>);

fn most() -> i64 {
    i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(FROM_THE_NEWEST)
}

/// The statements that read a page of the history of a key, by its id as the request names it. [`read_of_key`] reads
/// their rows.
pub fn of_key(session: &Session, key: &str, from: HistoryPosition) -> Vec<Stmt> {
    let member = session.member.as_str();
    vec![
        stmt!(OWNED { member, key }),
        stmt!(OF_KEY {
            member,
            key,
            position: from.row,
            most: most(),
        }),
    ]
}

/// Returns the page; `None` if the member has no such key.
pub fn read_of_key(rows: &[Rows]) -> Result<Option<HistoryPage>, DbError> {
    if rows_of(rows, 0)?.is_empty() {
        return Ok(None);
    }
    page(rows_of(rows, 1)?).map(Some)
}

/// The statement that reads a page of the history of the member's account and all of its keys.
pub fn of_account(session: &Session, from: HistoryPosition) -> Stmt {
    stmt!(OF_ACCOUNT {
        member: session.member.as_str(),
        position: from.row,
        most: most(),
    })
}

/// Returns the page in the rows of [`of_account`].
pub fn page(rows: &Rows) -> Result<HistoryPage, DbError> {
    let mut found: Vec<HistoryRow> = read_all(rows)?;
    let more = found.len() > PAGE_ROWS;
    found.truncate(PAGE_ROWS);
    let last = found.last().filter(|_| more);
    let next = last.map(|last| HistoryPosition { row: last.position });
    Ok((found.into_iter().map(HistoryEntry::from).collect(), next))
}
