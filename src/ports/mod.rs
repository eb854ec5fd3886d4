//! The ports: every effect of the application goes through one of these traits. The Worker implements them with the
//! platform. Native tests implement them with SQLite, an in-process sandbox and a clock that they can move, and break
//! each on purpose.
//!
//! Outcomes are richer than `Result`: if the answer of a write or a call was lost, its outcome is *unknown*, never
//! failed.

#[macro_use]
pub(crate) mod json;
mod failures;
pub mod log;
pub mod rate_limit;
pub mod signatures;
mod statement;
pub mod trace;
pub mod upstreams;

use std::future::Future;
use std::pin::Pin;

use url::Url;

use crate::domain::time::Timestamp;

pub use crate::ports::log::Log;
pub use crate::ports::statement::{Sql, SqlValue, Stmt};

/// A future of the single-threaded application.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The rows of one statement. Every statement that returns rows returns one column, which is JSON text.
pub type Rows = Vec<String>;

/// Why a batch returned no rows. The text of the database's own error goes to the log, where the error is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbError {
    /// A uniqueness constraint refused the batch. Nothing was written.
    Unique,
    /// Another constraint or a trigger refused the batch. Nothing was written.
    Constraint,
    /// A statement is wrong or the schema is missing. Nothing was written.
    Broken,
    /// The answer was lost. The batch may have been committed, or may be committed later.
    Unknown,
}

/// The database. It runs one batch of statements in order, and commits all of them or none.
pub trait Database {
    fn batch(&self, stmts: Vec<Stmt>) -> LocalFuture<'_, Result<Vec<Rows>, DbError>>;

    /// The size of the whole database in bytes, as the latest batch told it, or `None` if none has.
    fn size_bytes(&self) -> Option<i64>;
}

/// A call to a foreign service. The credential is in `headers`, never in the URL.
#[derive(Clone)]
pub struct Call {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
    /// The deadline for the whole exchange, including the body, in milliseconds.
    pub deadline_ms: u32,
    /// When it is too late to send the call, if that matters: what it changes was marked as in flight, and counts as such
    /// for some minutes only.
    pub send_by: Option<Timestamp>,
    /// The most bytes of a body that are accepted. A longer body makes the outcome unknown.
    pub max_bytes: usize,
}

/// The parts of an answer that anything reads.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<String>,
    /// How long the answer may be used again (`Cache-Control`), and how old it is already (`Age`).
    pub cache_control: Option<String>,
    pub age: Option<String>,
    pub body: Vec<u8>,
}

/// How a foreign call ended.
#[derive(Clone)]
pub enum Outcome {
    Answer(Answer),
    /// The call could not be built, so it was never sent.
    Unsent,
    /// The call may have been sent, and may have been carried out.
    Unknown,
}

/// Outbound HTTP. It follows no redirects.
pub trait HttpClient {
    fn send(&self, call: Call) -> LocalFuture<'_, Outcome>;
}

/// The clock, and the only way to wait.
pub trait Clock {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// Waits, between attempts of a call that may be repeated.
    fn pause(&self, ms: u32) -> LocalFuture<'_, ()>;

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms())
    }
}

/// Cryptographic randomness. An error means that there is none, and nothing that needs it may be made.
pub trait Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

/// Signs with a private key.
pub trait Signer {
    /// The signature of `message` by RSASSA-PKCS1-v1_5 with SHA-256 (RS256). `pkcs8` is the key in DER. Returns `None` if
    /// the key is none, or if nothing can be signed here.
    fn sign_rs256<'a>(
        &'a self,
        pkcs8: &'a [u8],
        message: &'a [u8],
    ) -> LocalFuture<'a, Option<Vec<u8>>>;
}

/// The edge's limit on the rate of requests. It is a rate limiter and not a quota. Quotas are in the database.
pub trait RateLimiter {
    /// Answers whether one more request for `key` is within `limit`. A rate limiter that does not answer lets the
    /// request pass.
    fn allows<'a>(&'a self, limit: rate_limit::Limit, key: &'a str) -> LocalFuture<'a, bool>;
}

/// The key-value store did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvUnavailable;

/// A key-value store. Its values may be late, lost or seen twice, and a read may return an older value.
pub trait KeyValue {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<String>, KvUnavailable>>;
    /// Writes a value, which ends by itself after `ttl_secs` seconds, or never. A life below [`KV_TTL_SECS`] is refused.
    fn put<'a>(
        &'a self,
        name: &'a str,
        value: String,
        ttl_secs: Option<i64>,
    ) -> LocalFuture<'a, Result<(), KvUnavailable>>;
    /// Deletes a value. A read may still return it for a minute or longer.
    fn delete<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<(), KvUnavailable>>;
}

/// The shortest life in seconds that Workers KV gives a value.
pub const KV_TTL_SECS: i64 = 60;
