//! What the settings say of the default plan.

use crate::domain::money::NanoUsd;
use crate::domain::time::period::LimitReset;

/// The default plan as the settings name it: it is written down once, when there is no plan yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSeed {
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    pub expiry_days: u32,
    pub workspace_id: Option<String>,
}
