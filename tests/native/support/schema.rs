//! The part of JSON Schema that the API's description uses. An unknown keyword is an error, so that no part of the
//! description stays unchecked. An object has no members but those that are described.

use keycap::domain::time::Timestamp;
use serde_json::Value;

/// Says why `value` does not match the schema. Returns `None` if it matches.
pub fn wrong(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let Some(members) = schema.as_object() else {
        assert_eq!(schema, &Value::Bool(true), "any value");
        return None;
    };
    members.iter().find_map(|(keyword, says)| {
        let holds = match keyword.as_str() {
            "$ref" => return wrong(document, resolved(document, says), value),
            "description" => true,
            "anyOf" => {
                let mut any = says.as_array().unwrap().iter();
                any.any(|schema| wrong(document, schema, value).is_none())
            }
            "minimum" => value.as_i64().is_none_or(|is| is >= says.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|is| is <= says.as_i64().unwrap()),
            "type" => is_of_type(says, value),
            "const" => says == value,
            "enum" => says.as_array().unwrap().contains(value),
            "required" => value.as_object().is_none_or(|object| {
                let mut names = says.as_array().unwrap().iter();
                names.all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "properties" => return properties(document, says, value),
            "additionalProperties" => says == &Value::Bool(false),
            "items" => {
                let items = value.as_array().into_iter().flatten();
                return items
                    .into_iter()
                    .find_map(|item| wrong(document, says, item));
            }
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(says.as_str().unwrap(), text)),
            "minLength" => value
                .as_str()
                .is_none_or(|text| count(text) >= says.as_u64().unwrap()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| count(text) <= says.as_u64().unwrap()),
            "format" if says == "date-time" => value
                .as_str()
                .is_none_or(|text| Timestamp::parse(text).is_some() && text.ends_with('Z')),
            "format" => ["int64", "uint", "uint16", "uint32"].contains(&says.as_str().unwrap()),
            other => panic!("the description uses {other}, which nothing here checks"),
        };
        (!holds).then(|| format!("{keyword} {says}: {value}"))
    })
}

fn resolved<'a>(document: &'a Value, reference: &Value) -> &'a Value {
    let pointer = reference.as_str().unwrap().trim_start_matches('#');
    document
        .pointer(pointer)
        .expect("a reference leads somewhere")
}

fn properties(document: &Value, says: &Value, value: &Value) -> Option<String> {
    let object = value.as_object()?;
    let says = says.as_object().unwrap();
    if let Some(other) = object.keys().find(|name| !says.contains_key(*name)) {
        return Some(format!("{other} is not described"));
    }
    says.iter().find_map(|(name, schema)| {
        let found = wrong(document, schema, object.get(name)?)?;
        Some(format!("{name}: {found}"))
    })
}

fn is_of_type(says: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    };
    says.as_array()
        .map_or_else(|| is(says), |any| any.iter().any(is))
}

fn count(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap()
}

/// One part of a pattern: the ranges of characters that it matches, and how often.
struct Part {
    takes: Vec<(char, char)>,
    least: usize,
    most: usize,
}

/// Answers whether the text matches the pattern. It knows what the description's patterns use: literals, `\.` and
/// classes, each alone or with `+`, `{n}` or `{n,m}`, from `^` to `$`.
fn matches(pattern: &str, text: &str) -> bool {
    let inner = pattern
        .strip_prefix('^')
        .and_then(|p| p.strip_suffix('$'))
        .expect("anchored");
    let text: Vec<char> = text.chars().collect();
    fits(&parts(inner), &text)
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest: Vec<char> = pattern.chars().rev().collect();
    while let Some(first) = rest.pop() {
        let takes = match first {
            '[' => class(&mut rest),
            '\\' => rest.pop().map(|literal| vec![(literal, literal)]).unwrap(),
            literal => {
                assert!(!"(|.*?".contains(literal), "{pattern}");
                vec![(literal, literal)]
            }
        };
        let (least, most) = match rest.last() {
            Some('+') => {
                rest.pop();
                (1, usize::MAX)
            }
            Some('{') => {
                rest.pop();
                let mut bounds = String::new();
                while let Some(letter) = rest.pop().filter(|letter| *letter != '}') {
                    bounds.push(letter);
                }
                let (least, most) = bounds.split_once(',').unwrap_or((&bounds, &bounds));
                (least.parse().unwrap(), most.parse().unwrap())
            }
            _ => (1, 1),
        };
        parts.push(Part { takes, least, most });
    }
    parts
}

fn class(rest: &mut Vec<char>) -> Vec<(char, char)> {
    let mut takes = Vec::new();
    while let Some(from) = rest.pop().filter(|letter| *letter != ']') {
        if rest.last() == Some(&'-') {
            rest.pop();
            takes.push((from, rest.pop().unwrap()));
        } else {
            takes.push((from, from));
        }
    }
    takes
}

fn fits(parts: &[Part], text: &[char]) -> bool {
    let Some((part, others)) = parts.split_first() else {
        return text.is_empty();
    };
    let takes = |letter: &&char| {
        part.takes
            .iter()
            .any(|(from, to)| from <= *letter && *letter <= to)
    };
    let run = text.iter().take_while(takes).count().min(part.most);
    (part.least..=run)
        .rev()
        .any(|taken| fits(others, &text[taken..]))
}

#[test]
fn the_schema_checker_accepts_valid_values_and_refuses_invalid_ones() {
    let schema = serde_json::json!({
        "type": "object", "additionalProperties": false, "required": ["id"],
        "properties": {
            "id": { "type": "string", "pattern": "^key_[0-9a-f]{2}$" },
            "usd": { "type": ["string", "null"], "pattern": "^[0-9]+\\.[0-9]{2,3}$" },
            "at": { "type": "string", "format": "date-time" },
            "all": { "type": "array", "items": { "enum": ["a", 1] } },
        },
    });
    let is = |value: Value| wrong(&schema, &schema, &value).is_none();
    use serde_json::json;
    assert!(is(
        json!({ "id": "key_0f", "usd": "10.005", "at": "2026-01-01T00:00:00Z", "all": ["a", 1] })
    ));
    assert!(is(json!({ "id": "key_00", "usd": null })));
    for bad in [
        json!([]),
        json!({}),
        json!({ "id": 1 }),
        json!({ "id": "key_0" }),
        json!({ "id": "key_000" }),
        json!({ "id": "key_0g" }),
        json!({ "id": "key_00", "b": 1 }),
        json!({ "id": "key_00", "usd": "1.0" }),
        json!({ "id": "key_00", "usd": "1x00" }),
        json!({ "id": "key_00", "usd": "1.0000" }),
        json!({ "id": "key_00", "at": "2026-01-01T00:00:00+00:00" }),
        json!({ "id": "key_00", "at": "now" }),
        json!({ "id": "key_00", "all": ["b"] }),
        json!({ "id": "key_00", "all": {} }),
    ] {
        assert!(!is(bad.clone()), "{bad}");
    }
}
