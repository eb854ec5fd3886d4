//! One deployment: its database, the upstream services, the clock and the log. Isolates start and end while it
//! continues.

use keycap::crypto::keyring::Keyring;
use keycap::http::server::message::Body;
use keycap::http::server::pipeline::Service;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use keycap::app::context::App;
use keycap::config::Config;
use keycap::domain::time::Timestamp;
use keycap::ports::rate_limit::Limit;
use keycap::ports::{
    Clock, Database, DbError, LocalFuture, Log, NoRandomness, Random, RateLimiter, Rows, Signer,
    Stmt,
};
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer as _};
use sandbox::Sandbox;

use super::browser::Response;
use super::by_hand::ByHand;
use super::canaries::Canaries;
use super::database::Sqlite;
use super::effects::Effects;
use super::kv::Lagging;
use super::oracle;
use super::signatures::RsaCrate;
use super::upstream::{Bend, Respelt, Twist, Upstream};

pub const TEN_MINUTES: i64 = 600;
/// When every world begins: a Saturday at noon, far from every boundary of a window.
const BEGINS: &str = "2026-11-21T12:00:00Z";

pub const ORIGIN: &str = "http://localhost:8787";
/// Settings that nobody may see.
const SECRETS: [&str; 5] = [
    "GITHUB_OAUTH_CLIENT_SECRET",
    "GOOGLE_OAUTH_CLIENT_SECRET",
    "RELAY_SECRET",
    "OPENROUTER_MANAGEMENT_KEY",
    "AUTH_SESSION_SECRET",
];

pub const BASE: &str = "http://127.0.0.1:8790";

/// Does once more, in another world, what a world is about to do. Returns how that ended.
pub type Step<'a> = &'a dyn Fn(&World) -> String;

/// What runs just before each request, sweep and reconcile run of a world. Its second argument describes the step.
pub type Rehearsal = Rc<dyn Fn(&World, &str, Step<'_>)>;

pub struct World {
    pub db: Sqlite,
    pub kv: Lagging,
    pub sandbox: Rc<RefCell<Sandbox>>,
    pub effects: Effects,
    pub now_ms: Rc<Cell<i64>>,
    /// How far the upstream clock is ahead of ours.
    pub upstream_ahead_ms: Rc<Cell<i64>>,
    pub log: Rc<RefCell<Vec<String>>>,
    pub bend: Rc<Cell<Option<Bend>>>,
    pub respelt: Rc<RefCell<Respelt>>,
    pub twist: Rc<RefCell<Twist>>,
    pub refusing: Rc<RefCell<Vec<Limit>>>,
    /// How many requests were counted against each limit, by its key. `None` until a test wants the limits to be
    /// enforced.
    pub rates: Rc<RefCell<Option<Rates>>>,
    seed: Rc<Cell<u64>>,
    settings: RefCell<HashMap<&'static str, String>>,
    /// Every secret that was delivered in an answer.
    pub delivered: Rc<RefCell<Vec<String>>>,
    /// Hashes of the keys that someone outside keycap deleted at OpenRouter.
    pub gone: RefCell<Vec<String>>,
    /// What someone outside keycap changed of keys at OpenRouter, as long as it is in force.
    pub by_hand: RefCell<ByHand>,
    pub canaries: Canaries,
    pub rehearsal: RefCell<Option<Rehearsal>>,
}

/// An isolate of this deployment. Every answer is checked before it leaves.
#[derive(Clone)]
pub struct Isolate {
    service: Service,
    canaries: Canaries,
}

impl Isolate {
    pub fn app(&self) -> &App {
        self.service.app()
    }

    pub async fn answer(&self, request: http::Request<Body>) -> Response {
        let path = request.uri().path();
        let verb = path.rsplit('/').next().unwrap_or_default();
        let delivers = request.method() == "POST"
            && (path == "/api/v1/keys"
                || ["claim", "rotate", "leaked", "renew", "redeem", "token"].contains(&verb));
        let response = Response::from(self.service.answer(request).await);
        self.canaries.look_at(&response, delivers);
        keycap::jobs::run_queued(self.app()).await;
        response
    }
}

/// Every test, whatever its subject, ends with these checks.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            oracle::always(self);
            self.db.look_at_bystanders();
        }
        self.effects.forget();
        self.db.end_fork();
    }
}

impl World {
    pub fn new() -> Self {
        let effects = Effects::default();
        let (sandbox, delivered) = (Rc::<RefCell<Sandbox>>::default(), Rc::default());
        let now_ms = Rc::new(Cell::new(Timestamp::parse(BEGINS).unwrap().secs() * 1000));
        Self {
            db: Sqlite::new(effects.clone()),
            kv: Lagging::new(effects.clone(), Rc::clone(&now_ms)),
            canaries: Canaries::new(Rc::clone(&sandbox), Rc::clone(&delivered)),
            sandbox,
            effects,
            now_ms,
            upstream_ahead_ms: Rc::default(),
            log: Rc::default(),
            bend: Rc::default(),
            respelt: Rc::default(),
            twist: Rc::default(),
            refusing: Rc::default(),
            rates: Rc::default(),
            seed: Rc::new(Cell::new(1)),
            settings: RefCell::new(settings()),
            delivered,
            gone: RefCell::default(),
            by_hand: RefCell::default(),
            rehearsal: RefCell::default(),
        }
    }

    /// A copy of the same deployment in its present state, so that a test can continue in two directions.
    pub fn copied(&self) -> Self {
        let effects = Effects::default();
        self.continued(self.db.copied(effects.clone()), effects)
    }

    /// The same as [`World::copied`], and much faster, for one course of events at a time: this world may be used again
    /// only after the fork was dropped.
    pub fn forked(&self) -> Self {
        let effects = Effects::default();
        self.continued(self.db.forked(effects.clone()), effects)
    }

    fn continued(&self, db: Sqlite, effects: Effects) -> Self {
        let sandbox = Rc::new(RefCell::new(self.sandbox.borrow().clone()));
        let delivered = Rc::new(RefCell::new(self.delivered.borrow().clone()));
        let now_ms = Rc::new(Cell::new(self.now_ms.get()));
        Self {
            db,
            kv: self.kv.copied(effects.clone(), Rc::clone(&now_ms)),
            canaries: self
                .canaries
                .copied(Rc::clone(&sandbox), Rc::clone(&delivered)),
            sandbox,
            effects,
            now_ms,
            upstream_ahead_ms: Rc::new(Cell::new(self.upstream_ahead_ms.get())),
            log: Rc::new(RefCell::new(self.log.borrow().clone())),
            bend: Rc::new(Cell::new(self.bend.get())),
            respelt: Rc::new(RefCell::new(self.respelt.borrow().clone())),
            twist: Rc::default(),
            refusing: Rc::default(),
            rates: Rc::default(),
            seed: Rc::new(Cell::new(self.seed.get())),
            settings: RefCell::new(self.settings.borrow().clone()),
            delivered,
            gone: self.gone.clone(),
            by_hand: self.by_hand.clone(),
            rehearsal: RefCell::default(),
        }
    }

    /// Changes a setting for isolates that start from now on; an empty text unsets it.
    pub fn set(&self, name: &'static str, value: &str) {
        if name == "CLAIMS_PER_HOUR" {
            // This limit counts the claims of bystanders too.
            self.db.leave_bystanders();
        }
        self.settings.borrow_mut().insert(name, value.to_owned());
    }

    /// The settings with which isolates start from now on.
    pub fn settings(&self) -> HashMap<&'static str, String> {
        self.settings.borrow().clone()
    }

    /// A fresh isolate.
    pub fn service(&self) -> Isolate {
        let settings = self.settings.borrow();
        let read = RefCell::new(HashSet::new());
        let config = Config::from_env(&|name| {
            read.borrow_mut().insert(name.to_owned());
            settings.get(name).cloned()
        });
        for name in settings.keys() {
            assert!(
                read.borrow().contains(*name),
                "nothing reads the setting {name}"
            );
        }
        for name in SECRETS {
            let values = settings.get(name).into_iter().flat_map(|v| v.split(','));
            values.for_each(|value| self.canaries.watch(name, value.trim()));
        }
        let config = config.unwrap_or_else(|problems| panic!("{problems:?}"));
        let service = keycap::http::service(App {
            keyring: Rc::new(
                Keyring::new(&config.session_secrets).with_relay(&config.relay_secrets),
            ),
            config: Rc::new(config),
            db: Rc::new(LoggedDatabase(self.db.clone(), Lines(self.log.clone()))),
            kv: Rc::new(self.kv.clone()),
            http: Rc::new(Upstream {
                bend: self.bend.clone(),
                respelt: self.respelt.clone(),
                twist: self.twist.clone(),
                sandbox: self.sandbox.clone(),
                canaries: self.canaries.clone(),
                now_ms: self.now_ms.clone(),
                ahead_ms: self.upstream_ahead_ms.clone(),
                effects: self.effects.clone(),
            }),
            clock: Rc::new(Hands(self.now_ms.clone())),
            random: Rc::new(Seeded(self.seed.clone())),
            signer: Rc::new(Rsa),
            rate_limiter: Rc::new(Counting {
                refusing: self.refusing.clone(),
                rates: self.rates.clone(),
            }),
            log: Rc::new(Lines(self.log.clone())),
            signatures: Rc::new(RsaCrate),
            queued_work: Rc::default(),
            health_cache: Rc::default(),
            google_keys: Rc::default(),
        });
        Isolate {
            service,
            canaries: self.canaries.clone(),
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms.get())
    }

    /// The present time by the upstream clock.
    pub fn upstream_now_ms(&self) -> i64 {
        self.now_ms.get() + self.upstream_ahead_ms.get()
    }

    pub fn pass(&self, secs: i64) {
        self.now_ms.set(self.now_ms.get() + secs * 1000);
    }

    /// Runs a future to its end. Returns `None` if it was cut, or is held, and so waits.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    /// Lets the rehearsal see a step that this world is about to do.
    pub fn rehearse(&self, what: &str, step: Step<'_>) {
        let rehearsal = self.rehearsal.borrow().clone();
        if let Some(rehearsal) = rehearsal {
            rehearsal(self, what, step);
        }
    }

    /// One sweep, as its Cron Trigger starts it. Returns false if it was cut.
    pub fn sweep(&self) -> bool {
        self.sweep_at(self.now())
    }

    pub fn sweep_at(&self, scheduled: Timestamp) -> bool {
        self.rehearse("sweep", &|world| {
            world.sweep_at(scheduled);
            world.runs().pop().unwrap_or_default()
        });
        let service = self.service();
        let run = keycap::jobs::sweep_and_go_on(service.app(), scheduled);
        self.run(run).is_some()
    }

    /// Everything that the ten-minute trigger starts. Returns false if it was cut.
    pub fn tick(&self) -> bool {
        self.rehearse("tick", &|world| {
            let before = world.runs().len();
            world.tick();
            // What went wrong in one of its runs comes first.
            let mut runs = world.runs().split_off(before);
            runs.sort_unstable_by(|one, other| other.cmp(one));
            runs.join(", ")
        });
        let service = self.service();
        let cron = keycap::jobs::EVERY_TEN_MINUTES;
        let run = keycap::jobs::run(service.app(), cron, self.now());
        self.run(run).is_some()
    }

    /// One run of the usage sync, as its Cron Trigger starts it. Returns false if it was cut.
    pub fn sync_usage(&self) -> bool {
        self.rehearse("usage sync", &|world| {
            world.sync_usage();
            world.runs().pop().unwrap_or_default()
        });
        let service = self.service();
        let cron = keycap::jobs::AFTER_MIDNIGHT;
        let run = keycap::jobs::run(service.app(), cron, self.now());
        self.run(run).is_some()
    }

    /// One reconcile run, as its Cron Trigger starts it. Returns false if it was cut.
    pub fn reconcile(&self) -> bool {
        self.rehearse("reconcile", &|world| {
            world.reconcile();
            world.runs().pop().unwrap_or_default()
        });
        let service = self.service();
        let run = keycap::jobs::run(service.app(), keycap::jobs::EVERY_NIGHT, self.now());
        self.run(run).is_some()
    }

    /// One run of offboarding, as its Cron Trigger starts it. Returns false if it was cut.
    pub fn offboard(&self) -> bool {
        self.rehearse("offboarding", &|world| {
            world.offboard();
            world.runs().pop().unwrap_or_default()
        });
        let service = self.service();
        let run = keycap::jobs::offboard::run(service.app(), self.now());
        self.run(run).is_some()
    }

    /// A reconcile run that changes nothing: it continues a dry run that was requested and had not begun.
    pub fn reconcile_dry(&self) -> bool {
        let now = self.now().secs();
        let counts = keycap::store::ops::cursors::ReconcileCounts {
            dry_run: true,
            ..Default::default()
        };
        let cursor = serde_json::json!({ "began": now, "places": null, "position": null, "broken": false, "asked": 0,
            "counts": counts });
        self.db.run(&format!(
            "INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, ended_at, outcome, cursor)
             VALUES ('run_dry', 'reconcile', {now}, {now}, {now}, {now}, 'partial', '{cursor}')"
        ));
        self.reconcile()
    }

    /// The outcome and code of the latest run.
    pub fn last_run(&self) -> String {
        self.runs().pop().expect("a run")
    }

    /// The outcome and code of each run, oldest first.
    fn runs(&self) -> Vec<String> {
        self.db
            .texts("SELECT outcome || COALESCE(' ' || code, '') FROM runs ORDER BY id")
    }

    pub fn add_fault(&self, operation: &str, kind: &str, more: serde_json::Value) {
        let mut fault = serde_json::json!({ "operation": operation, "kind": kind });
        fault
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let fault = sandbox::Fault::from_json(&fault).expect("a fault the sandbox knows");
        self.sandbox.borrow_mut().add_fault(fault);
    }

    pub fn calls(&self, operation: &str) -> u64 {
        let operation = sandbox::Operation::parse(operation).unwrap();
        self.sandbox.borrow().ledger().count(operation)
    }

    /// Upstream keys that work and carry our marker.
    pub fn usable(&self) -> Vec<sandbox::UpstreamKey> {
        let sandbox = self.sandbox.borrow();
        let ours = sandbox.ledger().usable_keys(self.upstream_now_ms());
        ours.filter(|key| key.name.starts_with("keycap/"))
            .cloned()
            .collect()
    }

    /// The public id of the member with this login. A member who has left has an empty login.
    pub fn member(&self, login: &str) -> String {
        let of = format!("SELECT public_id FROM members WHERE login = '{login}'");
        self.db.text(&of)
    }

    /// Blocks this account number.
    pub fn block(&self, subject: &str) {
        self.db.run(&format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('block', 'blk_{subject}', 'blocked', 'test', 1);
             INSERT INTO blocks (provider, subject, since, public_id, change_id)
             VALUES ('github', '{subject}', 1, 'blk_{subject}', 'block')"
        ));
    }

    /// Empties the list of blocks.
    pub fn unblock(&self) {
        self.db.run(
            "INSERT INTO audit (change_id, target, action, actor, at)
             SELECT 'unblock ' || public_id, public_id, 'unblocked', 'test', 1 FROM blocks;
             DELETE FROM blocks",
        );
    }

    /// The states of all generations, oldest first.
    pub fn states(&self) -> Vec<String> {
        self.db.texts("SELECT state FROM generations ORDER BY id")
    }
}

fn settings() -> HashMap<&'static str, String> {
    [
        ("PUBLIC_ORIGIN", ORIGIN.to_owned()),
        (
            "GITHUB_OAUTH_CLIENT_ID",
            sandbox::GITHUB_CLIENT_ID.to_owned(),
        ),
        (
            "GITHUB_OAUTH_CLIENT_SECRET",
            sandbox::GITHUB_CLIENT_SECRET.to_owned(),
        ),
        (
            "OPENROUTER_MANAGEMENT_KEY",
            sandbox::MANAGEMENT_KEY.to_owned(),
        ),
        (
            "AUTH_SESSION_SECRET",
            String::from("native-session-secret-not-for-production"),
        ),
        ("PROJECT_STATUS", String::from("live")),
        ("PROVISIONING_ENABLED", String::from("true")),
        ("MAX_TOTAL_KEYS", String::from("500")),
        ("KEY_LIMIT_USD", String::from("5")),
        ("ADMIN_GITHUB_USER_IDS", String::from("1000001")),
        (
            "SECURITY_CONTACT",
            String::from("mailto:security@keys.example"),
        ),
        (
            "GOOGLE_OAUTH_CLIENT_ID",
            sandbox::GOOGLE_CLIENT_ID.to_owned(),
        ),
        (
            "GOOGLE_OAUTH_CLIENT_SECRET",
            sandbox::GOOGLE_CLIENT_SECRET.to_owned(),
        ),
        ("GOOGLE_ALLOWED_DOMAINS", String::from("company.example")),
        ("ADMIN_EMAILS", String::from("operator@company.example")),
        ("GOOGLE_AUTH_URL", format!("{BASE}/google/o/oauth2/v2/auth")),
        ("GOOGLE_TOKEN_URL", format!("{BASE}/google-oauth/token")),
        (
            "GOOGLE_JWKS_URL",
            format!("{BASE}/google-apis/oauth2/v3/certs"),
        ),
        ("GITHUB_URL", format!("{BASE}/github")),
        ("GITHUB_API_URL", format!("{BASE}/github-api")),
        ("GOOGLE_DIRECTORY_URL", format!("{BASE}/google-admin")),
        ("OPENROUTER_API_URL", format!("{BASE}/openrouter/api/v1")),
        ("OPENROUTER_AUTH_URL", format!("{BASE}/openrouter/auth")),
        (
            "DAYDREAM_AUTH_URL",
            format!("{BASE}/daydream/sign-in/local"),
        ),
        ("DAYDREAM_API_BASE", format!("{BASE}/daydream-api")),
    ]
    .into_iter()
    .collect()
}

struct Hands(Rc<Cell<i64>>);

impl Clock for Hands {
    fn now_ms(&self) -> i64 {
        self.0.get()
    }

    fn pause(&self, ms: u32) -> LocalFuture<'_, ()> {
        self.0.set(self.0.get() + i64::from(ms));
        Box::pin(std::future::ready(()))
    }
}

/// Repeatable randomness: splitmix64 over a counter.
struct Seeded(Rc<Cell<u64>>);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        for chunk in bytes.chunks_mut(8) {
            self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
            let mut z = self.0.get();
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let word = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

/// Counts of requests within one minute, by limit and key.
pub type Rates = BTreeMap<(&'static str, String), u32>;

/// Signs as WebCrypto does.
struct Rsa;

impl Signer for Rsa {
    fn sign_rs256<'a>(
        &'a self,
        pkcs8: &'a [u8],
        message: &'a [u8],
    ) -> LocalFuture<'a, Option<Vec<u8>>> {
        let key = rsa::RsaPrivateKey::from_pkcs8_der(pkcs8).ok();
        let signature = key.map(|key| SigningKey::<Sha256>::new(key).sign(message).to_vec());
        Box::pin(std::future::ready(signature))
    }
}

struct Counting {
    refusing: Rc<RefCell<Vec<Limit>>>,
    rates: Rc<RefCell<Option<Rates>>>,
}

impl RateLimiter for Counting {
    fn allows<'a>(&'a self, limit: Limit, key: &'a str) -> LocalFuture<'a, bool> {
        let mut allowed = !self.refusing.borrow().contains(&limit);
        if let Some(rates) = self.rates.borrow_mut().as_mut() {
            let count = rates.entry((limit.binding(), key.to_owned())).or_default();
            *count += 1;
            allowed &= *count <= a_minute(limit);
        }
        Box::pin(std::future::ready(allowed))
    }
}

/// The number that `wrangler.toml` allows in a minute; in a test the minute does not end.
fn a_minute(limit: Limit) -> u32 {
    let settings = include_str!("../../../wrangler.toml");
    let (_, of_this) = settings
        .split_once(&format!("name = \"{}\"", limit.binding()))
        .unwrap();
    let (_, number) = of_this.split_once("limit = ").unwrap();
    let number: String = number.chars().take_while(char::is_ascii_digit).collect();
    number.parse().unwrap()
}

/// The database, whose errors are logged as the Worker logs those of D1.
struct LoggedDatabase(Sqlite, Lines);

impl Database for LoggedDatabase {
    fn batch(&self, stmts: Vec<Stmt>) -> LocalFuture<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            let result = self.0.batch(stmts.clone()).await;
            if let Err(error) = result {
                let log: &dyn Log = &self.1;
                log.database_failed(&stmts, error, "SQLite");
            }
            result
        })
    }

    fn size_bytes(&self) -> Option<i64> {
        self.0.size_bytes()
    }
}

struct Lines(Rc<RefCell<Vec<String>>>);

impl Log for Lines {
    fn line(&self, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }
}
