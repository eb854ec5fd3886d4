//! The route table: every address, who may call it, what it takes and which limits it counts against. The router, the
//! OpenAPI description and the tests all read this, so a route without an access rule or a limit cannot exist.

use crate::http::admin::{allotments, blocks, credit, findings, jobs, members, plans, settings};
use crate::http::api::{
    account_data, claim, create_key, health, keys, me, openapi, requests, rotations,
};
use crate::http::auth;
use crate::http::pages;
pub use crate::http::server::route::{Handler, MEMBER_HEADER, Method, Route, Shows, Takes, Who};
use crate::http::server::route::{
    SMALL, admin, always, document, has_security_contact, keys_page, of_keys, sign_in,
};
use crate::ports::rate_limit::Limit;

/// Bytes of a body with a note: 500 characters, each as long as JSON can make it.
const NOTE: usize = 8_192;

pub static ROUTES: &[Route] = &[
    document("/", &[], always, |c| Box::pin(pages::show_landing(c))),
    document("/keys", &[], keys_page, |c| Box::pin(pages::show_keys(c))),
    document("/docs", &[], always, |c| Box::pin(pages::show_docs(c))),
    document(
        "/.well-known/security.txt",
        &[],
        has_security_contact,
        |c| Box::pin(pages::security::show_security_txt(c)),
    ),
    sign_in("/auth/github", |c| Box::pin(auth::start_github(c))),
    sign_in("/auth/github/callback", |c| {
        Box::pin(auth::finish_github(c))
    }),
    Route {
        method: Method::Post,
        path: "/auth/logout",
        who: Who::Anyone,
        takes: Takes::EmptyForm,
        shows: Shows::Document,
        limits: &[],
        when: always,
        summary: None,
        handler: |c| Box::pin(auth::sign_out(c)),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/me",
        who: Who::Member,
        takes: Takes::Nothing,
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: always,
        summary: Some("Who I am, and whether and on what terms I may claim"),
        handler: |c| Box::pin(me::show_me(c)),
    },
    Route {
        method: Method::Post,
        path: "/api/v1/me/sign-out-everywhere",
        who: Who::Member,
        takes: Takes::Json(SMALL),
        shows: Shows::Data,
        // It is counted by address, because a thief of the session must not use up what its owner needs to end it.
        limits: &[Limit::Start],
        when: always,
        summary: Some("End every session of mine, this one included"),
        handler: |c| Box::pin(auth::sign_out_everywhere(c)),
    },
    Route {
        method: Method::Delete,
        path: "/api/v1/me",
        who: Who::Member,
        takes: Takes::Json(SMALL),
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: always,
        summary: Some("Leave: every key of mine ends, and who I am is erased"),
        handler: |c| Box::pin(account_data::leave(c)),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/me/export",
        who: Who::Member,
        takes: Takes::Nothing,
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: always,
        summary: Some("Everything that is stored about me, as a file"),
        handler: |c| Box::pin(account_data::export(c)),
    },
    Route {
        method: Method::Post,
        path: "/api/v1/claim",
        who: Who::Member,
        takes: Takes::Json(SMALL),
        shows: Shows::Data,
        limits: &[Limit::ClaimAddress, Limit::ClaimMember],
        when: keys_page,
        summary: Some("Claim my one capped key; the secret is in this answer and never again"),
        handler: |c| Box::pin(claim::claim_key(c)),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/keys",
        who: Who::Member,
        takes: Takes::Nothing,
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: keys_page,
        summary: Some("My keys"),
        handler: |c| Box::pin(keys::list_keys(c)),
    },
    Route {
        method: Method::Post,
        path: "/api/v1/keys/refresh",
        who: Who::Member,
        takes: Takes::Json(SMALL),
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: keys_page,
        summary: Some("My keys, with their spend read from OpenRouter, at most once a minute"),
        handler: |c| Box::pin(keys::refresh_keys(c)),
    },
    Route {
        method: Method::Patch,
        path: "/api/v1/keys/{id}",
        who: Who::Member,
        takes: Takes::Json(SMALL),
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: keys_page,
        summary: Some("Disable, enable or rename a key of mine; admins may change any key"),
        handler: |c| Box::pin(keys::change_key(c)),
    },
    Route {
        method: Method::Delete,
        path: "/api/v1/keys/{id}",
        who: Who::Member,
        takes: Takes::Json(SMALL),
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: keys_page,
        summary: Some("Remove a key of mine for good; admins may remove any key"),
        handler: |c| Box::pin(keys::end_key(c)),
    },
    of_keys(
        "/api/v1/keys",
        &[Limit::ClaimAddress, Limit::ClaimMember],
        "Make a further key, if my plan allows one; the secret is in this answer and never again",
        |c| Box::pin(create_key::create_key(c)),
    ),
    of_keys(
        "/api/v1/keys/{id}/limit",
        &[Limit::Api],
        "Give a key of mine a lower limit than the plan's, or remove that limit",
        |c| Box::pin(create_key::limit_key(c)),
    ),
    of_keys(
        "/api/v1/keys/{id}/prefer",
        &[Limit::Api],
        "Keep this key of mine enabled if the plan allows fewer keys",
        |c| Box::pin(create_key::prefer_key(c)),
    ),
    of_keys(
        "/api/v1/keys/{id}/rotate",
        &[Limit::ClaimAddress, Limit::ClaimMember],
        "The next secret of a key of mine: the old one ends at once, or works beside it for some hours",
        |c| Box::pin(rotations::rotate_key(c)),
    ),
    of_keys(
        "/api/v1/keys/{id}/leaked",
        &[Limit::Api],
        "Report a key of mine as leaked: its secret is disabled at once and for good, and replaced if possible",
        |c| Box::pin(rotations::report_leak(c)),
    ),
    of_keys(
        "/api/v1/keys/{id}/renew",
        &[Limit::ClaimAddress, Limit::ClaimMember],
        "Renew a key of mine that expires soon: it gets a new lifetime and a new secret",
        |c| Box::pin(rotations::renew_key(c)),
    ),
    Route {
        method: Method::Get,
        path: "/api/v1/requests",
        who: Who::Member,
        takes: Takes::Nothing,
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: keys_page,
        summary: Some("My latest fifty requests, newest first"),
        handler: |c| Box::pin(requests::list_own(c)),
    },
    Route {
        method: Method::Post,
        path: "/api/v1/requests",
        who: Who::Member,
        takes: Takes::Json(NOTE),
        shows: Shows::Data,
        limits: &[Limit::Api],
        when: keys_page,
        summary: Some(
            "Ask an administrator to let me claim, or appeal against a rule that refuses me",
        ),
        handler: |c| Box::pin(requests::make_request(c)),
    },
    admin(Method::Get, "/api/v1/admin/requests", Takes::Nothing, |c| {
        Box::pin(requests::list_requests(c))
    }),
    admin(
        Method::Patch,
        "/api/v1/admin/requests/{id}",
        Takes::Json(NOTE),
        |c| Box::pin(requests::decide_request(c)),
    ),
    admin(Method::Get, "/api/v1/admin/settings", Takes::Nothing, |c| {
        Box::pin(settings::show_settings(c))
    }),
    admin(
        Method::Patch,
        "/api/v1/admin/settings",
        Takes::Json(SMALL),
        |c| Box::pin(settings::change_settings(c)),
    ),
    admin(Method::Get, "/api/v1/admin/plans", Takes::Nothing, |c| {
        Box::pin(plans::list_plans(c))
    }),
    admin(
        Method::Post,
        "/api/v1/admin/plans",
        Takes::Json(SMALL),
        |c| Box::pin(plans::create_plan(c)),
    ),
    admin(
        Method::Patch,
        "/api/v1/admin/plans/{name}",
        Takes::Json(SMALL),
        |c| Box::pin(plans::change_plan(c)),
    ),
    admin(
        Method::Post,
        "/api/v1/admin/members/{id}/plan",
        Takes::Json(SMALL),
        |c| Box::pin(plans::assign_plan(c)),
    ),
    admin(
        Method::Post,
        "/api/v1/admin/members/{id}/payments",
        Takes::Json(SMALL),
        |c| Box::pin(credit::book_payment(c)),
    ),
    admin(
        Method::Patch,
        "/api/v1/admin/keys/{id}",
        Takes::Json(SMALL),
        |c| Box::pin(keys::lift_upstream_hold(c)),
    ),
    admin(
        Method::Post,
        "/api/v1/admin/keys/{id}/raises",
        Takes::Json(SMALL),
        |c| Box::pin(credit::raise_limit(c)),
    ),
    admin(
        Method::Delete,
        "/api/v1/admin/raises/{id}",
        Takes::Json(SMALL),
        |c| Box::pin(credit::end_raise(c)),
    ),
    admin(Method::Get, "/api/v1/admin/members", Takes::Nothing, |c| {
        Box::pin(members::list_members(c))
    }),
    admin(
        Method::Get,
        "/api/v1/admin/members/{id}",
        Takes::Nothing,
        |c| Box::pin(members::show_member(c)),
    ),
    admin(
        Method::Patch,
        "/api/v1/admin/members/{id}",
        Takes::Json(SMALL),
        |c| Box::pin(members::change_member(c)),
    ),
    admin(
        Method::Post,
        "/api/v1/admin/members/{id}/sign-out",
        Takes::Json(SMALL),
        |c| Box::pin(members::sign_member_out(c)),
    ),
    admin(Method::Get, "/api/v1/admin/blocks", Takes::Nothing, |c| {
        Box::pin(blocks::list_blocks(c))
    }),
    admin(
        Method::Post,
        "/api/v1/admin/blocks",
        Takes::Json(crate::http::server::message::MAX_BODY),
        |c| Box::pin(blocks::put_blocks(c)),
    ),
    admin(
        Method::Delete,
        "/api/v1/admin/blocks",
        Takes::Json(SMALL),
        |c| Box::pin(blocks::lift_block(c)),
    ),
    admin(
        Method::Get,
        "/api/v1/admin/allotments",
        Takes::Nothing,
        |c| Box::pin(allotments::list_allotments(c)),
    ),
    admin(
        Method::Post,
        "/api/v1/admin/allotments",
        Takes::Json(SMALL),
        |c| Box::pin(allotments::put_allotment(c)),
    ),
    admin(
        Method::Delete,
        "/api/v1/admin/allotments/{id}",
        Takes::Json(SMALL),
        |c| Box::pin(allotments::withdraw_allotment(c)),
    ),
    admin(
        Method::Post,
        "/api/v1/admin/leaks",
        Takes::Json(SMALL),
        |c| Box::pin(rotations::report_found(c)),
    ),
    admin(Method::Get, "/api/v1/admin/jobs", Takes::Nothing, |c| {
        Box::pin(jobs::list_jobs(c))
    }),
    admin(Method::Get, "/api/v1/admin/findings", Takes::Nothing, |c| {
        Box::pin(findings::list_findings(c))
    }),
    admin(
        Method::Patch,
        "/api/v1/admin/findings/{id}",
        Takes::Json(SMALL),
        |c| Box::pin(findings::acknowledge_finding(c)),
    ),
    admin(
        Method::Post,
        "/api/v1/admin/jobs/{id}",
        Takes::Json(SMALL),
        |c| Box::pin(jobs::start_job(c)),
    ),
    Route {
        method: Method::Get,
        path: "/healthz",
        who: Who::Anyone,
        takes: Takes::Nothing,
        shows: Shows::Data,
        limits: &[],
        when: always,
        summary: Some("Whether the service runs, and which settings keep something closed"),
        handler: |c| Box::pin(health::show_health(c)),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/openapi.json",
        who: Who::Anyone,
        takes: Takes::Nothing,
        shows: Shows::Data,
        limits: &[],
        when: always,
        summary: Some("This description"),
        handler: |c| Box::pin(openapi::show_openapi(c, ROUTES)),
    },
];
