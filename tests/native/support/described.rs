//! The API's description, and the check that every answer is one that it has.

use std::sync::LazyLock;

use serde_json::Value;

use super::browser::Response;
use super::schema::wrong;

/// The description of everyone's routes, as it is served.
pub const PUBLIC: &str = include_str!("../../../public/api/v1/openapi.json");
/// The description of the administrators' routes.
pub const ADMIN: &str = include_str!("../../../src/http/admin/openapi.json");

static DOCUMENTS: LazyLock<[Value; 2]> =
    LazyLock::new(|| [PUBLIC, ADMIN].map(|text| serde_json::from_str(text).unwrap()));

/// The description of everyone's routes.
pub fn public() -> &'static Value {
    &DOCUMENTS[0]
}

/// The description of the administrators' routes.
pub fn admin() -> &'static Value {
    &DOCUMENTS[1]
}

/// Asserts that the description has this answer to a request, with its status, type and body. Requests to addresses that
/// are not described are not checked.
pub fn check(method: &str, target: &str, response: &Response) {
    let path = target.split('?').next().unwrap();
    let described = DOCUMENTS.iter().find_map(|document| {
        let paths = document["paths"].as_object()?;
        let (_, methods) = paths.iter().find(|(pattern, _)| fits(pattern, path))?;
        let wanted = if method == "HEAD" { "GET" } else { method };
        // A method is spelt in capitals; any other spelling is a method that no address takes.
        let is_one = wanted.bytes().all(|b| b.is_ascii_uppercase());
        let operation = methods.get(wanted.to_lowercase());
        Some((document, operation.filter(|_| is_one)?))
    });
    // A route that a caller may not know of answers like an unknown address: as a page, if a page is asked for.
    let is_page = response.header("content-type").starts_with("text/html");
    if is_page && response.status == 404 {
        return;
    }
    if let Some((document, operation)) = described {
        let what = format!("{method} {target}: {response:?}");
        is_described(document, operation, method, response, &what);
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut is) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), is.next()) {
            (None, None) => return true,
            (Some(wanted), Some(is)) if wanted == is => {}
            (Some(wanted), Some(_)) if wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// Asserts that the description of the operation has this answer.
pub fn is_described(
    document: &Value,
    operation: &Value,
    method: &str,
    response: &Response,
    what: &str,
) {
    let answers = operation["responses"].as_object().unwrap();
    let documented = answers.get(&response.status.to_string());
    // While the settings cannot be read, the answer has a list of what is wrong with them.
    let is_misconfigured = response.status == 503 && response.body.contains("\"problems\"");
    if documented.is_none() && (response.status < 400 || is_misconfigured) {
        assert!(is_misconfigured, "not described: {what}");
        return;
    }
    let says = documented.unwrap_or_else(|| &answers["default"]);
    let Some(content) = says.get("content").and_then(Value::as_object) else {
        assert!(response.body.is_empty(), "{what}");
        return;
    };
    let (kind, media) = content.iter().next().unwrap();
    assert_eq!(response.header("content-type"), kind, "{what}");
    if method == "HEAD" {
        assert!(response.body.is_empty(), "{what}");
        return;
    }
    // What a file holds is compared where the file is tested.
    if !kind.ends_with("json") {
        assert!(!response.body.is_empty(), "{what}");
        return;
    }
    let body = response.json();
    assert_eq!(wrong(document, &media["schema"], &body), None, "{what}");
    if documented.is_none() {
        // An error of OAuth has no member for the status.
        let status = body.get("status").unwrap_or(&body["error"]);
        assert!(*status == response.status || status.is_string(), "{what}");
        assert_eq!(body["instance"], response.header("x-request-id"), "{what}");
    }
}
