//! A body that is refused: the answer names the member that is wrong and what it has to be, and repeats nothing of what
//! was sent.

use http::Method;
use keycap::http::routes::{ROUTES, Takes, Who};
use keycap::http::server::message::Body;
use serde_json::{Value, json};

use crate::support::browser::Response;
use crate::support::world::ORIGIN;
use crate::support::{Browser, World};

/// The addresses of the table, with a key and a member that are there.
struct Addresses {
    key: String,
    member: String,
}

impl Addresses {
    fn fill(&self, path: &str) -> String {
        path.replace("{key}", &self.key)
            .replace("{member}", &self.member)
    }
}

fn send(browser: &Browser<'_>, method: &Method, target: &str, body: &Value) -> Response {
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    let body = Body::Bytes(body.to_string().into_bytes());
    browser.send(method.as_str(), target, &headers, body)
}

/// Asserts that exactly this member is named, with these words, in the list and in the sentence.
fn names(response: &Response, pointer: &str, detail: &str) {
    let body = response.json();
    let errors = json!([{ "pointer": pointer, "detail": detail }]);
    assert_eq!(
        (response.status, &body["errors"]),
        (400, &errors),
        "{response:?}"
    );
    let member = pointer.strip_prefix('/').unwrap_or("The body");
    let sentence = format!("Nothing was changed. {member} {detail}.");
    assert_eq!(body["detail"], sentence);
}

#[test]
fn a_refused_body_names_the_member_and_what_it_has_to_be() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let key = operator.claim().json()["key"]["id"].clone();
    let addresses = Addresses {
        key: key.as_str().unwrap().to_owned(),
        member: world.member("operator"),
    };
    let before = world.db.dump();
    let amount = "must be a positive amount in USD, with at most two decimals";
    let subject = "must be the account's number, in digits";
    let days = "must be a number of days from 1 to 365";
    let (post, patch, delete) = (Method::POST, Method::PATCH, Method::DELETE);
    let plan = json!({ "name": "team", "limit_usd": "2", "limit_reset": "daily", "expiry_days": 9, "max_active_keys": 2 });
    let plan_with = |member: &str, value: Value| {
        let mut plan = plan.clone();
        plan[member] = value;
        plan
    };
    let table: Vec<(&Method, &str, Value, &str, &str)> = vec![
        (
            &post,
            "/api/v1/claim",
            json!({ "accept_terms": "1" }),
            "/accept_terms",
            "must be a whole number",
        ),
        (
            &post,
            "/api/v1/claim",
            json!({ "limit": 1_000 }),
            "/limit",
            "is not known here",
        ),
        (&post, "/api/v1/keys", json!({}), "/name", "is required"),
        (
            &post,
            "/api/v1/keys",
            json!({ "name": "n", "limit_usd": 5 }),
            "/limit_usd",
            "must be a text",
        ),
        (
            &post,
            "/api/v1/keys",
            json!({ "name": "n", "limit_usd": "0.001" }),
            "/limit_usd",
            amount,
        ),
        (
            &post,
            "/api/v1/keys",
            json!({ "name": "\u{200b}" }),
            "/name",
            "must have 1 to 64 characters, and at least one that can be seen",
        ),
        (
            &post,
            "/api/v1/keys/{key}/limit",
            json!({}),
            "/limit_usd",
            "is required",
        ),
        (
            &post,
            "/api/v1/keys/{key}/limit",
            json!({ "limit_usd": "-1" }),
            "/limit_usd",
            amount,
        ),
        (
            &post,
            "/api/v1/keys/{key}/limit",
            json!({ "limit_usd": "1000" }),
            "/limit_usd",
            "must not be above what the plan gives",
        ),
        (
            &post,
            "/api/v1/keys/{key}/rotate",
            json!({ "grace_hours": 169 }),
            "/grace_hours",
            "must be a number of hours from 1 to 168",
        ),
        (
            &post,
            "/api/v1/keys/{key}/renew",
            json!({ "grace_hours": 1.5 }),
            "/grace_hours",
            "must be a whole number",
        ),
        (
            &patch,
            "/api/v1/keys/{key}",
            json!({}),
            "",
            "must have at least one of disabled, name and project",
        ),
        (
            &patch,
            "/api/v1/keys/{key}",
            json!({ "disabled": null }),
            "/disabled",
            "must be true or false",
        ),
        (
            &patch,
            "/api/v1/keys/{key}",
            json!({ "disabled": true, "name": null }),
            "/name",
            "must be a text",
        ),
        (
            &post,
            "/api/v1/requests",
            json!({ "kind": "money" }),
            "/kind",
            "must be one of claim, appeal, limit",
        ),
        (
            &post,
            "/api/v1/requests",
            json!({ "kind": "claim", "note": "x".repeat(501) }),
            "/note",
            "must have at most 500 characters",
        ),
        (
            &delete,
            "/api/v1/me",
            json!({ "confirm": "somebody" }),
            "/confirm",
            "must be your own login, exactly as it is shown",
        ),
        (
            &patch,
            "/api/v1/admin/requests/ask_000000000000000000000000",
            json!({ "state": "open" }),
            "/state",
            "must be one of approved, declined",
        ),
        (
            &patch,
            "/api/v1/admin/settings",
            json!({}),
            "",
            "must name exactly one switch",
        ),
        (
            &patch,
            "/api/v1/admin/settings",
            json!({ "minting": "open", "claims": "open" }),
            "",
            "must name exactly one switch",
        ),
        (
            &patch,
            "/api/v1/admin/settings",
            json!({ "minting": "shut" }),
            "/minting",
            "must be one of open, stopped",
        ),
        (
            &patch,
            "/api/v1/admin/settings",
            json!({ "claims": null }),
            "/claims",
            "must be one of open, by_approval",
        ),
        (
            &patch,
            "/api/v1/admin/settings",
            json!({ "keys": "off" }),
            "/confirm",
            "is required for this switch",
        ),
        (
            &patch,
            "/api/v1/admin/settings",
            json!({ "keys": "on", "confirm": 1 }),
            "/confirm",
            "is not for this switch",
        ),
        (
            &patch,
            "/api/v1/admin/settings",
            json!({ "restore": "yes" }),
            "/restore",
            "must be the word accept",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            json!({}),
            "/name",
            "is required",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("name", json!("Team A")),
            "/name",
            "must have 1 to 32 lower-case letters, digits and dashes",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("limit_usd", json!("0")),
            "/limit_usd",
            amount,
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("limit_usd", json!(null)),
            "/limit_usd",
            "is required",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("limit_reset", json!("yearly")),
            "/limit_reset",
            "must be one of daily, weekly, monthly, none",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("limit_reset", json!("none")),
            "/limit_usd",
            "is not for a prepaid plan, whose limit is what was paid",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("expiry_days", json!(366)),
            "/expiry_days",
            days,
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("max_active_keys", json!(null)),
            "/max_active_keys",
            "is required",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("max_active_keys", json!(101)),
            "/max_active_keys",
            "must be a number from 1 to 100",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("margin_percent", json!("100")),
            "/margin_percent",
            "must be a percentage below 100, with at most two decimals",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("workspace_id", json!("nowhere")),
            "/workspace_id",
            "must be a workspace that OpenRouter has in this account",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            plan_with("is_default", json!(true)),
            "/is_default",
            "is not known here",
        ),
        (
            &post,
            "/api/v1/admin/plans",
            json!({ "name": "p", "limit_reset": "none", "expiry_days": 9, "max_active_keys": 2 }),
            "/max_active_keys",
            "must be 1 in a prepaid plan",
        ),
        (
            &patch,
            "/api/v1/admin/plans/pro",
            json!({}),
            "",
            "must have a member to change",
        ),
        (
            &patch,
            "/api/v1/admin/plans/pro",
            json!({ "expiry_days": 0 }),
            "/expiry_days",
            days,
        ),
        (
            &patch,
            "/api/v1/admin/plans/pro",
            json!({ "expiry_days": null }),
            "/expiry_days",
            "must be a whole number",
        ),
        (
            &patch,
            "/api/v1/admin/plans/pro",
            json!({ "is_default": false }),
            "/is_default",
            "must be true: another plan is made the default instead",
        ),
        (
            &patch,
            "/api/v1/admin/plans/prepaid",
            json!({ "limit_usd": "5" }),
            "/limit_usd",
            "must fit the plan, which is prepaid, with one key and no limit of its own, or is not, for good: make another plan",
        ),
        (
            &post,
            "/api/v1/admin/members/{member}/plan",
            json!({ "plan": "nothing" }),
            "/plan",
            "must be the name of a plan",
        ),
        (
            &post,
            "/api/v1/admin/members/{member}/payments",
            json!({ "payment_id": "a b", "amount_usd": "1" }),
            "/payment_id",
            "must have 1 to 128 printable characters",
        ),
        (
            &post,
            "/api/v1/admin/members/{member}/payments",
            json!({ "payment_id": "a", "amount_usd": "free" }),
            "/amount_usd",
            amount,
        ),
        (
            &patch,
            "/api/v1/admin/members/{member}",
            json!({ "status": "left" }),
            "/status",
            "must be one of active, suspended, banned",
        ),
        (
            &patch,
            "/api/v1/admin/keys/{key}",
            json!({ "upstream_hold": "drop" }),
            "/upstream_hold",
            "must be the word lift",
        ),
        (
            &post,
            "/api/v1/admin/keys/{key}/raises",
            json!({ "amount_usd": "1", "until": "yesterday" }),
            "/until",
            "must be a moment to come, as 2027-01-31T00:00:00Z; a raise until midnight ends 22 minutes before it",
        ),
        (
            &post,
            "/api/v1/admin/blocks",
            json!({ "provider": "github" }),
            "",
            "must have either subject or subjects",
        ),
        (
            &post,
            "/api/v1/admin/blocks",
            json!({ "provider": "gitlab", "subject": "1" }),
            "/provider",
            "must be one of github, google",
        ),
        (
            &post,
            "/api/v1/admin/blocks",
            json!({ "provider": "github", "subjects": [] }),
            "/subjects",
            "must be a list of 1 to 500",
        ),
        (
            &post,
            "/api/v1/admin/blocks",
            json!({ "provider": "github", "subjects": ["1", "x"] }),
            "/subjects/1",
            subject,
        ),
        (
            &post,
            "/api/v1/admin/blocks",
            json!({ "provider": "github", "subject": "x" }),
            "/subject",
            subject,
        ),
        (
            &post,
            "/api/v1/admin/allotments",
            json!({ "provider": "github", "subject": "0" }),
            "/subject",
            subject,
        ),
        (
            &post,
            "/api/v1/admin/leaks",
            json!({ "secret_sha256": "ab" }),
            "/secret_sha256",
            "must be the SHA-256 of the whole secret, as 64 lower-case hexadecimal digits",
        ),
        (
            &patch,
            "/api/v1/admin/findings/fnd_000000000000000000000000",
            json!({ "acknowledged": false }),
            "/acknowledged",
            "must be true",
        ),
        (
            &post,
            "/api/v1/admin/jobs/sweep",
            json!({ "dry_run": true }),
            "/dry_run",
            "must be false: this job has no dry run",
        ),
    ];
    for (method, path, body, pointer, detail) in table {
        let response = send(&operator, method, &addresses.fill(path), &body);
        names(&response, pointer, detail);
    }
    assert_eq!(world.db.dump(), before, "nothing changed");
}

#[test]
fn a_refused_body_is_not_repeated_in_the_answer() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let misplaced = "sk-or-v1-misplaced0123456789";
    let members = [
        "name",
        "limit_usd",
        "kind",
        "note",
        "confirm",
        "grace_hours",
        "disabled",
        "state",
        "minting",
        "plan",
        "status",
        "amount_usd",
        "payment_id",
        "provider",
        "subject",
        "secret_sha256",
        "dry_run",
        misplaced,
    ];
    let mut refused = 0;
    for route in ROUTES {
        if !matches!(route.takes, Takes::Json(_)) {
            continue;
        }
        let path = route
            .path
            .replace("{id}", "ask_000000000000000000000000")
            .replace("{slug}", "openrouter");
        for member in members {
            let method = Method::from_bytes(route.method.name().as_bytes()).unwrap();
            let response = send(&operator, &method, &path, &json!({ member: [misplaced] }));
            assert_eq!(response.status, 400, "{path} {member}: {response:?}");
            assert!(!response.body.contains("misplaced"), "{response:?}");
            assert_eq!(response.json()["errors"].as_array().unwrap().len(), 1);
            refused += 1;
        }
    }
    assert!(refused > 500, "{refused}");
    assert!(ROUTES.iter().any(|route| route.who == Who::Admin));
}
