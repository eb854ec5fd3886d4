//! What a handler answers with, before the pipeline adds the headers that every answer has.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::app::error::Error;
use crate::domain::key::secret::Secret;

/// A status, headers and one complete body.
#[derive(Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The member of the body with a secret, which is added when the answer leaves.
    secret: Option<(&'static str, Secret)>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &String::from_utf8_lossy(&self.body))
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// An answer with a JSON body. Fails with `Internal` if the body cannot be written as JSON.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|_| Error::Internal)?;
        let reply = Self {
            status,
            body,
            ..Self::default()
        };
        Ok(reply.header("content-type", String::from("application/json")))
    }

    /// An answer with a body that is JSON already.
    pub fn json_text(status: u16, body: &str) -> Self {
        Self::written(status, "application/json", body.to_owned())
    }

    pub fn html(status: u16, body: String) -> Self {
        Self::written(status, "text/html; charset=utf-8", body)
    }

    pub fn text(status: u16, body: String) -> Self {
        Self::written(status, "text/plain; charset=utf-8", body)
    }

    /// An answer that a browser saves as a file of this name, which has no quotes.
    pub fn file(kind: &str, name: &str, body: Vec<u8>) -> Self {
        let reply = Self {
            status: 200,
            body,
            ..Self::default()
        };
        let saved = format!("attachment; filename=\"{name}\"");
        reply
            .header("content-type", kind.to_owned())
            .header("content-disposition", saved)
    }

    /// An answer with a problem document (RFC 9457).
    pub fn problem(status: u16, body: &impl Serialize) -> Self {
        // A problem has no member that could not be written.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self::written(status, "application/problem+json", body)
    }

    /// An answer with an error of OAuth (RFC 6749, section 5.2).
    pub fn oauth_error(status: u16, body: &impl Serialize) -> Self {
        // Such an error has no member that could not be written.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self::written(status, "application/json", body)
    }

    fn written(status: u16, kind: &str, body: String) -> Self {
        let reply = Self {
            status,
            body: body.into_bytes(),
            ..Self::default()
        };
        reply.header("content-type", kind.to_owned())
    }

    pub fn no_content() -> Self {
        Self::empty(204)
    }

    pub fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// Adds the secret to a JSON object: only this one answer may contain it.
    #[must_use]
    pub fn with_secret(self, secret: Secret) -> Self {
        self.with_secret_in("secret", secret)
    }

    /// The same, in a member of another name.
    #[must_use]
    pub fn with_secret_in(mut self, member: &'static str, secret: Secret) -> Self {
        self.secret = Some((member, secret));
        self
    }

    /// Returns the body as it leaves, with the secret in it if there is one.
    pub fn into_body(self) -> Vec<u8> {
        let Some((member, secret)) = &self.secret else {
            return self.body;
        };
        let mut members: Map<String, Value> =
            serde_json::from_slice(&self.body).unwrap_or_default();
        members.insert((*member).to_owned(), json!(secret.expose()));
        Value::Object(members).to_string().into_bytes()
    }

    /// A redirect to an address of our own or of a configured upstream.
    pub fn redirect(status: u16, location: &str) -> Self {
        let reply = Self {
            status,
            ..Self::default()
        };
        reply.header("location", location.to_owned())
    }

    /// Adds these `Set-Cookie` lines.
    #[must_use]
    pub fn cookies(self, lines: impl IntoIterator<Item = String>) -> Self {
        lines
            .into_iter()
            .fold(self, |reply, line| reply.header("set-cookie", line))
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Cuts the rows down to one page. Returns the value of `after` for the next page, if there are more.
pub fn cut_to_page<T>(
    rows: &mut Vec<T>,
    page: usize,
    id: impl Fn(&T) -> Option<&str>,
) -> Option<String> {
    let more = rows.len() > page;
    rows.truncate(page);
    let last = rows.last().filter(|_| more)?;
    id(last).map(str::to_owned)
}
