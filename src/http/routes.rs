//! The route table: every address, who may call it, what it takes, what it answers and which limits it counts against.
//! The router, the API's description and the tests all read this, so a route without an access rule or a limit cannot
//! exist.

use crate::domain::people::identity::Provider;
use crate::http::api::key_answer::KeyAnswer;
use crate::http::api::keys::OneKeyBody;
use crate::http::api::{
    account_data, claim, create_key, devices, handoffs, health, history, keys, leaks, me, notices,
    overview, projects, provider_keys, requests, rotations, usage, workspaces,
};
use crate::http::auth;
use crate::http::pages;
use crate::http::server::body::NoMembers;
use crate::http::server::described::{AFTER, USAGE, empty, file, ok};
pub use crate::http::server::route::{Handler, MEMBER_HEADER, Method, Route, Shows, Takes, Who};
use crate::http::server::route::{
    NOTE, SMALL, data, document, has_security_contact, keys_page, member, of_keys, sign_in,
    terminal,
};
use crate::ports::rate_limit::Limit;
use crate::store::members::exported::ExportPage;

mod admins;

/// Every route.
pub static ROUTES: &[Route] = &joined();

/// The limits of what makes a key or a secret.
const MINTS: &[Limit] = &[Limit::ClaimAddress, Limit::ClaimMember];
/// Everyone's routes but the administrators'.
const OF_EVERYBODY: &[Route] = &[
    document("/", |c| Box::pin(pages::show_landing(c))),
    // These three contain what the API answers to the same member, so they count like its requests.
    document("/keys", |c| Box::pin(pages::show_keys(c)))
        .limited(&[Limit::Api])
        .when(keys_page),
    document("/account", |c| Box::pin(pages::show_account(c)))
        .limited(&[Limit::Api])
        .when(keys_page),
    document("/usage", |c| Box::pin(pages::show_usage(c)))
        .limited(&[Limit::Api])
        .when(keys_page),
    document("/device", |c| Box::pin(pages::show_device(c)))
        .limited(&[Limit::Api])
        .when(keys_page),
    document("/leak", |c| Box::pin(pages::show_leak(c))),
    document("/docs", |c| Box::pin(pages::show_docs(c))),
    document("/.well-known/security.txt", |c| {
        Box::pin(pages::security::show_security_txt(c))
    })
    .when(has_security_contact),
    sign_in("/auth/github", |c| {
        Box::pin(auth::start(c, Provider::GitHub))
    }),
    sign_in("/auth/github/callback", |c| {
        Box::pin(auth::finish(c, Provider::GitHub))
    }),
    sign_in("/auth/google", |c| {
        Box::pin(auth::start(c, Provider::Google))
    }),
    sign_in("/auth/google/callback", |c| {
        Box::pin(auth::finish(c, Provider::Google))
    }),
    sign_in("/auth/relay", |c| Box::pin(auth::relay::finish(c))),
    sign_in("/auth/providers/{slug}/callback", |c| {
        Box::pin(pages::handoff::come_back(c))
    })
    .when(keys_page),
    document("/auth/providers/{slug}/done", |c| {
        Box::pin(pages::handoff::show_done(c))
    })
    .limited(&[Limit::Api])
    .when(keys_page),
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
    of_keys(Method::Get, "/api/v1/me/history", |c| {
        Box::pin(history::of_account(c))
    })
    .query(AFTER)
    .summary("What happened to my account and my keys, newest first")
    .answers(&[ok::<history::HistoryBody>(200)]),
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
    .summary("Disable, enable, rename or group a key of mine; admins may change any key")
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
    of_keys(Method::Get, "/api/v1/keys/{id}/history", |c| {
        Box::pin(history::of_key(c))
    })
    .query(AFTER)
    .summary("What happened to a key of mine, newest first, also after its end")
    .answers(&[ok::<history::HistoryBody>(200)]),
    data(Method::Post, "/api/v1/leaks", |c| {
        Box::pin(leaks::report_leak(c))
    })
    .limited(&[Limit::Start])
    .takes::<leaks::FoundSecretRequest>(SMALL)
    .summary(
        "Report a secret that I found somewhere, by its SHA-256; the answer is always the same",
    )
    .answers(&[ok::<leaks::LeakReceivedBody>(202)]),
    of_keys(Method::Get, "/api/v1/notices", |c| {
        Box::pin(notices::list_notices(c))
    })
    .summary("What I am told until I have read it, the latest first")
    .answers(&[ok::<notices::NoticesBody>(200)]),
    of_keys(Method::Post, "/api/v1/notices/read", |c| {
        Box::pin(notices::mark_read(c))
    })
    .takes::<notices::NoticesReadRequest>(NOTE)
    .summary("Mark notices as read, on all my devices")
    .answers(&[ok::<notices::NoticesBody>(200)]),
    of_keys(Method::Get, "/api/v1/projects", |c| {
        Box::pin(projects::list_projects(c))
    })
    .summary("My projects, with the number of keys in each")
    .answers(&[ok::<projects::ProjectsBody>(200)]),
    of_keys(Method::Post, "/api/v1/projects", |c| {
        Box::pin(projects::create_project(c))
    })
    .takes::<projects::NewProjectRequest>(SMALL)
    .summary("Create a project, or get the one that I have of this name")
    .answers(&[
        ok::<projects::ProjectBody>(200),
        ok::<projects::ProjectBody>(201),
    ]),
    of_keys(Method::Patch, "/api/v1/projects/{id}", |c| {
        Box::pin(projects::change_project(c))
    })
    .takes::<projects::ProjectChangeRequest>(SMALL)
    .summary("Rename a project of mine, archive it, or take it out of the archive")
    .answers(&[ok::<projects::ProjectBody>(200)]),
    of_keys(Method::Get, "/api/v1/workspaces", |c| {
        Box::pin(workspaces::list_workspaces(c))
    })
    .summary("The workspaces in which I may have a key made")
    .answers(&[ok::<workspaces::WorkspacesBody>(200)]),
    of_keys(Method::Get, "/api/v1/providers", |c| {
        Box::pin(handoffs::list_providers(c))
    })
    .summary("The billing providers whose keys I can get with my own account there")
    .answers(&[ok::<handoffs::ProvidersBody>(200)]),
    of_keys(Method::Post, "/api/v1/providers/{slug}/start", |c| {
        Box::pin(handoffs::start(c))
    })
    .limited(MINTS)
    .takes::<NoMembers>(SMALL)
    .summary("Begin a sign-in at a billing provider, in this browser")
    .answers(&[ok::<handoffs::HandoffBegunBody>(201)]),
    of_keys(Method::Get, "/api/v1/handoffs/{id}", |c| {
        Box::pin(handoffs::show(c))
    })
    .summary("How far a sign-in of this browser has come")
    .answers(&[ok::<handoffs::OneHandoffBody>(200)]),
    of_keys(Method::Post, "/api/v1/handoffs/{id}/confirm", |c| {
        Box::pin(handoffs::confirm(c))
    })
    .takes::<handoffs::HandoffCodeRequest>(SMALL)
    .summary("Type the code that is shown after the sign-in; the fifth wrong one ends it")
    .answers(&[ok::<handoffs::OneHandoffBody>(200)]),
    of_keys(Method::Post, "/api/v1/handoffs/{id}/redeem", |c| {
        Box::pin(handoffs::redeem(c))
    })
    .takes::<handoffs::RedeemRequest>(SMALL)
    .summary("Get the key, once; only this answer has the secret. 202 is not yet: ask again")
    .answers(&[
        ok::<handoffs::ProviderKeyAnswer>(201),
        ok::<handoffs::OneHandoffBody>(202),
    ]),
    terminal::<devices::DeviceCodeRequest>("/api/v1/device/code", |c| {
        Box::pin(devices::begin(c))
    })
    .limited(&[Limit::Start])
    .summary("Begin to get a key in a terminal (RFC 8628); a member approves it on the page that is named")
    .answers(&[ok::<devices::DeviceCodesBody>(200)]),
    terminal::<devices::DeviceTokenRequest>("/api/v1/device/token", |c| {
        Box::pin(devices::token(c))
    })
    .limited(&[Limit::ClaimAddress])
    .summary("Ask, as a terminal, for the key that was approved; only this answer has the secret")
    .answers(&[ok::<devices::DeviceTokenBody>(200)]),
    of_keys(Method::Post, "/api/v1/device/lookup", |c| {
        Box::pin(devices::look_up(c))
    })
    .takes::<devices::UserCodeRequest>(SMALL)
    .summary("Which terminal waits with this code")
    .answers(&[ok::<devices::OneDeviceGrantBody>(200)]),
    of_keys(Method::Post, "/api/v1/device/approve", |c| {
        Box::pin(devices::approve(c))
    })
    .limited(MINTS)
    .takes::<devices::DeviceApproveRequest>(SMALL)
    .summary("Let the terminal with this code have my one capped key")
    .answers(&[ok::<devices::OneDeviceGrantBody>(200)]),
    of_keys(Method::Post, "/api/v1/device/deny", |c| {
        Box::pin(devices::deny(c))
    })
    .takes::<devices::UserCodeRequest>(SMALL)
    .summary("Give the terminal with this code no key")
    .answers(&[ok::<devices::OneDeviceGrantBody>(200)]),
    of_keys(Method::Get, "/api/v1/provider-keys", |c| {
        Box::pin(provider_keys::list(c))
    })
    .summary("My keys at billing providers, masked, and sign-ins that may have left one")
    .answers(&[ok::<provider_keys::ProviderKeysBody>(200)]),
    of_keys(Method::Patch, "/api/v1/provider-keys/{id}", |c| {
        Box::pin(provider_keys::change(c))
    })
    .takes::<provider_keys::ProviderKeyRequest>(SMALL)
    .summary("Label or group a key of mine at a billing provider")
    .answers(&[ok::<provider_keys::OneProviderKeyBody>(200)]),
    of_keys(Method::Delete, "/api/v1/provider-keys/{id}", |c| {
        Box::pin(provider_keys::unlink(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Forget a key of mine at a billing provider, where it goes on working")
    .answers(&[empty(204)]),
    of_keys(Method::Get, "/api/v1/usage", |c| {
        Box::pin(usage::show_usage(c))
    })
    .query(USAGE)
    .summary("My usage by UTC day and model; an administrator sees everybody's")
    .answers(&[ok::<usage::UsageBody>(200)]),
    of_keys(Method::Get, "/api/v1/usage.csv", |c| {
        Box::pin(usage::save_usage(c))
    })
    .query(USAGE)
    .summary("The same as a CSV file; refused with `usage_unread` while a day of it is not read completely")
    .answers(&[file(200, usage::CSV)]),
    of_keys(Method::Get, "/api/v1/requests", |c| {
        Box::pin(requests::list_own(c))
    })
    .summary("My latest fifty requests, newest first")
    .answers(&[ok::<requests::RequestsBody>(200)]),
    of_keys(Method::Post, "/api/v1/requests", |c| {
        Box::pin(requests::make_request(c))
    })
    .takes::<requests::NewRequestBody>(NOTE)
    .summary("Ask to be let in, appeal against a rule that refuses me, or ask for a higher limit")
    .answers(&[
        ok::<requests::RequestBody>(200),
        ok::<requests::RequestBody>(201),
    ]),
    of_keys(Method::Delete, "/api/v1/requests/{id}", |c| {
        Box::pin(requests::withdraw_request(c))
    })
    .takes::<NoMembers>(SMALL)
    .summary("Withdraw a request of mine that is not decided")
    .answers(&[ok::<requests::RequestBody>(200)]),
    data(Method::Get, "/healthz", |c| {
        Box::pin(health::show_health(c))
    })
    .summary("Whether the service runs, and what keeps something closed")
    .answers(&[ok::<health::HealthBody>(200)]),
];

/// Everyone's routes, and then the administrators'.
const fn joined() -> [Route; OF_EVERYBODY.len().saturating_add(admins::OF_ADMINS.len())] {
    let nothing = data(Method::Get, "", |c| Box::pin(health::show_health(c)));
    let mut all = [nothing; OF_EVERYBODY.len().saturating_add(admins::OF_ADMINS.len())];
    let (everybodys, administrators) = all.split_at_mut(OF_EVERYBODY.len());
    everybodys.copy_from_slice(OF_EVERYBODY);
    administrators.copy_from_slice(admins::OF_ADMINS);
    all
}
