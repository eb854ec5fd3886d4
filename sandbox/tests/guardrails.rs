//! Guardrails: what they are made of, which keys have them, and what those keys may ask for.

use crate::common::*;
use sandbox::{Fault, FaultKind, Operation, Sandbox, Spent, Usd};
use serde_json::{Value, json};

const GONE: &str = "/guardrails/ffffffff-0000-4000-8000-ffffffffffff";

/// The path of a new one that allows these models.
fn guardrail(sandbox: &mut Sandbox, models: &[&str]) -> String {
    let body = json!({ "name": "Models", "allowed_models": models });
    let (status, made) = call(sandbox, "POST", "/guardrails", Some(body));
    assert_eq!(status, 201, "{made}");
    format!("/guardrails/{}", made["data"]["id"].as_str().unwrap())
}

fn assign(sandbox: &mut Sandbox, path: &str, hashes: &[&str]) -> (u16, Value) {
    let body = json!({ "key_hashes": hashes });
    call(
        sandbox,
        "POST",
        &format!("{path}/assignments/keys"),
        Some(body),
    )
}

fn calls(sandbox: &mut Sandbox, secret: &str, model: &str) -> Spent {
    sandbox.call_model(secret, Some(model), Usd::from_dollars(0.01), NOON)
}

#[test]
fn a_guardrail_is_made_read_changed_listed_and_removed() {
    let mut sandbox = Sandbox::default();
    let path = guardrail(&mut sandbox, &["cheap/one"]);
    let (status, read) = call(&mut sandbox, "GET", &path, None);
    assert_eq!((status, &read["data"]["name"]), (200, &json!("Models")));
    let changes = json!({ "allowed_models": null, "limit_usd": 2, "reset_interval": "daily" });
    let (_, changed) = call(&mut sandbox, "PATCH", &path, Some(changes));
    assert_eq!(
        (
            &changed["data"]["allowed_models"],
            &changed["data"]["limit_usd"]
        ),
        (&Value::Null, &json!(2))
    );
    guardrail(&mut sandbox, &["cheap/two"]);
    let (_, second) = call(&mut sandbox, "GET", "/guardrails?offset=1&limit=1", None);
    assert_eq!(
        (&second["total_count"], &second["data"][0]["allowed_models"]),
        (&json!(2), &json!(["cheap/two"]))
    );
    for status in [200, 404] {
        assert_eq!(call(&mut sandbox, "DELETE", &path, None).0, status);
    }
    assert_eq!(call(&mut sandbox, "GET", &path, None).0, 404);
    assert_eq!(sandbox.ledger().violations.len(), 0);
}

#[test]
fn a_body_with_unknown_or_missing_members_is_refused() {
    let mut sandbox = Sandbox::default();
    let path = guardrail(&mut sandbox, &["cheap/one"]);
    for (member, value) in [
        ("name", json!("")),
        ("name", Value::Null),
        ("allowed_models", json!([])),
        ("allowed_models", json!("cheap/one")),
        ("allowed_data_regions", json!(["moon"])),
        ("limit_usd", json!(5)),
        ("reset_interval", json!("daily")),
        ("workspace_id", json!("elsewhere")),
        ("models", json!(["cheap/one"])),
    ] {
        let mut body = json!({ "name": "a" });
        body[member] = value;
        let (status, _) = call(&mut sandbox, "POST", "/guardrails", Some(body.clone()));
        assert_eq!(status, 400, "{body}");
    }
    for (body, status) in [
        (json!({ "key_hashes": [] }), 400),
        (json!({ "key_hashes": [""] }), 400),
        (json!({ "key_hashes": "all" }), 400),
        (json!({}), 400),
        (json!({ "key_hashes": ["nobody's"] }), 404),
    ] {
        for verb in ["", "/remove"] {
            let path = format!("{path}/assignments/keys{verb}");
            let answer = call(&mut sandbox, "POST", &path, Some(body.clone()));
            assert_eq!(answer.0, status, "{body}");
        }
    }
    let noted = sandbox.ledger().violations.len();
    assert_eq!(noted, 1, "the member that nobody knows");
}

#[test]
fn a_key_has_one_guardrail_at_most_and_is_counted_only_if_it_is_new() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("a"));
    let (other, _) = mint(&mut sandbox, mint_body("b"));
    let [first, second] = ["cheap/one", "cheap/two"].map(|model| guardrail(&mut sandbox, &[model]));
    for (path, hashes, count) in [
        (&first, vec![hash.as_str(), other.as_str()], 2),
        (&first, vec![&hash], 0),
        (&second, vec![&hash], 1),
    ] {
        let answer = assign(&mut sandbox, path, &hashes);
        assert_eq!(answer, (200, json!({ "assigned_count": count })));
    }
    let listed = |sandbox: &mut Sandbox, path: &str| {
        let (status, answer) = call(sandbox, "GET", &format!("{path}/assignments/keys"), None);
        let hashes = answer["data"].as_array().unwrap().iter();
        assert_eq!(status, 200);
        hashes
            .map(|row| row["key_hash"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&mut sandbox, &first), std::slice::from_ref(&other));
    assert_eq!(listed(&mut sandbox, &second), std::slice::from_ref(&hash));
    assert_eq!(
        listed(&mut sandbox, "/guardrails"),
        [hash.clone(), other.clone()]
    );
    let remove = format!("{second}/assignments/keys/remove");
    let body = json!({ "key_hashes": [hash, other] });
    let answer = call(&mut sandbox, "POST", &remove, Some(body));
    assert_eq!(
        answer,
        (200, json!({ "unassigned_count": 1 })),
        "the other has another"
    );
    assert_eq!(call(&mut sandbox, "DELETE", &first, None).0, 200);
    assert!(listed(&mut sandbox, "/guardrails").is_empty());
}

#[test]
fn a_call_to_a_model_that_the_keys_guardrail_does_not_allow_is_refused() {
    let mut sandbox = Sandbox::default();
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    let path = guardrail(&mut sandbox, &["cheap/one"]);
    let cent = Spent::Booked(Usd::from_dollars(0.01));
    assert_eq!(
        calls(&mut sandbox, &secret, "dear/one"),
        cent,
        "not assigned"
    );
    assert_eq!(assign(&mut sandbox, &path, &[&hash]).0, 200);
    let refused = calls(&mut sandbox, &secret, "dear/one");
    assert_eq!((refused, refused.status()), (Spent::ModelNotAllowed, 403));
    assert_eq!(calls(&mut sandbox, &secret, "cheap/one"), cent);
    let changes = json!({ "allowed_models": null, "ignored_models": ["cheap/one"] });
    assert_eq!(call(&mut sandbox, "PATCH", &path, Some(changes)).0, 200);
    assert_eq!(
        calls(&mut sandbox, &secret, "cheap/one"),
        Spent::ModelNotAllowed
    );
    assert_eq!(calls(&mut sandbox, &secret, "dear/one"), cent);
    let spent = sandbox.ledger().keys[0].usage.lifetime;
    assert_eq!(spent, Usd::from_dollars(0.03), "what was refused is free");
}

#[test]
fn an_assignment_can_fail_or_take_effect_late_like_every_other_call() {
    let mut sandbox = Sandbox::default();
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    let path = guardrail(&mut sandbox, &["cheap/one"]);
    sandbox.add_fault(Fault::new(Operation::GuardrailsAssign, FaultKind::Late));
    let body = json!({ "key_hashes": [hash] });
    let request = openrouter("POST", &format!("{path}/assignments/keys"), Some(&body));
    assert_eq!(sandbox.handle(&request, NOON).answer(), None);
    let cent = Spent::Booked(Usd::from_dollars(0.01));
    assert_eq!(calls(&mut sandbox, &secret, "dear/one"), cent);
    assert_eq!(sandbox.land_late(NOON), 1);
    assert_eq!(
        calls(&mut sandbox, &secret, "dear/one"),
        Spent::ModelNotAllowed
    );
    assert_eq!(assign(&mut sandbox, GONE, &[&hash]).0, 404);
}
