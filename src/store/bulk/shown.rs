//! Bulk changes as administrators see them: what a change would do to each of its targets, and what it has done.

use serde::Serialize;
use serde_json::Value;

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::query::read_all;

/// The number of targets on one page.
pub const PAGE_ROWS: usize = 100;
/// The number of bulk changes that administrators are shown, newest first.
const SHOWN: i64 = 20;

/// The members of a `BulkReport` for the change `b`.
macro_rules! report {
    () => {
        "json_object('id', b.public_id, 'action', b.action, 'state', b.state, 'actor', b.actor, 'made_at', b.made_at,
          'expires_at', b.expires_at, 'started_at', b.started_at, 'ended_at', b.ended_at,
          'targets', (SELECT COUNT(*) FROM bulk_targets t WHERE t.bulk_id = b.id),
          'left', (SELECT COUNT(*) FROM bulk_targets t WHERE t.bulk_id = b.id AND t.verdict = 'change' AND t.outcome IS NULL),
          'members', (SELECT COUNT(DISTINCT iif(b.action IN ('suspend', 'reinstate'), t.target_id, k.owner_id))
            FROM bulk_targets t LEFT JOIN keys k ON k.id = t.target_id WHERE t.bulk_id = b.id AND t.verdict = 'change'),
          'verdicts', json((SELECT json_group_object(r.verdict, r.n) FROM
            (SELECT t.verdict, COUNT(*) AS n FROM bulk_targets t WHERE t.bulk_id = b.id GROUP BY t.verdict) r)),
          'outcomes', json((SELECT json_group_object(r.outcome, r.n) FROM
            (SELECT t.outcome, COUNT(*) AS n FROM bulk_targets t WHERE t.bulk_id = b.id AND t.outcome IS NOT NULL GROUP BY t.outcome) r)))"
    };
}

statements! {
    REPORT { bulk: PublicId } = concat!("SELECT ", report!(), " FROM bulk_changes b WHERE b.public_id = :bulk");

    LATEST { most: i64 } = concat!("SELECT ", report!(), " FROM (SELECT * FROM bulk_changes ORDER BY id DESC LIMIT :most) b ORDER BY b.id DESC");

    KEYS { bulk: PublicId, after: i64, most: i64 } = "SELECT json_object('position', t.target_id, 'id', k.public_id, 'name', k.name,
          'mask', c.label, 'limit_nano', c.limit_nano, 'limit_reset', c.limit_reset, 'keys_live', NULL,
          'member', m.public_id, 'login', NULLIF(m.login, ''), 'verdict', t.verdict, 'outcome', t.outcome)
        FROM bulk_changes b CROSS JOIN bulk_targets t ON t.bulk_id = b.id CROSS JOIN keys k ON k.id = t.target_id
        JOIN members m ON m.owner_id = k.owner_id JOIN key_cards c ON c.public_id = k.public_id
        WHERE b.public_id = :bulk AND b.action NOT IN ('suspend', 'reinstate') AND t.target_id > :after
        ORDER BY t.target_id LIMIT :most";

    MEMBERS { bulk: PublicId, after: i64, most: i64 } = "SELECT json_object('position', t.target_id, 'id', m.public_id, 'name', NULL,
          'mask', NULL, 'limit_nano', NULL, 'limit_reset', NULL,
          'keys_live', (SELECT COUNT(DISTINCT n.key_id) FROM generations n WHERE n.owner_id = m.owner_id AND n.live = 1),
          'member', m.public_id, 'login', NULLIF(m.login, ''), 'verdict', t.verdict, 'outcome', t.outcome)
        FROM bulk_changes b CROSS JOIN bulk_targets t ON t.bulk_id = b.id CROSS JOIN members m ON m.owner_id = t.target_id
        WHERE b.public_id = :bulk AND b.action IN ('suspend', 'reinstate') AND t.target_id > :after
        ORDER BY t.target_id LIMIT :most";
}

from_json! {
    /// A change of many keys or members.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct BulkReport {
        pub id: String,
        /// `disable`, `enable` or `revoke` keys; `suspend` or `reinstate` members.
        pub action: String,
        /// `shown` until it is started, then `running`, `stopped` or `done`.
        pub state: String,
        /// The administrator who asked.
        pub actor: String,
        pub made_at: Timestamp,
        /// It can be started until this moment.
        pub expires_at: Timestamp,
        pub started_at: Option<Timestamp>,
        pub ended_at: Option<Timestamp>,
        /// How many targets were selected.
        pub targets: i64,
        /// How many of them are still to be changed.
        pub left: i64,
        /// How many members are concerned by what it changes.
        pub members: i64,
        /// How many targets were to be changed, as `change`, and how many are left as they are for each reason.
        pub verdicts: Value,
        /// How many are `done`, how many were `skipped` because they were not to be changed any more, and how many have
        /// `failed`.
        pub outcomes: Value,
    }
}

from_json! {
    /// A target of a bulk change: a key, or a member.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct BulkTarget {
        #[serde(skip)]
        position: i64,
        pub id: String,
        /// A key's name.
        pub name: Option<String>,
        /// OpenRouter's redacted form of a key's secret.
        pub mask: Option<String>,
        /// A key's limit, in dollars.
        #[serde(rename = "limit_usd")]
        pub limit_nano: Option<NanoUsd>,
        pub limit_reset: Option<LimitReset>,
        /// A member's live keys.
        pub keys_live: Option<i64>,
        /// The member, or the key's owner.
        pub member: String,
        pub login: Option<String>,
        /// `change`, or why it is left as it is: it is so `already`; it has `ended`, is `being_made` or `being_removed`; it is
        /// the administrator's `own`; another hold than an administrator's keeps it disabled (`held`); the configuration names
        /// the member as an `admin`; the member is `banned` or has `left`.
        pub verdict: String,
        /// `done`, `skipped`, `failed`, or `null` if nothing was done about it yet.
        pub outcome: Option<String>,
    }
}

from_json! {
    /// Where a page of targets begins.
    #[derive(Clone, Copy, Debug, Serialize)]
    pub struct TargetPosition {
        position: i64,
    }
}

/// The statement that reads one bulk change as [`BulkReport`].
pub(crate) fn report(bulk: &PublicId) -> Stmt {
    stmt!(REPORT { bulk })
}

/// The statement that reads the newest bulk changes.
pub fn latest() -> Stmt {
    stmt!(LATEST { most: SHOWN })
}

/// The statements that read one bulk change and a page of its targets; [`read_page`] reads their rows.
pub fn page(bulk: &PublicId, after: Option<TargetPosition>) -> [Stmt; 3] {
    let after = after.map_or(i64::MIN, |after| after.position);
    let most = i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(i64::MAX);
    [
        report(bulk),
        stmt!(KEYS { bulk, after, most }),
        stmt!(MEMBERS { bulk, after, most }),
    ]
}

/// The targets on the page, and where the next one begins.
pub fn read_page(
    keys: &Rows,
    members: &Rows,
) -> Result<(Vec<BulkTarget>, Option<TargetPosition>), DbError> {
    let mut targets: Vec<BulkTarget> = read_all(keys)?;
    targets.extend(read_all::<BulkTarget>(members)?);
    let more = targets.len() > PAGE_ROWS;
    targets.truncate(PAGE_ROWS);
    let last = targets.last().filter(|_| more);
    let next = last.map(|last| TargetPosition {
        position: last.position,
    });
    Ok((targets, next))
}
