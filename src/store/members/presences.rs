//! What the directories say of members: who is there, on how many days they were found gone, and whether the directory is
//! believed. Nothing here puts anybody out.

use serde::Serialize;

use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read_all;
use crate::store::query::rows_of;

statements! {
    // A walk that finds a person twice believes the first: the list of those who are there comes before that of the
    // deleted. Strikes of another directory do not count.
    SEE { people: String, provider: String, source: String, walk: Timestamp } =
        "INSERT INTO presences (owner_id, source, walk, found)
        SELECT m.owner_id, :source, :walk, json_extract(j.value, '$.found') FROM json_each(:people) j
        JOIN members m ON m.provider = :provider AND m.subject = json_extract(j.value, '$.id')
        WHERE m.status = 'active'
        ON CONFLICT (owner_id) DO UPDATE SET found = excluded.found, walk = excluded.walk, source = excluded.source,
          strikes = iif(source = excluded.source, strikes, 0), strike_day = iif(source = excluded.source, strike_day, NULL),
          since = iif(source = excluded.source, since, NULL)
        WHERE walk < excluded.walk OR source <> excluded.source";

    // Members whom the directory has shown before and the walk has not.
    ABSENT { provider: String, source: String, walk: Timestamp, after: i64, most: i64 } =
        "SELECT json_object('owner', m.owner_id, 'id', m.subject, 'login', m.login)
        FROM presences p JOIN members m ON m.owner_id = p.owner_id
        WHERE p.owner_id > :after AND p.source = :source AND p.walk < :walk AND m.provider = :provider AND m.status = 'active'
        ORDER BY p.owner_id LIMIT :most";

    STRIKE { provider: String, source: String, walk: Timestamp, day: i64, now: Timestamp } =
        "UPDATE presences SET strikes = strikes + 1, strike_day = :day, since = COALESCE(since, :now)
        WHERE walk = :walk AND source = :source AND found NOT IN ('active', 'unknown')
          AND (strike_day IS NULL OR strike_day < :day)
          AND EXISTS (SELECT 1 FROM members m WHERE m.owner_id = presences.owner_id AND m.provider = :provider)";

    FORGIVE { source: String, walk: Timestamp } = "UPDATE presences SET strikes = 0, strike_day = NULL, since = NULL
        WHERE walk = :walk AND source = :source AND found = 'active' AND strikes > 0";

    // A person who is there again is put out by no list that was not carried out yet.
    UNLIST { source: String, walk: Timestamp } = "DELETE FROM departures WHERE blocked_at IS NULL
          AND EXISTS (SELECT 1 FROM presences p WHERE p.owner_id = departures.owner_id
            AND p.walk = :walk AND p.source = :source AND p.found = 'active')";

    // Members whom the directory showed under its former settings and does not show now are asked about from the next walk
    // on. What was found before does not count. A directory that shows no member at all is none of theirs, so it says
    // nothing about anybody.
    TAKE_OVER { provider: String, source: String, walk: Timestamp } =
        "UPDATE presences SET source = :source, strikes = 0, strike_day = NULL, since = NULL
        WHERE walk < :walk AND source <> :source
          AND EXISTS (SELECT 1 FROM members m WHERE m.owner_id = presences.owner_id AND m.provider = :provider)
          AND EXISTS (SELECT 1 FROM presences q WHERE q.walk = :walk AND q.source = :source AND q.found = 'active')";

    BELIEVE { provider: String, source: String, walk: Timestamp, people: i64 } =
        "INSERT INTO directories (provider, source, good_at, people) VALUES (:provider, :source, :walk, :people)
        ON CONFLICT (provider) DO UPDATE SET source = excluded.source, good_at = excluded.good_at,
          people = excluded.people, unknown_since = NULL, code = NULL, code_since = NULL";

    DOUBT { provider: String, code: String, now: Timestamp } =
        "INSERT INTO directories (provider, source, people, unknown_since, code, code_since)
        VALUES (:provider, '', 0, :now, :code, :now)
        ON CONFLICT (provider) DO UPDATE SET code = excluded.code, unknown_since = COALESCE(unknown_since, excluded.unknown_since),
          code_since = iif(code IS excluded.code, code_since, excluded.code_since)";

    DIRECTORY { provider: String } = "SELECT json_object('provider', d.provider, 'source', d.source, 'good_at', d.good_at,
          'people', d.people, 'unknown_since', d.unknown_since, 'code', d.code, 'code_since', d.code_since)
        FROM directories d WHERE d.provider = :provider";

    DIRECTORIES = "SELECT json_object('provider', d.provider, 'source', d.source, 'good_at', d.good_at,
          'people', d.people, 'unknown_since', d.unknown_since, 'code', d.code, 'code_since', d.code_since)
        FROM directories d ORDER BY d.provider";

    COUNTS { provider: String, source: String, walk: Timestamp } = "SELECT json_object('checked', COUNT(p.owner_id),
          'never_seen', COUNT(*) - COUNT(p.owner_id),
          'inactive', COALESCE(SUM(p.walk = :walk AND p.found NOT IN ('active', 'unknown')), 0),
          'unknown', COALESCE(SUM(p.walk < :walk OR p.found = 'unknown'), 0))
        FROM members m LEFT JOIN presences p ON p.owner_id = m.owner_id AND p.source = :source
        WHERE m.provider = :provider AND m.status = 'active'";
}

/// What a walk has found about one account.
#[derive(Serialize)]
pub struct Sighting<'a> {
    pub id: &'a str,
    pub found: &'static str,
}

/// One walk through one directory.
#[derive(Clone, Copy)]
pub struct WalkOf<'a> {
    pub provider: &'a str,
    pub source: &'a str,
    /// When it began.
    pub walk: Timestamp,
}

/// Writes down what the walk has found. Accounts that are no members are ignored.
pub async fn see(
    db: &dyn Database,
    walk: WalkOf<'_>,
    people: &[Sighting<'_>],
) -> Result<(), DbError> {
    if people.is_empty() {
        return Ok(());
    }
    let people = serde_json::to_string(people).map_err(|_| DbError::Broken)?;
    let see = stmt!(SEE {
        people,
        provider: walk.provider,
        source: walk.source,
        walk: walk.walk
    });
    batch_retrying_unknown(db, vec![see]).await.map(|_| ())
}

from_json! {
    /// A member whom the walk has not shown.
    #[derive(Clone, Debug)]
    pub struct Absentee {
        pub owner: i64,
        /// The account's number at the provider.
        pub id: String,
        pub login: String,
    }
}

/// Returns at most `most` members, behind the owner `after`, whom the directory has shown before and this walk has not.
pub async fn absent(
    db: &dyn Database,
    walk: WalkOf<'_>,
    after: i64,
    most: i64,
) -> Result<Vec<Absentee>, DbError> {
    let absent = stmt!(ABSENT {
        provider: walk.provider,
        source: walk.source,
        walk: walk.walk,
        after,
        most
    });
    read_all(rows_of(&db.batch(vec![absent]).await?, 0)?)
}

from_json! {
    /// How a directory stands.
    #[derive(Clone, Debug)]
    pub struct DirectoryRow {
        pub provider: String,
        pub source: String,
        /// When the last good walk began.
        pub good_at: Option<Timestamp>,
        /// How many people it listed.
        pub people: i64,
        pub unknown_since: Option<Timestamp>,
        /// Why the last walk was not good, and since when that is the reason.
        pub code: Option<String>,
        pub code_since: Option<Timestamp>,
    }
}

/// Reads how a directory stands. `None` if it was never walked.
pub async fn directory(db: &dyn Database, provider: &str) -> Result<Option<DirectoryRow>, DbError> {
    last_row(&db.batch(vec![stmt!(DIRECTORY { provider })]).await?)
}

/// The statement that reads how all directories stand; [`read_directories`] reads its rows.
pub fn directories() -> Stmt {
    stmt!(DIRECTORIES)
}

/// Reads the rows of [`directories`].
pub fn read_directories(rows: &Rows) -> Result<Vec<DirectoryRow>, DbError> {
    read_all(rows)
}

/// Ends a good walk that listed so many people. Those who were found gone get a strike, at most one on each UTC day on which
/// a walk began, unless `only_looks`; those who are there lose theirs. A walk that only looks is the first one through the directory, and
/// takes over whom the provider's former directory has shown.
pub async fn believe(
    db: &dyn Database,
    is: WalkOf<'_>,
    people: i64,
    only_looks: bool,
    now: Timestamp,
) -> Result<(), DbError> {
    let WalkOf {
        provider,
        source,
        walk,
    } = is;
    let mut batch = Vec::new();
    if only_looks {
        batch.push(stmt!(TAKE_OVER {
            provider,
            source,
            walk
        }));
    } else {
        let day = walk.secs().div_euclid(86_400);
        batch.push(stmt!(STRIKE {
            provider,
            source,
            walk,
            day,
            now
        }));
    }
    batch.extend([
        stmt!(FORGIVE { source, walk }),
        stmt!(UNLIST { source, walk }),
        stmt!(BELIEVE {
            provider,
            source,
            walk,
            people
        }),
    ]);
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// Writes down that a directory could not be walked, and why.
pub async fn doubt(
    db: &dyn Database,
    provider: &str,
    code: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let doubt = stmt!(DOUBT {
        provider,
        code,
        now
    });
    batch_retrying_unknown(db, vec![doubt]).await.map(|_| ())
}

from_json! {
    /// What a walk has found, in numbers.
    #[derive(Clone, Copy, Debug)]
    pub struct WalkCounts {
        /// Active members whom the directory has ever shown.
        pub checked: i64,
        /// Active members whom it never showed.
        pub never_seen: i64,
        pub inactive: i64,
        pub unknown: i64,
    }
}

/// Counts what the walk has found.
pub async fn counts(db: &dyn Database, walk: WalkOf<'_>) -> Result<WalkCounts, DbError> {
    let counts = stmt!(COUNTS {
        provider: walk.provider,
        source: walk.source,
        walk: walk.walk
    });
    last_row(&db.batch(vec![counts]).await?)?.ok_or(DbError::Broken)
}
