//! The restrictions that a new key gets at OpenRouter before anyone has its secret, and the reason why OpenRouter made
//! no key.

use serde_json::json;

use crate::app::claim::decision::MintLimit;
use crate::app::context::App;
use crate::app::error::Error;
use crate::domain::key::mint::MintSpec;
use crate::upstream::openrouter::guardrails::{AssignmentChange, AssignmentSearch, change, of_key};
use crate::upstream::openrouter::workspaces;
use crate::upstream::openrouter::{self, Done, UpstreamReply};

/// Assigns the plan's guardrail before anyone can use the key. If nothing is left to spend, it also disables the key
/// before the record is written, so that the record never says "disabled" while the key is enabled. The error names
/// what OpenRouter did not confirm.
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

/// Answers whether the key has the guardrail now. If the transport repeated the call, OpenRouter reports no change for
/// the second one; then the guardrail's own list decides.
async fn assigned(app: &App, guardrail: &str, hash: &str) -> bool {
    match change(&app.upstream(), AssignmentChange::Assign, guardrail, hash).await {
        UpstreamReply::Is(0) => {
            of_key(&app.upstream(), Some(guardrail), hash, 0).await
                == UpstreamReply::Is(AssignmentSearch::Has(Some(guardrail.to_owned())))
        }
        reply => reply == UpstreamReply::Is(1),
    }
}

/// Disables the key. It answers true only if no earlier attempt to disable it can still take effect after the key was
/// enabled.
async fn off(app: &App, hash: &str) -> bool {
    let reply = openrouter::switch_key(&app.upstream(), hash, true).await;
    matches!(reply, UpstreamReply::Is((Done::Surely, _)))
}

/// Finds out why OpenRouter rejected the mint. Our request itself is always valid, so something must have changed at
/// OpenRouter: the plan's workspace may have been deleted there.
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
