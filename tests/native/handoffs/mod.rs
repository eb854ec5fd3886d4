//! Sign-ins at billing providers that end in a key of the member's own account there.

mod admins;
mod attacks;
mod breaks;
mod flow;
mod lagging;
mod linked;
mod sealed;
mod told;

use keycap::crypto::sha256_hex;
use keycap::http::server::message::Body;
use sandbox::Request;
use serde_json::{Value, json};

use crate::explorer::Act;
use crate::support::browser::{Response, cookie_header, from_our_page};
use crate::support::world::{Isolate, ORIGIN};
use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World};

pub const PROVIDERS: [&str; 2] = ["openrouter", "daydream"];

/// A deployment in which both providers are enabled.
pub fn world() -> World {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let enabled = operator.patch("/api/v1/admin/providers/daydream", r#"{"enabled":true}"#);
    assert_eq!(enabled.status, 200, "{enabled:?}");
    world
}

/// A hand-off that was begun.
#[derive(Clone)]
pub struct Begun {
    pub id: String,
    pub auth_url: String,
}

impl Begun {
    pub fn path(&self, verb: &str) -> String {
        format!("/api/v1/handoffs/{}/{verb}", self.id)
    }
}

pub fn starts(member: &Browser<'_>, slug: &str) -> Begun {
    let response = member.post(&format!("/api/v1/providers/{slug}/start"), "{}");
    assert_eq!(response.status, 201, "{response:?}");
    let body = response.json();
    assert_eq!(body["handoff"]["status"], "pending");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Begun {
        id: text(&body["handoff"]["id"]),
        auth_url: text(&body["auth_url"]),
    }
}

/// Chooses on the provider's page. Returns the path and query of our callback that the provider redirects to.
pub fn chooses(world: &World, begun: &Begun, choice: &str) -> String {
    let now = world.upstream_now_ms();
    let mut sandbox = world.sandbox.borrow_mut();
    chosen(&mut sandbox, now, &begun.auth_url, choice)
}

fn chosen(sandbox: &mut sandbox::Sandbox, now: i64, auth_url: &str, choice: &str) -> String {
    let url = url::Url::parse(auth_url).unwrap();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = Request {
        method: String::from("POST"),
        target: format!("{}?{}", url.path(), url.query().unwrap()),
        headers: vec![
            header("user-agent", "browser"),
            header("content-type", "application/x-www-form-urlencoded"),
        ],
        body: format!("choice={choice}").into_bytes(),
    };
    let response = sandbox.handle_by_hand(&request, now).answer().unwrap();
    let back = response.header("location").expect("a redirect").to_owned();
    back.strip_prefix(ORIGIN).expect("our callback").to_owned()
}

/// Follows the provider's redirect. Returns the path and query of the page that says how it went.
pub fn comes_back(member: &Browser<'_>, callback: &str) -> String {
    let response = member.get(callback);
    assert_eq!(response.status, 303, "{response:?}");
    response.header("location").to_owned()
}

/// The code on the page after the sign-in, if it shows one.
pub fn code_on(page: &Response) -> Option<String> {
    let (_, after) = page
        .body
        .split_once("handoff-code figure\" translate=\"no\">")?;
    Some(after.split('<').next().unwrap().to_owned())
}

/// Signs in at the provider and comes back. Returns the code to type.
pub fn signs_in(member: &Browser<'_>, begun: &Begun) -> String {
    let done = comes_back(member, &chooses(member.world, begun, "sign-in"));
    assert!(
        done.ends_with(&format!("/done?handoff={}", begun.id)),
        "{done}"
    );
    code_on(&member.get(&done)).expect("a code")
}

pub fn confirms(member: &Browser<'_>, begun: &Begun, code: &str) -> Response {
    member.post(&begun.path("confirm"), &json!({ "code": code }).to_string())
}

pub fn redeems(member: &Browser<'_>, begun: &Begun) -> Response {
    member.post(&begun.path("redeem"), "{}")
}

/// A hand-off that was confirmed.
pub fn confirmed(member: &Browser<'_>, slug: &str) -> Begun {
    let begun = starts(member, slug);
    let code = signs_in(member, &begun);
    let response = confirms(member, &begun, &code);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.json()["handoff"]["confirmed"], true);
    begun
}

/// How far the hand-off has come, or the status of the answer if there is none.
pub fn status(member: &Browser<'_>, begun: &Begun) -> String {
    let response = member.get(&format!("/api/v1/handoffs/{}", begun.id));
    let body = response.json();
    let found = body["handoff"]["status"].as_str();
    found.map_or_else(|| response.status.to_string(), str::to_owned)
}

/// How many keys providers have made for anyone.
pub fn made(world: &World) -> usize {
    world.sandbox.borrow().ledger().linked_keys.len()
}

pub fn exchanges(world: &World) -> u64 {
    world.calls("openrouter.exchange") + world.calls("daydream.key")
}

pub fn keys(member: &Browser<'_>) -> Value {
    let response = member.get("/api/v1/provider-keys");
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// The names in KV of what providers sent back.
pub fn blobs(world: &World) -> Vec<(String, String)> {
    let mut stored = world.kv.stored();
    stored.retain(|(name, _)| name.starts_with("handoff/"));
    stored
}

pub fn head(
    member: &Browser<'_>,
    target: &str,
    headers: &[(&str, &str)],
    method: &str,
) -> Response {
    member.send(method, target, headers, Body::Empty)
}

/// Everything that happens to hand-offs and their keys, for the story that is also told to D1.
pub fn tell(world: &World) {
    let operator = Browser::signed_in(world, "operator");
    let change = r#"{"enabled":true,"position":3}"#;
    let daydream = operator.patch("/api/v1/admin/providers/daydream", change);
    assert_eq!(daydream.status, 200);
    let member = Browser::signed_in(world, "member");
    assert_eq!(member.get("/api/v1/providers").status, 200);
    let declined = starts(&member, "daydream");
    comes_back(&member, &chooses(world, &declined, "decline"));
    starts(&member, "daydream");
    let begun = starts(&member, "openrouter");
    let code = signs_in(&member, &begun);
    assert_eq!(confirms(&member, &begun, "BBBBBBBB").status, 422);
    assert_eq!(confirms(&member, &begun, &code).status, 200);
    let key = redeems(&member, &begun).json()["key"]["id"].clone();
    let key = format!("/api/v1/provider-keys/{}", key.as_str().unwrap());
    assert_eq!(member.patch(&key, r#"{"label":"mine"}"#).status, 200);
    assert_eq!(member.delete(&key).status, 204);
    let failing = confirmed(&member, "openrouter");
    world.add_fault("openrouter.exchange", "refuse", json!({ "status": 403 }));
    assert_eq!(redeems(&member, &failing).status, 502);
    // The isolate dies while the provider answers.
    let cut = confirmed(&member, "daydream");
    world.effects.plan(&[(3, Fate::CutAfter)]);
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    let body = Body::Bytes(b"{}".to_vec());
    let answer = member.try_send("POST", &cut.path("redeem"), &headers, body);
    assert!(answer.is_none(), "{:?}", world.effects.names());
    world.effects.plan(&[]);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(status(&member, &cut), "unknown");
    world.pass(7_200);
    assert!(world.sweep());
    let left = confirmed(&member, "openrouter");
    let found = redeems(&member, &left).secret().unwrap();
    let found = json!({ "sha256": sha256_hex(found.as_bytes()) }).to_string();
    assert_eq!(
        Browser::new(world).post("/api/v1/leaks", &found).status,
        202
    );
    assert_eq!(keys(&member)["keys"].as_array().unwrap().len(), 1);
    member.get("/api/v1/me/export");
    let leaver = Browser::signed_in(world, "load-70");
    let theirs = confirmed(&leaver, "openrouter");
    assert_eq!(redeems(&leaver, &theirs).status, 201);
    assert!(leaver.leave("load-70").status < 300);
    starts(&member, "openrouter");
}

/// The whole way of a hand-off as one operation, from the start to the redeeming. It ends with the first answer that leads no
/// further.
pub fn whole(world: &World, who: &Cookies) -> Act {
    let (service, sandbox, now) = (
        world.service(),
        world.sandbox.clone(),
        world.upstream_now_ms(),
    );
    let mut cookies = who.clone();
    Box::pin(async move {
        let begun = send(
            &service,
            &cookies,
            "POST",
            "/api/v1/providers/openrouter/start",
            "{}",
        )
        .await;
        let body: Value = serde_json::from_str(&begun.body).unwrap_or_default();
        let (Some(id), Some(url)) = (body["handoff"]["id"].as_str(), body["auth_url"].as_str())
        else {
            return Some(begun);
        };
        let (name, rest) = begun.header("set-cookie").split_once('=').unwrap();
        cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        let callback = chosen(&mut sandbox.borrow_mut(), now, url, "sign-in");
        let done = send(&service, &cookies, "GET", &callback, "").await;
        let page = send(&service, &cookies, "GET", done.header("location"), "").await;
        let Some(code) = code_on(&page) else {
            return Some(done);
        };
        let typed = json!({ "code": code }).to_string();
        let of = format!("/api/v1/handoffs/{id}");
        let confirmed = send(&service, &cookies, "POST", &format!("{of}/confirm"), &typed).await;
        if confirmed.status != 200 {
            return Some(confirmed);
        }
        Some(send(&service, &cookies, "POST", &format!("{of}/redeem"), "{}").await)
    })
}

async fn send(
    service: &Isolate,
    cookies: &Cookies,
    method: &str,
    target: &str,
    body: &str,
) -> Response {
    let request = match method {
        "GET" => http::Request::builder()
            .uri(format!("{ORIGIN}{target}"))
            .header("cookie", cookie_header(cookies))
            .body(Body::Empty)
            .unwrap(),
        _ => from_our_page(cookies, method, target, Body::Bytes(body.into())),
    };
    service.answer(request).await
}
