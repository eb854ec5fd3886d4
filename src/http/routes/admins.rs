//! The administrators' part of the route table: the pages of the console, and the API behind them.

use crate::http::admin::{
    allotments, audit, blocks, bulk, credit, departures, description, findings, jobs,
    keys as everybodys_keys, members, overview, plan_reach, plans, providers, settings, workspaces,
};
use crate::http::api::key_answer::KeyAnswer;
use crate::http::api::keys::OneKeyBody;
use crate::http::api::{keys, requests, rotations};
use crate::http::pages::console;
use crate::http::server::body::NoMembers;
use crate::http::server::described::{AFTER, AUDIT, KEYS, MEMBERS, REACH, REQUESTS, empty, ok};
use crate::http::server::message::MAX_BODY;
use crate::http::server::route::{Method, NOTE, Route, SMALL, admin, admin_document};
use crate::store::ops::settings::Settings;

/// A page of the console.
const fn page(path: &'static str) -> Route {
    admin_document(path, |c| Box::pin(console::show_console(c)))
}

pub(super) const OF_ADMINS: &[Route] = &[
    page("/admin"),
    page("/admin/members"),
    page("/admin/members/{id}"),
    page("/admin/keys"),
    page("/admin/requests"),
    page("/admin/switches"),
    page("/admin/runs"),
    page("/admin/runs/{id}"),
    page("/admin/plans"),
    page("/admin/workspaces"),
    page("/admin/providers"),
    page("/admin/blocks"),
    page("/admin/allotments"),
    page("/admin/audit"),
    page("/admin/departures"),
    page("/admin/bulk-changes"),
    page("/admin/bulk-changes/{id}"),
    admin(Method::Get, "/api/v1/admin/overview", |c| {
        Box::pin(overview::show_overview(c))
    })
    .summary("What waits for a person, and how the deployment stands")
    .answers(&[ok::<overview::ConsoleOverview>(200)]),
    admin(Method::Get, "/api/v1/admin/keys", |c| {
        Box::pin(everybodys_keys::list_keys(c))
    })
    .query(KEYS)
    .summary("Everybody's keys, in a list with filters, or found by what is known of one")
    .answers(&[ok::<everybodys_keys::ListedKeysPage>(200)]),
    admin(Method::Get, "/api/v1/admin/audit", |c| {
        Box::pin(audit::show_audit(c))
    })
    .query(AUDIT)
    .summary("Every change, newest first")
    .answers(&[ok::<audit::AuditPage>(200)]),
    admin(Method::Get, "/api/v1/admin/requests", |c| {
        Box::pin(requests::list_requests(c))
    })
    .query(REQUESTS)
    .summary("Requests of members in one state, oldest first")
    .answers(&[ok::<requests::RequestsPage>(200)]),
    admin(Method::Patch, "/api/v1/admin/requests/{id}", |c| {
        Box::pin(requests::decide_request(c))
    })
    .takes::<requests::DecisionRequest>(NOTE)
    .summary("Approve or decline a request")
    .answers(&[ok::<requests::DecidedBody>(200)]),
    admin(Method::Get, "/api/v1/admin/settings", |c| {
        Box::pin(settings::show_settings(c))
    })
    .summary("The switches of the deployment")
    .answers(&[ok::<Settings>(200)]),
    admin(Method::Patch, "/api/v1/admin/settings", |c| {
        Box::pin(settings::change_settings(c))
    })
    .takes::<settings::SettingsRequest>(SMALL)
    .summary("Change one switch")
    .answers(&[ok::<Settings>(200)]),
    admin(Method::Get, "/api/v1/admin/plans", |c| {
        Box::pin(plans::list_plans(c))
    })
    .query(AFTER)
    .summary("Plans, oldest first")
    .answers(&[ok::<plans::PlansPage>(200)]),
    admin(Method::Get, "/api/v1/admin/plans/{name}/reach", |c| {
        Box::pin(plan_reach::show_reach(c))
    })
    .query(REACH)
    .summary("Whom a change of a plan would reach")
    .answers(&[ok::<plan_reach::PlanReachBody>(200)]),
    admin(Method::Post, "/api/v1/admin/plans", |c| {
        Box::pin(plans::create_plan(c))
    })
    .takes::<plans::NewPlanRequest>(SMALL)
    .summary("Make a plan")
    .answers(&[ok::<plans::PlanBody>(201)]),
    admin(Method::Patch, "/api/v1/admin/plans/{name}", |c| {
        Box::pin(plans::change_plan(c))
    })
    .takes::<plans::PlanRequest>(SMALL)
    .summary("Change a plan; the keys under it follow")
    .answers(&[ok::<plans::PlanBody>(200)]),
    admin(Method::Get, "/api/v1/admin/providers", |c| {
        Box::pin(providers::list_providers(c))
    })
    .summary("The billing providers, in their order")
    .answers(&[ok::<providers::ProviderRowsBody>(200)]),
    admin(Method::Patch, "/api/v1/admin/providers/{slug}", |c| {
        Box::pin(providers::change_provider(c))
    })
    .takes::<providers::ProviderRequest>(SMALL)
    .summary("Enable or disable a billing provider, move it, or change what members read about it")
    .answers(&[ok::<providers::ProviderRowBody>(200)]),
    admin(Method::Post, "/api/v1/admin/members/{id}/plan", |c| {
        Box::pin(plans::assign_plan(c))
    })
    .takes::<plans::AssignmentRequest>(SMALL)
    .summary("Give a member another plan; their keys follow")
    .answers(&[ok::<plans::AssignedBody>(200)]),
    admin(Method::Post, "/api/v1/admin/members/{id}/payments", |c| {
        Box::pin(credit::book_payment(c))
    })
    .takes::<credit::PaymentRequest>(SMALL)
    .summary("Book a payment of a member whose plan is prepaid, once")
    .answers(&[
        ok::<credit::PaymentBody>(200),
        ok::<credit::PaymentBody>(201),
    ]),
    admin(Method::Patch, "/api/v1/admin/keys/{id}", |c| {
        Box::pin(keys::lift_upstream_hold(c))
    })
    .takes::<keys::UpstreamHoldRequest>(SMALL)
    .summary("Lift what someone outside keycap did to a key at OpenRouter")
    .answers(&[ok::<OneKeyBody>(200), ok::<OneKeyBody>(202)]),
    admin(Method::Post, "/api/v1/admin/keys/{id}/raises", |c| {
        Box::pin(credit::raise_limit(c))
    })
    .takes::<credit::RaiseRequest>(SMALL)
    .summary("Raise a key's limit, for a time or for good")
    .answers(&[ok::<credit::RaisedBody>(201)]),
    admin(Method::Delete, "/api/v1/admin/raises/{id}", |c| {
        Box::pin(credit::end_raise(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("End a raise")
    .answers(&[ok::<credit::RaiseEndedBody>(202), empty(204)]),
    admin(Method::Get, "/api/v1/admin/workspaces", |c| {
        Box::pin(workspaces::list_workspaces(c))
    })
    .summary("The workspaces of the account, with whether keys may be made in them")
    .answers(&[ok::<workspaces::AccountWorkspacesBody>(200)]),
    admin(Method::Put, "/api/v1/admin/workspaces", |c| {
        Box::pin(workspaces::choose_workspaces(c))
    })
    .takes::<workspaces::WorkspacesRequest>(NOTE)
    .summary("Choose in which workspaces keys may be made, all at once")
    .answers(&[ok::<workspaces::AccountWorkspacesBody>(200)]),
    admin(Method::Get, "/api/v1/admin/members", |c| {
        Box::pin(members::list_members(c))
    })
    .query(MEMBERS)
    .summary("Members, newest first")
    .answers(&[ok::<members::MembersPage>(200)]),
    admin(Method::Get, "/api/v1/admin/members/{id}", |c| {
        Box::pin(members::show_member(c))
    })
    .summary("A member with their keys, what they were granted and what they asked for")
    .answers(&[ok::<members::MemberPage>(200)]),
    admin(Method::Patch, "/api/v1/admin/members/{id}", |c| {
        Box::pin(members::change_member(c))
    })
    .takes::<members::StatusRequest>(SMALL)
    .summary("Suspend, ban or reinstate a member")
    .answers(&[
        ok::<members::MemberBody>(200),
        ok::<members::MemberBody>(202),
    ]),
    admin(Method::Post, "/api/v1/admin/members/{id}/sign-out", |c| {
        Box::pin(members::sign_member_out(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("End every session of a member")
    .answers(&[empty(204)]),
    admin(Method::Get, "/api/v1/admin/blocks", |c| {
        Box::pin(blocks::list_blocks(c))
    })
    .query(AFTER)
    .summary("People who may not claim")
    .answers(&[ok::<blocks::BlocksPage>(200)]),
    admin(Method::Post, "/api/v1/admin/blocks", |c| {
        Box::pin(blocks::put_blocks(c))
    })
    .takes::<blocks::BlockRequest>(MAX_BODY)
    .summary("Block people, up to 500 at a time")
    .answers(&[ok::<blocks::AddedBody>(200)]),
    admin(Method::Delete, "/api/v1/admin/blocks", |c| {
        Box::pin(blocks::lift_block(c))
    })
    .takes::<blocks::UnblockRequest>(SMALL)
    .summary("Lift a block")
    .answers(&[empty(204)]),
    admin(Method::Get, "/api/v1/admin/allotments", |c| {
        Box::pin(allotments::list_allotments(c))
    })
    .query(AFTER)
    .summary("People whom administrators let claim")
    .answers(&[ok::<allotments::AllotmentsPage>(200)]),
    admin(Method::Post, "/api/v1/admin/allotments", |c| {
        Box::pin(allotments::put_allotment(c))
    })
    .takes::<allotments::AllotmentRequest>(SMALL)
    .summary("Let a person claim")
    .answers(&[
        ok::<allotments::AllotmentBody>(200),
        ok::<allotments::AllotmentBody>(201),
    ]),
    admin(Method::Delete, "/api/v1/admin/allotments/{id}", |c| {
        Box::pin(allotments::withdraw_allotment(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Withdraw an allotment")
    .answers(&[empty(204)]),
    admin(Method::Post, "/api/v1/admin/leaks", |c| {
        Box::pin(rotations::report_found(c))
    })
    .takes::<rotations::LeakReport>(SMALL)
    .summary("Report a secret that was found somewhere, by its SHA-256")
    .answers(&[
        ok::<KeyAnswer>(200),
        ok::<KeyAnswer>(201),
        ok::<KeyAnswer>(202),
    ]),
    admin(Method::Get, "/api/v1/admin/jobs", |c| {
        Box::pin(jobs::list_jobs(c))
    })
    .summary("What the jobs did and found")
    .answers(&[ok::<jobs::JobsBody>(200)]),
    admin(Method::Get, "/api/v1/admin/findings", |c| {
        Box::pin(findings::list_findings(c))
    })
    .query(AFTER)
    .summary("Keys at OpenRouter with our marker and without a row, newest first")
    .answers(&[ok::<findings::FindingsPage>(200)]),
    admin(Method::Patch, "/api/v1/admin/findings/{id}", |c| {
        Box::pin(findings::acknowledge_finding(c))
    })
    .takes::<findings::AcknowledgeRequest>(SMALL)
    .summary("Acknowledge a finding")
    .answers(&[ok::<findings::FindingBody>(200)]),
    admin(Method::Post, "/api/v1/admin/jobs/{id}", |c| {
        Box::pin(jobs::start_job(c))
    })
    .takes::<jobs::RunRequest>(SMALL)
    .summary("Start a run of a job")
    .answers(&[ok::<jobs::BegunBody>(202)]),
    admin(Method::Get, "/api/v1/admin/runs/{id}", |c| {
        Box::pin(jobs::show_run(c))
    })
    .summary("The report of a run, which grows while the run works")
    .answers(&[ok::<jobs::RunBody>(200)]),
    admin(Method::Post, "/api/v1/admin/runs/{id}/stop", |c| {
        Box::pin(jobs::stop_run(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Stop a run before its next chunk of work")
    .answers(&[ok::<jobs::RunBody>(200), ok::<jobs::RunBody>(202)]),
    admin(Method::Get, "/api/v1/admin/departures", |c| {
        Box::pin(departures::list_departures(c))
    })
    .summary("What the directories say, and the lists of people who are gone")
    .answers(&[ok::<departures::DeparturesBody>(200)]),
    admin(Method::Post, "/api/v1/admin/departures/{id}/release", |c| {
        Box::pin(departures::release_departures(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Release a held list: exactly its people are put out")
    .answers(&[ok::<departures::DepartureListBody>(202)]),
    admin(Method::Post, "/api/v1/admin/departures/{id}/reject", |c| {
        Box::pin(departures::reject_departures(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Reject a held list: nothing happens to its people")
    .answers(&[ok::<departures::DepartureListBody>(200)]),
    admin(Method::Get, "/api/v1/admin/bulk-changes", |c| {
        Box::pin(bulk::list_bulk(c))
    })
    .summary("Changes of many keys or members at once, newest first")
    .answers(&[ok::<bulk::BulkChangesBody>(200)]),
    admin(Method::Post, "/api/v1/admin/bulk-changes", |c| {
        Box::pin(bulk::select(c))
    })
    .takes::<bulk::BulkRequest>(MAX_BODY)
    .summary("Freeze what is selected, and see what a change would do to each of it")
    .answers(&[ok::<bulk::BulkBody>(201)]),
    admin(Method::Get, "/api/v1/admin/bulk-changes/{id}", |c| {
        Box::pin(bulk::show_bulk(c))
    })
    .query(AFTER)
    .summary("What a bulk change does to each of its targets, and how far it has come")
    .answers(&[ok::<bulk::BulkBody>(200)]),
    admin(Method::Post, "/api/v1/admin/bulk-changes/{id}/start", |c| {
        Box::pin(bulk::start_bulk(c))
    })
    .takes::<bulk::BulkStartRequest>(SMALL)
    .summary("Start what was shown, or go on with what was stopped")
    .answers(&[ok::<bulk::BulkBody>(202)]),
    admin(Method::Post, "/api/v1/admin/bulk-changes/{id}/stop", |c| {
        Box::pin(bulk::stop_bulk(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Stop a bulk change before its next chunk")
    .answers(&[ok::<bulk::BulkBody>(200)]),
    admin(Method::Get, "/api/v1/admin/openapi.json", |c| {
        Box::pin(description::show_description(c))
    })
    .summary("This description")
    .answers(&[ok::<serde_json::Value>(200)]),
];
