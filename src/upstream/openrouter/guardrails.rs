//! OpenRouter's guardrails, which restrict what a key may request. A key has one guardrail at most.
//!
//! A change is sent once, since a repeated one could take effect after the next change. The caller decides what a lost
//! answer means.

use crate::upstream::client::UpstreamClient;
use serde_json::{Value, json};

use crate::upstream::openrouter::{self, UpstreamRefusal, UpstreamReply, safe};

/// How many pages of 100 are read at a time.
const PAGES: usize = 10;
/// How many rows two consecutive readings of one list share, because a row that is removed meanwhile moves the others
/// up.
const OVERLAP: usize = 100;

/// `GET /guardrails/{id}`. Answers whether the guardrail exists.
pub async fn read(upstream: &UpstreamClient<'_>, guardrail: &str) -> UpstreamReply<()> {
    // The id becomes part of URLs.
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !(1..=64).contains(&guardrail.len()) || !guardrail.bytes().all(plain) {
        return UpstreamReply::Missing;
    }
    openrouter::has(upstream, &format!("/guardrails/{guardrail}"), guardrail).await
}

/// A change between a key and a guardrail.
#[derive(Clone, Copy)]
pub enum AssignmentChange {
    /// The key gets this guardrail, in place of any other.
    Assign,
    /// The key gets no guardrail, if it has this one now.
    Release,
}

/// Assigns or releases one key. Returns for how many keys that changed something.
pub async fn change(
    upstream: &UpstreamClient<'_>,
    change: AssignmentChange,
    guardrail: &str,
    hash: &str,
) -> UpstreamReply<i64> {
    let (verb, counted) = match change {
        AssignmentChange::Assign => ("", "assigned_count"),
        AssignmentChange::Release => ("/remove", "unassigned_count"),
    };
    let path = format!("/guardrails/{guardrail}/assignments/keys{verb}");
    let Some(call) = openrouter::management(upstream, "POST", &path) else {
        return UpstreamReply::Refused(UpstreamRefusal::Credential);
    };
    let call = call.json(&json!({ "key_hashes": [hash] }));
    match openrouter::read(&upstream.http.send(call).await) {
        UpstreamReply::Is(body) => match body.get(counted).and_then(Value::as_i64) {
            Some(count) => UpstreamReply::Is(count),
            None => UpstreamReply::Unknown,
        },
        other => other.map(|_| 0),
    }
}

/// What a list says about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentSearch {
    /// The id of the key's guardrail, or null if the key has none.
    Has(Value),
    /// The key is not found yet. The list is longer than one reading, and the next reading continues at this offset.
    GoesOn(usize),
}

/// Which guardrail a key has, or null, if an answer did not say. With `guardrail`, the list of that guardrail is read.
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
        let UpstreamReply::Is(body) = safe(upstream, "GET", &path).await else {
            return UpstreamReply::Unknown;
        };
        let Some(page) = body.get("data").and_then(Value::as_array) else {
            return UpstreamReply::Unknown;
        };
        let of_key = |row: &&Value| row.get("key_hash").and_then(Value::as_str) == Some(hash);
        if let Some(found) = page.iter().find(of_key) {
            let guardrail = found.get("guardrail_id").cloned();
            return guardrail.map_or(UpstreamReply::Unknown, |has| {
                UpstreamReply::Is(AssignmentSearch::Has(has))
            });
        }
        if page.is_empty() {
            return UpstreamReply::Is(AssignmentSearch::Has(Value::Null));
        }
        if *page == before {
            // The rows behind this page cannot be seen, so nothing is concluded.
            upstream
                .log
                .note("warn", "list_repeats", json!({ "list": "guardrails" }));
            return UpstreamReply::Unknown;
        }
        before.clone_from(page);
        seen = seen.saturating_add(page.len());
        if let (Some(_), Some(total)) = (guardrail, body.get("total_count").and_then(Value::as_u64))
        {
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
