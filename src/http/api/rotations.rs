//! A key's next secret: `POST /api/v1/keys/{id}/rotate`, `…/leaked`, `…/renew`, and `/api/v1/admin/leaks`.
//! `app::rotate` has the steps.

use serde::Deserialize;

use crate::app::error::Error;
use crate::app::rotate::{self, Rotated, RotationRequest};
use crate::domain::key::rotation::GRACE_HOURS;
use crate::domain::time::Timestamp;
use crate::http::api::key_answer;
use crate::http::api::leaks::is_sha256;
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::keys::cards::Card;

/// A rotation without `grace_hours` takes effect at once; a renewal without it has a grace of one day.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RotateRequest {
    /// How long the old secret works beside the new one. The two share what is left of the limit.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1, max = 168)))]
    grace_hours: Option<i64>,
}

impl RotateRequest {
    fn grace_hours(&self) -> Result<Option<i64>, Error> {
        match self.grace_hours {
            Some(hours) if !GRACE_HOURS.contains(&hours) => Err(Error::bad_member(
                "/grace_hours",
                "must be a number of hours from 1 to 168",
            )),
            other => Ok(other),
        }
    }
}

/// `POST /api/v1/keys/{id}/rotate`: answers 201 with the new secret.
pub async fn rotate_key(context: Context) -> Result<Reply, Error> {
    let grace_hours = context.json::<RotateRequest>()?.grace_hours()?;
    let rotated = rotate::rotate(&context.app, &asked(&context)?, grace_hours).await?;
    answer(&context, rotated)
}

/// `POST /api/v1/keys/{id}/renew`: answers 201 with the secret of a successor that has a full lifetime.
pub async fn renew_key(context: Context) -> Result<Reply, Error> {
    let grace_hours = context.json::<RotateRequest>()?.grace_hours()?;
    let rotated = rotate::renew(&context.app, &asked(&context)?, grace_hours).await?;
    answer(&context, rotated)
}

/// `POST /api/v1/keys/{id}/leaked`: answers 201 with the new secret, or says what it waits for.
pub async fn report_leak(context: Context) -> Result<Reply, Error> {
    let _: NoMembers = context.json()?;
    let rotated = rotate::report_leak(&context.app, &asked(&context)?).await?;
    answer(&context, rotated)
}

/// The SHA-256 of the secret. The secret itself is never sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct LeakReport {
    /// 64 lower-case hexadecimal digits.
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(regex(pattern = "^[0-9a-f]{64}$"))
    )]
    secret_sha256: String,
}

/// `POST /api/v1/admin/leaks`: a secret was found somewhere, and the administrator sends only its SHA-256.
pub async fn report_found(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let LeakReport { secret_sha256 } = context.json()?;
    if !is_sha256(&secret_sha256) {
        return Err(Error::bad_member(
            "/secret_sha256",
            "must be the SHA-256 of the whole secret, as 64 lower-case hexadecimal digits",
        ));
    }
    let taking = context.taking.clone();
    let found = rotate::report_found(&context.app, session, taking, &secret_sha256).await?;
    answer(&context, found.ok_or(Error::NotFound)?)
}

fn asked(context: &Context) -> Result<RotationRequest<'_>, Error> {
    Ok(RotationRequest {
        session: context.member()?,
        key: context.segment_before_last(),
        taking: context.taking.clone(),
    })
}

fn answer(context: &Context, rotated: Rotated) -> Result<Reply, Error> {
    let now = context.app.now();
    let (card, next) = match rotated {
        Rotated::New { card, secret } => return key_answer::new_secret(card, secret, now),
        Rotated::Waits { card, why } => (card, waits(&why)),
        Rotated::Reported(card) => (card, String::from("Its owner can ask for a new secret.")),
        Rotated::BeingRemoved { card, removed } => return being_removed(card, removed, now),
        Rotated::OverBefore(card) => {
            let note = "That secret had ended before. Nothing was changed.";
            return key_answer::without_secret(200, card, Some(String::from(note)), now);
        }
    };
    let note = format!("{} {next}", leaked(&card));
    key_answer::without_secret(accepted(&card), card, Some(note), now)
}

/// Answers for a secret that was to be removed already: 202 until OpenRouter has confirmed that it is disabled.
fn being_removed(card: Card, removed: bool, now: Timestamp) -> Result<Reply, Error> {
    let (status, note) = if removed || card.all_off {
        (
            200,
            "That secret is disabled for good. Nothing else was changed.",
        )
    } else {
        (
            202,
            "That secret may still work. It is being removed, usually within 10 minutes.",
        )
    };
    key_answer::without_secret(status, card, Some(String::from(note)), now)
}

/// The status: 202 until OpenRouter has confirmed that the leaked secret is disabled.
const fn accepted(card: &Card) -> u16 {
    if card.all_off { 200 } else { 202 }
}

const fn leaked(card: &Card) -> &'static str {
    if card.all_off {
        "The leaked secret no longer works."
    } else {
        "The leaked secret still works. It is being disabled, usually within 10 minutes."
    }
}

/// Says what a replacement waits for, and until when.
fn waits(why: &Error) -> String {
    let until = match why {
        Error::RotationsUsedUp { retry_at: at } => {
            format!("You can rotate the key from {} on.", at.rfc3339())
        }
        Error::CreditSpent => String::from("Rotate the key after your next payment."),
        Error::MintingStopped => String::from("Rotate the key when the service makes keys again."),
        Error::Held | Error::KeyOff => String::from("Rotate the key when it has no other hold."),
        _ => String::from("Rotate the key in half an hour."),
    };
    format!("A new one waits: {}. {until}", why.title())
}
