//! OpenRouter's guardrails: what a key may ask for (upstreams/openrouter, section 5). A key has one at most.
//!
//! A change is sent once: what is repeated could land after the next one. What becomes of one without an answer is the
//! caller's to say.

use serde_json::{Value, json};

use super::openrouter::{self, Refused, Reply, safe};
use crate::app::App;

/// Pages of 100 that are asked for at most.
const PAGES: usize = 100;

from_json! {
    struct Assignment {
        guardrail_id: String,
        key_hash: String,
    }
}

/// `GET /guardrails/{id}`: whether there is one.
pub async fn read(app: &App, guardrail: &str) -> Reply<()> {
    // It stands in addresses.
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !(1..=64).contains(&guardrail.len()) || !guardrail.bytes().all(plain) {
        return Reply::Missing;
    }
    openrouter::has(app, &format!("/guardrails/{guardrail}"), guardrail).await
}

/// Assigns a key, whichever guardrail it had; how many keys that was news to.
pub async fn assign(app: &App, guardrail: &str, hash: &str) -> Reply<Option<i64>> {
    let reply = change(app, guardrail, "", hash).await;
    reply.map(|body| body.get("assigned_count").and_then(Value::as_i64))
}

/// Takes a guardrail away from a key, should it have that one.
pub async fn release(app: &App, guardrail: &str, hash: &str) -> Reply<()> {
    let reply = change(app, guardrail, "/remove", hash).await;
    match reply.map(|body| body.get("unassigned_count").is_some_and(Value::is_i64)) {
        Reply::Is(false) => Reply::Unknown,
        reply => reply.map(|_| ()),
    }
}

async fn change(app: &App, guardrail: &str, verb: &str, hash: &str) -> Reply<Value> {
    let path = format!("/guardrails/{guardrail}/assignments/keys{verb}");
    match openrouter::management(app, "POST", &path) {
        None => Reply::Refused(Refused::Credential),
        Some(call) => {
            let call = call.json(&json!({ "key_hashes": [hash] }));
            openrouter::read(&app.http.send(call).await)
        }
    }
}

/// Which one a key has, by the list of the whole account: for the rare case that an answer left it open.
pub async fn of_key(app: &App, hash: &str) -> Reply<Option<String>> {
    let mut seen = 0_usize;
    for _ in 0..PAGES {
        let path = format!("/guardrails/assignments/keys?limit=100&offset={seen}");
        let page = match safe(app, "GET", &path).await.data::<Vec<Assignment>>() {
            Reply::Is(page) => page,
            other => return other.map(|_| None),
        };
        seen = seen.saturating_add(page.len());
        let done = page.is_empty();
        let mut of_key = page.into_iter().filter(|one| one.key_hash == hash);
        if let Some(found) = of_key.next() {
            return Reply::Is(Some(found.guardrail_id));
        }
        if done {
            return Reply::Is(None);
        }
    }
    // More than anybody has: it is not to be concluded from.
    Reply::Unknown
}
