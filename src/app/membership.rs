//! Ends a membership, for a while or for good, because an admin or the member decided so. The decision is written down
//! first and counts from then on. The keys are removed at once, or by the sweep if that fails.

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::keys;
use crate::crypto::{pseudonym, random};
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::identity::Status;
use crate::domain::people::session::Session;
use crate::store::keys::due::Due;
use crate::store::members;
use crate::store::members::offboard::{self, Leaving, StatusChange};
use crate::store::members::roster::{self, MemberDetails};

/// Sets a member's status for an admin. The same request again gets the same answer.
pub async fn set_member_status(
    app: &App,
    session: &Session,
    member: PublicId,
    status: Status,
) -> Result<MemberDetails, Error> {
    let verdict = StatusChange {
        session,
        member,
        status,
        change: random::public_id(&*app.random, IdKind::Change)?,
        block: random::public_id(&*app.random, IdKind::Block)?,
        admins: app.config.admins_json(),
        now: app.now(),
    };
    let stood = offboard::set_member_status(&*app.db, &verdict).await?;
    let (details, due) = stood.ok_or(Error::NotFound)?;
    match details.card.status {
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
pub async fn read(app: &App, session: &Session, member: &PublicId) -> Result<MemberDetails, Error> {
    let one = vec![roster::one(member)];
    let (_, rows) = members::signed_in(&*app.db, session, one).await?;
    let details = rows.first().map(roster::read_one).transpose()?;
    details.flatten().ok_or(Error::NotFound)
}

/// Lets a member leave who has confirmed that with their own login. It returns whether OpenRouter has confirmed that
/// none of their keys works.
pub async fn leave(app: &App, session: &Session, confirm: &str) -> Result<bool, Error> {
    let (member, _) = members::signed_in(&*app.db, session, Vec::new()).await?;
    if member.login != confirm {
        return Err(Error::bad_member(
            "/confirm",
            "must be your own login, exactly as it is shown",
        ));
    }
    let keyring = &app.keyring;
    let subjects = pseudonym::subjects(keyring, &member.provider, &member.subject);
    let leaving = Leaving {
        session,
        login: confirm,
        pseudonym: subjects.first().ok_or(Error::Internal)?,
        change: random::public_id(&*app.random, IdKind::Change)?,
        now: app.now(),
    };
    let due = offboard::leave(&*app.db, &leaving).await?;
    remove(app, session, &due.ok_or(Error::SignInRequired)?).await;
    Ok(keys_are_off(app, &session.member).await)
}

/// Answers whether every key of the member is confirmed to be disabled for good. It answers no if that cannot be read.
pub async fn keys_are_off(app: &App, member: &PublicId) -> bool {
    offboard::keys_are_off(&*app.db, member).await == Ok(true)
}

/// Removes the keys one after another, as long as OpenRouter answers. It returns whether any key was removed.
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
