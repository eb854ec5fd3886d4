//! Sends the caps that are due to OpenRouter, one by one.

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::limit;
use crate::app::sync::switch::SwitchOutcome;
use crate::jobs::halt::Halt;
use crate::jobs::sweep::counts::{JOB, SweepCounts};
use crate::jobs::sweep::due::{refuse, retry_next_run, wrote};
use crate::store::keys::due::Due;
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply};

/// Sends one cap.
pub async fn send(app: &App, run: &Run, due: &Due, counts: &mut SweepCounts) -> Result<(), Halt> {
    match limit::follow(app, due, run.now, JOB).await? {
        UpstreamReply::Is(SwitchOutcome::Confirmed) => {
            counts.success();
            wrote(app, run, counts).await;
            counts.capped = counts.capped.saturating_add(1);
        }
        UpstreamReply::Is(
            SwitchOutcome::AsItWas | SwitchOutcome::Overtaken | SwitchOutcome::Gone,
        ) => {}
        // OpenRouter no longer has the key, so there is no limit to send.
        UpstreamReply::Missing => counts.success(),
        UpstreamReply::Refused(
            refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
        ) => {
            return refuse(app, run, due, refused, counts).await;
        }
        UpstreamReply::Refused(UpstreamRefusal::Rejected) | UpstreamReply::Unknown => {
            app.note(
                "warn",
                "cap_postponed",
                json!({ "generation": due.public_id }),
            );
            return retry_next_run(app, run, due, counts).await;
        }
    }
    Ok(())
}
