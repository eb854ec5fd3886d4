//! Every route of the table: who may call it, what it refuses, and which headers it answers.

use http::header::HeaderMap;
use keycap::http::routes::{Method, ROUTES, Shows, Takes, Who};
use keycap::http::server::headers::{NO_STORE, SECURITY};
use keycap::http::server::message::Body;
use keycap::http::server::message::MAX_BODY;
use keycap::ports::rate_limit::Limit;

use crate::support::{Browser, World};

const ORIGIN: &str = "http://localhost:8787";

fn carries_security_headers(headers: &HeaderMap, what: &str) {
    for (name, value) in SECURITY.into_iter().chain([NO_STORE]) {
        assert_eq!(headers.get(name).unwrap(), value, "{what}: {name}");
    }
    assert!(headers.contains_key("x-request-id"), "{what}");
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[test]
fn every_answer_of_every_route_carries_the_security_headers_and_is_not_stored() {
    let world = World::new();
    let anybody = Browser::new(&world);
    let member = Browser::signed_in(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    for browser in [&anybody, &member, &operator] {
        for route in ROUTES {
            for method in [
                "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "X",
            ] {
                let response = browser.send(method, route.path, &[], Body::Empty);
                carries_security_headers(&response.headers, &format!("{method} {}", route.path));
                assert!(method != "HEAD" || response.body.is_empty());
            }
        }
        for unknown in [
            "/nothing",
            "/nimda",
            "/api/v1/",
            "/api/v1/admin/nothing",
            "/%00",
            "//keys",
            "/keys/",
        ] {
            let response = browser.get(unknown);
            carries_security_headers(&response.headers, unknown);
            assert_eq!(response.status, 404, "{unknown}");
        }
    }
}

#[test]
fn static_files_carry_the_same_security_headers() {
    let file = include_str!("../../public/_headers");
    let every_file = file.split("\n\n").next().unwrap();
    let stated: Vec<(&str, &str)> = every_file
        .lines()
        .filter(|line| line.starts_with("  "))
        .map(|line| line.trim().split_once(": ").unwrap())
        .collect();
    assert_eq!(stated, SECURITY);
}

#[test]
fn each_route_lets_in_exactly_whom_the_table_names() {
    let world = World::new();
    let anybody = Browser::new(&world);
    let member = Browser::signed_in(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    for route in ROUTES {
        let ask = |browser: &Browser<'_>| {
            let headers: &[(&str, &str)] = match route.shows {
                Shows::OAuth => &[FORM],
                _ if route.method.is_unsafe() => {
                    &[("origin", ORIGIN), ("content-type", "application/json")]
                }
                _ => &[],
            };
            let body = match route.takes {
                // Anyone may report a leak, and has to name what was found.
                Takes::Json(_) if route.path == "/api/v1/leaks" => {
                    Body::Bytes(format!(r#"{{"sha256":"{}"}}"#, "0".repeat(64)).into())
                }
                Takes::Json(_) => Body::Bytes(b"{}".to_vec()),
                // A terminal names itself. There is no grant of which it could ask for the key.
                Takes::Form(_) => Body::Bytes(b"client_id=terminal".to_vec()),
                Takes::Nothing | Takes::EmptyForm => Body::Empty,
            };
            // The id of the member, or an id that does not exist.
            let id = if route.path.contains("/members/") {
                world
                    .db
                    .text("SELECT public_id FROM members WHERE login = 'member'")
            } else {
                String::from("ask_000000000000000000000000")
            };
            let target = route
                .path
                .replace("{id}", &id)
                .replace("{slug}", "openrouter");
            browser
                .send(route.method.name(), &target, headers, body)
                .status
        };
        let statuses = (ask(&anybody), ask(&member), ask(&operator));
        let what = format!("{} {}: {statuses:?}", route.method.name(), route.path);
        match route.who {
            Who::Anyone if route.path.ends_with("/token") => assert_eq!(statuses.0, 400, "{what}"),
            Who::Anyone => assert!(statuses.0 < 400, "{what}"),
            Who::Member => {
                assert_eq!(statuses.0, 401, "{what}");
                // An id that does not belong to the member is unknown.
                let by_id = route.path.contains("{id}");
                assert!(statuses.1 != 401 && (statuses.1 != 404 || by_id), "{what}");
            }
            Who::Admin => {
                assert_eq!((statuses.0, statuses.1), (404, 404), "{what}");
                let by_id = route.path.contains('{');
                assert!(
                    [200, 204, 400].contains(&statuses.2) || (by_id && statuses.2 == 404),
                    "{what}"
                );
            }
        }
        if ["sign-out-everywhere", "logout", "sign-out"]
            .iter()
            .any(|end| route.path.ends_with(end))
        {
            // The call has ended the sessions.
            member.sign_in("member");
            operator.sign_in("operator");
        }
    }
    println!(
        "counted: {} cells of routes and principals",
        ROUTES.len() * 3
    );
}

#[test]
fn an_admin_route_answers_others_exactly_like_an_unknown_one() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let anybody = Browser::new(&world);
    let id = ("x-request-id", "same-request-id");
    for browser in [&member, &anybody] {
        for method in ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"] {
            let headers = [id, ("origin", ORIGIN), ("content-type", "application/json")];
            let body = || match method {
                "POST" | "PATCH" | "PUT" => Body::Bytes(b"{}".to_vec()),
                _ => Body::Empty,
            };
            world.effects.plan(&[]);
            let admin = browser.send(method, "/api/v1/admin/settings", &headers, body());
            let effects = world.effects.count();
            world.effects.plan(&[]);
            let unknown = browser.send(method, "/api/v1/admin/nothing", &headers, body());
            assert_eq!(admin.status, 404, "{method}");
            assert_eq!(
                (admin.status, &admin.body, &admin.headers),
                (unknown.status, &unknown.body, &unknown.headers)
            );
            assert_eq!(
                effects,
                world.effects.count(),
                "{method}: as many round trips"
            );
        }
    }
}

#[test]
fn nobody_but_an_admin_learns_of_the_console() {
    let world = World::new();
    let (member, anybody) = (Browser::signed_in(&world, "member"), Browser::new(&world));
    let headers = [("x-request-id", "same-request-id"), ("accept", "text/html")];
    for browser in [&member, &anybody] {
        for method in ["GET", "HEAD", "POST"] {
            let ask = |path: &str| {
                world.effects.plan(&[]);
                let response = browser.send(method, path, &headers, Body::Empty);
                (
                    response.status,
                    response.headers,
                    response.body,
                    world.effects.names(),
                )
            };
            for (page, unknown) in [
                ("/admin", "/nimda"),
                ("/admin/", "/nimda/"),
                ("/admin/keys", "/nimda/keys"),
            ] {
                let (is, not_there) = (ask(page), ask(unknown));
                assert_eq!(is, not_there, "{method} {page}");
                assert!(is.0 == 404 || method == "POST", "{method} {page}: {}", is.0);
            }
        }
    }
}

#[test]
fn no_request_can_give_its_caller_an_admins_rights() {
    let world = World::new();
    let (member, other) = (
        Browser::signed_in(&world, "member"),
        Browser::signed_in(&world, "second"),
    );
    assert_eq!(other.claim().status, 201);
    for query in ["?admin=true", "?admin=1", "?owner=1000101&admin=true"] {
        let response = member.get(&format!("/api/v1/keys{query}"));
        assert!(
            response.status != 200 || response.json()["keys"] == serde_json::json!([]),
            "{response:?}"
        );
        assert_eq!(
            member.get(&format!("/api/v1/admin/members{query}")).status,
            404
        );
    }
}

#[test]
fn the_checks_before_an_admin_route_reveal_nothing() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let id = ("x-request-id", "same-request-id");
    for accept in ["*/*", "text/html"] {
        let headers = [id, ("accept", accept)];
        let admin = member.send("GET", "/api/v1/admin/settings", &headers, Body::Empty);
        let unknown = member.send("GET", "/api/v1/admin/nothing", &headers, Body::Empty);
        assert_eq!((admin.status, &admin.body), (unknown.status, &unknown.body));
    }
    for headers in [
        vec![id],
        vec![
            id,
            ("origin", "https://elsewhere.example"),
            ("content-type", "application/json"),
        ],
        vec![id, ("origin", ORIGIN), ("content-type", "text/plain")],
    ] {
        let body = || Body::Bytes(b"{".to_vec());
        let admin = member.send("PATCH", "/api/v1/admin/settings", &headers, body());
        let unknown = member.send("PATCH", "/api/v1/admin/nothing", &headers, body());
        assert_eq!(
            (admin.status, &admin.body),
            (unknown.status, &unknown.body),
            "{headers:?}"
        );
    }
}

#[test]
fn a_foreign_origin_is_refused_alike_everywhere_and_without_the_database() {
    for ours in [ORIGIN, "https://keys.example.org"] {
        let world = World::new();
        world.set("PUBLIC_ORIGIN", ours);
        for (origin, status) in [
            (ours, 303),
            ("https://elsewhere.example", 403),
            ("null", 403),
        ] {
            // Each request gets a fresh isolate, which can remember nothing.
            let request = http::Request::builder()
                .method("POST")
                .uri(format!("{ours}/auth/logout"))
                .header("origin", origin)
                .body(Body::Empty)
                .unwrap();
            let response = world.run(world.service().answer(request)).unwrap();
            assert_eq!(response.status, status, "{ours} {origin}: {response:?}");
        }
    }
}

#[test]
fn bad_bodies_get_a_clear_error_and_change_nothing() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let claim = |kind: &str, body: Body| {
        let headers = [("origin", ORIGIN), ("content-type", kind)];
        let response = member.send("POST", "/api/v1/claim", &headers, body);
        (response.status, response.code())
    };
    let json = "application/json; charset=utf-8";
    for (kind, body, status, code) in [
        (json, Body::Bytes(b"{".to_vec()), 400, "malformed_json"),
        (json, Body::Bytes(b"[]".to_vec()), 400, "malformed_json"),
        (json, Body::Bytes(b"null".to_vec()), 400, "malformed_json"),
        (
            json,
            Body::Bytes(b"{\"limit\":1000}".to_vec()),
            400,
            "malformed_json",
        ),
        (json, Body::Bytes(vec![0xff, 0xfe]), 400, "malformed_json"),
        (json, Body::Bytes(vec![b'['; 900]), 400, "malformed_json"),
        (json, Body::Empty, 400, "malformed_json"),
        (json, Body::Bytes(vec![b' '; 1_025]), 413, "body_too_large"),
        (json, Body::TooLarge, 413, "body_too_large"),
        (
            "text/plain",
            Body::Bytes(b"{}".to_vec()),
            415,
            "unsupported_media_type",
        ),
        (
            "application/x-www-form-urlencoded",
            Body::Bytes(b"a=b".to_vec()),
            415,
            "unsupported_media_type",
        ),
        (
            "",
            Body::Bytes(b"{}".to_vec()),
            415,
            "unsupported_media_type",
        ),
    ] {
        assert_eq!(
            claim(kind, body.clone()),
            (status, code.to_owned()),
            "{kind} {body:?}"
        );
    }
    assert_eq!(world.states().len(), 0);
    for route in ROUTES {
        if let Takes::Json(max) = route.takes {
            assert!(max <= MAX_BODY, "{}", route.path);
        }
    }
}

#[test]
fn every_limit_of_the_table_answers_429_with_retry_after() {
    for route in ROUTES {
        for limit in route.limits {
            let world = World::new();
            let member = Browser::signed_in(&world, "operator");
            world.refusing.borrow_mut().push(*limit);
            let ours = [("origin", ORIGIN), ("content-type", "application/json")];
            let (headers, body): (&[_], _) = match route.takes {
                Takes::Json(_) => (&ours, Body::Bytes(b"{}".to_vec())),
                Takes::Form(_) => (&[FORM], Body::Empty),
                Takes::Nothing | Takes::EmptyForm => (&ours, Body::Empty),
            };
            let response = member.send(route.method.name(), route.path, headers, body);
            assert_eq!(
                (response.status, response.header("retry-after")),
                (429, "60"),
                "{}",
                route.path
            );
        }
        // The members' own routes, the documents that contain what these answer, the sign-ins and the terminals count against a rate
        // limit, and no other route does.
        let counted = route.who == Who::Member
            || ["/keys", "/account", "/usage", "/device", "/api/v1/leaks"].contains(&route.path)
            || matches!(route.shows, Shows::SignIn | Shows::OAuth)
            || route.path == "/auth/providers/{slug}/done";
        assert_eq!(!route.limits.is_empty(), counted, "{}", route.path);
    }
}

#[test]
fn a_request_id_is_a_plain_word_or_our_own() {
    let world = World::new();
    let browser = Browser::new(&world);
    let ask = |id: &str| {
        let response = browser.send("GET", "/nothing", &[("x-request-id", id)], Body::Empty);
        assert_eq!(response.json()["instance"], response.header("x-request-id"));
        response.header("x-request-id").to_owned()
    };
    assert_eq!(ask("abc-DEF_123"), "abc-DEF_123");
    for bad in [
        "short",
        "with space",
        "a\tb\tcdefgh",
        "<script>alert</script>",
        "a;b;c;d;e;f",
        &"x".repeat(65),
    ] {
        assert!(ask(bad).starts_with("req_"), "{bad:?}");
    }
}

#[test]
fn errors_say_only_our_own_id_and_code() {
    let world = World::new();
    let response = Browser::new(&world).get("/api/v1/keys/%3Cb%3E?token=hunter2");
    assert_eq!(response.status, 404);
    assert!(!response.body.contains("keys") && !response.body.contains("hunter2"));
    let lines = world.log.borrow().join("\n");
    assert!(
        !lines.contains("hunter2") && !lines.contains("%3Cb"),
        "{lines}"
    );
}

#[test]
fn documents_have_pages_for_errors_and_data_has_problems() {
    let world = World::new();
    let browser = Browser::new(&world);
    let ask =
        |path: &str, accept: &str| browser.send("GET", path, &[("accept", accept)], Body::Empty);
    let page = ask("/nothing", "text/html,*/*");
    assert_eq!(
        (page.status, page.header("content-type")),
        (404, "text/html; charset=utf-8")
    );
    assert!(page.body.contains(page.header("x-request-id")));
    let data = ask("/nothing", "*/*");
    assert_eq!(data.header("content-type"), "application/problem+json");
    let member = ask("/api/v1/me", "text/html");
    assert_eq!(
        (member.status, member.header("content-type")),
        (401, "application/problem+json")
    );
}

#[test]
fn other_hosts_are_sent_to_the_canonical_one_before_a_sign_in_starts() {
    let world = World::new();
    let service = world.service();
    for route in ROUTES
        .iter()
        .filter(|route| route.shows == Shows::Document && route.method == Method::Get)
        // An admin's page is an unknown address there, as it is here to anyone who is not signed in.
        .filter(|route| route.who != Who::Admin)
    {
        let request = http::Request::builder()
            .uri(format!(
                "http://evil.example{}?next=keys&code=x",
                route.path
            ))
            .body(Body::Empty)
            .unwrap();
        let answer = world.run(service.answer(request)).unwrap();
        assert_eq!(answer.status, 302, "{}", route.path);
        assert_eq!(answer.header("location"), format!("{ORIGIN}{}", route.path));
        assert!(!answer.headers.contains_key("set-cookie"));
    }
}

#[test]
fn the_keys_page_and_its_routes_can_be_turned_off() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.set("API_KEYS_PAGE", "false");
    let member = member.at_fresh_isolate();
    assert_eq!(member.get("/keys").status, 404);
    assert_eq!(member.get("/api/v1/keys").status, 404);
    assert_eq!(member.claim().status, 404);
    assert_eq!(member.get("/api/v1/me").status, 200);
}

#[test]
fn the_lookup_of_an_admin_is_rate_limited() {
    for persona in ["operator", "member"] {
        let world = World::new();
        let browser = Browser::signed_in(&world, persona);
        world.refusing.borrow_mut().push(Limit::Api);
        for route in ROUTES.iter().filter(|route| route.who == Who::Admin) {
            let headers = [("origin", ORIGIN), ("content-type", "application/json")];
            let body = match route.takes {
                Takes::Json(_) => Body::Bytes(b"{}".to_vec()),
                Takes::Nothing | Takes::EmptyForm | Takes::Form(_) => Body::Empty,
            };
            let response = browser.send(route.method.name(), route.path, &headers, body);
            let response = (response.status, response.header("retry-after").to_owned());
            assert_eq!(
                response,
                (429, String::from("60")),
                "{persona} {}",
                route.path
            );
        }
    }
}
