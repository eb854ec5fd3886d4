//! Requests of members to an administrator, and the decisions. An approval writes an allotment, which is the permission
//! to claim, or the raise that was asked for.
//!
//! Every batch that writes begins with its audit row, so each may be sent twice. What people write in a request and in
//! its answer is stored in the table `requests` alone.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::people::identity::{Status, made_by};
use crate::domain::people::request::{REQUESTS_A_DAY, RequestKind, RequestState};
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::members;
use crate::store::members::limit_requests::{self, LimitWish, NewLimitWish};
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;
use crate::store::query::rows_of;

/// The number of requests on one page.
pub const PAGE_ROWS: usize = 50;

/// A request as its member sees it.
macro_rules! card {
    () => {
        concat!(
            "'id', q.public_id, 'kind', q.kind, 'state', q.state, 'note', q.note, 'answer', q.answer,
          'created_at', q.created_at, 'decided_at', q.decided_at, 'limit', ",
            limit_wish!("q")
        )
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

/// Whether a rule refuses what a request of the kind `:kind` is about. An account that was made after
/// `:account_created_by` is too young. More can be asked for a key of one's own that has not ended, under a plan that has a
/// limit. The statement declares all three parameters.
macro_rules! needed {
    () => {
        "CASE :kind WHEN 'claim' THEN g.claims = 'by_approval' AND g.allotted = 0
            WHEN 'appeal' THEN g.blocked = 1 OR (g.account_created_at > :account_created_by AND g.age_waived = 0)
            WHEN 'limit' THEN EXISTS (SELECT 1 FROM keys lk JOIN owners lo ON lo.id = lk.owner_id JOIN plans lp ON lp.id = lo.plan_id
              WHERE lk.owner_id = g.owner_id AND lk.public_id = :key AND lk.ended_at IS NULL AND lp.limit_reset <> 'none'
                AND EXISTS (SELECT 1 FROM generations lg WHERE lg.key_id = lk.id AND lg.live = 1))
            ELSE 0 END"
    };
}

statements! {
    MAKE_GUARD {
        change: PublicId, request: PublicId, now: Timestamp, member: PublicId, epoch: i64, kind: String, since: Timestamp,
        requests_a_day: i64, account_created_by: Timestamp, key: Option<String>,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :request, 'request_made', g.public_id, 'open', :now
        FROM claim_gates g
        WHERE g.public_id = :member AND g.epoch = :epoch AND g.status = 'active' AND ", needed!(), "
          AND NOT EXISTS (SELECT 1 FROM requests q WHERE q.owner_id = g.owner_id AND q.kind = :kind AND q.state = 'open')
          AND (SELECT COUNT(*) FROM requests q WHERE q.owner_id = g.owner_id AND q.created_at >= :since) < :requests_a_day
        ON CONFLICT DO NOTHING");

    MAKE {
        request: PublicId, kind: String, note: Option<String>, now: Timestamp, change: PublicId, member: PublicId,
        key: Option<String>, amount: Option<NanoUsd>, until: Option<Timestamp>,
    } = "INSERT INTO requests (public_id, owner_id, kind, note, created_at, change_id, key_id, amount_nano, until)
        SELECT :request, m.owner_id, :kind, :note, :now, :change,
          (SELECT k.id FROM keys k WHERE k.public_id = :key AND k.owner_id = m.owner_id), :amount, :until
        FROM members m
        WHERE m.public_id = :member AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :request)
        ON CONFLICT (public_id) DO NOTHING";

    MADE {
        change: PublicId, request: PublicId, epoch: i64, member: PublicId, kind: String, account_created_by: Timestamp,
        key: Option<String>,
    } = concat!("SELECT json_object('made', EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :request),
          'status', g.status, 'session_current', g.epoch = :epoch, 'needed', ", needed!(), ")
        FROM claim_gates g WHERE g.public_id = :member");

    OPEN { member: PublicId, kind: String, request: PublicId } = concat!("SELECT json_object(", card!(), ")
        FROM members m JOIN requests q ON q.owner_id = m.owner_id
        WHERE m.public_id = :member AND ((q.kind = :kind AND q.state = 'open') OR q.public_id = :request)
        ORDER BY q.public_id = :request DESC LIMIT 1");

    OWN { member: PublicId, most: i64 } = concat!("SELECT json_object(", card!(), ")
        FROM members m JOIN requests q ON q.owner_id = m.owner_id
        WHERE m.public_id = :member ORDER BY q.created_at DESC, q.id DESC LIMIT :most");

    PAGE { state: String, after: Option<PublicId>, most: i64 } = concat!(asked!(), "
        WHERE q.state = :state
          AND q.id > CASE WHEN :after IS NULL THEN 0 ELSE (SELECT c.id FROM requests c WHERE c.public_id = :after) END
        ORDER BY q.id LIMIT :most");

    DECIDE_GUARD { change: PublicId, state: String, now: Timestamp, actor: PublicId, request: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, q.public_id, 'request_decided', a.member, q.state, :state, :now
        FROM requests q JOIN current_sessions a ON a.member = :actor
        WHERE q.public_id = :request AND q.state = 'open' AND a.epoch = :epoch
          AND (:state <> 'approved' OR q.kind <> 'limit' OR ((q.until IS NULL OR q.until > :now)
            AND EXISTS (SELECT 1 FROM keys k JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
              WHERE k.id = q.key_id AND k.ended_at IS NULL AND p.limit_reset <> 'none')))
        ON CONFLICT DO NOTHING";

    DECIDE { state: String, answer: Option<String>, now: Timestamp, change: PublicId, request: PublicId } =
        "UPDATE requests SET state = :state, answer = :answer, decided_at = :now, change_id = :change
        WHERE public_id = :request AND state = 'open'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :request)";

    // The permission is for the person, whatever happens to the member's row. No key is made until the person claims.
    ALLOT { now: Timestamp, change: PublicId, request: PublicId } =
        "INSERT INTO allotments (public_id, provider, subject, kind, since, change_id)
        SELECT 'alt_' || substr(q.public_id, 5), m.provider, m.subject, q.kind, :now, :change
        FROM requests q JOIN members m ON m.owner_id = q.owner_id
        WHERE q.public_id = :request AND q.state = 'approved' AND q.kind <> 'limit'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :request)
        ON CONFLICT DO NOTHING";

    ONE { member: PublicId, request: PublicId } = concat!("SELECT json_object(", card!(), ")
        FROM members m JOIN requests q ON q.owner_id = m.owner_id
        WHERE m.public_id = :member AND q.public_id = :request");

    DECIDED { request: PublicId } = concat!(asked!(), " WHERE q.public_id = :request");
}

from_json! {
    /// A request as its member sees it.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct Request {
        pub id: String,
        pub kind: RequestKind,
        pub state: RequestState,
        pub note: Option<String>,
        pub answer: Option<String>,
        pub created_at: Timestamp,
        pub decided_at: Option<Timestamp>,
        /// What it asks for, if it asks for a higher limit.
        pub limit: Option<LimitWish>,
    }
}

from_json! {
    /// A request with the member who made it, for administrators.
    #[derive(Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct RequestWithMember {
        member: Asker;
        #[serde(flatten)]
        pub request: Request,
    }
}

from_json! {
    #[derive(Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
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
    /// What is asked for, if it is a higher limit.
    pub limit: Option<NewLimitWish>,
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
    let (change, request) = (&wish.change, &wish.request);
    let account_created_by = made_by(now, wish.min_account_age_days);
    let key = wish.limit.as_ref().map(|limit| limit.key.as_str());
    let batch = vec![
        stmt!(MAKE_GUARD {
            change,
            request,
            now,
            member,
            epoch: wish.session.epoch,
            kind,
            since: LimitReset::Daily.starts(now),
            requests_a_day: REQUESTS_A_DAY,
            account_created_by,
            key,
        }),
        stmt!(MAKE {
            request,
            kind,
            note: wish.note.as_deref(),
            now,
            change,
            member,
            key,
            amount: wish.limit.as_ref().map(|limit| limit.amount),
            until: wish.limit.as_ref().and_then(|limit| limit.until),
        }),
        stmt!(OPEN {
            member,
            kind,
            request,
        }),
        stmt!(MADE {
            change,
            request,
            epoch: wish.session.epoch,
            member,
            kind,
            account_created_by,
            key,
        }),
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
    stmt!(OWN {
        member: &session.member,
        most: i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX),
    })
}

/// The statement that reads the latest requests of a member, for an administrator.
pub fn of_member(member: &PublicId) -> Stmt {
    stmt!(OWN {
        member,
        most: i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX),
    })
}

/// Returns the rows of [`own`] or [`of_member`].
pub fn read_own(rows: &Rows) -> Result<Vec<Request>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}

/// The statement that reads a page of everyone's requests in a state, oldest first, behind the one with the id `after`,
/// and one more if there is one.
pub fn page(state: RequestState, after: Option<&PublicId>) -> Stmt {
    let more = PAGE_ROWS.saturating_add(1);
    stmt!(PAGE {
        state: state.name(),
        after,
        most: i64::try_from(more).unwrap_or(i64::MAX),
    })
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

/// Decides an open request, and returns the request as it is afterwards; `None` if there is no such request. A request for
/// more is still open if what it asks for is not possible any more.
pub async fn decide(
    db: &dyn Database,
    decision: &RequestDecision<'_>,
) -> Result<Option<RequestWithMember>, StoreError> {
    let (state, request, change) = (decision.state.name(), &decision.request, &decision.change);
    let mut batch = vec![
        stmt!(DECIDE_GUARD {
            change,
            state,
            now: decision.now,
            actor: &decision.session.member,
            request,
            epoch: decision.session.epoch,
        }),
        stmt!(DECIDE {
            state,
            answer: decision.answer.as_deref(),
            now: decision.now,
            change,
            request,
        }),
        stmt!(ALLOT {
            now: decision.now,
            change,
            request,
        }),
    ];
    let actor = &decision.session.member;
    batch.extend(limit_requests::raise(change, actor, request, decision.now));
    batch.push(members::session_check(decision.session));
    batch.push(stmt!(DECIDED { request }));
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(
        rows_of(&rows, rows.len().saturating_sub(2))?,
        decision.session,
    )?;
    Ok(last_row(&rows)?)
}

/// Withdraws an open request of the member, and returns the request as it is afterwards; `None` if they have no such
/// request.
pub async fn withdraw(
    db: &dyn Database,
    session: &Session,
    request: &PublicId,
    change: &PublicId,
    now: Timestamp,
) -> Result<Option<Request>, StoreError> {
    let member = &session.member;
    let mut batch = limit_requests::withdrawal(session, request, change, now).to_vec();
    batch.push(members::session_check(session));
    batch.push(stmt!(ONE { member, request }));
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    Ok(last_row(&rows)?)
}
