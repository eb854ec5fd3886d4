//! A key's guardrail, brought to what its owner's plan names, before the key may spend more (F17). What upstream did not
//! confirm is in doubt, and is said again.

use crate::app::App;
use crate::crypto::random;
use crate::domain::id::Kind;
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::caps::Basis;
use crate::store::generations::Due;
use crate::store::guardrails::{self as rows, Turn};
use crate::upstream::guardrails;
use crate::upstream::openrouter::{self, Reply};

/// Brings one key's guardrail up to date: in force when this is `Is`, and when to say it again.
pub async fn follow(
    app: &App,
    due: &Due,
    basis: &Basis,
    actor: &str,
) -> Result<Reply<Option<Timestamp>>, DbError> {
    let wanted = basis.guardrail_wanted.as_deref();
    if wanted == basis.guardrail_id.as_deref() && !basis.guardrail_sent {
        return Ok(Reply::Is(None));
    }
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(Reply::Unknown);
    };
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let turn = Turn {
        generation: &due.public_id,
        guardrail: wanted,
        nonce: &nonce,
    };
    let Some(doubt) = rows::about_to(&*app.db, &turn, app.now()).await? else {
        return Ok(Reply::Unknown);
    };
    let sent = match wanted {
        Some(guardrail) => assign(app, guardrail, hash).await,
        None => release(app, basis, hash).await,
    };
    if sent != Reply::Is(()) {
        return Ok(sent.map(|()| None));
    }
    let change = random::public_id(&*app.random, Kind::Change).map_err(|_| DbError::Broken)?;
    let now = app.now();
    Ok(
        match rows::confirmed(&*app.db, &turn, &doubt, actor, &change, now).await? {
            true => Reply::Is(doubt.again(now)),
            false => Reply::Unknown,
        },
    )
}

/// One that is assigned already is counted as no news: then the list says.
async fn assign(app: &App, guardrail: &str, hash: &str) -> Reply<()> {
    match guardrails::assign(app, guardrail, hash).await {
        Reply::Is(Some(1)) => Reply::Is(()),
        Reply::Is(_) => match guardrails::of_key(app, hash).await {
            Reply::Is(Some(has)) if has == guardrail => Reply::Is(()),
            Reply::Is(_) => Reply::Unknown,
            other => other.map(|_| ()),
        },
        other => other.map(|_| ()),
    }
}

/// What is on record is taken away; or, where something else may be in force, what the list says.
async fn release(app: &App, basis: &Basis, hash: &str) -> Reply<()> {
    let has = if basis.guardrail_sent {
        match guardrails::of_key(app, hash).await {
            Reply::Is(has) => has,
            other => return other.map(|_| ()),
        }
    } else {
        basis.guardrail_id.clone()
    };
    let Some(has) = has else {
        return Reply::Is(());
    };
    match guardrails::release(app, &has, hash).await {
        // It was deleted, and holds nobody any more, where the key at least is there.
        Reply::Missing => openrouter::read_key(app, hash).await.map(|_| ()),
        reply => reply,
    }
}
