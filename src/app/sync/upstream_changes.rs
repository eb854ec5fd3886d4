//! Handles changes that someone outside keycap made to a key at OpenRouter. If they disabled the key or lowered its
//! limit, it stays so until an admin lifts that by name, because it may be an emergency stop by an operator or by
//! OpenRouter itself. If they enabled the key or raised its limit, the wanted state is sent again. All code that reads
//! a key calls this module, and `domain::key::drift` decides.

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
    /// The remedy was applied.
    pub applied: bool,
}

impl Difference {
    /// Answers whether this was done by someone outside keycap and is left as it is.
    pub const fn is_kept(&self) -> bool {
        self.applied && matches!(self.remedy, Remedy::Hold | Remedy::KeepLimit(_))
    }
}

/// Reads a key once more, between two readings of its row. If the two readings differ, a change of ours is under way
/// and nothing is concluded. If `acts` is true, the remedy of each difference is applied.
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
    /// The key allows what its row says.
    Nothing,
    /// Someone outside keycap disabled the key. It has a hold for that now.
    Held,
    /// Someone outside keycap lowered the limit. That is the key's limit now.
    Lowered,
    /// The key allows less than its row says, but a change of ours may be the reason.
    Unclear,
}

/// Follows up a reading that may show a change by someone outside keycap. `state` and `limit` are those of the row.
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

/// How long it may take to read a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The caller needs the result in order to go on.
    Needed,
    /// The key is disabled whatever the reading shows, so a slow answer is not waited for.
    Brief,
    /// OpenRouter's list has just shown the key.
    Listed(Glance),
}

/// What OpenRouter's list shows of a key, as far as it can show that somebody disabled it or lowered its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    pub disabled: Option<bool>,
    pub limit: Option<NanoUsd>,
}

impl Glance {
    /// The same as a key to compare. The other members count as missing.
    const fn seen(&self) -> ObservedKey<'static> {
        ObservedKey {
            name: "",
            disabled: self.disabled,
            limit: self.limit,
            limit_reset: None,
            include_byok_in_limit: None,
            expires_at: None,
        }
    }
}

/// Reads a key before a change that would undo what someone outside keycap did there, such as a raise or a replacement.
pub async fn check(
    app: &App,
    hash: &str,
    actor: &str,
    look: Look,
) -> Result<UpstreamReply<Noticed>, DbError> {
    let Some(row) = rows::by_hash(&*app.db, hash).await? else {
        return Ok(UpstreamReply::Unknown);
    };
    let of_row = (row.state, row.limit_nano);
    let read = match look {
        Look::Listed(glance) => {
            let noticed = notice(app, hash, of_row, &glance.seen(), actor).await?;
            return Ok(UpstreamReply::Is(noticed));
        }
        Look::Needed => openrouter::read_key_once(&app.upstream(), hash).await,
        Look::Brief => openrouter::glance_at_key(&app.upstream(), hash).await,
    };
    Ok(match read {
        UpstreamReply::Is(body) => {
            UpstreamReply::Is(notice(app, hash, of_row, &body.seen(), actor).await?)
        }
        other => other.map(|_| Noticed::Unclear),
    })
}

/// Answers whether someone outside keycap has already disabled a key that is to be disabled now. It then has a hold of
/// its own, so that the end of today's hold does not enable it. If the key cannot be read, or the hold cannot be
/// written, the key is disabled all the same.
pub async fn is_held_already(app: &App, hash: &str, actor: &str, look: Look) -> bool {
    let found = check(app, hash, actor, look).await;
    if !matches!(found, Ok(UpstreamReply::Is(_) | UpstreamReply::Missing)) {
        let cause = format!("{found:?}");
        app.note("warn", "not_looked_at", json!({ "cause": cause }));
    }
    matches!(found, Ok(UpstreamReply::Is(Noticed::Held)))
}

/// Refuses a successor for a key that someone outside keycap disabled at OpenRouter, because that would undo it.
/// `bears` lists the other findings that are accepted.
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
