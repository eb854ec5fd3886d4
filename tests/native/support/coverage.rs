//! Which statements, tables, views and triggers a test runs: `npm run mutants` needs to know which tests can notice a
//! mutant. Each test is one line of JSON in the file that `KEYCAP_COVERAGE` names.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use keycap::ports::Sql;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use serde_json::json;

static FILE: LazyLock<Option<Mutex<File>>> = LazyLock::new(|| {
    let path = std::env::var("KEYCAP_COVERAGE").ok()?;
    let file = File::options().create(true).append(true).open(path);
    Some(Mutex::new(file.unwrap()))
});

/// What the test of this thread has run so far. The test harness gives each test a thread with its name.
struct Seen {
    began: Instant,
    names: BTreeSet<String>,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::new(Seen { began: Instant::now(), names: BTreeSet::new() });
}

impl Drop for Seen {
    fn drop(&mut self) {
        let thread = std::thread::current();
        if let (Some(file), Some(test)) = (&*FILE, thread.name()) {
            let ms = self.began.elapsed().as_millis();
            let line = json!({ "test": test, "ms": ms, "runs": self.names }).to_string();
            // A line is written at once, so that the lines of two threads do not mix.
            let _: std::io::Result<()> = file
                .lock()
                .unwrap()
                .write_all(format!("{line}\n").as_bytes());
        }
    }
}

fn saw(how: &str, what: &str) {
    // A connection may outlive the list, at the end of the thread.
    let _: Result<(), _> = SEEN.try_with(|seen| {
        let name = format!("{how} {what}");
        seen.borrow_mut().names.insert(name);
    });
}

/// Whether what the tests run is noted.
pub fn is_noted() -> bool {
    FILE.is_some()
}

/// A statement of the application runs.
pub fn runs(sql: &Sql) {
    if FILE.is_some() {
        saw("runs", sql.name);
    }
}

/// Notes the objects of every statement of a connection when it is prepared, whoever wrote the statement.
pub fn watch(connection: &Connection) {
    if FILE.is_none() {
        return;
    }
    connection.authorizer(Some(|context: AuthContext<'_>| {
        if let Some(through) = context.accessor {
            saw("through", through);
        }
        match context.action {
            AuthAction::Read { table_name, .. } => saw("reads", table_name),
            AuthAction::Insert { table_name } | AuthAction::Update { table_name, .. } => {
                saw("writes", table_name)
            }
            _ => {}
        }
        Authorization::Allow
    }));
}
