//! Sends the caps that are due to OpenRouter.

use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::app::sync::limit;
use crate::app::sync::switch::SwitchOutcome;
use crate::app::sync::upstream_changes::Glance;
use crate::jobs::halt::Halt;
use crate::jobs::sweep::counts::{JOB, Tally};
use crate::jobs::sweep::due::{refuse, retry_next_run, wrote};
use crate::store::keys::due::Due;
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply};

/// Sends one cap. `glance` is what OpenRouter's list has just shown of the key.
pub async fn send(
    app: &App,
    run: &Run,
    due: &Due,
    glance: Option<Glance>,
    counts: &Tally,
) -> Result<(), Halt> {
    match limit::follow(app, due, glance, run.now, JOB).await? {
        UpstreamReply::Is(SwitchOutcome::Confirmed) => {
            counts.success();
            wrote(app, run, counts).await;
            counts.one(|counts| &mut counts.capped);
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
