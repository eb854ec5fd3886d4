//! Logins as GitHub might send them. The sandbox's personas have plain logins, so the test rewrites GitHub's answer.

use super::{Caller, SESSION, ours, request};
use crate::support::browser::CLAIM;
use crate::support::{Browser, World};
use keycap::http::server::message::Body;

/// A caller in a world whose GitHub gives the persona `member` a login with this JSON text.
fn at_renaming_github<'w>(world: &'w World, login: &str) -> Caller<'w> {
    let renamed = format!("\"login\":{login}");
    world
        .respelt
        .replace(Some(("\"login\":\"member\"", renamed)));
    Caller::new(world)
}

/// Signs in. Returns the address to which the sign-in led, and the session's cookie.
fn sign_in(caller: &Caller<'_>) -> (String, String) {
    let started = caller.get("/auth/github", &[]);
    let attempt = started
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let callback = Browser::new(caller.world).approve(started.header("location"), "member");
    let back = caller.get(&callback, &[("cookie", attempt.as_bytes())]);
    let set = back
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|set| set.to_str().unwrap());
    let session = set
        .filter(|set| set.starts_with(SESSION))
        .map(|set| set.split(';').next().unwrap().to_owned())
        .next();
    (
        back.header("location").to_owned(),
        session.unwrap_or_default(),
    )
}

const LOGINS: &[&str] = &[
    "j\u{fc}rgen",
    "\u{738b}\u{5c0f}\u{660e}",
    "\u{645}\u{62d}\u{645}\u{62f}",
    "\u{1f511}\u{1f9d1}\u{200d}\u{1f4bb}",
    "e\u{301}",
    "\u{202e}nimda",
    "\u{200b}",
    "\u{feff}member",
    "ﬀ",
    "ⅷ",
    "İı",
    "member\u{0}admin",
    "\u{0}",
    "\n",
    "a\r\nset-cookie: canary=1",
    "\u{85}",
    "\u{2028}",
    "<script>canary()</script>",
    "\"><img src=x onerror=canary()>",
    "'; DROP TABLE members; --",
    "{{canary}}",
    "${canary}",
    "\\u0000",
    "../../canary",
    "%00%0d%0a",
    "",
];

#[test]
fn a_login_of_any_characters_is_an_attribute_and_nothing_else() {
    let mut count = 0;
    let long = [
        "\u{1f511}".repeat(63),
        "\u{1f511}".repeat(65),
        "e\u{301}".repeat(200),
        "a".repeat(100_000),
    ];
    let all = LOGINS.iter().map(|login| (*login).to_owned()).chain(long);
    for login in all {
        let world = World::new();
        let caller = at_renaming_github(&world, &serde_json::to_string(&login).unwrap());
        let (location, cookie) = sign_in(&caller);
        assert_eq!(location, "/keys", "{login:?}");
        let me = caller.me(cookie.as_bytes());
        let shown = me.json()["member"]["login"].as_str().unwrap().to_owned();
        assert!(shown.chars().count() <= 64, "{login:?}");
        assert!(login.starts_with(&shown), "{login:?} became {shown:?}");
        // The next sign-in, with the plain login, is the same member.
        let spelt = world.respelt.take();
        let plain = Browser::signed_in(&world, "member");
        assert_eq!(
            plain.get("/api/v1/me").json()["member"]["id"],
            me.json()["member"]["id"]
        );
        world.respelt.replace(spelt);
        assert_eq!(sign_in(&caller).0, "/keys");
        let response = caller.ask(
            request(
                "POST",
                "/api/v1/claim",
                &ours(cookie.as_bytes()),
                Body::Bytes(CLAIM.into()),
            )
            .unwrap(),
        );
        assert_eq!(response.status, 201, "{login:?}");
        for target in ["/", "/keys", "/nothing", "/api/v1/keys"] {
            let response = caller.get(
                target,
                &[("cookie", cookie.as_bytes()), ("accept", b"text/html")],
            );
            // The document of the keys has the login as data, in which nothing opens or closes an element.
            let is_data = target == "/keys";
            let markup = ["<script>canary", "<img", "canary()</"];
            assert!(
                is_data || !response.body.contains("canary"),
                "{target} {login:?}"
            );
            assert!(
                !markup.iter().any(|text| response.body.contains(text)),
                "{target} {login:?}"
            );
        }
        assert!(!world.log.borrow().join("").contains("canary"));
        assert!(
            world
                .usable()
                .iter()
                .all(|key| key.name.is_ascii() && !key.name.contains("canary"))
        );
        count += 1;
    }
    println!("counted: {count} logins of strange characters");
}

#[test]
fn an_answer_of_github_without_an_account_signs_nobody_in() {
    let bad = [
        "null",
        "1",
        "true",
        "[]",
        "{}",
        "[\"member\"]",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"a\nb\"",
        "\"\\x41\"",
        "member",
        "\"member",
        "\"a\",\"login\":\"b\"",
        "\"a\",\"id\":1000001",
        "\"a\",\"id\":null",
        "\"a\",\"type\":\"User\"",
        "NaN",
    ];
    for login in bad {
        let world = World::new();
        let before = world.db.dump();
        let caller = at_renaming_github(&world, login);
        let (location, cookie) = sign_in(&caller);
        assert_eq!(
            (location.as_str(), cookie.as_str()),
            ("/?auth_error=github_unavailable", ""),
            "{login}"
        );
        assert_eq!(world.db.dump(), before, "{login}");
    }
    println!("counted: {} answers of GitHub that name nobody", bad.len());
}
