//! `GET /api/v1/admin/overview`: what waits for a person, then how the deployment stands, in one round trip to the
//! database.

use serde::Serialize;

use crate::app::error::Error;
use crate::config::Problem;
use crate::domain::money::NanoUsd;
use crate::domain::money::credit;
use crate::domain::people::departure::UNKNOWN_SECS;
use crate::domain::policy::switches::{
    AccountSwitch, KeysSwitch, Minting, Restore, UpstreamTerms, WorkspaceClosure,
};
use crate::domain::run::{DIRECTORY_MALFORMED, STOP_ASKED};
use crate::domain::time::Timestamp;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::members;
use crate::store::ops::figures::DeploymentFigures;
use crate::store::ops::overview::{
    self, COUNTED, DeploymentFacts, EndedRun, JobFacts, KeyCounts, WaitingCount, WaitingRows,
};
use crate::store::ops::runs::{self, RunReport};
use crate::store::ops::settings::{self, Settings};
use crate::store::query::{read_all, rows_of};

/// What was sent to OpenRouter and is not confirmed after this many seconds is late: the sweep has then tried again.
const LATE_SECS: i64 = 3_600;
/// An administrator's address that another account has used is shown for thirty days.
const REUSED_SECS: i64 = 30 * 86_400;
/// A job is missing if no run has begun for this many seconds: three of its triggers, or a day and two hours.
const SWEEP_MISSING_SECS: i64 = 1_800;
const RECONCILE_MISSING_SECS: i64 = 26 * 3_600;
/// The number of runs that are shown.
const RUNS: usize = 6;

/// What an administrator sees first.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ConsoleOverview {
    /// What waits for a person, the most urgent first. It is empty if nothing waits.
    attention: Vec<AttentionItem>,
    keys: KeyCounts,
    /// The most keys that the deployment may have at a time.
    seats: i64,
    /// A count that reaches this number means "this many, or more".
    counted_up_to: i64,
    settings: Settings,
    /// The settings of the Worker that keep something closed.
    closed_by: Vec<Problem>,
    /// The latest runs, newest first.
    runs: Vec<RunReport>,
    figures: DeploymentFigures,
    /// The largest database that the plan of Cloudflare allows, in bytes.
    database_most_bytes: i64,
    /// When this was read.
    as_of: Timestamp,
}

/// Something that waits for a person.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AttentionItem {
    kind: AttentionKind,
    /// How many there are, where they can be counted.
    count: Option<i64>,
    /// Since when the first of them waits; `null` if that is not known.
    since: Option<Timestamp>,
    /// The run that it is about.
    run: Option<String>,
    /// Why that run failed or stopped.
    code: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum AttentionKind {
    /// The database seems to be older than it was. Claims are closed until an administrator accepts it.
    DatabaseRestored,
    /// The management key belongs to another account.
    ForeignAccount,
    /// OpenRouter refuses to disable keys that must not work any more.
    KeysStuck,
    /// The workspace of the keys is being closed, and OpenRouter has not confirmed it.
    WorkspaceClosing,
    SweepFailed,
    SweepMissing,
    ComparisonFailed,
    ComparisonMissing,
    /// The comparison of members with the directories failed.
    OffboardingFailed,
    /// A directory is configured, and no run has compared members with it.
    OffboardingMissing,
    /// A directory was not believed for a day, so nobody is put out who has left.
    DirectoryUnknown,
    /// Administrators of the configuration are gone, and nothing puts them out but the configuration.
    AdminsGone,
    /// People who are gone wait to be released or rejected.
    DeparturesHeld,
    /// A key was perhaps made, and nobody knows yet.
    MintsUnsure,
    /// A key was to be disabled or enabled, and OpenRouter has not confirmed it for an hour.
    SwitchesLate,
    Appeals,
    ClaimRequests,
    /// Someone outside keycap disabled keys at OpenRouter.
    HeldUpstream,
    /// Someone outside keycap lowered limits at OpenRouter.
    LimitedUpstream,
    /// Another Google account has signed in under the address of an administrator. It did not become one.
    AdminAddressesReused,
    Findings,
    Drift,
    /// The latest run could not read the keys of workspaces.
    WorkspacesUnread,
    AllKeysDisabled,
    MintingStopped,
    UpstreamTermsUnconfirmed,
    SeatsFull,
    /// The credit of the account at OpenRouter is low: below a dollar, or below what three days cost at the pace of the last
    /// seven.
    CreditLow,
    /// The database is larger than four fifths of what the plan of Cloudflare allows.
    DatabaseLarge,
}

impl AttentionKind {
    const fn alone(self, since: Option<Timestamp>) -> AttentionItem {
        AttentionItem {
            kind: self,
            count: None,
            since,
            run: None,
            code: None,
        }
    }

    /// The item, if any waits.
    fn counted(self, waiting: WaitingCount) -> Option<AttentionItem> {
        (waiting.count > 0).then_some(AttentionItem {
            count: Some(waiting.count),
            ..self.alone(waiting.since)
        })
    }
}

/// Answers 200 with the overview.
pub async fn show_overview(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let app = &*context.app;
    let now = app.now();
    let [waiting, keys, facts] = overview::statements(
        now.plus(-LATE_SECS),
        now.plus(-REUSED_SECS),
        now.plus(-UNKNOWN_SECS),
        &app.config.admins_json(),
        now,
    );
    let stmts = vec![waiting, keys, facts, runs::latest(), settings::settings()];
    let (_, rows) = members::signed_in(&*app.db, &session, stmts).await?;
    let of_overview = [rows_of(&rows, 0)?, rows_of(&rows, 1)?, rows_of(&rows, 2)?];
    let (waiting, keys, facts) = overview::read_rows(of_overview)?;
    let settings = settings::read_settings(&rows)?;
    let mut runs: Vec<RunReport> = read_all(rows_of(&rows, 3)?)?;
    runs.truncate(RUNS);
    let database_most = app.config.workers_plan.database_bytes();
    let seats = app.config.terms.max_total_keys;
    let terms_wait = settings.upstream_terms == UpstreamTerms::Unconfirmed
        && !app.config.terms.upstream_terms_waived;
    let mut attention = alarms(&settings, &facts, &waiting);
    let compares = app.config.directory.is_set() || app.config.organization.is_set();
    attention.extend(of_jobs(&facts, compares, now));
    attention.extend(of_rows(&waiting));
    attention.extend(of_switches(&settings, &facts, terms_wait));
    if seats > 0 && keys.live.saturating_add(keys.retained) >= seats {
        attention.push(AttentionKind::SeatsFull.alone(None));
    }
    attention.extend(of_figures(&facts.figures, database_most));
    Reply::json(
        200,
        &ConsoleOverview {
            attention,
            keys,
            seats,
            counted_up_to: COUNTED,
            settings,
            closed_by: app.config.closed_by.clone(),
            runs,
            figures: facts.figures,
            database_most_bytes: database_most,
            as_of: now,
        },
    )
}

fn alarms(
    settings: &Settings,
    facts: &DeploymentFacts,
    waiting: &WaitingRows,
) -> Vec<AttentionItem> {
    let restored = (settings.restore == Restore::Suspected)
        .then(|| AttentionKind::DatabaseRestored.alone(facts.restore_at));
    let foreign = (settings.account == AccountSwitch::Foreign)
        .then(|| AttentionKind::ForeignAccount.alone(facts.account_at));
    let closing = (settings.workspace == Some(WorkspaceClosure::Closing))
        .then(|| AttentionKind::WorkspaceClosing.alone(facts.keys_at));
    let stuck = AttentionKind::KeysStuck.counted(waiting.stuck);
    let all = [restored, foreign, stuck, closing];
    all.into_iter().flatten().collect()
}

/// A job whose latest run failed, or which has not run for too long. A run that ended with work left, or because an
/// administrator asked it to stop, is no failure.
fn of_jobs(facts: &DeploymentFacts, compares: bool, now: Timestamp) -> Vec<AttentionItem> {
    let sweep = of_job(
        &facts.sweep,
        AttentionKind::SweepFailed,
        AttentionKind::SweepMissing,
        now.plus(-SWEEP_MISSING_SECS),
    );
    let comparison = of_job(
        &facts.reconcile,
        AttentionKind::ComparisonFailed,
        AttentionKind::ComparisonMissing,
        now.plus(-RECONCILE_MISSING_SECS),
    );
    // The run itself says why a directory was not believed, and one night of that is no alarm.
    let doubted = |run: &EndedRun| {
        run.code
            .as_deref()
            .is_some_and(|code| code.starts_with("directory_") && code != DIRECTORY_MALFORMED)
    };
    let offboard = JobFacts {
        ended: facts.offboard.ended.clone().filter(|run| !doubted(run)),
        ..facts.offboard.clone()
    };
    let offboarding = of_job(
        &offboard,
        AttentionKind::OffboardingFailed,
        AttentionKind::OffboardingMissing,
        now.plus(-RECONCILE_MISSING_SECS),
    );
    let offboarding = offboarding.into_iter().filter(|_| compares);
    let jobs = sweep.into_iter().chain(comparison).chain(offboarding);
    jobs.flatten().collect()
}

fn of_job(
    is: &JobFacts,
    failed: AttentionKind,
    missing: AttentionKind,
    missing_before: Timestamp,
) -> [Option<AttentionItem>; 2] {
    let has_failed = |run: &&EndedRun| {
        matches!(run.outcome.as_str(), "failed" | "stopped" | "abandoned")
            && run.code.as_deref() != Some(STOP_ASKED)
    };
    let failed = is
        .ended
        .as_ref()
        .filter(has_failed)
        .map(|run| AttentionItem {
            run: Some(run.id.clone()),
            code: run.code.clone(),
            ..failed.alone(Some(run.at))
        });
    let is_missing = is.began_at.is_none_or(|at| at <= missing_before);
    [failed, is_missing.then(|| missing.alone(is.began_at))]
}

fn of_rows(waiting: &WaitingRows) -> Vec<AttentionItem> {
    let all = [
        AttentionKind::DirectoryUnknown.counted(waiting.unknown_directories),
        AttentionKind::AdminsGone.counted(waiting.admins_gone),
        AttentionKind::DeparturesHeld.counted(waiting.departures),
        AttentionKind::AdminAddressesReused.counted(waiting.admin_addresses_reused),
        AttentionKind::MintsUnsure.counted(waiting.unsure_mints),
        AttentionKind::SwitchesLate.counted(waiting.in_flight),
        AttentionKind::Appeals.counted(waiting.appeals),
        AttentionKind::ClaimRequests.counted(waiting.claim_requests),
        AttentionKind::HeldUpstream.counted(waiting.held_upstream),
        AttentionKind::LimitedUpstream.counted(waiting.limited_upstream),
        AttentionKind::Findings.counted(waiting.findings),
        AttentionKind::Drift.counted(waiting.drift),
        AttentionKind::WorkspacesUnread.counted(waiting.unread_workspaces),
    ];
    all.into_iter().flatten().collect()
}

fn of_figures(figures: &DeploymentFigures, database_most: i64) -> Vec<AttentionItem> {
    let is_low = |left: &NanoUsd| credit::is_low(*left, figures.week_usd);
    let low = figures.credit_usd.filter(is_low);
    let is_large = |bytes: &i64| bytes.saturating_mul(5) > database_most.saturating_mul(4);
    let large = figures.database_bytes.filter(is_large);
    let all = [
        low.map(|_| AttentionKind::CreditLow.alone(None)),
        large.map(|_| AttentionKind::DatabaseLarge.alone(None)),
    ];
    all.into_iter().flatten().collect()
}

fn of_switches(
    settings: &Settings,
    facts: &DeploymentFacts,
    terms_wait: bool,
) -> Vec<AttentionItem> {
    let off = (settings.keys == KeysSwitch::Off)
        .then(|| AttentionKind::AllKeysDisabled.alone(facts.keys_at));
    // Disabling every key stops minting too; that is one thing to look at.
    let stopped = (settings.minting == Minting::Stopped && settings.keys == KeysSwitch::On)
        .then(|| AttentionKind::MintingStopped.alone(facts.minting_at.max(facts.keys_at)));
    let terms = terms_wait.then(|| AttentionKind::UpstreamTermsUnconfirmed.alone(None));
    [off, stopped, terms].into_iter().flatten().collect()
}
