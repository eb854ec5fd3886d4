//! `/api/v1/requests`: requests of members to an administrator. `/api/v1/admin/requests`: the decisions of
//! administrators.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::app::sync::limit;
use crate::domain::id::{self, PublicId};
use crate::domain::people::request::{self, RequestKind, RequestState};
use crate::domain::people::session::Session;
use crate::domain::people::text::Refused;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::http::admin::{credit, plans};
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::cut_to_page;
use crate::ports::Rows;
use crate::store::budget::allowances::{self, OwnerLookup};
use crate::store::members;
use crate::store::members::limit_requests::NewLimitWish;
use crate::store::members::requests::{
    self, Made, NewRequest, PAGE_ROWS, Request, RequestDecision, RequestWithMember,
};

/// A request to an administrator.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct NewRequestBody {
    kind: RequestKind,
    /// What an administrator should know, in at most 500 characters.
    note: Option<String>,
    /// Of a request for more, which has to name it: a key of the member's.
    key: Option<String>,
    /// How much more than the plan's limit, in USD, with at most two decimals.
    amount_usd: Option<String>,
    /// Until when, as 2027-01-31T00:00:00Z; missing or `null` is for good.
    until: Option<String>,
}

/// A request of the member.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RequestBody {
    request: Request,
}

/// The member's latest fifty requests, newest first.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RequestsBody {
    requests: Vec<Request>,
}

/// Answers 201 with the new request, or 200 with the open one of its kind.
pub async fn make_request(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted: NewRequestBody = context.json()?;
    let app = &*context.app;
    let wish = NewRequest {
        session: &session,
        change: context.id(id::IdKind::Change, "")?,
        request: context.id(id::IdKind::Ask, "")?,
        kind: wanted.kind,
        note: words("/note", wanted.note.as_deref())?,
        limit: limit_wish(&wanted, app.now())?,
        min_account_age_days: app.config.terms.min_account_age_days,
        now: app.now(),
    };
    match requests::make(&*app.db, &wish).await? {
        Made::New(request) => Reply::json(201, &RequestBody { request }),
        Made::Open(request) => Reply::json(200, &RequestBody { request }),
        Made::UsedUp => Err(Error::RequestsUsedUp {
            retry_at: LimitReset::Daily.ends(wish.now),
        }),
        Made::NotNeeded if wish.limit.is_some() => Err(Error::bad_member(
            "/key",
            "must be the id of a key of yours that has not ended, under a plan with a limit",
        )),
        Made::NotNeeded => Err(Error::NothingToRequest),
        Made::NotActive(status) => Err(Error::MemberNotActive(status)),
        Made::SessionEnded => Err(Error::SignInRequired),
    }
}

/// What a request for more asks for. A request of another kind names nothing of it.
fn limit_wish(wanted: &NewRequestBody, now: Timestamp) -> Result<Option<NewLimitWish>, Error> {
    let NewRequestBody {
        kind,
        key,
        amount_usd,
        until,
        ..
    } = wanted;
    if *kind != RequestKind::Limit {
        let named = [
            ("/key", key.is_some()),
            ("/amount_usd", amount_usd.is_some()),
            ("/until", until.is_some()),
        ];
        let named = named.into_iter().find(|(_, named)| *named);
        return named.map_or(Ok(None), |(pointer, _)| {
            Err(Error::bad_member(pointer, "is only for a request for more"))
        });
    }
    let needed = |pointer| Error::bad_member(pointer, "is required for a request for more");
    let key = key.as_ref().ok_or_else(|| needed("/key"))?;
    let asked = amount_usd.as_ref().ok_or_else(|| needed("/amount_usd"))?;
    let until = until
        .as_deref()
        .map(|until| credit::raise_until(until, now));
    Ok(Some(NewLimitWish {
        key: key.clone(),
        amount: plans::amount("/amount_usd", asked)?,
        until: until.transpose()?,
    }))
}

/// Answers 200 with the withdrawn request. One that is decided already stays so.
pub async fn withdraw_request(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let request =
        PublicId::parse(id::IdKind::Ask, context.last_segment()).ok_or(Error::NotFound)?;
    let app = &*context.app;
    let change = context.id(id::IdKind::Change, "")?;
    let request = requests::withdraw(&*app.db, &session, &request, &change, app.now()).await?;
    let request = request.ok_or(Error::NotFound)?;
    match request.state {
        RequestState::Withdrawn => Reply::json(200, &RequestBody { request }),
        state => Err(Error::AlreadyDecided { state }),
    }
}

/// Checks the words that a person wrote, and returns them as they are stored.
fn words(pointer: &'static str, text: Option<&str>) -> Result<Option<String>, Error> {
    request::note(text.unwrap_or_default()).map_err(|why| {
        let detail = match why {
            Refused::TooLong => "must have at most 500 characters",
            Refused::Invisible => "must have at least one character that can be seen",
        };
        Error::bad_member(pointer, detail)
    })
}

/// Answers 200 with the member's own requests, newest first.
pub async fn list_own(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![requests::own(&session)];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let own = requests::read_own(rows.first().unwrap_or(&Rows::new()))?;
    Reply::json(200, &RequestsBody { requests: own })
}

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RequestsPage {
    requests: Vec<RequestWithMember>,
    /// The value of `after` for the next page.
    next: Option<String>,
}

/// Answers 200 with a page of everyone's requests in one state, oldest first.
pub async fn list_requests(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let state = context.query("state");
    let state = RequestState::parse(state.as_deref().unwrap_or(RequestState::Open.name()));
    let Some(state) = state else {
        return Err(Error::BadRequest {
            detail: "state must be open, approved, declined or withdrawn.",
        });
    };
    let after = context.after(id::IdKind::Ask)?;
    let read = vec![requests::page(state, after.as_ref())];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let mut requests = requests::read_page(rows.first().unwrap_or(&Rows::new()))?;
    let next = cut_to_page(&mut requests, PAGE_ROWS, |asked| Some(&asked.request.id));
    Reply::json(200, &RequestsPage { requests, next })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DecisionRequest {
    state: Verdict,
    answer: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum Verdict {
    Approved,
    Declined,
}

impl From<Verdict> for RequestState {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Approved => Self::Approved,
            Verdict::Declined => Self::Declined,
        }
    }
}

/// A request with the member who made it.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DecidedBody {
    request: RequestWithMember,
}

/// Answers 200 with the decided request. The same decision again gets the first one's answer; another is refused.
pub async fn decide_request(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let request =
        PublicId::parse(id::IdKind::Ask, context.last_segment()).ok_or(Error::NotFound)?;
    let wanted: DecisionRequest = context.json()?;
    let verdict = RequestState::from(wanted.state);
    let answer = words("/answer", wanted.answer.as_deref())?;
    let app = &*context.app;
    let decision = RequestDecision {
        session: &session,
        change: context.id(id::IdKind::Change, "")?,
        request,
        state: verdict,
        answer,
        now: app.now(),
    };
    let asked = requests::decide(&*app.db, &decision).await?;
    let asked = asked.ok_or(Error::NotFound)?;
    match asked.request.state {
        RequestState::Open => Err(Error::RequestOutdated),
        state if state == verdict => {
            if let Some(limit) =
                (asked.request.limit.as_ref()).filter(|_| verdict == RequestState::Approved)
            {
                follow(&context, &session, &limit.key).await?;
            }
            Reply::json(200, &DecidedBody { request: asked })
        }
        state => Err(Error::AlreadyDecided { state }),
    }
}

/// Brings the limits of the keys of this key's owner up to date. What OpenRouter does not confirm follows with the next
/// sweep.
async fn follow(context: &Context, session: &Session, key: &str) -> Result<(), Error> {
    let app = &*context.app;
    if let Some(owner) = allowances::owner(&*app.db, OwnerLookup::Key(key)).await? {
        limit::follow_owner(app, owner.owner, session.member.as_str()).await;
    }
    Ok(())
}
