//! Reads what a member's keys have spent: it decides which keys to ask about, asks OpenRouter once for each, and writes
//! the figures down. The page was answered from the database before. This only brings it up to date, so it is the first
//! work to be dropped.

use serde_json::json;

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::sync::absence;
use crate::app::sync::upstream_changes;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::Stmt;
use crate::store::keys::refresh::{self, KeyToRefresh};
use crate::upstream::openrouter::{self, UpstreamRefusal, UpstreamReply};

/// The result of a refresh.
pub struct RefreshResult {
    /// Statements that the caller runs together with those that read what the page shows.
    pub writes: Vec<Stmt>,
    /// Whether OpenRouter answered. It is `None` if OpenRouter was not asked.
    pub answered: Option<bool>,
}

/// Asks OpenRouter about those of the member's keys that nobody asked about within the last minute.
pub async fn ask(app: &App, session: &Session, now: Timestamp) -> Result<RefreshResult, Error> {
    let asked = refresh::take(&*app.db, session, now).await?;
    let mut result = RefreshResult {
        writes: Vec::new(),
        answered: None,
    };
    for key in &asked {
        let (answered, write) = ask_one(app, key, session.member.as_str(), now).await?;
        result.answered = Some(answered);
        result.writes.extend(write);
        // If OpenRouter does not answer, or asks us to wait, it is not asked about the next key.
        if !answered {
            break;
        }
    }
    Ok(result)
}

async fn ask_one(
    app: &App,
    key: &KeyToRefresh,
    actor: &str,
    now: Timestamp,
) -> Result<(bool, Option<Stmt>), Error> {
    let (generation, workspace) = (&key.public_id, key.workspace_id.as_deref());
    Ok(
        match openrouter::read_key_once(&app.upstream(), &key.upstream_hash).await {
            UpstreamReply::Is(body) => {
                if key.missing {
                    absence::withdraw(app, generation, actor).await?;
                }
                let of_row = (key.state, key.limit_nano);
                upstream_changes::notice(app, &key.upstream_hash, of_row, &body.seen(), actor)
                    .await?;
                // Figures that are no valid amounts say nothing, so the known figures stay.
                let spend = body.read_at(now);
                (
                    true,
                    spend.map(|spend| refresh::record_spend(generation, &spend)),
                )
            }
            UpstreamReply::Missing => {
                let is_gone = absence::is_gone(app, workspace).await?;
                if is_gone {
                    absence::record(app, generation, actor).await?;
                }
                (is_gone, None)
            }
            UpstreamReply::Refused(UpstreamRefusal::Rejected) => (true, None),
            UpstreamReply::Refused(
                refused @ (UpstreamRefusal::Credential | UpstreamRefusal::Busy(_)),
            ) => {
                app.note("warn", "spend_refused", json!({ "why": refused.name() }));
                (false, None)
            }
            UpstreamReply::Unknown => (false, None),
        },
    )
}
