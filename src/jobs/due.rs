//! Rows that are due: what is `revoking` is deleted, what has expired is closed. One that cannot be settled is put off.

use std::collections::HashMap;

use serde_json::json;

use super::lease::{Run, change};
use super::sweep::{Counts, Halt, JOB};
use crate::app::App;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::store::generations::{self, Due, FinalUsage};
use crate::upstream::openrouter::{self, Listed, Refused, Reply};

/// A revoke that failed this often is `stuck`.
const GIVE_UP_AFTER: i64 = 6;
/// The wait after the first failed try, doubling each time, in seconds: just under the sweep's own period.
const FIRST_WAIT_SECS: i64 = 540;
const DAY_SECS: i64 = 86_400;
/// Failed reads of an expired key's spend before it is closed without.
const READS_OF_SPEND: i64 = 3;

/// Which workspaces the credential's account has, asked once each: a 404 counts as "gone" only in a known one (X6).
#[derive(Default)]
pub struct Account(HashMap<String, bool>);

impl Account {
    async fn has(&mut self, app: &App, workspace_id: Option<&str>) -> bool {
        let Some(workspace_id) = workspace_id else {
            return false;
        };
        if let Some(known) = self.0.get(workspace_id) {
            return *known;
        }
        let has = openrouter::has_workspace(app, workspace_id).await;
        self.0.insert(workspace_id.to_owned(), has);
        has
    }
}

/// Deletes what is to be off for good; a 404 of a known account is as good.
pub async fn revoke(
    app: &App,
    run: &Run,
    due: &Due,
    account: &mut Account,
    counts: &mut Counts,
) -> Result<(), Halt> {
    let gone = match due.upstream_hash.as_deref() {
        None => false,
        Some(hash) => match openrouter::delete_key(app, hash).await {
            Reply::Is(()) => true,
            Reply::Missing => account.has(app, due.workspace_id.as_deref()).await,
            Reply::Refused(Refused::Credential) => return Err(Halt::Credential),
            Reply::Refused(Refused::Busy(_)) => return Err(Halt::Busy),
            Reply::Refused(Refused::Rejected) | Reply::Unknown => false,
        },
    };
    if gone {
        let change = change(app)?;
        generations::confirm_off(&*app.db, &due.public_id, JOB, &change, run.now).await?;
        counts.revoked = counts.revoked.saturating_add(1);
        return Ok(());
    }
    put_off(app, run, due, counts).await
}

/// Not now: tried again later, and given up as `stuck` if it was a revoke and this was the sixth time.
pub async fn put_off(app: &App, run: &Run, due: &Due, counts: &mut Counts) -> Result<(), Halt> {
    let attempts = due.attempts.saturating_add(1);
    let gives_up = attempts == GIVE_UP_AFTER;
    let wait = if attempts >= GIVE_UP_AFTER {
        DAY_SECS
    } else {
        let doubled = u32::try_from(due.attempts).unwrap_or(0).min(8);
        FIRST_WAIT_SECS.saturating_mul(2_i64.saturating_pow(doubled))
    };
    let give_up = if gives_up { Some(change(app)?) } else { None };
    let next = run.now.plus(wait.min(DAY_SECS));
    generations::put_off(
        &*app.db,
        &due.public_id,
        attempts,
        next,
        give_up.as_ref(),
        run.now,
    )
    .await?;
    counts.put_off = counts.put_off.saturating_add(1);
    if gives_up {
        counts.stuck = counts.stuck.saturating_add(1);
        app.note(
            "error",
            "revoke_stuck",
            json!({ "generation": due.public_id }),
        );
    }
    Ok(())
}

/// Five minutes past its expiry a key is closed. Its spend is asked for a few times; if it cannot be read, all of its
/// cap counts (B1).
pub async fn expire(app: &App, run: &Run, due: &Due, counts: &mut Counts) -> Result<(), Halt> {
    let usage = match due.upstream_hash.as_deref() {
        None => None,
        Some(hash) => match openrouter::read_key(app, hash).await {
            Reply::Is(key) => final_usage(&key, run.now),
            Reply::Refused(Refused::Credential) => return Err(Halt::Credential),
            Reply::Refused(Refused::Busy(_)) => return Err(Halt::Busy),
            Reply::Unknown if due.attempts < READS_OF_SPEND => {
                return put_off(app, run, due, counts).await;
            }
            Reply::Unknown | Reply::Missing | Reply::Refused(Refused::Rejected) => None,
        },
    };
    let change = change(app)?;
    if generations::expire(&*app.db, &due.public_id, usage, &change, run.now).await? {
        counts.expired = counts.expired.saturating_add(1);
    }
    Ok(())
}

fn final_usage(key: &Listed, read_at: Timestamp) -> Option<FinalUsage> {
    let sum = |credits: f64, byok: f64| NanoUsd::from_upstream(credits + byok);
    Some(FinalUsage {
        daily: sum(key.usage_daily, key.byok_usage_daily)?,
        weekly: sum(key.usage_weekly, key.byok_usage_weekly)?,
        monthly: sum(key.usage_monthly, key.byok_usage_monthly)?,
        lifetime: sum(key.usage, key.byok_usage)?,
        read_at,
    })
}
