//! The whole application, natively: real SQLite under the same migrations and statements, the sandbox in the same
//! process, a clock that the tests move, and effects that are cut, failed and lost on purpose.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on fails"
)]

mod support;

mod account;
mod allotments;
mod attacks;
mod attempts;
mod bodies;
mod bulk;
mod bystanders;
mod caps;
mod changes;
mod chunks;
mod claim;
mod closures;
mod conformance;
mod console;
mod console_lists;
mod console_views;
mod counted;
mod cuts;
mod deadlines;
mod description;
mod devices;
mod docs;
mod enabled_workspaces;
mod erasure;
mod explorer;
mod export;
mod faults;
mod former_logins;
mod gates;
mod gone;
mod google;
mod grace;
mod grid;
mod guardrails;
mod guards;
mod handoffs;
mod history;
mod idempotency;
mod key_facts;
mod later_migrations;
mod leaks;
mod leave;
mod limit_requests;
mod limits;
mod logs;
mod luck;
mod members;
mod migrations;
mod mutants;
mod notices;
mod offboarding;
mod orders;
mod other_account;
mod own_keys;
mod pages;
mod pauses;
mod plans;
mod prepaid;
mod projects;
mod quotas;
mod raises;
mod rates;
mod reconcile;
mod refusals;
mod requests;
mod restore;
mod retention;
mod rooms;
mod rotate;
mod routes;
mod runs;
mod safe_methods;
mod schema;
mod seats;
mod sequences;
mod several_keys;
mod sign_in;
mod spend;
mod sweep;
mod switches;
mod terms;
mod texts;
mod tree;
mod upgrades;
mod upstream_holds;
mod usage;
mod workspaces;
