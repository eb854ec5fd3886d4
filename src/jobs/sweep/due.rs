//! Works on rows that are due. A key that is `revoking` is removed, and a key that has expired is closed. A row that
//! cannot be settled is postponed.

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::absence;
use crate::app::sync::switch::{self, READS_OF_SPEND, Removal};
use crate::jobs::halt::{Halt, change};
use crate::jobs::sweep::counts::{JOB, Tally};
use crate::ports::DbError;
use crate::store::keys::due::Due;
use crate::store::keys::expiries;
use crate::store::keys::generations;
use crate::upstream::openrouter::{self, SpendBody, UpstreamRefusal, UpstreamReply};

/// A removal that failed this often is `stuck`.
const GIVE_UP_AFTER: i64 = 6;
/// The wait after the first failed try, in seconds. It is just under the sweep's own interval, and doubles with each
/// failure.
const FIRST_WAIT_SECS: i64 = 540;
const DAY_SECS: i64 = 86_400;

/// Removes a key that has to be disabled for good.
pub async fn revoke(app: &App, run: &Run, due: &Due, counts: &Tally) -> Result<(), Halt> {
    let Removal { reply, is_off } = switch::remove(app, due, JOB).await?;
    let removed = match reply {
        UpstreamReply::Is(removed) => removed,
        UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) => {
            return refuse(app, run, due, refused, counts).await;
        }
        // Someone may be spending with this key, so it is tried in every run.
        UpstreamReply::Missing
        | UpstreamReply::Unknown
        | UpstreamReply::Refused(UpstreamRefusal::Rejected)
            if due.delivered && !is_off =>
        {
            return failed(app, run, due, FIRST_WAIT_SECS, counts).await;
        }
        UpstreamReply::Missing
        | UpstreamReply::Unknown
        | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            return retry_later(app, run, due, counts).await;
        }
    };
    // The key ends at the current time: a run that is late, or replayed, must not end a key in an earlier window.
    let (change, now) = (change(app)?, app.now());
    generations::confirm_off(&*app.db, &due.public_id, removed, JOB, &change, now).await?;
    counts.one(|counts| &mut counts.revoked);
    counts.success();
    wrote(app, run, counts).await;
    Ok(())
}

/// Counts a write that OpenRouter answered. If no write of the last run was answered, the rows that back off because of
/// that are due again.
pub async fn wrote(app: &App, run: &Run, counts: &Tally) {
    let is_first = counts.note(|counts| counts.writes) == 0;
    counts.one(|counts| &mut counts.writes);
    if is_first && run.begun.writes_failed {
        end_back_off(app, run, counts).await;
    }
}

/// Makes the rows that back off due again. If this cannot be written, the next run does it first, because no row may go
/// on waiting once OpenRouter answers again.
pub async fn end_back_off(app: &App, run: &Run, counts: &Tally) {
    let ended = generations::end_back_off(&*app.db, run.now).await;
    counts.note(|counts| counts.back_off_left = ended.is_err());
    if let Err(error) = ended {
        let cause = format!("{error:?}");
        app.note("error", "back_off_left", json!({ "cause": cause }));
        counts.one(|counts| &mut counts.errors);
    }
}

/// Disables the key and does nothing else: a database that was restored must not delete a key or conclude anything.
pub async fn disable_only(app: &App, run: &Run, due: &Due, counts: &Tally) -> Result<(), Halt> {
    if let Some(hash) = due.upstream_hash.as_deref()
        && let UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) = openrouter::switch_key(&app.upstream(), hash, true).await
    {
        return refuse(app, run, due, refused, counts).await;
    }
    retry_next_run(app, run, due, counts).await
}

/// Closes a key five minutes after its expiry. Its spend is asked for a few times. If it cannot be read, all of its cap
/// counts.
pub async fn expire(app: &App, run: &Run, due: &Due, counts: &Tally) -> Result<(), Halt> {
    let usage = match due.upstream_hash.as_deref() {
        None => None,
        Some(hash) => match read_last(app, due, hash).await? {
            UpstreamReply::Is(spend) => spend.read_at(run.now),
            UpstreamReply::Refused(
                refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
            ) => {
                return refuse(app, run, due, refused, counts).await;
            }
            UpstreamReply::Unknown if due.attempts < READS_OF_SPEND => {
                return retry_later(app, run, due, counts).await;
            }
            UpstreamReply::Unknown
            | UpstreamReply::Missing
            | UpstreamReply::Refused(UpstreamRefusal::Rejected) => None,
        },
    };
    let change = change(app)?;
    if expiries::expire(&*app.db, &due.public_id, usage, &change, run.now).await? {
        counts.one(|counts| &mut counts.expired);
        counts.success();
    }
    Ok(())
}

async fn read_last(app: &App, due: &Due, hash: &str) -> Result<UpstreamReply<SpendBody>, DbError> {
    let answer = openrouter::read_key(&app.upstream(), hash).await;
    absence::judge(app, due, answer, JOB).await
}

/// Contains the failure of one row: if the database refuses that row, only that row has to wait.
pub async fn contain_row_failure(
    app: &App,
    run: &Run,
    due: &Due,
    turned: Result<(), Halt>,
    counts: &Tally,
) -> Result<(), Halt> {
    match turned {
        Err(Halt::Storage(error)) if error != DbError::Unknown => {
            let (generation, cause) = (&due.public_id, format!("{error:?}"));
            let more = json!({ "generation": generation, "cause": cause });
            app.note("error", "row_refused", more);
            counts.one(|counts| &mut counts.errors);
            retry_next_run(app, run, due, counts).await
        }
        other => other,
    }
}

/// Postpones a row that OpenRouter refused. Other rows go first in the next run, and this does not count as a failed
/// attempt.
pub async fn refuse(
    app: &App,
    run: &Run,
    due: &Due,
    refused: UpstreamRefusal,
    counts: &Tally,
) -> Result<(), Halt> {
    if refused == UpstreamRefusal::Rejected {
        return retry_later(app, run, due, counts).await;
    }
    postpone(app, run, due, due.attempts, FIRST_WAIT_SECS, counts).await?;
    counts.refusal(refused)
}

/// Postpones a row after a failure: longer each time, and daily after six failures. Nobody can spend with a key that
/// waits like this.
pub async fn retry_later(app: &App, run: &Run, due: &Due, counts: &Tally) -> Result<(), Halt> {
    let doubled = u32::try_from(due.attempts).unwrap_or(0).min(8);
    let wait = if due.attempts.saturating_add(1) >= GIVE_UP_AFTER {
        DAY_SECS
    } else {
        FIRST_WAIT_SECS.saturating_mul(2_i64.saturating_pow(doubled))
    };
    failed(app, run, due, wait.min(DAY_SECS), counts).await
}

/// Counts a failed attempt. A removal that failed for the sixth time is `stuck`, and the log says so.
async fn failed(app: &App, run: &Run, due: &Due, wait: i64, counts: &Tally) -> Result<(), Halt> {
    let attempts = due.attempts.saturating_add(1);
    counts.one(|counts| &mut counts.writes_failed);
    postpone(app, run, due, attempts, wait, counts).await?;
    if attempts == GIVE_UP_AFTER
        && generations::give_up(&*app.db, &due.public_id, &change(app)?, run.now).await?
    {
        counts.one(|counts| &mut counts.stuck);
        let generation = due.public_id.as_str();
        app.note("error", "revoke_stuck", json!({ "generation": generation }));
    }
    Ok(())
}

/// Postpones a row to the next run. A person may be waiting for a switch whose answer was lost, so it is tried in every
/// run.
pub async fn retry_next_run(app: &App, run: &Run, due: &Due, counts: &Tally) -> Result<(), Halt> {
    postpone(app, run, due, due.attempts, FIRST_WAIT_SECS, counts).await
}

async fn postpone(
    app: &App,
    run: &Run,
    due: &Due,
    attempts: i64,
    wait: i64,
    counts: &Tally,
) -> Result<(), Halt> {
    let next = run.now.plus(wait);
    generations::postpone(&*app.db, &due.public_id, attempts, next).await?;
    counts.one(|counts| &mut counts.postponed);
    Ok(())
}
