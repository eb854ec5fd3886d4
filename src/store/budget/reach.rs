//! Whom a change of a plan would reach, counted up to a number, so that it reads as few rows however many members there
//! are.

use serde::Serialize;

use crate::ports::{DbError, Rows, Stmt};
use crate::store::query::read_all;

/// So many members of a plan are looked at.
pub const COUNTED: i64 = 1_000;

statements! {
    REACH { plan: String, max_keys: Option<i64>, counted: i64 } = "SELECT json_object('members', COUNT(*),
          'keys', COALESCE(SUM(x.n), 0), 'members_over', COALESCE(SUM(x.n > CAST(:max_keys AS INTEGER)), 0),
          'keys_over', COALESCE(SUM(MAX(0, x.n - CAST(:max_keys AS INTEGER))), 0))
        FROM (SELECT (SELECT COUNT(DISTINCT g.key_id) FROM generations g WHERE g.owner_id = o.id AND g.live = 1) AS n
          FROM owners o WHERE o.plan_id = (SELECT p.id FROM plans p WHERE p.name = :plan) LIMIT :counted) x
        HAVING EXISTS (SELECT 1 FROM plans p WHERE p.name = :plan)";
}

from_json! {
    /// Whom a change of a plan would reach.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct PlanReach {
        /// Members who have the plan.
        pub members: i64,
        /// Their live keys.
        pub keys: i64,
        /// Members with more live keys than `max_active_keys` would allow, and how many keys would be disabled.
        pub members_over: i64,
        pub keys_over: i64,
    }
}

/// The statement that counts whom a change of the plan reaches, if it came to allow `max_keys` keys.
pub fn of_plan(plan: &str, max_keys: Option<i64>) -> Stmt {
    stmt!(REACH {
        plan,
        max_keys,
        counted: COUNTED
    })
}

/// Returns what the row of [`of_plan`] says; `None` if there is no such plan.
pub fn read_reach(rows: &Rows) -> Result<Option<PlanReach>, DbError> {
    Ok(read_all(rows)?.pop())
}
