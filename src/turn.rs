//! One turn of a generation upstream: what is wanted is sent once, and written down before and after. Whoever wants it
//! done takes the same turn: the sweep in every run, and the owner's own request at once.

use crate::app::App;
use crate::crypto::random;
use crate::domain::erasure::Removed;
use crate::domain::id::Kind;
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::generations::{self, Due};
use crate::store::holds::{self, Doubt, Switch, Turn};
use crate::upstream::openrouter::{self, Done, Reply};

/// Failed tries to read what a key has spent, before it is ended without.
pub const READS_OF_SPEND: i64 = 3;

/// What a switch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// Upstream agrees, and it is written down.
    Confirmed,
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
) -> Result<Reply<Switched>, DbError> {
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let turn = Turn {
        switch,
        generation: &due.public_id,
        nonce: &nonce,
    };
    let Some(doubt) = holds::about_to(&*app.db, &turn, app.now()).await? else {
        return Ok(Reply::Is(Switched::Overtaken));
    };
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(Reply::Unknown);
    };
    let doubt = match openrouter::switch_key(app, hash, switch == Switch::Off).await {
        Reply::Is(Done::Surely) => doubt,
        Reply::Is(Done::AfterDoubt) => Doubt::since(app.now()),
        other => return Ok(other.map(|_| Switched::Overtaken)),
    };
    let change = random::public_id(&*app.random, Kind::Change).map_err(|_| DbError::Broken)?;
    let confirmed = holds::confirmed(&*app.db, &turn, doubt, actor, &change, app.now()).await?;
    Ok(Reply::Is(if confirmed {
        Switched::Confirmed
    } else {
        Switched::Overtaken
    }))
}

/// Removes a key for good: off and its last figures, or deleted where there are none to wait for. `Is` when upstream says so.
pub async fn remove(app: &App, due: &Due) -> Result<Reply<Removed>, DbError> {
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(Reply::Unknown);
    };
    if has_figures(app, due) {
        return Ok(last_figures(app, due, hash).await?.map(|()| Removed::Off));
    }
    let deleted = openrouter::delete_key(app, hash).await;
    Ok(deleted.map(|()| Removed::Deleted))
}

/// Whether there are figures to wait for. A stray has none. Where a switch may land yet the key may come on again after
/// them, and where they cannot be had being off comes first: all of its cap counts then (B1, C1).
fn has_figures(app: &App, due: &Due) -> bool {
    let lands = |at: Timestamp| at > app.now().plus(-generations::LANDS_WITHIN_SECS);
    due.delivered && !due.doubted_at.is_some_and(lands) && due.attempts < READS_OF_SPEND
}

/// Off first, then what it has spent until then, booked at once: its successor's cap is computed from it (B1).
async fn last_figures(app: &App, due: &Due, hash: &str) -> Result<Reply<()>, DbError> {
    match openrouter::switch_key(app, hash, true).await {
        Reply::Is(_) => {}
        other => return Ok(other.map(|_| ())),
    }
    let off_at = app.now();
    let spend = match openrouter::read_key(app, hash).await {
        Reply::Is(body) => body.read_at(off_at),
        other => return Ok(other.map(|_| ())),
    };
    let Some(spend) = spend else {
        return Ok(Reply::Unknown);
    };
    generations::book(&*app.db, &due.public_id, &spend).await?;
    Ok(Reply::Is(()))
}
