//! After what time something that was begun has no effect any more.

/// A mint that takes longer than this is not recorded any more: its request has long been answered.
pub const RECORD_WITHIN_SECS: i64 = 60;
/// After this a rotation whose request died is undone: no mint of it can be recorded any more.
pub const DEAD_AFTER_SECS: i64 = 2 * RECORD_WITHIN_SECS;
/// A create that has not landed this long after it was sent is waited for no longer.
pub const LANDS_WITHIN_SECS: i64 = 300;
