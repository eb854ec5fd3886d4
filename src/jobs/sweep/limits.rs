//! Caps that are due, brought upstream one by one.

use serde_json::json;

use crate::app::context::App;
use crate::app::sync::limit;
use crate::app::sync::switch::Switched;
use crate::jobs::run::Run;
use crate::jobs::sweep::due::{refuse, retry_next_run, wrote};
use crate::jobs::sweep::{Counts, Halt, JOB};
use crate::store::keys::generations::Due;
use crate::upstream::openrouter::{Refused, Reply};

/// One cap.
pub async fn turn(app: &App, run: &Run, due: &Due, counts: &mut Counts) -> Result<(), Halt> {
    match limit::follow(app, due, run.now, JOB).await? {
        Reply::Is(Switched::Confirmed) => {
            counts.success();
            wrote(app, run, counts).await;
            counts.capped = counts.capped.saturating_add(1);
        }
        Reply::Is(Switched::AsItWas | Switched::Overtaken | Switched::Gone) => {}
        // It has no limit any more.
        Reply::Missing => counts.success(),
        Reply::Refused(refused @ (Refused::Credential | Refused::Busy(_))) => {
            return refuse(app, run, due, refused, counts).await;
        }
        Reply::Refused(Refused::Rejected) | Reply::Unknown => {
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
