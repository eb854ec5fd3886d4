//! D1: the only place with SQL. One file for each aggregate, its statements beside the functions that bind them;
//! every statement that returns rows returns one column of JSON.

#![expect(
    non_camel_case_types,
    clippy::upper_case_acronyms,
    reason = "the struct of a statement's parameters has the statement's name"
)]

#[macro_use]
mod sql;
#[macro_use]
mod budget_sql;
#[macro_use]
mod admin_sql;
#[macro_use]
mod figures;
#[macro_use]
pub mod idempotency;
pub mod access;
pub mod budget;
pub mod bulk;
pub mod devices;
pub mod handoffs;
pub mod keys;
pub mod ops;
pub mod usage;

pub mod audit;
pub mod members;
mod parameters;
pub mod query;

use crate::ports::Sql;
use crate::store::access::allotments;
use crate::store::access::quotas;
use crate::store::access::terms;
use crate::store::budget::allowances;
use crate::store::budget::caps;
use crate::store::budget::limits;
use crate::store::budget::over_quota;
use crate::store::budget::payments;
use crate::store::budget::plans;
use crate::store::budget::preferences;
use crate::store::budget::raises;
use crate::store::budget::reach;
use crate::store::bulk::carried;
use crate::store::bulk::frozen;
use crate::store::bulk::progress;
use crate::store::bulk::shown;
use crate::store::devices::asked;
use crate::store::handoffs::begun;
use crate::store::handoffs::linked;
use crate::store::handoffs::providers;
use crate::store::handoffs::settled;
use crate::store::keys::cards;
use crate::store::keys::claims;
use crate::store::keys::ended;
use crate::store::keys::expiries;
use crate::store::keys::generations;
use crate::store::keys::guardrails;
use crate::store::keys::holds;
use crate::store::keys::leaks;
use crate::store::keys::listed;
use crate::store::keys::mints;
use crate::store::keys::missing;
use crate::store::keys::own_keys;
use crate::store::keys::refresh;
use crate::store::keys::retained;
use crate::store::keys::rotations;
use crate::store::keys::strays;
use crate::store::keys::successors;
use crate::store::keys::upstream_holds;
use crate::store::members::blocks;
use crate::store::members::departures;
use crate::store::members::erasure;
use crate::store::members::export;
use crate::store::members::grants;
use crate::store::members::history;
use crate::store::members::limit_requests;
use crate::store::members::notices;
use crate::store::members::offboard;
use crate::store::members::presences;
use crate::store::members::projects;
use crate::store::members::requests;
use crate::store::members::roster;
use crate::store::members::sign_in;
use crate::store::ops::alarms;
use crate::store::ops::closures;
use crate::store::ops::drift;
use crate::store::ops::figures as deployment_figures;
use crate::store::ops::findings;
use crate::store::ops::origin;
use crate::store::ops::overview;
use crate::store::ops::retention;
use crate::store::ops::runs;
use crate::store::ops::settings;
use crate::store::ops::tidy;
use crate::store::ops::trail;
use crate::store::ops::workspaces;
use crate::store::usage::counters;
use crate::store::usage::days;
use crate::store::usage::figures as usage_figures;
use crate::store::usage::months;
use crate::store::usage::panel;

/// Every statement there is, for the test that runs each on SQLite and on D1.
pub fn statements() -> Vec<&'static Sql> {
    [
        alarms::STATEMENTS,
        allotments::STATEMENTS,
        allowances::STATEMENTS,
        audit::STATEMENTS,
        blocks::STATEMENTS,
        caps::STATEMENTS,
        limits::STATEMENTS,
        cards::STATEMENTS,
        carried::STATEMENTS,
        frozen::STATEMENTS,
        progress::STATEMENTS,
        shown::STATEMENTS,
        claims::STATEMENTS,
        ended::STATEMENTS,
        closures::STATEMENTS,
        export::STATEMENTS,
        deployment_figures::STATEMENTS,
        findings::STATEMENTS,
        drift::STATEMENTS,
        expiries::STATEMENTS,
        generations::STATEMENTS,
        guardrails::STATEMENTS,
        history::STATEMENTS,
        holds::STATEMENTS,
        leaks::STATEMENTS,
        limit_requests::STATEMENTS,
        devices::STATEMENTS,
        asked::STATEMENTS,
        handoffs::STATEMENTS,
        begun::STATEMENTS,
        linked::STATEMENTS,
        providers::STATEMENTS,
        settled::STATEMENTS,
        idempotency::STATEMENTS,
        retained::STATEMENTS,
        members::STATEMENTS,
        mints::STATEMENTS,
        missing::STATEMENTS,
        notices::STATEMENTS,
        departures::STATEMENTS,
        erasure::STATEMENTS,
        offboard::STATEMENTS,
        presences::STATEMENTS,
        over_quota::STATEMENTS,
        origin::STATEMENTS,
        overview::STATEMENTS,
        own_keys::STATEMENTS,
        payments::STATEMENTS,
        plans::STATEMENTS,
        preferences::STATEMENTS,
        projects::STATEMENTS,
        quotas::STATEMENTS,
        raises::STATEMENTS,
        reach::STATEMENTS,
        grants::STATEMENTS,
        listed::STATEMENTS,
        requests::STATEMENTS,
        retention::STATEMENTS,
        roster::STATEMENTS,
        rotations::STATEMENTS,
        runs::STATEMENTS,
        settings::STATEMENTS,
        sign_in::STATEMENTS,
        refresh::STATEMENTS,
        strays::STATEMENTS,
        successors::STATEMENTS,
        terms::STATEMENTS,
        tidy::STATEMENTS,
        trail::STATEMENTS,
        workspaces::STATEMENTS,
        upstream_holds::STATEMENTS,
        counters::STATEMENTS,
        days::STATEMENTS,
        usage_figures::STATEMENTS,
        months::STATEMENTS,
        panel::STATEMENTS,
    ]
    .concat()
}
