//! Sends one wanted change of a key to OpenRouter. The change is written down before it is sent and after the answer. The
//! sweep in each run and an owner's own request both use this code.

use serde_json::json;

use crate::app::context::App;
use crate::app::sync::absence;
use crate::app::sync::cap::Cap;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::generation::{LANDS_WITHIN_SECS, SEND_WITHIN_SECS};
use crate::domain::key::purge::Removed;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::budget::caps::Basis;
use crate::store::budget::limits::{self, Agreed};
use crate::store::keys::due::Due;
use crate::store::keys::generations;
use crate::store::keys::holds::{self, PendingSwitch, Switch, SwitchInFlight};
use crate::upstream::client::UpstreamClient;
use crate::upstream::openrouter::{self, Done, UpstreamRefusal, UpstreamReply};

/// After this many failed attempts to read what a key has spent, the key is deleted without that figure.
pub const READS_OF_SPEND: i64 = 3;

/// The result of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// OpenRouter confirmed the switch, and that is written down.
    Confirmed,
    /// OpenRouter no longer has the key. Nobody can spend with it, and it is written down as disabled.
    Gone,
    /// Nothing had to be sent.
    AsItWas,
    /// The switch is no longer wanted, or another request or run has taken it over. It stays in flight, and the next
    /// run sends what is wanted then.
    Overtaken,
}

/// Enables or disables a key as its holds require. The switch is marked as in flight before it is sent, and is settled
/// by OpenRouter's own answer. All times are those of the sending itself, even in a run that is replayed for another
/// moment.
pub async fn switch(
    app: &App,
    switch: Switch,
    due: &Due,
    actor: &str,
) -> Result<UpstreamReply<SwitchOutcome>, DbError> {
    let reply = switch_and_read(app, switch, due, actor).await?;
    Ok(reply.map(|(switched, _)| switched))
}

/// Does the same as [`switch`], and also returns what the key had spent, if the answer said so.
pub async fn switch_and_read(
    app: &App,
    switch: Switch,
    due: &Due,
    actor: &str,
) -> Result<UpstreamReply<(SwitchOutcome, Option<Spend>)>, DbError> {
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let pending = PendingSwitch {
        switch,
        generation: &due.public_id,
        nonce: &nonce,
    };
    let asked = app.now();
    let Some(in_flight) = holds::mark_in_flight(&*app.db, &pending, asked).await? else {
        return Ok(UpstreamReply::Is((SwitchOutcome::Overtaken, None)));
    };
    let Some(upstream) = in_time(app, asked) else {
        return Ok(UpstreamReply::Unknown);
    };
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let answer = openrouter::switch_key(&upstream, hash, switch == Switch::Off).await;
    let answer = absence::judge(app, due, answer, actor).await?;
    let is_gone = matches!(answer, UpstreamReply::Missing);
    let (in_flight, spent) = match answer {
        // Nothing that was sent earlier can reach a key that no longer exists.
        UpstreamReply::Missing if switch == Switch::Off => (SwitchInFlight::NONE, None),
        UpstreamReply::Is((done, body)) => {
            let in_flight = match done {
                Done::Surely => in_flight,
                Done::AfterUnknown => SwitchInFlight::since(app.now()),
            };
            (in_flight, body.and_then(|body| body.read_at(app.now())))
        }
        other => return Ok(other.map(|_| (SwitchOutcome::Overtaken, None))),
    };
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    let confirmed = holds::settle(&*app.db, &pending, in_flight, actor, &change, app.now()).await?;
    let switched = match confirmed {
        true if is_gone => SwitchOutcome::Gone,
        true => SwitchOutcome::Confirmed,
        false => SwitchOutcome::Overtaken,
    };
    Ok(UpstreamReply::Is((switched, spent)))
}

/// The client for calls whose change was marked as in flight since `asked`. Returns `None` if writing that down took too
/// long for it to be sent.
pub fn in_time(app: &App, asked: Timestamp) -> Option<UpstreamClient<'_>> {
    let send_by = asked.plus(SEND_WITHIN_SECS);
    (app.now() <= send_by).then(|| app.upstream().sending_by(send_by))
}

/// Gives a key another limit in the same window: a lower one, whatever its siblings do. It returns what the key had
/// spent by then according to the answer, which may be more than the limit.
pub async fn limit(
    app: &App,
    due: &Due,
    limit: NanoUsd,
    actor: &str,
) -> Result<UpstreamReply<(SwitchOutcome, Option<Spend>)>, DbError> {
    send_limit(app, due, limit, None, actor).await
}

/// Gives a key the cap that was computed for it.
pub async fn cap(
    app: &App,
    due: &Due,
    cap: &Cap,
    basis: &Basis,
    actor: &str,
) -> Result<UpstreamReply<SwitchOutcome>, DbError> {
    let sent = send_limit(app, due, cap.limit, Some((cap, basis)), actor).await?;
    Ok(sent.map(|(switched, _)| switched))
}

/// Sends a limit. The limit is marked as in flight before it is sent, and is settled by OpenRouter's own answer: the
/// answer must show the wanted limit and window, and it says what was spent by then.
async fn send_limit(
    app: &App,
    due: &Due,
    limit: NanoUsd,
    cap: Option<(&Cap, &Basis)>,
    actor: &str,
) -> Result<UpstreamReply<(SwitchOutcome, Option<Spend>)>, DbError> {
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let pending = limits::PendingLimit {
        generation: &due.public_id,
        nonce: &nonce,
        limit,
        basis: cap.map(|(_, basis)| basis),
    };
    let asked = app.now();
    let Some(in_flight) = limits::mark_in_flight(&*app.db, &pending, asked).await? else {
        return Ok(UpstreamReply::Is((SwitchOutcome::Overtaken, None)));
    };
    let Some(upstream) = in_time(app, asked) else {
        return Ok(UpstreamReply::Unknown);
    };
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let limit_reset = cap.map_or(in_flight.limit_reset, |(cap, _)| cap.limit_reset);
    // An earlier limit that is still in flight may have changed the window as well.
    let is_known = limit_reset == in_flight.limit_reset && !in_flight.is_of_another();
    let changed = (!is_known).then_some(limit_reset);
    let answer = openrouter::limit_key(&upstream, hash, limit, changed).await;
    let body = match absence::judge(app, due, answer, actor).await? {
        UpstreamReply::Is(body) => body,
        other => return Ok(other.map(|_| (SwitchOutcome::Overtaken, None))),
    };
    let (true, Some(spend)) = (body.agrees(limit, limit_reset), body.read_at(app.now())) else {
        return Ok(UpstreamReply::Unknown);
    };
    let agreed = Agreed {
        limit_reset,
        spend: &spend,
        exhausted: cap.is_some_and(|(cap, _)| cap.exhausted),
        next: cap.and_then(|(cap, _)| cap.next),
    };
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    let now = app.now();
    let confirmed =
        limits::settle(&*app.db, &pending, &in_flight, &agreed, actor, &change, now).await?;
    let switched = if confirmed {
        SwitchOutcome::Confirmed
    } else {
        SwitchOutcome::Overtaken
    };
    Ok(UpstreamReply::Is((switched, Some(spend))))
}

/// Removes a key for good. It is disabled and its last figures are read, or it is deleted if there are no figures to
/// wait for. The result is `Is` once OpenRouter confirms that. A key that OpenRouter no longer has counts as deleted.
pub async fn remove(app: &App, due: &Due, actor: &str) -> Result<Removal, DbError> {
    let Removal { reply, is_off } = off_or_deleted(app, due).await?;
    let reply = match absence::judge(app, due, reply, actor).await? {
        UpstreamReply::Missing => UpstreamReply::Is(Removed::Deleted),
        other => other,
    };
    Ok(Removal { reply, is_off })
}

/// Disables the key or deletes it. If neither works, the key's limit is lowered: it may go on working, but it can spend
/// almost nothing more.
async fn off_or_deleted(app: &App, due: &Due) -> Result<Removal, DbError> {
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(Removal::open(UpstreamReply::Unknown));
    };
    let has_figures = has_figures(app, due);
    if has_figures {
        let off = off_or_least(app, due, hash).await;
        let is_off = off == UpstreamReply::Is(());
        let figures = match off {
            UpstreamReply::Is(()) => last_figures(app, due, hash).await?,
            other => other,
        };
        // If the figures cannot be read, ending the key for good comes first. All of its cap counts as spent then.
        if figures == UpstreamReply::Is(()) || due.attempts < READS_OF_SPEND {
            let reply = figures.map(|()| Removed::Off);
            return Ok(Removal { reply, is_off });
        }
    }
    let deleted = openrouter::delete_key(&app.upstream(), hash).await;
    let is_open = matches!(
        deleted,
        UpstreamReply::Unknown | UpstreamReply::Refused(UpstreamRefusal::Rejected)
    );
    if is_open && due.delivered && !has_figures {
        off_or_least(app, due, hash).await;
    }
    Ok(Removal::open(deleted.map(|()| Removed::Deleted)))
}

/// The result of removing a key.
pub struct Removal {
    pub reply: UpstreamReply<Removed>,
    /// The key is disabled, whatever else failed.
    pub is_off: bool,
}

impl Removal {
    const fn open(reply: UpstreamReply<Removed>) -> Self {
        Self {
            reply,
            is_off: false,
        }
    }
}

/// Answers whether the key has figures to wait for. A stray has none. While a switch is in flight, the key may be
/// enabled again after they were read.
fn has_figures(app: &App, due: &Due) -> bool {
    let lands = |at: Timestamp| at > app.now().plus(-LANDS_WITHIN_SECS);
    due.delivered && !due.in_flight_since.is_some_and(lands)
}

/// Disables a key that is to be removed. If that fails, its limit is lowered to the smallest one. The row keeps the
/// higher limit, so the caps of its siblings still count that.
async fn off_or_least(app: &App, due: &Due, hash: &str) -> UpstreamReply<()> {
    let off = openrouter::switch_key(&app.upstream(), hash, true).await;
    if matches!(
        off,
        UpstreamReply::Unknown | UpstreamReply::Refused(UpstreamRefusal::Rejected)
    ) {
        let lowered = openrouter::limit_key(&app.upstream(), hash, NanoUsd::CENT, None).await;
        let lowered =
            matches!(lowered, UpstreamReply::Is(body) if body.allows_at_most(NanoUsd::CENT));
        let generation = due.public_id.as_str();
        let more = json!({ "generation": generation, "limit_lowered": lowered });
        app.note("error", "key_not_disabled", more);
    }
    off.map(|_| ())
}

/// Reads what a disabled key has spent and records it at once, because its successor's cap is computed from it.
async fn last_figures(app: &App, due: &Due, hash: &str) -> Result<UpstreamReply<()>, DbError> {
    let off_at = app.now();
    let spend = match openrouter::read_key(&app.upstream(), hash).await {
        UpstreamReply::Is(body) => body.read_at(off_at),
        other => return Ok(other.map(|_| ())),
    };
    let Some(spend) = spend else {
        return Ok(UpstreamReply::Unknown);
    };
    generations::book(&*app.db, &due.public_id, &spend).await?;
    Ok(UpstreamReply::Is(()))
}
