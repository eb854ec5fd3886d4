//! What owners do with their own keys, and admins with any key: disable, enable, rename and remove it. The wanted state
//! is written down first and counts from then on. It is sent to OpenRouter once, at once; if that fails, the sweep
//! sends it again.

pub(crate) mod refresh;

use serde_json::json;

use crate::app::claim;
use crate::app::context::App;
use crate::app::error::Error;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::app::sync::upstream_changes::{self, Look};
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::{HoldRole, Reason};
use crate::domain::key::purge::Removed;
use crate::domain::people::session::Session;
use crate::domain::policy::quota::{ENABLES_A_DAY, RENAMES_A_DAY};
use crate::ports::DbError;
use crate::store::access::quotas;
use crate::store::keys::cards::{self, Card};
use crate::store::keys::due::Due;
use crate::store::keys::generations;
use crate::store::keys::holds::Switch;
use crate::store::keys::own_keys::{self, DueNow, Granted, KeyAct, KeyChange};
use crate::store::keys::upstream_holds;
use crate::upstream::openrouter::UpstreamReply;

/// A key after a change was asked for, and whether OpenRouter has confirmed the change. If it has not, the sweep
/// carries it out.
pub struct Carried {
    pub card: Card,
    pub confirmed: bool,
}

/// Changes a key by its id as the request names it. Members change their own keys, and an admin changes any key.
pub async fn change(
    app: &App,
    session: &Session,
    key: &str,
    disabled: Option<bool>,
    name: Option<String>,
) -> Result<Carried, Error> {
    let wish = wish(app, session, key)?;
    let name = match name {
        Some(name) => Some((random::public_id(&*app.random, IdKind::Change)?, name)),
        None => None,
    };
    let wanted = KeyChange { disabled, name };
    let granted = own_keys::change(&*app.db, &wish, &wanted).await?;
    refusal(&granted, disabled)?;
    let within_quota = within_quota(app, &wish, &wanted, &granted).await;
    // A key is disabled in any case, even if its new name exceeds the daily quota.
    if disabled != Some(true) {
        within_quota.clone()?;
    }
    let Granted { mut card, due, .. } = granted;
    let switch = match disabled {
        Some(true) => Switch::Off,
        Some(false) => Switch::On,
        None => {
            return Ok(Carried {
                card,
                confirmed: true,
            });
        }
    };
    let due: Vec<DueNow> = due.into_iter().filter(|due| is_due(due, switch)).collect();
    let mut followed = !due.is_empty();
    for DueNow { state, row } in due {
        if switch == Switch::Off && is_held_already(app, session, state, &row).await {
            card.holds.push(Reason::Upstream);
        }
        let is_gone = switched(app, switch, &row, session, &mut followed).await;
        card.missing |= is_gone;
    }
    if followed {
        card.state = switch.state();
    }
    let confirmed = followed || card.missing || is_so_already(&card, switch);
    within_quota.map(|()| Carried { card, confirmed })
}

/// Answers whether there was nothing to send: every generation is disabled, another hold keeps it so, or the key is
/// certainly enabled.
fn is_so_already(card: &Card, switch: Switch) -> bool {
    match switch {
        Switch::Off => card.all_off,
        Switch::On => card.state != GenerationState::Disabled || !card.holds.is_empty(),
    }
}

/// Answers whether someone outside keycap has disabled the key, so that enabling it later would undo that. Only a key
/// that is enabled as far as keycap knows is read.
async fn is_held_already(app: &App, session: &Session, state: GenerationState, row: &Due) -> bool {
    let known_on = state == GenerationState::Active && row.in_flight_since.is_none();
    match row.upstream_hash.as_deref().filter(|_| known_on) {
        Some(hash) => {
            upstream_changes::is_held_already(app, hash, session.member.as_str(), Look::Brief).await
        }
        None => false,
    }
}

/// Sends one switch and answers whether OpenRouter no longer has the key. It sets `followed` to false if the switch is
/// not confirmed at once.
async fn switched(
    app: &App,
    switch: Switch,
    row: &Due,
    session: &Session,
    followed: &mut bool,
) -> bool {
    let answer = switch::switch(app, switch, row, session.member.as_str()).await;
    let is_gone = matches!(
        answer,
        Ok(UpstreamReply::Is(SwitchOutcome::Gone) | UpstreamReply::Missing)
    );
    match answer {
        Ok(UpstreamReply::Is(SwitchOutcome::Confirmed | SwitchOutcome::Gone)) => {}
        // Another hold keeps the key disabled, another request or run has taken it over, or there is no key to enable.
        Ok(UpstreamReply::Is(SwitchOutcome::Overtaken) | UpstreamReply::Missing) => {
            *followed = false
        }
        left => {
            left_to_sweep(app, row, left);
            *followed = false;
        }
    }
    is_gone
}

/// Lets an admin lift what someone outside keycap did to a key at OpenRouter. The wanted state is sent again. A limit
/// follows with the next sweep.
pub async fn lift_upstream_hold(app: &App, session: &Session, key: &str) -> Result<Carried, Error> {
    let wish = wish(app, session, key)?;
    let (mut card, due) = upstream_holds::lift(&*app.db, &wish).await?;
    if !card.holds.is_empty() || due.is_empty() {
        return Ok(Carried {
            card,
            confirmed: true,
        });
    }
    let mut followed = true;
    for row in due {
        card.missing |= switched(app, Switch::On, &row, session, &mut followed).await;
    }
    if followed {
        card.state = GenerationState::Active;
    }
    let confirmed = followed || card.missing;
    Ok(Carried { card, confirmed })
}

/// Removes a key for good. Members remove their own keys, and an admin removes any key. Removing a key again gets the
/// same answer.
pub async fn end(app: &App, session: &Session, key: &str) -> Result<Carried, Error> {
    let wish = wish(app, session, key)?;
    let Granted { mut card, due, .. } = own_keys::end(&*app.db, &wish).await?;
    if !card.ended {
        // The guard refused, because a mint is under way.
        return Err(Error::ClaimInProgress);
    }
    let mut removed = !due.is_empty();
    for DueNow { row, .. } in due {
        removed &= remove(app, session.member.as_str(), &row).await;
    }
    if removed {
        card.state = GenerationState::Revoked;
    }
    let confirmed = !card.state.is_live();
    Ok(Carried { card, confirmed })
}

/// Tries once to remove a generation that is `revoking`. It returns false if the rest is left to the sweep.
pub async fn remove(app: &App, actor: &str, row: &Due) -> bool {
    let removal = switch::remove(app, row, actor).await;
    match removal.map(|removal| removal.reply) {
        Ok(UpstreamReply::Is(removed)) => confirmed(app, actor, row, removed).await,
        left => {
            left_to_sweep(app, row, left);
            false
        }
    }
}

fn wish<'a>(app: &App, session: &'a Session, key: &'a str) -> Result<KeyAct<'a>, Error> {
    Ok(KeyAct {
        session,
        key,
        admins: app.config.admins_json(),
        change: random::public_id(&*app.random, IdKind::Change)?,
        now: app.now(),
    })
}

/// The reason why nothing was changed, if there is one.
fn refusal(granted: &Granted, disabled: Option<bool>) -> Result<(), Error> {
    let Granted { card, role, due } = granted;
    if card.ended && card.state.is_live() {
        return Err(Error::KeyBeingRemoved);
    }
    if card.ended {
        return Err(Error::KeyEnded);
    }
    let for_the_next = *role == HoldRole::Admin && !card.state.is_live();
    if disabled.is_some() && !for_the_next {
        switchable(card.state)?;
    }
    // A request that has lifted a hold was not refused, whatever else keeps the key disabled.
    let lifted = !due.is_empty();
    if disabled == Some(false) && !lifted && card.holds.iter().any(|hold| hold.bars(*role)) {
        return Err(Error::Held);
    }
    Ok(())
}

/// The reason why the change was not made although no hold stands against it: the daily quota, or OpenRouter asked us
/// to slow down.
async fn within_quota(
    app: &App,
    wish: &KeyAct<'_>,
    wanted: &KeyChange,
    granted: &Granted,
) -> Result<(), Error> {
    let Granted { card, role, .. } = granted;
    let own = match role {
        HoldRole::Owner => Reason::Owner,
        HoldRole::Admin => Reason::Admin,
    };
    let still_held = wanted.disabled == Some(false) && card.holds.contains(&own);
    let named = wanted.name.as_ref().map(|(_, name)| name);
    let unnamed = named.is_some_and(|name| card.name.as_ref() != Some(name));
    if !still_held && !unnamed {
        return Ok(());
    }
    let today = quotas::today(&*app.db, &wish.session.member, wish.now).await?;
    if still_held && today.pause_until > wish.now {
        return Err(claim::busy_until(today.pause_until, wish.now));
    }
    let used_up = (still_held && today.enables >= ENABLES_A_DAY)
        || (unnamed && today.renames >= RENAMES_A_DAY);
    if used_up && *role == HoldRole::Owner {
        return Err(Error::daily_quota(wish.now));
    }
    Ok(())
}

/// Checks that there is a key at OpenRouter that can be enabled or disabled.
pub fn switchable(state: GenerationState) -> Result<(), Error> {
    match state {
        GenerationState::Active | GenerationState::Disabled => Ok(()),
        GenerationState::Reserved | GenerationState::Minting | GenerationState::Verifying => {
            Err(Error::ClaimInProgress)
        }
        GenerationState::Revoking | GenerationState::Stuck => Err(Error::KeyBeingRemoved),
        GenerationState::Revoked | GenerationState::Expired | GenerationState::Void => {
            Err(Error::KeyEnded)
        }
    }
}

/// Answers whether a switch has to be sent. None is sent if OpenRouter is known to agree already, or if the generation
/// is being removed.
fn is_due(due: &DueNow, switch: Switch) -> bool {
    let is_switched = matches!(
        due.state,
        GenerationState::Active | GenerationState::Disabled
    );
    is_switched && (due.state != switch.state() || due.row.in_flight_since.is_some())
}

/// The reason why this key has no secret that could be replaced or disabled.
pub fn not_replaceable(card: &Card) -> Error {
    switchable(card.state).err().unwrap_or(Error::KeyEnded)
}

/// Does the same for any key, on behalf of an admin.
pub async fn why_not_replaceable(
    app: &App,
    session: &Session,
    key: &str,
) -> Result<Error, DbError> {
    let admins = app.config.admins_json();
    let card = cards::read_one(
        &*app.db,
        cards::one_to_act_on(session, key, &admins, app.now()),
    );
    Ok(card
        .await?
        .map_or(Error::NotFound, |card| not_replaceable(&card)))
}

async fn confirmed(app: &App, actor: &str, row: &Due, removed: Removed) -> bool {
    let confirmed = match random::public_id(&*app.random, IdKind::Change) {
        Ok(change) => {
            let generation = row.public_id.as_str();
            generations::confirm_off(&*app.db, generation, removed, actor, &change, app.now()).await
        }
        Err(_) => Err(DbError::Broken),
    };
    if confirmed.is_err() {
        left_to_sweep(app, row, confirmed);
    }
    confirmed == Ok(true)
}

/// Logs that the sweep will finish this. The wanted state is written down, and the answer says what OpenRouter has
/// confirmed.
pub fn left_to_sweep(app: &App, row: &Due, outcome: impl std::fmt::Debug) {
    let generation = row.public_id.as_str();
    let cause = format!("{outcome:?}");
    let more = json!({ "generation": generation, "cause": cause });
    app.note("warn", "turn_left_to_sweep", more);
}
