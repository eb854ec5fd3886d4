//! OpenRouter's analytics: the usage of the whole account, by key and model. Keys come back as their names, and filters
//! take their hashes.
//!
//! Source of what is expected here: OpenRouter's documentation of `POST /analytics/query` and its SDKs. Counts can be texts,
//! a part of the costs that was not used is null, and the time column has one of two names.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::{Value, json};

use crate::domain::money::NanoUsd;
use crate::domain::usage::amounts::Used;
use crate::domain::usage::day::UtcDay;
use crate::upstream::client::{UpstreamClient, send_safe};
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply, management, read, safe};

/// The most rows that an answer has.
pub const MOST_ROWS: usize = 10_000;
/// The most bytes of an answer: 10,000 rows have about 3 MB.
const MOST_BYTES: usize = 8_000_000;
/// The deadline of one attempt in milliseconds. A query over many rows takes longer than a look at one key.
const DEADLINE_MS: u32 = 30_000;

/// The metrics that are asked for, each by the name that it has at OpenRouter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricNames {
    names: [String; METRICS.len()],
}

/// A metric that is asked for: the documented name, a word that its name must have, a word that it must not have, and
/// whether it is an amount of money.
struct WantedMetric {
    name: &'static str,
    word: &'static str,
    other: &'static str,
    is_cost: bool,
}

const fn wanted(
    name: &'static str,
    word: &'static str,
    other: &'static str,
    is_cost: bool,
) -> WantedMetric {
    WantedMetric {
        name,
        word,
        other,
        is_cost,
    }
}

const METRICS: [WantedMetric; 7] = [
    wanted("credits_usage", "credit", "fee", true),
    wanted("byok_usage", "byok", "fee", true),
    wanted("request_count", "request", "byok", false),
    wanted("tokens_prompt", "prompt", "cache", false),
    wanted("tokens_completion", "completion", "reasoning", false),
    wanted("reasoning_tokens", "reasoning", "byok", false),
    wanted("cached_tokens", "cached", "byok", false),
];

impl Default for MetricNames {
    fn default() -> Self {
        Self {
            names: METRICS.map(|metric| metric.name.to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct MetaMetric {
    name: String,
    display_format: String,
}

#[derive(Deserialize)]
struct MetaDimension {
    name: String,
}

#[derive(Deserialize)]
struct MetaBody {
    metrics: Vec<MetaMetric>,
    dimensions: Vec<MetaDimension>,
}

/// `GET /analytics/meta`: the present names of the metrics. It is `None` if one of them, or a dimension, is not there any
/// more, or cannot be told from another.
pub async fn metric_names(upstream: &UpstreamClient<'_>) -> UpstreamReply<Option<MetricNames>> {
    let meta = safe(upstream, "GET", "/analytics/meta").await;
    meta.data::<MetaBody>(upstream).map(|meta| {
        let has = |wanted: &str| {
            meta.dimensions
                .iter()
                .any(|dimension| dimension.name == wanted)
        };
        (has("api_key_id") && has("model"))
            .then(|| names_in(&meta.metrics))
            .flatten()
    })
}

fn names_in(metrics: &[MetaMetric]) -> Option<MetricNames> {
    let names = METRICS.map(|wanted| {
        if metrics.iter().any(|metric| metric.name == wanted.name) {
            return Some(wanted.name.to_owned());
        }
        let fits = |metric: &&MetaMetric| {
            metric.name.contains(wanted.word)
                && !metric.name.contains(wanted.other)
                && (metric.display_format == "currency") == wanted.is_cost
                && METRICS.iter().all(|known| known.name != metric.name)
        };
        let mut fitting = metrics.iter().filter(fits);
        let only = fitting.next().filter(|_| fitting.next().is_none());
        only.map(|metric| metric.name.clone())
    });
    let names: Option<Vec<String>> = names.into_iter().collect();
    names
        .and_then(|names| names.try_into().ok())
        .map(|names| MetricNames { names })
}

/// What is asked for.
pub struct AnalyticsQuery<'a> {
    pub from: UtcDay,
    pub to: UtcDay,
    /// By key and model, or by model alone.
    pub by_key: bool,
    /// Only these keys, by their hashes.
    pub hashes: Option<&'a [String]>,
    pub names: &'a MetricNames,
}

/// What a key used of a model on a day. The key's name is empty if it was not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedRow {
    pub day: UtcDay,
    pub key: String,
    pub model: String,
    pub used: Used,
}

/// The answer of analytics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnalyticsAnswer {
    pub rows: Vec<UsedRow>,
    /// There are more rows than the answer has.
    pub is_truncated: bool,
    /// The names of the keys with a row that has no possible amount.
    pub unreadable: Vec<String>,
}

/// `POST /analytics/query`. A day that was not asked for is left out.
pub async fn usage(
    upstream: &UpstreamClient<'_>,
    query: &AnalyticsQuery<'_>,
) -> UpstreamReply<AnalyticsAnswer> {
    let dimensions = if query.by_key {
        json!(["api_key_id", "model"])
    } else {
        json!(["model"])
    };
    let mut body = json!({
        "metrics": query.names.names,
        "dimensions": dimensions,
        "granularity": "day",
        "time_range": { "start": query.from.start().rfc3339(), "end": query.to.end().rfc3339() },
        "limit": MOST_ROWS,
    });
    if let (Some(hashes), Some(members)) = (query.hashes, body.as_object_mut()) {
        let filter = json!([{ "field": "api_key_id", "operator": "in", "value": hashes }]);
        members.insert(String::from("filters"), filter);
    }
    let answer = match ask(upstream, &body).await {
        UpstreamReply::Is(answer) => UpstreamReply::Is(documented(answer, query.names)),
        other => other,
    };
    answer
        .data::<AnalyticsBody>(upstream)
        .map(|body| read_rows(body, query))
}

async fn ask(upstream: &UpstreamClient<'_>, body: &Value) -> UpstreamReply<Value> {
    let Some(call) = management(upstream, "POST", "/analytics/query") else {
        return UpstreamReply::Refused(UpstreamRefusal::Credential);
    };
    let mut call = call.json(body).within_ms(DEADLINE_MS);
    call.max_bytes = MOST_BYTES;
    // It only reads, so it may be repeated.
    read(&send_safe(upstream, call).await)
}

/// The answer with the documented names of the metrics, in place of their present ones.
fn documented(mut answer: Value, names: &MetricNames) -> Value {
    if *names == MetricNames::default() {
        return answer;
    }
    let rows = answer
        .pointer_mut("/data/data")
        .and_then(Value::as_array_mut);
    for row in rows.into_iter().flatten().filter_map(Value::as_object_mut) {
        for (present, wanted) in names.names.iter().zip(METRICS) {
            if let Some(value) = row.remove(present) {
                row.insert(wanted.name.to_owned(), value);
            }
        }
    }
    answer
}

#[derive(Deserialize)]
struct AnalyticsBody {
    data: Vec<AnalyticsRow>,
    metadata: AnalyticsMetadata,
}

#[derive(Deserialize)]
struct AnalyticsMetadata {
    truncated: bool,
}

#[derive(Deserialize)]
struct AnalyticsRow {
    #[serde(rename = "date__day", alias = "created_at__day")]
    day: String,
    api_key_id: Option<String>,
    model: Option<String>,
    credits_usage: Option<f64>,
    byok_usage: Option<f64>,
    #[serde(deserialize_with = "count")]
    request_count: i64,
    #[serde(deserialize_with = "count")]
    tokens_prompt: i64,
    #[serde(deserialize_with = "count")]
    tokens_completion: i64,
    #[serde(deserialize_with = "count")]
    reasoning_tokens: i64,
    #[serde(deserialize_with = "count")]
    cached_tokens: i64,
}

/// Reads a count: a number, a text of digits, or null, which is none.
pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    struct CountReader;

    impl Visitor<'_> for CountReader {
        type Value = i64;

        fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            to.write_str("a count")
        }

        fn visit_unit<E>(self) -> Result<i64, E> {
            Ok(0)
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
            if value < 0 {
                Err(E::custom("a negative count"))
            } else {
                Ok(value)
            }
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<i64, E> {
            let number = value.parse().map_err(|_| E::custom("no count"))?;
            self.visit_i64(number)
        }
    }

    from.deserialize_any(CountReader)
}

fn read_rows(body: AnalyticsBody, query: &AnalyticsQuery<'_>) -> AnalyticsAnswer {
    let mut answer = AnalyticsAnswer {
        is_truncated: body.metadata.truncated,
        ..AnalyticsAnswer::default()
    };
    for row in body.data {
        let key = row.api_key_id.unwrap_or_default();
        let amount = |usd: Option<f64>| NanoUsd::from_upstream(usd.unwrap_or_default());
        let (Some(day), Some(cost), Some(byok)) = (
            UtcDay::parse_beginning(&row.day),
            amount(row.credits_usage),
            amount(row.byok_usage),
        ) else {
            answer.unreadable.push(key);
            continue;
        };
        if day < query.from || day > query.to {
            continue;
        }
        answer.rows.push(UsedRow {
            day,
            key,
            model: row.model.unwrap_or_default(),
            used: Used {
                cost,
                byok,
                requests: row.request_count,
                prompt: row.tokens_prompt,
                completion: row.tokens_completion,
                reasoning: row.reasoning_tokens,
                cached: row.cached_tokens,
            },
        });
    }
    answer
}

#[derive(Deserialize)]
struct SpendersBody {
    data: Vec<SpenderRow>,
}

#[derive(Deserialize)]
struct SpenderRow {
    api_key_id: Option<String>,
    total_usage: Option<f64>,
}

/// The keys that have spent most on this day, by their names, the largest first: credits and BYOK together.
pub async fn spenders(
    upstream: &UpstreamClient<'_>,
    day: UtcDay,
) -> UpstreamReply<Vec<(String, NanoUsd)>> {
    let body = json!({
        "metrics": ["total_usage"],
        "dimensions": ["api_key_id"],
        "time_range": { "start": day.start().rfc3339(), "end": day.end().rfc3339() },
        "order_by": { "field": "total_usage", "direction": "desc" },
        "limit": MOST_ROWS,
    });
    let answer = ask(upstream, &body).await;
    answer.data::<SpendersBody>(upstream).map(|body| {
        let rows = body.data.into_iter();
        rows.filter_map(|row| Some((row.api_key_id?, NanoUsd::from_upstream(row.total_usage?)?)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::json::members::read_typed;

    fn metric(name: &str, format: &str) -> MetaMetric {
        MetaMetric {
            name: name.to_owned(),
            display_format: format.to_owned(),
        }
    }

    #[test]
    fn a_renamed_metric_is_found_if_only_one_can_be_meant() {
        let mut metrics: Vec<MetaMetric> = METRICS
            .iter()
            .map(|wanted| {
                metric(
                    wanted.name,
                    if wanted.is_cost { "currency" } else { "number" },
                )
            })
            .collect();
        metrics.extend([
            metric("total_usage", "currency"),
            metric("byok_fees", "currency"),
        ]);
        assert_eq!(names_in(&metrics), Some(MetricNames::default()));
        metrics[0].name = String::from("usage_in_credits");
        assert_eq!(names_in(&metrics).unwrap().names[0], "usage_in_credits");
        metrics.push(metric("credit_cost", "currency"));
        assert_eq!(names_in(&metrics), None, "two could be meant");
        metrics.retain(|metric| !metric.name.contains("credit"));
        assert_eq!(names_in(&metrics), None);
    }

    #[test]
    fn rows_are_read_in_all_their_forms_and_days_that_were_not_asked_for_are_left_out() {
        let names = MetricNames::default();
        let day = UtcDay::parse("2026-09-17").unwrap();
        let query = AnalyticsQuery {
            from: day,
            to: day,
            by_key: true,
            hashes: None,
            names: &names,
        };
        let row = |column: &str, value: &str, cost: Value, count: Value| {
            json!({ (column): value, "api_key_id": "k", "model": "m", "credits_usage": cost, "byok_usage": null,
                "request_count": count, "tokens_prompt": "5000", "tokens_completion": 1250, "reasoning_tokens": null, "cached_tokens": "0" })
        };
        let body = json!({ "metadata": { "truncated": true }, "data": [
            row("date__day", "2026-09-17", json!(0.75), json!("5")),
            row("created_at__day", "2026-09-17T00:00:00.000Z", json!(1), json!(5)),
            row("date__day", "2026-09-18", json!(1), json!(5)),
            row("date__day", "2026-09-17", json!(-1), json!(5)),
        ] });
        let answer = read_rows(read_typed(body).unwrap(), &query);
        assert!(answer.is_truncated);
        assert_eq!(answer.unreadable, ["k"]);
        let [first, second] = &answer.rows[..] else {
            panic!("{answer:?}")
        };
        assert_eq!(
            (
                first.used.cost.nano(),
                first.used.requests,
                first.used.prompt
            ),
            (750_000_000, 5, 5_000)
        );
        assert_eq!(
            (second.day, second.used.reasoning, second.used.completion),
            (day, 0, 1_250)
        );
        for count in [json!("five"), json!(-1), json!(1.5), json!([])] {
            let body = json!({ "metadata": { "truncated": false }, "data": [row("date__day", "2026-09-17", json!(1), count)] });
            assert!(read_typed::<AnalyticsBody>(body).is_err());
        }
    }
}
