//! The API's description is two files: everyone's routes, and the administrators'. They are made here, from the route table
//! and from the types of the bodies, and compared with the files.

use std::collections::BTreeMap;
use std::path::Path;

use keycap::app::error::oauth::OAuthErrorBody;
use keycap::app::error::problem_body::ProblemBody;
use keycap::http::routes::{MEMBER_HEADER, ROUTES, Route, Shows, Takes, Who};
use keycap::http::server::described::GoodAnswer;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::support::described::{self, public};
use crate::support::{Browser, World};

const FORMAT: &str = "Times are RFC 3339 in UTC, money is decimal strings in USD, errors are problem+json with a stable code.";

/// The generators of schemas: what a request has to be, and what an answer is.
struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            requests: settings.clone().for_deserialize().into_generator(),
            answers: settings.for_serialize().into_generator(),
        }
    }

    /// Every schema that was referred to, by its name.
    fn definitions(mut self) -> BTreeMap<String, Value> {
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        for schemas in [&mut self.requests, &mut self.answers] {
            for (name, mut schema) in schemas.take_definitions(true) {
                simplify(&mut schema);
                if let Some(known) = all.insert(name.clone(), schema.clone()) {
                    assert_eq!(
                        known, schema,
                        "{name} is one thing in requests and another in answers"
                    );
                }
            }
        }
        all
    }
}

/// Brings a schema into the form that readers of descriptions know: an enum is a list of words, whether or not its words
/// are explained, and a text is one line.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(members) => {
            members.values_mut().for_each(simplify);
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            if let Some((words, explained)) = members.get("oneOf").and_then(words) {
                let about = members.get("description").and_then(Value::as_str);
                let about = about.into_iter().map(str::to_owned).chain(explained);
                let about = about.collect::<Vec<_>>().join(" ");
                members.remove("oneOf");
                members.insert(String::from("type"), json!("string"));
                members.insert(String::from("enum"), json!(words));
                members.insert(String::from("description"), json!(about));
            }
        }
        _ => {}
    }
}

/// The words of an enum some of whose words are explained, and the explanations.
fn words(of: &Value) -> Option<(Vec<String>, Vec<String>)> {
    let (mut words, mut about) = (Vec::new(), Vec::new());
    for one in of.as_array()? {
        if one["type"] != "string" {
            return None;
        }
        match (one.get("const"), one.get("enum")) {
            (Some(word), None) => {
                let word = word.as_str()?;
                words.push(word.to_owned());
                if let Some(text) = one.get("description").and_then(Value::as_str) {
                    about.push(format!("`{word}`: {text}"));
                }
            }
            (None, Some(more)) => {
                let more = more.as_array()?.iter().filter_map(Value::as_str);
                words.extend(more.map(str::to_owned));
            }
            _ => return None,
        }
    }
    Some((words, about))
}

fn document(of_admins: bool, title: &str, about: &str) -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.answers.subschema_for::<ProblemBody>();
    let is_of_terminals = |route: &Route| route.shows == Shows::OAuth;
    let refusal = (!of_admins).then(|| schemas.answers.subschema_for::<OAuthErrorBody>());
    let mut paths: Map<String, Value> = Map::new();
    let is_here = |route: &&Route| (route.who == Who::Admin) == of_admins;
    for route in ROUTES.iter().filter(is_here) {
        if let Some(summary) = route.summary {
            let operations = paths.entry(route.path).or_insert_with(|| json!({}));
            let method = route.method.name().to_ascii_lowercase();
            let errors = match &refusal {
                Some(refusal) if is_of_terminals(route) => ("application/json", refusal),
                _ => ("application/problem+json", &problem),
            };
            operations[method] = operation(&mut schemas, route, summary, errors);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("{about} {FORMAT}"),
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "session": { "type": "apiKey", "in": "cookie", "name": "__Host-keycap_session" },
            },
            "parameters": parameters(),
            "schemas": schemas.definitions(),
        },
    })
}

/// The headers of changes.
fn parameters() -> Value {
    json!({
        "page_of_member": {
            "name": "X-Keycap-Member",
            "in": "header",
            "required": true,
            "description": "The member for whom the page was made that sends this: `member.id` of GET /api/v1/me. Without it the answer is 428 `account_not_named`; if another member is signed in by now, it is 409 `account_changed`. Nothing is changed then.",
            "schema": { "type": "string", "pattern": "^mem_[0-9a-f]{24}$" },
        },
        "idempotency_key": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "One for each press, remembered for 24 hours. The same request gets the first answer's status and body, without the secret and with the header `Idempotency-Replayed: true`. Another request under the same key gets 422 `idempotency_mismatch`. A failure is not remembered. While the first request is worked on, the answer is 409 `request_in_progress`.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" },
        },
    })
}

fn operation(
    schemas: &mut Schemas,
    route: &Route,
    summary: &str,
    (kind, problem): (&str, &Schema),
) -> Value {
    let mut operation = json!({ "summary": summary, "responses": {} });
    if route.who != Who::Anyone {
        operation["security"] = json!([{ "session": [] }]);
    }
    if let Some(body) = route.body {
        let schema = (body.add_to)(&mut schemas.requests);
        let form = match route.takes {
            Takes::Form(_) => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        operation["requestBody"] = json!({
            "required": true,
            "content": { form: { "schema": schema } },
        });
    }
    let mut parameters: Vec<Value> = path_parameters(route.path);
    parameters.extend(route.query.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "required": false,
            "description": parameter.about,
            "schema": { "type": "string" },
        })
    }));
    if route.names_member() {
        let headers = ["page_of_member", "idempotency_key"];
        let referred = |name| json!({ "$ref": format!("#/components/parameters/{name}") });
        parameters.extend(headers.map(referred));
    }
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    for answer in route.answers {
        operation["responses"][answer.status.to_string()] = response(schemas, answer);
    }
    operation["responses"]["default"] = json!({
        "description": "A problem; `code` says which.",
        "content": { kind: { "schema": problem } },
    });
    operation
}

/// The parts of the path that are filled in: an id, or a name.
fn path_parameters(path: &str) -> Vec<Value> {
    let segments: Vec<&str> = path.split('/').collect();
    let pairs = segments.windows(2).filter_map(|pair| {
        let name = pair[1].strip_prefix('{')?.strip_suffix('}')?;
        let of = pair[0].strip_suffix('s').unwrap();
        let about = match (of, name) {
            ("job", _) => String::from("The name of the job."),
            (_, "name") => format!("The name of the {of}."),
            _ => format!("The `id` of the {of}. Any other is unknown: 404."),
        };
        Some(json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": about,
            "schema": { "type": "string" },
        }))
    });
    pairs.collect()
}

fn response(schemas: &mut Schemas, answer: &GoodAnswer) -> Value {
    let about = match answer.status {
        202 => "Written down and being carried out; OpenRouter has not confirmed it yet.",
        _ => "Done.",
    };
    match answer.body {
        None => match answer.file {
            None => json!({ "description": about }),
            Some(kind) => json!({
                "description": about,
                "content": { kind: { "schema": { "type": "string" } } },
            }),
        },
        Some(body) => json!({
            "description": about,
            "content": { "application/json": { "schema": (body.add_to)(&mut schemas.answers) } },
        }),
    }
}

#[test]
fn the_description_is_that_of_the_route_table_and_of_the_types() {
    let is_writing = std::env::var("KEYCAP_WRITE").is_ok_and(|value| value == "1");
    for (file, document) in [
        (
            "public/api/v1/openapi.json",
            document(false, "keycap", "Capped OpenRouter keys."),
        ),
        (
            "src/http/admin/openapi.json",
            document(
                true,
                "keycap for administrators",
                "What administrators of a deployment can do.",
            ),
        ),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let mut text = format!("{document:#}\n");
        if file.starts_with("src/") {
            // This file is a part of the Worker, whose size has a budget, so it is not indented.
            text = text
                .lines()
                .map(|line| [line.trim_start(), "\n"].concat())
                .collect();
        }
        if is_writing {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let is = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            is == text,
            "{file} is not the description of the routes any more. Write it anew, and look at what changed in it:\nKEYCAP_WRITE=1 cargo test --locked --test native -- description"
        );
    }
}

#[test]
fn every_route_that_answers_with_data_is_described_and_no_other() {
    for route in ROUTES {
        let document = match route.who {
            Who::Admin => described::admin(),
            Who::Anyone | Who::Member => public(),
        };
        let operations = &document["paths"][route.path];
        let is_here = operations.get(route.method.name().to_lowercase()).is_some();
        let is_data = matches!(route.shows, Shows::Data | Shows::OAuth);
        assert_eq!(is_here, is_data, "{}", route.path);
        assert_eq!(is_here, !route.answers.is_empty(), "{}", route.path);
        let takes_body = matches!(route.takes, Takes::Json(_) | Takes::Form(_));
        assert_eq!(takes_body, route.body.is_some(), "{}", route.path);
    }
    for path in public()["paths"].as_object().unwrap().keys() {
        assert!(!path.contains("admin"), "{path}");
    }
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn refs<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value.as_str() {
                        Some(text) if name == "$ref" => found.push(text),
                        _ => refs(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| refs(item, found)),
            _ => {}
        }
    }
    for document in [public(), described::admin()] {
        let mut found = Vec::new();
        refs(document, &mut found);
        assert!(found.len() > 50, "{}", found.len());
        for pointer in found {
            let target = document.pointer(pointer.trim_start_matches('#'));
            assert!(target.is_some(), "{pointer}");
        }
    }
}

#[test]
fn the_description_says_which_requests_name_the_member() {
    let mut named = 0;
    for route in ROUTES.iter().filter(|route| route.summary.is_some()) {
        let document = match route.who {
            Who::Admin => described::admin(),
            Who::Anyone | Who::Member => public(),
        };
        let method = route.method.name().to_ascii_lowercase();
        let operation = &document["paths"][route.path][method.as_str()];
        let parameter = json!({ "$ref": "#/components/parameters/page_of_member" });
        let parameters = operation["parameters"].as_array();
        let says = parameters.is_some_and(|all| all.contains(&parameter));
        assert_eq!(says, route.names_member(), "{method} {}", route.path);
        named += usize::from(says);
    }
    assert!(named >= 25, "{named}");
    let parameter = &public()["components"]["parameters"]["page_of_member"];
    let name = parameter["name"].as_str().unwrap().to_ascii_lowercase();
    assert_eq!(
        (name.as_str(), &parameter["required"]),
        (MEMBER_HEADER, &json!(true))
    );
}

#[test]
fn administrators_get_the_description_of_their_routes_and_nobody_else_does() {
    let world = World::new();
    let path = "/api/v1/admin/openapi.json";
    let response = Browser::signed_in(&world, "operator").get(path);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.body, described::ADMIN);
    assert_eq!(Browser::signed_in(&world, "member").get(path).status, 404);
    assert_eq!(Browser::new(&world).get(path).status, 404);
}
