//! One walk through one directory: its pages, its deleted accounts, and then, one by one, the members whom it has not
//! shown although it has shown them before. Nothing follows from a walk until it is complete and believed.

use crate::app::context::App;
use crate::app::run::Run;
use crate::crypto::random;
use crate::domain::id::IdKind;
use crate::domain::people::departure::{Doubt, Found, HELD_SECS, SMALL_SECS, WalkStep, is_shrunk};
use crate::domain::time::Timestamp;
use crate::jobs::halt::{Halt, change, renew};
use crate::jobs::offboard::source::{DirectorySource, short_digest};
use crate::ports::DbError;
use crate::store::members::departures;
use crate::store::members::presences::{self, Absentee, DirectoryRow, Sighting, WalkOf};
use crate::store::ops::cursors::{DirectoryWalk, OffboardCursor};
use crate::store::ops::runs;
use crate::upstream::directory::{DirectoryPage, ListedPerson};

/// The number of absentees that are asked for before the position is written down.
const ABSENTEES: i64 = 25;
/// If so many questions about people in a row get no answer, the directory as a whole is doubtful.
const IN_A_ROW: usize = 5;

/// Why a walk ended before its end.
pub enum Broken {
    Doubt(Doubt),
    Halt(Halt),
}

impl From<Doubt> for Broken {
    fn from(doubt: Doubt) -> Self {
        Self::Doubt(doubt)
    }
}

impl From<Halt> for Broken {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<DbError> for Broken {
    fn from(error: DbError) -> Self {
        Self::Halt(error.into())
    }
}

/// Walks, or continues a walk. What it has found is written down, and those who are gone for long enough are listed.
pub async fn walk(
    app: &App,
    run: &Run,
    source: &DirectorySource<'_>,
    provider: &str,
    cursor: &mut OffboardCursor,
) -> Result<(), Broken> {
    let digest = source.digest(&app.config);
    let known = presences::directory(&*app.db, provider).await?;
    let mut walk = cursor
        .walk
        .take()
        .filter(|walk| walk.source == digest)
        .unwrap_or_else(|| {
            let same = known.as_ref().filter(|known| known.source == digest);
            DirectoryWalk::new(digest, same.and_then(|known| known.good_at))
        });
    let began = cursor.began();
    while walk.step != WalkStep::Ends {
        if !run.has_room(app) {
            cursor.walk = Some(walk);
            return Err(Halt::Budget(None).into());
        }
        run.report(&cursor.counts);
        renew(app, run).await?;
        match walk.step {
            WalkStep::Lists => turn_page(app, source, provider, began, &mut walk, false).await?,
            WalkStep::Deleted => turn_page(app, source, provider, began, &mut walk, true).await?,
            WalkStep::Asks => ask(app, source, provider, began, &mut walk, cursor).await?,
            WalkStep::Ends => {}
        }
        next_step(source, known.as_ref(), run.now, &mut walk)?;
        cursor.walk = Some(walk.clone());
        keep(app, run, cursor).await?;
    }
    let is = of(&walk, provider, began);
    let counts = presences::counts(&*app.db, is).await?;
    cursor.counts.found(walk.people, &counts);
    if !cursor.counts.dry_run {
        end(app, run, is, &walk, cursor).await?;
    }
    cursor.walk = None;
    Ok(())
}

const fn of<'a>(walk: &'a DirectoryWalk, provider: &'a str, began: Timestamp) -> WalkOf<'a> {
    WalkOf {
        provider,
        source: walk.source.as_str(),
        walk: began,
    }
}

/// Reads one page and writes down what it shows.
async fn turn_page(
    app: &App,
    source: &DirectorySource<'_>,
    provider: &str,
    began: Timestamp,
    walk: &mut DirectoryWalk,
    deleted: bool,
) -> Result<(), Broken> {
    let DirectoryPage { people, next } = source.page(app, walk.page.as_deref(), deleted).await?;
    let sightings: Vec<Sighting<'_>> = people
        .iter()
        .map(|person| Sighting {
            id: &person.id,
            found: person.found.name(),
        })
        .collect();
    let ids: Vec<&str> = sightings.iter().map(|one| one.id).collect();
    let page = (!ids.is_empty()).then(|| short_digest(&ids.join("\n")));
    for mark in page.into_iter().chain(next.as_deref().map(short_digest)) {
        if walk.seen.contains(&mark) {
            return Err(Doubt::Repeats.into());
        }
        walk.seen.push(mark);
    }
    presences::see(&*app.db, of(walk, provider, began), &sightings).await?;
    let shown = i64::try_from(people.len()).unwrap_or(i64::MAX);
    if deleted {
        // Only those who were deleted since the last good walk explain why the list has become shorter.
        let after = Timestamp::from_secs(walk.good_at);
        let fresh = |at: &Timestamp| *at > after;
        let fresh = people.iter().filter_map(|one| one.deleted_at).filter(fresh);
        let fresh = i64::try_from(fresh.count()).unwrap_or(i64::MAX);
        walk.deleted = walk.deleted.saturating_add(fresh);
    } else {
        walk.people = walk.people.saturating_add(shown);
    }
    if !deleted && walk.control.is_none() {
        let is_there = |person: &&ListedPerson| person.found == Found::Active;
        walk.control = people.iter().find(is_there).map(|one| one.id.clone());
    }
    walk.page_read = true;
    walk.page = next;
    Ok(())
}

/// Goes to the next step when the present one is done, unless what was listed is not believed.
fn next_step(
    source: &DirectorySource<'_>,
    known: Option<&DirectoryRow>,
    now: Timestamp,
    walk: &mut DirectoryWalk,
) -> Result<(), Doubt> {
    let is_done = match walk.step {
        WalkStep::Lists | WalkStep::Deleted => walk.page_read && walk.page.is_none(),
        WalkStep::Asks => walk.all_asked,
        WalkStep::Ends => false,
    };
    if !is_done {
        return Ok(());
    }
    if walk.step == WalkStep::Lists && walk.people == 0 {
        return Err(Doubt::Empty);
    }
    let is_listed = match walk.step {
        WalkStep::Lists => !source.lists_deleted(),
        step => step == WalkStep::Deleted,
    };
    let known = known.filter(|known| known.source == walk.source);
    if is_listed && let Some(known) = known {
        let has_stayed = known.code.as_deref() == Some(Doubt::Shrunk.code())
            && known
                .code_since
                .is_some_and(|since| since <= now.plus(-SMALL_SECS));
        if is_shrunk(walk.people, walk.deleted, known.people) && !has_stayed {
            return Err(Doubt::Shrunk);
        }
    }
    walk.step = match walk.step {
        WalkStep::Lists if source.lists_deleted() => WalkStep::Deleted,
        WalkStep::Lists | WalkStep::Deleted => WalkStep::Asks,
        WalkStep::Asks | WalkStep::Ends => WalkStep::Ends,
    };
    walk.page_read = false;
    Ok(())
}

/// Asks for some of the members whom no page has shown, one after another. An answer that is none concerns that person
/// only, until too many in a row are none.
async fn ask(
    app: &App,
    source: &DirectorySource<'_>,
    provider: &str,
    began: Timestamp,
    walk: &mut DirectoryWalk,
    cursor: &mut OffboardCursor,
) -> Result<(), Broken> {
    let is = of(walk, provider, began);
    let absent: Vec<Absentee> = presences::absent(&*app.db, is, walk.asked, ABSENTEES).await?;
    if !absent.is_empty() {
        is_truthful(app, source, walk).await?;
    }
    let mut sightings = Vec::new();
    let mut in_a_row = 0_usize;
    for absentee in &absent {
        cursor.counts.asked = cursor.counts.asked.saturating_add(1);
        let found = match source.person(app, absentee).await {
            Ok(found) => {
                in_a_row = 0;
                found
            }
            Err(doubt) => {
                in_a_row = in_a_row.saturating_add(1);
                if in_a_row >= IN_A_ROW {
                    return Err(doubt.into());
                }
                cursor
                    .counts
                    .problem(&format!("{provider}: {}", doubt.code()));
                Found::Unknown
            }
        };
        sightings.push(Sighting {
            id: &absentee.id,
            found: found.name(),
        });
    }
    presences::see(&*app.db, is, &sightings).await?;
    match absent.last() {
        Some(last) => walk.asked = last.owner,
        None => walk.all_asked = true,
    }
    Ok(())
}

/// Asks about somebody whom the list has just shown. A directory that says of them that they are gone, too, is not
/// believed about anybody.
async fn is_truthful(
    app: &App,
    source: &DirectorySource<'_>,
    walk: &DirectoryWalk,
) -> Result<(), Doubt> {
    let Some(id) = walk.control.clone() else {
        return Ok(());
    };
    let listed = Absentee {
        owner: 0,
        id,
        login: String::new(),
    };
    match source.person(app, &listed).await? {
        Found::Active | Found::Suspended | Found::Archived => Ok(()),
        _ => Err(Doubt::Contradicts),
    }
}

/// Believes the walk: strikes are given and taken, and those who have enough of them are listed.
async fn end(
    app: &App,
    run: &Run,
    is: WalkOf<'_>,
    walk: &DirectoryWalk,
    cursor: &mut OffboardCursor,
) -> Result<(), Broken> {
    let now = run.now;
    presences::believe(&*app.db, is, walk.people, walk.only_looks, now).await?;
    if walk.only_looks {
        cursor.counts.first_look = true;
        return Ok(());
    }
    let admins = app.config.admins_json();
    let list = random::public_id(&*app.random, IdKind::Departure).map_err(|_| DbError::Broken)?;
    let (expired, listed) = (change(app)?, change(app)?);
    let ids = [&expired, &listed, &list];
    let until = now.plus(HELD_SECS);
    let held = departures::list(&*app.db, is.provider, &admins, ids, now, until).await?;
    cursor.counts.held = cursor.counts.held.saturating_add(held);
    if held > 0 {
        let more =
            serde_json::json!({ "directory": is.provider, "list": list.as_str(), "people": held });
        app.note("error", "departures_held", more);
    }
    Ok(())
}

/// Writes down how far the run has come.
pub async fn keep(app: &App, run: &Run, cursor: &OffboardCursor) -> Result<(), Halt> {
    let text = serde_json::to_string(cursor).map_err(|_| DbError::Broken)?;
    Ok(runs::keep(&*app.db, &run.id, &text).await?)
}
