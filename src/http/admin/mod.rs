//! The handlers of the administrators' API.

use crate::app::error::Error;
use crate::http::server::context::Context;

pub(crate) mod allotments;
pub(crate) mod audit;
pub mod blocks;
pub(crate) mod bulk;
pub(crate) mod credit;
pub(crate) mod departures;
pub(crate) mod description;
pub(crate) mod findings;
pub(crate) mod jobs;
pub(crate) mod keys;
pub mod members;
pub(crate) mod overview;
pub(crate) mod plan_reach;
pub(crate) mod plans;
pub(crate) mod providers;
pub mod settings;
pub(crate) mod workspaces;

/// The rows of a page of a list, unless the query names another number.
const PAGE_ROWS: usize = 50;
/// The most rows that a page may have: a list is saved as a file in pages of this size.
const MOST_ROWS: usize = 500;

/// How many rows the query wants on a page of a long list.
fn rows_of_page(context: &Context) -> Result<usize, Error> {
    let Some(text) = context.query("rows") else {
        return Ok(PAGE_ROWS);
    };
    let rows: Option<usize> = text.parse().ok();
    let rows = rows.filter(|rows| (1..=MOST_ROWS).contains(rows));
    rows.ok_or(Error::BadRequest {
        detail: "rows must be a number from 1 to 500.",
    })
}
