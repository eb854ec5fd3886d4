//! `/api/v1/admin/members`: members as administrators see them, and what administrators do about them.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::app::membership;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::identity::Status;
use crate::http::admin::keys::ListedKeyBody;
use crate::http::admin::rows_of_page;
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::cut_to_page;
use crate::ports::Rows;
use crate::store::keys::listed;
use crate::store::members;
use crate::store::members::grants::{self, PaymentOfMember, RaiseInForce};
use crate::store::members::requests::{self, Request};
use crate::store::members::roster::{self, MemberCard, MemberDetails};
use crate::store::query::rows_of;

/// A page of members.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct MembersPage {
    members: Vec<MemberCard>,
    next: Option<String>,
}

/// Everything about a member that an administrator decides by.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct MemberPage {
    member: MemberDetails,
    /// The newest 100 keys, newest first.
    keys: Vec<ListedKeyBody>,
    /// The raises of these keys that are in force.
    raises: Vec<RaiseInForce>,
    /// The newest 100 payments.
    payments: Vec<PaymentOfMember>,
    /// The latest fifty requests, newest first.
    requests: Vec<Request>,
}

/// A member with their keys.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct MemberBody {
    member: MemberDetails,
}

/// Lists members, newest first. With `login`, lists those whose login begins so, in its order; with `id`, the one with
/// exactly that id or account number.
pub async fn list_members(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let status = match context.query("status") {
        None => None,
        Some(text) => Some(Status::parse(&text).ok_or(Error::BadRequest {
            detail: "status must be active, suspended, banned or left.",
        })?),
    };
    let after = context.after(IdKind::Member)?;
    let most = rows_of_page(&context)?;
    let login = context.query("login").filter(|login| !login.is_empty());
    let read = match context.query("id") {
        Some(id) => roster::by_id(&id, status),
        None => roster::page(login.as_deref(), status, after.as_ref(), most),
    };
    let (_, rows) = members::signed_in(&*context.app.db, &session, vec![read]).await?;
    let mut members = roster::read_page(rows.first().unwrap_or(&Rows::new()))?;
    let next = cut_to_page(&mut members, most, |one| Some(&one.id));
    Reply::json(200, &MembersPage { members, next })
}

/// Answers 200 with the member, their keys, what they were granted and what they asked for.
pub async fn show_member(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let member = member(context.last_segment())?;
    let app = &*context.app;
    let [raises, payments] = grants::of_member(&member, app.now());
    let keys = listed::of_member(member.as_str());
    let asked = requests::of_member(&member);
    let read = vec![roster::one(&member), keys, raises, payments, asked];
    let (_, rows) = members::signed_in(&*app.db, &session, read).await?;
    let details = roster::read_one(rows_of(&rows, 0)?)?;
    let (keys, _) = listed::read_found(rows_of(&rows, 1)?)?;
    let (raises, payments) = grants::read_grants(rows_of(&rows, 2)?, rows_of(&rows, 3)?)?;
    let of_list = |key| ListedKeyBody::new(key, app.now());
    let body = MemberPage {
        member: details.ok_or(Error::NotFound)?,
        keys: keys.into_iter().map(of_list).collect(),
        raises,
        payments,
        requests: requests::read_own(rows_of(&rows, 4)?)?,
    };
    Reply::json(200, &body)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct StatusRequest {
    status: StatusWord,
}

/// What administrators can make of a member. Members leave by themselves.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum StatusWord {
    Active,
    Suspended,
    Banned,
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Active => Self::Active,
            StatusWord::Suspended => Self::Suspended,
            StatusWord::Banned => Self::Banned,
        }
    }
}

/// Answers 200 with the member: suspended and banned members have no session and no key; reinstated members claim anew.
/// Answers 202 while OpenRouter has not confirmed that the keys are disabled.
pub async fn change_member(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let StatusRequest { status } = context.json()?;
    let status = Status::from(status);
    let member = member(context.last_segment())?;
    let details =
        membership::set_member_status(&context.app, &session, member.clone(), status).await?;
    let is_off = status == Status::Active || membership::keys_are_off(&context.app, &member).await;
    Reply::json(
        if is_off { 200 } else { 202 },
        &MemberBody { member: details },
    )
}

/// Ends every session of the member. They can sign in again.
pub async fn sign_member_out(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let member = member(context.segment_before_last())?;
    let app = &*context.app;
    let change = random::public_id(&*app.random, IdKind::Change)?;
    if !members::end_sessions_of(&*app.db, &session, &member, &change, app.now()).await? {
        return Err(Error::NotFound);
    }
    Ok(Reply::no_content())
}

/// Reads the id of a member; any other text is answered with 404.
fn member(id: &str) -> Result<PublicId, Error> {
    PublicId::parse(IdKind::Member, id).ok_or(Error::NotFound)
}
