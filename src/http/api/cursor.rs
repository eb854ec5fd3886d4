//! Where the next page of a list begins, as the answer names it. It is sealed, because it contains our own row numbers,
//! which say how much happens here, and nobody else may read them.

use serde::Serialize;

use crate::app::context::App;
use crate::app::error::Error;
use crate::crypto::keyring::Purpose;
use crate::crypto::seal;
use crate::http::server::context::Context;
use crate::ports::json::{self, FromJson};

/// Reads the query's `after`, which a page of the list `name` has sealed; `None` if there is none.
pub fn opened<T: FromJson>(context: &Context, name: &str) -> Result<Option<T>, Error> {
    let Some(after) = context.query("after") else {
        return Ok(None);
    };
    let keys = context.app.keyring.keys(Purpose::PageCursor);
    let plain = seal::open(keys, name, &after);
    let position = plain.and_then(|plain| json::read(&plain));
    position.map(Some).ok_or(Error::BadRequest {
        detail: "after must be the value of next on the previous page.",
    })
}

/// Seals a position in the list `name`, so that it can be opened only for that list.
pub fn sealed(app: &App, name: &str, next: &impl Serialize) -> Result<String, Error> {
    let key = app.keyring.newest(Purpose::PageCursor);
    let plain = serde_json::to_vec(next).map_err(|_| Error::Internal)?;
    let sealed = seal::seal(key.ok_or(Error::Internal)?, name, &plain, &*app.random)?;
    Ok(sealed)
}
