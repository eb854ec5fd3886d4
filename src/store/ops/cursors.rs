//! How far an unfinished run has come. The row of the run stores this, and the next run continues from it.

use serde::Serialize;

use crate::domain::time::Timestamp;
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
