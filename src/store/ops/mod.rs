//! The statements about the deployment itself: settings, runs, alarms, findings.

pub mod alarms;
pub mod closures;
pub mod cursors;
pub mod drift;
pub mod figures;
pub mod findings;
pub mod origin;
pub mod overview;
pub mod retention;
pub mod runs;
pub mod settings;
pub mod tidy;
pub mod trail;
pub mod workspaces;
