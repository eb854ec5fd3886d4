//! The structured log: one line of JSON for each event. It has opaque ids and enums only, and the texts of errors that
//! the platform itself made.

use serde_json::{Value, json};

use crate::ports::trace;
use crate::ports::{Call, DbError, Stmt};

/// The most characters of a foreign error's text that are logged.
const CAUSE_CHARS: usize = 300;

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

    /// Logs why a batch did not succeed: the kind of the error, the database's own text, and the names of the batch's
    /// statements. A constraint that refuses a batch is part of normal work, so it is no error.
    pub fn database_failed(&self, stmts: &[Stmt], error: DbError, cause: &str) {
        let (level, kind) = match error {
            DbError::Unique => ("info", "unique"),
            DbError::Constraint => ("info", "constraint"),
            DbError::Unknown => ("warn", "unknown"),
            DbError::Broken => ("error", "broken"),
        };
        let statements: Vec<&str> = stmts.iter().map(|stmt| stmt.sql.short_name()).collect();
        let more = json!({ "kind": kind, "statements": statements, "cause": cut(cause) });
        self.note(level, "database_failed", more);
    }

    /// Logs why a call to a foreign service has no answer. The address is left out but for its host, because a path may
    /// name a key.
    pub fn call_failed(&self, call: &Call, cause: &str) {
        let more =
            json!({ "method": call.method, "host": call.url.host_str(), "cause": cut(cause) });
        self.note("warn", "call_failed", more);
    }
}

fn cut(cause: &str) -> String {
    cause.chars().take(CAUSE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Sql;

    #[test]
    fn a_statement_is_named_from_its_file_on() {
        for (name, short) in [
            ("keycap::store::keys::mints::RECORD", "mints::RECORD"),
            ("mints::RECORD", "mints::RECORD"),
            ("RECORD", "RECORD"),
        ] {
            assert_eq!(Sql { name, text: "" }.short_name(), short);
        }
    }

    #[test]
    fn a_long_cause_is_cut() {
        assert_eq!(cut(&"ä".repeat(1_000)).chars().count(), CAUSE_CHARS);
    }
}
