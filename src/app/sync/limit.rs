//! Brings the limit of a generation at OpenRouter to its cap. A lower limit is sent at once. A higher limit is sent
//! only as far as it is certain, or if OpenRouter's own figures show that a window has begun.

use crate::app::context::App;
use crate::app::sync::absence;
use crate::app::sync::cap::{decide, differs, evidence_wanted, lowers};
use crate::app::sync::guardrail;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::app::sync::upstream_changes::{self, Glance, Look, Noticed};
use crate::domain::money::NanoUsd;
use crate::domain::money::spend::Spend;
use crate::domain::time::{Timestamp, earliest};
use crate::ports::DbError;
use crate::store::budget::caps::{self, Basis};
use crate::store::budget::limits;
use crate::store::keys::due::Due;
use crate::store::keys::retained;
use crate::upstream::openrouter::{self, UpstreamRefusal, UpstreamReply};

/// The number of keys that one request reads or sends limits for, and the seconds after which it begins no further one.
/// Each key takes several calls to OpenRouter, and a request may work on for thirty seconds after its answer.
const KEYS_AT_ONCE: usize = 10;
const AT_ONCE_SECS: i64 = 10;

/// Brings the limit of one key up to date. `now` is the job's clock: the earlier of its event's time and the current
/// time. `glance` is what OpenRouter's list has just shown of the key; without it, the key is read before a change.
pub async fn follow(
    app: &App,
    due: &Due,
    glance: Option<Glance>,
    now: Timestamp,
    actor: &str,
) -> Result<UpstreamReply<SwitchOutcome>, DbError> {
    let Some(mut basis) = caps::take_up(&*app.db, &due.public_id, now, app.now()).await? else {
        return Ok(UpstreamReply::Is(SwitchOutcome::Overtaken));
    };
    let mut spend = None;
    if evidence_wanted(&basis, now) {
        match evidence(app, due, &basis, now, actor).await? {
            UpstreamReply::Is(read) => spend = read,
            other => return Ok(other.map(|_| SwitchOutcome::Overtaken)),
        }
        let Some(again) = taken_up_again(app, due, basis, now).await? else {
            return Ok(UpstreamReply::Is(SwitchOutcome::Overtaken));
        };
        basis = again;
    }
    let mut cap = decide(&basis, spend.as_ref(), now);
    if differs(&cap, &basis) && !basis.sent {
        // A lower limit that someone outside keycap set must not be undone, neither by a higher limit nor by one that
        // is withdrawn later.
        let is_less = lowers(&cap, &basis);
        let look = match glance {
            Some(glance) => Look::Listed(glance),
            None if is_less => Look::Brief,
            None => Look::Needed,
        };
        match check(app, due, actor, look).await? {
            UpstreamReply::Is(Noticed::Nothing) => {}
            UpstreamReply::Is(Noticed::Lowered) if is_less => {
                let Some(again) = taken_up_again(app, due, basis, now).await? else {
                    return Ok(UpstreamReply::Is(SwitchOutcome::Overtaken));
                };
                basis = again;
                cap = decide(&basis, spend.as_ref(), now);
            }
            UpstreamReply::Is(Noticed::Held | Noticed::Lowered) => {
                return Ok(UpstreamReply::Is(SwitchOutcome::Overtaken));
            }
            UpstreamReply::Missing => return Ok(UpstreamReply::Missing),
            // A lower limit is sent all the same.
            _ if is_less => {}
            UpstreamReply::Is(Noticed::Unclear) => return Ok(UpstreamReply::Unknown),
            other => return Ok(other.map(|_| SwitchOutcome::Overtaken)),
        }
    }
    // The guardrail comes first, because the key may not spend more without it. A lower limit is sent all the same.
    match guardrail::follow(app, due, &basis, actor).await? {
        UpstreamReply::Is(again) => cap.next = earliest(cap.next, again),
        _ if lowers(&cap, &basis) => cap.next = earliest(cap.next, Some(basis.taken)),
        other => return Ok(other.map(|_| SwitchOutcome::Overtaken)),
    }
    if !differs(&cap, &basis) && !basis.sent {
        caps::keep(&*app.db, &due.public_id, &basis, cap.next).await?;
        return Ok(UpstreamReply::Is(SwitchOutcome::AsItWas));
    }
    switch::cap(app, due, &cap, &basis, actor).await
}

/// Reads the basis again after the key was read. It keeps the earlier reading of the key itself, because a reset shows
/// as a fall from that figure.
async fn taken_up_again(
    app: &App,
    due: &Due,
    before: Basis,
    now: Timestamp,
) -> Result<Option<Basis>, DbError> {
    let mut again = caps::take_up(&*app.db, &due.public_id, now, app.now()).await?;
    if let Some(again) = &mut again {
        again.spend = before.spend;
    }
    Ok(again)
}

async fn check(
    app: &App,
    due: &Due,
    actor: &str,
    look: Look,
) -> Result<UpstreamReply<Noticed>, DbError> {
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let noticed = upstream_changes::check(app, hash, actor, look).await?;
    absence::judge(app, due, noticed, actor).await
}

/// Brings the limits of one owner's keys that are due up to date at once, as far as a person can wait for it. The sweep
/// does the others. It returns how many are left.
pub async fn follow_owner(app: &App, owner: i64, actor: &str) -> usize {
    let now = app.now();
    let Ok(due) = caps::due_beside(&*app.db, owner, now).await else {
        return 1;
    };
    let all = due.len();
    for (followed, due) in due.into_iter().enumerate() {
        let left = all.saturating_sub(followed);
        if followed >= KEYS_AT_ONCE || app.now() >= now.plus(AT_ONCE_SECS) {
            return left;
        }
        let followed = follow(app, &due, None, now, actor).await;
        if !matches!(followed, Ok(UpstreamReply::Is(_) | UpstreamReply::Missing)) {
            let generation = due.public_id.as_str();
            let cause = format!("{followed:?}");
            let more = serde_json::json!({ "generation": generation, "cause": cause });
            app.note("warn", "cap_left_to_sweep", more);
            return left;
        }
    }
    0
}

/// Reads what an owner's keys have spent, as far as a person can wait for it. If there are many keys, it reads those
/// with the oldest figures, so that another request continues with the others. It returns false if a key cannot be
/// read. The database decides whether all figures are fresh enough.
pub async fn read_owner(app: &App, owner: i64, prepays: bool, actor: &str) -> bool {
    let began = app.now();
    let Ok(live) = caps::to_read(&*app.db, owner, prepays, KEYS_AT_ONCE).await else {
        return false;
    };
    for due in live {
        if app.now() >= began.plus(AT_ONCE_SECS) {
            return false;
        }
        let reply = read(app, &due, actor).await;
        if !matches!(reply, Ok(UpstreamReply::Is(_) | UpstreamReply::Missing)) {
            let generation = due.public_id.as_str();
            let more = serde_json::json!({ "generation": generation });
            app.note("warn", "spend_unread", more);
            return false;
        }
    }
    true
}

/// Looks for evidence at OpenRouter that the window has begun. It reads the figures of the owner's ended keys, which
/// count until then, and the key's own figure if that can fall.
async fn evidence(
    app: &App,
    due: &Due,
    basis: &Basis,
    now: Timestamp,
    actor: &str,
) -> Result<UpstreamReply<Option<Spend>>, DbError> {
    let reset = basis.grants.limit_reset;
    for ended in retained::beside(&*app.db, &due.public_id, reset, now).await? {
        let hash = ended.due.upstream_hash.as_deref().unwrap_or_default();
        match openrouter::read_key(&app.upstream(), hash).await {
            UpstreamReply::Is(body) => {
                if let Some(reading) = body.read_at(app.now()) {
                    let known = ended.known.read(reading);
                    retained::book(&*app.db, &ended, &known, now).await?;
                }
            }
            // This key gives no evidence, and it is still counted.
            UpstreamReply::Missing | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {}
            other => return Ok(other.map(|_| None)),
        }
    }
    let may_fall = |spend: &Spend| spend.of(reset) > NanoUsd::ZERO;
    if basis.spend.as_ref().is_some_and(may_fall) {
        return Ok(read(app, due, actor).await?.map(Some));
    }
    Ok(UpstreamReply::Is(None))
}

/// Reads what the key has spent, and records it before it is used.
async fn read(app: &App, due: &Due, actor: &str) -> Result<UpstreamReply<Spend>, DbError> {
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let reply = openrouter::read_key(&app.upstream(), hash).await;
    let reply = reply.map(|body| body.read_at(app.now()));
    let spend = match absence::judge(app, due, reply, actor).await? {
        UpstreamReply::Is(Some(spend)) => spend,
        UpstreamReply::Missing => return Ok(UpstreamReply::Missing),
        UpstreamReply::Is(None) | UpstreamReply::Refused(_) | UpstreamReply::Unknown => {
            return Ok(UpstreamReply::Unknown);
        }
    };
    limits::record_spend(&*app.db, &due.public_id, &spend).await?;
    Ok(UpstreamReply::Is(spend))
}
