//! Who may claim a key: the gates, the switches, the quotas and the terms; and to which pages a browser may be sent.

pub mod gate;
pub mod origin;
pub mod plan_seed;
pub mod quota;
pub mod relay;
pub mod return_target;
pub mod switches;
pub mod terms;
