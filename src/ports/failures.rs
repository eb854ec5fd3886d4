//! What the log says of a call that did not succeed: the cause, in the words of the one who knows it.

use serde_json::json;

use crate::ports::log::Log;
use crate::ports::{Call, DbError, Stmt};

/// The most characters of a foreign error's text that are logged.
const CAUSE_CHARS: usize = 300;

impl dyn Log + '_ {
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
            let sql = Sql {
                name,
                text: "",
                for_each: false,
                parameters: &[],
            };
            assert_eq!(sql.short_name(), short);
        }
    }

    #[test]
    fn a_long_cause_is_cut() {
        assert_eq!(cut(&"ä".repeat(1_000)).chars().count(), CAUSE_CHARS);
    }
}
