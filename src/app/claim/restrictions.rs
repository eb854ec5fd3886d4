//! What a fresh key is held to upstream, before anybody has its secret, and why upstream made none.

use serde_json::{Value, json};

use crate::app::claim::decision::MintLimit;
use crate::app::context::App;
use crate::app::error::Error;
use crate::domain::key::mint::MintSpec;
use crate::upstream::openrouter::guardrails::{AssignmentChange, AssignmentSearch, change, of_key};
use crate::upstream::openrouter::workspaces;
use crate::upstream::openrouter::{self, Done, UpstreamReply};

/// Held to its plan's guardrail before anybody can use it; and where there is nothing to spend, off before it is written
/// down, so that at no moment it is on record as off and is on. The error is the name of what was not confirmed.
pub async fn restrict(
    app: &App,
    guardrail: Option<&str>,
    share: &MintLimit,
    hash: &str,
) -> Result<(), &'static str> {
    if let Some(guardrail) = guardrail
        && !assigned(app, guardrail, hash).await
    {
        return Err("guardrail");
    }
    if share.exhausted && !off(app, hash).await {
        return Err("off");
    }
    Ok(())
}

/// Whether the key has the guardrail now. Where the transport repeated the call, it was no news to the second one: then the
/// guardrail's own list says.
async fn assigned(app: &App, guardrail: &str, hash: &str) -> bool {
    match change(&app.upstream(), AssignmentChange::Assign, guardrail, hash).await {
        UpstreamReply::Is(0) => {
            of_key(&app.upstream(), Some(guardrail), hash, 0).await
                == UpstreamReply::Is(AssignmentSearch::Has(Value::from(guardrail)))
        }
        told => told == UpstreamReply::Is(1),
    }
}

/// Disables the key; no earlier try to disable it may land after it was enabled.
async fn off(app: &App, hash: &str) -> bool {
    let told = openrouter::switch_key(&app.upstream(), hash, true).await;
    matches!(told, UpstreamReply::Is((Done::Surely, _)))
}

/// What is asked for is always in order, so a rejection is about what has changed at OpenRouter: the plan's workspace may
/// have been deleted there.
pub(crate) async fn why_rejected(app: &App, spec: &MintSpec) -> Error {
    let Some(workspace) = spec.workspace_id() else {
        return Error::OpenRouterRefused;
    };
    if workspaces::read(&app.upstream(), workspace).await != UpstreamReply::Missing {
        return Error::OpenRouterRefused;
    }
    app.note(
        "error",
        "workspace_missing",
        json!({ "workspace": workspace }),
    );
    Error::WorkspaceMissing
}
