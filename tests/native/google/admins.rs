//! Admins by the address of a Google account: the address is bound to the first account that signs in under it.

use serde_json::json;

use crate::support::{Browser, World};

const OVERVIEW: &str = "/api/v1/admin/overview";

fn is_admin(browser: &Browser<'_>) -> bool {
    let status = browser.get(OVERVIEW).status;
    let roles = browser.get("/api/v1/me").json()["roles"].clone();
    assert_eq!(
        roles == json!(["member", "admin"]),
        status == 200,
        "{roles}"
    );
    status == 200
}

fn bound(world: &World) -> Vec<String> {
    world
        .db
        .texts("SELECT action FROM audit WHERE action LIKE 'admin_%' ORDER BY id")
}

#[test]
fn the_first_account_under_the_address_is_the_admin_and_the_audit_says_so() {
    let world = World::new();
    let operator = Browser::with_google(&world, "operator");
    assert!(is_admin(&operator));
    assert_eq!(operator.get("/admin").status, 200);
    assert_eq!(bound(&world), ["admin_pinned"]);
    assert!(
        is_admin(&Browser::with_google(&world, "operator")),
        "also the next time"
    );
    assert_eq!(bound(&world), ["admin_pinned"]);
    let stored = world
        .db
        .texts("SELECT email_sha256 || domain FROM admin_pins");
    assert!(
        !stored[0].contains("operator@"),
        "the address itself is not stored: {stored:?}"
    );
    for other in ["employee", "foreign", "consumer"] {
        assert!(!is_admin(&Browser::with_google(&world, other)), "{other}");
    }
}

#[test]
fn another_account_under_the_address_is_no_admin_and_the_console_shows_it() {
    let world = World::new();
    let operator = Browser::with_google(&world, "operator");
    let successor = Browser::with_google(&world, "successor");
    assert!(!is_admin(&successor) && is_admin(&operator));
    assert_eq!(bound(&world), ["admin_pinned", "admin_refused"]);
    let log = world.log.borrow().join("\n");
    assert!(
        log.contains("\"event\":\"admin_address_reused\"") && !log.contains("operator@"),
        "{log}"
    );
    let overview = operator.get(OVERVIEW).json();
    let kinds: Vec<&str> = overview["attention"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["kind"].as_str())
        .collect();
    assert!(kinds.contains(&"admin_addresses_reused"), "{kinds:?}");
}

#[test]
fn the_workspace_of_the_address_has_to_manage_the_account() {
    let world = World::new();
    assert!(
        !is_admin(&Browser::with_google(&world, "lookalike")),
        "it has the address, and no Workspace"
    );
    assert!(bound(&world).is_empty(), "and does not take the address");
    let operator = Browser::with_google(&world, "operator");
    assert!(is_admin(&operator));
    world
        .db
        .run("UPDATE members SET hosted_domain = NULL WHERE login = 'operator@company.example'");
    assert!(!is_admin(&operator), "the account has left the Workspace");
    world.db.run("UPDATE members SET hosted_domain = 'other.example' WHERE login = 'operator@company.example'");
    assert!(!is_admin(&operator));
}

#[test]
fn an_address_that_is_taken_off_the_list_is_no_admins_any_more() {
    let world = World::new();
    let operator = Browser::with_google(&world, "operator");
    world.set("ADMIN_EMAILS", "other@company.example");
    let operator = operator.at_fresh_isolate();
    assert!(!is_admin(&operator));
    world.set(
        "ADMIN_EMAILS",
        "Other@company.example, OPERATOR@Company.example",
    );
    assert!(is_admin(&operator.at_fresh_isolate()));
}

#[test]
fn an_admin_with_google_does_what_an_admin_does_and_cannot_be_banned() {
    let world = World::new();
    let google = Browser::with_google(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let id = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = format!("/api/v1/keys/{}", id.as_str().unwrap());
    assert_eq!(google.patch(&key, r#"{"disabled":true}"#).status, 200);
    assert_eq!(google.get("/api/v1/usage?scope=all").status, 200);
    assert_eq!(google.set_status("member", "suspended").status, 200);
    let github = Browser::signed_in(&world, "operator");
    let refused = github.set_status("operator@company.example", "banned");
    assert_eq!(refused.code(), "member_is_admin");
    let employee = Browser::with_google(&world, "employee");
    assert_eq!(employee.patch(&key, r#"{"disabled":true}"#).status, 404);
}

#[test]
fn an_account_number_of_github_is_no_admins_at_google() {
    let world = World::new();
    world.set("ADMIN_GITHUB_USER_IDS", "110000000000000000");
    world.set("ADMIN_EMAILS", "");
    assert!(!is_admin(&Browser::with_google(&world, "operator")));
}

#[test]
fn an_admin_who_left_and_came_back_is_the_same_admin_and_nobody_else_is_meanwhile() {
    let world = World::new();
    let operator = Browser::with_google(&world, "operator");
    let left = operator.leave("operator@company.example");
    assert!([202, 204].contains(&left.status), "{left:?}");
    assert!(!is_admin(&Browser::with_google(&world, "successor")));
    assert!(is_admin(&Browser::with_google(&world, "operator")));
}
