//! OpenRouter's guardrails, which restrict what a key may request. A key has one guardrail at most.
//!
//! A change is sent once, since a repeated one could take effect after the next change. The caller decides what a lost
//! answer means.

use serde::Deserialize;
use serde_json::json;

use crate::ports::json::members::if_fitting;
use crate::upstream::client::UpstreamClient;
use crate::upstream::openrouter::{self, UpstreamRefusal, UpstreamReply, safe_typed};

/// How many pages of 100 are read at a time.
const PAGES: usize = 10;
/// How many rows two consecutive readings of one list share, because a row that is removed meanwhile moves the others
/// up.
const OVERLAP: usize = 100;

/// `GET /guardrails/{id}`. Answers whether the guardrail exists.
pub async fn read(upstream: &UpstreamClient<'_>, guardrail: &str) -> UpstreamReply<()> {
    if !is_plain(guardrail) {
        return UpstreamReply::Missing;
    }
    openrouter::has(upstream, &format!("/guardrails/{guardrail}"), guardrail).await
}

/// Answers whether an id can stand in an address as it is.
pub(crate) fn is_plain(guardrail: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=64).contains(&guardrail.len()) && guardrail.bytes().all(plain)
}

/// A change between a key and a guardrail.
#[derive(Clone, Copy)]
pub enum AssignmentChange {
    /// The key gets this guardrail, in place of any other.
    Assign,
    /// The key gets no guardrail, if it has this one now.
    Release,
}

#[derive(Deserialize)]
struct AssignmentCount {
    assigned_count: i64,
}

#[derive(Deserialize)]
struct ReleaseCount {
    unassigned_count: i64,
}

/// Assigns or releases one key. Returns for how many keys that changed something.
pub async fn change(
    upstream: &UpstreamClient<'_>,
    change: AssignmentChange,
    guardrail: &str,
    hash: &str,
) -> UpstreamReply<i64> {
    let verb = match change {
        AssignmentChange::Assign => "",
        AssignmentChange::Release => "/remove",
    };
    let path = format!("/guardrails/{guardrail}/assignments/keys{verb}");
    let Some(call) = openrouter::management(upstream, "POST", &path) else {
        return UpstreamReply::Refused(UpstreamRefusal::Credential);
    };
    let call = call.json(&json!({ "key_hashes": [hash] }));
    let changed = openrouter::read(&upstream.http.send(call).await);
    match change {
        AssignmentChange::Assign => changed
            .typed(upstream)
            .map(|body: AssignmentCount| body.assigned_count),
        AssignmentChange::Release => changed
            .typed(upstream)
            .map(|body: ReleaseCount| body.unassigned_count),
    }
}

/// One page of a list of assignments.
#[derive(Deserialize)]
struct AssignmentPage {
    data: Vec<AssignmentRow>,
    #[serde(default, deserialize_with = "if_fitting")]
    total_count: Option<u64>,
}

/// A key and its guardrail. The guardrail may be null, but not missing.
#[derive(Deserialize, PartialEq)]
struct AssignmentRow {
    key_hash: String,
    #[serde(deserialize_with = "Option::deserialize")]
    guardrail_id: Option<String>,
}

/// What a list says about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentSearch {
    /// The id of the key's guardrail, or `None` if the key has none.
    Has(Option<String>),
    /// The key is not found yet. The list is longer than one reading, and the next reading continues at this offset.
    GoesOn(usize),
}

/// Which guardrail a key has, or none. It is unknown if an answer did not say. With `guardrail`, the list of that guardrail is read.
/// Without it, the list of the whole account is read, some pages at a time from `offset` on. Of a long list of one
/// guardrail, both ends are read, since the newest assignments are at one of them.
pub async fn of_key(
    upstream: &UpstreamClient<'_>,
    guardrail: Option<&str>,
    hash: &str,
    offset: usize,
) -> UpstreamReply<AssignmentSearch> {
    let of = guardrail.map_or_else(String::new, |guardrail| format!("/{guardrail}"));
    let mut seen = match guardrail {
        Some(_) => 0,
        None => offset,
    };
    let mut before = Vec::new();
    for _ in 0..PAGES {
        let path = format!("/guardrails{of}/assignments/keys?limit=100&offset={seen}");
        let UpstreamReply::Is(page) = safe_typed::<AssignmentPage>(upstream, "GET", &path).await
        else {
            return UpstreamReply::Unknown;
        };
        let rows = page.data;
        if let Some(found) = rows.iter().find(|row| row.key_hash == hash) {
            return UpstreamReply::Is(AssignmentSearch::Has(found.guardrail_id.clone()));
        }
        if rows.is_empty() {
            return UpstreamReply::Is(AssignmentSearch::Has(None));
        }
        if rows == before {
            // The rows behind this page cannot be seen, so nothing is concluded.
            upstream
                .log
                .note("warn", "list_repeats", json!({ "list": "guardrails" }));
            return UpstreamReply::Unknown;
        }
        seen = seen.saturating_add(rows.len());
        before = rows;
        if let (Some(_), Some(total)) = (guardrail, page.total_count) {
            let total = usize::try_from(total).unwrap_or(0);
            seen = seen.max(total.saturating_sub(100 * (PAGES - 1)));
        }
    }
    match guardrail {
        // The list is longer than any real one, so nothing is concluded.
        Some(_) => UpstreamReply::Unknown,
        None => UpstreamReply::Is(AssignmentSearch::GoesOn(seen.saturating_sub(OVERLAP))),
    }
}
