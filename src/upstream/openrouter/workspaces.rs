//! OpenRouter's workspaces: where an account's keys are (upstreams/openrouter, section 4).

use crate::upstream::client::UpstreamClient;
use serde_json::{Value, json};

use crate::ports::json::named;
use crate::upstream::openrouter::{Thing, UpstreamReply, has, safe};

/// Pages of 100 that are asked for at most.
const PAGES: usize = 12;

/// The workspaces of an account, as far as its list shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub ids: Vec<String>,
    /// Whether these are all: nothing may be concluded from what is missing in a list that breaks off.
    pub is_whole: bool,
}

/// `GET /workspaces/{id}`: whether this credential's account has it. What a 404 or an empty list is worth depends on it.
pub async fn read(upstream: &UpstreamClient<'_>, workspace_id: &str) -> UpstreamReply<()> {
    let id: String = url::form_urlencoded::byte_serialize(workspace_id.as_bytes()).collect();
    has(upstream, &format!("/workspaces/{id}"), workspace_id).await
}

/// `GET /workspaces`, page by page, until there are as many as it says there are, or an empty page. A list that shows
/// nothing new, or goes on beyond all measure, breaks off.
pub async fn list(upstream: &UpstreamClient<'_>) -> UpstreamReply<Listing> {
    let mut listing = Listing {
        ids: Vec::new(),
        is_whole: false,
    };
    for _ in 0..PAGES {
        let path = format!("/workspaces?limit=100&offset={}", listing.ids.len());
        let (page, total) = match safe(upstream, "GET", &path).await {
            UpstreamReply::Is(body) => match named::<Vec<Thing>>(&body, "data") {
                Some(page) => (page, body.get("total_count").and_then(Value::as_u64)),
                None => return UpstreamReply::Unknown,
            },
            other => return other.map(|_| listing),
        };
        let (known, is_empty) = (listing.ids.len(), page.is_empty());
        for Thing { id } in page {
            if !listing.ids.contains(&id) {
                listing.ids.push(id);
            }
        }
        let all = total.and_then(|total| usize::try_from(total).ok());
        if is_empty || all.is_some_and(|all| all <= listing.ids.len()) {
            listing.is_whole = true;
            return UpstreamReply::Is(listing);
        }
        if listing.ids.len() == known {
            break;
        }
    }
    upstream
        .log
        .note("warn", "list_repeats", json!({ "list": "workspaces" }));
    UpstreamReply::Is(listing)
}
