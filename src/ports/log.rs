//! The structured log: one line of JSON for each event. It has opaque ids and enums only, and the texts of errors that
//! the platform itself made.

use serde_json::{Value, json};

use crate::ports::trace;

/// The destination of the log.
pub trait Log {
    fn line(&self, line: &str);
}

impl dyn Log + '_ {
    /// Writes one line to the log. `event` says in one stable word what happened. `more` has opaque ids and enums only.
    /// The line also has the id of the request or of the run that is at work.
    pub fn note(&self, level: &str, event: &str, more: Value) {
        let mut line = json!({ "level": level, "event": event });
        if let Some(line) = line.as_object_mut() {
            if let Some(scope) = trace::current() {
                line.insert(scope.name().to_owned(), scope.id().into());
            }
            if let Value::Object(more) = more {
                line.extend(more);
            }
        }
        self.line(&line.to_string());
    }
}
