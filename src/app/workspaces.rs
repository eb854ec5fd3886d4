//! The workspaces of the account at OpenRouter, as far as keycap shows and stores them.

use crate::app::context::App;
use crate::domain::people::text;
use crate::ports::DbError;
use crate::store::ops::workspaces::{self, ReadName};
use crate::upstream::openrouter::workspaces::ListedWorkspace;

/// A longer name is cut.
const NAME_CHARS: usize = 100;

/// The name of a workspace as it is stored and shown: one line without invisible characters. A workspace whose name
/// cannot be seen has its id as its name.
pub fn name(workspace: &ListedWorkspace) -> String {
    let given: String = (workspace.name.as_deref())
        .unwrap_or_default()
        .chars()
        .take(NAME_CHARS)
        .collect();
    text::line(&given, NAME_CHARS).unwrap_or_else(|_| workspace.id.clone())
}

/// Brings the stored names up to date.
pub async fn refresh(app: &App, listed: &[ListedWorkspace]) -> Result<(), DbError> {
    let names: Vec<String> = listed.iter().map(name).collect();
    let read: Vec<ReadName<'_>> = listed
        .iter()
        .zip(&names)
        .map(|(one, name)| ReadName {
            upstream_id: &one.id,
            name,
        })
        .collect();
    workspaces::rename(&*app.db, &read).await
}
