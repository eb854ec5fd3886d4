//! Every request we accept and every JSON answer of the right shape is valid against the upstream's schemas.

use crate::common::*;
use jsonschema::Validator;
use sandbox::{Delivery, Fault, FaultKind, Operation, Sandbox};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

struct Schemas {
    document: Value,
    compiled: BTreeMap<String, Validator>,
}

impl Schemas {
    fn load() -> Self {
        let document: Value =
            serde_json::from_str(include_str!("../schemas/openrouter.json")).unwrap();
        Self {
            document,
            compiled: BTreeMap::new(),
        }
    }

    fn check(&mut self, name: &str, value: &Value, context: &str) {
        let definitions = self.document["$defs"].clone();
        assert!(definitions.get(name).is_some(), "no schema {name}");
        let root = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions, "$ref": format!("#/$defs/{name}")});
        let validator = self
            .compiled
            .entry(name.to_owned())
            .or_insert_with(|| strict(&root));
        let problems: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        assert!(
            problems.is_empty(),
            "{context}: {name}: {problems:?}\n{value}"
        );
    }
}

/// Formats are checked too: a date that is only shaped like one is none.
fn strict(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
}

/// One call of each operation that must succeed: path, body, and the names of its schemas.
struct Exchange {
    operation: Operation,
    method: &'static str,
    path: String,
    body: Option<Value>,
    request: Option<&'static str>,
    response: &'static str,
}

fn full_key() -> Value {
    json!({
        "name": "keycap/test/1", "limit": 5.5, "limit_reset": "weekly", "include_byok_in_limit": true, "expires_at": "2026-11-13T12:00:00.250Z",
        "creator_user_id": "user_role", "workspace_id": "5a4db0c5-0000-4000-8000-000000000001", "external": {"user": "acct"},
    })
}

fn full_guardrail() -> Value {
    json!({
        "name": "Cheap", "description": null, "limit_usd": 5, "reset_interval": "weekly", "allowed_models": ["cheap/one"],
        "ignored_providers": ["slow"], "allowed_data_regions": ["europe"], "enforce_zdr_openai": true,
        "workspace_id": "5a4db0c5-0000-4000-8000-000000000001",
    })
}

fn full_query(hash: &str) -> Value {
    json!({
        "metrics": ["credits_usage", "byok_usage", "request_count"], "dimensions": ["api_key_id", "model"], "granularity": "day",
        "time_range": {"start": "2026-08-15T00:00:00Z", "end": "2026-08-16T00:00:00Z"},
        "filters": [{"field": "api_key_id", "operator": "in", "value": [hash, "0".repeat(64)]}],
        "order_by": {"field": "credits_usage", "direction": "desc"}, "limit": 10_000,
    })
}

fn exchanges(hash: &str, guardrail: &str) -> Vec<Exchange> {
    let exchange =
        |operation, method, path: &str, response, body: Option<(&'static str, Value)>| {
            let (request, body) = body.unzip();
            Exchange {
                operation,
                method,
                path: path.to_owned(),
                body,
                request,
                response,
            }
        };
    let key = format!("/keys/{hash}");
    let workspace = json!({"name": "Team", "slug": "team-2", "description": null, "io_logging_sampling_rate": 0.5, "disabled_server_tools": ["web"]});
    let assigned = format!("{guardrail}/assignments/keys");
    let keys = json!({ "key_hashes": [hash] });
    let mut all = vec![
        exchange(
            Operation::GuardrailsList,
            "GET",
            "/guardrails",
            "GuardrailListResponse",
            None,
        ),
        exchange(
            Operation::GuardrailsCreate,
            "POST",
            "/guardrails",
            "GuardrailResponse",
            Some(("GuardrailCreateRequest", full_guardrail())),
        ),
        exchange(
            Operation::GuardrailsGet,
            "GET",
            guardrail,
            "GuardrailResponse",
            None,
        ),
        exchange(
            Operation::GuardrailsUpdate,
            "PATCH",
            guardrail,
            "GuardrailResponse",
            Some((
                "GuardrailUpdateRequest",
                json!({ "allowed_models": ["cheap/one"] }),
            )),
        ),
        exchange(
            Operation::GuardrailsAssign,
            "POST",
            &assigned,
            "AssignedCountResponse",
            Some(("GuardrailKeysBulkRequest", keys.clone())),
        ),
        exchange(
            Operation::GuardrailsAssigned,
            "GET",
            &assigned,
            "KeyAssignmentListResponse",
            None,
        ),
        exchange(
            Operation::GuardrailsAssignments,
            "GET",
            "/guardrails/assignments/keys",
            "KeyAssignmentListResponse",
            None,
        ),
        exchange(
            Operation::GuardrailsUnassign,
            "POST",
            &format!("{assigned}/remove"),
            "UnassignedCountResponse",
            Some(("GuardrailKeysBulkRequest", keys)),
        ),
        exchange(
            Operation::GuardrailsDelete,
            "DELETE",
            guardrail,
            "DeletedResponse",
            None,
        ),
    ];
    all.extend([
        exchange(
            Operation::KeysCreate,
            "POST",
            "/keys",
            "KeyCreateResponse",
            Some(("KeyCreateRequest", full_key())),
        ),
        exchange(Operation::KeysList, "GET", "/keys", "KeyListResponse", None),
        exchange(Operation::KeysGet, "GET", &key, "KeyResponse", None),
        exchange(
            Operation::KeysUpdate,
            "PATCH",
            &key,
            "KeyResponse",
            Some((
                "KeyUpdateRequest",
                json!({"limit": null, "disabled": false}),
            )),
        ),
        exchange(
            Operation::KeyCurrent,
            "GET",
            "/key",
            "CurrentKeyResponse",
            None,
        ),
        exchange(
            Operation::WorkspacesList,
            "GET",
            "/workspaces",
            "WorkspaceListResponse",
            None,
        ),
        exchange(
            Operation::WorkspacesCreate,
            "POST",
            "/workspaces",
            "WorkspaceResponse",
            Some(("WorkspaceCreateRequest", workspace)),
        ),
        exchange(
            Operation::WorkspacesGet,
            "GET",
            "/workspaces/default",
            "WorkspaceResponse",
            None,
        ),
        exchange(
            Operation::WorkspacesUpdate,
            "PATCH",
            "/workspaces/default",
            "WorkspaceResponse",
            Some(("WorkspaceUpdateRequest", json!({"description": "d"}))),
        ),
        exchange(
            Operation::CreditsGet,
            "GET",
            "/credits",
            "CreditsResponse",
            None,
        ),
        exchange(
            Operation::ActivityGet,
            "GET",
            "/activity",
            "ActivityResponse",
            None,
        ),
        exchange(
            Operation::AnalyticsMeta,
            "GET",
            "/analytics/meta",
            "AnalyticsMetaResponse",
            None,
        ),
        exchange(
            Operation::AnalyticsQuery,
            "POST",
            "/analytics/query",
            "AnalyticsQueryResponse",
            Some(("AnalyticsQueryRequest", full_query(hash))),
        ),
        exchange(
            Operation::KeysDelete,
            "DELETE",
            &key,
            "KeyDeleteResponse",
            None,
        ),
        exchange(
            Operation::WorkspacesDelete,
            "DELETE",
            "/workspaces/team",
            "DeletedResponse",
            None,
        ),
    ]);
    all
}

/// A sandbox with a used key, an empty workspace and a guardrail; the key's hash and the guardrail's path.
fn furnished() -> (Sandbox, String, String) {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, full_key());
    sandbox.book_usage(&hash, sandbox::Usd::from_dollars(0.123_456_789), NOON);
    call(
        &mut sandbox,
        "POST",
        "/workspaces",
        Some(json!({"name": "Team", "slug": "team"})),
    );
    let (_, made) = call(&mut sandbox, "POST", "/guardrails", Some(full_guardrail()));
    let path = format!("/guardrails/{}", made["data"]["id"].as_str().unwrap());
    (sandbox, hash, path)
}

#[test]
fn every_operation_answers_within_the_schemas() {
    let mut schemas = Schemas::load();
    let (mut sandbox, hash, guardrail) = furnished();
    let exchanges = exchanges(&hash, &guardrail);
    let covered: BTreeSet<Operation> = exchanges
        .iter()
        .map(|exchange| exchange.operation)
        .collect();
    let played: BTreeSet<Operation> = Operation::ALL
        .iter()
        .copied()
        .filter(|operation| operation.as_str().starts_with("openrouter."))
        // They are no operations of the management key; `sign_ins.rs` plays them.
        .filter(|operation| !operation.is_page() && *operation != Operation::OpenrouterExchange)
        .collect();
    assert_eq!(covered, played);
    for exchange in exchanges {
        let Exchange {
            operation,
            method,
            path,
            body,
            request,
            response,
        } = exchange;
        if let (Some(name), Some(body)) = (request, &body) {
            schemas.check(name, body, operation.as_str());
        }
        let (status, value) = call(&mut sandbox, method, &path, body);
        assert!(
            (200..300).contains(&status),
            "{} {status} {value}",
            operation.as_str()
        );
        schemas.check(response, &value, operation.as_str());
    }
}

#[test]
fn the_caller_is_described_within_the_schema_whichever_key_asks() {
    let mut schemas = Schemas::load();
    let mut sandbox = Sandbox::default();
    for body in [json!({"name": "unlimited"}), full_key()] {
        let (_, secret) = mint(&mut sandbox, body);
        let own = answer(
            &mut sandbox,
            &with_bearer(&secret, "GET", "/key", None),
            NOON,
        );
        assert_eq!(own.status, 200);
        schemas.check("CurrentKeyResponse", &own.value(), "GET /key");
    }
}

/// Kinds whose success answer keeps its shape, and kinds that answer with the error object.
const SHAPED: &[&str] = &[
    "echo_limit_missing",
    "echo_limit_larger",
    "echo_reset_wrong",
    "echo_expiry_missing",
    "echo_expiry_later",
    "echo_name_wrong",
    "echo_workspace_wrong",
    "extra_members",
    "odd_timestamps",
    "offset_ignored",
    "duplicate",
];
const ERRORS: &[&str] = &["refuse", "error_before", "error_after", "rate_limited"];
/// No answer, half an answer, a page, or a member missing on purpose.
const SHAPELESS: &[&str] = &[
    "reset_before",
    "reset_after",
    "truncated",
    "html",
    "html_error",
    "html_refuse",
    "stall_before",
    "stall_after",
    "late",
    "hash_missing",
    "key_missing",
    "key_named",
];
const HELD: &[&str] = &["hold_before", "hold_after"];

#[test]
fn every_fault_that_still_answers_json_of_the_right_shape_stays_within_the_schemas() {
    let all: BTreeSet<&str> = [SHAPED, ERRORS, SHAPELESS, HELD]
        .concat()
        .into_iter()
        .collect();
    assert_eq!(all, FaultKind::NAMES.iter().copied().collect());
    let mut schemas = Schemas::load();
    let mut checked = 0;
    for name in [SHAPED, ERRORS, HELD].concat() {
        let (template, hash, guardrail) = furnished();
        for exchange in exchanges(&hash, &guardrail) {
            let Ok(fault) =
                Fault::from_json(&json!({"operation": exchange.operation.as_str(), "kind": name}))
            else {
                continue;
            };
            let mut sandbox = template.clone();
            sandbox.add_fault(fault);
            let delivery = sandbox.handle(
                &openrouter(exchange.method, &exchange.path, exchange.body.as_ref()),
                NOON,
            );
            let delivery = if let Delivery::Held { ticket } = delivery {
                sandbox.release(ticket, NOON).unwrap()
            } else {
                delivery
            };
            let response = delivery.answer().unwrap();
            let schema = if ERRORS.contains(&name) {
                "Error"
            } else {
                exchange.response
            };
            schemas.check(
                schema,
                &response.value(),
                &format!("{name} on {}", exchange.operation.as_str()),
            );
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn refusals_are_the_error_object_and_repeat_their_status() {
    let mut schemas = Schemas::load();
    let mut sandbox = Sandbox::default();
    let (_, secret) = mint(&mut sandbox, mint_body("a"));
    let refused = [
        openrouter("POST", "/keys", Some(&json!({}))),
        openrouter("GET", "/keys/unknown", None),
        openrouter("DELETE", "/workspaces/default", None),
        openrouter("GET", "/nowhere", None),
        with_bearer(&secret, "GET", "/credits", None),
        with_bearer("unknown", "GET", "/keys", None),
        request("GET", "/openrouter/api/v1/keys", &[], ""),
    ];
    for request in refused {
        let response = answer(&mut sandbox, &request, NOON);
        assert!(response.status >= 400);
        schemas.check("Error", &response.value(), &request.target);
        assert_eq!(response.value()["error"]["code"], response.status);
    }
}

#[test]
fn what_the_schemas_refuse_in_a_create_we_refuse_too() {
    let schemas = Schemas::load();
    let root = json!({"$defs": schemas.document["$defs"], "$ref": "#/$defs/KeyCreateRequest"});
    let validator = strict(&root);
    let mut values = vec![
        Value::Null,
        json!(true),
        json!(1),
        json!(""),
        json!("text"),
        json!([]),
        json!({}),
    ];
    values.extend([
        json!("daily"),
        json!("2026-11-13T12:00:00Z"),
        json!("2026-11-13T12:00:00+00:00"),
        json!({"user": ""}),
    ]);
    let members = [
        "name",
        "limit",
        "limit_reset",
        "include_byok_in_limit",
        "expires_at",
        "creator_user_id",
        "workspace_id",
        "external",
        "other",
    ];
    for member in members {
        for value in &values {
            let mut body = json!({"name": "a"});
            body[member] = value.clone();
            let (status, _) = call(&mut Sandbox::default(), "POST", "/keys", Some(body.clone()));
            assert_eq!(status == 201, validator.is_valid(&body), "{body}");
        }
    }
}
