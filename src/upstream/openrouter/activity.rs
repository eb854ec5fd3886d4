//! `GET /activity`, the usage of completed days by model, and `GET /credits`. Activity tells one key or the whole account,
//! never all keys.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::money::NanoUsd;
use crate::domain::money::credit::AccountCredit;
use crate::domain::usage::amounts::Used;
use crate::domain::usage::day::UtcDay;
use crate::upstream::client::UpstreamClient;
use crate::upstream::openrouter::analytics::{UsedRow, count};
use crate::upstream::openrouter::{UpstreamReply, safe};

#[derive(Deserialize)]
struct ActivityRow {
    date: String,
    model: String,
    usage: f64,
    byok_usage_inference: f64,
    #[serde(deserialize_with = "count")]
    requests: i64,
    #[serde(deserialize_with = "count")]
    prompt_tokens: i64,
    #[serde(deserialize_with = "count")]
    completion_tokens: i64,
    #[serde(deserialize_with = "count")]
    reasoning_tokens: i64,
    /// Not every version of OpenRouter's API has it.
    #[serde(default, deserialize_with = "count")]
    cached_tokens: i64,
}

/// The usage of the last thirty completed days, by day and model: of one key by its hash, or of the whole account. The
/// outcome is unknown if a row has no possible day or amount.
pub async fn usage(
    upstream: &UpstreamClient<'_>,
    hash: Option<&str>,
) -> UpstreamReply<Vec<UsedRow>> {
    let path = match hash {
        Some(hash) => {
            let hash: String = url::form_urlencoded::byte_serialize(hash.as_bytes()).collect();
            format!("/activity?api_key_hash={hash}")
        }
        None => String::from("/activity"),
    };
    match safe(upstream, "GET", &path)
        .await
        .data::<Vec<ActivityRow>>(upstream)
    {
        UpstreamReply::Is(rows) => added(rows).map_or(UpstreamReply::Unknown, UpstreamReply::Is),
        other => other.map(|_| Vec::new()),
    }
}

#[derive(Deserialize)]
struct CreditBody {
    total_credits: f64,
    total_usage: f64,
}

/// `GET /credits`: what the account bought and what it used. The outcome is unknown if one of the two is no possible amount.
pub async fn credit(upstream: &UpstreamClient<'_>) -> UpstreamReply<AccountCredit> {
    let body = safe(upstream, "GET", "/credits").await;
    let read = |body: CreditBody| {
        Some(AccountCredit {
            bought: NanoUsd::from_upstream(body.total_credits)?,
            used: NanoUsd::from_upstream(body.total_usage)?,
        })
    };
    match body.data::<CreditBody>(upstream) {
        UpstreamReply::Is(body) => read(body).map_or(UpstreamReply::Unknown, UpstreamReply::Is),
        UpstreamReply::Missing => UpstreamReply::Missing,
        UpstreamReply::Refused(refused) => UpstreamReply::Refused(refused),
        UpstreamReply::Unknown => UpstreamReply::Unknown,
    }
}

/// Adds up the endpoints of a model: OpenRouter has a row for each.
fn added(rows: Vec<ActivityRow>) -> Option<Vec<UsedRow>> {
    let mut sums: BTreeMap<(UtcDay, String), Used> = BTreeMap::new();
    for row in rows {
        let used = Used {
            cost: NanoUsd::from_upstream(row.usage)?,
            byok: NanoUsd::from_upstream(row.byok_usage_inference)?,
            requests: row.requests,
            prompt: row.prompt_tokens,
            completion: row.completion_tokens,
            reasoning: row.reasoning_tokens,
            cached: row.cached_tokens,
        };
        let of = (UtcDay::parse_beginning(&row.date)?, row.model);
        let sum = sums.entry(of).or_insert(Used::NOTHING);
        *sum = sum.plus(used);
    }
    let rows = sums.into_iter().map(|((day, model), used)| UsedRow {
        day,
        key: String::new(),
        model,
        used,
    });
    Some(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::json::members::read_typed;
    use serde_json::json;

    #[test]
    fn the_endpoints_of_a_model_are_added_up_and_both_forms_of_a_date_are_read() {
        let row = |date: &str, endpoint: &str| {
            json!({ "date": date, "model": "a/b", "model_permaslug": "a/b-1", "endpoint_id": endpoint, "provider_name": "A", "usage": 0.75,
                "byok_usage_inference": 0, "requests": 5, "prompt_tokens": 5000, "completion_tokens": 1250, "reasoning_tokens": 250 })
        };
        let read = |rows| added(read_typed(rows).unwrap());
        let rows = read(json!([
            row("2026-09-17", "one"),
            row("2026-09-17 00:00:00", "two"),
            row("2026-09-18", "one")
        ]))
        .unwrap();
        let [first, second] = &rows[..] else {
            panic!("{rows:?}")
        };
        assert_eq!(
            (
                first.used.cost.nano(),
                first.used.requests,
                first.used.completion
            ),
            (1_500_000_000, 10, 2_500)
        );
        assert_eq!(second.day.to_string(), "2026-09-18");
        assert_eq!(read(json!([row("yesterday", "one")])), None);
    }
}
