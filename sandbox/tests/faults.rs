//! Each fault: what the caller sees, and what really happened.

use crate::common::*;
use sandbox::{Delivery, Fault, FaultKind, Operation, Outcome, Response, Sandbox};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A kind as the control API names it.
fn kind(name: &str, options: Value) -> FaultKind {
    let operation = match name {
        "offset_ignored" => "openrouter.keys.list",
        _ => "openrouter.keys.create",
    };
    let mut fault = json!({"operation": operation, "kind": name});
    fault
        .as_object_mut()
        .unwrap()
        .extend(options.as_object().unwrap().clone());
    Fault::from_json(&fault).unwrap().kind
}

fn create(sandbox: &mut Sandbox) -> Delivery {
    sandbox.handle(
        &openrouter("POST", "/keys", Some(&mint_body("wanted"))),
        NOON,
    )
}

/// What the caller of a faulty create was given.
fn seen(delivery: &Delivery) -> (&'static str, u16) {
    match delivery {
        Delivery::Answer(response)
            if response.header("content-type") == Some("text/html; charset=utf-8") =>
        {
            ("html", response.status)
        }
        Delivery::Answer(response) => ("json", response.status),
        Delivery::Truncated(response) => ("truncated", response.status),
        Delivery::Reset => ("reset", 0),
        Delivery::Stall => ("stall", 0),
        Delivery::Held { .. } => ("held", 0),
    }
}

/// Kind, keys that exist right after, what the caller saw.
const EFFECTS: &[(&str, usize, (&str, u16))] = &[
    ("refuse", 0, ("json", 400)),
    ("reset_before", 0, ("reset", 0)),
    ("reset_after", 1, ("reset", 0)),
    ("error_before", 0, ("json", 500)),
    ("error_after", 1, ("json", 500)),
    ("rate_limited", 0, ("json", 429)),
    ("truncated", 1, ("truncated", 201)),
    ("html", 1, ("html", 200)),
    ("html_error", 0, ("html", 502)),
    ("html_refuse", 0, ("html", 403)),
    ("offset_ignored", 1, ("json", 201)),
    ("stall_before", 0, ("stall", 0)),
    ("stall_after", 1, ("stall", 0)),
    ("late", 0, ("reset", 0)),
    ("hold_before", 0, ("held", 0)),
    ("hold_after", 1, ("held", 0)),
    ("echo_limit_missing", 1, ("json", 201)),
    ("echo_limit_larger", 1, ("json", 201)),
    ("echo_reset_wrong", 1, ("json", 201)),
    ("echo_expiry_missing", 1, ("json", 201)),
    ("echo_expiry_later", 1, ("json", 201)),
    ("echo_name_wrong", 1, ("json", 201)),
    ("echo_workspace_wrong", 1, ("json", 201)),
    ("hash_missing", 1, ("json", 201)),
    ("key_missing", 1, ("json", 201)),
    ("duplicate", 2, ("json", 201)),
    ("extra_members", 1, ("json", 201)),
    ("odd_timestamps", 1, ("json", 201)),
];

#[test]
fn each_fault_has_its_effect_on_the_ledger_and_its_answer_to_the_caller() {
    let tested: BTreeSet<&str> = EFFECTS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(
        tested,
        // This kind is about another operation than a create; `sign_ins.rs` plays it.
        FaultKind::NAMES
            .iter()
            .copied()
            .filter(|name| *name != "key_named")
            .collect(),
        "every kind is in the table"
    );
    for &(name, keys, face) in EFFECTS {
        let mut sandbox = Sandbox::default();
        sandbox.add_fault(Fault::new(Operation::KeysCreate, kind(name, json!({}))));
        let delivery = create(&mut sandbox);
        assert_eq!(seen(&delivery), face, "{name}");
        assert_eq!(sandbox.ledger().keys.len(), keys, "{name}");
        let call = &sandbox.ledger().calls[0];
        assert_eq!((call.fault, call.effect), (Some(name), keys > 0), "{name}");
        assert_eq!(
            seen(&create(&mut sandbox)),
            ("json", 201),
            "{name} strikes once"
        );
        assert_eq!(sandbox.ledger().keys.len(), keys + 1, "{name}");
    }
}

#[test]
fn a_false_answer_changes_only_the_answer() {
    let cases = [
        ("echo_limit_missing", "limit", Value::Null),
        ("echo_limit_larger", "limit", json!(51.0)),
        ("echo_reset_wrong", "limit_reset", json!("monthly")),
        ("echo_expiry_missing", "expires_at", Value::Null),
        (
            "echo_expiry_later",
            "expires_at",
            json!("2999-12-31T23:59:59Z"),
        ),
        ("echo_name_wrong", "name", json!("a name nobody asked for")),
        (
            "echo_workspace_wrong",
            "workspace_id",
            json!("ffffffff-0000-4000-8000-ffffffffffff"),
        ),
        ("hash_missing", "hash", Value::Null),
    ];
    for (name, member, lie) in cases {
        let mut sandbox = Sandbox::default();
        sandbox.add_fault(Fault::new(Operation::KeysCreate, kind(name, json!({}))));
        let answered = create(&mut sandbox).answer().unwrap().value();
        assert_eq!(answered["data"][member], lie, "{name}");
        assert!(answered["key"].is_string(), "{name}");
        let hash = sandbox.ledger().keys[0].hash.clone();
        let (_, truth) = call(&mut sandbox, "GET", &format!("/keys/{hash}"), None);
        let honest = json!({"limit": 5, "limit_reset": "daily", "expires_at": "2026-11-13T12:00:00Z", "name": "wanted", "hash": hash});
        for (honest_member, value) in honest.as_object().unwrap() {
            assert_eq!(&truth["data"][honest_member], value, "{name}");
        }
    }
}

#[test]
fn reads_can_give_false_answers_too() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("a"));
    for operation in [Operation::KeysGet, Operation::KeysList] {
        sandbox.add_fault(Fault::new(operation, FaultKind::EchoExpiryMissing));
    }
    assert!(
        call(&mut sandbox, "GET", &format!("/keys/{hash}"), None).1["data"]
            .get("expires_at")
            .is_none()
    );
    assert!(
        call(&mut sandbox, "GET", "/keys", None).1["data"][0]
            .get("expires_at")
            .is_none()
    );
}

#[test]
fn every_other_change_of_an_answer_is_as_described() {
    let mut sandbox = Sandbox::default();
    let mut next = |kind: FaultKind| {
        sandbox.add_fault(Fault::new(Operation::KeysCreate, kind));
        create(&mut sandbox).answer().unwrap().value()
    };
    assert!(next(FaultKind::KeyMissing).get("key").is_none());
    let extra = next(FaultKind::ExtraMembers);
    assert!(extra["sandbox_extra"].is_object() && extra["data"]["sandbox_extra"].is_object());
    let odd = next(FaultKind::OddTimestamps);
    assert_eq!(
        odd["data"]["created_at"],
        "2026-08-15T12:00:00.000000+00:00"
    );
    assert_eq!(
        odd["data"]["expires_at"],
        "2026-11-13T12:00:00.000000+00:00"
    );
}

#[test]
fn a_duplicate_makes_two_keys_of_one_name_and_answers_one() {
    let mut sandbox = Sandbox::default();
    sandbox.add_fault(Fault::new(Operation::KeysCreate, FaultKind::Duplicate));
    let answered = create(&mut sandbox).answer().unwrap().value();
    let keys: Vec<_> = sandbox.ledger().keys_named("wanted").collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0].secret, keys[1].secret);
    assert_eq!(
        keys.iter()
            .filter(|key| answered["key"] == key.secret.as_str())
            .count(),
        1
    );
}

#[test]
fn faults_are_counted_from_the_moment_they_are_added() {
    let statuses = |sandbox: &mut Sandbox| {
        (0..5)
            .map(|_| create(sandbox).answer().unwrap().status)
            .collect::<Vec<_>>()
    };
    let error = || {
        Fault::new(
            Operation::KeysCreate,
            FaultKind::ErrorBefore { status: 503 },
        )
    };
    let cases = [
        (error(), [503, 201, 201, 201, 201]),
        (error().nth(3), [201, 201, 503, 201, 201]),
        (error().nth(2).times(2), [201, 503, 503, 201, 201]),
        (error().nth(4).times(0), [201, 201, 201, 503, 503]),
    ];
    for (fault, expected) in cases {
        let mut sandbox = Sandbox::default();
        create(&mut sandbox);
        sandbox.add_fault(fault.clone());
        call(&mut sandbox, "GET", "/keys", None);
        assert_eq!(statuses(&mut sandbox), expected, "{fault:?}");
    }
    let mut sandbox = Sandbox::default();
    sandbox.add_fault(error());
    sandbox.add_fault(Fault::new(
        Operation::KeysCreate,
        FaultKind::Refuse { status: 409 },
    ));
    assert_eq!(
        statuses(&mut sandbox),
        [503, 409, 201, 201, 201],
        "two faults due at once strike one after the other"
    );
    sandbox.add_fault(error().times(0));
    sandbox.clear_faults();
    assert_eq!(statuses(&mut sandbox), [201; 5]);
}

#[test]
fn a_held_call_takes_effect_at_its_release_or_has_taken_effect_before() {
    for (kind, keys_while_held) in [(FaultKind::HoldBefore, 0), (FaultKind::HoldAfter, 1)] {
        let mut sandbox = Sandbox::default();
        sandbox.add_fault(Fault::new(Operation::KeysCreate, kind));
        let Delivery::Held { ticket } = create(&mut sandbox) else {
            panic!("not held")
        };
        assert_eq!(sandbox.ledger().keys.len(), keys_while_held);
        assert_eq!(
            (sandbox.held()[0].ticket, sandbox.held()[0].effect),
            (ticket, keys_while_held == 1)
        );
        let released = sandbox
            .release(ticket, NOON + 7)
            .and_then(Delivery::answer)
            .unwrap();
        assert_eq!((released.status, sandbox.ledger().keys.len()), (201, 1));
        assert_eq!(sandbox.ledger().calls[0].outcome, Outcome::Answered(201));
        assert_eq!(sandbox.release(ticket, NOON), None, "a ticket works once");
    }
}

#[test]
fn a_late_effect_happens_when_requested_and_keeps_its_order() {
    let mut sandbox = Sandbox::default();
    sandbox.add_fault(Fault::new(Operation::KeysCreate, FaultKind::Late).times(2));
    assert_eq!(
        (create(&mut sandbox), create(&mut sandbox)),
        (Delivery::Reset, Delivery::Reset)
    );
    assert_eq!((sandbox.ledger().keys.len(), sandbox.late_count()), (0, 2));
    assert_eq!(sandbox.land_late(NOON + HOUR), 2);
    assert_eq!(sandbox.land_late(NOON + HOUR), 0);
    let ledger = sandbox.ledger();
    assert_eq!(
        ledger
            .keys
            .iter()
            .map(|key| key.created_at_ms)
            .collect::<Vec<_>>(),
        [NOON + HOUR; 2]
    );
    assert_eq!(
        (ledger.calls[1].outcome, ledger.count(Operation::KeysCreate)),
        (Outcome::Landed(201), 2)
    );
}

#[test]
fn a_late_delete_of_a_deleted_key_is_answered_with_not_found() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("a"));
    sandbox.add_fault(Fault::new(Operation::KeysDelete, FaultKind::Late));
    let delete = openrouter("DELETE", &format!("/keys/{hash}"), None);
    sandbox.handle(&delete, NOON);
    assert_eq!(answer(&mut sandbox, &delete, NOON).status, 200);
    sandbox.land_late(NOON + HOUR);
    assert_eq!(sandbox.ledger().calls[1].outcome, Outcome::Landed(404));
    assert_eq!(sandbox.ledger().keys[0].deleted_at_ms, Some(NOON));
}

#[test]
fn a_rate_limit_carries_the_headers_it_was_given() {
    let header = |response: &Response, name: &str| response.header(name).map(str::to_owned);
    let mut sandbox = Sandbox::default();
    let headers = BTreeMap::from([("X-RateLimit-Reset".to_owned(), "9".to_owned())]);
    sandbox.add_fault(Fault::new(
        Operation::KeysCreate,
        FaultKind::RateLimited {
            retry_after: Some(30),
            headers,
        },
    ));
    sandbox.add_fault(Fault::new(
        Operation::KeysCreate,
        FaultKind::RateLimited {
            retry_after: None,
            headers: BTreeMap::new(),
        },
    ));
    let first = create(&mut sandbox).answer().unwrap();
    assert_eq!(
        (
            header(&first, "retry-after").as_deref(),
            header(&first, "x-ratelimit-reset").as_deref()
        ),
        (Some("30"), Some("9"))
    );
    assert_eq!(
        header(&create(&mut sandbox).answer().unwrap(), "retry-after"),
        None
    );
}

#[test]
fn github_limits_speak_as_github_does() {
    let mut sandbox = Sandbox::default();
    let token = sign_in(&mut sandbox, "member", NOON);
    let limit = |retry_after| {
        Fault::new(
            Operation::GithubUser,
            FaultKind::RateLimited {
                retry_after,
                headers: BTreeMap::new(),
            },
        )
    };
    sandbox.add_fault(limit(Some(60)));
    sandbox.add_fault(limit(None));
    let secondary = answer(&mut sandbox, &github_user(&token), NOON);
    assert_eq!(
        (secondary.status, secondary.header("retry-after")),
        (403, Some("60"))
    );
    assert!(
        secondary.value()["message"]
            .as_str()
            .unwrap()
            .contains("secondary rate limit")
    );
    let primary = answer(&mut sandbox, &github_user(&token), NOON);
    assert_eq!(
        (
            primary.status,
            primary.header("x-ratelimit-remaining"),
            primary.header("retry-after")
        ),
        (403, Some("0"), None)
    );
}

#[test]
fn a_fault_that_could_never_fire_is_refused() {
    let cases = [
        json!({"operation": "openrouter.keys.create", "kind": "reset"}),
        json!({"operation": "openrouter.keys.make", "kind": "late"}),
        json!({"operation": "openrouter.keys.create", "kind": "late", "nht": 2}),
        json!({"operation": "openrouter.keys.create", "kind": "late", "status": 500}),
        json!({"operation": "openrouter.keys.create", "kind": "error_before", "status": "500"}),
        json!({"operation": "openrouter.keys.delete", "kind": "duplicate"}),
        json!({"operation": "openrouter.credits.get", "kind": "echo_limit_missing"}),
        json!({"kind": "late"}),
        json!({"operation": "github.user"}),
        json!("late"),
    ];
    for case in cases {
        assert!(Fault::from_json(&case).is_err(), "{case}");
    }
    let good = json!({"operation": "github.token", "kind": "rate_limited", "retry_after": null, "headers": {"a": "b"}, "nth": 2, "times": 0});
    let fault = Fault::from_json(&good).unwrap();
    assert_eq!(
        (fault.operation, fault.nth, fault.times),
        (Operation::GithubToken, 2, 0)
    );
}

#[test]
fn two_sandboxes_of_one_seed_and_history_are_equal_and_a_clone_goes_its_own_way() {
    let mut first = Sandbox::default();
    let mut second = Sandbox::default();
    assert_eq!(create(&mut first), create(&mut second));
    let mut copy = first.clone();
    assert_eq!(create(&mut copy), create(&mut second));
    assert_eq!(
        (first.ledger().keys.len(), copy.ledger().keys.len()),
        (1, 2)
    );
}

#[test]
fn a_reset_forgets_everything_but_never_makes_a_secret_twice() {
    let mut sandbox = Sandbox::default();
    sandbox.add_fault(
        Fault::new(Operation::KeysCreate, FaultKind::HoldAfter)
            .nth(2)
            .times(0),
    );
    let before = create(&mut sandbox).answer().unwrap().value();
    let Delivery::Held { ticket } = create(&mut sandbox) else {
        panic!("not held")
    };
    sandbox.advance_clock(HOUR);
    sandbox.reset();
    assert!(
        sandbox.ledger().keys.is_empty()
            && sandbox.ledger().calls.is_empty()
            && sandbox.held().is_empty()
    );
    assert_eq!(sandbox.release(ticket, NOON), None);
    let after = create(&mut sandbox).answer().unwrap().value();
    assert_ne!(before["key"], after["key"]);
    assert_eq!(after["data"]["created_at"], "2026-08-15T12:00:00Z");
}
