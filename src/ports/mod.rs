//! The seams: every effect of the application goes through one of these traits, so that the Worker supplies the
//! platform, and native tests supply SQLite, an in-process sandbox and a clock they can move, and break each on purpose.
//!
//! Outcomes are richer than `Result`: a write or a call whose answer was lost is *unknown*, never failed.

#[macro_use]
pub(crate) mod json;
pub mod rate_limit;
pub mod upstreams;

use std::future::Future;
use std::pin::Pin;

use url::Url;

use crate::domain::time::Timestamp;

/// A future of the single-threaded application.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A value bound to a statement. D1 binds every number as REAL (upstreams/cloudflare, section 1 row 2).
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    Null,
    /// Below 2^53, so that the REAL binding keeps it exact.
    Int(i64),
    Text(String),
}

/// A statement's name and its text; both constant, so nothing is ever formatted into SQL.
#[derive(Debug, PartialEq, Eq)]
pub struct Sql {
    pub name: &'static str,
    pub text: &'static str,
}

/// One statement of a batch with its bound values.
#[derive(Clone, Debug)]
pub struct Stmt {
    pub sql: &'static Sql,
    pub values: Vec<SqlValue>,
}

/// The rows of one statement. Every statement that returns rows returns one column of JSON text.
pub type Rows = Vec<String>;

/// Why a batch has no rows to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbError {
    /// A uniqueness constraint refused it; nothing was written.
    Unique,
    /// Any other constraint or trigger refused it; nothing was written.
    Constraint,
    /// The statement itself is wrong or the schema is not there; nothing was written.
    Broken,
    /// The answer was lost: the batch may have been committed, or may still be.
    Unknown,
}

/// The database: one atomic batch of statements, in order, all or nothing.
pub trait Database {
    fn batch(&self, stmts: Vec<Stmt>) -> LocalFuture<'_, Result<Vec<Rows>, DbError>>;
}

/// A call to a foreign service. The credential travels in `headers`; the URL never carries one.
#[derive(Clone)]
pub struct Call {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
    /// The whole exchange, body included, in milliseconds.
    pub deadline_ms: u32,
    /// Bytes of body accepted; more makes the outcome unknown.
    pub max_bytes: usize,
}

/// What came back, cut down to what is ever read.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

/// How a foreign call ended.
#[derive(Clone)]
pub enum Outcome {
    Answer(Answer),
    /// It could not be built, so it was never sent.
    Unsent,
    /// Sent, perhaps, and perhaps acted upon.
    Unknown,
}

/// Outbound HTTP without redirects.
pub trait HttpClient {
    fn send(&self, call: Call) -> LocalFuture<'_, Outcome>;
}

/// Time, and the only way to let some pass.
pub trait Clock {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// Waits, for back-off between tries of a safe call.
    fn pause(&self, ms: u32) -> LocalFuture<'_, ()>;

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms())
    }
}

/// Cryptographic randomness. An error means none is to be had, and nothing may be made without it.
pub trait Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

/// The edge's brake on request rates. It is a brake, not a quota: quotas are in the database.
pub trait RateLimiter {
    /// Whether one more request for `key` is within `limit`. A brake that cannot answer lets pass.
    fn allows<'a>(&'a self, limit: rate_limit::Limit, key: &'a str) -> LocalFuture<'a, bool>;
}

/// The store did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvUnavailable;

/// Values that may be late, lost or seen twice: a read may give an older one.
pub trait KeyValue {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<String>, KvUnavailable>>;
    fn put<'a>(
        &'a self,
        name: &'a str,
        value: String,
    ) -> LocalFuture<'a, Result<(), KvUnavailable>>;
}

/// Where the one-line structured logs go.
pub trait Log {
    fn line(&self, line: &str);
}

impl dyn Log + '_ {
    /// One line of the log: what happened, as a stable word, with opaque ids and enums only.
    pub fn note(&self, level: &str, event: &str, more: serde_json::Value) {
        let mut line = serde_json::json!({ "level": level, "event": event });
        if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        self.line(&line.to_string());
    }
}
