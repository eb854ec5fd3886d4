//! `/guardrails`: which models keys may use. A guardrail enforces nothing until keys are assigned to it, and a key has
//! at most one.

use super::{
    error, key_request::is_uuid, members, members::GUARDRAIL, page, read_members, usual_text,
};
use crate::{
    Sandbox,
    clock::timestamp,
    custody,
    ledger::{Assignment, UpstreamKey},
    message::{Request, Response, first},
    operation::last_segment,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Answer = Result<Response, Response>;

/// Guardrails as the wire shows them, oldest first.
pub(super) type Guardrails = BTreeMap<u64, Map<String, Value>>;

const CREATOR: &str = "user_sandbox_owner";

/// Answers whether the key's guardrail and its workspace's default guardrail let a call to this model through. The
/// provider of a model is the part of its name before the slash.
pub(crate) fn allows(sandbox: &Sandbox, key: &UpstreamKey, model: &str) -> bool {
    let assigned = key.guardrail.as_ref();
    let assigned = assigned.map(|assigned| assigned.guardrail_id.as_str());
    let default = sandbox.openrouter.default_guardrail(&key.workspace_id);
    let guardrails = [assigned, default].into_iter().flatten();
    let mut guardrails = guardrails.filter_map(|id| find(sandbox, id));
    guardrails.all(|(_, guardrail)| lets_through(guardrail, model))
}

fn lets_through(guardrail: &Map<String, Value>, model: &str) -> bool {
    let provider = model.split('/').next().unwrap_or_default();
    let listed = |list: &str, name: &str| {
        let names = guardrail.get(list).and_then(Value::as_array)?;
        Some(names.iter().any(|listed| listed == name))
    };
    listed("allowed_models", model).unwrap_or(true)
        && !listed("ignored_models", model).unwrap_or(false)
        && listed("allowed_providers", provider).unwrap_or(true)
        && !listed("ignored_providers", provider).unwrap_or(false)
}

fn find<'a>(sandbox: &'a Sandbox, id: &str) -> Option<(u64, &'a Map<String, Value>)> {
    let guardrails = sandbox.openrouter.guardrails.iter();
    guardrails
        .map(|(number, guardrail)| (*number, guardrail))
        .find(|(_, guardrail)| guardrail.get("id").and_then(Value::as_str) == Some(id))
}

fn blank(id: &str, workspace_id: &str, created_at: &str) -> Map<String, Value> {
    let mut guardrail: Map<String, Value> = GUARDRAIL
        .iter()
        .map(|(name, _)| ((*name).to_owned(), Value::Null))
        .collect();
    let set = [
        ("id", json!(id)),
        ("workspace_id", json!(workspace_id)),
        ("include_byok_in_budgets", json!(false)),
        ("created_at", json!(created_at)),
        ("updated_at", Value::Null),
    ];
    guardrail.extend(set.map(|(name, value)| (name.to_owned(), value)));
    guardrail
}

pub(super) fn list(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let workspace = first(&request.query(), "workspace_id")
        .unwrap_or_else(|| sandbox.settings.default_workspace_id.clone());
    if !sandbox.openrouter.has(&workspace) {
        return Err(error(400, "workspace_id: no such workspace"));
    }
    let guardrails = sandbox.openrouter.guardrails.values();
    let filed =
        guardrails.filter(|guardrail| guardrail.get("workspace_id") == Some(&json!(workspace)));
    let rows: Vec<Value> = filed.cloned().map(Value::Object).collect();
    page(sandbox, request, &["workspace_id"], rows, now)
}

pub(super) fn get(sandbox: &mut Sandbox, request: &Request, _now: i64) -> Answer {
    let (_, guardrail) = existing(sandbox, last_segment(request))?;
    Ok(Response::json(200, &json!({ "data": guardrail })))
}

pub(super) fn create(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let mut body = members(request)?;
    let workspace = match body.remove("workspace_id") {
        None => sandbox.settings.default_workspace_id.clone(),
        Some(id) => {
            let id = id.as_str().filter(|id| is_uuid(id));
            let id = id.map(str::to_ascii_lowercase);
            id.filter(|id| sandbox.openrouter.has(id))
                .ok_or_else(|| error(400, "workspace_id: Invalid UUID"))?
        }
    };
    let (known, unknown) = read_members(sandbox, GUARDRAIL, request, &body, now)?;
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(error(400, &format!("Unrecognized keys: {unknown}")));
    }
    if !known.contains_key("name") {
        return Err(error(400, "name: Invalid input: expected string"));
    }
    let mut guardrail = blank(&sandbox.generator.uuid(), &workspace, &timestamp(now));
    guardrail.extend(known);
    whole_budget(&guardrail)?;
    let answer = Response::json(201, &json!({ "data": guardrail }));
    let state = &mut sandbox.openrouter;
    state.made += 1;
    state.guardrails.insert(state.made, guardrail);
    Ok(answer)
}

pub(super) fn update(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let (number, before) = match existing(sandbox, last_segment(request)) {
        Ok(existing) => existing,
        Err(missing) => first_change(sandbox, last_segment(request), now).ok_or(missing)?,
    };
    let body = members(request)?;
    let (known, _) = read_members(sandbox, GUARDRAIL, request, &body, now)?;
    let mut guardrail = before;
    guardrail.extend(known);
    guardrail.insert("updated_at".to_owned(), json!(timestamp(now)));
    whole_budget(&guardrail)?;
    let answer = Response::json(200, &json!({ "data": guardrail }));
    sandbox.openrouter.guardrails.insert(number, guardrail);
    Ok(answer)
}

/// A default guardrail is stored when it is changed for the first time.
fn first_change(sandbox: &mut Sandbox, id: &str, now: i64) -> Option<(u64, Map<String, Value>)> {
    let workspace = sandbox.openrouter.governed_by(id)?.to_owned();
    let mut guardrail = blank(id, &workspace, &timestamp(now));
    let name = format!("Workspace {workspace} Default");
    guardrail.insert("name".to_owned(), json!(name));
    let state = &mut sandbox.openrouter;
    state.made += 1;
    Some((state.made, guardrail))
}

/// Refuses a limit without its window, or a window without its limit.
fn whole_budget(guardrail: &Map<String, Value>) -> Result<(), Response> {
    let is_set = |name: &str| guardrail.get(name).is_some_and(|value| !value.is_null());
    (is_set("limit_usd") == is_set("reset_interval"))
        .then_some(())
        .ok_or_else(|| error(400, "limit_usd and reset_interval come together"))
}

/// Deletes a guardrail. Its keys have no guardrail afterwards.
pub(super) fn delete(sandbox: &mut Sandbox, request: &Request, _now: i64) -> Answer {
    let id = last_segment(request).to_owned();
    let (number, _) = existing(sandbox, &id)?;
    sandbox.openrouter.guardrails.remove(&number);
    for key in &mut sandbox.ledger.keys {
        key.guardrail
            .take_if(|assigned| assigned.guardrail_id == id);
    }
    Ok(Response::json(200, &json!({ "deleted": true })))
}

/// Lists the assignments of the whole account.
pub(super) fn assignments(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let rows = shown(sandbox, |_| true);
    page(sandbox, request, &[], rows, now)
}

pub(super) fn assigned(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let id = id_within(request).to_owned();
    existing(sandbox, &id)?;
    let rows = shown(sandbox, |assigned| assigned.guardrail_id == id);
    page(sandbox, request, &[], rows, now)
}

fn shown(sandbox: &Sandbox, wanted: impl Fn(&Assignment) -> bool) -> Vec<Value> {
    let keys = sandbox.ledger.keys.iter();
    let keys = keys.filter(|key| key.deleted_at_ms.is_none());
    let assigned = keys.filter_map(|key| Some((key, key.guardrail.as_ref()?)));
    assigned
        .filter(|(_, assigned)| wanted(assigned))
        .map(|(key, assigned)| {
            json!({
                "id": assigned.id,
                "guardrail_id": assigned.guardrail_id,
                "key_hash": key.hash,
                "key_name": key.name,
                "key_label": key.label,
                "assigned_by": CREATOR,
                "created_at": timestamp(assigned.created_at_ms),
            })
        })
        .collect()
}

/// Assigns keys, and answers how many were not assigned to this guardrail before. A key with another guardrail gets
/// this one instead.
pub(super) fn assign(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let (id, hashes) = named(sandbox, request, now)?;
    let mut count = 0;
    for hash in hashes {
        let assignment = Assignment {
            id: sandbox.generator.uuid(),
            guardrail_id: id.clone(),
            created_at_ms: now,
        };
        if let Some(key) = sandbox.ledger.key_mut(&hash)
            && key
                .guardrail
                .as_ref()
                .is_none_or(|is| is.guardrail_id != id)
        {
            key.guardrail = Some(assignment);
            count += 1;
        }
    }
    Ok(Response::json(200, &json!({ "assigned_count": count })))
}

pub(super) fn unassign(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let (id, hashes) = named(sandbox, request, now)?;
    let mut count = 0;
    for hash in hashes {
        let key = sandbox.ledger.key_mut(&hash);
        let had = key.and_then(|key| key.guardrail.take_if(|is| is.guardrail_id == id));
        count += usize::from(had.is_some());
    }
    Ok(Response::json(200, &json!({ "unassigned_count": count })))
}

/// The guardrail, and the keys that the body names. All of them exist.
fn named(
    sandbox: &mut Sandbox,
    request: &Request,
    now: i64,
) -> Result<(String, Vec<String>), Response> {
    let body = members(request)?;
    let unknown: Vec<&String> = body.keys().filter(|name| *name != "key_hashes").collect();
    for name in &unknown {
        custody::unknown_field(sandbox, request, name, now);
    }
    let hashes = body.get("key_hashes").and_then(Value::as_array);
    let hashes: Option<Vec<String>> = hashes.and_then(|hashes| {
        let hashes = hashes.iter();
        let hashes = hashes.map(|hash| hash.as_str().filter(|hash| !hash.is_empty()));
        hashes.map(|hash| hash.map(str::to_owned)).collect()
    });
    let hashes = hashes.filter(|hashes| !hashes.is_empty() && unknown.is_empty());
    let hashes = hashes.ok_or_else(|| error(400, "key_hashes: Invalid input"))?;
    let id = id_within(request).to_owned();
    existing(sandbox, &id)?;
    let key = |hash: &String| sandbox.ledger.key(hash);
    let there = |hash: &String| key(hash).is_some_and(|key| key.deleted_at_ms.is_none());
    if !hashes.iter().all(there) {
        return Err(error(404, usual_text(404)));
    }
    Ok((id, hashes))
}

/// The id in `/guardrails/{id}/assignments/keys`.
fn id_within(request: &Request) -> &str {
    let (_, rest) = request
        .path()
        .split_once("/guardrails/")
        .unwrap_or_default();
    rest.split('/').next().unwrap_or_default()
}

fn existing(sandbox: &Sandbox, id: &str) -> Result<(u64, Map<String, Value>), Response> {
    let found = find(sandbox, id).map(|(number, guardrail)| (number, guardrail.clone()));
    found.ok_or_else(|| error(404, usual_text(404)))
}
