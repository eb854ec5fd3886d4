//! The route table: every address, who may call it, what it takes, what it answers and which limits it counts against.
//! The router, the API's description and the tests all read this, so a route without an access rule or a limit cannot
//! exist.

use crate::http::admin::{
    allotments, blocks, credit, description, findings, jobs, members, plans, settings,
};
use crate::http::api::key_answer::KeyAnswer;
use crate::http::api::keys::OneKeyBody;
use crate::http::api::{
    account_data, claim, create_key, health, keys, me, overview, requests, rotations,
};
use crate::http::auth;
use crate::http::pages;
use crate::http::server::body::NoMembers;
use crate::http::server::described::{AFTER, MEMBERS, REQUESTS, empty, ok};
use crate::http::server::message::MAX_BODY;
pub use crate::http::server::route::{Handler, MEMBER_HEADER, Method, Route, Shows, Takes, Who};
use crate::http::server::route::{
    SMALL, admin, data, document, has_security_contact, keys_page, member, of_keys, sign_in,
};
use crate::ports::rate_limit::Limit;
use crate::store::members::exported::ExportPage;
use crate::store::ops::settings::Settings;

/// Bytes of a body with a note: 500 characters, each as long as JSON can make it.
const NOTE: usize = 8_192;
/// The limits of what makes a key or a secret.
const MINTS: &[Limit] = &[Limit::ClaimAddress, Limit::ClaimMember];
pub static ROUTES: &[Route] = &[
    document("/", |c| Box::pin(pages::show_landing(c))),
    document("/keys", |c| Box::pin(pages::show_keys(c))).when(keys_page),
    document("/docs", |c| Box::pin(pages::show_docs(c))),
    document("/.well-known/security.txt", |c| {
        Box::pin(pages::security::show_security_txt(c))
    })
    .when(has_security_contact),
    sign_in("/auth/github", |c| Box::pin(auth::start_github(c))),
    sign_in("/auth/github/callback", |c| {
        Box::pin(auth::finish_github(c))
    }),
    Route {
        method: Method::Post,
        takes: Takes::EmptyForm,
        ..document("/auth/logout", |c| Box::pin(auth::sign_out(c)))
    },
    member(Method::Get, "/api/v1/me", |c| Box::pin(me::show_me(c)))
        .summary("Who I am, and whether and on what terms I may claim")
        .answers(&[ok::<me::MeBody>(200)]),
    of_keys(Method::Get, "/api/v1/me/overview", |c| {
        Box::pin(overview::show_overview(c))
    })
    .summary("Who I am, my keys and my latest requests, in one answer")
    .answers(&[ok::<overview::OverviewBody>(200)]),
    member(Method::Post, "/api/v1/me/sign-out-everywhere", |c| {
        Box::pin(auth::sign_out_everywhere(c))
    })
    // By address: a thief of the session must not use up what its owner needs to end it.
    .limited(&[Limit::Start])
    .takes::<NoMembers>(SMALL)
    .summary("End every session of mine, this one included")
    .answers(&[empty(204)]),
    member(Method::Delete, "/api/v1/me", |c| {
        Box::pin(account_data::leave(c))
    })
    .takes::<account_data::LeaveRequest>(SMALL)
    .summary("Leave: every key of mine ends, and who I am is erased")
    .answers(&[empty(202), empty(204)]),
    member(Method::Get, "/api/v1/me/export", |c| {
        Box::pin(account_data::export(c))
    })
    .query(AFTER)
    .summary("Everything that is stored about me, as a file")
    .answers(&[ok::<ExportPage>(200)]),
    of_keys(Method::Post, "/api/v1/claim", |c| {
        Box::pin(claim::claim_key(c))
    })
    .limited(MINTS)
    .takes::<claim::ClaimRequest>(SMALL)
    .summary("Claim my one capped key; only this answer has the secret")
    .answers(&[ok::<KeyAnswer>(200), ok::<KeyAnswer>(201)]),
    of_keys(Method::Get, "/api/v1/keys", |c| {
        Box::pin(keys::list_keys(c))
    })
    .summary("My keys")
    .answers(&[ok::<keys::KeysBody>(200)]),
    of_keys(Method::Post, "/api/v1/keys/refresh", |c| {
        Box::pin(keys::refresh_keys(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("My keys, with their spend read from OpenRouter, at most once a minute")
    .answers(&[ok::<keys::KeysBody>(200)]),
    of_keys(Method::Patch, "/api/v1/keys/{id}", |c| {
        Box::pin(keys::change_key(c))
    })
    .takes::<keys::KeyChangeRequest>(SMALL)
    .summary("Disable, enable or rename a key of mine; admins may change any key")
    .answers(&[ok::<OneKeyBody>(200), ok::<OneKeyBody>(202)]),
    of_keys(Method::Delete, "/api/v1/keys/{id}", |c| {
        Box::pin(keys::end_key(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Remove a key of mine for good; admins may remove any key")
    .answers(&[ok::<OneKeyBody>(200), ok::<OneKeyBody>(202)]),
    of_keys(Method::Post, "/api/v1/keys", |c| {
        Box::pin(create_key::create_key(c))
    })
    .limited(MINTS)
    .takes::<create_key::CreateKeyRequest>(SMALL)
    .summary("Make a further key, if my plan allows one; only this answer has the secret")
    .answers(&[ok::<KeyAnswer>(200), ok::<KeyAnswer>(201)]),
    of_keys(Method::Post, "/api/v1/keys/{id}/limit", |c| {
        Box::pin(create_key::limit_key(c))
    })
    .takes::<create_key::OwnLimitRequest>(SMALL)
    .summary("Give a key of mine a lower limit than the plan's, or remove that limit")
    .answers(&[ok::<OneKeyBody>(200), ok::<OneKeyBody>(202)]),
    of_keys(Method::Post, "/api/v1/keys/{id}/prefer", |c| {
        Box::pin(create_key::prefer_key(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Keep this key of mine enabled if the plan allows fewer keys")
    .answers(&[ok::<OneKeyBody>(200), ok::<OneKeyBody>(202)]),
    of_keys(Method::Post, "/api/v1/keys/{id}/rotate", |c| {
        Box::pin(rotations::rotate_key(c))
    })
    .limited(MINTS)
    .takes::<rotations::RotateRequest>(SMALL)
    .summary("Give a key of mine its next secret; the old one ends at once, or later")
    .answers(&[
        ok::<KeyAnswer>(200),
        ok::<KeyAnswer>(201),
        ok::<KeyAnswer>(202),
    ]),
    of_keys(Method::Post, "/api/v1/keys/{id}/leaked", |c| {
        Box::pin(rotations::report_leak(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Report a key of mine as leaked: its secret is disabled for good")
    .answers(&[
        ok::<KeyAnswer>(200),
        ok::<KeyAnswer>(201),
        ok::<KeyAnswer>(202),
    ]),
    of_keys(Method::Post, "/api/v1/keys/{id}/renew", |c| {
        Box::pin(rotations::renew_key(c))
    })
    .limited(MINTS)
    .takes::<rotations::RotateRequest>(SMALL)
    .summary("Renew a key of mine that expires soon, with a new lifetime and a new secret")
    .answers(&[
        ok::<KeyAnswer>(200),
        ok::<KeyAnswer>(201),
        ok::<KeyAnswer>(202),
    ]),
    of_keys(Method::Get, "/api/v1/requests", |c| {
        Box::pin(requests::list_own(c))
    })
    .summary("My latest fifty requests, newest first")
    .answers(&[ok::<requests::RequestsBody>(200)]),
    of_keys(Method::Post, "/api/v1/requests", |c| {
        Box::pin(requests::make_request(c))
    })
    .takes::<requests::NewRequestBody>(NOTE)
    .summary("Ask to be let in, or appeal against a rule that refuses me")
    .answers(&[
        ok::<requests::RequestBody>(200),
        ok::<requests::RequestBody>(201),
    ]),
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
    admin(Method::Get, "/api/v1/admin/members", |c| {
        Box::pin(members::list_members(c))
    })
    .query(MEMBERS)
    .summary("Members, newest first")
    .answers(&[ok::<members::MembersPage>(200)]),
    admin(Method::Get, "/api/v1/admin/members/{id}", |c| {
        Box::pin(members::show_member(c))
    })
    .summary("A member with their keys")
    .answers(&[ok::<members::MemberBody>(200)]),
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
    admin(Method::Get, "/api/v1/admin/openapi.json", |c| {
        Box::pin(description::show_description(c))
    })
    .summary("This description")
    .answers(&[ok::<serde_json::Value>(200)]),
    data(Method::Get, "/healthz", |c| {
        Box::pin(health::show_health(c))
    })
    .summary("Whether the service runs, and what keeps something closed")
    .answers(&[ok::<health::HealthBody>(200)]),
];
