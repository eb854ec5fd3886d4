//! Methods, paths and hosts: every request gets the answer of one route, or the answer that there is none.

use std::collections::BTreeSet;

use http::{HeaderValue, Request};
use keycap::http::routes::{Method, ROUTES, Shows, Who};
use keycap::http::server::message::Body;
use keycap::http::server::route::allowed;

use super::{Caller, cookie_of, ours, request};
use crate::support::world::ORIGIN;
use crate::support::{Browser, World, oracle};

const METHODS: &[&str] = &[
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "TRACK",
    "CONNECT",
    "get",
    "Get",
    "post",
    "patch",
    "GETX",
    "GE",
    "PROPFIND",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "SEARCH",
    "PURGE",
    "DEBUG",
    "PRI",
    "X-Y",
    "!#$%&'*+-.^_`|~",
    "0",
    "QUERY",
    "LINK",
];

#[test]
fn every_method_of_a_route_that_the_table_lacks_is_405_and_404_on_admin_routes() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let caller = Caller::new(&world);
    let long = "M".repeat(1_000);
    let paths: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
    let before = world.db.dump();
    let mut count = 0;
    for cookie in [String::new(), cookie_of(&member), cookie_of(&operator)] {
        for path in &paths {
            let at = |name: &str| {
                ROUTES
                    .iter()
                    .find(|r| r.path == *path && r.method.name() == name)
            };
            let admin = ROUTES
                .iter()
                .any(|r| r.path == *path && r.who == Who::Admin);
            for method in METHODS.iter().copied().chain([long.as_str()]) {
                let wanted = if method == "HEAD" { "GET" } else { method };
                if at(wanted).is_some() {
                    continue;
                }
                let headers = ours(cookie.as_bytes());
                let asked = request(method, path, &headers, Body::Bytes(b"{}".to_vec()));
                let response = caller.ask(asked.unwrap());
                let expected = if admin { 404 } else { 405 };
                assert_eq!(response.status, expected, "{method} {path}");
                let allow = if admin {
                    String::new()
                } else {
                    allowed(ROUTES, path)
                };
                assert_eq!(response.header("allow"), allow, "{method} {path}");
                assert!(
                    !response.body.contains(method) || method.len() < 3,
                    "{method} is not repeated"
                );
                count += 1;
            }
        }
    }
    // These headers and fields override the method in some frameworks.
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        for (from, to, path) in [
            ("GET", "POST", "/api/v1/claim"),
            ("POST", "GET", "/api/v1/me"),
            ("POST", "PATCH", "/api/v1/admin/settings"),
        ] {
            let cookie = cookie_of(&operator);
            let mut headers = ours(cookie.as_bytes()).to_vec();
            headers.push((name, to.as_bytes()));
            let asked = request(
                from,
                &format!("{path}?_method={to}"),
                &headers,
                Body::Bytes(b"{\"_method\":\"GET\"}".to_vec()),
            );
            let response = caller.ask(asked.unwrap());
            assert!(matches!(response.status, 404 | 405), "{name} {from} {path}");
            count += 1;
        }
    }
    assert_eq!(world.db.dump(), before);
    oracle::always(&world);
    println!("counted: {count} methods at paths");
}

/// Other ways to write a path, which some router, cache or file system would treat as the same path.
fn bent_paths(path: &str) -> Vec<String> {
    let rest = &path[1..];
    let mut bent = vec![
        format!("{path}/"),
        format!("{path}//"),
        format!("/{path}"),
        format!("//{path}"),
        format!("/./{rest}"),
        format!("/x/../{rest}"),
        format!("/../{rest}"),
        format!("/..;/{rest}"),
        format!("/%2e/{rest}"),
        format!("/%2e%2e/{rest}"),
        format!("/x/%2e%2e/{rest}"),
        format!("/x/..%2f{rest}"),
        format!("{path}/."),
        format!("{path}/.."),
        format!("{path}/x"),
        format!("{path}/x/.."),
        format!("{path};"),
        format!("{path};a=b"),
        format!("{path};.css"),
        format!("{path}.json"),
        format!("{path}.css"),
        format!("{path}/x.css"),
        format!("{path}%00"),
        format!("{path}%00.css"),
        format!("{path}%0a"),
        format!("{path}%0d%0ax:y"),
        format!("{path}%20"),
        format!("{path}%09"),
        format!("{path}+"),
        format!("{path}%2f"),
        format!("{path}%252f"),
        format!("{path}%5c"),
        format!("{path}\\"),
        format!("/%2f{rest}"),
        format!("/%5c{rest}"),
        format!("{path}%3fa=b"),
        format!("{path}%23"),
        format!("{path}&a=b"),
        format!("{path}:"),
        format!("{path}~"),
        format!("{path}%e2%80%8b"),
        format!("{path}%ef%bb%bf"),
        format!("{path}%ff"),
        format!("/%ef%bb%bf{rest}"),
        format!("{path}%c0%ae"),
        format!("{path}%u002f"),
        format!("{path}%"),
        format!("{path}%zz"),
        format!("{path}\u{e9}"),
        format!("{path}/{}", "a".repeat(8_192)),
        format!("{path}{}", "/".repeat(4_096)),
        format!("{path}/{{*rest}}"),
        format!("{path}/{{id}}"),
        format!("{path}*"),
        path.to_uppercase(),
        path.replace('/', "//"),
        path.replace('/', "%2f"),
        path.replace('/', "\\"),
        path.replace('/', "/./"),
        path.replace("keys", "Keys"),
        path.replace("api", "API"),
        path.replace("v1", "v01"),
        path.replace("v1", "v2"),
        path.replace('e', "%65"),
        path.replace('k', "%E2%84%AA"),
        path.replace('s', "%C5%BF"),
        path.replace('a', "%ef%bd%81"),
        path.replace('e', "%C3%A9"),
    ];
    for (at, letter) in path.char_indices().skip(1) {
        let (before, after) = (&path[..at], &path[at + 1..]);
        bent.push(format!("{before}%{:02x}{after}", u32::from(letter)));
        bent.push(format!("{before}%25{:02x}{after}", u32::from(letter)));
        bent.push(format!("{before}{after}"));
    }
    bent
}

#[test]
fn a_path_matches_a_route_only_exactly_as_the_table_has_it() {
    let world = World::new();
    // The operator may call every route.
    let operator = Browser::signed_in(&world, "operator");
    let cookie = cookie_of(&operator);
    let caller = Caller::new(&world);
    let paths: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
    let before = world.db.dump();
    let (mut count, mut impossible) = (0, 0);
    for path in &paths {
        for bent in bent_paths(path) {
            let asked_for = bent.split(['?', '#']).next().unwrap();
            if paths.contains(asked_for) || asked_for.is_empty() {
                continue;
            }
            for (method, body) in [
                ("GET", Body::Empty),
                ("POST", Body::Bytes(b"{}".to_vec())),
                ("PATCH", Body::Bytes(b"{\"minting\":\"stopped\"}".to_vec())),
            ] {
                let headers = ours(cookie.as_bytes());
                let Some(asked) = request(method, &bent, &headers, body) else {
                    impossible += 1;
                    continue;
                };
                let response = caller.ask(asked);
                // One part of these paths may be an id, and the body is checked before the id.
                let words: Vec<&str> = asked_for.split('/').skip(1).collect();
                // The callback of a billing provider leads to a page, whatever the word for the provider is.
                if let ("GET", ["auth", "providers", word, "callback" | "done"]) =
                    (method, words.as_slice())
                    && !word.is_empty()
                {
                    let to = response.header("location");
                    let leads_away = to == "/auth/providers/unknown/done?error=state";
                    assert!(leads_away || to.is_empty(), "{bent}: {to}");
                    count += 1;
                    continue;
                }
                let looks_first = match (method, words.as_slice()) {
                    (
                        "PATCH",
                        ["api", "v1", "keys" | "projects" | "provider-keys", word]
                        | [
                            "api",
                            "v1",
                            "admin",
                            "plans" | "members" | "keys" | "findings" | "providers",
                            word,
                        ],
                    )
                    | (
                        "POST",
                        ["api", "v1", "keys", word, "limit"]
                        | ["api", "v1", "handoffs", word, "confirm"]
                        | ["api", "v1", "admin", "keys", word, "raises"]
                        | ["api", "v1", "admin", "members", word, "plan" | "payments"]
                        | ["api", "v1", "admin", "jobs", word]
                        | ["api", "v1", "admin", "bulk-changes", word, "start"],
                    ) => !word.is_empty(),
                    _ => false,
                };
                let expected = if looks_first {
                    (400, "malformed_json")
                } else {
                    (404, "not_found")
                };
                let is = (response.status, response.code());
                assert_eq!((is.0, is.1.as_str()), expected, "{method} {bent}");
                assert_eq!(response.header("set-cookie"), "", "{bent}");
                count += 1;
            }
        }
    }
    assert_eq!(
        world.db.dump(),
        before,
        "none of them was anybody's handler"
    );
    assert_eq!(world.calls("openrouter.keys.create"), 0);
    oracle::always(&world);
    println!("counted: {count} path payloads");
    println!("not applicable: {impossible} path payloads that cannot be sent");
}

const AUTHORITIES: &[&str] = &[
    "evil.example",
    "evil.example:8787",
    "evil.example:80",
    "localhost",
    "localhost:80",
    "localhost:8788",
    "localhost:08787",
    "localhost:8787.evil.example",
    "localhost.evil.example:8787",
    "localhost.:8787",
    "127.0.0.1:8787",
    "[::1]:8787",
    "0.0.0.0:8787",
    "evil@localhost:8787",
    "localhost:8787@evil.example",
    "user:pass@localhost:8787",
    "xn--evil-9za.example",
    "evil.example:65535",
    "LOCALHOST:8787",
    "LocalHost:8787",
    "localhost:8787",
    "a.localhost:8787",
    "localhost_8787",
    "-",
    "127.1:8787",
    "[::ffff:127.0.0.1]:8787",
];

const HOSTS: [&[u8]; 24] = [
    b"evil.example",
    b"evil.example:8787",
    b"",
    b" ",
    b"localhost",
    b"localhost:8787 ",
    b"localhost:8787, evil.example",
    b"evil.example, localhost:8787",
    b"localhost:8787/evil",
    b"localhost:8787?evil",
    b"localhost:8787#evil",
    b"localhost:8787\\evil",
    b"localhost:8787@evil.example",
    b"http://evil.example",
    b"evil.example\t",
    b"\xff\xfe",
    b"ev\xc3\xadl.example",
    b"\"evil\"",
    b"<script>evil</script>",
    b"localhost:8787;evil",
    b"*",
    b"..",
    b"//evil.example",
    b"LOCALHOST:8787",
];

/// Headers that proxies add and that some frameworks trust.
const PROXIES: &[(&str, &str)] = &[
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "evil"),
    ("x-forwarded-port", "1"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-server", "evil.example"),
    ("forwarded", "host=evil.example;proto=https"),
    ("x-host", "evil.example"),
    ("x-original-host", "evil.example"),
    ("x-original-url", "/api/v1/admin/settings?evil"),
    ("x-rewrite-url", "/api/v1/admin/settings?evil"),
    ("x-real-host", "evil.example"),
    ("x-http-host-override", "evil.example"),
    ("via", "1.1 evil.example"),
    ("referer", "https://evil.example/"),
];

/// Sends a request for any address, and checks that none of the caller's words is in the answer.
fn keeps_to_itself(caller: &Caller<'_>, path: &str, asked: Request<Body>, what: &str) {
    let response = caller.ask(asked);
    let location = response.header("location");
    let to_us = location == format!("{ORIGIN}{path}") || location.starts_with("/?auth_error=");
    let to_github = location.starts_with("http://127.0.0.1:8790/github/login/oauth/authorize?")
        && location
            .contains("redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fauth%2Fgithub%2Fcallback&");
    assert!(
        location.is_empty() || to_us || to_github,
        "{what}: {location}"
    );
    assert!(!response.body.to_lowercase().contains("evil"), "{what}");
    for (name, value) in &response.headers {
        assert!(
            !value.to_str().unwrap().to_lowercase().contains("evil"),
            "{what}: {name}"
        );
    }
    if response.status == 302 && to_us {
        assert!(!response.headers.contains_key("set-cookie"), "{what}");
    }
}

#[test]
fn no_answer_contains_a_host_that_the_caller_sent() {
    let world = World::new();
    let caller = Caller::new(&world);
    let documents: Vec<&str> = ROUTES
        .iter()
        .filter(|route| route.shows == Shows::Document && route.method == Method::Get)
        .map(|route| route.path)
        .collect();
    let mut count = 0;
    for path in &documents {
        for scheme in ["http", "https", "ftp", "evil"] {
            for authority in AUTHORITIES {
                let uri = format!("{scheme}://{authority}{path}?next=keys&code=evil&state=evil");
                let Ok(asked) = Request::builder().uri(&uri).body(Body::Empty) else {
                    continue;
                };
                keeps_to_itself(&caller, path, asked, &uri);
                count += 1;
            }
        }
        for host in HOSTS {
            for accept in ["*/*", "text/html"] {
                let asked = Request::builder()
                    .uri(*path)
                    .header("host", HeaderValue::from_bytes(host).unwrap())
                    .header("accept", accept)
                    .body(Body::Empty)
                    .unwrap();
                keeps_to_itself(&caller, path, asked, &format!("{path} at {host:?}"));
                count += 1;
            }
        }
        for (name, value) in PROXIES {
            let asked = request("GET", path, &[(name, value.as_bytes())], Body::Empty).unwrap();
            keeps_to_itself(&caller, path, asked, &format!("{path} with {name}"));
            count += 1;
        }
    }
    // JSON is served on every host that the platform routes here, and names no host but our own.
    for path in ["/healthz", "/api/v1/me", "/nothing"] {
        for authority in AUTHORITIES {
            let Ok(asked) = Request::builder()
                .uri(format!("http://{authority}{path}"))
                .body(Body::Empty)
            else {
                continue;
            };
            keeps_to_itself(&caller, path, asked, authority);
            count += 1;
        }
    }
    oracle::always(&world);
    println!("counted: {count} hosts");
}
