//! `/api/v1/admin/allotments`: people whom an administrator lets claim, by provider and account number, also before
//! they ever sign in. The key is made only when they claim, and only they get its secret.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::key_name::key_name;
use crate::domain::people::identity::is_account_number;
use crate::domain::people::session::Session;
use crate::http::api::keys;
use crate::http::server::body::{BlockProvider, NoMembers};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::cut_to_page;
use crate::ports::{NoRandomness, Rows};
use crate::store::access::allotments::{self, Allotment, By, PAGE_ROWS, Person};
use crate::store::members;

/// A page of allotments.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AllotmentsPage {
    allotments: Vec<Allotment>,
    next: Option<String>,
}

/// An allotment.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AllotmentBody {
    allotment: Allotment,
}

/// Answers 200 with a page of allotments.
pub async fn list_allotments(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![allotments::page(context.after(IdKind::Allotment)?.as_ref())];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let mut allotments = allotments::read_page(rows.first().unwrap_or(&Rows::new()))?;
    let next = cut_to_page(&mut allotments, PAGE_ROWS, |one| Some(&one.id));
    Reply::json(200, &AllotmentsPage { allotments, next })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AllotmentRequest {
    provider: BlockProvider,
    subject: String,
    name: Option<String>,
    /// Whether these people may claim even if their accounts are too new.
    waives_age: Option<bool>,
}

/// Answers 201 with the allotment, or 200 with the existing one.
pub async fn put_allotment(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let wanted: AllotmentRequest = context.json()?;
    if !is_account_number(&wanted.subject) {
        return Err(Error::bad_member(
            "/subject",
            "must be the account's number, in digits",
        ));
    }
    let name = match &wanted.name {
        None => None,
        Some(text) => Some(key_name(text).map_err(|_| keys::BAD_NAME)?),
    };
    let person = Person {
        provider: wanted.provider.name(),
        subject: &wanted.subject,
        kind: if wanted.waives_age == Some(true) {
            "appeal"
        } else {
            "claim"
        },
        name: name.as_deref(),
    };
    let app = &*context.app;
    let id = context.id(IdKind::Allotment, "")?;
    let put = allotments::put(&*app.db, &by(&context, &session)?, &id, &person).await?;
    // This very request has made it before, and it has been withdrawn since.
    let (allotment, is_new) = put.ok_or(Error::NotFound)?;
    let status = if is_new { 201 } else { 200 };
    Reply::json(status, &AllotmentBody { allotment })
}

/// Answers 204, also if there is no such allotment any more.
pub async fn withdraw_allotment(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let id = PublicId::parse(IdKind::Allotment, context.last_segment()).ok_or(Error::NotFound)?;
    let app = &*context.app;
    allotments::withdraw(&*app.db, &by(&context, &session)?, &id).await?;
    Ok(Reply::no_content())
}

fn by<'a>(context: &Context, session: &'a Session) -> Result<By<'a>, NoRandomness> {
    Ok(By {
        session,
        change: context.id(IdKind::Change, "")?,
        now: context.app.now(),
    })
}
