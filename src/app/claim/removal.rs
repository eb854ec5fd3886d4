//! A key that was made and is not delivered is deleted; what fails here, the sweep repeats.

use serde_json::json;

use crate::app::claim::endings::doubt;
use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::key::mint::{Echo, MintSpec};
use crate::domain::key::purge::Removed;
use crate::store::keys::attempt::Attempt;
use crate::store::keys::generations;
use crate::store::keys::mints;
use crate::upstream::openrouter::{self, UpstreamReply};

/// A gate closed between reservation and record: the key is deleted, nothing is delivered.
pub(crate) async fn erase(app: &App, attempt: &Attempt, hash: &str, confirm: bool) -> Error {
    let generation = attempt.generation.as_str();
    app.note(
        "warn",
        "mint_superseded",
        json!({ "generation": generation }),
    );
    delete(app, attempt, hash, confirm).await;
    Error::ClaimSuperseded
}

/// What was made is not what was asked for. Its removal is written down first; without a hash of its own that is
/// a doubt, and the sweep finds it by name.
pub(crate) async fn remove(
    app: &App,
    attempt: &Attempt,
    spec: &MintSpec,
    echo: &Echo,
    failure: &'static str,
) -> Error {
    let generation = attempt.generation.as_str();
    app.note(
        "error",
        "mint_mismatch",
        json!({ "generation": generation, "member": failure }),
    );
    let Some(hash) = echo.own_hash(spec) else {
        doubt(app, attempt).await;
        return Error::OpenRouterMismatch;
    };
    let Ok(change) = random::public_id(&*app.random, IdKind::Change) else {
        return Error::OpenRouterMismatch;
    };
    let workspace = echo.workspace_id.as_deref();
    let written = mints::abandon(
        &*app.db,
        attempt,
        &change,
        Some(hash),
        workspace,
        failure,
        app.now(),
    )
    .await;
    match written {
        Ok(true) => delete(app, attempt, hash, true).await,
        // The row is somebody else's by now, who settles the key too.
        Ok(false) => {}
        // Not written down, so not touched: the row is still `minting`, and the sweep ends it.
        Err(error) => {
            app.note(
                "warn",
                "mint_left_to_sweep",
                json!({ "generation": generation, "cause": format!("{error:?}") }),
            );
        }
    }
    Error::OpenRouterMismatch
}

/// Deletes the key just minted; what fails here, the sweep repeats.
async fn delete(app: &App, attempt: &Attempt, hash: &str, confirm: bool) {
    let gone = openrouter::delete_key(&app.upstream(), hash).await == UpstreamReply::Is(());
    let change = random::public_id(&*app.random, IdKind::Change);
    if let (true, true, Ok(change)) = (gone, confirm, change) {
        let generation = attempt.generation.as_str();
        let confirmed = generations::confirm_off(
            &*app.db,
            generation,
            Removed::Deleted,
            "mint",
            &change,
            app.now(),
        )
        .await;
        if confirmed != Ok(true) {
            app.note(
                "warn",
                "mint_left_to_sweep",
                json!({ "generation": generation }),
            );
        }
    }
}
