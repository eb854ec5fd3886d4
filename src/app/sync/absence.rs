//! Decides what a 404 of OpenRouter about a key means. No other code decides that.
//!
//! A credential of another account, a wrong address and a proxy in between answer 404 too. The 404 counts only if the
//! same credential, used after it, finds the workspace that the key was made in. Then the key is gone, nobody can spend
//! with it any more, and its row says so at once. In every other case the outcome is unknown, and an unknown outcome
//! changes nothing.

use serde_json::json;

use crate::app::context::App;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::ports::DbError;
use crate::store::keys::due::Due;
use crate::store::keys::missing;
use crate::upstream::openrouter::UpstreamReply;
use crate::upstream::openrouter::workspaces;

/// Passes on what OpenRouter said about the key of this row. If it returns `Missing`, the absence is confirmed and
/// recorded. Any other 404 becomes `Unknown`.
pub async fn judge<T>(
    app: &App,
    due: &Due,
    reply: UpstreamReply<T>,
    actor: &str,
) -> Result<UpstreamReply<T>, DbError> {
    if !matches!(reply, UpstreamReply::Missing) {
        return Ok(reply);
    }
    if !is_gone(app, due.workspace_id.as_deref()).await? {
        return Ok(UpstreamReply::Unknown);
    }
    record(app, &due.public_id, actor).await?;
    Ok(UpstreamReply::Missing)
}

/// Answers whether a key of this workspace, for which OpenRouter answered 404 just now, is gone. A row without a
/// workspace is in the account's default one.
pub async fn is_gone(app: &App, workspace_id: Option<&str>) -> Result<bool, DbError> {
    let account = missing::account(&*app.db).await?;
    let Some(workspace_id) = workspace_id.or(account.home_workspace_id.as_deref()) else {
        return Ok(false);
    };
    Ok(account.may_conclude
        && workspaces::read(&app.upstream(), workspace_id).await == UpstreamReply::Is(()))
}

/// Writes down that OpenRouter no longer has the key of this row.
pub async fn record(app: &App, generation: &str, actor: &str) -> Result<(), DbError> {
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    if missing::missed(&*app.db, generation, actor, &change, app.now()).await? {
        app.note("error", "key_missing", json!({ "generation": generation }));
    }
    Ok(())
}

/// Writes down that OpenRouter has the key after all.
pub async fn withdraw(app: &App, generation: &str, actor: &str) -> Result<(), DbError> {
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    missing::found(&*app.db, generation, actor, &change, app.now()).await?;
    Ok(())
}
