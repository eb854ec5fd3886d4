//! Deletes a key that was made and is not delivered. The sweep repeats whatever fails here.

use serde_json::json;

use crate::app::claim::endings::mark_unknown;
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

/// Deletes the key because a gate closed between the reservation and the record. Nothing is delivered.
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

/// Removes a key that differs from the one that was asked for. The removal is written down first. If the answer
/// contains no hash of this key, the outcome of the mint is treated as unknown, and the sweep finds the key by its
/// name.
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
        mark_unknown(app, attempt).await;
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
        // Another request or job owns the row now, and it settles the key as well.
        Ok(false) => {}
        // The removal is not written down, so the key is not touched. The row is still `minting`, and the sweep ends
        // it.
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

/// Deletes the key that was just made. The sweep repeats whatever fails here.
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
