//! What a run takes up: rows that want something done upstream, and workspaces to walk.

use crate::domain::time::Timestamp;

/// Rows of each kind that one run takes up.
pub(crate) const BATCH: i64 = 200;

from_json! {
    /// A row that wants something done upstream.
    #[derive(Clone, Debug)]
    pub struct Due {
        pub public_id: String,
        pub upstream_hash: Option<String>,
        pub workspace_id: Option<String>,
        pub attempts: i64,
        /// Its secret was given out: it may have spent.
        pub delivered: bool,
        /// When a switch was sent whose outcome is not known.
        pub doubted_at: Option<Timestamp>,
    }
}

from_json! {
    /// A workspace to walk.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Place {
        /// `None` is the account's default.
        pub workspace_id: Option<String>,
        /// Something there waits for evidence.
        pub unsettled: bool,
    }
}
