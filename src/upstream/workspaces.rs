//! OpenRouter's workspaces: where an account's keys are (upstreams/openrouter, section 4).

use super::openrouter::{Reply, Thing, has, safe};
use crate::app::App;

/// Pages of 100 that are asked for at most.
const PAGES: usize = 12;

/// `GET /workspaces/{id}`: whether this credential's account has it. What a 404 or an empty list is worth depends on it (X6).
pub async fn read(app: &App, workspace_id: &str) -> Reply<()> {
    let id: String = url::form_urlencoded::byte_serialize(workspace_id.as_bytes()).collect();
    has(app, &format!("/workspaces/{id}"), workspace_id).await
}

/// `GET /workspaces`, all pages: the ids of the account's workspaces.
pub async fn list(app: &App) -> Reply<Vec<String>> {
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..PAGES {
        let path = format!("/workspaces?limit=100&offset={}", ids.len());
        match safe(app, "GET", &path).await.data::<Vec<Thing>>() {
            Reply::Is(page) if page.is_empty() => return Reply::Is(ids),
            Reply::Is(page) => ids.extend(page.into_iter().map(|one| one.id)),
            other => return other.map(|_| ids),
        }
    }
    // More than anybody has: it is not to be concluded from.
    Reply::Unknown
}
