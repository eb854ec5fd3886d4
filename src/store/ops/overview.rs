//! What the administrators' overview counts. Each count ends at [`COUNTED`], so that the overview reads as few rows with
//! 100,000 keys as with ten.

use serde::Serialize;

use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::ops::figures::{DeploymentFigures, deployment_figures, pace_days};
use crate::store::query::read;

/// Nothing is counted beyond this number: a count that reaches it means "this many, or more".
pub const COUNTED: i64 = 1_000;

/// How many rows `$rows` has, each with the moment `at` since when it waits, and the earliest of them. The statement
/// declares `:counted`.
macro_rules! waiting {
    ($rows:expr) => {
        concat!(
            "json((SELECT json_object('count', COUNT(*), 'since', MIN(w.at)) FROM (",
            $rows,
            " LIMIT :counted) w))"
        )
    };
}

/// When a switch of the settings last changed by `$action`.
macro_rules! switched_at {
    ($action:literal) => {
        concat!(
            "(SELECT a.at FROM audit a WHERE a.target = 'settings' AND a.action = '",
            $action,
            "' ORDER BY a.id DESC LIMIT 1)"
        )
    };
}

/// The latest run of the job `$job` that has ended, and the latest that began.
macro_rules! run_facts {
    ($job:literal) => {
        concat!(
            "json_object('began_at', (SELECT r.started_at FROM runs r WHERE r.job = '", $job, "' ORDER BY r.id DESC LIMIT 1),
            'ended', json((SELECT json_object('id', r.public_id, 'outcome', r.outcome, 'code', r.code, 'at', r.ended_at)
              FROM runs r WHERE r.job = '", $job, "' AND r.ended_at IS NOT NULL ORDER BY r.id DESC LIMIT 1)))"
        )
    };
}

statements! {
    // A generation waits since its newest audit row; a change that is in flight, since it was sent.
    WAITING {
        counted: i64, late_before: Timestamp, reused_after: Timestamp, unknown_before: Timestamp, admins: String,
    } = concat!("SELECT json_object(
          'stuck', ", waiting!("SELECT (SELECT a.at FROM audit a WHERE a.target = g.public_id ORDER BY a.id DESC LIMIT 1) AS at
            FROM generations g WHERE g.unsettled = 1 AND g.state = 'stuck'"), ",
          'unsure_mints', ", waiting!("SELECT g.created_at AS at
            FROM generations g WHERE g.unsettled = 1 AND g.state = 'verifying' AND g.created_at < :late_before"), ",
          'in_flight', ", waiting!("SELECT g.switch_doubted_at AS at
            FROM generations g WHERE g.switch_doubted_at < :late_before"), ",
          'held_upstream', ", waiting!("SELECT h.since AS at FROM holds h WHERE h.reason = 'upstream'"), ",
          'limited_upstream', ", waiting!("SELECT NULL AS at FROM keys k WHERE k.upstream_limit_nano IS NOT NULL"), ",
          'findings', ", waiting!("SELECT f.first_seen_at AS at
            FROM (SELECT * FROM findings ORDER BY id DESC LIMIT :counted) f WHERE f.acknowledged_at IS NULL"), ",
          'admin_addresses_reused', ", waiting!("SELECT p.refused_at AS at FROM admin_pins p WHERE p.refused_at > :reused_after"), ",
          'departures', ", waiting!("SELECT l.made_at AS at FROM departure_lists l JOIN departures d ON d.list_id = l.id
            WHERE l.state = 'held'"), ",
          'admins_gone', ", waiting!("SELECT g.since AS at FROM departing g WHERE g.owner_id IN (SELECT x.owner_id
            FROM admin_names x WHERE x.name IN (SELECT value FROM json_each(:admins)))"), ",
          'unknown_directories', ", waiting!("SELECT d.unknown_since AS at FROM directories d
            WHERE d.unknown_since <= :unknown_before"), ",
          'drift', ", waiting!("SELECT d.first_seen_at AS at FROM drift d"), ",
          'unread_workspaces', ", waiting!("SELECT u.since AS at FROM unread_workspaces u"), ",
          'claim_requests', ", waiting!("SELECT q.created_at AS at
            FROM (SELECT * FROM requests WHERE state = 'open' ORDER BY id LIMIT :counted) q WHERE q.kind = 'claim'"), ",
          'appeals', ", waiting!("SELECT q.created_at AS at
            FROM (SELECT * FROM requests WHERE state = 'open' ORDER BY id LIMIT :counted) q WHERE q.kind = 'appeal'"), ")");

    KEYS { counted: i64 } = "SELECT json_object('live', s.live, 'retained', s.retained,
          'being_made', (SELECT COUNT(*) FROM (SELECT 1 FROM generations g
            WHERE g.unsettled = 1 AND g.state IN ('minting', 'verifying') LIMIT :counted)),
          'disabled', (SELECT COUNT(*) FROM (SELECT 1 FROM generations g WHERE g.state = 'disabled' LIMIT :counted)),
          'to_disable', (SELECT COUNT(*) FROM (SELECT 1 FROM generations g
            WHERE g.held = 1 AND g.state IN ('active', 'disabled') AND (g.state = 'active' OR g.switch_doubted_at IS NOT NULL)
            LIMIT :counted)),
          'being_removed', (SELECT COUNT(*) FROM (SELECT 1 FROM generations g
            WHERE g.unsettled = 1 AND g.state IN ('revoking', 'stuck') LIMIT :counted)))
        FROM seats s";

    FACTS { pace_from: i64, today: i64 } = concat!("SELECT json_object('figures', json(", deployment_figures!(), "), 'minting_at', ", switched_at!("minting_switched"), ",
          'keys_at', ", switched_at!("keys_switched"), ", 'restore_at', ", switched_at!("restore_suspected"), ",
          'account_at', ", switched_at!("account_lost"), ",
          'sweep', ", run_facts!("sweep"), ", 'reconcile', ", run_facts!("reconcile"), ", 'offboard', ", run_facts!("offboard"), ")");
}

from_json! {
    /// How many wait, at most [`COUNTED`], and the moment since when the first one does.
    #[derive(Clone, Copy, Debug)]
    pub struct WaitingCount {
        pub count: i64,
        pub since: Option<Timestamp>,
    }
}

from_json! {
    /// What waits for a person, or for OpenRouter longer than it should.
    #[derive(Clone, Debug)]
    pub struct WaitingRows {
        /// Keys to remove that OpenRouter has refused to disable.
        pub stuck: WaitingCount,
        /// Mints whose outcome is unknown.
        pub unsure_mints: WaitingCount,
        /// Switches that were sent and not confirmed.
        pub in_flight: WaitingCount,
        /// Keys that someone outside keycap disabled, and those whose limit they lowered.
        pub held_upstream: WaitingCount,
        pub limited_upstream: WaitingCount,
        /// Findings that nobody has acknowledged.
        pub findings: WaitingCount,
        /// Addresses of admins under which another account has signed in lately.
        pub admin_addresses_reused: WaitingCount,
        /// The people of held lists.
        pub departures: WaitingCount,
        /// Administrators of the configuration whom a directory found gone. The job does not put them out.
        pub admins_gone: WaitingCount,
        /// Directories that were not believed for a day.
        pub unknown_directories: WaitingCount,
        pub drift: WaitingCount,
        /// Workspaces whose keys the latest run could not read.
        pub unread_workspaces: WaitingCount,
        pub claim_requests: WaitingCount,
        pub appeals: WaitingCount,
    }
}

from_json! {
    /// How many keys there are. Every count but the first two ends at [`COUNTED`].
    #[derive(Clone, Copy, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct KeyCounts {
        /// Keys that work, are disabled, are being made or are being removed. Each has a seat.
        pub live: i64,
        /// Seats of keys that have ended, which stay taken until the window is over in which those keys spent something.
        pub retained: i64,
        pub being_made: i64,
        pub disabled: i64,
        /// Keys that are to be disabled, as far as OpenRouter has not confirmed it.
        pub to_disable: i64,
        pub being_removed: i64,
    }
}

from_json! {
    /// When each switch was last changed, the figures of the whole deployment, and the jobs' latest runs.
    #[derive(Clone, Debug)]
    pub struct DeploymentFacts {
        pub minting_at: Option<Timestamp>,
        pub keys_at: Option<Timestamp>,
        pub restore_at: Option<Timestamp>,
        pub account_at: Option<Timestamp>,
        pub figures: DeploymentFigures,
        pub sweep: JobFacts,
        pub reconcile: JobFacts,
        pub offboard: JobFacts,
    }
}

from_json! {
    #[derive(Clone, Debug)]
    pub struct JobFacts {
        pub began_at: Option<Timestamp>,
        pub ended: Option<EndedRun>,
    }
}

from_json! {
    /// The latest run of a job that has ended.
    #[derive(Clone, Debug)]
    pub struct EndedRun {
        pub id: String,
        pub outcome: String,
        pub code: Option<String>,
        pub at: Timestamp,
    }
}

/// The statements that read the overview. Nothing counts as late that was sent after `late_before`, an admin's address
/// counts as reused if that was after `reused_after`, and no directory as unknown that was believed after `unknown_before`.
/// `admins` are the names of the administrators in the configuration, as a JSON list. The pace of spending is that of the days before `now`.
pub fn statements(
    late_before: Timestamp,
    reused_after: Timestamp,
    unknown_before: Timestamp,
    admins: &str,
    now: Timestamp,
) -> [Stmt; 3] {
    let (pace_from, today) = pace_days(now);
    [
        stmt!(WAITING {
            counted: COUNTED,
            late_before,
            reused_after,
            unknown_before,
            admins,
        }),
        stmt!(KEYS { counted: COUNTED }),
        stmt!(FACTS { pace_from, today }),
    ]
}

/// Returns what the rows of [`statements`] say.
pub fn read_rows(rows: [&Rows; 3]) -> Result<(WaitingRows, KeyCounts, DeploymentFacts), DbError> {
    let [waiting, keys, facts] = rows.map(|rows| rows.first().ok_or(DbError::Broken));
    Ok((read(waiting?)?, read(keys?)?, read(facts?)?))
}
