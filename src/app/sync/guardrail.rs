//! A key's guardrail, brought to what its owner's plan names, before the key may spend more (F17). What upstream did not
//! confirm is in doubt, and is said again.

use serde_json::{Value, json};

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::sync::absence;
use crate::app::sync::limit::Cap;
use crate::app::sync::switch;
use crate::crypto::random;
use crate::domain::id::Kind;
use crate::domain::time::earliest;
use crate::ports::DbError;
use crate::store::budget::limits::Basis;
use crate::store::keys::generations::Due;
use crate::store::keys::guardrails as rows;
use crate::store::keys::guardrails::Turn;
use crate::upstream::openrouter::guardrails::{Change, Listed, change, of_key, read};
use crate::upstream::openrouter::{self, Refused, Reply};

/// A plan with a guardrail that is not there would have no key made any more.
pub async fn must_be_there(app: &App, guardrail: Option<&str>) -> Result<(), Error> {
    let Some(guardrail) = guardrail else {
        return Ok(());
    };
    match read(app, guardrail).await {
        Reply::Is(()) => Ok(()),
        Reply::Missing | Reply::Refused(Refused::Rejected) => Err(Error::GuardrailMissing),
        Reply::Refused(Refused::Credential) => Err(Error::CredentialRefused),
        Reply::Refused(Refused::Busy(_)) | Reply::Unknown => Err(Error::GuardrailUnread),
    }
}

/// Brings one key's guardrail up to date: in force when this is `Is`. What is to be said again then has the cap looked at.
pub async fn follow(
    app: &App,
    due: &Due,
    basis: &Basis,
    cap: &mut Cap,
    actor: &str,
) -> Result<Reply<()>, DbError> {
    let wanted = basis.guardrail_wanted.as_deref();
    if wanted == basis.guardrail_id.as_deref() && !basis.guardrail_sent {
        return Ok(Reply::Is(()));
    }
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(Reply::Unknown);
    };
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let says = Turn {
        generation: &due.public_id,
        guardrail: wanted,
        nonce: &nonce,
    };
    let asked = app.now();
    let Some(doubt) = rows::about_to(&*app.db, &says, asked).await? else {
        return Ok(Reply::Unknown);
    };
    if switch::is_late(app, asked) {
        return Ok(Reply::Unknown);
    }
    let sent = match send(app, basis, hash).await {
        // It is the guardrail that is not there, or the key.
        Reply::Missing => match openrouter::read_key(app, hash).await {
            Reply::Missing => absence::judge(app, due, Reply::Missing, actor).await?,
            _ => Reply::Unknown,
        },
        other => other,
    };
    match sent {
        Reply::Is(Sent::Confirmed) => {}
        // The next sweep goes on with it.
        Reply::Is(Sent::ListGoesOn(offset)) => {
            rows::list_goes_on(&*app.db, &says, offset).await?;
            return Ok(Reply::Unknown);
        }
        other => return Ok(other.map(|_| ())),
    }
    let change = random::public_id(&*app.random, Kind::Change).map_err(|_| DbError::Broken)?;
    let now = app.now();
    if !rows::confirmed(&*app.db, &says, &doubt, actor, &change, now).await? {
        return Ok(Reply::Unknown);
    }
    cap.next = earliest(cap.next, doubt.again(now));
    Ok(Reply::Is(()))
}

/// One that is assigned already is counted as no news: then its list says. What is taken away is what is on record: where
/// something else may be in force, that is assigned first, in its place. Where nothing is on record, the list says.
async fn send(app: &App, basis: &Basis, hash: &str) -> Reply<Sent> {
    let (wanted, recorded) = (basis.guardrail_wanted.as_deref(), &basis.guardrail_id);
    let in_doubt = recorded.as_deref().filter(|_| basis.guardrail_sent);
    let told = match wanted.or(in_doubt) {
        Some(guardrail) => change(app, Change::Assign, guardrail, hash).await,
        None if basis.guardrail_sent => Reply::Missing,
        None => Reply::Is(0),
    };
    let has = match told {
        Reply::Is(1) if wanted.is_some() => return Reply::Is(Sent::Confirmed),
        Reply::Is(_) if wanted.is_none() => json!(recorded),
        Reply::Missing if wanted.is_some() => return Reply::Missing,
        Reply::Is(_) | Reply::Missing => {
            match of_key(app, wanted, hash, basis.guardrail_list_offset).await {
                Reply::Is(Listed::Has(has)) => has,
                Reply::Is(Listed::GoesOn(offset)) => return Reply::Is(Sent::ListGoesOn(offset)),
                other => return other.map(|_| Sent::Confirmed),
            }
        }
        other => return other.map(|_| Sent::Confirmed),
    };
    match (has, wanted) {
        (Value::String(has), Some(wanted)) if has == wanted => Reply::Is(Sent::Confirmed),
        (Value::Null, None) => Reply::Is(Sent::Confirmed),
        (Value::String(has), None) => {
            match change(app, Change::Release, &has, hash).await {
                // It was deleted, and holds nobody any more, where the key at least is there.
                Reply::Missing => openrouter::read_key(app, hash)
                    .await
                    .map(|_| Sent::Confirmed),
                other => other.map(|_| Sent::Confirmed),
            }
        }
        _ => Reply::Unknown,
    }
}

/// What sending a guardrail came to.
enum Sent {
    Confirmed,
    /// Which one the key has is not known yet: the account's list is long, and goes on from this offset.
    ListGoesOn(usize),
}
