//! What `POST /workspaces` and `PATCH /workspaces/{id}` accept: one table of members and their rules.

use serde_json::{Map, Value};

type Rule = fn(&Value) -> bool;

const NAME_MAX: usize = 100;
const SLUG_MAX: usize = 50;
const DESCRIPTION_MAX: usize = 500;

const RULES: &[(&str, Rule)] = &[
    ("name", |value| {
        value
            .as_str()
            .is_some_and(|text| (1..=NAME_MAX).contains(&text.chars().count()))
    }),
    ("slug", |value| value.as_str().is_some_and(is_slug)),
    ("description", |value| {
        value.is_null()
            || value
                .as_str()
                .is_some_and(|text| text.chars().count() <= DESCRIPTION_MAX)
    }),
    ("default_text_model", is_text_or_null),
    ("default_image_model", is_text_or_null),
    ("default_provider_sort", is_text_or_null),
    ("is_observability_io_logging_enabled", Value::is_boolean),
    ("is_observability_broadcast_enabled", Value::is_boolean),
    ("is_data_discount_logging_enabled", Value::is_boolean),
    ("io_logging_sampling_rate", |value| {
        value
            .as_f64()
            .is_some_and(|rate| (0.0001..=1.0).contains(&rate))
    }),
    ("io_logging_api_key_ids", |value| {
        value.is_null() || is_list_of(value, |item| item.is_i64() || item.is_u64())
    }),
    ("disabled_server_tools", |value| {
        value.is_null() || is_list_of(value, Value::is_string)
    }),
];

/// The known members of a body, and the names of the others.
pub(super) fn read(body: &Map<String, Value>) -> Result<(Map<String, Value>, Vec<String>), String> {
    let (mut known, mut unknown) = (Map::new(), Vec::new());
    for (name, value) in body {
        match RULES.iter().find(|(member, _)| member == name) {
            Some((_, rule)) if rule(value) => {
                known.insert(name.clone(), value.clone());
            }
            Some(_) => return Err(format!("{name}: Invalid input")),
            None => unknown.push(name.clone()),
        }
    }
    Ok((known, unknown))
}

fn is_text_or_null(value: &Value) -> bool {
    value.is_null() || value.is_string()
}

fn is_list_of(value: &Value, item: fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(item))
}

/// Lower-case letters and digits in groups joined by single dashes.
fn is_slug(text: &str) -> bool {
    let group = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.len() <= SLUG_MAX && text.split('-').all(group)
}
