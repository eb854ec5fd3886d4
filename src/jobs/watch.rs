//! What a job checks before it does anything that could not be undone: that the database was not restored, and that the
//! account is ours.
//!
//! The end of the audit is stored in KV, which a restore of the database does not reach. KV may be late: an older mark
//! is still a row of our audit, so it raises no alarm. KV may be empty or may not answer: nothing is concluded then.

use serde::Serialize;
use serde_json::json;

use crate::app::context::App;
use crate::app::run::Run;
use crate::jobs::halt::{Halt, change};
use crate::ports::DbError;
use crate::store::ops::alarms::{self, Head};
use crate::upstream::openrouter::UpstreamReply;
use crate::upstream::openrouter::workspaces;

from_json! {
    /// The end of the audit when the mark was written.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    struct Mark {
        /// When an admin had last accepted a restored database.
        since: i64,
        id: i64,
        change_id: String,
    }
}

impl Mark {
    /// Answers whether a database whose audit ends like this is older than the mark: the row of the mark is absent, or
    /// another row has its id.
    fn is_lost(&self, head: &Head) -> bool {
        let other_row = head.then.as_deref() != Some(self.change_id.as_str());
        self.since > head.since || (self.since == head.since && other_row)
    }
}

/// What KV contained when a run began. It is replaced at the end of the run.
pub struct Watch {
    name: String,
    mark: Option<Mark>,
}

/// Answers whether the database is this deployment's. It answers false while the database belongs to no deployment yet;
/// then there is nothing to do.
pub fn is_ours(app: &App, run: &Run) -> Result<bool, Halt> {
    match run.begun.public_origin.as_deref() {
        None => Ok(false),
        Some(origin) if origin == app.config.public_origin.as_str() => Ok(true),
        Some(_) => Err(Halt::ForeignInstance),
    }
}

/// Compares the database with what KV remembers of it. It returns `None` if KV does not answer; then KV is not written
/// either.
pub async fn begin(app: &App, run: &Run) -> Result<Option<Watch>, Halt> {
    if run.begun.restored {
        return Err(Halt::Restored);
    }
    let name = format!("audit/{}", run.begun.instance);
    let Ok(text) = app.kv.get(&name).await else {
        app.note("warn", "kv_silent", json!({ "job": run.job }));
        return Ok(None);
    };
    let mark: Option<Mark> = text.and_then(|text| crate::ports::json::read(text.as_bytes()));
    if let Some(mark) = &mark {
        let head = alarms::head(&*app.db, Some(mark.id)).await?;
        if mark.is_lost(&head) {
            app.note(
                "error",
                "restore_suspected",
                json!({ "job": run.job, "audit_id": head.id, "was": mark.id }),
            );
            alarms::suspect(&*app.db, run.job, head.since, &change(app)?, run.now).await?;
            return Err(Halt::Restored);
        }
    }
    Ok(Some(Watch { name, mark }))
}

/// Remembers where the audit ends now, unless the database was restored in the meantime.
pub async fn end(app: &App, watch: &Watch) -> Result<(), DbError> {
    let before = watch.mark.as_ref();
    let head = alarms::head(&*app.db, before.map(|mark| mark.id)).await?;
    let Some(change_id) = head.change_id.clone() else {
        return Ok(());
    };
    let mark = Mark {
        since: head.since,
        id: head.id,
        change_id,
    };
    if before == Some(&mark) || before.is_some_and(|before| before.is_lost(&head)) {
        return Ok(());
    }
    let text = serde_json::to_string(&mark).map_err(|_| DbError::Broken)?;
    if app.kv.put(&watch.name, text, None).await.is_err() {
        app.note("warn", "kv_silent", json!({}));
    }
    Ok(())
}

/// Checks that the account has a workspace in which we have made keys. Otherwise nothing is concluded from its answers.
pub async fn our_account(app: &App, run: &Run) -> Result<(), Halt> {
    let Some(known) = run.begun.known_workspace_id.as_deref() else {
        return Ok(());
    };
    match workspaces::read(&app.upstream(), known).await {
        UpstreamReply::Is(()) => {
            if alarms::account_found(&*app.db, run.job, &change(app)?, app.now()).await? {
                app.note("info", "account_found", json!({ "job": run.job }));
            }
            Ok(())
        }
        UpstreamReply::Missing => {
            app.note("error", "foreign_account", json!({ "job": run.job }));
            let since = run.begun.account_since;
            alarms::account_lost(&*app.db, run.job, since, &change(app)?, run.now).await?;
            Err(Halt::ForeignAccount)
        }
        UpstreamReply::Refused(refused) => Err(refused.into()),
        UpstreamReply::Unknown => Err(Halt::Upstream),
    }
}
