//! `/workspaces`. The account begins with its default workspace.

use super::{
    error, guardrails::Guardrails, key_request::is_uuid, members, members::WORKSPACE, page,
    read_members, usual_text,
};
use crate::{
    Sandbox,
    clock::timestamp,
    message::{Request, Response},
    operation::last_segment,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Answer = Result<Response, Response>;

const DEFAULT_GUARDRAIL_ID: &str = "5a4db0c5-0000-4000-8000-000000000002";
const CREATED_AT: &str = "2026-01-05T10:30:00Z";
const CREATOR: &str = "user_sandbox_owner";

#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Workspaces as the wire shows them, oldest first.
    workspaces: BTreeMap<u64, Map<String, Value>>,
    pub(super) guardrails: Guardrails,
    pub(super) made: u64,
}

impl State {
    /// An account with nothing but its default workspace.
    pub fn new(default_workspace_id: &str) -> Self {
        let mut default = blank(default_workspace_id, DEFAULT_GUARDRAIL_ID, CREATED_AT);
        default.insert("name".to_owned(), json!("Default"));
        default.insert("slug".to_owned(), json!("default"));
        Self {
            workspaces: BTreeMap::from([(0, default)]),
            guardrails: Guardrails::new(),
            made: 0,
        }
    }
}

impl State {
    pub fn has(&self, id: &str) -> bool {
        self.find(id)
            .is_some_and(|number| self.member(number, "id") == Some(id))
    }

    /// Finds a workspace by its id or slug.
    fn find(&self, reference: &str) -> Option<u64> {
        let named = |workspace: &Map<String, Value>, name: &str| {
            workspace.get(name).and_then(Value::as_str) == Some(reference)
        };
        self.workspaces
            .iter()
            .find(|(_, workspace)| named(workspace, "id") || named(workspace, "slug"))
            .map(|(number, _)| *number)
    }

    /// Returns the id of the guardrail that governs everything in a workspace.
    pub fn default_guardrail(&self, workspace_id: &str) -> Option<&str> {
        self.member(self.find(workspace_id)?, "default_guardrail_id")
    }

    /// Returns the id of the workspace whose default guardrail this is.
    pub fn governed_by(&self, guardrail_id: &str) -> Option<&str> {
        let governs = |workspace: &&Map<String, Value>| {
            let default = workspace.get("default_guardrail_id");
            default.and_then(Value::as_str) == Some(guardrail_id)
        };
        let governed = self.workspaces.values().find(governs);
        governed?.get("id")?.as_str()
    }

    fn member(&self, number: u64, name: &str) -> Option<&str> {
        self.workspaces.get(&number)?.get(name)?.as_str()
    }
}

fn blank(id: &str, guardrail: &str, created_at: &str) -> Map<String, Value> {
    let object = json!({
        "id": id, "name": "", "slug": "", "description": null, "default_guardrail_id": guardrail,
        "default_text_model": null, "default_image_model": null, "default_provider_sort": null,
        "is_observability_io_logging_enabled": false, "is_observability_broadcast_enabled": false,
        "is_data_discount_logging_enabled": true, "io_logging_sampling_rate": 1, "io_logging_api_key_ids": null,
        "created_at": created_at, "updated_at": null, "created_by": CREATOR,
        "include_byok_in_budgets": false, "disabled_server_tools": null,
    });
    object.as_object().cloned().unwrap_or_default()
}

pub(super) fn list(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let workspaces = sandbox.openrouter.workspaces.values();
    let rows = workspaces.cloned().map(Value::Object).collect();
    page(sandbox, request, &[], rows, now)
}

pub(super) fn get(sandbox: &Sandbox, request: &Request, _now: i64) -> Answer {
    let number = existing(sandbox, request)?;
    Ok(show(200, sandbox.openrouter.workspaces.get(&number)))
}

pub(super) fn create(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let body = members(request)?;
    let (known, unknown) = read_members(sandbox, WORKSPACE, request, &body, now)?;
    if !unknown.is_empty() {
        return Err(error(
            400,
            &format!("Unrecognized keys: {}", unknown.join(", ")),
        ));
    }
    if let Some(missing) = ["name", "slug"]
        .into_iter()
        .find(|name| !known.contains_key(*name))
    {
        return Err(error(
            400,
            &format!("{missing}: Invalid input: expected string"),
        ));
    }
    refuse_taken_slug(sandbox, &known, None)?;
    let mut workspace = blank(
        &sandbox.generator.uuid(),
        &sandbox.generator.uuid(),
        &timestamp(now),
    );
    workspace.extend(known);
    let state = &mut sandbox.openrouter;
    state.made += 1;
    let answer = show(201, Some(&workspace));
    state.workspaces.insert(state.made, workspace);
    Ok(answer)
}

pub(super) fn update(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let number = existing(sandbox, request)?;
    let body = members(request)?;
    let (known, _) = read_members(sandbox, WORKSPACE, request, &body, now)?;
    refuse_taken_slug(sandbox, &known, Some(number))?;
    let workspace = sandbox.openrouter.workspaces.entry(number).or_default();
    workspace.extend(known);
    workspace.insert("updated_at".to_owned(), json!(timestamp(now)));
    Ok(show(200, Some(workspace)))
}

/// Deletes a workspace. It is refused while usable keys are in it, and the default workspace also needs a confirmation.
pub(super) fn delete(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let number = existing(sandbox, request)?;
    let id = sandbox.openrouter.member(number, "id").unwrap_or_default();
    if sandbox
        .ledger
        .usable_keys(now)
        .any(|key| key.workspace_id == id)
    {
        return Err(error(400, "Workspace has active API keys"));
    }
    let confirmed = request
        .query_value("confirm_default_workspace_deletion")
        .as_deref()
        == Some("true");
    if id == sandbox.settings.default_workspace_id && !confirmed {
        return Err(error(
            400,
            "Deleting the default workspace needs confirm_default_workspace_deletion=true",
        ));
    }
    sandbox.openrouter.workspaces.remove(&number);
    Ok(Response::json(200, &json!({"deleted": true})))
}

fn refuse_taken_slug(
    sandbox: &Sandbox,
    known: &Map<String, Value>,
    own: Option<u64>,
) -> Result<(), Response> {
    let Some(slug) = known.get("slug").and_then(Value::as_str) else {
        return Ok(());
    };
    let holder = sandbox.openrouter.find(slug);
    let free = holder.is_none() || holder == own;
    free.then_some(())
        .ok_or_else(|| error(400, "slug: already in use"))
}

fn existing(sandbox: &Sandbox, request: &Request) -> Result<u64, Response> {
    let reference = last_segment(request);
    let folded = if is_uuid(reference) {
        reference.to_ascii_lowercase()
    } else {
        reference.to_owned()
    };
    sandbox
        .openrouter
        .find(&folded)
        .ok_or_else(|| error(404, usual_text(404)))
}

fn show(status: u16, workspace: Option<&Map<String, Value>>) -> Response {
    Response::json(status, &json!({"data": workspace}))
}
