//! What the settings say about the default plan.

use crate::domain::money::NanoUsd;
use crate::domain::time::period::LimitReset;

/// The default plan as the settings describe it. It is written to the database once, when there is no plan yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSeed {
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    pub expiry_days: u32,
    pub workspace_id: Option<String>,
}
