//! What administrators grant in addition to the plan: `/api/v1/admin/keys/{id}/raises` and
//! `/api/v1/admin/members/{id}/payments`.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::app::sync::limit;
use crate::domain::id::IdKind;
use crate::domain::money::budget;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::http::admin::plans::{amount, change};
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::budget::allowances::{self, OwnerLookup};
use crate::store::budget::payments::{self, Payment};
use crate::store::budget::raises::{self, Raised};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RaiseRequest {
    /// In USD, with at most two decimals.
    amount_usd: String,
    /// Until when, as 2027-01-31T00:00:00Z; null for good. A raise until midnight ends 22 minutes before it.
    until: Option<String>,
}

/// A raise, and the key's limit without it and with it.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RaisedBody {
    #[serde(flatten)]
    raised: Raised,
    /// How many of the owner's keys follow only with the next sweep.
    keys_left_to_sweep: usize,
}

/// The raise has ended.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RaiseEndedBody {
    /// How many of the owner's keys follow only with the next sweep.
    keys_left_to_sweep: usize,
}

/// The end of a raise as a request names it, which has to be still to come.
pub fn raise_until(text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let until = Timestamp::parse(text).map(|until| budget::raise_ends(until, now));
    until.filter(|until| *until > now).ok_or(Error::bad_member(
        "/until",
        "must be a moment to come, as 2027-01-31T00:00:00Z; a raise until midnight ends 22 minutes before it",
    ))
}

/// Answers 201 with the raise, and the key's limit without it and with it.
pub async fn raise_limit(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let RaiseRequest { amount_usd, until } = context.json()?;
    let amount = amount("/amount_usd", &amount_usd)?;
    let app = &*context.app;
    let by = change(&context, &session)?;
    let until = until.as_deref().map(|until| raise_until(until, by.now));
    let until = until.transpose()?;
    let key = context.segment_before_last();
    let owner = allowances::owner(&*app.db, OwnerLookup::Key(key)).await?;
    let owner = owner.ok_or(Error::NotFound)?;
    if owner.limit_reset == LimitReset::None {
        return Err(Error::Prepaid);
    }
    let raise = context.id(IdKind::Raise, "")?;
    let raised = raises::raise(&*app.db, &by, key, owner.owner, &raise, amount, until).await?;
    let raised = raised.ok_or(Error::NotFound)?;
    let left = limit::follow_owner(app, owner.owner, session.member.as_str()).await;
    let body = RaisedBody {
        raised,
        keys_left_to_sweep: left,
    };
    Reply::json(201, &body)
}

/// Answers 204, also for a raise that had ended; 202 while some of the owner's keys still have to follow.
pub async fn end_raise(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let app = &*context.app;
    let raise = context.last_segment();
    let owner = allowances::owner(&*app.db, OwnerLookup::Raise(raise)).await?;
    let owner = owner.ok_or(Error::NotFound)?;
    let by = change(&context, &session)?;
    raises::end_raise(&*app.db, &by, raise, &owner).await?;
    match limit::follow_owner(app, owner.owner, session.member.as_str()).await {
        0 => Ok(Reply::no_content()),
        keys_left_to_sweep => Reply::json(202, &RaiseEndedBody { keys_left_to_sweep }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct PaymentRequest {
    /// The payment's own id, 1 to 128 printable characters: under the same id nothing is booked twice.
    payment_id: String,
    /// In USD, with at most two decimals.
    amount_usd: String,
}

/// A payment's id has at most this many characters.
const PAYMENT_ID_CHARS: usize = 128;

/// A payment as it was booked.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct PaymentBody {
    payment: Payment,
    already_booked: bool,
    /// How many of the owner's keys follow only with the next sweep.
    keys_left_to_sweep: usize,
}

/// Answers 201 with the payment as it is booked, or 200 with `already_booked` if it was booked before: nothing is
/// booked twice. Another amount or member under the same id is refused.
pub async fn book_payment(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let PaymentRequest {
        payment_id,
        amount_usd,
    } = context.json()?;
    let amount = amount("/amount_usd", &amount_usd)?;
    let fits = (1..=PAYMENT_ID_CHARS).contains(&payment_id.len());
    if !fits || !payment_id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::bad_member(
            "/payment_id",
            "must have 1 to 128 printable characters",
        ));
    }
    let app = &*context.app;
    let member = context.segment_before_last();
    let owner = allowances::owner(&*app.db, OwnerLookup::Member(member)).await?;
    let owner = owner.ok_or(Error::NotFound)?.owner;
    let by = change(&context, &session)?;
    let booked = payments::pay(&*app.db, &by, member, owner, &payment_id, amount).await?;
    let (payment, now) = booked.ok_or(Error::NotPrepaid)?;
    if payment.owner != owner || payment.paid != amount {
        return Err(Error::PaymentMismatch);
    }
    let left = limit::follow_owner(app, owner, session.member.as_str()).await;
    let status = if now { 201 } else { 200 };
    let body = PaymentBody {
        payment,
        already_booked: !now,
        keys_left_to_sweep: left,
    };
    Reply::json(status, &body)
}
