//! The application: its configuration and its effects. It is built once for each isolate.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::app::run::QueuedWork;
use crate::config::Config;
use crate::crypto::keyring::Keyring;
use crate::domain::policy::gate::ClaimPolicy;
use crate::domain::time::Timestamp;
use crate::ports::signatures::Signatures;
use crate::ports::{Clock, Database, HttpClient, KeyValue, Log, Random, RateLimiter, Signer};
use crate::store::ops::alarms::HealthFlags;
use crate::upstream::client::UpstreamClient;
use crate::upstream::google_keys::GoogleKeys;

///
/// A clone is the same application. A job makes clones with other effects: one that works on many rows at once gathers
/// their statements.
#[derive(Clone)]
pub struct App {
    pub config: Rc<Config>,
    /// The keys that are derived from `AUTH_SESSION_SECRET`.
    pub keyring: Rc<Keyring>,
    pub db: Rc<dyn Database>,
    pub kv: Rc<dyn KeyValue>,
    pub http: Rc<dyn HttpClient>,
    pub clock: Rc<dyn Clock>,
    pub random: Rc<dyn Random>,
    pub signer: Rc<dyn Signer>,
    pub rate_limiter: Rc<dyn RateLimiter>,
    pub log: Rc<dyn Log>,
    pub signatures: Rc<dyn Signatures>,
    /// What requests have left for the time after their answers.
    pub queued_work: Rc<RefCell<Vec<QueuedWork>>>,
    /// The conditions in the database that keep claims closed, as this isolate last read them, and when. They are only
    /// shown; the guards ask the database.
    pub health_cache: Rc<Cell<Option<(Timestamp, HealthFlags)>>>,
    /// The keys with which Google signs ID tokens, as this isolate last read them.
    pub google_keys: Rc<RefCell<GoogleKeys>>,
}

impl App {
    /// The parts that a call to another service needs.
    pub fn upstream(&self) -> UpstreamClient<'_> {
        UpstreamClient {
            http: &*self.http,
            clock: &*self.clock,
            log: &*self.log,
            management_key: self.config.management_key.as_ref(),
            bases: &self.config.upstreams,
            send_by: None,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The settings that the guarding statements need.
    pub fn claim_policy(&self) -> ClaimPolicy {
        ClaimPolicy {
            terms: self.config.terms,
            public_origin: self.config.public_origin.as_str().to_owned(),
            default_workspace: self.config.default_workspace().map(str::to_owned),
            google_domains: self.config.google_domains_json(),
        }
    }

    /// Writes one line of the log: what happened, as a stable word, with opaque ids and enums only.
    pub fn note(&self, level: &str, event: &str, more: serde_json::Value) {
        self.log.note(level, event, more);
    }
}
