//! Reads keys that are disabled for good, or expired, until their figures are settled, and then deletes them.

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::absence;
use crate::jobs::halt::{Halt, change};
use crate::jobs::sweep::counts::{JOB, Tally};
use crate::jobs::sweep::due::{refuse, retry_later, wrote};
use crate::ports::DbError;
use crate::store::keys::retained::{self, RetainedKey};
use crate::upstream::openrouter::{self, SpendBody, UpstreamReply};

/// Reads one of these keys, and deletes it if its time has come.
pub async fn purge(app: &App, run: &Run, key: &RetainedKey, counts: &Tally) -> Result<(), Halt> {
    let due = &key.due;
    let looked = look(app, run, key).await?;
    let deleted = match absence::judge(app, due, looked, JOB).await? {
        UpstreamReply::Is(deleted) => deleted,
        UpstreamReply::Missing => true,
        UpstreamReply::Refused(refused) => return refuse(app, run, due, refused, counts).await,
        UpstreamReply::Unknown => return retry_later(app, run, due, counts).await,
    };
    counts.success();
    if deleted {
        let (change, now) = (change(app)?, app.now());
        retained::erased(&*app.db, &due.public_id, JOB, &change, now).await?;
        counts.one(|counts| &mut counts.erased);
        wrote(app, run, counts).await;
    }
    Ok(())
}

/// Reads what the key has spent, and deletes it if its time has come. Answers whether it is deleted. If OpenRouter shows the
/// key enabled, someone outside keycap enabled it and may do so again: it is disabled and deleted at once. A key that has
/// expired does not work, enabled or not.
async fn look(app: &App, run: &Run, key: &RetainedKey) -> Result<UpstreamReply<bool>, DbError> {
    let Some(hash) = key.due.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let mut body = match openrouter::read_key(&app.upstream(), hash).await {
        UpstreamReply::Is(body) => body,
        other => return Ok(other.map(|_| false)),
    };
    let was_on = !key.expired && body.disabled != Some(true);
    if was_on {
        let generation = key.due.public_id.as_str();
        app.note(
            "error",
            "revoked_was_on",
            json!({ "generation": generation }),
        );
        body = match off(app, hash).await {
            UpstreamReply::Is(body) => body,
            other => return Ok(other.map(|_| false)),
        };
    }
    let Some(reading) = body.read_at(app.now()) else {
        return Ok(UpstreamReply::Unknown);
    };
    let known = key.known.read(reading);
    retained::book(&*app.db, key, &known, run.now).await?;
    if !was_on && !known.may_go(run.now) {
        return Ok(UpstreamReply::Is(false));
    }
    Ok(openrouter::delete_key(&app.upstream(), hash)
        .await
        .map(|()| true))
}

/// Disables the key, and reads it after that.
async fn off(app: &App, hash: &str) -> UpstreamReply<SpendBody> {
    match openrouter::switch_key(&app.upstream(), hash, true).await {
        UpstreamReply::Is(_) => openrouter::read_key(&app.upstream(), hash).await,
        UpstreamReply::Missing => UpstreamReply::Missing,
        UpstreamReply::Refused(refused) => UpstreamReply::Refused(refused),
        UpstreamReply::Unknown => UpstreamReply::Unknown,
    }
}
