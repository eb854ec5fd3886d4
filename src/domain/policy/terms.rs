//! The terms of this deployment. A member accepts them once before the first key, and again when their substance
//! changes.

/// The revision in force. It is raised when the substance of the rules changes, not when only the wording does.
pub const REVISION: i64 = 1;
