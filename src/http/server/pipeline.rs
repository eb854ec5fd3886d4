//! What every request passes, in this order, whatever its route:
//!
//! 1. a request id, our own or a well-formed one of the caller's;
//! 2. the route table: unknown addresses, wrong methods, routes this deployment does not have;
//! 3. documents on another host are sent to the canonical one;
//! 4. admin routes: an admin, or the answer of an unknown address;
//! 5. unsafe methods: our Origin, Fetch-Metadata of our own pages; the body's type and size;
//! 6. the session's signature; for changes, that the page was made for its member; request rates;
//! 7. the handler;
//! 8. security headers, one log line.

use crate::domain::people::session::Session;
use crate::http::server::context::Context;
use crate::http::server::message::Inbound;
use crate::http::server::message::Outbound;
use crate::http::server::reply::Reply;
use crate::ports::DbError;
use crate::store::query::StoreError;
use std::rc::Rc;

use http::{HeaderName, HeaderValue};
use serde_json::json;

use crate::app::auth::is_admin;
use crate::app::context::App;
use crate::app::error::{Error, Level};
use crate::crypto::keyring::Purpose;
use crate::crypto::{random, session};
use crate::domain::id::IdKind;
use crate::http::pages;
use crate::http::routes::{ROUTES, Route, Shows, Who, allowed};
use crate::http::server::checks::{
    body_fits, canonical, header, page_of, same_origin, wants_document, without_effects,
};
use crate::http::server::rate;
use crate::http::server::{cookies, headers, idempotency};
use crate::ports::rate_limit::CountedBy;
use crate::ports::rate_limit::Limit;
use crate::store::members;

/// The application behind its route table, built once for each isolate.
#[derive(Clone)]
pub struct Service {
    app: Rc<App>,
    /// The routes of each path.
    paths: Rc<matchit::Router<Vec<&'static Route>>>,
}

impl Service {
    pub fn new(app: App) -> Self {
        let mut paths = matchit::Router::new();
        for route in ROUTES {
            let at_path = ROUTES.iter().filter(|other| other.path == route.path);
            // A path that is already there has all of its routes.
            let _: Result<(), matchit::InsertError> = paths.insert(route.path, at_path.collect());
        }
        Self {
            app: Rc::new(app),
            paths: Rc::new(paths),
        }
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// Answers a request. Never fails: whatever goes wrong is an answer too.
    pub async fn answer(&self, inbound: Inbound) -> Outbound {
        let started = self.app.clock.now_ms();
        let request_id = self.request_id(&inbound);
        let method = inbound.method().clone();
        let as_document = wants_document(&inbound);
        let route = self.route(&method, inbound.uri().path());
        let result = match route {
            Some(route) => enter(&self.app, route, inbound).await,
            None => Err(unrouted(&self.app, &inbound).await),
        };
        let (reply, code) = match result {
            Ok(reply) => (reply, None),
            Err(error) => {
                // A route that one may not know of answers exactly like an unknown address.
                let known = |route: &&Route| {
                    error != Error::NotFound
                        || (route.who != Who::Admin && (route.when)(&self.app.config))
                };
                let shows = route.filter(known).map_or(Shows::Document, |is| is.shows);
                let as_page = as_document && shows.is_document();
                let code = (error.code(), error.level());
                (self.error_reply(&error, &request_id, as_page), Some(code))
            }
        };
        self.log(&request_id, route, &method, reply.status, code, started);
        finished(reply, &request_id, method == http::Method::HEAD)
    }

    /// Whether a request may change anything, and so runs to its end whoever still waits for it.
    pub fn has_effects(&self, inbound: &Inbound) -> bool {
        let method = inbound.method();
        let route = self.route(method, inbound.uri().path());
        method != http::Method::HEAD && route.is_some_and(Route::has_effects)
    }

    fn route(&self, method: &http::Method, path: &str) -> Option<&'static Route> {
        let wanted = match method.as_str() {
            "HEAD" => "GET",
            other => other,
        };
        let routes = self.paths.at(path).ok()?.value;
        routes
            .iter()
            .copied()
            .find(|route| route.method.name() == wanted)
    }

    /// A caller's own id is taken only if it is a plain word.
    fn request_id(&self, inbound: &Inbound) -> String {
        let plain = |id: &&str| {
            (8..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if let Some(id) = header(inbound, "x-request-id").filter(plain) {
            return id.to_owned();
        }
        random::public_id(&*self.app.random, IdKind::Request)
            .map_or_else(|_| String::from("req_unknown"), |id| id.to_string())
    }

    fn error_reply(&self, error: &Error, request_id: &str, as_page: bool) -> Reply {
        let now = self.app.now();
        let mut reply = if as_page {
            pages::error(&self.app.config, error, request_id)
        } else {
            Reply::problem(error.status(), error.problem(request_id).to_string())
        };
        if let Some(secs) = error.retry_after(now) {
            reply = reply.header("retry-after", secs.to_string());
        }
        match error {
            Error::MethodNotAllowed { allow } => reply.header("allow", allow.clone()),
            // A session that has ended is no use to its holder.
            Error::SignInRequired | Error::MemberNotActive(_) => {
                reply.header("set-cookie", cookies::clear(cookies::SESSION))
            }
            _ => reply,
        }
    }

    /// One line a request: opaque ids and enums, the route's pattern instead of the address, no query.
    fn log(
        &self,
        request_id: &str,
        route: Option<&'static Route>,
        method: &http::Method,
        status: u16,
        code: Option<(&'static str, Level)>,
        started: i64,
    ) {
        let level = match code {
            None | Some((_, Level::Info)) => "info",
            Some((_, Level::Warn)) => "warn",
            Some((_, Level::Error)) => "error",
        };
        self.app.note(
            level,
            "request",
            json!({
                "request_id": request_id,
                // A route's own method; what else a caller writes there is not for the log.
                "method": route.map(|_| method.as_str()),
                "route": route.map(|route| route.path),
                "status": status,
                "code": code.map(|(code, _)| code),
                "ms": self.app.clock.now_ms().saturating_sub(started),
            }),
        );
    }
}

/// Steps 2 to 7 for a known route.
async fn enter(app: &Rc<App>, route: &'static Route, inbound: Inbound) -> Result<Reply, Error> {
    if !(route.when)(&app.config) {
        return Err(unrouted(app, &inbound).await);
    }
    if route.shows.is_document()
        && !route.method.is_unsafe()
        && let Some(elsewhere) = canonical(app, route, &inbound)
    {
        return Ok(elsewhere);
    }
    if route.shows == Shows::SignIn
        && let Some(nothing_done) = without_effects(&inbound)
    {
        return Ok(nothing_done);
    }
    if route.who == Who::Admin {
        let session = session_of(app, cookies_of(&inbound).as_deref()).ok_or(Error::NotFound)?;
        look_up_within_limit(app, &session)
            .await?
            .ok_or_else(|| not_found(&inbound, &session))?;
    }
    if route.method.is_unsafe() {
        same_origin(app, &inbound)?;
    }
    body_fits(route.takes, &inbound)?;
    let page_of = page_of(&inbound);
    // Each route has its own count of an address: coming back from GitHub does not use up what starting may.
    let address = rate::address_of(header(&inbound, "cf-connecting-ip"));
    let address = format!("{} {address}", route.path);
    let context = context(app, inbound);
    let member = match (route.who, &context.session) {
        (Who::Anyone, _) => None,
        (Who::Member | Who::Admin, Some(session)) => Some(session.member.as_str()),
        (Who::Member | Who::Admin, None) => return Err(Error::SignInRequired),
    };
    if route.names_member() {
        let page_of = page_of.ok_or(Error::AccountNotNamed)?;
        if member != Some(page_of.as_str()) {
            return Err(Error::AccountChanged);
        }
    }
    let counted_as = context.session.as_ref().map(counted_as);
    for limit in route.limits {
        let who = match limit.by() {
            CountedBy::Address => Some(address.as_str()),
            CountedBy::Member => counted_as.as_deref(),
        };
        if let Some(who) = who {
            within(app, *limit, who).await?;
        }
    }
    idempotency::answer_once(route, context).await
}

/// As whom a session counts: its member, at its epoch. Ending a member's sessions raises the epoch, so an ended session
/// has a count of its own and uses up nothing of its member's, without the database having been asked.
fn counted_as(session: &Session) -> String {
    format!("{} {}", session.member, session.epoch)
}

async fn within(app: &App, limit: Limit, who: &str) -> Result<(), Error> {
    if rate::allows(app, limit, who).await {
        Ok(())
    } else {
        Err(Error::RateLimited)
    }
}

/// An unknown address or a wrong method. A session is looked up just as an admin route would, so that the two differ in
/// nothing.
async fn unrouted(app: &Rc<App>, inbound: &Inbound) -> Error {
    if let Some(session) = session_of(app, cookies_of(inbound).as_deref()) {
        if let Err(error) = look_up_within_limit(app, &session).await {
            return error;
        }
        if let Error::AccountChanged = not_found(inbound, &session) {
            return Error::AccountChanged;
        }
    }
    let path = inbound.uri().path();
    let public =
        |route: &&Route| route.path == path && route.who != Who::Admin && (route.when)(&app.config);
    if ROUTES.iter().any(|route| public(&route)) {
        return Error::MethodNotAllowed {
            allow: allowed(path),
        };
    }
    Error::NotFound
}

/// An unknown address, or an admin's route that this session does not reach. A page that was made for another member
/// learns that first, and from both alike: it may have been an admin's.
fn not_found(inbound: &Inbound, session: &Session) -> Error {
    match page_of(inbound) {
        Some(page_of) if page_of != session.member.as_str() => Error::AccountChanged,
        _ => Error::NotFound,
    }
}

/// The admin that a session speaks for, if it does. Counted, since it reads the database for whoever asks.
async fn look_up_within_limit(
    app: &App,
    session: &Session,
) -> Result<Option<members::Member>, Error> {
    within(app, Limit::Api, &counted_as(session)).await?;
    match members::signed_in(&*app.db, session, Vec::new()).await {
        Ok((member, _)) => Ok(Some(member).filter(|member| is_admin(app, member))),
        Err(StoreError::Db(DbError::Unknown)) => Err(Error::StorageUnavailable),
        Err(_) => Ok(None),
    }
}

fn context(app: &Rc<App>, inbound: Inbound) -> Context {
    let cookies = cookies_of(&inbound);
    Context {
        app: app.clone(),
        session: session_of(app, cookies.as_deref()),
        path: inbound.uri().path().to_owned(),
        query: inbound.uri().query().unwrap_or_default().to_owned(),
        idempotency_key: inbound
            .headers()
            .get("idempotency-key")
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        cookies,
        taking: None,
        body: inbound.into_body(),
    }
}

fn session_of(app: &App, cookies: Option<&str>) -> Option<Session> {
    let token = cookies::value(cookies, cookies::SESSION)?;
    let keys = app.keyring.keys(Purpose::Session);
    session::verify(keys, token, app.now())
}

/// The Cookie header. Another application's cookie may have any bytes, and must not cost a member their session.
fn cookies_of(inbound: &Inbound) -> Option<String> {
    let cookies = inbound.headers().get("cookie")?;
    Some(String::from_utf8_lossy(cookies.as_bytes()).into_owned())
}

pub fn finished(reply: Reply, request_id: &str, without_body: bool) -> Outbound {
    let mut response = http::Response::new(Vec::new());
    *response.status_mut() =
        http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let own = reply.headers.iter();
    // Without a body nothing is done either, in the browser as little as here.
    let own = own.filter(|(name, _)| !without_body || *name != "set-cookie");
    for (name, value) in headers::fixed() {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let own = own.map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.chain([("x-request-id", request_id)]) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    if !without_body {
        *response.body_mut() = reply.into_body();
    }
    response
}
