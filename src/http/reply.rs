//! What a handler answers with, before the pipeline adds what every answer has.

use serde::Serialize;

use crate::error::Error;

/// A status, headers and one fixed body.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|_| Error::Internal)?;
        let reply = Self {
            status,
            headers: Vec::new(),
            body,
        };
        Ok(reply.header("content-type", String::from("application/json")))
    }

    pub fn html(status: u16, body: String) -> Self {
        Self::written(status, "text/html; charset=utf-8", body)
    }

    pub fn text(status: u16, body: String) -> Self {
        Self::written(status, "text/plain; charset=utf-8", body)
    }

    fn written(status: u16, kind: &str, body: String) -> Self {
        let reply = Self {
            status,
            headers: Vec::new(),
            body: body.into_bytes(),
        };
        reply.header("content-type", kind.to_owned())
    }

    pub fn no_content() -> Self {
        Self {
            status: 204,
            ..Self::default()
        }
    }

    /// A redirect to an address of ours or of a configured upstream.
    pub fn redirect(status: u16, location: &str) -> Self {
        let reply = Self {
            status,
            ..Self::default()
        };
        reply.header("location", location.to_owned())
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Cuts what was read down to a page. What `after` has to be for the next one, if there was more.
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

/// The id of a row that is passed on as it is.
pub fn id_of(row: &serde_json::Value) -> Option<&str> {
    row.get("id")?.as_str()
}
