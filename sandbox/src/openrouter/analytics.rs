//! `/analytics/meta` and `/analytics/query`: usage of the whole account, by up to two dimensions. Keys come back as their
//! names; filters take their hashes.

use super::{error, members, rate_limited};
use crate::{
    Sandbox,
    clock::{DAY_MS, parse_request_timestamp, timestamp},
    custody,
    ledger::UpstreamKey,
    message::{Request, Response},
    money::Usd,
    usage::{Sums, Use},
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

type Answer = Result<Response, Response>;

/// OpenRouter allows so many requests to analytics in a minute.
const A_MINUTE: usize = 64;
const MINUTE_MS: i64 = 60_000;
const USUAL_ROWS: u64 = 1_000;
const MOST_ROWS: u64 = 10_000;
const MOST_DIMENSIONS: usize = 2;
const MOST_FILTERS: usize = 20;
const MEMBERS: &[&str] = &[
    "metrics",
    "dimensions",
    "granularity",
    "time_range",
    "filters",
    "order_by",
    "limit",
];
const DIMENSIONS: &[&str] = &["api_key_id", "model", "workspace"];
const METRICS: &[(&str, &str)] = &[
    ("request_count", "number"),
    ("tokens_total", "number"),
    ("tokens_prompt", "number"),
    ("tokens_completion", "number"),
    ("reasoning_tokens", "number"),
    ("cached_tokens", "number"),
    ("byok_request_count", "number"),
    ("total_usage", "currency"),
    ("credits_usage", "currency"),
    ("byok_usage", "currency"),
];

pub(super) fn meta(sandbox: &Sandbox) -> Response {
    let metrics = METRICS.iter().map(|(name, format)| {
        let name = told(sandbox, name);
        json!({"name": name, "display_label": name, "is_rate": false, "display_format": format})
    });
    let dimensions = DIMENSIONS
        .iter()
        .map(|name| json!({"name": name, "display_label": name}));
    let operators = [
        ("eq", "scalar"),
        ("neq", "scalar"),
        ("in", "array"),
        ("not_in", "array"),
    ]
    .map(|(name, kind)| json!({"name": name, "value_type": kind}));
    let granularities = ["day"].map(|name| json!({"name": name, "display_label": name}));
    let data = json!({
        "metrics": metrics.collect::<Vec<_>>(),
        "dimensions": dimensions.collect::<Vec<_>>(),
        "operators": operators,
        "granularities": granularities,
    });
    Response::json(200, &json!({ "data": data }))
}

/// The name that a metric has at present.
fn told<'a>(sandbox: &'a Sandbox, name: &'a str) -> &'a str {
    if name == "credits_usage" {
        &sandbox.reports.credits_metric
    } else {
        name
    }
}

/// A query that can be answered.
struct Query {
    metrics: Vec<String>,
    dimensions: Vec<String>,
    by_day: bool,
    start: i64,
    end: i64,
    filters: Vec<Filter>,
    order: Option<(String, bool)>,
    limit: usize,
}

struct Filter {
    field: String,
    wants: bool,
    values: BTreeSet<String>,
}

pub(super) fn query(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let calls = &mut sandbox.analytics_calls;
    calls.retain(|at| *at > now - MINUTE_MS);
    if calls.len() >= A_MINUTE {
        return Err(rate_limited());
    }
    calls.push(now);
    let body = members(request)?;
    let unknown: Vec<String> = body
        .keys()
        .filter(|name| !MEMBERS.contains(&name.as_str()))
        .cloned()
        .collect();
    for name in &unknown {
        custody::unknown_field(sandbox, request, name, now);
    }
    if !unknown.is_empty() {
        return Err(error(
            400,
            &format!("Unrecognized keys: {}", unknown.join(", ")),
        ));
    }
    let query = read(sandbox, &body, now)?;
    Ok(Response::json(
        200,
        &json!({ "data": answer(sandbox, &query, now) }),
    ))
}

fn bad(what: &str) -> Response {
    error(400, what)
}

fn read(sandbox: &Sandbox, body: &Map<String, Value>, now: i64) -> Result<Query, Response> {
    let words = |name: &str| -> Result<Vec<String>, Response> {
        let list = body.get(name).map_or(Some(Vec::new()), |list| {
            let list = list.as_array()?;
            list.iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect()
        });
        list.ok_or_else(|| bad(&format!("{name}: expected array of strings")))
    };
    let (metrics, dimensions) = (words("metrics")?, words("dimensions")?);
    if metrics.is_empty() {
        return Err(bad("metrics: Too small: expected array to have >=1 items"));
    }
    if dimensions.len() > MOST_DIMENSIONS {
        return Err(bad("dimensions: Too big: expected array to have <=2 items"));
    }
    let known = |metric: &String| {
        METRICS
            .iter()
            .any(|(name, _)| told(sandbox, name) == metric)
    };
    if let Some(metric) = metrics.iter().find(|metric| !known(metric)) {
        return Err(bad(&format!("metrics: Invalid option: {metric}")));
    }
    if let Some(other) = dimensions
        .iter()
        .find(|name| !DIMENSIONS.contains(&name.as_str()))
    {
        return Err(bad(&format!("dimensions: Invalid option: {other}")));
    }
    let granularity = body
        .get("granularity")
        .map(|value| value.as_str().unwrap_or_default());
    if granularity.is_some_and(|granularity| granularity != "day") {
        return Err(bad("granularity: only days are played here"));
    }
    let (start, end) = range(body, now)?;
    let limit = body.get("limit").map_or(Some(USUAL_ROWS), Value::as_u64);
    let limit = limit
        .filter(|limit| (1..=MOST_ROWS).contains(limit))
        .ok_or_else(|| bad("limit: expected 1 to 10000"))?;
    let order = match body.get("order_by") {
        None => None,
        Some(order) => Some(order_by(order, &metrics, &dimensions)?),
    };
    Ok(Query {
        filters: filters(sandbox, body)?,
        by_day: granularity.is_some(),
        start,
        end,
        order,
        limit: usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .min(sandbox.reports.most_rows),
        metrics,
        dimensions,
    })
}

fn range(body: &Map<String, Value>, now: i64) -> Result<(i64, i64), Response> {
    let Some(range) = body.get("time_range") else {
        return Ok((now - 7 * DAY_MS, now));
    };
    let moment = |name: &str| {
        let text = range.get(name).and_then(Value::as_str);
        text.and_then(parse_request_timestamp)
            .ok_or_else(|| bad(&format!("time_range.{name}: Invalid ISO datetime")))
    };
    Ok((moment("start")?, moment("end")?))
}

fn order_by(
    order: &Value,
    metrics: &[String],
    dimensions: &[String],
) -> Result<(String, bool), Response> {
    let field = order
        .get("field")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let known = metrics.iter().chain(dimensions).any(|name| name == field) || field == "date";
    match order.get("direction").and_then(Value::as_str) {
        Some(direction @ ("asc" | "desc")) if known => Ok((field.to_owned(), direction == "desc")),
        _ => Err(bad("order_by: Invalid input")),
    }
}

fn filters(sandbox: &Sandbox, body: &Map<String, Value>) -> Result<Vec<Filter>, Response> {
    let Some(list) = body.get("filters") else {
        return Ok(Vec::new());
    };
    let list = list
        .as_array()
        .ok_or_else(|| bad("filters: expected array"))?;
    if list.len() > MOST_FILTERS {
        return Err(bad("filters: Too big: expected array to have <=20 items"));
    }
    list.iter()
        .map(|filter| read_filter(sandbox, filter))
        .collect()
}

fn read_filter(sandbox: &Sandbox, filter: &Value) -> Result<Filter, Response> {
    let text = |name: &str| filter.get(name).and_then(Value::as_str).unwrap_or_default();
    let field = text("field");
    if !DIMENSIONS.contains(&field) {
        return Err(bad("filters.field: Invalid option"));
    }
    let value = filter.get("value").unwrap_or(&Value::Null);
    let is_list = ["in", "not_in"].contains(&text("operator"));
    let values = match value {
        Value::Array(values) if is_list => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect(),
        Value::String(one) if !is_list => Some(BTreeSet::from([one.clone()])),
        _ => None,
    };
    let values: BTreeSet<String> = values.ok_or_else(|| bad("filters.value: Invalid input"))?;
    if values.len() > sandbox.reports.most_in_list {
        return Err(bad("filters.value: Too big"));
    }
    Ok(Filter {
        field: field.to_owned(),
        wants: match text("operator") {
            "eq" | "in" => true,
            "neq" | "not_in" => false,
            _ => return Err(bad("filters.operator: Invalid option")),
        },
        values,
    })
}

fn answer(sandbox: &Sandbox, query: &Query, now: i64) -> Value {
    let mut sums: BTreeMap<Vec<String>, Sums> = BTreeMap::new();
    for one in sandbox.uses.shown(query.start, query.end, now) {
        let Some(key) = sandbox.ledger.keys.get(one.key) else {
            continue;
        };
        if (sandbox.reports.forgets_deleted && key.deleted_at_ms.is_some())
            || !passes(sandbox, query, key, one)
        {
            continue;
        }
        let mut group: Vec<String> = query
            .dimensions
            .iter()
            .map(|name| value_of(sandbox, name, key, one))
            .collect();
        if query.by_day {
            group.push(day_of(sandbox, one.at_ms));
        }
        sums.entry(group).or_default().add(one);
    }
    let mut rows: Vec<Map<String, Value>> = sums
        .iter()
        .map(|(group, sums)| row(sandbox, query, group, sums))
        .collect();
    if let Some((field, is_falling)) = &query.order {
        let amount =
            |row: &Map<String, Value>| row.get(field).and_then(Value::as_f64).unwrap_or_default();
        rows.sort_by(|one, other| {
            let order = amount(one).total_cmp(&amount(other));
            if *is_falling { order.reverse() } else { order }
        });
    }
    let is_truncated = rows.len() > query.limit;
    rows.truncate(query.limit);
    let unknown = unknown_hashes(sandbox, query);
    let metadata = json!({"query_time_ms": 42, "row_count": rows.len(), "truncated": is_truncated});
    let mut data = json!({"data": rows, "metadata": metadata, "cachedAt": now});
    if let (Some(members), false) = (data.as_object_mut(), unknown.is_empty()) {
        members.insert("warnings".to_owned(), json!(unknown));
    }
    data
}

/// A hash that belongs to no key gives no rows and a warning.
fn unknown_hashes(sandbox: &Sandbox, query: &Query) -> Vec<String> {
    let keys = query
        .filters
        .iter()
        .filter(|filter| filter.field == "api_key_id");
    let unknown = keys
        .flat_map(|filter| &filter.values)
        .filter(|hash| sandbox.ledger.key(hash).is_none());
    unknown
        .map(|hash| {
            format!(
                "Could not resolve api_key_id hash: {}...",
                hash.chars().take(6).collect::<String>()
            )
        })
        .collect()
}

fn passes(sandbox: &Sandbox, query: &Query, key: &UpstreamKey, one: &Use) -> bool {
    query.filters.iter().all(|filter| {
        let value = match filter.field.as_str() {
            "api_key_id" => key.hash.clone(),
            field => value_of(sandbox, field, key, one),
        };
        filter.values.contains(&value) == filter.wants
    })
}

fn value_of(sandbox: &Sandbox, dimension: &str, key: &UpstreamKey, one: &Use) -> String {
    match dimension {
        "api_key_id" => key.name.clone(),
        "workspace" => key.workspace_id.clone(),
        _ => sandbox
            .uses
            .models
            .get(one.model)
            .cloned()
            .unwrap_or_default(),
    }
}

fn day_of(sandbox: &Sandbox, at_ms: i64) -> String {
    let day = timestamp(at_ms.div_euclid(DAY_MS) * DAY_MS);
    if sandbox.reports.times {
        day.replace('Z', ".000Z")
    } else {
        day.chars().take(10).collect()
    }
}

fn row(sandbox: &Sandbox, query: &Query, group: &[String], sums: &Sums) -> Map<String, Value> {
    let mut row = Map::new();
    let mut values = group.iter();
    for (name, value) in query.dimensions.iter().zip(values.by_ref()) {
        row.insert(name.clone(), json!(value));
    }
    if let Some(day) = values.next() {
        let column = if sandbox.reports.created_at_column {
            "created_at__day"
        } else {
            "date__day"
        };
        row.insert(column.to_owned(), json!(day));
    }
    for metric in &query.metrics {
        row.insert(metric.clone(), figure(sandbox, metric, sums));
    }
    row
}

/// Counts are texts; a part of the costs that was not used is null.
fn figure(sandbox: &Sandbox, metric: &str, sums: &Sums) -> Value {
    let count = |count: i64| {
        if sandbox.reports.numeric_counts {
            json!(count)
        } else {
            json!(count.to_string())
        }
    };
    let cost = |cost: Usd| {
        if cost == Usd::ZERO {
            Value::Null
        } else {
            cost.to_json()
        }
    };
    match metric {
        "request_count" => count(sums.requests),
        "tokens_total" => count(sums.prompt + sums.completion),
        "tokens_prompt" => count(sums.prompt),
        "tokens_completion" => count(sums.completion),
        "reasoning_tokens" => count(sums.reasoning),
        "cached_tokens" => count(sums.cached),
        "byok_request_count" => count(sums.byok_requests),
        "byok_usage" => cost(sums.byok),
        "total_usage" => {
            let mut total = sums.credits;
            total += sums.byok;
            total.to_json()
        }
        _ => cost(sums.credits),
    }
}
