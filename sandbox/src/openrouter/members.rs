//! What the bodies of `/workspaces` and `/guardrails` accept: a table of members with a rule for each.

use serde_json::{Map, Value};

pub(super) type Rule = fn(&Value) -> bool;

/// The members that a body may have, and the rule for each.
pub(super) type Rules = &'static [(&'static str, Rule)];

const SLUG_MAX: usize = 50;

pub(super) const WORKSPACE: Rules = &[
    ("name", |value| is_text(value, 1, 100)),
    ("slug", |value| value.as_str().is_some_and(is_slug)),
    ("description", |value| {
        value.is_null() || is_text(value, 0, 500)
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

/// A change may have every member. The workspace is chosen only when the guardrail is made.
pub(super) const GUARDRAIL: Rules = &[
    ("name", |value| is_text(value, 1, 200)),
    ("description", |value| {
        value.is_null() || is_text(value, 0, 1_000)
    }),
    ("limit_usd", |value| value.is_null() || value.is_number()),
    ("reset_interval", |value| {
        value.is_null() || is_one_of(value, &["daily", "weekly", "monthly"])
    }),
    ("include_byok_in_budgets", Value::is_boolean),
    ("allowed_models", is_names_or_null),
    ("ignored_models", is_names_or_null),
    ("allowed_providers", is_names_or_null),
    ("ignored_providers", is_names_or_null),
    ("allowed_data_regions", |value| {
        let region = |item: &Value| is_one_of(item, &["global", "europe", "us"]);
        value.is_null() || (is_names_or_null(value) && is_list_of(value, region))
    }),
    ("enforce_zdr", is_flag_or_null),
    ("enforce_zdr_anthropic", is_flag_or_null),
    ("enforce_zdr_openai", is_flag_or_null),
    ("enforce_zdr_google", is_flag_or_null),
    ("enforce_zdr_xai", is_flag_or_null),
    ("enforce_zdr_other", is_flag_or_null),
    ("enable_free_model_publication", is_flag_or_null),
    ("enable_free_model_training", is_flag_or_null),
    ("enable_paid_model_training", is_flag_or_null),
    ("allow_safety_retention_google", is_flag_or_null),
    ("allow_safety_retention_other", is_flag_or_null),
];

/// Splits a body into its known members and the names of the others. An error names a known member with a wrong value.
pub(super) fn read(
    rules: Rules,
    body: &Map<String, Value>,
) -> Result<(Map<String, Value>, Vec<String>), String> {
    let (mut known, mut unknown) = (Map::new(), Vec::new());
    for (name, value) in body {
        match rules.iter().find(|(member, _)| member == name) {
            Some((_, rule)) if rule(value) => {
                known.insert(name.clone(), value.clone());
            }
            Some(_) => return Err(format!("{name}: Invalid input")),
            None => unknown.push(name.clone()),
        }
    }
    Ok((known, unknown))
}

fn is_text(value: &Value, min: usize, max: usize) -> bool {
    value
        .as_str()
        .is_some_and(|text| (min..=max).contains(&text.chars().count()))
}

fn is_text_or_null(value: &Value) -> bool {
    value.is_null() || value.is_string()
}

fn is_flag_or_null(value: &Value) -> bool {
    value.is_null() || value.is_boolean()
}

fn is_one_of(value: &Value, names: &[&str]) -> bool {
    value.as_str().is_some_and(|name| names.contains(&name))
}

/// Null, or a list with at least one text.
fn is_names_or_null(value: &Value) -> bool {
    value.is_null() || (is_list_of(value, Value::is_string) && *value != Value::Array(Vec::new()))
}

fn is_list_of(value: &Value, item: fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(item))
}

/// Lower-case letters and digits, in groups that are joined by single dashes.
fn is_slug(text: &str) -> bool {
    let group = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.len() <= SLUG_MAX && text.split('-').all(group)
}
