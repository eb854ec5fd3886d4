//! How often a member may change something of their own keys in a UTC day. The numbers are generous for people and
//! small for a script. A change that only makes a key safer has no quota: an enabled key can always be disabled,
//! reported as leaked, or removed.

pub const RENAMES_A_DAY: i64 = 50;
/// Enabling a key again. So this bounds the pairs of disabling and enabling, too.
pub const ENABLES_A_DAY: i64 = 100;
pub const OWN_LIMITS_A_DAY: i64 = 50;
pub const PREFERENCES_A_DAY: i64 = 50;
/// Creating, renaming, archiving and restoring projects, each counted by itself.
pub const PROJECT_CHANGES_A_DAY: i64 = 50;
/// Moving a key to another project.
pub const KEY_MOVES_A_DAY: i64 = 200;
/// Changes with an Idempotency-Key. Each is stored for a day, with its answer.
pub const IDEMPOTENCY_KEYS_A_DAY: i64 = 500;
/// Reports of a key that is already reported as leaked. Each tries once more to replace the key.
pub const LEAK_REPORTS_A_DAY: i64 = 20;
