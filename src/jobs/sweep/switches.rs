//! Carries out holds at OpenRouter: a key is disabled while it has any hold, and enabled again when it has none.
//!
//! Each switch is marked as in flight before it is sent, and is settled by OpenRouter's own answer. If the answer is
//! lost, or something changed in between, the wanted state is sent again in every run until no earlier request can take
//! effect any more.

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::switch::{self, SwitchOutcome};
use crate::jobs::halt::Halt;
use crate::jobs::sweep::counts::{JOB, Tally};
use crate::jobs::sweep::due::{refuse, retry_next_run, wrote};
use crate::store::keys::due::Due;
use crate::store::keys::holds::Switch;
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply};

/// Sends one switch.
pub async fn send(
    app: &App,
    run: &Run,
    switch: Switch,
    due: &Due,
    counts: &Tally,
) -> Result<(), Halt> {
    match switch::switch(app, switch, due, JOB).await? {
        UpstreamReply::Is(SwitchOutcome::AsItWas | SwitchOutcome::Overtaken) => {}
        UpstreamReply::Is(SwitchOutcome::Confirmed | SwitchOutcome::Gone) => {
            counts.success();
            wrote(app, run, counts).await;
            counts.one(|counts| match switch {
                Switch::Off => &mut counts.disabled,
                Switch::On => &mut counts.enabled,
            });
        }
        UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) => {
            return refuse(app, run, due, refused, counts).await;
        }
        // The key cannot be enabled any more, and its owner is shown that.
        UpstreamReply::Missing => counts.success(),
        UpstreamReply::Unknown | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            counts.one(|counts| &mut counts.writes_failed);
            return retry_next_run(app, run, due, counts).await;
        }
    }
    Ok(())
}
