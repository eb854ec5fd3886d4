//! The application: its configuration and its effects. Built once for each isolate.

use std::cell::Cell;

use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::ports::{Brake, Clock, Database, Log, Outbound, Random};
use crate::store::claims::House;

pub struct App {
    pub config: Config,
    pub db: Box<dyn Database>,
    pub http: Box<dyn Outbound>,
    pub clock: Box<dyn Clock>,
    pub random: Box<dyn Random>,
    pub brake: Box<dyn Brake>,
    pub log: Box<dyn Log>,
    /// Whether this isolate has seen that the upstream's terms are confirmed: for the health route alone, the guards ask.
    pub upstream_terms_seen: Cell<bool>,
}

impl App {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What configuration has to say in the guarding statements.
    pub fn house(&self) -> House {
        House {
            terms: self.config.terms,
            public_origin: self.config.public_origin.as_str().to_owned(),
        }
    }

    /// One line of the log: what happened, as a stable word, with opaque ids and enums only.
    pub fn note(&self, level: &str, event: &str, more: serde_json::Value) {
        let mut line = serde_json::json!({ "level": level, "event": event });
        if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        self.log.line(&line.to_string());
    }
}
