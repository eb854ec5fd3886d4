//! A route: who may call it, what it takes, what it shows.

use crate::app::error::Error;
use crate::config::Config;
use crate::http::server::context::Context;
use crate::http::server::described::{BodySchema, Described, GoodAnswer, QueryParameter};
use crate::http::server::reply::Reply;
use crate::ports::LocalFuture;
use crate::ports::rate_limit::Limit;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Answers whether the method may change anything, so that the request needs proof that our own page sent it.
    pub const fn is_unsafe(self) -> bool {
        match self {
            Self::Get => false,
            Self::Post | Self::Put | Self::Patch | Self::Delete => true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Anyone,
    /// The caller has a session whose signature is valid. The route's own query checks that the session is current.
    Member,
    /// The caller is an admin. Anyone else gets the answer of an unknown address. Looking the caller up is counted
    /// against `Limit::Api`.
    Admin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    /// A JSON body of at most this many bytes.
    Json(usize),
    /// A form of at most this many bytes, as OAuth's clients send it.
    Form(usize),
    /// A form without fields that works without scripts, or JSON.
    EmptyForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// A document or a redirect. On another host of ours it redirects to the canonical one, and its errors are pages.
    Document,
    /// A redirect of a sign-in. It is like a document, but OAuth makes its GET have effects: the attempt's cookie, and
    /// at the callback the exchange, the member's row and the session. A HEAD and a prefetch have none of these
    /// effects.
    SignIn,
    Data,
    /// Data for the clients of OAuth, which are no pages and have no cookies. Its errors are those of RFC 6749, section 5.2.
    OAuth,
}

/// The request header with the public id of the member for whom a page was made, as `GET /api/v1/me` returns it.
pub const MEMBER_HEADER: &str = "x-keycap-member";

pub type Handler = fn(Context) -> LocalFuture<'static, Result<Reply, Error>>;

#[derive(Clone, Copy)]
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub who: Who,
    pub takes: Takes,
    pub shows: Shows,
    pub limits: &'static [Limit],
    /// Answers whether this deployment has the route at all.
    pub when: fn(&Config) -> bool,
    /// The summary in the API's description. A route without one is not described.
    pub summary: Option<&'static str>,
    pub query: &'static [QueryParameter],
    /// The body that it takes.
    pub body: Option<BodySchema>,
    pub answers: &'static [GoodAnswer],
    pub handler: Handler,
}

impl Shows {
    pub fn is_document(self) -> bool {
        matches!(self, Self::Document | Self::SignIn)
    }
}

impl Route {
    /// Answers whether a request with the route's own method may change anything.
    pub fn has_effects(&self) -> bool {
        self.method.is_unsafe() || self.shows == Shows::SignIn
    }

    /// Answers whether a request has to name, in [`MEMBER_HEADER`], the member for whom its page was made. Every change
    /// by a session has to: a tab that still shows one account must not act for another one that has signed in since.
    ///
    /// Signing out of this browser needs no name. It changes nothing that belongs to anyone, it works as a form without
    /// scripts, and it must never be refused to a person at a shared computer.
    pub const fn names_member(&self) -> bool {
        self.method.is_unsafe() && !matches!(self.who, Who::Anyone)
    }

    /// The route with these limits, in place of its own.
    pub(crate) const fn limited(self, limits: &'static [Limit]) -> Self {
        Self { limits, ..self }
    }

    /// The route, which only those deployments have that answer true.
    pub(crate) const fn when(self, when: fn(&Config) -> bool) -> Self {
        Self { when, ..self }
    }

    /// The route with a JSON body of at most `most` bytes.
    pub(crate) const fn takes<T: Described>(self, most: usize) -> Self {
        Self {
            takes: Takes::Json(most),
            body: Some(BodySchema::of::<T>()),
            ..self
        }
    }

    /// The route with parameters in its address.
    pub(crate) const fn query(self, query: &'static [QueryParameter]) -> Self {
        Self { query, ..self }
    }

    /// The route with this line in the description.
    pub(crate) const fn summary(self, summary: &'static str) -> Self {
        Self {
            summary: Some(summary),
            ..self
        }
    }

    /// The route with the answers that it gives if it does what it is asked.
    pub(crate) const fn answers(self, answers: &'static [GoodAnswer]) -> Self {
        Self { answers, ..self }
    }
}

const fn always(_: &Config) -> bool {
    true
}

/// A route that answers with data, for anyone.
pub(crate) const fn data(method: Method, path: &'static str, handler: Handler) -> Route {
    Route {
        method,
        path,
        who: Who::Anyone,
        takes: Takes::Nothing,
        shows: Shows::Data,
        limits: &[],
        when: always,
        summary: None,
        query: &[],
        body: None,
        answers: &[],
        handler,
    }
}

/// A route for terminals, with a form as its body.
pub(crate) const fn terminal<T: Described>(path: &'static str, handler: Handler) -> Route {
    Route {
        takes: Takes::Form(SMALL),
        shows: Shows::OAuth,
        body: Some(BodySchema::of::<T>()),
        ..data(Method::Post, path, handler)
    }
    .when(keys_page)
}

/// A route for members.
pub(crate) const fn member(method: Method, path: &'static str, handler: Handler) -> Route {
    Route {
        who: Who::Member,
        limits: &[Limit::Api],
        ..data(method, path, handler)
    }
}

/// A route for members that only deployments with the keys page have.
pub(crate) const fn of_keys(method: Method, path: &'static str, handler: Handler) -> Route {
    member(method, path, handler).when(keys_page)
}

/// A route for admins. The lookup of the caller is counted before the route is reached.
pub(crate) const fn admin(method: Method, path: &'static str, handler: Handler) -> Route {
    Route {
        who: Who::Admin,
        ..data(method, path, handler)
    }
}

/// A page for admins. Anyone else gets the answer of an unknown address.
pub(crate) const fn admin_document(path: &'static str, handler: Handler) -> Route {
    Route {
        shows: Shows::Document,
        ..admin(Method::Get, path, handler)
    }
}

/// A step of a sign-in, to which a browser is sent.
pub(crate) const fn sign_in(path: &'static str, handler: Handler) -> Route {
    Route {
        shows: Shows::SignIn,
        limits: &[Limit::Start],
        ..document(path, handler)
    }
}

/// A page that a browser is sent to. Anyone may see it, and it is in no description.
pub(crate) const fn document(path: &'static str, handler: Handler) -> Route {
    Route {
        shows: Shows::Document,
        ..data(Method::Get, path, handler)
    }
}

/// The methods that an address takes, as the `Allow` header lists them.
pub fn allowed(routes: &[Route], path: &str) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for route in routes.iter().filter(|route| route.path == path) {
        methods.push(route.method.name());
        if route.method == Method::Get {
            methods.push("HEAD");
        }
    }
    methods.join(", ")
}

/// The most bytes of a small JSON body.
pub const SMALL: usize = 1_024;
/// The most bytes of a body with a note: 500 characters, each as long as JSON can make it.
pub const NOTE: usize = 8_192;

pub const fn keys_page(config: &Config) -> bool {
    config.keys_page
}

pub const fn has_security_contact(config: &Config) -> bool {
    config.published.security_contact.is_some()
}
