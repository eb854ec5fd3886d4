//! GitHub, Google, OpenRouter and Daydream as keycap sees them: one pure `handle(request, now) → delivery`, with a ledger of what really
//! happened, faults on demand, answers that can be held, and effects that happen late. There are no sockets, no system
//! clock and no randomness: two sandboxes with the same seed and the same history are equal. `main.rs` serves it on
//! loopback.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod bend;
mod clock;
mod control;
mod custody;
mod daydream;
mod delivery;
mod faults;
mod generator;
pub mod github;
mod google;
mod ledger;
mod message;
mod money;
mod openrouter;
mod operation;
mod settings;
mod sign_in_page;
mod spending;
mod usage;

pub use clock::{DAY_MS, Period, timestamp};
pub use delivery::HeldCall;
pub use faults::{Fault, FaultKind};
pub use generator::sha256_hex;
pub use github::{ORGANIZATION, ORGANIZATION_TOKEN, Organization};
pub use google::service_account::{DIRECTORY_SUBJECT, service_account_json};
pub use google::{
    DirectoryLie, DirectoryPerson, GOOGLE_PERSONAS, GoogleBehaviour, GooglePersona, GoogleTokens,
    Standing, TokenLie, google_persona,
};
pub use ledger::{
    Assignment, Call, GithubToken, GoogleToken, Ledger, LinkedKey, Outcome, Unshown, UpstreamKey,
    Usage, Violation, ViolationKind,
};
pub use message::{Delivery, Request, Response};
pub use money::Usd;
pub use openrouter::NewKey;
pub use operation::{Host, Operation};
pub use settings::{
    GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, MANAGEMENT_KEY,
    Settings,
};
pub use spending::{Metering, Spent};
pub use usage::{NewUse, Reports};

use delivery::Waiting;
use faults::FaultPlan;
use generator::Generator;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Sandbox {
    settings: Arc<Settings>,
    generator: Generator,
    ledger: Ledger,
    faults: FaultPlan,
    waiting: Waiting,
    github: github::State,
    google: google::State,
    directory: google::directory::State,
    openrouter: openrouter::State,
    linking: daydream::Linking,
    metering: Metering,
    uses: usage::Uses,
    reports: Reports,
    /// When analytics was last asked, within a minute.
    analytics_calls: Vec<i64>,
    clock_offset_ms: i64,
    /// The time of the first request. The ages of accounts count from here, so that they grow when the clock is
    /// advanced.
    origin_ms: Option<i64>,
}

impl Sandbox {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            generator: Generator::new(settings.seed),
            openrouter: openrouter::State::new(&settings.default_workspace_id),
            settings: Arc::new(settings),
            ledger: Ledger::default(),
            faults: FaultPlan::default(),
            waiting: Waiting::default(),
            github: github::State::default(),
            google: google::State::default(),
            linking: daydream::Linking::default(),
            directory: google::directory::State::default(),
            metering: Metering::default(),
            uses: usage::Uses::default(),
            reports: Reports::default(),
            analytics_calls: Vec::new(),
            clock_offset_ms: 0,
            origin_ms: None,
        }
    }

    /// Answers one request: an operation, a page of the stand-ins, or the control API. `now_ms` is the caller's time in
    /// milliseconds of the Unix epoch, here and below.
    pub fn handle(&mut self, request: &Request, now_ms: i64) -> Delivery {
        let now = self.time(now_ms);
        if request.path().starts_with(control::PREFIX) {
            return Delivery::Answer(self.control(request, now_ms));
        }
        let operation = Operation::of(request);
        custody::inspect(self, operation, request, now);
        match operation {
            Some(operation) => self.deliver(operation, request, now),
            None => Delivery::Answer(without_operation(request)),
        }
    }

    /// Answers a request of somebody who is not the Worker: no fault applies to it.
    pub fn handle_by_hand(&mut self, request: &Request, now_ms: i64) -> Delivery {
        let faults = std::mem::take(&mut self.faults);
        let delivery = self.handle(request, now_ms);
        self.faults = faults;
        delivery
    }

    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Adds a fault, which counts calls from now on: `nth` 1 is the next call of its operation.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    pub fn clear_faults(&mut self) {
        self.faults = FaultPlan::default();
    }

    /// Moves the sandbox's clock forward by this many milliseconds, or back if the number is negative.
    pub const fn advance_clock(&mut self, ms: i64) {
        self.clock_offset_ms = self.clock_offset_ms.saturating_add(ms);
    }

    #[must_use]
    pub const fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms
    }

    /// Makes the sandbox as new, except for the generator: a secret or id is never made twice in one sandbox's life.
    pub fn reset(&mut self) {
        let tickets = self.waiting.next_ticket();
        let generator = self.generator.clone();
        *self = Self {
            generator,
            ..Self::new(Settings::clone(&self.settings))
        };
        self.waiting.continue_from(tickets);
    }

    /// Makes a key as somebody else in the same account would.
    pub fn add_foreign_key(&mut self, key: NewKey, now_ms: i64) -> UpstreamKey {
        let now = self.time(now_ms);
        openrouter::mint(self, key, true, now)
    }

    /// Changes how Google's ID tokens and their keys are made from now on.
    pub fn set_google_tokens(&mut self, tokens: GoogleTokens) {
        self.google.tokens = tokens;
    }

    /// Lets Google sign with its next key from now on. Its last key is still published.
    pub const fn rotate_google_keys(&mut self) {
        self.google.rotate();
    }

    /// Lets Google publish no key but the one that signs.
    pub const fn retire_google_keys(&mut self) {
        self.google.retire();
    }

    /// Adds people to the Workspace's directory, or changes those of the same ids.
    pub fn put_directory(&mut self, people: Vec<DirectoryPerson>) {
        self.directory.put(people);
    }

    /// From now on the directory says these things that are not so, and no others.
    pub fn set_directory_lies(&mut self, lies: Vec<DirectoryLie>) {
        self.directory.tell(lies);
    }

    /// Changes GitHub's organization.
    pub fn set_organization(&mut self, organization: Organization) {
        self.github.organization = organization;
    }

    /// The sandbox's time for a caller's time, in milliseconds.
    fn time(&mut self, now_ms: i64) -> i64 {
        let now = now_ms.saturating_add(self.clock_offset_ms);
        self.origin_ms.get_or_insert(now);
        now
    }

    /// Runs the operation: its effect happens, and its answer is true.
    fn perform(&mut self, operation: Operation, request: &Request, now: i64) -> Response {
        match operation.host() {
            Host::Github | Host::GithubApi => github::perform(self, operation, request, now),
            Host::Google | Host::GoogleToken | Host::GoogleCerts => {
                google::perform(self, operation, request, now)
            }
            Host::GoogleDirectory => google::directory::answer(self, request, now),
            Host::Openrouter => openrouter::perform(self, operation, request, now),
            Host::OpenrouterSite => openrouter::oauth::authorize(self, request, now),
            Host::Daydream | Host::DaydreamApi => daydream::perform(self, operation, request, now),
        }
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

fn without_operation(request: &Request) -> Response {
    match Host::of(request.path()) {
        Some((Host::Github | Host::Google, "style.css")) => github::stylesheet(),
        Some((Host::Openrouter, _)) => openrouter::error(404, "Resource not found"),
        Some((Host::GoogleDirectory, _)) => google::directory::error(404, "notFound", "Not Found"),
        Some((Host::GithubApi, _)) => github::api_error(404, "Not Found"),
        Some((Host::GoogleToken | Host::GoogleCerts, _)) => {
            google::oauth_error(404, "invalid_request", "Not Found")
        }
        Some((Host::DaydreamApi, _)) => daydream::error(404),
        Some((Host::Github | Host::Google | Host::OpenrouterSite | Host::Daydream, _)) | None => {
            Response::text(404, "Nothing is played at this path.\n")
        }
    }
}
