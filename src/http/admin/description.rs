//! `GET /api/v1/admin/openapi.json`: the description of the administrators' routes. That of all other routes is a static
//! file, `public/api/v1/openapi.json`. A native test writes both.

use crate::app::error::Error;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;

/// The description as OpenAPI 3.1.
const DESCRIPTION: &str = include_str!("openapi.json");

pub async fn show_description(_: Context) -> Result<Reply, Error> {
    Ok(Reply::json_text(200, DESCRIPTION))
}
