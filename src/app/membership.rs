//! What ends a member's stay, for a while or for good: an admin's word, or their own. It is written down first and holds
//! from then on; the keys are removed at once, and by the sweep where that fails.

use serde_json::Value;

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::keys;
use crate::crypto::{pseudonym, random};
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::identity::Status;
use crate::domain::people::session::Session;
use crate::store::keys::due::Due;
use crate::store::members::offboard::{self, Leaving, StatusChange};
use crate::store::members::{self, roster};

/// Has a member stand as an admin says. The same again is the same answer.
pub async fn set_member_status(
    app: &App,
    session: &Session,
    member: PublicId,
    status: Status,
) -> Result<Value, Error> {
    let verdict = StatusChange {
        session,
        member,
        status,
        change: random::public_id(&*app.random, IdKind::Change)?,
        block: random::public_id(&*app.random, IdKind::Block)?,
        admins: serde_json::to_string(&app.config.admin_github_ids).map_err(|_| Error::Internal)?,
        now: app.now(),
    };
    let stood = offboard::set_member_status(&*app.db, &verdict).await?;
    let (details, due) = stood.ok_or(Error::NotFound)?;
    match roster::status_of(&details).ok_or(Error::Internal)? {
        is if is == status => {}
        Status::Left => return Err(Error::MemberLeft),
        _ => return Err(Error::MemberIsAdmin),
    }
    if remove(app, session, &due).await {
        return read(app, session, &verdict.member).await;
    }
    Ok(details)
}

/// A member with their keys, for an admin.
pub async fn read(app: &App, session: &Session, member: &PublicId) -> Result<Value, Error> {
    let one = vec![roster::one(member)];
    let (_, rows) = members::signed_in(&*app.db, session, one).await?;
    let details = rows.first().map(roster::read_one).transpose()?;
    details.flatten().ok_or(Error::NotFound)
}

/// The member leaves, having confirmed that with their own login. Whether OpenRouter has confirmed that no key of theirs works.
pub async fn leave(app: &App, session: &Session, confirm: &str) -> Result<bool, Error> {
    let (member, _) = members::signed_in(&*app.db, session, Vec::new()).await?;
    if member.login != confirm {
        return Err(Error::BadRequest {
            detail: "To leave, confirm with your own login, exactly as it is shown.",
        });
    }
    let keyring = &app.keyring;
    let subjects = pseudonym::subjects(keyring, &member.provider, &member.subject);
    let leaving = Leaving {
        session,
        login: confirm,
        subject: subjects.first().ok_or(Error::Internal)?,
        change: random::public_id(&*app.random, IdKind::Change)?,
        now: app.now(),
    };
    let due = offboard::leave(&*app.db, &leaving).await?;
    remove(app, session, &due.ok_or(Error::SignInRequired)?).await;
    Ok(keys_are_off(app, &session.member).await)
}

/// Whether every key of the member's is confirmed to be off for good; where that cannot be read, it is not.
pub async fn keys_are_off(app: &App, member: &PublicId) -> bool {
    offboard::keys_are_off(&*app.db, member).await == Ok(true)
}

/// Removes one after another, as long as upstream answers. Whether anything was.
async fn remove(app: &App, session: &Session, due: &[Due]) -> bool {
    let mut removed = false;
    for row in due {
        if !keys::remove(app, session.member.as_str(), row).await {
            break;
        }
        removed = true;
    }
    removed
}
