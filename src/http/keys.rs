//! `GET /api/v1/keys`: the member's own keys, from the database in one round trip.

use serde::Serialize;

use super::{Context, Reply};
use crate::domain::generation::State;
use crate::domain::money::NanoUsd;
use crate::domain::period::LimitReset;
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::ports::Rows;
use crate::store::cards::{self, Card};
use crate::store::members;

/// A key as its owner sees it. Its upstream hash is not here: whoever knows it can have the key disabled (C9).
#[derive(Serialize)]
pub struct KeyBody {
    id: String,
    name: Option<String>,
    /// OpenRouter's redacted form of the secret.
    mask: Option<String>,
    state: State,
    limit_usd: NanoUsd,
    limit_reset: LimitReset,
    /// When the current window ends.
    resets_at: Timestamp,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl KeyBody {
    pub fn new(card: Card, now: Timestamp) -> Self {
        let over = card.expires_at <= now && matches!(card.state, State::Active | State::Disabled);
        Self {
            id: card.id,
            name: card.name,
            mask: card.label,
            state: if over { State::Expired } else { card.state },
            limit_usd: card.limit,
            limit_reset: card.limit_reset,
            resets_at: card.limit_reset.ends(now),
            created_at: card.created_at,
            expires_at: card.expires_at,
        }
    }
}

#[derive(Serialize)]
struct KeysBody {
    keys: Vec<KeyBody>,
}

pub async fn list_keys(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let app = &*context.app;
    let (_, rows) =
        members::signed_in(&*app.db, &session, vec![cards::of_member(&session)]).await?;
    let none = Rows::new();
    let cards = cards::read_cards(rows.first().unwrap_or(&none))?;
    let now = app.now();
    let keys = cards.into_iter().map(|card| KeyBody::new(card, now));
    Reply::json(
        200,
        &KeysBody {
            keys: keys.collect(),
        },
    )
}
