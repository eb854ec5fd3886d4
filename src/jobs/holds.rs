//! Holds, carried out upstream: a key is off if there is any, and on again when there is none (A2).
//!
//! Each switch is written down as doubtful before it is sent, and the doubt ends with upstream's own answer. Where the
//! answer is lost, or something changed in between, what is wanted is said again in every run until nothing that was
//! sent earlier can land any more (X4).

use super::due::{refuse, retry_next_run, wrote};
use super::lease::Run;
use super::sweep::{Counts, Halt, JOB};
use crate::app::App;
use crate::store::generations::Due;
use crate::store::holds::Switch;
use crate::turn::{self, Switched};
use crate::upstream::openrouter::{Refused, Reply};

/// One switch.
pub async fn turn(
    app: &App,
    run: &Run,
    switch: Switch,
    due: &Due,
    counts: &mut Counts,
) -> Result<(), Halt> {
    match turn::switch(app, switch, due, JOB).await? {
        Reply::Is(Switched::AsItWas | Switched::Overtaken) => {}
        Reply::Is(Switched::Confirmed | Switched::Gone) => {
            counts.success();
            wrote(app, run, counts).await;
            let count = match switch {
                Switch::Off => &mut counts.disabled,
                Switch::On => &mut counts.enabled,
            };
            *count = count.saturating_add(1);
        }
        Reply::Refused(refused @ (Refused::Credential | Refused::Busy(_))) => {
            return refuse(app, run, due, refused, counts).await;
        }
        // It cannot be enabled any more, and its owner is told so.
        Reply::Missing => counts.success(),
        Reply::Unknown | Reply::Refused(Refused::Rejected) => {
            counts.writes_failed = counts.writes_failed.saturating_add(1);
            return retry_next_run(app, run, due, counts).await;
        }
    }
    Ok(())
}
