//! `GET /api/v1/openapi.json`: the public routes as OpenAPI 3.1, made from the route table. Admin routes are not in it.

use serde_json::{Map, Value, json};

use crate::app::error::Error;
use crate::http::server::context::Context;
use crate::http::server::idempotency;
use crate::http::server::reply::Reply;
use crate::http::server::route::{Method, Route, Shows, Takes, Who};

/// The schemas of the bodies. The paths come from the route table.
const COMPONENTS: &str = include_str!("openapi.json");

pub async fn show_openapi(context: Context, routes: &[Route]) -> Result<Reply, Error> {
    let components: Value = serde_json::from_str(COMPONENTS).map_err(|_| Error::Internal)?;
    let mut paths: Map<String, Value> = Map::new();
    let public = |route: &&Route| route.who != Who::Admin && (route.when)(&context.app.config);
    for route in routes.iter().filter(public) {
        let Some(summary) = route.summary else {
            continue;
        };
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(operations) = operations.as_object_mut() {
            let method = route.method.name().to_ascii_lowercase();
            operations.insert(method, operation(route, summary));
        }
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "keycap",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Capped OpenRouter keys. Times are RFC 3339 in UTC, money is decimal strings in USD, errors are problem+json with a stable code.",
        },
        "servers": [{ "url": context.app.config.public_origin.as_str() }],
        "paths": paths,
        "components": components,
    });
    Reply::json(200, &document)
}

fn operation(route: &Route, summary: &str) -> Value {
    let mut operation = json!({ "summary": summary, "responses": answers(route) });
    let Some(members) = operation.as_object_mut() else {
        return operation;
    };
    if route.who == Who::Member {
        members.insert(String::from("security"), json!([{ "session": [] }]));
    }
    if let Takes::Json(_) = route.takes {
        let body = json!({
            "required": true,
            "content": { "application/json": { "schema": { "$ref": wanted(route) } } },
        });
        members.insert(String::from("requestBody"), body);
    }
    let mut named = Vec::new();
    if route.path.starts_with("/api/v1/keys/{id}") {
        named.push("key_id");
    }
    if idempotency::applies_to(route) {
        named.push("idempotency_key");
    }
    if route.path == "/api/v1/me/export" {
        named.push("after");
    }
    if route.names_member() {
        named.push("page_of_member");
    }
    if !named.is_empty() {
        let one = |name| json!({ "$ref": format!("#/components/parameters/{name}") });
        let parameters: Value = named.into_iter().map(one).collect();
        members.insert(String::from("parameters"), parameters);
    }
    operation
}

/// The schema of a route's request body.
fn wanted(route: &Route) -> &'static str {
    match route.path {
        "/api/v1/claim" => "#/components/schemas/ClaimWanted",
        "/api/v1/keys/{id}" if route.method == Method::Patch => "#/components/schemas/KeyChange",
        "/api/v1/keys" => "#/components/schemas/KeyWanted",
        "/api/v1/keys/{id}/limit" => "#/components/schemas/OwnLimit",
        "/api/v1/keys/{id}/rotate" | "/api/v1/keys/{id}/renew" => {
            "#/components/schemas/RotationWanted"
        }
        "/api/v1/requests" => "#/components/schemas/RequestWanted",
        "/api/v1/me" => "#/components/schemas/Leaving",
        _ => "#/components/schemas/Empty",
    }
}

fn answers(route: &Route) -> Value {
    let problem = json!({
        "description": "A problem; `code` says which.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut answers = json!({ "default": problem });
    let Some(members) = answers.as_object_mut() else {
        return answers;
    };
    for (status, schema) in bodies(route) {
        let said = match *status {
            "202" => "Written down and being carried out; OpenRouter has not confirmed it yet.",
            _ => "Done.",
        };
        let mut answer = json!({ "description": said });
        if let (Some(schema), Some(answer)) = (schema, answer.as_object_mut()) {
            let content = json!({
                "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } },
            });
            answer.insert(String::from("content"), content);
        }
        members.insert((*status).to_owned(), answer);
    }
    answers
}

/// The bodies of a route's successful answers, by status.
fn bodies(route: &Route) -> &'static [(&'static str, Option<&'static str>)] {
    match (route.shows, route.path) {
        (Shows::Data, "/api/v1/requests") if route.method == Method::Post => {
            &[("200", Some("RequestMade")), ("201", Some("RequestMade"))]
        }
        (Shows::Data, "/api/v1/requests") => &[("200", Some("Requests"))],
        (Shows::Data, "/api/v1/claim") => &[("200", Some("KeyAnswer")), ("201", Some("KeyAnswer"))],
        (Shows::Data, "/api/v1/keys") if route.method == Method::Post => {
            &[("200", Some("KeyAnswer")), ("201", Some("KeyAnswer"))]
        }
        (Shows::Data, "/api/v1/keys" | "/api/v1/keys/refresh") => &[("200", Some("Keys"))],
        (Shows::Data, "/api/v1/keys/{id}") => &[("200", Some("OneKey")), ("202", Some("OneKey"))],
        (Shows::Data, "/api/v1/keys/{id}/limit" | "/api/v1/keys/{id}/prefer") => {
            &[("200", Some("OneKey")), ("202", Some("OneKey"))]
        }
        (Shows::Data, "/api/v1/me") if route.method == Method::Delete => {
            &[("202", None), ("204", None)]
        }
        (Shows::Data, path) if path.starts_with("/api/v1/keys/{id}/") => &[
            ("200", Some("KeyAnswer")),
            ("201", Some("KeyAnswer")),
            ("202", Some("KeyAnswer")),
        ],
        (Shows::Data, "/api/v1/me") => &[("200", Some("Me"))],
        (Shows::Data, "/api/v1/me/export") => &[("200", Some("Export"))],
        (Shows::Data, "/api/v1/me/sign-out-everywhere") => &[("204", None)],
        (Shows::Data, "/healthz") => &[("200", Some("Health"))],
        _ => &[("200", None)],
    }
}
