//! The house's terms, which a member accepts once before their first key, and again when they change in kind.

/// The revision in force: raised when what the rules say changes in kind, not when a word does.
pub const REVISION: i64 = 1;
