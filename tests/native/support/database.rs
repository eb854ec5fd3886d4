//! D1 in native tests: SQLite with the same migrations and D1's limits. Every number is bound as REAL, as D1 does. One
//! batch is one transaction. Every statement is kept with its values and rows, for the test that repeats them on D1
//! itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{LazyLock, Mutex};

use keycap::ports::{Database, DbError, LocalFuture, Rows, SqlValue, Stmt};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, ffi, types};

use super::bystanders::Bystanders;
use super::effects::{Effects, Fate, meet};
use super::{coverage, mutant};

/// One batch that ran: its statements with their values, and the rows or the error that they returned.
#[derive(Clone)]
pub struct Ran {
    pub stmts: Vec<Stmt>,
    pub result: Result<Vec<Rows>, DbError>,
    /// How many rows each statement changed, those that its triggers changed included.
    changes: Vec<u64>,
}

impl Ran {
    /// The names of the statements that changed something, in order.
    pub fn wrote(&self) -> Vec<&'static str> {
        let each = self.stmts.iter().zip(&self.changes);
        let wrote = each.filter(|(_, changes)| **changes > 0);
        wrote.map(|(stmt, _)| stmt.sql.short_name()).collect()
    }
}

/// A database of a world, or a fork of it.
#[derive(Clone)]
pub struct Sqlite {
    place: Rc<Place>,
    /// The number of forks that were open when this one was made, including itself.
    level: usize,
    pub effects: Effects,
    pub trace: Rc<RefCell<Option<Vec<Ran>>>>,
}

/// A connection with what is open on it. Parsing a statement takes longer than running it, so a connection is used for
/// one world after the other: everything that a world does is inside a savepoint, which is rolled back at the end.
struct Place {
    connection: RefCell<Connection>,
    /// The savepoint of the world is open.
    reusable: Cell<bool>,
    /// The number of forks that are open.
    forks: Cell<usize>,
    /// The same database beside bystanders, for as long as both have gone the same way.
    beside: RefCell<Option<Bystanders>>,
}

impl Place {
    /// Does something with the database beside bystanders, and leaves it if it no longer went the same way.
    fn meet_bystanders(&self, act: impl FnOnce(&mut Bystanders) -> bool) {
        let mut beside = self.beside.borrow_mut();
        if beside.as_mut().is_some_and(|bystanders| !act(bystanders)) {
            *beside = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.reusable.get() || std::thread::panicking() {
            return;
        }
        let nothing = Connection::open_in_memory().unwrap();
        MIGRATED.end(std::mem::replace(self.connection.get_mut(), nothing));
    }
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

/// A database to copy from, and connections to such copies that no world uses at present. All threads share them: the
/// test harness gives each test a thread of its own, and a connection has parsed the statements of the tests before.
pub struct Pool {
    prepared: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub fn of(prepared: Connection) -> Self {
        Self {
            prepared: Mutex::new(prepared),
            idle: Mutex::default(),
        }
    }

    /// A connection to a copy that nothing else uses.
    pub fn copy(&self) -> Connection {
        copy_of(&self.prepared.lock().unwrap())
    }

    /// A connection to a copy, inside the savepoint `world`.
    pub fn begin(&self) -> Connection {
        let idle = self.idle.lock().unwrap().pop();
        let connection = idle.unwrap_or_else(|| self.copy());
        connection.execute_batch("SAVEPOINT world").unwrap();
        connection
    }

    /// Undoes what happened inside the savepoint, and keeps the connection for the next world.
    pub fn end(&self, connection: Connection) {
        // A statement that another test has parsed would not show what it reads.
        if coverage::is_noted() {
            return;
        }
        connection
            .execute_batch("ROLLBACK TO world; RELEASE world")
            .unwrap();
        self.idle.lock().unwrap().push(connection);
    }
}

/// Migrated databases without rows.
static MIGRATED: LazyLock<Pool> = LazyLock::new(|| {
    let connection = Connection::open_in_memory().unwrap();
    for (_, sql) in mutant::in_schema(migrations()) {
        connection.execute_batch(&sql).unwrap();
    }
    Pool::of(connection)
});

/// Makes a connection to a copy of this database.
pub fn copy_of(from: &Connection) -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    {
        let copy = rusqlite::backup::Backup::new(from, &mut connection).unwrap();
        copy.run_to_completion(10_000, std::time::Duration::ZERO, None)
            .unwrap();
    }
    connection
        .pragma_update(None, "foreign_keys", true)
        .unwrap();
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    ] {
        connection.set_limit(limit, most).unwrap();
    }
    // Otherwise a statement is parsed again whenever a value is bound that could make another plan better.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .unwrap();
    // Enough for all statements of the application and of the oracle.
    connection.set_prepared_statement_cache_capacity(2_000);
    coverage::watch(&connection);
    connection
}

impl Sqlite {
    /// A migrated database without rows.
    pub fn new(effects: Effects) -> Self {
        let database = Self::at(MIGRATED.begin(), true, effects);
        *database.place.beside.borrow_mut() = Bystanders::new();
        database
    }

    /// A connection to a migrated database without rows.
    pub fn migrated() -> Connection {
        MIGRATED.copy()
    }

    fn at(connection: Connection, reusable: bool, effects: Effects) -> Self {
        Self {
            place: Rc::new(Place {
                connection: RefCell::new(connection),
                reusable: Cell::new(reusable),
                forks: Cell::default(),
                beside: RefCell::default(),
            }),
            level: 0,
            effects,
            trace: Rc::default(),
        }
    }

    /// A copy of this database as it is now.
    pub fn copied(&self, effects: Effects) -> Self {
        let copy = copy_of(&self.connection().borrow());
        Self::at(copy, false, effects)
    }

    /// The connection, for a test that uses it directly. No savepoint is open, and no other world will use it.
    pub fn connection(&self) -> &RefCell<Connection> {
        assert_eq!(self.level, 0, "a fork has a savepoint");
        let connection = self.at_hand();
        if self.place.reusable.replace(false) {
            connection.borrow().execute_batch("RELEASE world").unwrap();
        }
        self.leave_bystanders();
        connection
    }

    /// The same database in another course of events, until [`Sqlite::end_fork`] undoes everything. Until then nothing
    /// else may use the database.
    pub fn forked(&self, effects: Effects) -> Self {
        let connection = self.at_hand();
        connection.borrow().execute_batch("SAVEPOINT fork").unwrap();
        self.place.forks.set(self.level + 1);
        Self {
            place: Rc::clone(&self.place),
            level: self.level + 1,
            effects,
            trace: Rc::default(),
        }
    }

    /// Undoes everything that this fork did. Does nothing if this is no fork.
    pub fn end_fork(&self) {
        let Some(outer) = self.level.checked_sub(1) else {
            return;
        };
        // After a panic the connection may still be in use; nobody uses its database any more.
        if let Ok(connection) = self.place.connection.try_borrow() {
            connection
                .execute_batch("ROLLBACK TO fork; RELEASE fork")
                .unwrap();
            self.place.forks.set(outer);
        }
    }

    fn at_hand(&self) -> &RefCell<Connection> {
        let forks = self.place.forks.get();
        assert_eq!(
            forks, self.level,
            "a fork of this world is open, or this one has ended"
        );
        &self.place.connection
    }

    /// Runs a statement that a test wrote itself.
    pub fn run(&self, sql: &str) {
        let before = self.at_hand().borrow().total_changes();
        self.at_hand().borrow().execute_batch(sql).unwrap();
        let changes = self.at_hand().borrow().total_changes() - before;
        if self.level == 0 {
            self.place
                .meet_bystanders(|bystanders| bystanders.run(sql, changes));
        }
    }

    /// From now on there are no bystanders.
    pub fn leave_bystanders(&self) {
        *self.place.beside.borrow_mut() = None;
    }

    /// Checks that bystanders have changed nothing, and that nothing of theirs has changed.
    pub fn look_at_bystanders(&self) {
        if self.level == 0 && self.place.forks.get() == 0 {
            let mine = dump(&self.at_hand().borrow());
            self.place.meet_bystanders(|bystanders| {
                bystanders.look_at(mine);
                true
            });
        }
    }

    /// Runs a query that a test wrote itself. Returns the first column of its rows as text.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        texts(&self.at_hand().borrow(), sql)
    }

    pub fn text(&self, sql: &str) -> String {
        self.texts(sql).into_iter().next().expect("a row")
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.text(sql).parse().unwrap()
    }

    /// Every value of every table, to search it for what must not be there.
    pub fn dump(&self) -> String {
        dump(&self.at_hand().borrow()).join("\n")
    }

    fn traced(&self, stmts: Vec<Stmt>) -> Result<Vec<Rows>, DbError> {
        let (result, changes) = run_batch(&mut self.at_hand().borrow_mut(), &stmts);
        if self.level == 0 {
            self.place
                .meet_bystanders(|bystanders| bystanders.run_batch(&stmts, &result, &changes));
        }
        if let Some(trace) = self.trace.borrow_mut().as_mut() {
            let result = result.clone();
            trace.push(Ran {
                stmts,
                result,
                changes,
            });
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
                Some(Fate::RefusedBefore) => Err(DbError::Constraint),
                _ => ran.unwrap_or(Err(DbError::Unknown)),
            }
        })
    }

    fn size_bytes(&self) -> Option<i64> {
        let connection = self.at_hand().borrow();
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        connection.query_row(sql, [], |row| row.get(0)).ok()
    }
}

/// Every row of every table: the name of the table, and its values.
pub fn dump(connection: &Connection) -> Vec<String> {
    let sql = "SELECT json_array(tables.name, json_group_array('quote(' || columns.name || ')'))
        FROM sqlite_master tables, pragma_table_xinfo(tables.name) columns WHERE tables.type = 'table' GROUP BY tables.name";
    let rows = |table: String| {
        let (table, columns): (String, Vec<String>) = serde_json::from_str(&table).unwrap();
        // An expression has a greatest depth, so that not all columns can follow one another.
        let columns = columns.chunks(20).map(|some| some.join(" || '|' || "));
        let columns: Vec<String> = columns.map(|some| format!("({some})")).collect();
        let columns = columns.join(" || '|' || ");
        texts(
            connection,
            &format!("SELECT '{table}|' || {columns} FROM \"{table}\""),
        )
    };
    texts(connection, sql).into_iter().flat_map(rows).collect()
}

/// The first column of a query's rows as text.
fn texts(connection: &Connection, sql: &str) -> Vec<String> {
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

/// Runs a batch. Also returns how many rows each statement changed.
pub fn run_batch(
    connection: &mut Connection,
    stmts: &[Stmt],
) -> (Result<Vec<Rows>, DbError>, Vec<u64>) {
    let mut changes: Vec<u64> = Vec::new();
    let mut run_all = || {
        let transaction = connection.savepoint()?;
        let run = |stmt: &Stmt| {
            let before = transaction.total_changes();
            let rows = run_one(&transaction, stmt);
            changes.push(transaction.total_changes() - before);
            rows
        };
        let rows = stmts
            .iter()
            .map(run)
            .collect::<rusqlite::Result<Vec<Rows>>>()?;
        transaction.commit()?;
        Ok(rows)
    };
    let result = run_all().map_err(|error| {
        if kind(&error) == DbError::Broken {
            eprintln!("statement failed: {error}");
        }
        kind(&error)
    });
    (result, changes)
}

/// Runs one statement of a batch.
pub fn run_one(transaction: &Connection, stmt: &Stmt) -> rusqlite::Result<Rows> {
    let text = mutant::in_force(stmt.sql);
    let mut prepared = transaction.prepare_cached(text)?;
    // The text of a mutant may have fewer parameters.
    let most = if text == stmt.sql.text {
        usize::MAX
    } else {
        prepared.parameter_count()
    };
    let values = stmt.values.iter().map(bound).take(most);
    let rows = prepared.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?;
    rows.collect()
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
