//! What a hostile caller sends: forged sessions, altered sign-ins, strange addresses, headers and bodies.
//! [`Caller::ask`] checks every answer that these tests get: no answer is a 5xx, none may be stored, and all have our
//! own headers.

mod addresses;
mod bodies;
mod described;
mod headers;
mod ids;
mod logins;
mod oauth;
mod sessions;
mod settings;
mod stored;
mod targets;
mod upstreams;

use http::{HeaderValue, Request};
use keycap::http::routes::MEMBER_HEADER;
use keycap::http::server::headers::{NO_STORE, SECURITY};
use keycap::http::server::message::Body;

use crate::support::browser::{Response, changes, cookie_header, member_of};
use crate::support::described::check;
use crate::support::world::{Isolate, ORIGIN};
use crate::support::{Browser, World};

const SESSION: &str = "__Host-keycap_session";
/// The session secret with which every world begins.
const SECRET: &str = "native-session-secret-not-for-production";

/// A caller that is no browser: the test chooses every byte, and no cookie is stored.
struct Caller<'w> {
    world: &'w World,
    service: Isolate,
}

impl<'w> Caller<'w> {
    fn new(world: &'w World) -> Self {
        let service = world.service();
        Self { world, service }
    }

    /// Sends the request, and checks what every answer promises.
    fn ask(&self, request: Request<Body>) -> Response {
        let what = format!("{} {}", request.method(), request.uri());
        let response = self.ask_whatever(request);
        // A file of usage is refused while a completed day was not read.
        let is_unread = what.contains("/usage.csv");
        assert!(response.status < 500 || is_unread, "{what}: {response:?}");
        response
    }

    /// The same as [`Caller::ask`], but a 5xx is allowed, because the upstream services are made to fail.
    fn ask_whatever(&self, request: Request<Body>) -> Response {
        let what = format!("{} {}", request.method(), request.uri());
        let (method, path) = (
            request.method().to_string(),
            request.uri().path().to_owned(),
        );
        let response = self.world.run(self.service.answer(request)).unwrap();
        check(&method, &path, &response);
        for (name, value) in SECURITY.into_iter().chain([NO_STORE]) {
            let mut carried = response.headers.get_all(name).iter();
            assert_eq!(carried.next().unwrap(), value, "{what}: {name}");
            assert!(carried.next().is_none(), "{what}: {name} twice");
        }
        assert!(!response.header("x-request-id").is_empty(), "{what}");
        response
    }

    fn get(&self, target: &str, headers: &[(&str, &[u8])]) -> Response {
        self.ask(request("GET", target, headers, Body::Empty).expect("a request"))
    }

    /// Asks `/api/v1/me` with this `Cookie` header.
    fn me(&self, cookie: &[u8]) -> Response {
        self.get("/api/v1/me", &[("cookie", cookie)])
    }

    /// Sends a POST as our own page would, with this `Cookie` header.
    fn post(&self, target: &str, cookie: &[u8], body: &[u8]) -> Response {
        let headers = ours(cookie);
        let body = Body::Bytes(body.to_vec());
        self.ask(request("POST", target, &headers, body).expect("a request"))
    }
}

/// The headers that our own page sends, with this `Cookie` header.
fn ours(cookie: &[u8]) -> [(&'static str, &[u8]); 3] {
    [
        ("origin", ORIGIN.as_bytes()),
        ("content-type", b"application/json"),
        ("cookie", cookie),
    ]
}

/// Builds a request. A request that changes something names the member of its cookie, unless the headers name one.
/// Returns `None` if no HTTP implementation would let such a request through.
fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &[u8])],
    body: Body,
) -> Option<Request<Body>> {
    let mut builder = Request::builder()
        .method(method)
        .uri(format!("{ORIGIN}{target}"));
    for (name, value) in headers {
        builder = builder.header(*name, HeaderValue::from_bytes(value).ok()?);
    }
    let of = |name| headers.iter().find(|(is, _)| *is == name);
    if changes(method)
        && of(MEMBER_HEADER).is_none()
        && let Some((_, cookies)) = of("cookie")
        && let Some(member) = member_of(&String::from_utf8_lossy(cookies))
    {
        builder = builder.header(MEMBER_HEADER, HeaderValue::from_str(&member).ok()?);
    }
    builder.body(body).ok()
}

/// The `Cookie` header of a browser.
fn cookie_of(browser: &Browser<'_>) -> String {
    cookie_header(&browser.cookies.borrow())
}

/// Repeatable random numbers: splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `n - 1`.
    fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap();
        usize::try_from(self.next() % n).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Returns true one time in `n`.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
