//! Where an unfinished run stands, as its row keeps it for the next one.

use serde::Serialize;

use crate::domain::time::Timestamp;

from_json! {
    /// Where a walk stands, so that the next run can go on.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    pub struct Position {
        pub workspace_id: Option<String>,
        /// When the walk began, in seconds, by the job's clock.
        pub began: i64,
        pub offset: usize,
        /// The last rows of the page before, by hash.
        pub tail: Vec<String>,
        /// The whole page before, as a digest of its hashes.
        pub page: Option<String>,
    }
}

impl Position {
    pub fn start(workspace_id: Option<String>, now: Timestamp) -> Self {
        Self {
            workspace_id,
            began: now.secs(),
            offset: 0,
            tail: Vec::new(),
            page: None,
        }
    }

    /// Whether the page before had it too.
    pub fn has(&self, hash: &str) -> bool {
        self.tail.iter().any(|seen| seen == hash)
    }

    pub fn again(&mut self, now: Timestamp) {
        *self = Self::start(self.workspace_id.take(), now);
    }
}

from_json! {
    /// What a reconciliation saw and did.
    #[derive(Clone, Copy, Debug, Default, Serialize)]
    pub struct ReconcileCounts {
        pub dry_run: bool,
        pub workspaces: u32,
        pub pages: usize,
        /// Keys with a row, and other people's.
        pub ours: usize,
        pub others: usize,
        pub drift: u32,
        /// Of these, what is sent again: a key that was enabled, or had a higher limit.
        pub mended: u32,
        /// Of these, what somebody else disabled or lowered: it stays until an admin lifts it.
        pub kept: u32,
        /// Differences beyond those that were looked at again: nothing was done about them.
        pub unchecked: usize,
        pub missing: u32,
        pub found: u32,
        /// Keys with our marker that should not be there: deleted, or without a row at all.
        pub strays: usize,
        pub deleted: u32,
        pub quarantined: u32,
        pub errors: u32,
        /// Rows of the audit that were older than they are retained.
        pub audit_pruned: i64,
        /// Lists that broke off: what they did not show was asked for one by one, as far as it is on record.
        pub lists_cut_short: u32,
    }
}

from_json! {
    /// Where a reconciliation stands.
    #[derive(Clone, Debug, Serialize)]
    pub struct Cursor {
        pub began: i64,
        /// Workspaces still to be walked, the next one last; none before they were listed.
        pub places: Option<Vec<String>>,
        pub position: Option<Position>,
        /// A walk broke off: nothing is concluded from what was not seen.
        pub broken: bool,
        /// Rows up to this one were asked for.
        pub asked: i64,
        pub counts: ReconcileCounts,
    }
}

impl Cursor {
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
