//! D1 behind the database seam: its quirks stay in this file.
//!
//! Numbers are bound as REAL. An error's kind is told by SQLite's extended code in its text, and by nothing else; what
//! cannot be told is unknown, because D1 may have committed before its answer was lost.

use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::js_sys::Object;
use worker::{D1Database, D1PreparedStatement, Env};

use crate::ports::{Database, DbError, LocalFuture, Rows, Stmt, Value};

pub struct D1(D1Database);

impl D1 {
    pub fn new(env: &Env) -> worker::Result<Self> {
        env.d1("DB").map(Self)
    }

    fn prepare(&self, stmt: &Stmt) -> Result<D1PreparedStatement, DbError> {
        let values: Vec<JsValue> = stmt.values.iter().map(bound).collect();
        let prepared = self.0.prepare(stmt.sql.text);
        prepared.bind(&values).map_err(|_| DbError::Broken)
    }

    async fn run(&self, stmts: Vec<Stmt>) -> Result<Vec<Rows>, DbError> {
        let prepared: Result<Vec<_>, _> = stmts.iter().map(|stmt| self.prepare(stmt)).collect();
        let results = self
            .0
            .batch(prepared?)
            .await
            .map_err(|e| kind(&e.to_string()))?;
        results
            .iter()
            .map(|result| {
                let rows: Vec<Row> = result.results().map_err(|_| DbError::Broken)?;
                rows.iter().map(only_column).collect()
            })
            .collect()
    }
}

impl Database for D1 {
    fn batch(&self, stmts: Vec<Stmt>) -> LocalFuture<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(self.run(stmts))
    }
}

#[expect(clippy::cast_precision_loss, reason = "integers are below 2^53")]
fn bound(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Int(number) => JsValue::from_f64(*number as f64),
        Value::Text(text) => JsValue::from_str(text),
    }
}

/// A row as D1 gave it. Its column is named by the whole expression, so only the value crosses into wasm.
#[derive(Deserialize)]
#[serde(transparent)]
struct Row(#[serde(with = "serde_wasm_bindgen::preserve")] Object);

fn only_column(row: &Row) -> Result<String, DbError> {
    let column = Object::values(&row.0).get(0);
    column.as_string().ok_or(DbError::Broken)
}

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
