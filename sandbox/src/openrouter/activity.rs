//! `GET /activity`: the usage of the last thirty completed UTC days, of the account or of one key, by model and endpoint.

use super::{error, usual_text};
use crate::{
    Sandbox,
    clock::{DAY_MS, parse_request_timestamp, timestamp},
    custody,
    generator::sha256_hex,
    message::{Request, Response, first},
    usage::Sums,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PARAMETERS: &[&str] = &[
    "date",
    "api_key_hash",
    "user_id",
    "group_by",
    "workspace_id",
];
const DAYS: i64 = 30;

pub(super) fn get(
    sandbox: &mut Sandbox,
    request: &Request,
    now: i64,
) -> Result<Response, Response> {
    let query = request.query();
    for (name, _) in &query {
        if !PARAMETERS.contains(&name.as_str()) {
            custody::unknown_field(sandbox, request, name, now);
        }
    }
    let today = now.div_euclid(DAY_MS);
    let days = match first(&query, "date") {
        None => today - DAYS..today,
        Some(date) => {
            let day = parse_request_timestamp(&format!("{date}T00:00:00Z"))
                .map(|ms| ms.div_euclid(DAY_MS));
            let day = day.filter(|day| (today - DAYS..today).contains(day));
            let day = day.ok_or_else(|| {
                error(400, "Date must be within the last 30 (completed) UTC days")
            })?;
            day..day + 1
        }
    };
    let hash = first(&query, "api_key_hash");
    if let Some(hash) = &hash
        && sandbox.ledger.key(hash).is_none()
    {
        return Err(error(404, usual_text(404)));
    }
    let workspace = first(&query, "workspace_id");
    let by_workspace = first(&query, "group_by").is_some_and(|group| group == "workspace");
    let mut sums: BTreeMap<(i64, usize, String), Sums> = BTreeMap::new();
    for one in sandbox
        .uses
        .shown(days.start * DAY_MS, days.end * DAY_MS, now)
    {
        let Some(key) = sandbox.ledger.keys.get(one.key) else {
            continue;
        };
        let is_forgotten = sandbox.reports.forgets_deleted && key.deleted_at_ms.is_some();
        let is_wanted = hash.as_ref().is_none_or(|hash| *hash == key.hash)
            && workspace.as_ref().is_none_or(|id| *id == key.workspace_id);
        if is_wanted && !is_forgotten {
            let place = if by_workspace {
                key.workspace_id.clone()
            } else {
                String::new()
            };
            sums.entry((one.at_ms.div_euclid(DAY_MS), one.model, place))
                .or_default()
                .add(one);
        }
    }
    let rows: Vec<Value> = sums
        .iter()
        .map(|(of, sums)| row(sandbox, of, sums))
        .collect();
    Ok(Response::json(200, &json!({ "data": rows })))
}

fn row(sandbox: &Sandbox, (day, model, workspace): &(i64, usize, String), sums: &Sums) -> Value {
    let model = sandbox.uses.models.get(*model).cloned().unwrap_or_default();
    let date: String = timestamp(day * DAY_MS).chars().take(10).collect();
    let digits = sha256_hex(model.as_bytes());
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let endpoint = format!(
        "{}-{}-4{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    );
    let mut row = json!({
        "date": date,
        "model": model,
        "model_permaslug": model,
        "endpoint_id": endpoint,
        "provider_name": model.split('/').next(),
        "usage": sums.credits,
        "byok_usage_inference": sums.byok,
        "requests": sums.requests,
        "prompt_tokens": sums.prompt,
        "completion_tokens": sums.completion,
        "reasoning_tokens": sums.reasoning,
        "cached_tokens": sums.cached,
    });
    if let (Some(members), false) = (row.as_object_mut(), workspace.is_empty()) {
        members.insert("workspace_id".to_owned(), json!(workspace));
    }
    row
}
