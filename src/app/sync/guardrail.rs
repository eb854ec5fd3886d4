//! Brings the guardrail of a key to the one that its owner's plan names, before the key may spend more. A change that
//! OpenRouter did not confirm is in flight, and is sent again.

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::sync::absence;
use crate::app::sync::switch;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::budget::caps::Basis;
use crate::store::keys::due::Due;
use crate::store::keys::guardrails as rows;
use crate::store::keys::guardrails::PendingGuardrail;
use crate::upstream::client::UpstreamClient;
use crate::upstream::openrouter::guardrails::{
    AssignmentChange, AssignmentSearch, change, of_key, read,
};
use crate::upstream::openrouter::{self, UpstreamRefusal, UpstreamReply};

/// Checks that OpenRouter has the guardrail of a plan. Without it, no key could be made under that plan any more.
pub async fn must_be_there(app: &App, guardrail: Option<&str>) -> Result<(), Error> {
    let Some(guardrail) = guardrail else {
        return Ok(());
    };
    match read(&app.upstream(), guardrail).await {
        UpstreamReply::Is(()) => Ok(()),
        UpstreamReply::Missing | UpstreamReply::Refused(UpstreamRefusal::Rejected) => {
            Err(Error::GuardrailMissing)
        }
        UpstreamReply::Refused(UpstreamRefusal::Credential) => Err(Error::CredentialRefused),
        UpstreamReply::Refused(UpstreamRefusal::Busy(_)) | UpstreamReply::Unknown => {
            Err(Error::GuardrailUnread)
        }
    }
}

/// Brings the guardrail of one key up to date. The guardrail is in force if this returns `Is`, and the value says when
/// to look at it again together with the cap.
pub async fn follow(
    app: &App,
    due: &Due,
    basis: &Basis,
    actor: &str,
) -> Result<UpstreamReply<Option<Timestamp>>, DbError> {
    let wanted = basis.guardrail_wanted.as_deref();
    if wanted == basis.guardrail_id.as_deref() && !basis.guardrail_sent {
        return Ok(UpstreamReply::Is(None));
    }
    let Some(hash) = due.upstream_hash.as_deref() else {
        return Ok(UpstreamReply::Unknown);
    };
    let nonce = random::nonce(&*app.random).map_err(|_| DbError::Broken)?;
    let pending = PendingGuardrail {
        generation: &due.public_id,
        guardrail: wanted,
        nonce: &nonce,
    };
    let asked = app.now();
    let Some(in_flight) = rows::mark_in_flight(&*app.db, &pending, asked).await? else {
        return Ok(UpstreamReply::Unknown);
    };
    let Some(upstream) = switch::in_time(app, asked) else {
        return Ok(UpstreamReply::Unknown);
    };
    let sent = match send(&upstream, basis, hash).await {
        // Either the guardrail or the key does not exist.
        UpstreamReply::Missing => match openrouter::read_key(&app.upstream(), hash).await {
            UpstreamReply::Missing => {
                absence::judge(app, due, UpstreamReply::Missing, actor).await?
            }
            _ => UpstreamReply::Unknown,
        },
        other => other,
    };
    match sent {
        UpstreamReply::Is(Sent::Confirmed) => {}
        // The next sweep continues from this offset.
        UpstreamReply::Is(Sent::ListGoesOn(offset)) => {
            rows::list_goes_on(&*app.db, &pending, offset).await?;
            return Ok(UpstreamReply::Unknown);
        }
        other => return Ok(other.map(|_| None)),
    }
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    let now = app.now();
    if !rows::settle(&*app.db, &pending, &in_flight, actor, &change, now).await? {
        return Ok(UpstreamReply::Unknown);
    }
    Ok(UpstreamReply::Is(in_flight.again(now)))
}

/// Sends the change. OpenRouter reports no change for a guardrail that is assigned already; then its list of
/// assignments decides. To remove a guardrail, we remove the one on record. If another one may be in force, we first
/// assign the recorded one, which replaces it. If none is on record, the list decides.
async fn send(upstream: &UpstreamClient<'_>, basis: &Basis, hash: &str) -> UpstreamReply<Sent> {
    let (wanted, recorded) = (basis.guardrail_wanted.as_deref(), &basis.guardrail_id);
    let may_be_in_force = recorded.as_deref().filter(|_| basis.guardrail_sent);
    let reply = match wanted.or(may_be_in_force) {
        Some(guardrail) => change(upstream, AssignmentChange::Assign, guardrail, hash).await,
        None if basis.guardrail_sent => UpstreamReply::Missing,
        None => UpstreamReply::Is(0),
    };
    let has = match reply {
        UpstreamReply::Is(1) if wanted.is_some() => return UpstreamReply::Is(Sent::Confirmed),
        UpstreamReply::Is(_) if wanted.is_none() => recorded.clone(),
        UpstreamReply::Missing if wanted.is_some() => return UpstreamReply::Missing,
        UpstreamReply::Is(_) | UpstreamReply::Missing => {
            match of_key(upstream, wanted, hash, basis.guardrail_list_offset).await {
                UpstreamReply::Is(AssignmentSearch::Has(has)) => has,
                UpstreamReply::Is(AssignmentSearch::GoesOn(offset)) => {
                    return UpstreamReply::Is(Sent::ListGoesOn(offset));
                }
                other => return other.map(|_| Sent::Confirmed),
            }
        }
        other => return other.map(|_| Sent::Confirmed),
    };
    match (has, wanted) {
        (Some(has), Some(wanted)) if has == wanted => UpstreamReply::Is(Sent::Confirmed),
        (None, None) => UpstreamReply::Is(Sent::Confirmed),
        (Some(has), None) => {
            match change(upstream, AssignmentChange::Release, &has, hash).await {
                // The guardrail was deleted and restricts nobody any more. The key itself must still exist.
                UpstreamReply::Missing => openrouter::read_key(upstream, hash)
                    .await
                    .map(|_| Sent::Confirmed),
                other => other.map(|_| Sent::Confirmed),
            }
        }
        _ => UpstreamReply::Unknown,
    }
}

/// The result of sending a guardrail.
enum Sent {
    Confirmed,
    /// The key's guardrail is not known yet, because the account's list is long. The search continues at this offset.
    ListGoesOn(usize),
}
