//! How often a member may change something of their own keys in a UTC day: generous for people, little for a script. What
//! only makes things safer has none: a key that is on can always be disabled, reported as leaked, or removed.

pub const RENAMES_A_DAY: i64 = 50;
/// Enabling a key again; so it bounds the pairs of disabling and enabling.
pub const ENABLES_A_DAY: i64 = 100;
pub const OWN_LIMITS_A_DAY: i64 = 50;
pub const PREFERENCES_A_DAY: i64 = 50;
/// Changes that bring an Idempotency-Key: each is remembered for a day, with its answer.
pub const IDEMPOTENCY_KEYS_A_DAY: i64 = 500;
/// Reports of a key that is reported already: each tries once more to replace it.
pub const LEAK_REPORTS_A_DAY: i64 = 20;
