//! A person's browser: it keeps cookies, sends the headers that our own pages send, and signs in through GitHub or Google.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keycap::http::routes::MEMBER_HEADER;
use keycap::http::server::message::Body;
use keycap::http::server::message::Outbound;
use sandbox::Request;

use super::described;
use super::world::{Isolate, ORIGIN, World};

/// The body of a claim. It accepts the terms, as the page does when no acceptance is stored.
pub const CLAIM: &str = r#"{"accept_terms":1}"#;

/// An answer as the browser receives it.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Response {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The status, with the code of a problem or the address of a redirect.
    pub fn outcome(&self) -> String {
        let body = serde_json::from_str::<serde_json::Value>(&self.body).unwrap_or_default();
        let code = body["code"].as_str().unwrap_or_default();
        let more = format!("{code}{}", self.header("location"));
        format!("{} {more}", self.status).trim_end().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The secret of a key, under the name that it has for pages or for the clients of OAuth.
    pub fn secret(&self) -> Option<String> {
        let body = self.json();
        let secret = body["secret"].as_str().or(body["access_token"].as_str());
        secret.map(str::to_owned)
    }
}

impl From<Outbound> for Response {
    fn from(outbound: Outbound) -> Self {
        let (parts, body) = outbound.into_parts();
        let response = Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body).unwrap(),
        };
        let is_problem = response.header("content-type") == "application/problem+json";
        if is_problem && !response.body.is_empty() {
            let detail = response.json()["detail"].as_str().map(str::len);
            assert!(detail > Some(0), "a problem without words: {response:?}");
        }
        response
    }
}

/// The member id in a session cookie, without checking the signature: the member for whom a page with these cookies was
/// rendered.
pub fn member_of(cookies: &str) -> Option<String> {
    let pairs = cookies.split(';').filter_map(|pair| pair.split_once('='));
    let mut sessions = pairs.filter(|(name, _)| name.trim() == "__Host-keycap_session");
    let payload = sessions.next()?.1.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let payload: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    let member = payload["sub"].as_str()?;
    // A forged cookie may contain an id that cannot be sent as a header.
    let sendable = member.bytes().all(|byte| byte.is_ascii_graphic());
    sendable.then(|| member.to_owned())
}

/// Cookies by name.
pub type Cookies = BTreeMap<String, String>;

/// The `Cookie` header of a browser.
pub fn cookie_header(cookies: &Cookies) -> String {
    let pairs = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("; ")
}

/// Answers whether a request with this method may change anything.
pub fn changes(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD")
}

/// A request that changes something, as our own page sends it for the member of these cookies.
pub fn from_our_page(
    cookies: &Cookies,
    method: &str,
    target: &str,
    body: Body,
) -> http::Request<Body> {
    let cookies = cookie_header(cookies);
    let mut request = http::Request::builder()
        .method(method)
        .uri(format!("{ORIGIN}{target}"))
        .header("origin", ORIGIN)
        .header("content-type", "application/json")
        .header("cookie", &cookies);
    if let Some(member) = member_of(&cookies) {
        request = request.header(MEMBER_HEADER, member);
    }
    request.body(body).unwrap()
}

pub struct Browser<'a> {
    pub world: &'a World,
    service: Isolate,
    pub cookies: RefCell<Cookies>,
    /// Which deployment the browser asks, by its origin.
    pub origin: &'static str,
}

impl<'a> Browser<'a> {
    /// A browser that has signed in as one of GitHub's personas.
    pub fn signed_in(world: &'a World, persona: &str) -> Self {
        let browser = Self::new(world);
        let response = browser.sign_in(persona);
        assert_eq!(
            (response.status, response.header("location")),
            (303, "/keys"),
            "{persona} signs in"
        );
        browser
    }

    pub fn new(world: &'a World) -> Self {
        Self {
            world,
            service: world.service(),
            cookies: RefCell::default(),
            origin: ORIGIN,
        }
    }

    /// A browser that has these cookies.
    pub fn with(world: &'a World, cookies: &Cookies) -> Self {
        let browser = Self::new(world);
        browser.cookies.borrow_mut().clone_from(cookies);
        browser
    }

    /// The same person at a fresh isolate, as after a crash or under new settings.
    pub fn at_fresh_isolate(&self) -> Self {
        Self::with(self.world, &self.cookies.borrow())
    }

    /// Starts a sign-in, approves it at GitHub and follows the callback. Returns the callback's answer.
    pub fn sign_in(&self, persona: &str) -> Response {
        self.sign_in_at("github", persona)
    }

    /// The same at this provider.
    pub fn sign_in_at(&self, provider: &str, persona: &str) -> Response {
        let started = self.get(&format!("/auth/{provider}?next=keys"));
        assert_eq!(started.status, 302, "{started:?}");
        let callback = self.approve(started.header("location"), persona);
        self.get(&callback)
    }

    /// A browser that has signed in as one of Google's personas.
    pub fn with_google(world: &'a World, persona: &str) -> Self {
        let browser = Self::new(world);
        let response = browser.sign_in_at("google", persona);
        let is = (response.status, response.header("location"));
        assert_eq!(is, (303, "/keys"), "{persona} signs in with Google");
        browser
    }

    /// Approves the sign-in on the provider's page as this persona. Returns the path and query of our callback that GitHub
    /// redirects to.
    pub fn approve(&self, location: &str, persona: &str) -> String {
        let url = url::Url::parse(location).unwrap();
        let request = Request {
            method: String::from("POST"),
            target: format!("{}?{}", url.path(), url.query().unwrap()),
            headers: vec![
                (String::from("user-agent"), String::from("browser")),
                (
                    String::from("content-type"),
                    String::from("application/x-www-form-urlencoded"),
                ),
            ],
            body: format!("persona={persona}").into_bytes(),
        };
        let now = self.world.now_ms.get();
        let delivery = self.world.sandbox.borrow_mut().handle(&request, now);
        let response = delivery.answer().expect("an answer");
        let back = response.header("location").expect("a redirect").to_owned();
        back.strip_prefix(ORIGIN).expect("our callback").to_owned()
    }

    pub fn get(&self, target: &str) -> Response {
        self.send("GET", target, &[], Body::Empty)
    }

    pub fn post(&self, target: &str, body: &str) -> Response {
        let headers = [("origin", ORIGIN), ("content-type", "application/json")];
        self.send(
            "POST",
            target,
            &headers,
            Body::Bytes(body.as_bytes().to_vec()),
        )
    }

    pub fn patch(&self, target: &str, body: &str) -> Response {
        let headers = [("origin", ORIGIN), ("content-type", "application/json")];
        self.send(
            "PATCH",
            target,
            &headers,
            Body::Bytes(body.as_bytes().to_vec()),
        )
    }

    pub fn delete(&self, target: &str) -> Response {
        let headers = [("origin", ORIGIN), ("content-type", "application/json")];
        self.send("DELETE", target, &headers, Body::Bytes(b"{}".to_vec()))
    }

    pub fn leave(&self, login: &str) -> Response {
        let headers = [("origin", ORIGIN), ("content-type", "application/json")];
        let body = serde_json::json!({ "confirm": login }).to_string();
        self.send("DELETE", "/api/v1/me", &headers, Body::Bytes(body.into()))
    }

    /// Gives a member this status; the browser must be an admin's.
    pub fn set_status(&self, login: &str, status: &str) -> Response {
        let member = self.world.member(login);
        let body = serde_json::json!({ "status": status }).to_string();
        self.patch(&format!("/api/v1/admin/members/{member}"), &body)
    }

    pub fn claim(&self) -> Response {
        self.post("/api/v1/claim", CLAIM)
    }

    /// Sends a claim whose isolate may die on the way. Returns `None` if it died.
    pub fn try_claim(&self) -> Option<Response> {
        let headers = [("origin", ORIGIN), ("content-type", "application/json")];
        self.try_send("POST", "/api/v1/claim", &headers, Body::Bytes(CLAIM.into()))
    }

    pub fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Response {
        let response = self.try_send(method, target, headers, body);
        response.expect("an isolate that lives to answer")
    }

    /// Sends a request that does not name the member for whom its page was rendered.
    pub fn send_unnamed(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Response {
        let response = self.ask(method, target, headers, body, None);
        response.expect("an isolate that lives to answer")
    }

    /// Sends a request. A request that changes something names the member of the session, unless `headers` name another
    /// one. Returns `None` if the isolate died.
    pub fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Option<Response> {
        let named = headers.iter().any(|(name, _)| *name == MEMBER_HEADER);
        let page_of = (changes(method) && !named)
            .then(|| member_of(&cookie_header(&self.cookies.borrow())))
            .flatten();
        self.ask(method, target, headers, body, page_of.as_deref())
    }

    fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Body,
        page_of: Option<&str>,
    ) -> Option<Response> {
        let path = target.split('?').next().unwrap_or_default();
        self.world.rehearse(&format!("{method} {path}"), &|world| {
            let browser = Browser::with(world, &self.cookies.borrow());
            let response = browser.ask(method, target, headers, body.clone(), page_of);
            response.map_or_else(String::new, |response| response.outcome())
        });
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.origin));
        let cookies = cookie_header(&self.cookies.borrow());
        if !cookies.is_empty() {
            request = request.header("cookie", &cookies);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(member) = page_of {
            request = request.header(MEMBER_HEADER, member);
        }
        let answer = self.service.answer(request.body(body).unwrap());
        let response = self.world.run(answer)?;
        described::check(method, target, &response);
        self.keep_cookies(&response);
        Some(response)
    }

    /// Starts a claim, which is held at the effect that the plan of the effects names. [`Held::release`] lets it
    /// continue.
    pub fn start_claim(&self) -> Held {
        self.start("POST", "/api/v1/claim", CLAIM)
    }

    /// Starts a request that changes something, held where the plan of the effects says.
    pub fn start(&self, method: &str, target: &str, body: &str) -> Held {
        self.start_with(method, target, body, &[])
    }

    /// The same as [`Browser::start`], with more headers.
    pub fn start_with(
        &self,
        method: &str,
        target: &str,
        body: &str,
        headers: &[(&'static str, &str)],
    ) -> Held {
        let service = self.service.clone();
        let mut request = from_our_page(
            &self.cookies.borrow(),
            method,
            target,
            Body::Bytes(body.into()),
        );
        for (name, value) in headers {
            let value = http::HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(*name, value);
        }
        let mut answer: Pin<Box<dyn Future<Output = Response>>> =
            Box::pin(async move { service.answer(request).await });
        let first = answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending(), "it is held");
        Held(answer)
    }

    fn keep_cookies(&self, response: &Response) {
        for set in response.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, rest) = set.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let mut cookies = self.cookies.borrow_mut();
            if set.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A request that is held in the middle.
pub struct Held(Pin<Box<dyn Future<Output = Response>>>);

impl Held {
    /// Lets the request run to its end. Returns its answer.
    pub fn release(mut self) -> Response {
        match self
            .0
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(response) => response,
            Poll::Pending => panic!("held twice"),
        }
    }
}
