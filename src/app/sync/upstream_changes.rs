//! What somebody else changed of a key at OpenRouter. Disabled, or given a lower limit, it stays so until an admin lifts
//! that by name: it may be an operator's emergency stop, or OpenRouter's own. Enabled, or given a higher limit, what is
//! wanted is sent again. Whatever reads a key asks here, and `domain::drift` decides.

use serde_json::json;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::drift::{Drift, ObservedKey, Remedy, allows_less, drift, remedy};
use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;
use crate::ports::DbError;
use crate::store::keys::due::Due;
use crate::store::keys::upstream_holds::{self, Sight};
use crate::store::ops::drift as rows;
use crate::store::ops::drift::ComparedRow;
use crate::upstream::openrouter::{self, UpstreamReply};

/// One point in which a key differs from its row.
pub struct Difference {
    pub generation: String,
    pub drift: Drift,
    pub remedy: Remedy,
    /// Whether the remedy was applied.
    pub applied: bool,
}

impl Difference {
    /// Whether it was somebody else's doing, and stays.
    pub const fn is_kept(&self) -> bool {
        self.applied && matches!(self.remedy, Remedy::Hold | Remedy::KeepLimit(_))
    }
}

/// Looks at a key once more, between two readings of its row: where the two differ, something of ours was under way and
/// nothing is concluded. With `acts`, each difference has its remedy.
pub async fn look(
    app: &App,
    hash: &str,
    actor: &str,
    acts: bool,
) -> Result<UpstreamReply<Vec<Difference>>, DbError> {
    let Some(before) = rows::by_hash(&*app.db, hash).await? else {
        return Ok(UpstreamReply::Is(Vec::new()));
    };
    let key = match openrouter::read_listed(&app.upstream(), hash).await {
        UpstreamReply::Is(key) => key,
        other => return Ok(other.map(|_| Vec::new())),
    };
    let Some(row) = rows::by_hash(&*app.db, hash).await? else {
        return Ok(UpstreamReply::Is(Vec::new()));
    };
    if row != before {
        return Ok(UpstreamReply::Is(Vec::new()));
    }
    let mut differences = Vec::new();
    let (wanted, seen, now) = (row.wanted(), key.seen(), app.now());
    for point in drift(&wanted, &seen, now) {
        let remedy = remedy(point, &wanted, &seen, now);
        let applied = acts && apply(app, &row, remedy, &seen, actor).await?;
        differences.push(Difference {
            generation: row.public_id.clone(),
            drift: point,
            remedy,
            applied,
        });
    }
    Ok(UpstreamReply::Is(differences))
}

async fn apply(
    app: &App,
    row: &ComparedRow,
    remedy: Remedy,
    seen: &ObservedKey<'_>,
    actor: &str,
) -> Result<bool, DbError> {
    let (db, now, generation) = (&*app.db, app.now(), row.public_id.as_str());
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    let sight = Sight {
        key: &row.key,
        generation,
        nonce: &row.nonce,
        actor,
        change: &change,
        now,
    };
    let (kept, kind) = match remedy {
        Remedy::Hold => {
            let is_off = seen.disabled == Some(true);
            (upstream_holds::hold(db, &sight, is_off).await?, "disabled")
        }
        Remedy::KeepLimit(limit) => (
            upstream_holds::keep_limit(db, &sight, limit).await?,
            "limit",
        ),
        Remedy::SwitchAgain => {
            rows::switch_again(db, generation, now).await?;
            return Ok(true);
        }
        Remedy::LimitAgain => {
            rows::limit_again(db, generation, now).await?;
            return Ok(true);
        }
        Remedy::Wait | Remedy::Tell => return Ok(false),
    };
    if kept {
        let more = json!({ "key": row.key, "generation": generation, "kind": kind });
        app.note("error", "upstream_change_kept", more);
    }
    Ok(kept)
}

/// How a key compares with its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// It allows what the row says.
    Nothing,
    /// Somebody else disabled it: it is held now.
    Held,
    /// Somebody else lowered its limit: that is the key's now.
    Lowered,
    /// It allows less than the row says, and may do so on account of something of ours.
    Unclear,
}

/// Follows up a reading that may show somebody else's doing. `state` and `limit` are the row's.
pub async fn notice(
    app: &App,
    hash: &str,
    (state, limit): (GenerationState, NanoUsd),
    seen: &ObservedKey<'_>,
    actor: &str,
) -> Result<Noticed, DbError> {
    if !allows_less(state, limit, seen) {
        return Ok(Noticed::Nothing);
    }
    let UpstreamReply::Is(differences) = look(app, hash, actor, true).await? else {
        return Ok(Noticed::Unclear);
    };
    let kept = differences.iter().filter(|one| one.is_kept());
    let kept: Vec<Remedy> = kept.map(|one| one.remedy).collect();
    Ok(match kept.first() {
        _ if differences.is_empty() => Noticed::Nothing,
        None => Noticed::Unclear,
        Some(_) if kept.contains(&Remedy::Hold) => Noticed::Held,
        Some(_) => Noticed::Lowered,
    })
}

/// How long a look at a key may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What it is for depends on what it finds.
    Needed,
    /// The key is disabled whatever it finds: it waits for no answer that is slow.
    Brief,
}

/// Reads a key before something is done that would undo what somebody else did there: a raise, a replacement.
pub async fn check(
    app: &App,
    hash: &str,
    actor: &str,
    look: Look,
) -> Result<UpstreamReply<Noticed>, DbError> {
    let Some(row) = rows::by_hash(&*app.db, hash).await? else {
        return Ok(UpstreamReply::Unknown);
    };
    let read = match look {
        Look::Needed => openrouter::read_key_once(&app.upstream(), hash).await,
        Look::Brief => openrouter::glance_at_key(&app.upstream(), hash).await,
    };
    Ok(match read {
        UpstreamReply::Is(body) => {
            let of_row = (row.state, row.limit_nano);
            UpstreamReply::Is(notice(app, hash, of_row, &body.seen(), actor).await?)
        }
        other => other.map(|_| Noticed::Unclear),
    })
}

/// Whether somebody else has disabled a key that is to be disabled now: it is held then, and what disables it now does not
/// enable it again. Where that cannot be read, or written down, it is disabled all the same.
pub async fn is_held_already(app: &App, hash: &str, actor: &str) -> bool {
    let found = check(app, hash, actor, Look::Brief).await;
    if !matches!(found, Ok(UpstreamReply::Is(_) | UpstreamReply::Missing)) {
        let cause = format!("{found:?}");
        app.note("warn", "not_looked_at", json!({ "cause": cause }));
    }
    matches!(found, Ok(UpstreamReply::Is(Noticed::Held)))
}

/// A key that somebody else disabled at OpenRouter gets no successor: that would undo it. `bears` is what else may be found.
pub async fn must_be_as_we_left_it(
    app: &App,
    old: &Due,
    actor: &str,
    bears: &[Noticed],
    look: Look,
) -> Result<(), Error> {
    let Some(hash) = old.upstream_hash.as_deref() else {
        return Err(Error::OldUnconfirmed);
    };
    match check(app, hash, actor, look).await? {
        UpstreamReply::Is(Noticed::Nothing) | UpstreamReply::Missing => Ok(()),
        UpstreamReply::Is(noticed) if bears.contains(&noticed) => Ok(()),
        UpstreamReply::Is(Noticed::Held) => Err(Error::Held),
        UpstreamReply::Is(Noticed::Lowered | Noticed::Unclear)
        | UpstreamReply::Refused(_)
        | UpstreamReply::Unknown => Err(Error::OldUnconfirmed),
    }
}
