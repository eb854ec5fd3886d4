//! How far an unfinished run has come. The row of the run stores this, and the next run continues from it.

use serde::Serialize;

use crate::domain::people::departure::{DirectoryKind, WalkStep};
use crate::domain::time::Timestamp;
use crate::store::members::presences::WalkCounts;
use crate::store::usage::days::DayRevision;

from_json! {
    /// How far a walk through the keys of a workspace has come.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    pub struct Position {
        pub workspace_id: Option<String>,
        /// When the walk began, in seconds of UTC, by the job's clock.
        pub began: i64,
        pub offset: usize,
        /// The OpenRouter hashes of the last keys of the previous page.
        pub tail: Vec<String>,
        /// A digest of all hashes of the previous page.
        pub page: Option<String>,
    }
}

impl Position {
    /// Returns the position of a walk that begins at `now`.
    pub fn start(workspace_id: Option<String>, now: Timestamp) -> Self {
        Self {
            workspace_id,
            began: now.secs(),
            offset: 0,
            tail: Vec::new(),
            page: None,
        }
    }

    /// Answers whether the key with this hash was at the end of the previous page.
    pub fn has(&self, hash: &str) -> bool {
        self.tail.iter().any(|seen| seen == hash)
    }

    /// Begins the walk of the same workspace again.
    pub fn again(&mut self, now: Timestamp) {
        *self = Self::start(self.workspace_id.take(), now);
    }
}

from_json! {
    /// The counts of what a reconciliation saw and did.
    #[derive(Clone, Copy, Debug, Default, Serialize)]
    pub struct ReconcileCounts {
        pub dry_run: bool,
        pub workspaces: u32,
        pub pages: usize,
        /// The OpenRouter keys that have a row in the database.
        pub ours: usize,
        /// The OpenRouter keys that have neither a row nor our marker.
        pub others: usize,
        /// The differences between an OpenRouter key and its row.
        pub drift: u32,
        /// Of these differences, those for which the wanted state is sent again: someone had enabled the key or raised its
        /// limit.
        pub mended: u32,
        /// Of these differences, those that stay until an administrator lifts them: someone had disabled the key or lowered
        /// its limit.
        pub kept: u32,
        /// The differences that were too many to be checked by a second request. Nothing was done about them.
        pub unchecked: usize,
        /// The keys that OpenRouter no longer has, although their rows expect them.
        pub missing: u32,
        /// The keys that OpenRouter has again after they were missing.
        pub found: u32,
        /// The keys with our marker that should not exist: their rows say that they were deleted, or they have no row.
        pub strays: usize,
        pub deleted: u32,
        pub quarantined: u32,
        pub errors: u32,
        /// The deleted rows of the audit, which were older than their time of retention.
        pub audit_pruned: i64,
        /// The lists that were cut short. The recorded keys that they did not show were asked for one by one.
        pub lists_cut_short: u32,
    }
}

from_json! {
    /// How far a reconciliation has come.
    #[derive(Clone, Debug, Serialize)]
    pub struct Cursor {
        /// When the reconciliation began, in seconds of UTC.
        pub began: i64,
        /// The workspaces that are still to be walked, the next one last. `None` if they were not listed yet.
        pub places: Option<Vec<String>>,
        /// How far the walk through the present workspace has come.
        pub position: Option<Position>,
        /// A walk was cut short, so a key that was not seen is not taken to be missing.
        pub broken: bool,
        /// The internal id of the last row whose key was asked for by itself.
        pub asked: i64,
        pub counts: ReconcileCounts,
    }
}

impl Cursor {
    /// Returns the cursor of a reconciliation that begins at `now`.
    pub fn new(dry_run: bool, now: Timestamp) -> Self {
        Self {
            began: now.secs(),
            places: None,
            position: None,
            broken: false,
            asked: 0,
            counts: ReconcileCounts {
                dry_run,
                ..ReconcileCounts::default()
            },
        }
    }

    pub fn began(&self) -> Timestamp {
        Timestamp::from_secs(self.began)
    }
}

from_json! {
    /// The counts of what a run of the usage sync read and wrote.
    #[derive(Clone, Copy, Debug, Default, Serialize)]
    pub struct UsageCounts {
        pub dry_run: bool,
        /// The days that were read and are shown now.
        pub days: u32,
        /// The rows that were read: one for each day, key and model.
        pub rows: usize,
        /// The lists of keys that were asked for, because a day has more rows than one answer.
        pub lists: u32,
        /// The answers that had not all rows.
        pub truncated: u32,
        /// The keys that were asked for one by one.
        pub keys: u32,
        /// Of these, those that OpenRouter did not answer for. Their days are read again.
        pub failed_keys: u32,
        /// Of these, those that OpenRouter no longer knows.
        pub vanished_keys: u32,
        pub months_summed: usize,
        pub months_rolled: usize,
    }
}

from_json! {
    /// The days that a run of the usage sync is writing, and how far it has come with them.
    #[derive(Clone, Debug, Serialize)]
    pub struct UsagePass {
        pub days: Vec<DayRevision>,
        /// Key by key, through `/activity`.
        pub by_activity: bool,
        /// By lists of keys, since the day has more rows than one answer.
        pub in_lists: bool,
        /// The internal id of the last row whose key was asked for.
        pub after: i64,
        /// The names of keys that OpenRouter did not answer for.
        pub failed: Vec<String>,
        /// The names of keys that OpenRouter no longer knows.
        pub vanished: Vec<String>,
    }
}

from_json! {
    /// How far a run of the usage sync has come.
    #[derive(Clone, Debug, Serialize)]
    pub struct UsageCursor {
        /// When it began, in seconds of UTC.
        pub began: i64,
        /// So many completed days are read whatever is known of them.
        pub again: i64,
        /// The days that are still to be read, oldest first. `None` if that was not decided yet.
        pub left: Option<Vec<i64>>,
        pub pass: Option<UsagePass>,
        /// How many keys the next list has.
        pub list_keys: usize,
        pub counts: UsageCounts,
    }
}

/// A list has this many keys at first: with three models each, it fills three quarters of an answer.
const LIST_KEYS: usize = 2_500;

impl UsageCursor {
    /// Returns the cursor of a sync that begins at `now`.
    pub fn new(dry_run: bool, again: i64, now: Timestamp) -> Self {
        Self {
            began: now.secs(),
            again,
            left: None,
            pass: None,
            list_keys: LIST_KEYS,
            counts: UsageCounts {
                dry_run,
                ..UsageCounts::default()
            },
        }
    }
}

from_json! {
    /// The counts of what a run of the spend snapshot saw.
    #[derive(Clone, Copy, Debug, Default, Serialize)]
    pub struct SnapshotCounts {
        pub pages: usize,
        /// The keys whose counters were read.
        pub keys: usize,
        /// Of these, those that had spent most today beyond what was known.
        pub spenders: usize,
        pub errors: u32,
    }
}

from_json! {
    /// How far the rolling walk of the spend snapshot has come.
    #[derive(Clone, Debug, Serialize)]
    pub struct SnapshotCursor {
        /// The workspaces that are still to be walked, the next one last.
        pub places: Vec<String>,
        pub position: Option<Position>,
    }
}

from_json! {
    /// The counts of what a run of offboarding found and did.
    #[derive(Clone, Debug, Default, Serialize)]
    pub struct OffboardCounts {
        pub dry_run: bool,
        /// A directory was walked for the first time, or for the first time since its settings changed. Nothing followed.
        pub first_look: bool,
        /// The people whom the directories list.
        pub listed: i64,
        /// The active members whom a directory has ever shown, and those whom none ever did.
        pub checked: i64,
        pub never_seen: i64,
        /// Of the checked members, those who are gone, and those of whom nothing is known.
        pub inactive: i64,
        pub unknown: i64,
        /// The questions about single people.
        pub asked: i64,
        /// The people of a list that waits for an administrator.
        pub held: i64,
        /// The members who were put out, and their keys.
        pub blocked: i64,
        pub keys: i64,
        /// The members whose data was erased.
        pub erased: i64,
        pub errors: i64,
        /// Each error, as a code.
        pub problems: Vec<String>,
    }
}

/// At most this many errors are named; the others are only counted.
const PROBLEMS: usize = 200;

impl OffboardCounts {
    /// Adds what a walk has found.
    pub const fn found(&mut self, listed: i64, of: &WalkCounts) {
        self.listed = self.listed.saturating_add(listed);
        self.checked = self.checked.saturating_add(of.checked);
        self.never_seen = self.never_seen.saturating_add(of.never_seen);
        self.inactive = self.inactive.saturating_add(of.inactive);
        self.unknown = self.unknown.saturating_add(of.unknown);
    }

    /// Counts and names an error.
    pub fn problem(&mut self, code: &str) {
        self.errors = self.errors.saturating_add(1);
        if self.problems.len() < PROBLEMS {
            self.problems.push(code.to_owned());
        }
    }
}

from_json! {
    /// How far a walk through a directory has come.
    #[derive(Clone, Debug, Serialize)]
    pub struct DirectoryWalk {
        /// The digest of the directory.
        pub source: String,
        /// Nothing follows from this walk.
        pub only_looks: bool,
        pub step: WalkStep,
        /// The name of the next page. `None` at the beginning, and after the last page.
        pub page: Option<String>,
        /// A page of the present step was read.
        pub page_read: bool,
        /// Digests of the pages, and of their names, that came already.
        pub seen: Vec<String>,
        /// The id of somebody whom the list has shown, to ask about them too.
        pub control: Option<String>,
        /// When the last good walk began, in seconds of UTC; 0 if there was none.
        pub good_at: i64,
        /// The people who were listed, and those who were deleted since the last good walk.
        pub people: i64,
        pub deleted: i64,
        /// The owner of the last member who was asked for.
        pub asked: i64,
        pub all_asked: bool,
    }
}

impl DirectoryWalk {
    /// Returns a walk at its beginning. `good_at` is when the last good walk through the same directory began; without one,
    /// this walk only looks.
    pub fn new(source: String, good_at: Option<Timestamp>) -> Self {
        Self {
            source,
            only_looks: good_at.is_none(),
            step: WalkStep::Lists,
            page: None,
            page_read: false,
            seen: Vec::new(),
            control: None,
            good_at: good_at.map_or(0, Timestamp::secs),
            people: 0,
            deleted: 0,
            asked: 0,
            all_asked: false,
        }
    }
}

from_json! {
    /// How far a run of offboarding has come.
    #[derive(Clone, Debug, Serialize)]
    pub struct OffboardCursor {
        /// When it began, in seconds of UTC. Its walks have this as their name.
        pub began: i64,
        /// The directories that are still to be walked, the next one last.
        pub left: Vec<String>,
        pub walk: Option<DirectoryWalk>,
        /// The code with which the run will end, if a directory was skipped or doubtful.
        pub code: Option<String>,
        pub counts: OffboardCounts,
    }
}

impl OffboardCursor {
    /// Returns the cursor of a run that begins at `now`.
    pub fn new(dry_run: bool, now: Timestamp) -> Self {
        let left = DirectoryKind::ALL.into_iter().rev();
        Self {
            began: now.secs(),
            left: left.map(|kind| kind.name().to_owned()).collect(),
            walk: None,
            code: None,
            counts: OffboardCounts {
                dry_run,
                ..OffboardCounts::default()
            },
        }
    }

    pub fn began(&self) -> Timestamp {
        Timestamp::from_secs(self.began)
    }

    /// Notes that a directory was skipped or doubtful. The run ends with the first code.
    pub fn met(&mut self, directory: &str, code: &str) {
        self.counts.problem(&[directory, ": ", code].concat());
        self.code.get_or_insert_with(|| code.to_owned());
    }
}
