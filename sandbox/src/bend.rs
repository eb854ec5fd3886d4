//! Answers that lie: the upstream did what was requested, and its answer says something else.

use crate::{faults::FaultKind, message::Response};
use serde_json::{Map, Value, json};

type Members = Map<String, Value>;

const OTHER_WORKSPACE: &str = "ffffffff-0000-4000-8000-ffffffffffff";

/// Changes a JSON answer that succeeded, according to the fault. Other answers pass unchanged, because they repeat
/// nothing.
pub(crate) fn bend(kind: &FaultKind, answer: Response) -> Response {
    let mut value = answer.value();
    if answer.status >= 300 || !value.is_object() {
        return answer;
    }
    match kind {
        FaultKind::KeyMissing => {
            remove(&mut value, "key");
            remove(&mut value, "apiKey");
        }
        FaultKind::KeyNamed { name } => rename(&mut value, "apiKey", name),
        FaultKind::OddTimestamps => odd_timestamps(&mut value),
        FaultKind::ExtraMembers => {
            add_extra(&mut value);
            each_object(&mut value, add_extra_to);
        }
        echo => each_object(&mut value, |data| bend_echo(echo, data)),
    }
    Response {
        body: value.to_string().into_bytes(),
        ..answer
    }
}

fn each_object(value: &mut Value, mut change: impl FnMut(&mut Members)) {
    match value.get_mut("data") {
        Some(Value::Object(data)) => change(data),
        Some(Value::Array(rows)) => rows
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(change),
        _ => {}
    }
}

fn bend_echo(kind: &FaultKind, data: &mut Members) {
    match kind {
        FaultKind::EchoLimitMissing => {
            set(data, "limit", Value::Null);
            set(data, "limit_remaining", Value::Null);
        }
        FaultKind::EchoLimitLarger => {
            let larger = data
                .get("limit")
                .and_then(Value::as_f64)
                .map_or(1_000.0, |limit| limit * 10.0 + 1.0);
            set(data, "limit", json!(larger));
            set(data, "limit_remaining", json!(larger));
        }
        FaultKind::EchoResetWrong => {
            let daily = data
                .get("limit_reset")
                .is_some_and(|reset| reset == "daily");
            set(
                data,
                "limit_reset",
                json!(if daily { "monthly" } else { "daily" }),
            );
        }
        FaultKind::EchoExpiryMissing => {
            data.remove("expires_at");
        }
        FaultKind::EchoExpiryLater => set(data, "expires_at", json!("2999-12-31T23:59:59Z")),
        FaultKind::EchoNameWrong => set(data, "name", json!("a name nobody asked for")),
        FaultKind::EchoWorkspaceWrong => set(data, "workspace_id", json!(OTHER_WORKSPACE)),
        FaultKind::HashMissing => {
            data.remove("hash");
        }
        _ => {}
    }
}

/// Changes only a member that exists: a credit balance, for example, has no limit to lie about.
fn set(data: &mut Members, name: &str, value: Value) {
    if let Some(member) = data.get_mut(name) {
        *member = value;
    }
}

fn remove(value: &mut Value, name: &str) {
    if let Some(members) = value.as_object_mut() {
        members.remove(name);
    }
}

fn rename(value: &mut Value, from: &str, to: &str) {
    if let Some(members) = value.as_object_mut()
        && let Some(member) = members.remove(from)
    {
        members.insert(to.to_owned(), member);
    }
}

fn add_extra(value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        add_extra_to(members);
    }
}

fn add_extra_to(members: &mut Members) {
    members.insert(
        "sandbox_extra".to_owned(),
        json!({"nested": ["anything", 1, null]}),
    );
}

/// Turns `2026-01-02T03:04:05Z` into `2026-01-02T03:04:05.000000+00:00`, the other form that OpenRouter was seen to use:
/// a fraction of six digits and a numeric offset.
fn odd_timestamps(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(text) if name.ends_with("_at") => *text = odd_timestamp(text),
                    other => odd_timestamps(other),
                }
            }
        }
        Value::Array(rows) => rows.iter_mut().for_each(odd_timestamps),
        _ => {}
    }
}

fn odd_timestamp(text: &str) -> String {
    let Some(instant) = text.strip_suffix('Z') else {
        return text.to_owned();
    };
    match instant.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{fraction:0<6}+00:00"),
        None => format!("{instant}.000000+00:00"),
    }
}
