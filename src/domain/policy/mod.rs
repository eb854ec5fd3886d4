//! Who may claim what: the gates, the quotas, the terms, and where a browser may be sent.

pub mod gate;
pub mod origin;
pub mod plan_seed;
pub mod quota;
pub mod return_target;
pub mod terms;
