//! `/keys` and `/key`.

use super::{
    error,
    key_request::{CREATE_MEMBERS, KeyChanges, NewKey, UPDATE_MEMBERS, unknown_members},
    key_view, members, usual_text,
};
use crate::{
    Sandbox,
    clock::{parse_request_timestamp, timestamp},
    custody,
    generator::sha256_hex,
    ledger::{UpstreamKey, Usage},
    message::{Request, Response, first},
    operation::last_segment,
};
use serde_json::{Value, json};

type Answer = Result<Response, Response>;

/// The size of a page. There is no parameter that changes it.
const PAGE: usize = 100;
const LIST_PARAMETERS: &[&str] = &[
    "offset",
    "include_disabled",
    "include_expired",
    "workspace_id",
];

pub(super) fn create(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let body = members(request)?;
    let unknown = unknown_members(&body, CREATE_MEMBERS);
    for name in &unknown {
        custody::unknown_field(sandbox, request, name, now);
    }
    if !unknown.is_empty() {
        return Err(error(
            400,
            &format!("Unrecognized keys: {}", unknown.join(", ")),
        ));
    }
    let new = NewKey::read(&body).map_err(|problem| error(400, &problem))?;
    let expiry = new.expires_at.as_deref().and_then(parse_request_timestamp);
    if expiry.is_some_and(|expiry| expiry <= now) {
        return Err(error(400, "expires_at: must be in the future"));
    }
    if new
        .workspace_id
        .as_deref()
        .is_some_and(|id| !sandbox.openrouter.has(id))
    {
        return Err(error(400, "workspace_id: no such workspace"));
    }
    let key = mint(sandbox, new, false, now);
    Ok(Response::json(
        201,
        &json!({"data": key_view::key(&key, now), "key": key.secret}),
    ))
}

/// Makes a key and adds it to the ledger. `foreign` says that somebody else makes it.
pub(crate) fn mint(sandbox: &mut Sandbox, new: NewKey, foreign: bool, now: i64) -> UpstreamKey {
    let secret = sandbox.generator.key_secret();
    let hash = sha256_hex(secret.as_bytes());
    let expires_at_ms = new.expires_at.as_deref().and_then(parse_request_timestamp);
    let key = UpstreamKey {
        label: label(&secret),
        secret,
        name: new.name,
        workspace_id: new
            .workspace_id
            .unwrap_or_else(|| sandbox.settings.default_workspace_id.clone()),
        limit: new.limit,
        limit_reset: new.limit_reset,
        expires_at: expires_at_ms.map(timestamp),
        expires_at_ms,
        disabled: false,
        include_byok_in_limit: new.include_byok_in_limit,
        creator_user_id: new.creator_user_id,
        external_user: new.external_user,
        usage: Usage::default(),
        byok_usage: Usage::default(),
        created_at_ms: now,
        updated_at_ms: None,
        last_used_at_ms: None,
        deleted_at_ms: None,
        foreign,
        guardrail: None,
        unshown: Vec::new(),
        hash,
    };
    sandbox.ledger.add_key(key.clone());
    key
}

/// The label of a secret: its first twelve characters, dots, and its last three.
fn label(secret: &str) -> String {
    let end = secret.len().saturating_sub(3);
    format!(
        "{}...{}",
        secret.get(..12).unwrap_or_default(),
        secret.get(end..).unwrap_or_default()
    )
}

/// Lists one workspace, newest first, a hundred rows from `offset`.
pub(super) fn list(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let query = request.query();
    for (name, _) in query
        .iter()
        .filter(|(name, _)| !LIST_PARAMETERS.contains(&name.as_str()))
    {
        custody::unknown_field(sandbox, request, name, now);
    }
    let offset = match first(&query, "offset") {
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| error(400, "offset: Invalid input: expected integer >=0"))?,
        None => 0,
    };
    let with_disabled = flag(&query, "include_disabled")?;
    let with_expired = flag(&query, "include_expired")?;
    let workspace = first(&query, "workspace_id").map_or_else(
        || sandbox.settings.default_workspace_id.clone(),
        |id| id.to_ascii_lowercase(),
    );
    if !sandbox.openrouter.has(&workspace) {
        return Err(error(404, usual_text(404)));
    }
    let shown = |key: &&UpstreamKey| {
        key.deleted_at_ms.is_none()
            && key.workspace_id == workspace
            && (with_disabled || !key.disabled)
            && (with_expired || !key.is_expired(now))
    };
    let newest_first = sandbox.ledger.keys.iter().rev().filter(shown);
    let rows: Vec<Value> = newest_first
        .skip(offset)
        .take(PAGE)
        .map(|key| key_view::key(key, now))
        .collect();
    Ok(Response::json(200, &json!({"data": rows})))
}

fn flag(query: &[(String, String)], name: &str) -> Result<bool, Response> {
    match first(query, name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(error(
            400,
            &format!("{name}: Invalid option: expected true or false"),
        )),
    }
}

pub(super) fn get(sandbox: &Sandbox, request: &Request, now: i64) -> Answer {
    let key = sandbox
        .ledger
        .key(last_segment(request))
        .filter(|key| key.deleted_at_ms.is_none());
    let key = key.ok_or_else(|| error(404, usual_text(404)))?;
    Ok(Response::json(
        200,
        &json!({"data": key_view::key(key, now)}),
    ))
}

/// Changes a key. Unknown members are ignored here, but a body without any known member is refused.
pub(super) fn update(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    let body = members(request)?;
    for name in unknown_members(&body, UPDATE_MEMBERS) {
        custody::unknown_field(sandbox, request, name, now);
    }
    let changes = KeyChanges::read(&body).map_err(|problem| error(400, &problem))?;
    if changes
        .workspace_id
        .as_deref()
        .is_some_and(|id| !sandbox.openrouter.has(id))
    {
        return Err(error(400, "workspace_id: no such workspace"));
    }
    let key = existing(sandbox, request)?;
    apply(key, changes);
    key.updated_at_ms = Some(now);
    Ok(Response::json(
        200,
        &json!({"data": key_view::key(key, now)}),
    ))
}

fn apply(key: &mut UpstreamKey, changes: KeyChanges) {
    let KeyChanges {
        name,
        disabled,
        limit,
        limit_reset,
        include_byok_in_limit,
        workspace_id,
    } = changes;
    key.name = name.unwrap_or_else(|| key.name.clone());
    key.disabled = disabled.unwrap_or(key.disabled);
    key.limit = limit.unwrap_or(key.limit);
    key.limit_reset = limit_reset.unwrap_or(key.limit_reset);
    key.include_byok_in_limit = include_byok_in_limit.unwrap_or(key.include_byok_in_limit);
    key.workspace_id = workspace_id.unwrap_or_else(|| key.workspace_id.clone());
}

pub(super) fn delete(sandbox: &mut Sandbox, request: &Request, now: i64) -> Answer {
    existing(sandbox, request)?.deleted_at_ms = Some(now);
    Ok(Response::json(200, &json!({"deleted": true})))
}

fn existing<'a>(
    sandbox: &'a mut Sandbox,
    request: &Request,
) -> Result<&'a mut UpstreamKey, Response> {
    let key = sandbox
        .ledger
        .key_mut(last_segment(request))
        .filter(|key| key.deleted_at_ms.is_none());
    key.ok_or_else(|| error(404, usual_text(404)))
}

/// Describes the key of the request. `admit` has checked that it is live.
pub(super) fn current(sandbox: &Sandbox, request: &Request, now: i64) -> Answer {
    let bearer = request.credential("bearer").unwrap_or_default();
    let data = match sandbox.ledger.key(&sha256_hex(bearer.as_bytes())) {
        Some(key) => key_view::current(key, now),
        None => key_view::management(&sandbox.settings.default_workspace_id),
    };
    Ok(Response::json(200, &json!({"data": data})))
}
