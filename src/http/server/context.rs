//! What a handler gets: the application, the caller, and the parts of the request that handlers read.

use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::{derived_id, random};
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::session::Session;
use crate::http::server::body;
use crate::http::server::message::Body;
use crate::ports::NoRandomness;
use crate::store::idempotency::Taking;

/// The longest Idempotency-Key.
const IDEMPOTENCY_KEY_CHARS: usize = 128;

pub struct Context {
    pub app: Rc<App>,
    /// A session whose signature is valid. The database decides whether it is current.
    pub session: Option<Session>,
    /// The path that the route matched.
    pub path: String,
    pub query: String,
    pub cookies: Option<String>,
    /// The part of the caller's network address that one subscriber holds, if it is known.
    pub address: Option<String>,
    pub idempotency_key: Option<String>,
    /// The Idempotency-Key that was taken for this request.
    pub taking: Option<Taking>,
    pub body: Body,
}

impl Context {
    /// The session of a route that only members reach.
    pub fn member(&self) -> Result<Session, Error> {
        self.session.clone().ok_or(Error::SignInRequired)
    }

    /// The id of a row that the request writes. A request with an Idempotency-Key has the same ids each time it is tried,
    /// so that nothing is written twice if an answer was lost. `of` distinguishes rows of the same kind.
    pub fn id(&self, kind: IdKind, of: &str) -> Result<PublicId, NoRandomness> {
        match &self.taking {
            Some(taking) => Ok(derived_id(kind, &taking.seed, of)),
            None => random::public_id(&*self.app.random, kind),
        }
    }

    /// The last part of the path, which is the id on a route that ends with one.
    pub fn last_segment(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The part before the last one, which is the id on the route of an action.
    pub fn segment_before_last(&self) -> &str {
        self.path.rsplit('/').nth(1).unwrap_or_default()
    }

    /// The id after which a page of a list begins.
    pub fn after(&self, kind: IdKind) -> Result<Option<PublicId>, Error> {
        let unknown = || Error::BadRequest {
            detail: "after must be the value of next on the previous page.",
        };
        let after = self.query("after");
        after
            .map(|id| PublicId::parse(kind, &id).ok_or_else(unknown))
            .transpose()
    }

    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Reads the body as a JSON object of the expected shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let bytes: &[u8] = match &self.body {
            Body::Bytes(bytes) => bytes,
            Body::Empty | Body::TooLarge => &[],
        };
        body::read(bytes).map_err(Error::MalformedJson)
    }

    /// The value of a field of a form. One that is empty counts as missing, and none may be there twice (RFC 6749,
    /// section 3.2).
    pub fn field(&self, name: &str) -> Result<Option<String>, Error> {
        let bytes: &[u8] = match &self.body {
            Body::Bytes(bytes) => bytes,
            Body::Empty | Body::TooLarge => &[],
        };
        let mut values = url::form_urlencoded::parse(bytes)
            .filter(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.into_owned());
        match (values.next(), values.next()) {
            (found, None) => Ok(found),
            (_, Some(_)) => Err(Error::BadRequest {
                detail: "No field may be there twice.",
            }),
        }
    }

    /// The Idempotency-Key, if the request has one. It is printable ASCII of 1 to 128 characters.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Error> {
        let Some(key) = self.idempotency_key.as_deref() else {
            return Ok(None);
        };
        let fits = (1..=IDEMPOTENCY_KEY_CHARS).contains(&key.len());
        if fits && key.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Some(key))
        } else {
            Err(Error::BadRequest {
                detail: "An Idempotency-Key has 1 to 128 printable characters.",
            })
        }
    }
}
