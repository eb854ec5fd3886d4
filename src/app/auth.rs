//! Decides who is an admin.

use crate::app::context::App;
use crate::app::error::Error;
use crate::domain::people::session::Session;
use crate::ports::DbError;
use crate::store::members::{self, Member};
use crate::store::query::StoreError;

/// Answers whether a member is on the list of admins.
pub fn is_admin(app: &App, member: &Member) -> bool {
    let is_listed = |name: &str| app.config.admins.iter().any(|admin| admin == name);
    match &member.pins {
        Some(pins) => pins.split(' ').any(is_listed),
        None => member.provider == "github" && is_listed(&member.subject),
    }
}

/// The admin whom a session belongs to, or `None` if it belongs to no admin.
pub async fn admin_of(app: &App, session: &Session) -> Result<Option<Member>, Error> {
    match members::signed_in(&*app.db, session, Vec::new()).await {
        Ok((member, _)) => Ok(Some(member).filter(|member| is_admin(app, member))),
        Err(StoreError::Db(DbError::Unknown)) => Err(Error::StorageUnavailable),
        Err(_) => Ok(None),
    }
}
