//! The console: its pages are there for administrators only, and its overview says what waits for a person.

use keycap::http::routes::{ROUTES, Shows, Who};
use keycap::http::server::message::Body;
use serde_json::{Value, json};

use crate::support::{Browser, TEN_MINUTES, World};

/// The addresses of the console's pages.
fn pages() -> Vec<String> {
    let of_admins = ROUTES
        .iter()
        .filter(|route| route.who == Who::Admin && route.shows == Shows::Document);
    let pages: Vec<String> = of_admins
        .map(|route| {
            let kind = match route.path.split('/').nth(2) {
                Some("runs") => "run",
                Some("bulk-changes") => "blc",
                _ => "mem",
            };
            let id = format!("{kind}_000000000000000000000000");
            route.path.replace("{id}", &id)
        })
        .collect();
    assert!(!pages.is_empty());
    pages
}

#[test]
fn each_page_of_the_console_is_an_unknown_address_to_others_on_every_host() {
    let world = World::new();
    let (member, anybody) = (Browser::signed_in(&world, "member"), Browser::new(&world));
    let operator = Browser::signed_in(&world, "operator");
    let mut cells = 0;
    for page in pages() {
        let unknown = page.replace("admin", "nimda");
        assert_eq!(operator.get(&page).status, 200, "{page}");
        for browser in [&member, &anybody] {
            for method in [
                "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "X",
            ] {
                for host in ["localhost:8787", "keycap.elsewhere.example"] {
                    for accept in ["text/html", "application/json"] {
                        let headers = [
                            ("x-request-id", "same-request-id"),
                            ("accept", accept),
                            ("host", host),
                            ("origin", "http://localhost:8787"),
                        ];
                        let ask = |path: &str| {
                            world.effects.plan(&[]);
                            let is = browser.send(method, path, &headers, Body::Empty);
                            (is.status, is.headers, is.body, world.effects.names())
                        };
                        assert_eq!(ask(&page), ask(&unknown), "{method} {page} at {host}");
                        cells += 1;
                    }
                }
            }
        }
    }
    println!("counted: {cells} requests to the console that learn nothing");
}

#[test]
fn nothing_that_is_public_names_the_console_or_its_files() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let console = operator.get("/admin").body;
    assert!(console.contains("/assets/console.js") && console.contains("/assets/tables.css"));
    for page in ["/", "/keys", "/docs", "/no-such-page"] {
        // Not even to an administrator: the page is the same for everybody.
        let public = operator.get(page).body;
        for word in ["/admin", ">Console<", "console.js", "tables.css"] {
            assert!(!public.contains(word), "{page}: {word}");
        }
    }
    // Each public script, with everything that it loads.
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/pages/scripts");
    for entry in std::fs::read_dir(scripts).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.ends_with("console.js") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for word in ["/admin", "console/"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

fn overview(operator: &Browser<'_>) -> Value {
    let response = operator.get("/api/v1/admin/overview");
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// What waits, in the order in which it is shown.
fn waits(operator: &Browser<'_>) -> Vec<String> {
    let attention = overview(operator)["attention"].clone();
    let items = attention.as_array().unwrap().iter();
    items
        .map(|item| item["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// A deployment whose jobs have just run, with a member who has a key.
fn quiet(world: &World) -> (Browser<'_>, Browser<'_>, String) {
    let operator = Browser::signed_in(world, "operator");
    let member = Browser::signed_in(world, "member");
    let key = member.claim().json()["key"]["id"].clone();
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert!(world.sweep());
    (operator, member, key.as_str().unwrap().to_owned())
}

#[test]
fn the_overview_says_that_nothing_waits_and_how_many_keys_there_are() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(waits(&operator), ["sweep_missing", "comparison_missing"]);
    let (operator, _, key) = quiet(&world);
    assert_eq!(waits(&operator), Vec::<String>::new());
    let is = overview(&operator);
    assert_eq!(
        (&is["keys"]["live"], &is["keys"]["disabled"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(is["runs"].as_array().unwrap().len(), 2);
    let off = operator.patch(&format!("/api/v1/keys/{key}"), r#"{"disabled":true}"#);
    assert_eq!(off.status, 200);
    assert_eq!(overview(&operator)["keys"]["disabled"], 1);
    // Half an hour without a sweep, and then a day without a comparison.
    world.pass(3 * TEN_MINUTES);
    assert_eq!(waits(&operator), ["sweep_missing"]);
    assert!(world.sweep());
    assert_eq!(waits(&operator), Vec::<String>::new());
    world.pass(26 * 3_600);
    assert_eq!(waits(&operator), ["sweep_missing", "comparison_missing"]);
}

#[test]
fn the_overview_lists_what_waits_for_a_person_the_most_urgent_first_and_its_age() {
    let world = World::new();
    let (operator, member, key) = quiet(&world);
    let settings = "/api/v1/admin/settings";
    operator.patch(settings, r#"{"claims":"by_approval"}"#);
    let second = Browser::signed_in(&world, "second");
    let ask = second.post("/api/v1/requests", r#"{"kind":"claim","note":"Hello."}"#);
    assert_eq!(ask.status, 201, "{ask:?}");
    let asked_at = world.now().rfc3339();
    operator.patch(settings, r#"{"minting":"stopped"}"#);
    world.marker_without_row(1);
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "disabled": true }),
    );
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert!(world.sweep());
    assert_eq!(
        waits(&operator),
        [
            "claim_requests",
            "held_upstream",
            "findings",
            "drift",
            "minting_stopped"
        ]
    );
    let is = overview(&operator)["attention"][0].clone();
    assert_eq!((&is["count"], &is["since"]), (&json!(1), &json!(asked_at)));
    // Each is gone once somebody has dealt with it.
    let lift = r#"{"upstream_hold":"lift"}"#;
    assert_eq!(
        operator
            .patch(&format!("/api/v1/admin/keys/{key}"), lift)
            .status,
        200
    );
    let request = &operator.get("/api/v1/admin/requests").json()["requests"][0]["id"];
    let request = format!("/api/v1/admin/requests/{}", request.as_str().unwrap());
    assert_eq!(
        operator.patch(&request, r#"{"state":"approved"}"#).status,
        200
    );
    let finding = &operator.get("/api/v1/admin/findings").json()["findings"][0]["id"];
    let finding = format!("/api/v1/admin/findings/{}", finding.as_str().unwrap());
    assert_eq!(
        operator.patch(&finding, r#"{"acknowledged":true}"#).status,
        200
    );
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert!(world.sweep());
    assert_eq!(waits(&operator), ["minting_stopped"]);
    // A stronger switch takes the place of the weaker one.
    operator.patch(settings, r#"{"keys":"off","confirm":1}"#);
    assert_eq!(waits(&operator), ["all_keys_disabled"]);
    // A key that must not work, and that OpenRouter refuses to disable.
    operator.patch(settings, r#"{"keys":"on"}"#);
    operator.patch(settings, r#"{"minting":"open"}"#);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 0 }),
    );
    world.add_fault(
        "openrouter.keys.delete",
        "error_before",
        json!({ "times": 0 }),
    );
    member.delete(&format!("/api/v1/keys/{key}"));
    let mut sweeps = 0;
    while !waits(&operator).contains(&String::from("keys_stuck")) {
        world.pass(2 * 3_600);
        world.sweep();
        sweeps += 1;
        assert!(sweeps < 20, "{:?}", waits(&operator));
    }
    assert_eq!(waits(&operator)[0], "keys_stuck");
    assert_eq!(overview(&operator)["keys"]["being_removed"], 1);
}
