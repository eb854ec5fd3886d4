//! Sends one wanted change of a key to OpenRouter. The change is written down before it is sent and after the answer. The
//! sweep in each run and an owner's own request both use this code.

use serde_json::json;

use crate::app::context::App;
use crate::app::sync::absence;
use crate::app::sync::cap::Cap;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::key::purge::Removed;
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::budget::limits::{self, Agreed, Basis};
use crate::store::keys::due::Due;
use crate::store::keys::generations;
use crate::store::keys::holds::{self, PendingSwitch, Switch, SwitchInFlight};
use crate::upstream::openrouter::{self, Done, UpstreamRefusal, UpstreamReply};

/// Failed tries to read what a key has spent, before it is ended without.
pub const READS_OF_SPEND: i64 = 3;

/// A doubt covers what lands within minutes of being written down. Where the answer to that took longer, what it
/// covers is not sent any more: it might undo what was decided, and confirmed, meanwhile.
const SEND_WITHIN_SECS: i64 = 60;

/// What a switch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// Upstream agrees, and it is written down.
    Confirmed,
    /// Upstream no longer has the key: nobody can spend with it, and it is written down as off.
    Gone,
    /// Nothing had to be sent.
    AsItWas,
    /// It is no longer wanted, or somebody else's turn by now: the doubt stays, and the next run says what is wanted then.
    Overtaken,
}

/// Switches a key off or on as its holds want it: the doubt is written down first, and ends with upstream's own answer.
/// Times are those of the sending itself, also in a run for another moment.
pub async fn switch(
    app: &App,
    switch: Switch,
    due: &Due,
    actor: &str,
) -> Result<UpstreamReply<SwitchOutcome>, DbError> {
    let told = switch_and_read(app, switch, due, actor).await?;
    Ok(told.map(|(switched, _)| switched))
}

/// The same, and what the answer said that the key had spent, if it did.
pub async fn switch_and_read(
    app: &App,
    switch: Switch,
    due: &Due,
    actor: &str,
) -> Result<UpstreamReply<(SwitchOutcome, Option<Spend>)>, DbError> {
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let turn = PendingSwitch {
        switch,
        generation: &due.public_id,
        nonce: &nonce,
    };
    let asked = app.now();
    let Some(doubt) = holds::mark_in_flight(&*app.db, &turn, asked).await? else {
        return Ok(UpstreamReply::Is((SwitchOutcome::Overtaken, None)));
    };
    if is_late(app, asked) {
        return Ok(UpstreamReply::Unknown);
    }
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let answer = openrouter::switch_key(&app.upstream(), hash, switch == Switch::Off).await;
    let answer = absence::judge(app, due, answer, actor).await?;
    let is_gone = matches!(answer, UpstreamReply::Missing);
    let (doubt, spent) = match answer {
        // What was sent to it earlier finds it no more.
        UpstreamReply::Missing if switch == Switch::Off => (SwitchInFlight::NONE, None),
        UpstreamReply::Is((done, body)) => {
            let doubt = match done {
                Done::Surely => doubt,
                Done::AfterDoubt => SwitchInFlight::since(app.now()),
            };
            (doubt, body.and_then(|body| body.read_at(app.now())))
        }
        other => return Ok(other.map(|_| (SwitchOutcome::Overtaken, None))),
    };
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    let confirmed = holds::settle(&*app.db, &turn, doubt, actor, &change, app.now()).await?;
    let switched = match confirmed {
        true if is_gone => SwitchOutcome::Gone,
        true => SwitchOutcome::Confirmed,
        false => SwitchOutcome::Overtaken,
    };
    Ok(UpstreamReply::Is((switched, spent)))
}

/// Whether what was to be written down at `asked` took too long to be sent under that doubt.
pub fn is_late(app: &App, asked: Timestamp) -> bool {
    app.now() > asked.plus(SEND_WITHIN_SECS)
}

/// Gives a key another limit of the window it has: a lower one, whatever its siblings do. Tells what the answer said that
/// it had spent by then, which may be more than the limit.
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

/// The doubt is written down first, and ends with upstream's own answer: the limit and the window that were wanted, and
/// what was spent by then.
async fn send_limit(
    app: &App,
    due: &Due,
    limit: NanoUsd,
    cap: Option<(&Cap, &Basis)>,
    actor: &str,
) -> Result<UpstreamReply<(SwitchOutcome, Option<Spend>)>, DbError> {
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let turn = limits::PendingLimit {
        generation: &due.public_id,
        nonce: &nonce,
        limit,
        basis: cap.map(|(_, basis)| basis),
    };
    let asked = app.now();
    let Some(doubt) = limits::mark_in_flight(&*app.db, &turn, asked).await? else {
        return Ok(UpstreamReply::Is((SwitchOutcome::Overtaken, None)));
    };
    if is_late(app, asked) {
        return Ok(UpstreamReply::Unknown);
    }
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let limit_reset = cap.map_or(doubt.limit_reset, |(cap, _)| cap.limit_reset);
    // Whatever was sent before may have brought another window with it.
    let is_known = limit_reset == doubt.limit_reset && !doubt.is_of_another();
    let changed = (!is_known).then_some(limit_reset);
    let answer = openrouter::limit_key(&app.upstream(), hash, limit, changed).await;
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
    let confirmed = limits::settle(&*app.db, &turn, &doubt, &agreed, actor, &change, now).await?;
    let switched = if confirmed {
        SwitchOutcome::Confirmed
    } else {
        SwitchOutcome::Overtaken
    };
    Ok(UpstreamReply::Is((switched, Some(spend))))
}

/// Removes a key for good: off and its last figures, or deleted where there are none to wait for. `Is` when upstream says
/// so; one that upstream no longer has is as good as deleted.
pub async fn remove(app: &App, due: &Due, actor: &str) -> Result<Removal, DbError> {
    let Removal { reply, is_off } = off_or_deleted(app, due).await?;
    let reply = match absence::judge(app, due, reply, actor).await? {
        UpstreamReply::Missing => UpstreamReply::Is(Removed::Deleted),
        other => other,
    };
    Ok(Removal { reply, is_off })
}

/// A key that can be neither disabled nor deleted has its limit lowered: it may work on, and costs nothing more.
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
        // Where they cannot be had, being off for good comes first: all of its cap counts then.
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

/// What came of removing a key.
pub struct Removal {
    pub reply: UpstreamReply<Removed>,
    /// It is disabled, whatever else could not be done.
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

/// Whether there are figures to wait for. A stray has none; and where a switch may land yet, the key may come on again
/// after them.
fn has_figures(app: &App, due: &Due) -> bool {
    let lands = |at: Timestamp| at > app.now().plus(-LANDS_WITHIN_SECS);
    due.delivered && !due.doubted_at.is_some_and(lands)
}

/// Disables a key that is to be removed; where that fails, its limit is lowered as far as it goes. The row keeps the
/// higher limit on record: its siblings' caps count with no less.
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

/// What a key that is off has spent until then, booked at once: its successor's cap is computed from it.
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
