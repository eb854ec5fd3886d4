//! The audit as administrators read it, newest first, in pages. A page looks through at most [`LOOKED`] rows for those
//! that meet all of its filters, in the order of an index; if it has found too few by then, it says where to go on.

use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::query::read_all;

/// A page looks through at most this many rows.
const LOOKED: i64 = 1_000;
/// The position behind all others.
const FROM_THE_NEWEST: i64 = i64::MAX;

/// Whether the row in the middle of `halves` is not younger than `:until`.
macro_rules! is_old {
    () => {
        "(SELECT a.at FROM audit a WHERE a.id >= (s.low + s.high + 1) / 2 ORDER BY a.id LIMIT 1) <= :until"
    };
}

/// The row at which a page begins: the one behind `:before`, or behind the last row that is not younger than `:until`. The
/// rows' times follow their ids, so that row is found by halving, in some forty steps.
macro_rules! begins {
    () => {
        concat!(
            "MIN(:before, COALESCE((WITH RECURSIVE halves(low, high) AS (
            SELECT 0, (SELECT MAX(id) FROM audit) WHERE :until IS NOT NULL
            UNION ALL SELECT iif(",
            is_old!(),
            ", (s.low + s.high + 1) / 2, s.low),
              iif(",
            is_old!(),
            ", s.high, (s.low + s.high + 1) / 2 - 1)
            FROM halves s WHERE s.low < s.high)
          SELECT e.low + 1 FROM halves e WHERE e.low >= e.high), :before))"
        )
    };
}

/// One page: of the rows that `$rows` names, at most `:looked`, those that meet every filter, at most `:shown`, each with
/// what it is about. The last row says where the page has ended to look.
macro_rules! page {
    ($rows:expr) => {
        concat!("SELECT found.j FROM (WITH x AS MATERIALIZED (", $rows, " LIMIT :looked)
        SELECT j FROM (SELECT json_object('position', u.id, 'entry', json_object('change', u.change_id, 'at', u.at,
            'action', u.action, 'target', u.target, 'actor', u.actor, 'before', u.before, 'after', u.after,
            'before_nano', u.before_nano, 'after_nano', u.after_nano, 'actor_login', NULLIF(w.login, ''),
            'key', k.public_id, 'key_name', k.name, 'member', m.public_id, 'login', NULLIF(m.login, ''))) AS j
          FROM x CROSS JOIN audit u ON u.id = x.id
          LEFT JOIN members w ON w.public_id = u.actor
          LEFT JOIN generations g ON g.public_id = u.target
          LEFT JOIN keys k ON k.id = COALESCE(g.key_id, (SELECT n.id FROM keys n WHERE n.public_id = u.target))
          LEFT JOIN members m ON m.owner_id = COALESCE(k.owner_id,
            (SELECT d.owner_id FROM members d WHERE d.public_id = u.target),
            (SELECT q.owner_id FROM requests q WHERE q.public_id = u.target))
          WHERE (:action IS NULL OR u.action = :action) AND (:since IS NULL OR u.at >= :since)
            AND (:until IS NULL OR u.at <= :until) LIMIT :shown)
        UNION ALL SELECT json_object('position', l.id, 'entry', NULL)
        FROM (SELECT x.id FROM x LIMIT 1 OFFSET :looked - 1) l
        WHERE :since IS NULL OR (SELECT a.at FROM audit a WHERE a.id = l.id) >= :since) found")
    };
}

statements! {
    NEWEST {
        before: i64, until: Option<Timestamp>, looked: i64, action: Option<String>, since: Option<Timestamp>, shown: i64,
    } = page!(concat!("SELECT o.id FROM audit o WHERE o.id < ", begins!(), " ORDER BY o.id DESC"));

    OF_TARGET {
        target: String, before: i64, until: Option<Timestamp>, looked: i64, action: Option<String>, since: Option<Timestamp>,
        shown: i64,
    } = page!(concat!("SELECT o.id FROM audit o WHERE o.target = :target AND o.id < ", begins!(), " ORDER BY o.id DESC"));

    BY_ACTOR {
        actor: String, before: i64, until: Option<Timestamp>, looked: i64, action: Option<String>, since: Option<Timestamp>,
        shown: i64,
    } = page!(concat!("SELECT o.id FROM audit o WHERE o.actor = :actor AND o.actor > 'mem_' AND o.actor < 'mem_g' AND o.id < ", begins!(), " ORDER BY o.id DESC"));

    // Everything that is a member's: the member, their keys, the secrets of those, and their requests.
    OF_MEMBER {
        member: String, before: i64, until: Option<Timestamp>, looked: i64, action: Option<String>, since: Option<Timestamp>,
        shown: i64,
    } = page!(concat!("SELECT o.id FROM (SELECT :member AS target
          UNION ALL SELECT y.public_id FROM members v JOIN keys y ON y.owner_id = v.owner_id WHERE v.public_id = :member
          UNION ALL SELECT e.public_id FROM members v JOIN generations e ON e.owner_id = v.owner_id WHERE v.public_id = :member
          UNION ALL SELECT r.public_id FROM members v JOIN requests r ON r.owner_id = v.owner_id WHERE v.public_id = :member) t
        CROSS JOIN audit o ON o.target = t.target WHERE o.id < ", begins!(), " ORDER BY o.id DESC"));
}

/// Which rows of the audit are listed. What is `None` is not compared.
#[derive(Clone, Debug, Default)]
pub struct TrailFilter {
    pub actor: Option<String>,
    pub target: Option<String>,
    /// A member, with everything that is theirs.
    pub member: Option<String>,
    pub action: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

from_json! {
    /// A row of the audit, with what it is about.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct AuditEntry {
        /// The id of the change. A change has one row for each thing that it changed.
        pub change: String,
        pub at: Timestamp,
        pub action: String,
        /// The id of what was changed, or its name.
        pub target: String,
        /// The id of the member who acted, or the name of the job.
        pub actor: String,
        pub actor_login: Option<String>,
        pub before: Option<String>,
        pub after: Option<String>,
        #[serde(rename(serialize = "before_usd"))]
        pub before_nano: Option<NanoUsd>,
        #[serde(rename(serialize = "after_usd"))]
        pub after_nano: Option<NanoUsd>,
        /// The key that it is about, and its present name.
        pub key: Option<String>,
        pub key_name: Option<String>,
        /// The member whose key or account it is about, and their present login.
        pub member: Option<String>,
        pub login: Option<String>,
    }
}

from_json! {
    struct TrailRow {
        position: i64,
        entry: Option<AuditEntry>,
    }
}

from_json! {
    /// Where a page begins: behind this row.
    #[derive(Clone, Copy, Debug, Serialize)]
    pub struct TrailPosition {
        row: i64,
    }
}

/// The statement that reads a page behind `after`; [`read_page`] reads its rows. Of actor, target and member one leads to
/// the rows: the target, or else the member, or else the actor; the caller leaves out those of another actor. The page has at
/// most so many `rows`.
pub fn page(filter: TrailFilter, after: Option<TrailPosition>, rows: usize) -> Stmt {
    let before = after.map_or(FROM_THE_NEWEST, |after| after.row);
    let looked = LOOKED;
    let shown = i64::try_from(rows.saturating_add(1)).unwrap_or(FROM_THE_NEWEST);
    let TrailFilter {
        actor,
        target,
        member,
        action,
        since,
        until,
    } = filter;
    if let Some(target) = target {
        stmt!(OF_TARGET {
            target,
            before,
            until,
            looked,
            action,
            since,
            shown
        })
    } else if let Some(member) = member {
        stmt!(OF_MEMBER {
            member,
            before,
            until,
            looked,
            action,
            since,
            shown
        })
    } else if let Some(actor) = actor {
        stmt!(BY_ACTOR {
            actor,
            before,
            until,
            looked,
            action,
            since,
            shown
        })
    } else {
        stmt!(NEWEST {
            before,
            until,
            looked,
            action,
            since,
            shown
        })
    }
}

/// The rows of the page, and where the next one begins if there may be one.
pub fn read_page(
    rows: &Rows,
    most: usize,
) -> Result<(Vec<AuditEntry>, Option<TrailPosition>), DbError> {
    let rows: Vec<TrailRow> = read_all(rows)?;
    let mut entries = Vec::new();
    let mut last = 0;
    for TrailRow { position, entry } in rows {
        let is_full = entries.len() == most;
        match entry {
            Some(entry) if !is_full => {
                entries.push(entry);
                last = position;
            }
            Some(_) => return Ok((entries, Some(TrailPosition { row: last }))),
            None if is_full => return Ok((entries, Some(TrailPosition { row: last }))),
            None => return Ok((entries, Some(TrailPosition { row: position }))),
        }
    }
    Ok((entries, None))
}
