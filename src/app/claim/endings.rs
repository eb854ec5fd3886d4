//! How a mint ends if it made nothing, or if it is unknown whether it made a key.

use serde_json::json;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::time::Timestamp;
use crate::store::keys::attempt::Attempt;
use crate::store::keys::mints;

/// Moves the generation from `minting` to `void`. Nothing was made, so its seat is free again.
pub async fn refuse(
    app: &App,
    attempt: &Attempt,
    failure: &'static str,
    pause_until: Option<Timestamp>,
) -> Result<(), Error> {
    let change = random::public_id(&*app.random, IdKind::Change)?;
    let now = app.now();
    mints::refuse(&*app.db, attempt, &change, failure, pause_until, now).await?;
    Ok(())
}

/// Moves the generation from `minting` to `verifying`. If even that cannot be written, the row stays `minting` and the
/// sweep fences it.
pub(crate) async fn mark_unknown(app: &App, attempt: &Attempt) -> Error {
    let generation = attempt.generation.as_str();
    app.note("warn", "mint_unknown", json!({ "generation": generation }));
    let ids = random::public_id(&*app.random, IdKind::Change)
        .and_then(|change| Ok((change, random::nonce(&*app.random)?)));
    if let Ok((change, nonce)) = ids
        && let Err(error) = mints::mark_unknown(&*app.db, attempt, &change, &nonce, app.now()).await
    {
        app.note(
            "warn",
            "mint_left_to_sweep",
            json!({ "generation": generation, "cause": format!("{error:?}") }),
        );
    }
    Error::ClaimUnknown
}
