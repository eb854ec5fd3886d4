//! Keys as administrators find them: in a list with filters, and by what is known of one.
//!
//! A list looks through the keys of one filter in the order of an index, and compares at most [`LOOKED`] of them with the
//! other filters, so that a page reads as few rows with 100,000 keys as with 100. If it has found too few by then, it says
//! where to go on.

use serde::Serialize;

use crate::domain::key::clue::KeyClue;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::keys::cards::{CardProject, UsageRow};
use crate::store::query::read_all;

/// The number of keys that a search finds.
const PAGE_ROWS: usize = 50;
/// A page looks through at most this many keys for those that meet all of its filters.
pub const LOOKED: i64 = 500;
/// Appended to the beginning of a name, it sorts behind every name that begins so.
const BEHIND: &str = "\u{10FFFF}";

/// A key with its owner.
macro_rules! listed {
    () => {
        "json_object('id', c.public_id, 'name', c.name, 'mask', c.label, 'state', c.state, 'missing', n.missing_since IS NOT NULL,
            'holds', json(c.holds), 'limit_nano', c.limit_nano, 'limit_reset', c.limit_reset,
            'usage', json_object('daily_nano', c.usage_daily_nano, 'weekly_nano', c.usage_weekly_nano,
              'monthly_nano', c.usage_monthly_nano, 'lifetime_nano', c.usage_lifetime_nano, 'read_at', c.usage_read_at),
            'created_at', c.created_at, 'expires_at', c.expires_at, 'ended_at', c.ended_at,
            'upstream_limit_nano', c.upstream_limit_nano, 'holder', json_object('id', m.public_id, 'login', NULLIF(m.login, ''),
              'subject', CASE m.status WHEN 'left' THEN NULL ELSE m.subject END, 'plan', p.name),
            'project', (SELECT json_object('id', j.public_id, 'name', j.name) FROM projects j WHERE j.id = k.project_id),
            'place', json_object('id', n.workspace_id, 'name', (SELECT w.name FROM workspaces w WHERE w.upstream_id = n.workspace_id)))"
    };
}

/// The card, the owner and the plan of each key that `x` names.
macro_rules! cards {
    () => {
        " x CROSS JOIN keys k ON k.id = x.key_id JOIN key_cards c ON c.public_id = k.public_id
        JOIN generations n ON n.id = c.generation_id JOIN members m ON m.owner_id = k.owner_id
        JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id "
    };
}

/// One page: of the keys that `$keys` names, at most `:looked`, those that meet every filter, at most `:shown`. The last
/// row says how many keys were looked at, and where to go on behind them.
macro_rules! page {
    ($keys:expr) => {
        concat!(
            "SELECT found.j FROM (WITH x AS MATERIALIZED (",
            $keys,
            " LIMIT :looked)
        SELECT j FROM (SELECT json_object('position', k.id, 'owner', k.owner_id, 'key', json(",
            listed!(),
            ")) AS j
          FROM",
            cards!(),
            "
          WHERE ",
            key_meets!(),
            "
          LIMIT :shown)
        UNION ALL SELECT json_object('position', l.key_id, 'owner', l.owner_id, 'key', NULL)
        FROM (SELECT x.key_id, x.owner_id FROM x LIMIT 1 OFFSET :looked - 1) l) found"
        )
    };
}

statements! {
    NEWEST {
        before: i64, looked: i64, state: Option<String>, hold: Option<String>, plan: Option<String>, more: String,
        shown: i64,
    } = page!("SELECT l.id AS key_id, l.owner_id FROM keys l WHERE l.id < :before ORDER BY l.id DESC");

    // A key whose generations have this state several times is one key.
    OF_STATE {
        state: Option<String>, before: i64, looked: i64, hold: Option<String>, plan: Option<String>, more: String,
        shown: i64,
    } = page!("SELECT DISTINCT g.key_id, g.owner_id FROM generations g
          WHERE lower(g.state) = :state AND g.key_id < :before ORDER BY g.key_id DESC");

    HELD {
        hold: Option<String>, before: i64, looked: i64, state: Option<String>, plan: Option<String>, more: String,
        shown: i64,
    } = page!("SELECT h.key_id, l.owner_id FROM holds h JOIN keys l ON l.id = h.key_id
          WHERE h.reason = :hold AND h.key_id < :before ORDER BY h.key_id DESC");

    // The keys of the newest member come first, since an index has the owners of a plan and not their keys.
    OF_PLAN {
        plan: Option<String>, owner: i64, before: i64, looked: i64, state: Option<String>, hold: Option<String>, more: String,
        shown: i64,
    } = page!("SELECT l.id AS key_id, l.owner_id FROM owners w CROSS JOIN keys l ON l.owner_id = w.id
          WHERE w.plan_id = (SELECT q.id FROM plans q WHERE q.name = :plan) AND w.id <= :owner
            AND (w.id < :owner OR l.id < :before) ORDER BY w.id DESC, l.id DESC");

    BY_NAME { name_from: String, name_before: String, shown: i64 } =
        concat!("SELECT json_object('position', k.id, 'owner', k.owner_id, 'key', json(", listed!(), ")) FROM
        (SELECT l.id AS key_id FROM keys l WHERE l.name IS NOT NULL AND lower(l.name) >= :name_from AND lower(l.name) < :name_before
          ORDER BY lower(l.name), l.id LIMIT :shown)", cards!(), "WHERE c.state <> 'void'");

    // The mask ends with the last three characters of the secret. If its beginning is known too, that has to be the same.
    BY_MASK { ending: String, mask: Option<String>, shown: i64 } =
        concat!("SELECT json_object('position', k.id, 'owner', k.owner_id, 'key', json(", listed!(), ")) FROM
        (SELECT DISTINCT g.key_id FROM generations g WHERE g.label IS NOT NULL AND substr(g.label, -3) = :ending
          AND (:mask IS NULL OR g.label = :mask) LIMIT :shown)", cards!(), "WHERE c.state <> 'void'");

    BY_ID { id: String } = concat!("SELECT json_object('position', k.id, 'owner', k.owner_id, 'key', json(", listed!(), ")) FROM
        (SELECT l.id AS key_id FROM keys l WHERE l.public_id = :id
          UNION SELECT g.key_id FROM generations g WHERE g.public_id = :id)", cards!());

    BY_SECRET { sha256: String } = concat!("SELECT json_object('position', k.id, 'owner', k.owner_id, 'key', json(", listed!(), ")) FROM
        (SELECT g.key_id FROM generations g WHERE g.secret_sha256 = :sha256)", cards!());

    OF_MEMBER { member: String, shown: i64 } = concat!("SELECT json_object('position', k.id, 'owner', k.owner_id, 'key', json(", listed!(), ")) FROM
        (SELECT l.id AS key_id FROM members w JOIN keys l ON l.owner_id = w.owner_id WHERE w.public_id = :member
          ORDER BY l.created_at DESC LIMIT :shown)", cards!(), "WHERE c.state <> 'void'");
}

/// The filters of a list. What is `None` is not compared.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    pub state: Option<String>,
    pub hold: Option<String>,
    pub plan: Option<String>,
    pub more: MoreFilters,
}

/// The filters of a list that no index serves.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MoreFilters {
    /// OpenRouter's id of a workspace.
    pub workspace: Option<String>,
    /// Our id of a project.
    pub project: Option<String>,
    /// In seconds of UTC.
    pub made_before: Option<i64>,
    /// Nothing was spent in this time, as far as it was read: `never`, or in the present `month` or `week`.
    pub idle: Option<&'static str>,
    pub idle_began: i64,
    /// The windows of the limits: what was spent in them is all of the limit, or more.
    pub day_began: Option<i64>,
    pub week_began: Option<i64>,
    pub month_began: Option<i64>,
}

impl MoreFilters {
    /// Only keys with which nothing was spent: `never`, or in the present `month` or `week`. Returns `None` for any other word.
    #[must_use]
    pub fn idle(self, word: Option<&str>, now: Timestamp) -> Option<Self> {
        let (idle, began) = match word {
            None => return Some(self),
            Some("never") => ("never", Timestamp::from_secs(0)),
            Some("week") => ("week", LimitReset::Weekly.starts(now)),
            Some("month") => ("month", LimitReset::Monthly.starts(now)),
            Some(_) => return None,
        };
        Some(Self {
            idle: Some(idle),
            idle_began: began.secs(),
            ..self
        })
    }

    /// Only keys that have spent all of their limit, or more.
    #[must_use]
    pub fn over_limit(self, now: Timestamp) -> Self {
        let began = |reset: LimitReset| Some(reset.starts(now).secs());
        Self {
            day_began: began(LimitReset::Daily),
            week_began: began(LimitReset::Weekly),
            month_began: began(LimitReset::Monthly),
            ..self
        }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    const fn is_any(&self) -> bool {
        self.workspace.is_some()
            || self.project.is_some()
            || self.made_before.is_some()
            || self.idle.is_some()
            || self.day_began.is_some()
    }
}

from_json! {
    /// Where a page begins: behind this key, of this owner.
    #[derive(Clone, Copy, Debug, Serialize)]
    pub struct KeyPosition {
        position: i64,
        owner: i64,
    }
}

from_json! {
    /// A key as an administrator sees it.
    #[derive(Clone, Debug)]
    pub struct ListedKey {
        pub id: String,
        pub name: Option<String>,
        pub mask: Option<String>,
        pub state: GenerationState,
        pub missing: bool,
        pub holds: Vec<Reason>,
        pub limit_nano: NanoUsd,
        pub limit_reset: LimitReset,
        pub usage: UsageRow,
        pub created_at: Timestamp,
        pub expires_at: Timestamp,
        pub ended_at: Option<Timestamp>,
        pub upstream_limit_nano: Option<NanoUsd>,
        pub holder: KeyHolder,
        pub project: Option<CardProject>,
        pub place: KeyPlace,
    }
}

from_json! {
    /// The workspace of a key. It has an id once the key was recorded, and a name if it was ever enabled.
    #[derive(Clone, Debug)]
    pub struct KeyPlace {
        pub id: Option<String>,
        pub name: Option<String>,
    }
}

from_json! {
    /// The member who has a key. It is an object of its own, because D1's functions take at most 32 arguments.
    #[derive(Clone, Debug)]
    pub struct KeyHolder {
        pub id: String,
        pub login: Option<String>,
        pub subject: Option<String>,
        pub plan: String,
    }
}

from_json! {
    struct ListedRow {
        position: i64,
        owner: i64,
        key: Option<ListedKey>,
    }
}

fn shown() -> i64 {
    i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(i64::MAX)
}

/// The statement that reads a page of so many `rows` behind `after`; [`read_page`] reads its rows.
pub fn page(filter: KeyFilter, after: Option<KeyPosition>, rows: usize) -> Stmt {
    let KeyFilter {
        state,
        hold,
        plan,
        more,
    } = filter;
    let all = !more.is_any();
    let more = more.to_json();
    let before = after.map_or(i64::MAX, |after| after.position);
    let owner = after.map_or(i64::MAX, |after| after.owner);
    let shown = i64::try_from(rows.saturating_add(1)).unwrap_or(i64::MAX);
    let looked = LOOKED.max(shown);
    if hold.is_some() {
        stmt!(HELD {
            hold,
            before,
            looked,
            state,
            plan,
            more,
            shown
        })
    } else if state.is_some() {
        stmt!(OF_STATE {
            state,
            before,
            looked,
            hold,
            plan,
            more,
            shown
        })
    } else if plan.is_some() {
        stmt!(OF_PLAN {
            plan,
            owner,
            before,
            looked,
            state,
            hold,
            more,
            shown
        })
    } else {
        stmt!(NEWEST {
            before,
            looked: if all { shown } else { looked },
            state,
            hold,
            plan,
            more,
            shown
        })
    }
}

/// The statement that reads the keys of which this is known; [`read_found`] reads its rows.
pub fn find(clue: KeyClue) -> Stmt {
    let shown = shown();
    match clue {
        KeyClue::Name(name) => {
            let name_from = name.to_ascii_lowercase();
            let name_before = [name_from.as_str(), BEHIND].concat();
            stmt!(BY_NAME {
                name_from,
                name_before,
                shown
            })
        }
        KeyClue::Mask { ending, mask } => stmt!(BY_MASK {
            ending,
            mask,
            shown
        }),
        KeyClue::Id(id) => stmt!(BY_ID { id }),
        KeyClue::Sha256(sha256) => stmt!(BY_SECRET { sha256 }),
    }
}

/// The statement that reads a member's newest 100 keys, newest first; [`read_found`] reads its rows.
pub fn of_member(member: &str) -> Stmt {
    stmt!(OF_MEMBER { member, shown: 100 })
}

/// The keys on the page, and where the next page begins if there may be one.
pub fn read_page(
    rows: &Rows,
    most: usize,
) -> Result<(Vec<ListedKey>, Option<KeyPosition>), DbError> {
    let rows: Vec<ListedRow> = read_all(rows)?;
    let mut next = None;
    let mut keys = Vec::new();
    let mut is_full = false;
    for row in rows {
        match row.key {
            Some(_) if keys.len() == most => is_full = true,
            Some(key) => {
                if !is_full {
                    next = Some((row.position, row.owner));
                }
                keys.push(key);
            }
            // The page looked through as many keys as it may, and there may be more behind them.
            None if !is_full => {
                next = Some((row.position, row.owner));
                is_full = true;
            }
            None => {}
        }
    }
    let next = next.filter(|_| is_full);
    Ok((
        keys,
        next.map(|(position, owner)| KeyPosition { position, owner }),
    ))
}

/// The keys that were found, and whether there are more.
pub fn read_found(rows: &Rows) -> Result<(Vec<ListedKey>, bool), DbError> {
    let rows: Vec<ListedRow> = read_all(rows)?;
    let more = rows.len() > PAGE_ROWS;
    let keys = rows.into_iter().filter_map(|row| row.key);
    Ok((keys.take(100).collect(), more))
}
