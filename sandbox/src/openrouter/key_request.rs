//! What `POST /keys` and `PATCH /keys/{hash}` accept, read strictly.

use crate::{
    clock::{Period, parse_request_timestamp},
    money::Usd,
};
use serde_json::{Map, Value};

const EXTERNAL_USER_MAX: usize = 512;

/// A key that is to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewKey {
    pub name: String,
    pub limit: Option<Usd>,
    pub limit_reset: Option<Period>,
    pub include_byok_in_limit: bool,
    /// The text of the request.
    pub expires_at: Option<String>,
    pub creator_user_id: Option<String>,
    /// None means the default workspace.
    pub workspace_id: Option<String>,
    pub external_user: Option<String>,
}

pub(crate) const CREATE_MEMBERS: &[&str] = &[
    "name",
    "limit",
    "limit_reset",
    "include_byok_in_limit",
    "expires_at",
    "creator_user_id",
    "workspace_id",
    "external",
];
pub(crate) const UPDATE_MEMBERS: &[&str] = &[
    "name",
    "disabled",
    "limit",
    "limit_reset",
    "include_byok_in_limit",
    "workspace_id",
];

/// The members of a body that the endpoint does not know.
pub(crate) fn unknown_members<'a>(members: &'a Map<String, Value>, known: &[&str]) -> Vec<&'a str> {
    members
        .keys()
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect()
}

impl NewKey {
    /// Reads a key from the members of a body. An error says which member is wrong.
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, String> {
        Ok(Self {
            name: name(members.get("name").unwrap_or(&Value::Null))?,
            limit: members.get("limit").map_or(Ok(None), limit)?,
            limit_reset: members.get("limit_reset").map_or(Ok(None), limit_reset)?,
            include_byok_in_limit: members
                .get("include_byok_in_limit")
                .map_or(Ok(false), |value| boolean(value, "include_byok_in_limit"))?,
            expires_at: members.get("expires_at").map_or(Ok(None), expires_at)?,
            creator_user_id: members.get("creator_user_id").map_or(Ok(None), creator)?,
            workspace_id: members.get("workspace_id").map(workspace_id).transpose()?,
            external_user: members.get("external").map(external_user).transpose()?,
        })
    }
}

/// The changes of a PATCH. `Some(None)` sets null, and `None` keeps the value.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyChanges {
    pub name: Option<String>,
    pub disabled: Option<bool>,
    pub limit: Option<Option<Usd>>,
    pub limit_reset: Option<Option<Period>>,
    pub include_byok_in_limit: Option<bool>,
    pub workspace_id: Option<String>,
}

impl KeyChanges {
    pub fn read(members: &Map<String, Value>) -> Result<Self, String> {
        if !members
            .keys()
            .any(|name| UPDATE_MEMBERS.contains(&name.as_str()))
        {
            return Err("No update fields provided".to_owned());
        }
        Ok(Self {
            name: members.get("name").map(name).transpose()?,
            disabled: members
                .get("disabled")
                .map(|value| boolean(value, "disabled"))
                .transpose()?,
            limit: members.get("limit").map(limit).transpose()?,
            limit_reset: members.get("limit_reset").map(limit_reset).transpose()?,
            include_byok_in_limit: members
                .get("include_byok_in_limit")
                .map(|value| boolean(value, "include_byok_in_limit"))
                .transpose()?,
            workspace_id: members.get("workspace_id").map(workspace_id).transpose()?,
        })
    }
}

fn name(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some("") => Err("name: Too small: expected string to have >=1 characters".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err("name: Invalid input: expected string".to_owned()),
    }
}

fn limit(value: &Value) -> Result<Option<Usd>, String> {
    match (value, value.as_f64()) {
        (Value::Null, _) => Ok(None),
        (_, Some(dollars)) if dollars >= 0.0 => Ok(Some(Usd::from_dollars(dollars))),
        _ => Err("limit: Invalid input: expected number >=0 or null".to_owned()),
    }
}

fn limit_reset(value: &Value) -> Result<Option<Period>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let period = value.as_str().and_then(Period::parse);
    period.map(Some).ok_or_else(|| {
        "limit_reset: Invalid option: expected one of \"daily\"|\"weekly\"|\"monthly\" or null"
            .to_owned()
    })
}

fn boolean(value: &Value, member: &str) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("{member}: Invalid input: expected boolean"))
}

fn expires_at(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if parse_request_timestamp(text).is_some() => Ok(Some(text.clone())),
        _ => Err("expires_at: Invalid ISO datetime: expected UTC with Z and seconds".to_owned()),
    }
}

fn creator(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if !text.is_empty() => Ok(Some(text.clone())),
        _ => Err("creator_user_id: Invalid input: expected a non-empty string or null".to_owned()),
    }
}

fn workspace_id(value: &Value) -> Result<String, String> {
    let text = value.as_str().filter(|text| is_uuid(text));
    text.map(str::to_ascii_lowercase)
        .ok_or_else(|| "workspace_id: Invalid UUID".to_owned())
}

pub(crate) fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == lengths.len()
        && groups.iter().zip(lengths).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// Refuses `external.api_key` (bring your own key string), because the form of its answer is not known.
fn external_user(value: &Value) -> Result<String, String> {
    let members = value
        .as_object()
        .ok_or("external: Invalid input: expected object")?;
    if let Some(other) = members.keys().find(|name| *name != "user") {
        return Err(format!("external.{other}: not supported"));
    }
    let user = members
        .get("user")
        .and_then(Value::as_str)
        .map(str::trim)
        .unwrap_or_default();
    let sized =
        !user.is_empty() && user.chars().count() <= EXTERNAL_USER_MAX && !user.contains('\0');
    sized
        .then(|| user.to_owned())
        .ok_or_else(|| "external.user: expected 1 to 512 characters".to_owned())
}
