//! Usage: UTC days, which of them have to be read, the names of models, and the tools that usage comes from.

pub mod amounts;
pub mod day;
pub mod model;
pub mod progress;
pub mod range;
pub mod source;
