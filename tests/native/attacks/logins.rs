//! Logins as GitHub might send them. The sandbox's personas have plain ones, so its answer is rewritten on the way.

use std::rc::Rc;

use keycap::app::App;
use keycap::config::Config;
use keycap::http::rate::Limit;
use keycap::http::{Body, Service};
use keycap::ports::{
    Brake, Call, Clock, LocalFuture, Log, NoRandomness, Outbound, Outcome, Random,
};

use super::{Caller, Chance, SECRET, SESSION, ours, request};
use crate::support::browser::CLAIM;
use crate::support::upstream::Upstream;
use crate::support::world::{BASE, ORIGIN};
use crate::support::{Browser, World, oracle};

/// GitHub, but for what it calls people.
struct Renaming {
    upstream: Upstream,
    /// The JSON that stands where the login was.
    login: String,
}

impl Outbound for Renaming {
    fn send(&self, call: Call) -> LocalFuture<'_, Outcome> {
        Box::pin(async move {
            let is_user = call.url.path().ends_with("/user");
            match self.upstream.send(call).await {
                Outcome::Answer(mut answer) if is_user => {
                    let body = String::from_utf8(answer.body).unwrap();
                    let renamed =
                        body.replace("\"login\":\"member\"", &format!("\"login\":{}", self.login));
                    assert_ne!(renamed, body, "the login is there to be replaced");
                    answer.body = renamed.into_bytes();
                    Outcome::Answer(answer)
                }
                other => other,
            }
        })
    }
}

struct Plain(Rc<std::cell::Cell<i64>>);

impl Clock for Plain {
    fn now_ms(&self) -> i64 {
        self.0.get()
    }

    fn pause(&self, _: u32) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct Dice(std::cell::RefCell<Chance>);

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in bytes {
            *byte = self.0.borrow_mut().next().to_le_bytes()[0];
        }
        Ok(())
    }
}

struct Open;

impl Brake for Open {
    fn allows<'a>(&'a self, _: Limit, _: &'a str) -> LocalFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }
}

struct Lines(Rc<std::cell::RefCell<Vec<String>>>);

impl Log for Lines {
    fn line(&self, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }
}

/// The world's application, at a GitHub that calls the persona `member` by this JSON value.
fn at_renaming_github<'w>(world: &'w World, login: &str, seed: u64) -> Caller<'w> {
    let config = Config::from_env(&|name| {
        let text = match name {
            "PUBLIC_ORIGIN" => ORIGIN,
            "GITHUB_OAUTH_CLIENT_ID" => sandbox::GITHUB_CLIENT_ID,
            "GITHUB_OAUTH_CLIENT_SECRET" => sandbox::GITHUB_CLIENT_SECRET,
            "OPENROUTER_MANAGEMENT_KEY" => sandbox::MANAGEMENT_KEY,
            "AUTH_SESSION_SECRET" => SECRET,
            "PROJECT_STATUS" => "live",
            "PROVISIONING_ENABLED" => "true",
            "MAX_TOTAL_KEYS" => "500",
            "KEY_LIMIT_USD" => "5",
            "GITHUB_URL" => return Some(format!("{BASE}/github")),
            "GITHUB_API_URL" => return Some(format!("{BASE}/github-api")),
            "OPENROUTER_API_URL" => return Some(format!("{BASE}/openrouter/api/v1")),
            _ => return None,
        };
        Some(text.to_owned())
    });
    let service = Service::new(App {
        config: config.unwrap_or_else(|problems| panic!("{problems:?}")),
        db: Box::new(world.db.clone()),
        http: Box::new(Renaming {
            upstream: Upstream {
                bend: world.bend.clone(),
                sandbox: world.sandbox.clone(),
                now_ms: world.now_ms.clone(),
                effects: world.effects.clone(),
            },
            login: login.to_owned(),
        }),
        clock: Box::new(Plain(world.now_ms.clone())),
        random: Box::new(Dice(std::cell::RefCell::new(Chance(seed)))),
        brake: Box::new(Open),
        log: Box::new(Lines(world.log.clone())),
        upstream_terms_seen: std::cell::Cell::default(),
    });
    Caller { world, service }
}

/// Where a whole sign-in led, and the session's cookie.
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
fn s4_08_s0_145_a_login_of_any_characters_is_an_attribute_and_nothing_else() {
    let mut count = 0;
    let long = [
        "\u{1f511}".repeat(63),
        "\u{1f511}".repeat(65),
        "e\u{301}".repeat(200),
        "a".repeat(100_000),
    ];
    let all = LOGINS.iter().map(|login| (*login).to_owned()).chain(long);
    for (seed, login) in (1..).zip(all) {
        let world = World::new();
        let caller = at_renaming_github(&world, &serde_json::to_string(&login).unwrap(), seed);
        let (location, cookie) = sign_in(&caller);
        assert_eq!(location, "/keys", "{login:?}");
        let me = caller.me(cookie.as_bytes());
        let shown = me.json()["member"]["login"].as_str().unwrap().to_owned();
        assert!(shown.chars().count() <= 64, "{login:?}");
        assert!(login.starts_with(&shown), "{login:?} became {shown:?}");
        // The next sign-in under the plain login is the same person.
        let plain = Browser::signed_in(&world, "member");
        assert_eq!(
            plain.get("/api/v1/me").json()["member"]["id"],
            me.json()["member"]["id"]
        );
        assert_eq!(sign_in(&caller).0, "/keys");
        let told = caller.ask(
            request(
                "POST",
                "/api/v1/claim",
                &ours(cookie.as_bytes()),
                Body::Bytes(CLAIM.into()),
            )
            .unwrap(),
        );
        assert_eq!(told.status, 201, "{login:?}");
        world.delivered.borrow_mut().extend(told.secret());
        for target in ["/", "/keys", "/nothing", "/api/v1/keys"] {
            let told = caller.get(
                target,
                &[("cookie", cookie.as_bytes()), ("accept", b"text/html")],
            );
            assert!(!told.body.contains("canary"), "{target} {login:?}");
        }
        assert!(!world.log.borrow().join("").contains("canary"));
        assert!(
            world
                .usable()
                .iter()
                .all(|key| key.name.is_ascii() && !key.name.contains("canary"))
        );
        oracle::always(&world);
        count += 1;
    }
    println!("logins: {count}");
}

#[test]
fn s2_53_an_answer_of_github_that_names_nobody_signs_nobody_in() {
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
    for (seed, login) in (1..).zip(bad) {
        let world = World::new();
        let before = world.db.dump();
        let caller = at_renaming_github(&world, login, seed);
        let (location, cookie) = sign_in(&caller);
        assert_eq!(
            (location.as_str(), cookie.as_str()),
            ("/?auth_error=github_unavailable", ""),
            "{login}"
        );
        assert_eq!(world.db.dump(), before, "{login}");
        oracle::always(&world);
    }
    println!("answers that name nobody: {}", bad.len());
}
