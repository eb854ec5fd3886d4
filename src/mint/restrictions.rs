//! What a fresh key is held to upstream, before anybody has its secret. The error is the name of what was not confirmed.

use super::Share;
use crate::app::App;
use crate::upstream::guardrails::{Change, change};
use crate::upstream::openrouter::{self, Done, Reply};

/// Held to its plan's guardrail before anybody can use it; and where there is nothing to spend, off before it is written
/// down, so that at no moment it is on record as off and is on.
pub async fn restrict(
    app: &App,
    guardrail: Option<&str>,
    share: &Share,
    hash: &str,
) -> Result<(), &'static str> {
    if let Some(guardrail) = guardrail
        && !matches!(
            change(app, Change::Assign, guardrail, hash).await,
            Reply::Is(1)
        )
    {
        return Err("guardrail");
    }
    if share.exhausted && !off(app, hash).await {
        return Err("off");
    }
    Ok(())
}

/// Off, and no earlier try to put it off may land after it has come on (X4).
async fn off(app: &App, hash: &str) -> bool {
    let told = openrouter::switch_key(app, hash, true).await;
    matches!(told, Reply::Is((Done::Surely, _)))
}
