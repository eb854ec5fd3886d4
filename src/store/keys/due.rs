//! What one run works on: generations that need a call to OpenRouter, and workspaces that are walked.

use crate::domain::time::Timestamp;

/// The number of rows of each kind that a run takes up at once. It takes up the next ones when these are done.
pub(crate) const BATCH: i64 = 200;

from_json! {
    /// A generation that needs a call to OpenRouter. The macro `due!` builds the JSON that it is read from.
    #[derive(Clone, Debug)]
    pub struct Due {
        pub public_id: String,
        /// The internal id of the owner.
        pub owner: i64,
        pub upstream_hash: Option<String>,
        pub workspace_id: Option<String>,
        /// How many attempts have failed.
        pub attempts: i64,
        /// Its secret was handed out, so it may have spent.
        pub delivered: bool,
        /// When a switch was sent whose outcome is not known.
        pub in_flight_since: Option<Timestamp>,
    }
}

from_json! {
    /// A workspace to walk.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Place {
        /// `None` is the account's default workspace.
        pub workspace_id: Option<String>,
        /// A mint there is not settled yet: the walk shows whether its key exists.
        pub unsettled: bool,
    }
}
