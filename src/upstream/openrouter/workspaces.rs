//! OpenRouter's workspaces, which contain the keys of an account.

use crate::upstream::client::UpstreamClient;
use serde::Deserialize;
use serde_json::json;

use crate::ports::json::members::if_fitting;
use crate::upstream::openrouter::{UpstreamReply, has, safe, safe_typed};

/// The most pages of 100 that are read.
const PAGES: usize = 12;

/// A workspace as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedWorkspace {
    pub id: String,
    #[serde(default, deserialize_with = "if_fitting")]
    pub name: Option<String>,
}

/// The workspaces of an account, as far as its list shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub workspaces: Vec<ListedWorkspace>,
    /// Whether these are all workspaces. If the list broke off, nothing may be concluded from a workspace that is
    /// missing in it.
    pub is_whole: bool,
}

/// `GET /workspaces/{id}`. Answers whether the account of our credential has it: on that depends what a 404 or an empty
/// list means.
pub async fn read(upstream: &UpstreamClient<'_>, workspace_id: &str) -> UpstreamReply<()> {
    let id: String = url::form_urlencoded::byte_serialize(workspace_id.as_bytes()).collect();
    has(upstream, &format!("/workspaces/{id}"), workspace_id).await
}

#[derive(Deserialize)]
struct WorkspaceBody {
    default_guardrail_id: String,
}

/// `GET /workspaces/{id}`. Returns the id of the guardrail that governs everything in the workspace.
pub async fn default_guardrail(
    upstream: &UpstreamClient<'_>,
    workspace_id: &str,
) -> UpstreamReply<String> {
    let id: String = url::form_urlencoded::byte_serialize(workspace_id.as_bytes()).collect();
    let workspace = safe(upstream, "GET", &format!("/workspaces/{id}")).await;
    let workspace = workspace.data::<WorkspaceBody>(upstream);
    workspace.map(|body| body.default_guardrail_id)
}

#[derive(Deserialize)]
struct WorkspacePage {
    data: Vec<ListedWorkspace>,
    #[serde(default, deserialize_with = "if_fitting")]
    total_count: Option<u64>,
}

/// `GET /workspaces`, page by page, until there are as many as the answer says, or until a page is empty. The list
/// breaks off if a page has nothing new, or after the most pages that are read.
pub async fn list(upstream: &UpstreamClient<'_>) -> UpstreamReply<Listing> {
    let mut listing = Listing {
        workspaces: Vec::new(),
        is_whole: false,
    };
    for _ in 0..PAGES {
        let path = format!("/workspaces?limit=100&offset={}", listing.workspaces.len());
        let page: WorkspacePage = match safe_typed(upstream, "GET", &path).await {
            UpstreamReply::Is(page) => page,
            other => return other.map(|_| listing),
        };
        let (known, is_empty) = (listing.workspaces.len(), page.data.is_empty());
        for one in page.data {
            if !listing.workspaces.iter().any(|known| known.id == one.id) {
                listing.workspaces.push(one);
            }
        }
        let all = page
            .total_count
            .and_then(|total| usize::try_from(total).ok());
        if is_empty || all.is_some_and(|all| all <= listing.workspaces.len()) {
            listing.is_whole = true;
            return UpstreamReply::Is(listing);
        }
        if listing.workspaces.len() == known {
            break;
        }
    }
    upstream
        .log
        .note("warn", "list_repeats", json!({ "list": "workspaces" }));
    UpstreamReply::Is(listing)
}
