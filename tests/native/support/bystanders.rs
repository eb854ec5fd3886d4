//! The same database beside bystanders. Every batch of a world runs there too, and must answer the same and change as
//! many rows: a statement that forgets whom it is about meets the rows of somebody else. At the end of a world, the
//! bystanders' rows are as they were, and all others are the same as without them.

use std::sync::{Arc, LazyLock};

use keycap::ports::{DbError, Rows, Stmt};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use super::database::{Pool, Sqlite, dump, run_batch};
use super::{mutant, probes};

/// The lists of an administrator and of a job, in which bystanders may stand too.
const LISTS: [&str; 21] = [
    "listed::HELD",
    "listed::NEWEST",
    "listed::OF_PLAN",
    "listed::OF_STATE",
    "trail::NEWEST",
    "allotments::PAGE",
    "blocks::PAGE",
    "days::MODELS",
    "departures::LISTS_SHOWN",
    "departures::PEOPLE_SHOWN",
    "drift::OPEN",
    "drift::WORKSPACES",
    "findings::PAGE",
    "generations::WORKSPACES_TO_WALK",
    "roster::ALL",
    "roster::BY_ID",
    "roster::OF_STATUS",
    "runs::LATEST",
    "upstream_holds::OUTSIDE_CHANGES",
    "shown::LATEST",
    "workspaces::SHUT_PLANS",
];

/// Counts of everybody's rows, the bystanders' too.
const COUNTS: [&str; 3] = ["overview::KEYS", "overview::WAITING", "presences::COUNTS"];

/// Statements that change something for everybody. From then on the two databases differ.
const FOR_EVERYBODY: [&str; 4] = [
    "frozen::KEYS_MATCHING",
    "frozen::MEMBERS_MATCHING",
    "settings::HOLD_ALL",
    "settings::RELEASE_ALL",
];

/// A database beside bystanders.
pub struct Bystanders {
    connection: Connection,
    /// The bystanders' rows.
    theirs: Arc<Vec<String>>,
}

/// Migrated databases with bystanders, and the bystanders' rows.
static PREPARED: LazyLock<Option<(Pool, Arc<Vec<String>>)>> = LazyLock::new(prepared);

fn prepared() -> Option<(Pool, Arc<Vec<String>>)> {
    let connection = Sqlite::migrated();
    let before = dump(&connection);
    let triggers = DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER;
    connection.set_db_config(triggers, false).unwrap();
    // The limits of D1 are for statements of ours.
    let limit = Limit::SQLITE_LIMIT_COMPOUND_SELECT;
    let most = connection.set_limit(limit, 500).unwrap();
    let moved_in = connection.execute_batch(include_str!("bystanders.sql"));
    connection.set_limit(limit, most).unwrap();
    connection.set_db_config(triggers, true).unwrap();
    // A constraint of a mutant may refuse them. Whether a test needs what it refuses is another question.
    if mutant::is_of_the_schema() && moved_in.is_err() {
        return None;
    }
    moved_in.unwrap();
    let mut theirs = dump(&connection);
    theirs.retain(|row| !before.contains(row));
    Some((Pool::of(connection), Arc::new(theirs)))
}

impl Bystanders {
    pub fn new() -> Option<Self> {
        let (pool, theirs) = PREPARED.as_ref()?;
        Some(Self {
            connection: pool.begin(),
            theirs: Arc::clone(theirs),
        })
    }

    /// The bystanders' rows.
    pub fn rows() -> Arc<Vec<String>> {
        Arc::clone(&PREPARED.as_ref().unwrap().1)
    }

    /// Runs a batch that was run without bystanders. Returns false if the two databases differ from now on.
    pub fn run_batch(
        &mut self,
        stmts: &[Stmt],
        result: &Result<Vec<Rows>, DbError>,
        changes: &[u64],
    ) -> bool {
        probes::all(&mut self.connection, stmts);
        let (beside, changes_beside) = run_batch(&mut self.connection, stmts);
        assert_eq!(
            result.as_ref().err(),
            beside.as_ref().err(),
            "the outcome beside bystanders of {:?}",
            stmts
                .iter()
                .map(|stmt| stmt.sql.short_name())
                .collect::<Vec<_>>()
        );
        for (n, stmt) in stmts.iter().enumerate() {
            let name = stmt.sql.short_name();
            let are_for_everybody = FOR_EVERYBODY.contains(&name);
            if are_for_everybody && changes.get(n) != changes_beside.get(n) {
                return false;
            }
            assert_eq!(
                changes.get(n),
                changes_beside.get(n),
                "{name} changes so many rows, and so many beside bystanders"
            );
            if COUNTS.contains(&name) {
                continue;
            }
            if let (Ok(rows), Ok(beside)) = (result, &beside) {
                let beside = without_bystanders(name, &beside[n]);
                let alone: Rows = rows[n].iter().map(|row| without_sums(row)).collect();
                assert_eq!(
                    alone, beside,
                    "{name} answers differently beside bystanders"
                );
            }
        }
        true
    }

    /// Runs what a test wrote itself. Returns false if it changes something of the
    /// bystanders, or will.
    pub fn run(&mut self, sql: &str, changes: u64) -> bool {
        let before = self.connection.total_changes();
        !sql.contains("CREATE TRIGGER")
            && self.connection.execute_batch(sql).is_ok()
            && self.connection.total_changes() - before == changes
    }

    /// Checks that the rows are those of the database without bystanders, and theirs.
    pub fn look_at(&self, mine: Vec<String>) {
        let mut expected = mine;
        expected.extend_from_slice(&self.theirs);
        let mut rows = dump(&self.connection);
        // It contains a sum of everybody's limits. What else it has is in the answers, which are compared.
        let is_compared = |row: &String| !row.starts_with("deployment_figures|");
        expected.retain(is_compared);
        rows.retain(is_compared);
        expected.sort_unstable();
        rows.sort_unstable();
        let only_in = |one: &[String], other: &[String]| {
            let rows = one.iter().filter(|row| !other.contains(row));
            rows.cloned().collect::<Vec<_>>()
        };
        assert!(
            rows == expected,
            "beside bystanders {:#?} instead of {:#?}",
            only_in(&rows, &expected),
            only_in(&expected, &rows)
        );
    }
}

/// The rows of an answer as they are without bystanders: the year 2100 stands for never.
fn without_bystanders(statement: &str, rows: &Rows) -> Rows {
    let is_a_list = LISTS.contains(&statement);
    let mine = rows
        .iter()
        .filter(|row| !is_a_list || !row.contains("bystander"));
    mine.map(|row| without_sums(&row.replace("4102444800", "null")))
        .collect()
}

/// The row of an answer without the sum of everybody's limits.
fn without_sums(row: &str) -> String {
    match row.split_once(r#""limits_usd":"#) {
        Some((before, after)) => {
            let (_, rest) = after.split_once(',').unwrap();
            format!("{before}{rest}")
        }
        None => row.to_owned(),
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let nothing = Connection::open_in_memory().unwrap();
        let connection = std::mem::replace(&mut self.connection, nothing);
        if let Some((pool, _)) = PREPARED.as_ref() {
            pool.end(connection);
        }
    }
}
