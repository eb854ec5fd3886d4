//! Who may claim a key: the gates, the quotas and the terms; and to which pages a browser may be sent.

pub mod gate;
pub mod origin;
pub mod plan_seed;
pub mod quota;
pub mod return_target;
pub mod terms;
