//! A page that was made for one account must not act for another account that has signed in since, in another tab.

use keycap::http::routes::{MEMBER_HEADER, ROUTES, Route, Takes};
use keycap::http::server::message::Body;
use serde_json::json;

use crate::support::browser::{CLAIM, Response, changes};
use crate::support::world::ORIGIN;
use crate::support::{Browser, World, oracle};

/// Sends a change as our own page does. With `page_of`, it names the member for whom the page was made.
fn change(browser: &Browser<'_>, route: &Route, page_of: Option<&str>) -> Response {
    let mut headers = vec![("origin", ORIGIN), ("content-type", "application/json")];
    // A browser sends an empty header too: then the header is there and names nobody.
    headers.extend(page_of.map(|member| (MEMBER_HEADER, member)));
    let body = match route.takes {
        Takes::Json(_) => Body::Bytes(b"{}".to_vec()),
        Takes::Nothing | Takes::EmptyForm | Takes::Form(_) => Body::Empty,
    };
    let target = route.path.replace("{id}", "key_000000000000000000000000");
    if page_of.is_some() {
        browser.send(route.method.name(), &target, &headers, body)
    } else {
        browser.send_unnamed(route.method.name(), &target, &headers, body)
    }
}

fn changing() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.method.is_unsafe())
}

#[test]
fn a_tab_that_shows_one_account_claims_nothing_for_the_one_that_signed_in_since() {
    let world = World::new();
    let tab = Browser::signed_in(&world, "member");
    let shown = world.member("member");
    // In another tab of the same browser, the second member signs in.
    assert_eq!(tab.post("/auth/logout", "{}").status, 303);
    assert_eq!(tab.sign_in("second").status, 303);
    let before = world.db.dump();
    let headers = [
        ("origin", ORIGIN),
        ("content-type", "application/json"),
        (MEMBER_HEADER, shown.as_str()),
    ];
    let response = tab.send("POST", "/api/v1/claim", &headers, Body::Bytes(CLAIM.into()));
    assert_eq!(
        (response.status, response.code()),
        (409, String::from("account_changed"))
    );
    assert_eq!(response.secret(), None);
    assert_eq!(world.db.dump(), before, "nothing is done for anybody");
    assert_eq!(world.calls("openrouter.keys.create"), 0);
    // The page, loaded anew, belongs to the second member.
    let me = tab.get("/api/v1/me").json();
    assert_eq!(me["member"]["id"], json!(world.member("second")));
    assert_eq!(tab.claim().status, 201);
    oracle::always(&world);
}

#[test]
fn every_change_of_a_session_names_the_member_of_its_page() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let other = Browser::signed_in(&world, "second");
    let other = other.get("/api/v1/me").json()["member"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let before = world.db.dump();
    let mut cells = 0;
    for route in changing().filter(|route| route.names_member()) {
        let what = format!("{} {}", route.method.name(), route.path);
        for (page_of, status, code) in [
            (None, 428, "account_not_named"),
            (Some(other.as_str()), 409, "account_changed"),
            (Some(""), 409, "account_changed"),
            (Some("operator"), 409, "account_changed"),
            (Some("mem_000000000000000000000000"), 409, "account_changed"),
        ] {
            let response = change(&operator, route, page_of);
            assert_eq!(
                (response.status, response.code().as_str()),
                (status, code),
                "{what} {page_of:?}"
            );
            cells += 1;
        }
    }
    assert_eq!(world.db.dump(), before, "no such request changes anything");
    assert!(cells >= 5 * 25, "{cells}");
    oracle::always(&world);
    println!("counted: {cells} cells of changes and the members that they name");
}

#[test]
fn every_change_but_signing_out_of_this_browser_needs_a_session_and_a_name() {
    let unnamed: Vec<&str> = changing()
        .filter(|route| !route.names_member())
        .map(|route| route.path)
        .collect();
    // Anyone reports a leak, with or without a session, and a terminal has none.
    assert_eq!(
        unnamed,
        [
            "/auth/logout",
            "/api/v1/leaks",
            "/api/v1/device/code",
            "/api/v1/device/token"
        ]
    );
    assert!(
        !ROUTES
            .iter()
            .any(|route| route.names_member() && !changes(route.method.name()))
    );
    let world = World::new();
    let anybody = Browser::new(&world);
    for route in changing().filter(|route| route.names_member()) {
        // Without a session no other member can be meant.
        let response = change(&anybody, route, Some("mem_000000000000000000000000"));
        assert!(
            [401, 404].contains(&response.status),
            "{} {response:?}",
            route.path
        );
    }
    // A form without scripts works from a page of any account.
    let member = Browser::signed_in(&world, "member");
    let response = member.send_unnamed("POST", "/auth/logout", &[("origin", ORIGIN)], Body::Empty);
    assert_eq!(response.status, 303);
    assert_eq!(member.get("/api/v1/me").status, 401);
}

#[test]
fn a_console_whose_admin_was_replaced_in_another_tab_learns_that_and_nothing_else() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    Browser::signed_in(&world, "operator");
    let operator = world.member("operator");
    for page_of in [operator.as_str(), "mem_000000000000000000000000"] {
        let ask = |path: &str| {
            let headers = [
                ("origin", ORIGIN),
                ("content-type", "application/json"),
                ("x-request-id", "same-request-id"),
                (MEMBER_HEADER, page_of),
            ];
            member.send("PATCH", path, &headers, Body::Bytes(b"{}".to_vec()))
        };
        let (admin, unknown) = (ask("/api/v1/admin/settings"), ask("/api/v1/admin/nothing"));
        assert_eq!(
            (admin.status, admin.code().as_str()),
            (409, "account_changed")
        );
        assert_eq!(
            (admin.status, &admin.body, &admin.headers),
            (unknown.status, &unknown.body, &unknown.headers)
        );
    }
}
