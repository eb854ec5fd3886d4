//! What the stand-in upstreams answer, accept and refuse. One program, because each would be linked with everything.

mod common;
mod control;
mod custody;
mod directory;
mod faults;
mod front;
mod github;
mod google;
mod guardrails;
mod keys;
mod schemas;
mod sign_ins;
mod spending;
mod usage;
mod windows;
