//! Rows that are due: what is `revoking` is deleted, what has expired is closed. One that cannot be settled waits.

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::absence;
use crate::app::sync::switch::{self, READS_OF_SPEND, Removal};
use crate::jobs::halt::{Halt, change};
use crate::jobs::sweep::counts::{JOB, SweepCounts};
use crate::ports::DbError;
use crate::store::keys::due::Due;
use crate::store::keys::generations;
use crate::upstream::openrouter::{self, SpendBody, UpstreamRefusal, UpstreamReply};

/// A revoke that failed this often is `stuck`.
const GIVE_UP_AFTER: i64 = 6;
/// The wait after the first failed try, doubling each time, in seconds: just under the sweep's own period.
const FIRST_WAIT_SECS: i64 = 540;
const DAY_SECS: i64 = 86_400;

/// Removes what is to be off for good.
pub async fn revoke(app: &App, run: &Run, due: &Due, counts: &mut SweepCounts) -> Result<(), Halt> {
    let Removal { reply, is_off } = switch::remove(app, due, JOB).await?;
    let removed = match reply {
        UpstreamReply::Is(removed) => removed,
        UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) => {
            return refuse(app, run, due, refused, counts).await;
        }
        // Somebody may be spending with it: it is tried in every run.
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
    // The moment itself: a run that is late, or replayed, must not end a key in a period before this one.
    let (change, now) = (change(app)?, app.now());
    generations::confirm_off(&*app.db, &due.public_id, removed, JOB, &change, now).await?;
    counts.revoked = counts.revoked.saturating_add(1);
    counts.success();
    wrote(app, run, counts).await;
    Ok(())
}

/// A write was answered. Where the last run that tried any had no answer to one, what waits longer and longer on account
/// of that waits no more.
pub async fn wrote(app: &App, run: &Run, counts: &mut SweepCounts) {
    if counts.writes == 0 && run.begun.writes_failed {
        end_back_off(app, run, counts).await;
    }
    counts.writes = counts.writes.saturating_add(1);
}

/// What waits longer and longer has its turn again. Where that cannot be written down, the next run does it before anything
/// else: nothing may be left by then whose change is answered.
pub async fn end_back_off(app: &App, run: &Run, counts: &mut SweepCounts) {
    let ended = generations::end_back_off(&*app.db, run.now).await;
    counts.back_off_left = ended.is_err();
    if let Err(error) = ended {
        let cause = format!("{error:?}");
        app.note("error", "back_off_left", json!({ "cause": cause }));
        counts.errors = counts.errors.saturating_add(1);
    }
}

/// Switches it off, and no more: nothing is deleted, or concluded, by a database that was restored.
pub async fn disable_only(
    app: &App,
    run: &Run,
    due: &Due,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    if let Some(hash) = due.upstream_hash.as_deref()
        && let UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) = openrouter::switch_key(&app.upstream(), hash, true).await
    {
        return refuse(app, run, due, refused, counts).await;
    }
    retry_next_run(app, run, due, counts).await
}

/// Five minutes past its expiry a key is closed. Its spend is asked for a few times; if it cannot be read, all of its
/// cap counts.
pub async fn expire(app: &App, run: &Run, due: &Due, counts: &mut SweepCounts) -> Result<(), Halt> {
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
    if generations::expire(&*app.db, &due.public_id, usage, &change, run.now).await? {
        counts.expired = counts.expired.saturating_add(1);
        counts.success();
    }
    Ok(())
}

async fn read_last(app: &App, due: &Due, hash: &str) -> Result<UpstreamReply<SpendBody>, DbError> {
    let answer = openrouter::read_key(&app.upstream(), hash).await;
    absence::judge(app, due, answer, JOB).await
}

/// What came of a row's turn: where the database refuses it, that is its own trouble and it waits.
pub async fn contain_row_failure(
    app: &App,
    run: &Run,
    due: &Due,
    turned: Result<(), Halt>,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    match turned {
        Err(Halt::Storage(error)) if error != DbError::Unknown => {
            let (generation, cause) = (&due.public_id, format!("{error:?}"));
            let more = json!({ "generation": generation, "cause": cause });
            app.note("error", "row_refused", more);
            counts.errors = counts.errors.saturating_add(1);
            retry_next_run(app, run, due, counts).await
        }
        other => other,
    }
}

/// Upstream refuses this row: others go first in the next run, and it is no failed attempt of this one.
pub async fn refuse(
    app: &App,
    run: &Run,
    due: &Due,
    refused: UpstreamRefusal,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    if refused == UpstreamRefusal::Rejected {
        return retry_later(app, run, due, counts).await;
    }
    postpone(app, run, due, due.attempts, FIRST_WAIT_SECS, counts).await?;
    counts.refusal(refused)
}

/// Not now: later each time, and daily after six failures. Nobody can spend with what waits so.
pub async fn retry_later(
    app: &App,
    run: &Run,
    due: &Due,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    let doubled = u32::try_from(due.attempts).unwrap_or(0).min(8);
    let wait = if due.attempts.saturating_add(1) >= GIVE_UP_AFTER {
        DAY_SECS
    } else {
        FIRST_WAIT_SECS.saturating_mul(2_i64.saturating_pow(doubled))
    };
    failed(app, run, due, wait.min(DAY_SECS), counts).await
}

/// Counts a failed attempt. A revoke that failed for the sixth time is `stuck`, and said to be.
async fn failed(
    app: &App,
    run: &Run,
    due: &Due,
    wait: i64,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    let attempts = due.attempts.saturating_add(1);
    counts.writes_failed = counts.writes_failed.saturating_add(1);
    postpone(app, run, due, attempts, wait, counts).await?;
    if attempts == GIVE_UP_AFTER
        && generations::give_up(&*app.db, &due.public_id, &change(app)?, run.now).await?
    {
        counts.stuck = counts.stuck.saturating_add(1);
        let generation = due.public_id.as_str();
        app.note("error", "revoke_stuck", json!({ "generation": generation }));
    }
    Ok(())
}

/// A switch whose answer was lost is tried in every run: somebody waits for it.
pub async fn retry_next_run(
    app: &App,
    run: &Run,
    due: &Due,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    postpone(app, run, due, due.attempts, FIRST_WAIT_SECS, counts).await
}

async fn postpone(
    app: &App,
    run: &Run,
    due: &Due,
    attempts: i64,
    wait: i64,
    counts: &mut SweepCounts,
) -> Result<(), Halt> {
    let next = run.now.plus(wait);
    generations::postpone(&*app.db, &due.public_id, attempts, next).await?;
    counts.postponed = counts.postponed.saturating_add(1);
    Ok(())
}
