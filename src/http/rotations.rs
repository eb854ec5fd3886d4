//! A key's next secret: `POST /api/v1/keys/{id}/rotate`, `…/leaked`, `…/renew`. The story itself is in `rotate`.

use serde::Serialize;

use super::body::NoMembers;
use super::claim::idempotency;
use super::keys::KeyBody;
use super::pipeline::is_admin;
use super::{Context, Reply};
use crate::domain::rotation::GRACE_HOURS;
use crate::error::Error;
use crate::rotate::{self, Asked, Rotated};
use crate::store::cards::Card;

body! {
    /// Without grace it is at once; a renewal that does not say has a day of it.
    struct Wanted {
        grace_hours: Option<i64>,
    }
}

impl Wanted {
    fn grace_hours(&self) -> Result<Option<i64>, Error> {
        match self.grace_hours {
            Some(hours) if !GRACE_HOURS.contains(&hours) => Err(Error::BadRequest {
                detail: "A grace has 1 to 168 hours.",
            }),
            other => Ok(other),
        }
    }
}

#[derive(Serialize)]
struct RotationBody<'a> {
    key: KeyBody,
    /// Only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    /// What to do where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub async fn rotate_key(context: Context) -> Result<Reply, Error> {
    let grace_hours = context.json::<Wanted>()?.grace_hours()?;
    let rotated = rotate::rotate(&context.app, &asked(&context)?, grace_hours).await?;
    answer(&context, rotated)
}

pub async fn renew_key(context: Context) -> Result<Reply, Error> {
    let grace_hours = context.json::<Wanted>()?.grace_hours()?;
    let rotated = rotate::renew(&context.app, &asked(&context)?, grace_hours).await?;
    answer(&context, rotated)
}

pub async fn report_leak(context: Context) -> Result<Reply, Error> {
    let _: NoMembers = context.json()?;
    let rotated = rotate::report_leak(&context.app, &asked(&context)?, is_admin).await?;
    answer(&context, rotated)
}

fn asked(context: &Context) -> Result<Asked<'_>, Error> {
    Ok(Asked {
        session: context.member()?,
        key: context.segment_before_last(),
        // The same body for another key, or another verb, is another request.
        idempotency: idempotency(context, &context.path)?,
    })
}

fn answer(context: &Context, rotated: Rotated) -> Result<Reply, Error> {
    let (status, card, secret, note) = match rotated {
        Rotated::New { card, secret } => (201, card, Some(secret), None),
        Rotated::Before(card) => {
            let note = "This was answered before. If you did not get the secret, rotate again.";
            (200, card, None, Some(String::from(note)))
        }
        Rotated::Waits { card, why } => {
            let note = format!("{} {}", leaked(&card), waits(&why));
            (accepted(&card), card, None, Some(note))
        }
        Rotated::Reported(card) => {
            let note = format!("{} A new one is its owner's to ask for.", leaked(&card));
            (accepted(&card), card, None, Some(note))
        }
    };
    let body = RotationBody {
        key: KeyBody::new(card, context.app.now()),
        secret: secret.as_ref().map(crate::domain::secret::Secret::expose),
        note,
    };
    Reply::json(status, &body)
}

/// 202 until OpenRouter has confirmed that the leaked secret is off.
const fn accepted(card: &Card) -> u16 {
    if card.all_off { 200 } else { 202 }
}

const fn leaked(card: &Card) -> &'static str {
    if card.all_off {
        "The leaked secret is off and stays off."
    } else {
        "The leaked secret is still on; it is being disabled, usually within 10 minutes."
    }
}

/// What a replacement waits for, and until when.
fn waits(why: &Error) -> String {
    let until = match why {
        Error::RotationsUsedUp { retry_at: at } => {
            format!("Rotate from {} on.", at.rfc3339())
        }
        Error::CreditSpent => String::from("Rotate once more is paid."),
        Error::MintingStopped => String::from("Rotate once keys are made again."),
        Error::Held | Error::KeyOff => String::from("Rotate once nothing else holds it."),
        _ => String::from("Rotate in half an hour."),
    };
    format!("A new one waits: {}. {until}", why.title())
}
