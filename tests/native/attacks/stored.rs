//! What may be stored or cached: no answer at all. The secret of a key is only in the one answer that made it.

use keycap::http::routes::{ROUTES, Takes};
use keycap::http::server::message::Body;

use super::{Caller, SESSION, cookie_of, ours, request};
use crate::support::browser::CLAIM;
use crate::support::browser::Response;
use crate::support::{Browser, World, oracle};

/// The callers: a name, the persona who signs in, and SQL that changes their standing, as an admin would, before they
/// ask.
const PRINCIPALS: &[(&str, Option<&str>, &str)] = &[
    ("nobody", None, ""),
    ("a member", Some("member"), ""),
    ("an admin", Some("operator"), ""),
    ("a newcomer", Some("newcomer"), ""),
    ("a big id", Some("bigid"), ""),
    (
        "one who is blocked", Some("second"),
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'blk_t', 'blocked', 't', 1);
         INSERT INTO blocks (provider, subject, since, public_id, change_id) VALUES ('github', '1000101', 1, 'blk_t', 't')",
    ),
    (
        "one who is banned", Some("load-7"),
        "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'sessions_ended', 't', 1 FROM members;
         UPDATE members SET status = 'banned', change_id = 't' WHERE login = 'load-7'",
    ),
    (
        "one whose session ended", Some("load-8"),
        "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'sessions_ended', 't', 1 FROM members;
         UPDATE members SET epoch = epoch + 1, change_id = 't' WHERE login = 'load-8'",
    ),
];

/// Headers and body as one text, as someone who stored the answer would have them.
fn whole(response: &Response) -> String {
    let headers = response
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
    format!("{}\n{}", headers.collect::<String>(), response.body)
}

#[test]
fn every_answer_is_no_store_and_a_secret_leaves_only_in_its_201() {
    let mut answers = 0;
    for (who, persona, before) in PRINCIPALS {
        for claims_first in [false, true] {
            let world = World::new();
            let browser = match persona {
                Some(persona) => Browser::signed_in(&world, persona),
                None => Browser::new(&world),
            };
            if !before.is_empty() {
                world.db.run(before);
            }
            let caller = Caller::new(&world);
            let cookie = cookie_of(&browser);
            let mut secrets = Vec::new();
            if claims_first {
                let response = browser.claim();
                secrets.extend(
                    (response.status == 201)
                        .then(|| response.secret())
                        .flatten(),
                );
                assert_eq!(response.header("cache-control"), "no-store, no-transform");
            }
            let mut others = Vec::new();
            for route in ROUTES {
                for method in ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"] {
                    for accept in ["*/*", "text/html"] {
                        for body in [
                            Body::Empty,
                            Body::Bytes(b"{}".to_vec()),
                            Body::Bytes(CLAIM.into()),
                            Body::Bytes(b"{".to_vec()),
                            Body::TooLarge,
                        ] {
                            if route.path.ends_with("sign-out-everywhere")
                                && body == Body::Bytes(b"{}".to_vec())
                            {
                                continue;
                            }
                            let mut headers = ours(cookie.as_bytes()).to_vec();
                            headers.extend([
                                ("accept", accept.as_bytes()),
                                ("if-none-match", b"*"),
                                ("range", b"bytes=0-1"),
                            ]);
                            let response =
                                caller.ask(request(method, route.path, &headers, body).unwrap());
                            for name in ["etag", "last-modified", "expires", "age", "vary"] {
                                assert!(
                                    !response.headers.contains_key(name),
                                    "{who} {method} {}: {name}",
                                    route.path
                                );
                            }
                            assert!(
                                !matches!(response.status, 206 | 304),
                                "{who} {method} {}",
                                route.path
                            );
                            if response.status == 201 {
                                assert_eq!((method, route.path), ("POST", "/api/v1/claim"));
                                assert_eq!(route.takes, Takes::Json(1_024));
                                secrets.push(response.secret().unwrap());
                            } else {
                                others.push(whole(&response));
                            }
                            answers += 1;
                        }
                    }
                }
            }
            let may_claim = ["a member", "an admin", "a big id"].contains(who);
            assert_eq!(
                secrets.len(),
                usize::from(may_claim),
                "{who}: one secret, once"
            );
            let sandbox = world.sandbox.borrow();
            let tokens = sandbox
                .ledger()
                .github_tokens
                .iter()
                .map(|token| token.access_token.clone());
            let session = browser.cookies.borrow().get(SESSION).cloned();
            let hidden: Vec<String> = secrets.into_iter().chain(tokens).chain(session).collect();
            for response in &others {
                assert!(
                    !response.contains("sk-or-v1-0") && !response.contains("gho_"),
                    "{who}: {response}"
                );
                for hidden in &hidden {
                    assert!(!response.contains(hidden), "{who}: {response}");
                }
            }
            drop(sandbox);
            oracle::always(&world);
        }
    }
    println!("counted: {answers} cells of routes, methods and principals");
}

#[test]
fn no_repeated_request_of_any_kind_returns_the_secret_again() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let headers = |key: &'static str| {
        [
            ("origin", "http://localhost:8787"),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ]
    };
    let first = member.send(
        "POST",
        "/api/v1/claim",
        &headers("same"),
        Body::Bytes(CLAIM.into()),
    );
    let secret = first.secret().unwrap();
    assert_eq!(first.status, 201);
    let mut count = 0;
    let mut ask = |browser: &Browser<'_>| {
        let response = [
            browser.send(
                "POST",
                "/api/v1/claim",
                &headers("same"),
                Body::Bytes(CLAIM.into()),
            ),
            browser.send(
                "POST",
                "/api/v1/claim",
                &headers("other"),
                Body::Bytes(CLAIM.into()),
            ),
            browser.send(
                "POST",
                "/api/v1/claim",
                &headers("same"),
                Body::Bytes(b"{ }".to_vec()),
            ),
            browser.claim(),
            browser.get("/api/v1/keys"),
            browser.get("/api/v1/me"),
            browser.get("/keys"),
            browser.send("HEAD", "/api/v1/keys", &[], Body::Empty),
            browser.get("/api/v1/keys?secret=1&reveal=true&include=secret"),
            browser.get("/api/v1/claim"),
        ];
        for response in response {
            assert!(!whole(&response).contains(&secret), "{response:?}");
            assert!(
                response.status != 201 || response.json()["replayed"] == true,
                "{response:?}"
            );
            count += 1;
        }
    };
    ask(&member);
    ask(&member.at_fresh_isolate());
    ask(&Browser::signed_in(&world, "member"));
    ask(&Browser::signed_in(&world, "renamed"));
    world.pass(86_400);
    assert!(world.sweep());
    ask(&member);
    // Another member and an admin do not see this secret either.
    for persona in ["second", "operator"] {
        let other = Browser::signed_in(&world, persona);
        for target in [
            "/api/v1/keys",
            "/api/v1/me",
            "/keys",
            "/",
            "/healthz",
            "/api/v1/admin/openapi.json",
            "/api/v1/admin/settings",
        ] {
            assert!(
                !whole(&other.get(target)).contains(&secret),
                "{persona} {target}"
            );
            count += 1;
        }
    }
    oracle::always(&world);
    println!("counted: {count} ways of asking again");
}
