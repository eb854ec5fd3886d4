//! Hostile texts in a path where an id belongs, and in a query. Every text names something of the caller's own or
//! nothing, and nothing changes.

use keycap::http::routes::{Method, ROUTES, Who};
use keycap::http::server::message::Body;

use crate::changes::{CHANGES, begun};
use crate::support::browser::Response;
use crate::support::world::ORIGIN;
use crate::support::{Browser, World, oracle};

/// Texts that are no id, although some router, decoder or SQL statement might treat them as one.
fn hostile_ids(world: &World) -> Vec<String> {
    let mut ids: Vec<String> = [
        "0",
        "1",
        "-1",
        "%00",
        "%20",
        "%25",
        "%2e",
        "%2e%2e",
        "..%2f..%2fadmin",
        "%252e%252e",
        "*",
        "%",
        "_",
        "%5f%5f",
        "null",
        "undefined",
        "NaN",
        "true",
        "[]",
        "{}",
        "{id}",
        "%7Bid%7D",
        "'%20OR%201=1--",
        "';DROP%20TABLE%20keys;--",
        "%27%20OR%20%271%27=%271",
        "\"",
        "%22",
        "`",
        "key_",
        "KEY_000000000000000000000000",
        "key_00000000000000000000000",
        "key-000000000000000000000000",
        "key_0000000000000000000000000",
        "key_00000000000000000000000g",
        "key_000000000000000000000000%00",
        "key_000000000000000000000000%0a",
        "key_000000000000000000000000/",
        "%F0%9F%94%91",
        "%ff",
        "%c0%ae",
        "%EF%BB%BFkey_000000000000000000000000",
        "%3Cscript%3E",
        "javascript:alert(1)",
        "http:%2f%2fevil.example",
        "sk-or-v1-not-a-key",
    ]
    .map(str::to_owned)
    .to_vec();
    ids.push("a".repeat(7_000));
    ids.push("%41".repeat(2_000));
    // Ids of every kind that belong to other people, and identifiers that only OpenRouter and our own tables use.
    for query in [
        "SELECT public_id FROM members",
        "SELECT public_id FROM keys",
        "SELECT public_id FROM generations",
        "SELECT public_id FROM requests",
        "SELECT public_id FROM raises",
        "SELECT change_id FROM audit LIMIT 5",
        "SELECT CAST(id AS TEXT) FROM keys",
        "SELECT upstream_hash FROM generations WHERE upstream_hash IS NOT NULL",
        "SELECT replace(upstream_name, '/', '%2f') FROM generations",
        "SELECT subject FROM members WHERE subject IS NOT NULL",
    ] {
        ids.extend(world.db.texts(query));
    }
    ids
}

/// Sends the request. Returns `None` if no client could send such an address.
fn ask(browser: &Browser<'_>, method: &str, target: &str, body: &str) -> Option<Response> {
    target.parse::<http::Uri>().ok()?;
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    Some(if method == "GET" {
        browser.send("GET", target, &[], Body::Empty)
    } else {
        browser.send(method, target, &headers, Body::Bytes(body.into()))
    })
}

#[test]
fn no_text_in_place_of_an_id_reaches_anything_of_another_member() {
    let (world, _) = begun();
    let ids = hostile_ids(&world);
    assert!(ids.len() >= 60, "{}", ids.len());
    // This member has nothing yet, so everything that is found belongs to somebody else.
    let stranger = Browser::signed_in(&world, "load-9");
    let before = world.db.dump();
    let calls = world.sandbox.borrow().ledger().calls.len();
    let mut cells = 0;
    for change in CHANGES.iter().filter(|change| change.route.contains('{')) {
        for id in &ids {
            let target = change
                .route
                .replace("{id}", id)
                .replace("{name}", id)
                .replace("{slug}", id);
            let Some(response) = ask(&stranger, change.method, &target, change.body) else {
                continue;
            };
            let what = format!("{} {target:.200}: {response:?}", change.method);
            assert!([400, 404, 405, 414].contains(&response.status), "{what}");
            cells += 1;
        }
    }
    assert_eq!(world.db.dump(), before, "nothing was changed");
    let asked = world.sandbox.borrow().ledger().calls.len();
    assert_eq!(asked, calls, "and no upstream was asked");
    println!("counted: {cells} addresses with hostile ids");
}

#[test]
fn an_admin_finds_nothing_under_a_text_that_is_no_id() {
    let (world, people) = begun();
    let before = world.db.dump();
    let no_ids: Vec<String> = hostile_ids(&world)
        .into_iter()
        .filter(|id| {
            !["key_", "mem_", "ask_", "rai_"]
                .iter()
                .any(|kind| id.starts_with(kind))
        })
        .collect();
    let mut cells = 0;
    for change in CHANGES.iter().filter(|change| change.route.contains('{')) {
        if change.route.contains("/jobs/") {
            continue;
        }
        let operator = Browser::with(&world, &people[3]);
        for id in &no_ids {
            let target = change
                .route
                .replace("{id}", id)
                .replace("{name}", id)
                .replace("{slug}", id);
            let Some(response) = ask(&operator, change.method, &target, change.body) else {
                continue;
            };
            let what = format!("{} {target:.200}: {response:?}", change.method);
            assert!([400, 404, 405, 414].contains(&response.status), "{what}");
            cells += 1;
        }
    }
    assert_eq!(world.db.dump(), before, "nothing was changed");
    oracle::always(&world);
    println!("counted: {cells} addresses with hostile ids, asked by an admin");
}

/// Values for every parameter of a query.
const QUERIES: [&str; 22] = [
    "",
    "%",
    "_",
    "%25",
    "*",
    "'",
    "%27%20OR%201=1--",
    "1%3BDROP%20TABLE%20keys",
    "0",
    "-1",
    "1e9",
    "null",
    "%00",
    "%ff",
    "%F0%9F%94%91",
    "a%0Ab",
    "key_000000000000000000000000",
    "mem_000000000000000000000000",
    "[]",
    "{}",
    "active",
    "2026-11-30",
];

#[test]
fn no_query_of_any_list_breaks_it_or_shows_a_member_more_than_their_own() {
    let (world, people) = begun();
    let others: Vec<String> = world.db.texts(
        "SELECT public_id FROM members WHERE login <> 'second' UNION SELECT public_id FROM keys UNION SELECT public_id FROM requests",
    );
    let before = world.db.dump();
    let names = [
        "after", "limit", "offset", "owner", "id", "login", "status", "state", "admin", "_method",
    ];
    let long = "x".repeat(5_000);
    let mut cells = 0_usize;
    let step = if std::env::var("KEYCAP_SCALE").is_ok() {
        1
    } else {
        5
    };
    for route in ROUTES
        .iter()
        .filter(|route| route.method == Method::Get && !route.path.contains('{'))
    {
        for (persona, cookies) in [("second", &people[1]), ("operator", &people[3])] {
            let browser = Browser::with(&world, cookies);
            if route.path.starts_with("/auth/") {
                continue;
            }
            for name in names {
                for value in QUERIES.iter().copied().chain([long.as_str()]) {
                    for query in [
                        format!("{name}={value}"),
                        format!("{name}={value}&{name}=x"),
                    ] {
                        cells += 1;
                        if !cells.is_multiple_of(step) {
                            continue;
                        }
                        let target = format!("{}?{query}", route.path);
                        let Some(response) = ask(&browser, "GET", &target, "") else {
                            continue;
                        };
                        let what = format!("{persona} {target:.200}: {}", response.status);
                        let expected = if route.who == Who::Admin && persona == "second" {
                            vec![404]
                        } else {
                            // A file of usage is refused while a completed day was not read.
                            let unread = response.body.contains("usage_unread");
                            vec![200, 302, 400, 404, if unread { 503 } else { 200 }]
                        };
                        assert!(expected.contains(&response.status), "{what}");
                        if persona == "second" {
                            let found = others.iter().find(|other| response.body.contains(*other));
                            assert_eq!(found, None, "{what}");
                        }
                    }
                }
            }
        }
    }
    assert_eq!(world.db.dump(), before, "looking changes nothing");
    println!("counted: {} lists asked with hostile queries", cells / step);
}
