//! Usage as a CSV file (RFC 4180), for a spreadsheet: a byte order mark, lines that end with CR LF, amounts as bare
//! numbers, and texts that no spreadsheet takes for a formula or a number.

use std::borrow::Cow;
use std::collections::BTreeMap;

use csv::{Terminator, Writer, WriterBuilder};

use crate::app::error::Error;
use crate::domain::usage::day::UtcDay;
use crate::domain::usage::progress::{Certainty, REACHES_BACK_DAYS};
use crate::domain::usage::range::Bucket;
use crate::http::api::usage::body::{UsageAmounts, UsageBody, UsageBucketBody, UsageSeriesBody};
use crate::http::server::reply::Reply;
use crate::store::usage::days::DayRow;
use crate::store::usage::panel::UsageLabel;

/// The media type of the file.
pub const CSV: &str = "text/csv; charset=utf-8";

/// Without it, spreadsheets read the file in an encoding of their system.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The columns after those of the groups.
const AMOUNTS: [&str; 9] = [
    "spend_usd",
    "cost_usd",
    "not_broken_down_usd",
    "byok_usd",
    "requests",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cached_tokens",
];

/// Returns the first completed day of the buckets that is not read completely although OpenRouter still reports it.
pub(super) fn unread(buckets: &[Bucket], known: &[DayRow], today: UtcDay) -> Option<UtcDay> {
    let known: BTreeMap<i64, &DayRow> = known.iter().map(|row| (row.day, row)).collect();
    let (first, last) = (buckets.first()?.first, buckets.last()?.last);
    let first = first.max(today.plus(REACHES_BACK_DAYS.saturating_neg()));
    let days = first.number()..=last.min(today.plus(-1)).number();
    days.map(UtcDay::from_number).find(|day| {
        !known
            .get(&day.number())
            .is_some_and(|row| row.is_rolled || row.read_day().is_good())
    })
}

/// Answers with the file. Its name has the range and says that the days are UTC days.
pub(super) fn reply(body: &UsageBody) -> Result<Reply, Error> {
    let name = format!("keycap-usage_{}_{}_UTC.csv", body.from, body.to);
    let content = content(body).map_err(|_| Error::Internal)?;
    Ok(Reply::file(CSV, &name, content))
}

fn content(body: &UsageBody) -> Result<Vec<u8>, csv::Error> {
    let mut file = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(BYTE_ORDER_MARK.to_vec());
    file.write_record(header(body))?;
    for (n, bucket) in body.buckets.iter().enumerate() {
        let known = body
            .series
            .iter()
            .filter_map(|series| Some((series, series.values.get(n)?.as_ref()?)));
        let mut is_empty = true;
        for (series, amounts) in known {
            is_empty = false;
            write_row(&mut file, body, bucket, Some(series), Some(amounts))?;
        }
        // A time without any group has its row, too: a gap is not a zero.
        if is_empty {
            write_row(&mut file, body, bucket, None, bucket.totals.as_ref())?;
        }
    }
    file.into_inner()
        .map_err(|failed| csv::Error::from(failed.into_error()))
}

/// The names of the columns. The first one is not `ID`: a spreadsheet would take the file for another format.
fn header(body: &UsageBody) -> Vec<String> {
    let groups = body.groups.iter().flat_map(|group| {
        let name = group.name();
        [name.to_owned(), format!("{name}_id")]
    });
    ["from", "to", "kind"]
        .map(str::to_owned)
        .into_iter()
        .chain(groups)
        .chain(AMOUNTS.map(str::to_owned))
        .chain(["settled", "as_of", "source"].map(str::to_owned))
        .collect()
}

fn write_row(
    file: &mut Writer<Vec<u8>>,
    body: &UsageBody,
    bucket: &UsageBucketBody,
    series: Option<&UsageSeriesBody>,
    amounts: Option<&UsageAmounts>,
) -> Result<(), csv::Error> {
    let kind = match (series, amounts) {
        (Some(series), _) => series.kind.as_str(),
        (None, Some(_)) => "nothing",
        (None, None) => "unknown",
    };
    let mut row = vec![
        bucket.from.to_string(),
        bucket.to.to_string(),
        kind.to_owned(),
    ];
    let labels = [
        series.and_then(|series| series.one.as_ref()),
        series.and_then(|series| series.two.as_ref()),
    ];
    for label in labels.iter().take(body.groups.len()) {
        row.extend(label_cells(*label));
    }
    row.extend(amount_cells(amounts));
    let as_of = bucket.as_of.map(|at| at.rfc3339()).unwrap_or_default();
    row.push(settled(bucket.certainty).to_owned());
    row.push(as_of);
    row.push(text_cell(bucket.source.as_deref().unwrap_or_default()).into_owned());
    file.write_record(row)
}

/// The name and the id of a group.
fn label_cells(label: Option<&UsageLabel>) -> [String; 2] {
    let of = |text: Option<&String>| text_cell(text.map_or("", String::as_str)).into_owned();
    [
        of(label.and_then(|label| label.name.as_ref())),
        of(label.and_then(|label| label.id.as_ref())),
    ]
}

/// What is not known is empty.
fn amount_cells(amounts: Option<&UsageAmounts>) -> [String; AMOUNTS.len()] {
    let Some(amounts) = amounts else {
        return [const { String::new() }; AMOUNTS.len()];
    };
    [
        amounts.spend_usd.to_string(),
        amounts.cost_usd.to_string(),
        amounts.not_broken_down_usd.to_string(),
        amounts.byok_usd.to_string(),
        amounts.requests.to_string(),
        amounts.prompt_tokens.to_string(),
        amounts.completion_tokens.to_string(),
        amounts.reasoning_tokens.to_string(),
        amounts.cached_tokens.to_string(),
    ]
}

const fn settled(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Settled | Certainty::ByMonth => "yes",
        Certainty::Open => "no",
        Certainty::Unknown => "unknown",
    }
}

/// A text that no spreadsheet runs as a formula, and that none reads as a number, which would lose the digits of a long
/// id: such a text gets an apostrophe in front. Source of the signs: OWASP, "CSV Injection".
fn text_cell(text: &str) -> Cow<'_, str> {
    let is_formula = text.starts_with(['\t', '\r', '\n'])
        || text
            .trim_start()
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let is_number = text.trim().parse::<f64>().is_ok();
    if is_formula || is_number {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}
