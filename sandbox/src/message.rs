//! Requests and answers as plain values, and how an answer may fail to arrive.

use serde_json::Value;
use std::borrow::Cow;

#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// The path and query. The path begins with the prefix of the host that is played.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    #[must_use]
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    #[must_use]
    pub fn query(&self) -> Vec<(String, String)> {
        self.target
            .split_once('?')
            .map_or_else(Vec::new, |(_, query)| form(query.as_bytes()))
    }

    /// The same request without this query parameter.
    #[must_use]
    pub(crate) fn without(&self, name: &str) -> Self {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let stays = |pair: &&str| pair.split('=').next() != Some(name);
        let kept: Vec<&str> = query.split('&').filter(stays).collect();
        Self {
            target: format!("{path}?{}", kept.join("&")),
            ..self.clone()
        }
    }

    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        first(&self.query(), name)
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The credential of an `Authorization` header with this scheme. The scheme's name is case-insensitive.
    #[must_use]
    pub fn credential(&self, scheme: &str) -> Option<&str> {
        let (given, value) = self.header("authorization")?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| value.trim())
    }

    #[must_use]
    pub fn has_user_agent(&self) -> bool {
        self.header("user-agent")
            .is_some_and(|value| !value.trim().is_empty())
    }

    #[must_use]
    pub fn is_json(&self) -> bool {
        self.header("content-type")
            .is_some_and(|value| value.trim_start().starts_with("application/json"))
    }

    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// The pairs of a form body or a query.
#[must_use]
pub fn form(bytes: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(bytes).into_owned().collect()
}

/// The value of the first pair with this name.
#[must_use]
pub fn first(pairs: &[(String, String)], name: &str) -> Option<String> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self::typed(status, "application/json; charset=utf-8", value.to_string())
    }

    #[must_use]
    pub fn html(status: u16, page: String) -> Self {
        Self::typed(status, "text/html; charset=utf-8", page)
    }

    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", text.to_owned())
    }

    #[must_use]
    pub fn typed(status: u16, content_type: &str, body: String) -> Self {
        Self::empty(status)
            .with("content-type", content_type)
            .with_body(body)
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON, or `null` if it is not JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn with_body(mut self, body: String) -> Self {
        self.body = body.into_bytes();
        self
    }
}

/// What the caller's side of the wire sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Answer(Response),
    /// About half of the body arrives, and then the connection is cut.
    Truncated(Response),
    /// The connection is cut without an answer.
    Reset,
    /// No answer ever comes.
    Stall,
    /// The front waits for `Sandbox::release(ticket)`.
    Held {
        ticket: u64,
    },
}

impl Delivery {
    /// The answer, if it arrives whole.
    #[must_use]
    pub fn answer(self) -> Option<Response> {
        match self {
            Self::Answer(response) => Some(response),
            Self::Truncated(_) | Self::Reset | Self::Stall | Self::Held { .. } => None,
        }
    }
}
