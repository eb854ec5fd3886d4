//! The application: its configuration and its effects. Built once for each isolate.

use std::cell::{Cell, RefCell};

use crate::app::run::QueuedRun;
use crate::config::Config;
use crate::crypto::keyring::Keyring;
use crate::domain::policy::gate::ClaimPolicy;
use crate::domain::time::Timestamp;
use crate::ports::{Clock, Database, HttpClient, KeyValue, Log, Random, RateLimiter};
use crate::store::ops::alarms::HealthFlags;
use crate::upstream::client::UpstreamClient;

pub struct App {
    pub config: Config,
    /// The keys that are derived from `AUTH_SESSION_SECRET`.
    pub keyring: Keyring,
    pub db: Box<dyn Database>,
    pub kv: Box<dyn KeyValue>,
    pub http: Box<dyn HttpClient>,
    pub clock: Box<dyn Clock>,
    pub random: Box<dyn Random>,
    pub rate_limiter: Box<dyn RateLimiter>,
    pub log: Box<dyn Log>,
    /// Runs of jobs that requests have begun, and that work on after the answer.
    pub asked: RefCell<Vec<QueuedRun>>,
    /// What in the database keeps claims closed, as this isolate last heard, and when: for what is told, the guards ask.
    pub standing_seen: Cell<Option<(Timestamp, HealthFlags)>>,
}

impl App {
    /// What a call to a foreign service needs.
    pub fn upstream(&self) -> UpstreamClient<'_> {
        UpstreamClient {
            http: &*self.http,
            clock: &*self.clock,
            log: &*self.log,
            management_key: self.config.management_key.as_ref(),
            bases: &self.config.upstreams,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What configuration has to say in the guarding statements.
    pub fn claim_policy(&self) -> ClaimPolicy {
        ClaimPolicy {
            terms: self.config.terms,
            public_origin: self.config.public_origin.as_str().to_owned(),
        }
    }

    /// One line of the log: what happened, as a stable word, with opaque ids and enums only.
    pub fn note(&self, level: &str, event: &str, more: serde_json::Value) {
        self.log.note(level, event, more);
    }
}
