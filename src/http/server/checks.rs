//! Checks that the pipeline makes before a handler runs: where a request comes from, for whom it was made, and what
//! body it has.

use crate::app::context::App;
use crate::app::error::Error;
use crate::http::server::message::Body;
use crate::http::server::message::Inbound;
use crate::http::server::reply::Reply;
use crate::http::server::route::{MEMBER_HEADER, Takes};

/// The headers in which browsers say that they fetch a page in advance: today's header, and two older ones.
pub const PREFETCH_HEADERS: [&str; 3] = ["sec-purpose", "purpose", "x-moz"];

/// Answers a request for a step of a sign-in that nobody has asked for yet: a HEAD, or a page that a browser fetches in
/// advance. The prefetch gets an error, so that the browser asks again when the person presses the button.
pub fn without_effects(inbound: &Inbound) -> Option<Reply> {
    let status = if inbound.method() == http::Method::HEAD {
        200
    } else if PREFETCH_HEADERS
        .iter()
        .any(|name| says_prefetch(inbound, name))
    {
        503
    } else {
        return None;
    };
    Some(Reply::empty(status))
}

/// Answers whether a header says that this is a prefetch. It is a structured field, so the token may have parameters,
/// as in `prefetch;prerender`.
fn says_prefetch(inbound: &Inbound, name: &str) -> bool {
    let purpose = header(inbound, name).unwrap_or_default();
    let token = purpose.split(';').next().unwrap_or_default().trim();
    token.eq_ignore_ascii_case("prefetch") || token.eq_ignore_ascii_case("prerender")
}

/// Redirects a document that was requested under another host name of ours to the canonical one.
pub fn canonical(app: &App, inbound: &Inbound) -> Option<Reply> {
    let ours = &app.config.public_origin;
    let host = inbound
        .uri()
        .authority()
        .map(|authority| authority.as_str())
        .or_else(|| header(inbound, "host"))?;
    if host.eq_ignore_ascii_case(ours.host()) {
        return None;
    }
    // The address is built from the configuration and the path that a route matched, so the code of a callback is not
    // passed on.
    Some(Reply::redirect(
        302,
        &format!("{}{}", ours.as_str(), inbound.uri().path()),
    ))
}

/// Checks that the request comes from our own page: its Origin is ours, and Fetch-Metadata agrees or is absent.
pub fn same_origin(app: &App, inbound: &Inbound) -> Result<(), Error> {
    let ours = app.config.public_origin.as_str();
    let origin = header(inbound, "origin") == Some(ours);
    // A header that cannot be read is not ours.
    let site = inbound.headers().get("sec-fetch-site");
    let site = site.is_none_or(|site| site == "same-origin");
    if origin && site {
        Ok(())
    } else {
        Err(Error::ForeignOrigin)
    }
}

/// Checks that no page sends the request: browsers say where each of their POSTs comes from. It is for the questions of
/// terminals, which have no page and no cookies.
pub fn from_no_page(inbound: &Inbound) -> Result<(), Error> {
    let headers = inbound.headers();
    if headers.contains_key("origin") || headers.contains_key("sec-fetch-site") {
        Err(Error::ForeignOrigin)
    } else {
        Ok(())
    }
}

/// Checks that the body has the type and the size that the route takes.
pub fn body_fits(takes: Takes, inbound: &Inbound) -> Result<(), Error> {
    let kind = header(inbound, "content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_json = kind.eq_ignore_ascii_case("application/json");
    let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let length = match inbound.body() {
        Body::Empty => 0,
        Body::Bytes(bytes) => bytes.len(),
        Body::TooLarge => return Err(Error::BodyTooLarge),
    };
    match takes {
        Takes::Nothing if length == 0 => Ok(()),
        Takes::Nothing => Err(Error::BadRequest {
            detail: "This address takes no body.",
        }),
        Takes::Json(_) if !is_json => Err(Error::UnsupportedMediaType),
        Takes::Json(max) if length > max => Err(Error::BodyTooLarge),
        Takes::Json(_) => Ok(()),
        Takes::Form(_) if !is_form => Err(Error::UnsupportedMediaType),
        Takes::Form(max) if length > max => Err(Error::BodyTooLarge),
        Takes::Form(_) => Ok(()),
        Takes::EmptyForm if length == 0 || is_json => Ok(()),
        Takes::EmptyForm if is_form => Err(Error::BadRequest {
            detail: "This form has no fields.",
        }),
        Takes::EmptyForm => Err(Error::UnsupportedMediaType),
    }
}

/// The member for whom the page that sends this request was made, as the request says.
pub fn page_of(inbound: &Inbound) -> Option<String> {
    let named = inbound.headers().get(MEMBER_HEADER)?;
    Some(String::from_utf8_lossy(named.as_bytes()).into_owned())
}

/// Answers whether a browser asks for a page to show.
pub fn wants_document(inbound: &Inbound) -> bool {
    header(inbound, "accept").is_some_and(|accept| accept.contains("text/html"))
}

/// The value of a header, if it is plain text.
pub fn header<'a>(inbound: &'a Inbound, name: &str) -> Option<&'a str> {
    inbound.headers().get(name)?.to_str().ok()
}
