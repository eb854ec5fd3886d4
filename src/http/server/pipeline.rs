//! The steps that every request passes, in this order, whatever its route:
//!
//! 1. It gets a request id: a new one, or the caller's if that is well formed.
//! 2. The route table is searched. Unknown addresses, wrong methods and routes that this deployment does not have end
//!    here.
//! 3. A document on another host of ours is redirected to the canonical one, unless it is an admin's.
//! 4. An admin route answers like an unknown address unless the caller is an admin.
//! 5. A request with an unsafe method must have our Origin and the Fetch-Metadata of our own pages. The body's type and
//!    size are checked.
//! 6. The session's signature is checked, a change must come from a page made for its member, and rates are limited.
//! 7. The handler runs.
//! 8. The answer gets the security headers, and one line is logged.

use crate::domain::people::session::Session;
use crate::http::server::context::Context;
use crate::http::server::finish::finished;
use crate::http::server::message::Inbound;
use crate::http::server::message::Outbound;
use crate::http::server::reply::Reply;
use std::rc::Rc;

use serde_json::json;

use crate::app::auth::admin_of;
use crate::app::context::App;
use crate::app::error::{Error, Level};
use crate::config::Config;
use crate::crypto::keyring::Purpose;
use crate::crypto::{random, session};
use crate::domain::id::IdKind;
use crate::domain::people::address::subscriber;
use crate::http::server::checks::{
    body_fits, canonical, from_no_page, header, page_of, same_origin, wants_document,
    without_effects,
};
use crate::http::server::rate;
use crate::http::server::route::{Route, Shows, Who, allowed};
use crate::http::server::{cookies, idempotency};
use crate::ports::rate_limit::CountedBy;
use crate::ports::rate_limit::Limit;
use crate::ports::trace::{Scope, scoped};
use crate::store::members;

/// A function that makes a page from an error and the request's id.
pub type ErrorPage = fn(&Config, &Error, &str) -> Reply;

/// The form in which an error leaves.
#[derive(Clone, Copy)]
enum ErrsAs {
    Page,
    Problem,
    OAuth,
}

/// The application behind its route table, built once for each isolate.
#[derive(Clone)]
pub struct Service {
    app: Rc<App>,
    routes: &'static [Route],
    /// The routes of each path.
    paths: Rc<matchit::Router<Vec<&'static Route>>>,
    error_page: ErrorPage,
}

impl Service {
    pub fn new(app: App, routes: &'static [Route], error_page: ErrorPage) -> Self {
        let mut paths = matchit::Router::new();
        for route in routes {
            let at_path = routes.iter().filter(|other| other.path == route.path);
            // The first insertion of a path has already added all of its routes.
            let _: Result<(), matchit::InsertError> = paths.insert(route.path, at_path.collect());
        }
        Self {
            app: Rc::new(app),
            routes,
            paths: Rc::new(paths),
            error_page,
        }
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// Answers a request. This never fails, because every failure is an answer too. Every line that is logged meanwhile
    /// has the request's id.
    pub async fn answer(&self, inbound: Inbound) -> Outbound {
        let request_id = self.request_id(&inbound);
        let scope = Scope::Request(request_id.as_str().into());
        scoped(scope, self.answer_as(&request_id, inbound)).await
    }

    async fn answer_as(&self, request_id: &str, inbound: Inbound) -> Outbound {
        let started = self.app.clock.now_ms();
        let method = inbound.method().clone();
        let as_document = wants_document(&inbound);
        let route = self.route(&method, inbound.uri().path());
        let result = match route {
            Some(route) => self.enter(route, inbound).await,
            None => Err(self.unrouted(&inbound).await),
        };
        let (reply, code) = match result {
            Ok(reply) => (reply, None),
            Err(error) => {
                // A route that the caller may not know of answers exactly like an unknown address.
                let known = |route: &&Route| {
                    error != Error::NotFound
                        || (route.who != Who::Admin && (route.when)(&self.app.config))
                };
                let shows = route.filter(known).map_or(Shows::Document, |is| is.shows);
                let as_page = as_document && shows.is_document();
                let code = (error.code(), error.level());
                let errs = match shows {
                    Shows::OAuth => ErrsAs::OAuth,
                    _ if as_page => ErrsAs::Page,
                    _ => ErrsAs::Problem,
                };
                (self.error_reply(&error, request_id, errs), Some(code))
            }
        };
        self.log(route, &method, reply.status, code, started);
        finished(reply, request_id, method == http::Method::HEAD)
    }

    /// Does steps 2 to 7 for a known route.
    async fn enter(&self, route: &'static Route, inbound: Inbound) -> Result<Reply, Error> {
        let app = &self.app;
        if !(route.when)(&app.config) {
            return Err(self.unrouted(&inbound).await);
        }
        // An admin's page is not redirected, because that would tell anyone that it is there.
        if route.shows.is_document()
            && route.who != Who::Admin
            && !route.method.is_unsafe()
            && let Some(elsewhere) = canonical(app, &inbound)
        {
            return Ok(elsewhere);
        }
        if route.shows == Shows::SignIn
            && let Some(nothing_done) = without_effects(&inbound)
        {
            return Ok(nothing_done);
        }
        if route.who == Who::Admin {
            let session =
                session_of(app, cookies_of(&inbound).as_deref()).ok_or(Error::NotFound)?;
            look_up_within_limit(app, &session)
                .await?
                .ok_or_else(|| not_found(&inbound, &session))?;
        }
        if route.shows == Shows::OAuth {
            from_no_page(&inbound)?;
        } else if route.method.is_unsafe() {
            same_origin(app, &inbound)?;
        }
        body_fits(route.takes, &inbound)?;
        let page_of = page_of(&inbound);
        // Each route counts an address separately, so that coming back from GitHub does not use up the limit on
        // starting.
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

    /// Answers for an unknown address or a wrong method. A session is looked up just as on an admin route, so that the
    /// two answers do not differ.
    async fn unrouted(&self, inbound: &Inbound) -> Error {
        let app = &self.app;
        if let Some(session) = session_of(app, cookies_of(inbound).as_deref()) {
            if let Err(error) = look_up_within_limit(app, &session).await {
                return error;
            }
            if let Error::AccountChanged = not_found(inbound, &session) {
                return Error::AccountChanged;
            }
        }
        let path = inbound.uri().path();
        let public = |route: &&Route| {
            route.path == path && route.who != Who::Admin && (route.when)(&app.config)
        };
        if self.routes.iter().any(|route| public(&route)) {
            return Error::MethodNotAllowed {
                allow: allowed(self.routes, path),
            };
        }
        Error::NotFound
    }

    /// Answers whether a request may change anything. Such a request runs to its end even if the caller has gone.
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

    /// The request's id. A caller's own id is taken only if it is a plain word.
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

    fn error_reply(&self, error: &Error, request_id: &str, errs: ErrsAs) -> Reply {
        let now = self.app.now();
        let mut reply = match errs {
            ErrsAs::Page => (self.error_page)(&self.app.config, error, request_id),
            ErrsAs::Problem => Reply::problem(error.status(), &error.problem(request_id)),
            ErrsAs::OAuth => Reply::oauth_error(error.oauth_status(), &error.oauth(request_id)),
        };
        if let Some(secs) = error.retry_after(now) {
            reply = reply.header("retry-after", secs.to_string());
        }
        match error {
            Error::MethodNotAllowed { allow } => reply.header("allow", allow.clone()),
            // The browser has no use for a session that has ended.
            Error::SignInRequired | Error::MemberNotActive(_) => {
                reply.header("set-cookie", cookies::clear(cookies::SESSION))
            }
            _ => reply,
        }
    }

    /// Logs one line for the request. It has opaque ids and enums, the route's pattern instead of the address, and no
    /// query.
    fn log(
        &self,
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
                // Only a method of a known route is logged, because a caller can write anything there.
                "method": route.map(|_| method.as_str()),
                "route": route.map(|route| route.path),
                "status": status,
                "code": code.map(|(code, _)| code),
                "ms": self.app.clock.now_ms().saturating_sub(started),
            }),
        );
    }
}

/// The name under which a session is counted: its member and its epoch. Ending a member's sessions raises the epoch. An
/// ended session therefore has a count of its own and uses up nothing of its member's, without asking the database.
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

/// The error for an unknown address, or for an admin route that this session may not reach. A page that was made for
/// another member learns that first, in both cases: it may have been an admin's page.
fn not_found(inbound: &Inbound, session: &Session) -> Error {
    match page_of(inbound) {
        Some(page_of) if page_of != session.member.as_str() => Error::AccountChanged,
        _ => Error::NotFound,
    }
}

/// The admin whom a session belongs to, or `None` if it belongs to no admin. The request is counted, because it reads
/// the database for any caller.
async fn look_up_within_limit(
    app: &App,
    session: &Session,
) -> Result<Option<members::Member>, Error> {
    within(app, Limit::Api, &counted_as(session)).await?;
    admin_of(app, session).await
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
        address: header(&inbound, "cf-connecting-ip").and_then(subscriber),
        taking: None,
        body: inbound.into_body(),
    }
}

fn session_of(app: &App, cookies: Option<&str>) -> Option<Session> {
    let token = cookies::value(cookies, cookies::SESSION)?;
    let keys = app.keyring.keys(Purpose::Session);
    session::verify(keys, token, app.now())
}

/// The Cookie header. A cookie of another application may have any bytes, and must not end a member's session.
fn cookies_of(inbound: &Inbound) -> Option<String> {
    let cookies = inbound.headers().get("cookie")?;
    Some(String::from_utf8_lossy(cookies.as_bytes()).into_owned())
}
