//! `GET /credits`: what the account bought, and what all its keys have spent, deleted keys included.

use crate::{Sandbox, message::Response, money::Usd};
use serde_json::json;

pub(super) fn get(sandbox: &Sandbox) -> Response {
    let mut spent = Usd::ZERO;
    for key in &sandbox.ledger.keys {
        spent += key.usage.lifetime;
    }
    if sandbox.reports().no_credits {
        return Response::json(
            200,
            &json!({"data": {"total_credits": 0, "total_usage": 0}}),
        );
    }
    let bought = Usd::from_dollars(sandbox.settings().total_credits_usd);
    Response::json(
        200,
        &json!({"data": {"total_credits": bought, "total_usage": spent}}),
    )
}
