//! D1 as the database port. What is peculiar to D1 stays in this file.
//!
//! Numbers are bound as REAL. The kind of an error is read from the error code in its text, and from nothing else. Any
//! other error is unknown, because D1 may have committed before its answer was lost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use wasm_bindgen::{JsCast, JsValue};
use worker::Env;
use worker::js_sys::{Array, Object, Reflect};
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::types::{D1Database, D1PreparedStatement, D1Result};

use crate::platform::small::Console;
use crate::ports::{Database, DbError, LocalFuture, Log, Rows, SqlValue, Stmt};

/// The D1 database of the binding `DB`.
pub struct D1 {
    database: D1Database,
    /// The prepared statements by name, so that the text of each crosses the wasm boundary only once.
    prepared: RefCell<BTreeMap<&'static str, D1PreparedStatement>>,
    /// The size of the database in bytes after the latest batch.
    size_bytes: Cell<Option<i64>>,
    log: Console,
}

/// An error with the text of its cause, which the log gets.
struct D1Failure {
    error: DbError,
    cause: String,
}

impl D1Failure {
    /// An answer of D1 that has another shape than D1 documents.
    fn broken(cause: &str) -> Self {
        Self {
            error: DbError::Broken,
            cause: cause.to_owned(),
        }
    }
}

impl D1 {
    pub fn new(env: &Env, log: Console) -> worker::Result<Self> {
        let database = env.d1("DB")?;
        Ok(Self {
            database: JsValue::from(database).unchecked_into(),
            prepared: RefCell::default(),
            size_bytes: Cell::default(),
            log,
        })
    }

    fn prepare(&self, stmt: &Stmt) -> Result<D1PreparedStatement, D1Failure> {
        let values: Array = stmt.values.iter().map(bound).collect();
        let mut prepared = self.prepared.borrow_mut();
        let unbound = match prepared.entry(stmt.sql.name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let unbound = self.database.prepare(stmt.sql.text);
                new.insert(unbound.map_err(unprepared)?)
            }
        };
        unbound.bind(values).map_err(unprepared)
    }

    async fn run(&self, stmts: &[Stmt]) -> Result<Vec<Rows>, D1Failure> {
        let batch = Array::new();
        for stmt in stmts {
            batch.push(&self.prepare(stmt)?.into());
        }
        let answer = self.database.batch(batch).map_err(failure)?;
        let results = JsFuture::from(answer).await.map_err(failure)?;
        let results = Array::from(&results);
        self.size_bytes.set(size(&results.get(0).unchecked_into()));
        results
            .iter()
            .map(|result| rows(&result.unchecked_into()))
            .collect()
    }
}

/// The size of the database in bytes, which D1 tells with each result as `size_after` (Cloudflare's documentation of D1,
/// "Return objects").
fn size(result: &D1Result) -> Option<i64> {
    let meta = result.meta().ok()?;
    let size = Reflect::get(&meta, &JsValue::from_str("size_after")).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a size is an integer below 2^53"
    )]
    size.as_f64().map(|bytes| bytes as i64)
}

/// Each row has one column, which is text.
fn rows(result: &D1Result) -> Result<Rows, D1Failure> {
    let rows = result.results().map_err(unprepared)?;
    let rows = rows.unwrap_or_default();
    rows.iter().map(|row| only_column(&row)).collect()
}

impl Database for D1 {
    fn batch(&self, stmts: Vec<Stmt>) -> LocalFuture<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            self.run(&stmts)
                .await
                .map_err(|D1Failure { error, cause }| {
                    let log: &dyn Log = &self.log;
                    log.database_failed(&stmts, error, &cause);
                    error
                })
        })
    }

    fn size_bytes(&self) -> Option<i64> {
        self.size_bytes.get()
    }
}

#[expect(clippy::cast_precision_loss, reason = "integers are below 2^53")]
fn bound(value: &SqlValue) -> JsValue {
    match value {
        SqlValue::Null => JsValue::NULL,
        SqlValue::Int(number) => JsValue::from_f64(*number as f64),
        SqlValue::Text(text) => JsValue::from_str(text),
    }
}

/// D1 names the column by its whole expression. So only the value crosses the wasm boundary.
fn only_column(row: &JsValue) -> Result<String, D1Failure> {
    let row: &Object = row.unchecked_ref();
    let column: JsValue = Object::values(row).get(0);
    column
        .as_string()
        .ok_or_else(|| D1Failure::broken("a row is no text"))
}

/// An error of a call that runs nothing, and so has changed nothing.
fn unprepared(error: JsValue) -> D1Failure {
    D1Failure::broken(&worker::Error::from(error).to_string())
}

/// An error of D1, with its kind.
fn failure(error: JsValue) -> D1Failure {
    let cause = worker::Error::from(error).to_string();
    D1Failure {
        error: kind(&cause),
        cause,
    }
}

/// The kind of an error, by the error code in its text.
fn kind(text: &str) -> DbError {
    if text.contains("SQLITE_CONSTRAINT_UNIQUE") || text.contains("SQLITE_CONSTRAINT_PRIMARYKEY") {
        DbError::Unique
    } else if text.contains("SQLITE_CONSTRAINT") {
        DbError::Constraint
    } else if text.contains("SQLITE_ERROR") || text.contains("D1_TYPE_ERROR") {
        DbError::Broken
    } else {
        DbError::Unknown
    }
}
