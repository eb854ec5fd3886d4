//! Closes the workspace of our keys while every key must be disabled, and opens it afterwards. Its default guardrail
//! governs everything in it, so one call stops all keys, long before the last of them is disabled on its own.
//!
//! This is done only in a workspace that the operator has declared to hold nothing but keys of this deployment.

use serde_json::json;

use crate::app::context::App;
use crate::app::sync::switch;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::ports::DbError;
use crate::store::ops::closures::{self, ClosureChange, PendingClosure};
use crate::upstream::client::UpstreamClient;
use crate::upstream::openrouter::rules::{GuardrailRules, change_rules, read_rules};
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply, workspaces};

/// Brings the workspace to what the switch of all keys requires. What does not succeed is logged, and the next sweep
/// tries it again; the keys are disabled one by one in any case. A workspace that is closed is opened again even if the
/// operator has taken the declaration back meanwhile.
pub async fn follow(app: &App, actor: &str) -> Result<(), DbError> {
    let state = closures::state(&*app.db).await?;
    let closes = state.keys_off;
    let reply = match (state.change, app.config.exclusive_workspace.as_deref()) {
        (Some(change), _) if change.is_settled(closes, app.now()) => return Ok(()),
        (Some(change), _) => send(app, &change, closes, actor).await?,
        (None, Some(workspace)) if closes => match begin(app, workspace, actor).await? {
            UpstreamReply::Is(Some(change)) => send(app, &change, closes, actor).await?,
            other => other.map(|_| ()),
        },
        (None, _) => return Ok(()),
    };
    let why = match reply {
        UpstreamReply::Is(()) => return Ok(()),
        UpstreamReply::Missing => "missing",
        UpstreamReply::Refused(refused) => refused.name(),
        UpstreamReply::Unknown => "unknown",
    };
    let event = if closes {
        "workspace_not_closed"
    } else {
        "workspace_not_opened"
    };
    app.note("error", event, json!({ "why": why }));
    Ok(())
}

/// Logs that the database did not let the workspace be changed. The next sweep tries it again.
pub fn left_to_sweep(app: &App, error: DbError) {
    let more = json!({ "cause": format!("{error:?}") });
    app.note("error", "closure_left_to_sweep", more);
}

/// Writes down what the workspace's default guardrail allows, before it is changed for the first time. The change is
/// `None` if the keys are no longer to be disabled.
async fn begin(
    app: &App,
    workspace: &str,
    actor: &str,
) -> Result<UpstreamReply<Option<ClosureChange>>, DbError> {
    let upstream = app.upstream();
    let guardrail = match workspaces::default_guardrail(&upstream, workspace).await {
        UpstreamReply::Is(guardrail) => guardrail,
        other => return Ok(other.map(|_| None)),
    };
    let rules = match read_rules(&upstream, &guardrail).await {
        UpstreamReply::Is(rules) => json!(rules).to_string(),
        other => return Ok(other.map(|_| None)),
    };
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    let (db, now) = (&*app.db, app.now());
    closures::begin(db, workspace, &guardrail, &rules, actor, &change, now).await?;
    let state = closures::state(db).await?;
    Ok(UpstreamReply::Is(state.change))
}

/// Sends the change, which is marked as in flight before, and settles it if OpenRouter confirms it.
async fn send(
    app: &App,
    change: &ClosureChange,
    closes: bool,
    actor: &str,
) -> Result<UpstreamReply<()>, DbError> {
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let pending = PendingClosure {
        workspace: &change.workspace,
        closes,
        nonce: &nonce,
    };
    let before: GuardrailRules =
        serde_json::from_str(&change.rules_before).map_err(|_| DbError::Broken)?;
    let asked = app.now();
    let Some(in_flight) = closures::mark_in_flight(&*app.db, &pending, asked).await? else {
        return Ok(UpstreamReply::Is(()));
    };
    let Some(upstream) = switch::in_time(app, asked) else {
        return Ok(UpstreamReply::Unknown);
    };
    let reply = if closes {
        close(&upstream, &change.guardrail, &before).await
    } else {
        open(&upstream, &change.guardrail, &before).await
    };
    if reply != UpstreamReply::Is(()) {
        return Ok(reply);
    }
    let id = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    closures::settle(&*app.db, &pending, in_flight, actor, &id, app.now()).await?;
    Ok(reply)
}

/// Tries the rules that let nothing through until OpenRouter accepts one.
async fn close(
    upstream: &UpstreamClient<'_>,
    guardrail: &str,
    before: &GuardrailRules,
) -> UpstreamReply<()> {
    let mut reply = UpstreamReply::Unknown;
    for rules in before.closing() {
        reply = change_rules(upstream, guardrail, &rules).await;
        if reply != UpstreamReply::Refused(UpstreamRefusal::Rejected) {
            break;
        }
    }
    reply
}

/// Takes back the rules that closed the workspace. What somebody else has changed meanwhile stays as it is.
async fn open(
    upstream: &UpstreamClient<'_>,
    guardrail: &str,
    before: &GuardrailRules,
) -> UpstreamReply<()> {
    let rules = match read_rules(upstream, guardrail).await {
        UpstreamReply::Is(rules) => rules,
        other => return other.map(|_| ()),
    };
    match rules.opened(before) {
        None => UpstreamReply::Is(()),
        Some(opened) => change_rules(upstream, guardrail, &opened).await,
    }
}
