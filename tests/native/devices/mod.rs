//! Device grants (RFC 8628): a terminal asks, its person types the code in a browser, and the terminal's next question makes
//! the key.

mod attacks;
mod breaks;
mod client;
mod flow;
mod gates;

use keycap::crypto::hmac_hex;
use keycap::crypto::keyring::Purpose;
use keycap::http::server::message::Body;
use serde_json::{Value, json};

use crate::explorer::Act;
use crate::support::browser::{Response, from_our_page};
use crate::support::world::{Isolate, ORIGIN};
use crate::support::{Browser, Cookies, Fate, World};

pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const FORM: &str = "application/x-www-form-urlencoded";
/// The body of an approval by a member who has not accepted the terms yet.
pub const TERMS: i64 = 1;

/// A grant as its terminal has begun it.
#[derive(Clone)]
pub struct Begun {
    pub device_code: String,
    pub user_code: String,
}

/// A terminal: it has no cookies, and says nothing about where it comes from.
pub struct Terminal<'w> {
    browser: Browser<'w>,
    /// Its network address.
    pub address: &'static str,
}

impl<'w> Terminal<'w> {
    pub fn new(world: &'w World) -> Self {
        Self {
            browser: Browser::new(world),
            address: "192.0.2.7",
        }
    }

    /// Sends a form. Returns `None` if the isolate died.
    pub fn try_send(&self, target: &str, fields: &[(&str, &str)]) -> Option<Response> {
        let body = form(fields);
        let headers = [("content-type", FORM), ("cf-connecting-ip", self.address)];
        self.browser
            .try_send("POST", target, &headers, Body::Bytes(body.into()))
    }

    pub fn send(&self, target: &str, fields: &[(&str, &str)]) -> Response {
        self.try_send(target, fields)
            .expect("an isolate that lives to answer")
    }

    pub fn begins(&self) -> Begun {
        begun(&self.send(
            "/api/v1/device/code",
            &[("client_id", "shell"), ("device_name", "build-box")],
        ))
    }

    pub fn try_ask(&self, begun: &Begun) -> Option<Response> {
        self.try_send(
            "/api/v1/device/token",
            &[
                ("grant_type", GRANT_TYPE),
                ("device_code", &begun.device_code),
                ("client_id", "shell"),
            ],
        )
    }

    pub fn asks(&self, begun: &Begun) -> Response {
        self.try_ask(begun)
            .expect("an isolate that lives to answer")
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn begun(response: &Response) -> Begun {
    assert_eq!(response.status, 200, "{response:?}");
    let body = response.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    Begun {
        device_code: text("device_code"),
        user_code: text("user_code"),
    }
}

/// The error of OAuth in an answer, or an empty text.
pub fn error(response: &Response) -> String {
    let body = response.json();
    body["error"].as_str().unwrap_or_default().to_owned()
}

pub fn looks_up(member: &Browser<'_>, code: &str) -> Response {
    let body = json!({ "user_code": code }).to_string();
    member.post("/api/v1/device/lookup", &body)
}

pub fn approves(member: &Browser<'_>, code: &str) -> Response {
    let body = json!({ "user_code": code, "accept_terms": TERMS }).to_string();
    member.post("/api/v1/device/approve", &body)
}

pub fn denies(member: &Browser<'_>, code: &str) -> Response {
    let body = json!({ "user_code": code }).to_string();
    member.post("/api/v1/device/deny", &body)
}

/// A grant that the member has approved.
pub fn approved(terminal: &Terminal<'_>, member: &Browser<'_>) -> Begun {
    let begun = terminal.begins();
    let response = approves(member, &begun.user_code);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.json()["grant"]["state"], "approved");
    begun
}

/// How many keys OpenRouter was asked for.
pub fn mints(world: &World) -> u64 {
    world.calls("openrouter.keys.create")
}

pub fn state(world: &World) -> String {
    world.db.text("SELECT state FROM device_grants")
}

/// Writes down a grant with this code, as if a terminal had begun it.
pub fn waits(world: &World, code: &str) {
    let service = world.service();
    let key = service.app().keyring.newest(Purpose::Device).unwrap();
    let hmac = hmac_hex(key, "code", code).unwrap();
    let now = world.now().secs();
    world.db.run(&format!(
        "INSERT INTO device_grants (device_code_sha256, user_code_hmac, client, created_at, expires_at)
         VALUES (printf('%064d', 1), '{hmac}', 'shell', {now}, {now} + 600)"
    ));
}

/// Everything that happens to device grants, for the story that is also told to D1.
pub fn tell(world: &World) {
    let terminal = Terminal::new(world);
    let member = Browser::signed_in(world, "load-64");
    assert_eq!(looks_up(&member, "BBBB-BBBB").status, 404);
    let denied = terminal.begins();
    assert_eq!(looks_up(&member, &denied.user_code).status, 200);
    assert_eq!(denies(&member, &denied.user_code).status, 200);
    let begun = terminal.begins();
    assert_eq!(error(&terminal.asks(&begun)), "authorization_pending");
    assert_eq!(error(&terminal.asks(&begun)), "slow_down");
    world.pass(20);
    assert_eq!(approves(&member, &begun.user_code).status, 200);
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 403 }));
    assert!(terminal.asks(&begun).status >= 400);
    assert_eq!(
        world
            .db
            .text("SELECT state FROM device_grants ORDER BY id DESC LIMIT 1"),
        "failed"
    );
    let again = approved(&terminal, &member);
    assert_eq!(terminal.asks(&again).status, 200);
    member.get("/api/v1/me/export");
    let leaver = Browser::signed_in(world, "load-65");
    approved(&terminal, &leaver);
    assert!(leaver.leave("load-65").status < 300);
    world.pass(2 * 86_400);
    assert!(world.sweep());
    assert_eq!(world.db.number("SELECT COUNT(*) FROM device_grants"), 0);
    terminal.begins();
}

/// The whole way of a grant as one operation, from its beginning to its key. It ends with the first answer that leads no
/// further. A key that was told has the status of a claim.
pub fn whole(world: &World, who: &Cookies) -> Act {
    let service = world.service();
    let who = who.clone();
    Box::pin(async move {
        let begun = service
            .answer(by_terminal(
                "/api/v1/device/code",
                &[("client_id", "shell")],
            ))
            .await;
        let body: Value = serde_json::from_str(&begun.body).unwrap_or_default();
        let (Some(device_code), Some(user_code)) =
            (body["device_code"].as_str(), body["user_code"].as_str())
        else {
            return Some(begun);
        };
        let typed = json!({ "user_code": user_code, "accept_terms": TERMS }).to_string();
        let approved = on_page(&service, &who, "/api/v1/device/approve", &typed).await;
        if approved.status != 200 {
            return Some(approved);
        }
        let fields = [
            ("grant_type", GRANT_TYPE),
            ("device_code", device_code),
            ("client_id", "shell"),
        ];
        let mut answer = service
            .answer(by_terminal("/api/v1/device/token", &fields))
            .await;
        if answer.status == 200 {
            answer.status = 201;
        }
        Some(answer)
    })
}

fn by_terminal(target: &str, fields: &[(&str, &str)]) -> http::Request<Body> {
    http::Request::builder()
        .method("POST")
        .uri(format!("{ORIGIN}{target}"))
        .header("content-type", FORM)
        .body(Body::Bytes(form(fields).into()))
        .unwrap()
}

async fn on_page(service: &Isolate, who: &Cookies, target: &str, body: &str) -> Response {
    let request = from_our_page(who, "POST", target, Body::Bytes(body.into()));
    service.answer(request).await
}
