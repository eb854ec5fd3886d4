//! D1 in native tests: SQLite with the same migrations and D1's limits. Every number is bound as REAL, as D1 does. One
//! batch is one transaction. Every statement is kept with its values and rows, for the test that repeats them on D1
//! itself.

use std::cell::RefCell;
use std::rc::Rc;

use keycap::ports::{Database, DbError, LocalFuture, Rows, SqlValue, Stmt};
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, ffi, types};

use super::effects::{Effects, Fate, meet};

/// One batch that ran: its statements with their values, and the rows or the error that they returned.
#[derive(Clone)]
pub struct Ran {
    pub stmts: Vec<Stmt>,
    pub result: Result<Vec<Rows>, DbError>,
}

#[derive(Clone)]
pub struct Sqlite {
    pub connection: Rc<RefCell<Connection>>,
    pub effects: Effects,
    pub trace: Rc<RefCell<Option<Vec<Ran>>>>,
}

/// The migrations, in order.
pub fn migrations() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let named = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    files.into_iter().map(named).collect()
}

thread_local! {
    /// A migrated database to copy from. Preparing it only once makes thousands of scenarios a second possible.
    static PREPARED: Connection = {
        let connection = Connection::open_in_memory().unwrap();
        for (_, sql) in migrations() {
            connection.execute_batch(&sql).unwrap();
        }
        connection
    };
}

impl Sqlite {
    pub fn new(effects: Effects) -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        PREPARED.with(|prepared| {
            let copy = rusqlite::backup::Backup::new(prepared, &mut connection).unwrap();
            copy.run_to_completion(10_000, std::time::Duration::ZERO, None)
                .unwrap();
        });
        connection
            .pragma_update(None, "foreign_keys", true)
            .unwrap();
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
            (Limit::SQLITE_LIMIT_COLUMN, 100),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        ] {
            connection.set_limit(limit, most).unwrap();
        }
        // Enough for all statements of the application and of the oracle: parsing a statement takes longer than running
        // it.
        connection.set_prepared_statement_cache_capacity(500);
        Self {
            connection: Rc::new(RefCell::new(connection)),
            effects,
            trace: Rc::default(),
        }
    }

    /// A copy of this database as it is now.
    pub fn copied(&self, effects: Effects) -> Self {
        let copy = Self::new(effects);
        {
            let from = self.connection.borrow();
            let mut to = copy.connection.borrow_mut();
            let backup = rusqlite::backup::Backup::new(&from, &mut to).unwrap();
            backup
                .run_to_completion(10_000, std::time::Duration::ZERO, None)
                .unwrap();
        }
        copy
    }

    /// Runs a statement that a test wrote itself.
    pub fn run(&self, sql: &str) {
        self.connection.borrow().execute_batch(sql).unwrap();
    }

    /// Runs a query that a test wrote itself. Returns the first column of its rows as text.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let connection = self.connection.borrow();
        let mut statement = connection.prepare_cached(sql).unwrap();
        let rows = statement
            .query_map([], |row| {
                row.get_ref(0).map(|value| match value {
                    types::ValueRef::Null => String::from("null"),
                    types::ValueRef::Integer(n) => n.to_string(),
                    types::ValueRef::Real(n) => n.to_string(),
                    types::ValueRef::Text(text) | types::ValueRef::Blob(text) => {
                        String::from_utf8_lossy(text).into_owned()
                    }
                })
            })
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub fn text(&self, sql: &str) -> String {
        self.texts(sql).into_iter().next().expect("a row")
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.text(sql).parse().unwrap()
    }

    /// The position of the first needle that is in the text. SQLite does the search, because it is compiled with
    /// optimisation and the tests are not.
    pub fn first_in(&self, text: &str, needles: &[&str]) -> Option<usize> {
        let connection = self.connection.borrow();
        let sql = "SELECT key FROM json_each(?2) WHERE instr(?1, value) ORDER BY key LIMIT 1";
        let mut statement = connection.prepare_cached(sql).unwrap();
        let needles = serde_json::to_string(needles).unwrap();
        let found = statement.query_row([text, &needles], |row| row.get(0));
        found.ok()
    }

    /// Every value of every table, to search it for what must not be there.
    pub fn dump(&self) -> String {
        let mut all = String::new();
        for table in self.texts("SELECT name FROM sqlite_master WHERE type = 'table'") {
            let columns: Vec<String> = self
                .texts(&format!("SELECT name FROM pragma_table_xinfo('{table}')"))
                .iter()
                .map(|column| format!("quote({column})"))
                .collect();
            let columns = columns.join(" || '|' || ");
            for row in self.texts(&format!("SELECT {columns} FROM \"{table}\"")) {
                all.push_str(&row);
                all.push('\n');
            }
        }
        all
    }

    fn transaction(&self, stmts: &[Stmt]) -> Result<Vec<Rows>, DbError> {
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction().map_err(|e| kind(&e))?;
        let results: Result<Vec<Rows>, rusqlite::Error> = stmts
            .iter()
            .map(|stmt| {
                let mut prepared = transaction.prepare_cached(stmt.sql.text)?;
                let values = rusqlite::params_from_iter(stmt.values.iter().map(bound));
                let rows = prepared.query_map(values, |row| row.get::<_, String>(0))?;
                rows.collect()
            })
            .collect();
        match results {
            Ok(rows) => {
                transaction.commit().map_err(|e| kind(&e))?;
                Ok(rows)
            }
            Err(error) => {
                if kind(&error) == DbError::Broken {
                    eprintln!("statement failed: {error}");
                }
                Err(kind(&error))
            }
        }
    }

    fn traced(&self, stmts: Vec<Stmt>) -> Result<Vec<Rows>, DbError> {
        let result = self.transaction(&stmts);
        if let Some(trace) = self.trace.borrow_mut().as_mut() {
            let result = result.clone();
            trace.push(Ran { stmts, result });
        }
        result
    }
}

impl Database for Sqlite {
    fn batch(&self, stmts: Vec<Stmt>) -> LocalFuture<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            let name = stmts.first().map_or("", |stmt| stmt.sql.name);
            let fate = self.effects.next(format!("db {name}"));
            if fate.is_some_and(Fate::is_late) {
                let (database, stmts) = (self.clone(), stmts.clone());
                self.effects.keep(move || drop(database.traced(stmts)));
            }
            let ran = meet(fate, || self.traced(stmts)).await;
            match fate {
                Some(Fate::RefusedAfter) => Err(DbError::Broken),
                _ => ran.unwrap_or(Err(DbError::Unknown)),
            }
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "as D1 does it")]
fn bound(value: &SqlValue) -> types::Value {
    match value {
        SqlValue::Null => types::Value::Null,
        SqlValue::Int(number) => types::Value::Real(*number as f64),
        SqlValue::Text(text) => types::Value::Text(text.clone()),
    }
}

fn kind(error: &rusqlite::Error) -> DbError {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => DbError::Unique,
            _ if failure.code == ErrorCode::ConstraintViolation => DbError::Constraint,
            _ => DbError::Broken,
        },
        _ => DbError::Broken,
    }
}
