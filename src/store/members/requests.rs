//! Requests of members to an administrator, and the decisions. An approval writes an allotment: the permission to
//! claim.
//!
//! Every batch that writes begins with its audit row, so each may be sent twice. The words that people write are stored
//! in `requests` alone.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::identity::{Status, made_by};
use crate::domain::people::request::{REQUESTS_A_DAY, RequestKind, RequestState};
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;
use crate::store::query::rows_of;

/// The number of requests on one page.
pub const PAGE_ROWS: usize = 50;

/// A request as its member sees it.
macro_rules! card {
    () => {
        "'id', q.public_id, 'kind', q.kind, 'state', q.state, 'note', q.note, 'answer', q.answer,
          'created_at', q.created_at, 'decided_at', q.decided_at"
    };
}

/// A request as an administrator sees it: with the member who asks.
macro_rules! asked {
    () => {
        concat!(
            "SELECT json_object(",
            card!(),
            ", 'member', json_object('id', m.public_id, 'provider', m.provider, 'subject', m.subject, 'login', m.login,
            'login_passed_on_at', m.login_passed_on_at, 'account_created_at', m.account_created_at,
            'blocked', EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject)))
        FROM requests q JOIN members m ON m.owner_id = q.owner_id"
        )
    };
}

/// Whether a rule refuses what a request of kind ?1 is about; accounts made after ?2 are too young.
macro_rules! needed {
    () => {
        "CASE ?1 WHEN 'claim' THEN g.claims = 'by_approval' AND g.allotted = 0
            WHEN 'appeal' THEN g.blocked = 1 OR (g.account_created_at > ?2 AND g.age_waived = 0) ELSE 0 END"
    };
}

statements_at! {
    MAKE_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?3, ?4, 'request_made', g.public_id, 'open', ?5
        FROM claim_gates g
        WHERE g.public_id = ?6 AND g.epoch = ?7 AND g.status = 'active' AND ", needed!(), "
          AND NOT EXISTS (SELECT 1 FROM requests q WHERE q.owner_id = g.owner_id AND q.kind = ?1 AND q.state = 'open')
          AND (SELECT COUNT(*) FROM requests q WHERE q.owner_id = g.owner_id AND q.created_at >= ?8) < ?9
        ON CONFLICT DO NOTHING");

    MAKE = "INSERT INTO requests (public_id, owner_id, kind, note, created_at, change_id)
        SELECT ?1, m.owner_id, ?2, ?3, ?4, ?5 FROM members m
        WHERE m.public_id = ?6 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?5 AND target = ?1)
        ON CONFLICT (public_id) DO NOTHING";

    MADE = concat!("SELECT json_object('made', EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?4),
          'status', g.status, 'session_current', g.epoch = ?6, 'needed', ", needed!(), ")
        FROM claim_gates g WHERE g.public_id = ?5");

    OPEN = concat!("SELECT json_object(", card!(), ")
        FROM members m JOIN requests q ON q.owner_id = m.owner_id
        WHERE m.public_id = ?1 AND ((q.kind = ?2 AND q.state = 'open') OR q.public_id = ?3)
        ORDER BY q.public_id = ?3 DESC LIMIT 1");

    OWN = concat!("SELECT json_object(", card!(), ")
        FROM members m JOIN requests q ON q.owner_id = m.owner_id
        WHERE m.public_id = ?1 ORDER BY q.created_at DESC, q.id DESC LIMIT ?2");

    PAGE = concat!(asked!(), "
        WHERE q.state = ?1
          AND q.id > CASE WHEN ?2 IS NULL THEN 0 ELSE (SELECT c.id FROM requests c WHERE c.public_id = ?2) END
        ORDER BY q.id LIMIT ?3");

    DECIDE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, q.public_id, 'request_decided', m.public_id, q.state, ?2, ?3
        FROM requests q JOIN members m ON m.public_id = ?5 JOIN settings s
        WHERE q.public_id = ?4 AND q.state = 'open' AND m.epoch + s.session_epoch = ?6 AND m.status = 'active'
        ON CONFLICT DO NOTHING";

    DECIDE = "UPDATE requests SET state = ?1, answer = ?2, decided_at = ?3, change_id = ?4
        WHERE public_id = ?5 AND state = 'open' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = ?5)";

    // The permission is for the person, whatever happens to the member's row; no key is made until they claim.
    ALLOT = "INSERT INTO allotments (public_id, provider, subject, kind, since, change_id)
        SELECT 'alt_' || substr(q.public_id, 5), m.provider, m.subject, q.kind, ?1, ?2
        FROM requests q JOIN members m ON m.owner_id = q.owner_id
        WHERE q.public_id = ?3 AND q.state = 'approved'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)
        ON CONFLICT DO NOTHING";

    DECIDED = concat!(asked!(), " WHERE q.public_id = ?1");
}

from_json! {
    /// A request as its member sees it.
    #[derive(Clone, Debug, Serialize)]
    pub struct Request {
        pub id: String,
        pub kind: RequestKind,
        pub state: RequestState,
        pub note: Option<String>,
        pub answer: Option<String>,
        pub created_at: Timestamp,
        pub decided_at: Option<Timestamp>,
    }
}

from_json! {
    /// A request with the member who made it, for administrators.
    #[derive(Debug, Serialize)]
    pub struct RequestWithMember {
        member: Asker;
        #[serde(flatten)]
        pub request: Request,
    }
}

from_json! {
    #[derive(Debug, Serialize)]
    struct Asker {
        id: String,
        provider: String,
        subject: String,
        login: String,
        /// Since when the login is a former login.
        login_passed_on_at: Option<Timestamp>,
        account_created_at: Timestamp,
        blocked: bool,
    }
}

/// A request that a member wants to make, with the new ids that it would get.
pub struct NewRequest<'a> {
    pub session: &'a Session,
    pub change: PublicId,
    pub request: PublicId,
    pub kind: RequestKind,
    pub note: Option<String>,
    pub min_account_age_days: u32,
    pub now: Timestamp,
}

/// The outcome of [`make`].
pub enum Made {
    New(Request),
    /// A request of this kind is open already.
    Open(Request),
    /// The member has made too many requests in this UTC day.
    UsedUp,
    /// No rule refuses what the request is about.
    NotNeeded,
    NotActive(Status),
    SessionEnded,
}

/// Makes a request if a rule refuses what it is about, none of its kind is open, and the day's quota is not used up.
pub async fn make(db: &dyn Database, wish: &NewRequest<'_>) -> Result<Made, DbError> {
    let (kind, member, now) = (wish.kind.name(), &wish.session.member, wish.now);
    let made_by = made_by(now, wish.min_account_age_days);
    let batch = vec![
        stmt_at!(
            MAKE_GUARD,
            kind,
            made_by,
            &wish.change,
            &wish.request,
            now,
            member,
            wish.session.epoch,
            LimitReset::Daily.starts(now),
            REQUESTS_A_DAY,
        ),
        stmt_at!(
            MAKE,
            &wish.request,
            kind,
            wish.note.as_deref(),
            now,
            &wish.change,
            member
        ),
        stmt_at!(OPEN, member, kind, &wish.request),
        stmt_at!(
            MADE,
            kind,
            made_by,
            &wish.change,
            &wish.request,
            member,
            wish.session.epoch
        ),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    let row: MadeRow = last_row(&rows)?.ok_or(DbError::Broken)?;
    let open = rows_of(&rows, rows.len().saturating_sub(2))?.first();
    Ok(row.outcome(open.map(|open| read(open)).transpose()?))
}

from_json! {
    struct MadeRow {
        made: bool,
        status: Status,
        session_current: bool,
        needed: bool,
    }
}

impl MadeRow {
    fn outcome(self, open: Option<Request>) -> Made {
        match open {
            _ if self.status != Status::Active => Made::NotActive(self.status),
            _ if !self.session_current => Made::SessionEnded,
            Some(request) if self.made => Made::New(request),
            Some(request) => Made::Open(request),
            None if self.needed => Made::UsedUp,
            None => Made::NotNeeded,
        }
    }
}

/// The statement that reads a member's own requests, newest first, at most one page.
pub fn own(session: &Session) -> Stmt {
    stmt_at!(
        OWN,
        &session.member,
        i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX)
    )
}

/// Returns the rows of [`own`].
pub fn read_own(rows: &Rows) -> Result<Vec<Request>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}

/// The statement that reads a page of everyone's requests in a state, oldest first, behind the one with the id `after`,
/// and one more if there is one.
pub fn page(state: RequestState, after: Option<&PublicId>) -> Stmt {
    let more = PAGE_ROWS.saturating_add(1);
    stmt_at!(
        PAGE,
        state.name(),
        after,
        i64::try_from(more).unwrap_or(i64::MAX)
    )
}

/// Returns the rows of [`page`].
pub fn read_page(rows: &Rows) -> Result<Vec<RequestWithMember>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}

/// An administrator's decision on a request.
pub struct RequestDecision<'a> {
    pub session: &'a Session,
    pub change: PublicId,
    pub request: PublicId,
    pub state: RequestState,
    pub answer: Option<String>,
    pub now: Timestamp,
}

/// Decides an open request, and returns the request as it is afterwards; `None` if there is no such request. It is
/// still open if the session has ended.
pub async fn decide(
    db: &dyn Database,
    made: &RequestDecision<'_>,
) -> Result<Option<RequestWithMember>, DbError> {
    let (state, request, change) = (made.state.name(), &made.request, &made.change);
    let batch = vec![
        stmt_at!(
            DECIDE_GUARD,
            change,
            state,
            made.now,
            request,
            &made.session.member,
            made.session.epoch
        ),
        stmt_at!(
            DECIDE,
            state,
            made.answer.as_deref(),
            made.now,
            change,
            request
        ),
        stmt_at!(ALLOT, made.now, change, request),
        stmt_at!(DECIDED, request),
    ];
    last_row(&batch_retrying_unknown(db, batch).await?)
}
