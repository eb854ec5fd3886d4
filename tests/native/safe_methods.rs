//! HEAD has no effect on any route, and GET has only the effects that a sign-in needs.

use keycap::http::routes::{Method, ROUTES, Route, Shows};
use keycap::http::server::message::Body;

use crate::support::{Browser, World, oracle};

/// The address of a route, with the id of an existing thing in its place where the route has one.
fn target(world: &World, route: &Route, callback: &str) -> String {
    if route.path.ends_with("/callback") {
        return callback.to_owned();
    }
    let id = if route.path.contains("/members/") {
        world.member("member")
    } else {
        world.db.text("SELECT public_id FROM keys")
    };
    route.path.replace("{id}", &id)
}

/// The only route that reads what OpenRouter has, for administrators: the list of the account's workspaces.
const READS_UPSTREAM: &str = "/api/v1/admin/workspaces";

/// Everything that a request could change: tables, KV, upstreams, and the browser's cookies.
fn everything(world: &World, browser: &Browser<'_>, route: &Route) -> String {
    let mut calls = world.sandbox.borrow().ledger().calls.len() as u64;
    if route.path == READS_UPSTREAM {
        calls -= world.calls("openrouter.workspaces.list");
    }
    format!(
        "{}{}{}{:?}",
        world.db.dump(),
        world.kv.values().join(" "),
        calls,
        browser.cookies.borrow()
    )
}

fn reads() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.method == Method::Get)
}

/// Signs somebody in, and begins another sign-in. Returns the browser and the callback's address of that attempt.
fn with_an_attempt<'w>(world: &'w World, persona: &str) -> (Browser<'w>, String) {
    let browser = Browser::signed_in(world, persona);
    let started = browser.get("/auth/github?next=keys");
    let callback = browser.approve(started.header("location"), "second");
    (browser, callback)
}

#[test]
fn head_has_no_effect_on_any_route_whoever_asks() {
    let world = World::new();
    assert_eq!(Browser::signed_in(&world, "member").claim().status, 201);
    let mut cells = 0;
    for persona in ["", "member", "operator", "ended"] {
        let (browser, callback) = with_an_attempt(
            &world,
            if persona == "operator" {
                persona
            } else {
                "member"
            },
        );
        match persona {
            "" => {
                browser.cookies.borrow_mut().remove("__Host-keycap_session");
            }
            "ended" => {
                let kept = browser.cookies.borrow().clone();
                browser.post("/api/v1/me/sign-out-everywhere", "{}");
                *browser.cookies.borrow_mut() = kept;
            }
            _ => {}
        }
        for route in ROUTES {
            for accept in ["*/*", "text/html"] {
                let before = everything(&world, &browser, route);
                let target = target(&world, route, &callback);
                let response = browser.send("HEAD", &target, &[("accept", accept)], Body::Empty);
                assert_eq!(
                    everything(&world, &browser, route),
                    before,
                    "{persona} HEAD {target}"
                );
                assert_eq!(response.body, "", "{target}");
                assert!(!response.headers.contains_key("set-cookie"), "{target}");
                cells += 1;
            }
        }
        // After all these requests the attempt still works.
        if persona.is_empty() {
            assert_eq!(browser.get(&callback).header("location"), "/keys");
        }
    }
    assert_eq!(world.calls("github.token"), 1 + 4 + 1, "each sign-in");
    oracle::always(&world);
    println!("counted: {cells} cells of routes and who asks HEAD of them");
}

#[test]
fn a_head_of_the_callback_signs_nobody_in_and_spends_no_state() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github");
    let callback = browser.approve(started.header("location"), "member");
    let response = browser.send("HEAD", &callback, &[], Body::Empty);
    assert_eq!((response.status, response.body.as_str()), (200, ""));
    assert_eq!(world.calls("github.token"), 0);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 0);
    assert_eq!(browser.get(&callback).header("location"), "/keys");
}

#[test]
fn get_has_no_effect_except_in_a_sign_in() {
    let world = World::new();
    assert_eq!(Browser::signed_in(&world, "member").claim().status, 201);
    for persona in ["member", "operator"] {
        let (browser, callback) = with_an_attempt(&world, persona);
        for route in reads().filter(|route| route.shows != Shows::SignIn) {
            let before = everything(&world, &browser, route);
            let target = target(&world, route, &callback);
            browser.get(&target);
            assert_eq!(
                everything(&world, &browser, route),
                before,
                "{persona} GET {target}"
            );
        }
    }
    let with_effects: Vec<&str> = reads()
        .filter(|route| route.has_effects())
        .map(|route| route.path)
        .collect();
    assert_eq!(
        with_effects,
        [
            "/auth/github",
            "/auth/github/callback",
            "/auth/google",
            "/auth/google/callback",
            "/auth/relay",
            "/auth/providers/{slug}/callback",
        ]
    );
}
