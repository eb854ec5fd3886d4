//! Putting out the people of released lists, deciding held ones, and erasing what is stored about those who went.

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::run::QueuedWork;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::departure::ERASED_AFTER_SECS;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::members::departures::{self, ListDecision, Went};
use crate::store::members::erasure;

/// The number of people of one batch.
const TOGETHER: i64 = 100;
/// The number of people whose erasure is read at a time.
const ERASED: i64 = 50;

/// What was done about people.
#[derive(Default)]
pub struct DeparturesDone {
    pub people: i64,
    pub keys: i64,
    /// One text for each person with whom it failed. It names nobody.
    pub failed: Vec<String>,
    /// Nothing is left but what has failed.
    pub all: bool,
}

/// Puts out the people of released lists, as long as there is room. People whose batch the database refuses are tried one
/// by one, so that one of them holds up no other.
pub async fn carry_out(app: &App, has_room: impl Fn() -> bool) -> Result<DeparturesDone, DbError> {
    let mut done = DeparturesDone::default();
    let mut after = 0;
    loop {
        if !has_room() {
            return Ok(done);
        }
        let owners = departures::due(&*app.db, after, TOGETHER).await?;
        let Some(last) = owners.last() else {
            done.all = true;
            return Ok(done);
        };
        after = *last;
        match depart(app, &owners).await {
            Ok(went) => done.add(went),
            Err(DbError::Unique | DbError::Constraint) => {
                for owner in owners {
                    match depart(app, &[owner]).await {
                        Ok(went) => done.add(went),
                        Err(DbError::Unique | DbError::Constraint) => {
                            done.failed.push(String::from("person_refused"));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
}

async fn depart(app: &App, owners: &[i64]) -> Result<Went, DbError> {
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    let admins = app.config.admins_json();
    departures::depart(&*app.db, owners, &admins, &change, app.now()).await
}

impl DeparturesDone {
    const fn add(&mut self, went: Went) {
        self.people = self.people.saturating_add(went.people);
        self.keys = self.keys.saturating_add(went.keys);
    }
}

/// Erases what is stored about people who were put out long enough ago, as long as there is room. One with whom it fails
/// holds up no other.
pub async fn erase_departed(
    app: &App,
    now: Timestamp,
    has_room: impl Fn() -> bool,
) -> Result<DeparturesDone, DbError> {
    let before = now.plus(-ERASED_AFTER_SECS);
    let mut done = DeparturesDone::default();
    departures::forget(&*app.db, before).await?;
    let (mut since, mut after) = (Timestamp::from_secs(0), 0);
    loop {
        let due = erasure::due(&*app.db, before, since, after, ERASED).await?;
        if due.is_empty() {
            done.all = true;
            return Ok(done);
        }
        for one in due {
            if !has_room() {
                return Ok(done);
            }
            (since, after) = (one.since, one.owner);
            let member = PublicId::parse(IdKind::Member, &one.member).ok_or(DbError::Broken)?;
            let change =
                random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
            match erasure::erase(&*app.db, &member, before, &change, now).await {
                Ok(true) => done.people = done.people.saturating_add(1),
                Ok(false) | Err(DbError::Unique | DbError::Constraint) => {
                    done.failed.push(String::from("erasure_refused"));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// An administrator's decision about a held list. The people of a released list are put out after the answer.
pub async fn decide(
    app: &App,
    session: &Session,
    list: &PublicId,
    decision: ListDecision,
) -> Result<bool, Error> {
    let change = random::public_id(&*app.random, IdKind::Change)?;
    let now = app.now();
    let decided = departures::decide(&*app.db, session, list, decision, &change, now).await?;
    if decided && decision == ListDecision::Release {
        app.queued_work.borrow_mut().push(QueuedWork::Departures);
    }
    Ok(decided)
}
