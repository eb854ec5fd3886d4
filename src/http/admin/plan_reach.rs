//! `GET /api/v1/admin/plans/{name}/reach`: whom a change of a plan would reach, before it is made.

use serde::Serialize;

use crate::app::error::Error;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::budget::reach::{self, COUNTED, PlanReach};
use crate::store::members;
use crate::store::query::rows_of;

#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct PlanReachBody {
    reach: PlanReach,
    /// If there are this many members, or more, only so many were counted.
    counted_up_to: i64,
}

/// Answers 200 with the counts. `max_active_keys` asks who would have more keys than that.
pub async fn show_reach(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let max_keys = match context.query("max_active_keys") {
        None => None,
        Some(text) => Some(
            text.parse::<i64>()
                .ok()
                .filter(|n| (1..=100).contains(n))
                .ok_or(Error::BadRequest {
                    detail: "max_active_keys must be a number from 1 to 100.",
                })?,
        ),
    };
    let name = context.segment_before_last();
    let read = vec![reach::of_plan(name, max_keys)];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let body = PlanReachBody {
        reach: reach::read_reach(rows_of(&rows, 0)?)?.ok_or(Error::NotFound)?,
        counted_up_to: COUNTED,
    };
    Reply::json(200, &body)
}
