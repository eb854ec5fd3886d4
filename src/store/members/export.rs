//! Everything that is stored about a member, for the member: no hash, no secret, and of other people only their role.
//! It is read in pages, one section after another, and each section begins with its newest row. So all of it is delivered.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::ports::json::FromJson;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::members::exported::ExportPage;
use crate::store::query::{read, rows_of};

/// The number of rows on one page, over all sections. With the longest notes they stay well below what one result may
/// hold.
pub const PAGE_ROWS: usize = 500;
/// The position behind all others. Reading from it begins at the newest row.
const FROM_THE_NEWEST: i64 = i64::MAX;

statements! {
    MEMBER { member: PublicId } =
        "SELECT json_object('id', m.public_id, 'provider', m.provider, 'subject', m.subject, 'login', m.login,
          'login_passed_on_at', m.login_passed_on_at, 'account_created_at', NULLIF(m.account_created_at, 0), 'hosted_domain', m.hosted_domain, 'status', m.status,
          'created_at', m.created_at, 'signed_in_at', m.signed_in_at,
          'terms_revision', m.terms_rev, 'terms_accepted_at', m.terms_at,
          'plan', (SELECT p.name FROM owners o JOIN plans p ON p.id = o.plan_id WHERE o.id = m.owner_id),
          'blocked_at', (SELECT b.since FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject),
          'notices_read', json((SELECT json_group_array(json_object('id', r.notice, 'read_at', r.read_at))
            FROM notice_reads r WHERE r.owner_id = m.owner_id)),
          'allotted', json((SELECT json_group_array(t.kind) FROM allotments t
            WHERE t.provider = m.provider AND t.subject = m.subject)))
        FROM members m WHERE m.public_id = :member";

    // Each row of a section has its position, which is removed before the row is shown.
    KEYS { member: PublicId, position: i64, most: i64 } =
        "SELECT json_object('position', k.id, 'id', k.public_id, 'name', k.name, 'origin', k.origin,
          'created_at', k.created_at, 'ended_at', k.ended_at, 'own_limit_usd', k.own_limit_nano,
          'upstream_limit_usd', k.upstream_limit_nano, 'preferred_at', k.preferred_at,
          'project', (SELECT p.public_id FROM projects p WHERE p.id = k.project_id),
          'holds', json((SELECT json_group_array(h.reason) FROM holds h WHERE h.key_id = k.id)))
        FROM members m JOIN keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = :member AND k.id < :position ORDER BY k.id DESC LIMIT :most";

    GENERATIONS { member: PublicId, position: i64, most: i64 } =
        "SELECT json_object('position', g.id, 'id', g.public_id, 'key', k.public_id, 'state', g.state, 'mask', g.label,
          'limit_usd', g.limit_nano, 'limit_reset', g.limit_reset, 'created_at', g.created_at, 'expires_at', g.expires_at,
          'ended_at', g.ended_at, 'spent_usd', g.usage_lifetime_nano, 'spend_read_at', g.usage_read_at)
        FROM members m JOIN generations g ON g.owner_id = m.owner_id JOIN keys k ON k.id = g.key_id
        WHERE m.public_id = :member AND g.id < :position ORDER BY g.id DESC LIMIT :most";

    RAISES { member: PublicId, position: i64, most: i64 } =
        "SELECT json_object('position', r.id, 'id', r.public_id, 'key', k.public_id, 'amount_usd', r.amount_nano,
          'begins_at', r.since, 'ends_at', r.until)
        FROM members m JOIN keys k ON k.owner_id = m.owner_id JOIN raises r ON r.key_id = k.id
        WHERE m.public_id = :member AND r.id < :position ORDER BY r.id DESC LIMIT :most";

    // Payments of the same second are ordered by their ids.
    PAYMENTS { member: PublicId, position: i64, id: String, most: i64 } =
        "SELECT json_object('position', y.at, 'id', y.payment_id, 'amount_usd', y.paid_nano, 'credit_usd', y.credit_nano,
          'booked_at', y.at)
        FROM members m JOIN payments y ON y.owner_id = m.owner_id
        WHERE m.public_id = :member AND (y.at, y.payment_id) < (:position, :id)
        ORDER BY y.at DESC, y.payment_id DESC LIMIT :most";

    REQUESTS { member: PublicId, position: i64, most: i64 } =
        concat!("SELECT json_object('position', q.id, 'id', q.public_id, 'kind', q.kind, 'state', q.state, 'note', q.note,
          'answer', q.answer, 'created_at', q.created_at, 'decided_at', q.decided_at, 'limit', ", limit_wish!("q"), ")
        FROM members m JOIN requests q ON q.owner_id = m.owner_id
        WHERE m.public_id = :member AND q.id < :position ORDER BY q.id DESC LIMIT :most");

    PROJECTS { member: PublicId, position: i64, most: i64 } =
        "SELECT json_object('position', p.id, 'id', p.public_id, 'name', p.name, 'created_at', p.created_at,
          'archived_at', p.archived_at)
        FROM members m JOIN projects p ON p.owner_id = m.owner_id
        WHERE m.public_id = :member AND p.id < :position ORDER BY p.id DESC LIMIT :most";

    PROVIDER_KEYS { member: PublicId, position: i64, most: i64 } =
        "SELECT json_object('position', k.id, 'id', k.public_id, 'provider', k.provider, 'label', k.label, 'mask', k.mask,
          'handoff', k.handoff, 'project', (SELECT json_object('id', p.public_id, 'name', p.name) FROM projects p
            WHERE p.id = k.project_id), 'created_at', k.created_at, 'leaked_at', (SELECT MAX(w.at) FROM audit w
            WHERE w.target = k.public_id AND w.action = 'provider_key_leaked'))
        FROM members m JOIN provider_keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = :member AND k.id < :position ORDER BY k.id DESC LIMIT :most";

    HANDOFFS { member: PublicId, position: i64, most: i64 } =
        "SELECT json_object('position', h.id, 'id', h.public_id, 'provider', h.provider, 'state', h.state,
          'created_at', h.created_at, 'ended_at', h.ended_at)
        FROM members m JOIN handoffs h ON h.owner_id = m.owner_id
        WHERE m.public_id = :member AND h.id < :position ORDER BY h.id DESC LIMIT :most";

    DEVICE_GRANTS { member: PublicId, position: i64, most: i64 } =
        "SELECT json_object('position', g.id, 'client', g.client, 'device', g.device, 'state', g.state,
          'created_at', g.created_at)
        FROM members m JOIN device_grants g ON g.owner_id = m.owner_id
        WHERE m.public_id = :member AND g.id < :position ORDER BY g.id DESC LIMIT :most";

    // D1 refuses a SELECT with more than five parts, so the last three are one.
    CHANGES { member: PublicId, position: i64, most: i64 } =
        "SELECT json_object('position', u.id, 'target', u.target, 'action', u.action,
          'by', CASE WHEN u.actor = :member THEN 'member' WHEN u.actor GLOB 'mem_*' THEN 'administrator' ELSE u.actor END,
          'before', u.before, 'after', u.after, 'before_usd', u.before_nano, 'after_usd', u.after_nano, 'happened_at', u.at)
        FROM audit u WHERE u.target IN (
            SELECT :member
            UNION ALL SELECT k.public_id FROM members m JOIN keys k ON k.owner_id = m.owner_id
              WHERE m.public_id = :member
            UNION ALL SELECT g.public_id FROM members m JOIN generations g ON g.owner_id = m.owner_id
              WHERE m.public_id = :member
            UNION ALL SELECT p.public_id FROM members m JOIN projects p ON p.owner_id = m.owner_id
              WHERE m.public_id = :member
            UNION ALL SELECT public_id FROM (
              SELECT k.public_id FROM members m JOIN provider_keys k ON k.owner_id = m.owner_id
                WHERE m.public_id = :member
              UNION ALL SELECT h.public_id FROM members m JOIN handoffs h ON h.owner_id = m.owner_id
                WHERE m.public_id = :member
              UNION ALL SELECT q.public_id FROM members m JOIN requests q ON q.owner_id = m.owner_id
                WHERE m.public_id = :member))
          AND u.id < :position
        ORDER BY u.id DESC LIMIT :most";
}

/// Which rows of a section are read.
#[derive(Clone, Copy)]
struct SectionRows<'a> {
    member: &'a PublicId,
    /// The rows behind this position are read. Several payments can have the same position; of these, the rows behind
    /// `id` are read.
    position: i64,
    id: &'a str,
    most: i64,
}

/// The statement that reads rows of a section.
type ReadSection = fn(SectionRows<'_>) -> Stmt;

/// The statements of the sections, in the order in which [`read_page`] reads their rows.
static SECTIONS: [ReadSection; 10] = [
    |rows| {
        stmt!(KEYS {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(GENERATIONS {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(RAISES {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(PAYMENTS {
            member: rows.member,
            position: rows.position,
            id: rows.id,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(REQUESTS {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(PROJECTS {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(PROVIDER_KEYS {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(HANDOFFS {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(DEVICE_GRANTS {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
    |rows| {
        stmt!(CHANGES {
            member: rows.member,
            position: rows.position,
            most: rows.most,
        })
    },
];

from_json! {
    /// Where a page begins: in which section, and behind which row of it.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    pub struct ExportPosition {
        section: i64,
        number: i64,
        id: String,
    }
}

impl ExportPosition {
    /// Returns the position at the newest row of the first section.
    pub fn first() -> Self {
        Self::beginning_of(0)
    }

    fn beginning_of(section: usize) -> Self {
        Self {
            section: i64::try_from(section).unwrap_or(FROM_THE_NEWEST),
            number: FROM_THE_NEWEST,
            id: String::new(),
        }
    }

    fn section(&self) -> usize {
        usize::try_from(self.section).unwrap_or(SECTIONS.len())
    }
}

/// Returns the statements that read a page: the member, and each section from this position on, with one row more than
/// fits.
pub fn page(session: &Session, from: &ExportPosition) -> Vec<Stmt> {
    let member = &session.member;
    let most = i64::try_from(PAGE_ROWS.saturating_add(1)).unwrap_or(FROM_THE_NEWEST);
    let mut stmts = vec![stmt!(MEMBER { member })];
    for (n, read_section) in SECTIONS.iter().enumerate().skip(from.section()) {
        let (position, id) = if n == from.section() {
            (from.number, from.id.as_str())
        } else {
            (FROM_THE_NEWEST, "")
        };
        stmts.push(read_section(SectionRows {
            member,
            position,
            id,
            most,
        }));
    }
    stmts
}

from_json! {
    /// The position of a row in its section.
    struct RowPosition {
        position: i64,
    }
}

from_json! {
    /// The id of a row. Only payments are ordered by their ids, and changes have none.
    struct RowId {
        id: String,
    }
}

/// Reads a page, section by section.
struct PageReader<'a> {
    rows: &'a [Rows],
    from: &'a ExportPosition,
    /// The number of rows that still fit on the page.
    left: usize,
    /// Where the next page begins, once this one is full.
    next: Option<ExportPosition>,
}

impl PageReader<'_> {
    /// Returns the rows of the section that are on this page.
    fn section<T: FromJson>(&mut self, n: usize) -> Result<Vec<T>, DbError> {
        let begun = n.checked_sub(self.from.section());
        let Some(at) = begun.filter(|_| self.next.is_none()) else {
            return Ok(Vec::new());
        };
        let rows = rows_of(self.rows, at.saturating_add(1))?;
        let shown = rows.iter().take(self.left);
        if rows.len() > self.left {
            self.next = Some(match shown.clone().next_back() {
                Some(last) => {
                    let RowPosition { position } = read(last)?;
                    let id = read(last).map(|RowId { id }| id);
                    ExportPosition {
                        number: position,
                        id: id.unwrap_or_default(),
                        ..ExportPosition::beginning_of(n)
                    }
                }
                None if n == self.from.section() => self.from.clone(),
                None => ExportPosition::beginning_of(n),
            });
        }
        self.left = self.left.saturating_sub(rows.len());
        shown.map(|row| read(row)).collect()
    }
}

/// Returns a page with every section in it, and the position at which the next page begins, if there is one.
pub fn read_page(
    rows: &[Rows],
    from: &ExportPosition,
) -> Result<(ExportPage, Option<ExportPosition>), DbError> {
    let member = rows_of(rows, 0)?.first().ok_or(DbError::Broken)?;
    let mut reader = PageReader {
        rows,
        from,
        left: PAGE_ROWS,
        next: None,
    };
    let page = ExportPage {
        member: read(member)?,
        keys: reader.section(0)?,
        generations: reader.section(1)?,
        raises: reader.section(2)?,
        payments: reader.section(3)?,
        requests: reader.section(4)?,
        projects: reader.section(5)?,
        provider_keys: reader.section(6)?,
        handoffs: reader.section(7)?,
        device_grants: reader.section(8)?,
        changes: reader.section(9)?,
        next: None,
    };
    Ok((page, reader.next))
}
