//! Plans with a guardrail: a key is limited to the plan's models before anybody has its secret, and follows the plan.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use sandbox::{Spent, Usd};
use serde_json::{Value, json};

use crate::caps::{admin, assign, limits, sweeps};
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const ASSIGN: &str = "openrouter.guardrails.assign";
const DEFAULT: &str = "/api/v1/admin/plans/default";

/// Gives the default plan another guardrail, or none.
fn wants(world: &World, guardrail: Option<&str>) {
    let body = json!({ "guardrail_id": guardrail }).to_string();
    admin(world, "PATCH", DEFAULT, &body);
}

/// Makes a guardrail that the default plan has from the beginning. Returns its id.
fn guarded(world: &World) -> String {
    let guardrail = world.guardrail("cheap/one");
    wants(world, Some(&guardrail));
    guardrail
}

/// Makes a member with a key. Returns the member and the key's hash.
fn holder(world: &World) -> (Browser<'_>, String) {
    let member = Browser::signed_in(world, "member");
    assert_eq!(member.claim().status, 201);
    let hash = world.usable().remove(0).hash;
    (member, hash)
}

fn calls(world: &World, secret: &str, model: &str) -> u16 {
    let (now, price) = (world.upstream_now_ms(), Usd::from_dollars(0.01));
    let mut sandbox = world.sandbox.borrow_mut();
    let spent: Spent = sandbox.call_model(secret, Some(model), price, now);
    spent.status()
}

/// Reads the recorded guardrail of the newest generation, with "in flight" after it while a change is in flight.
fn on_record(world: &World) -> String {
    world.db.text(
        "SELECT COALESCE(guardrail_id, '-') || CASE WHEN guardrail_sent_at IS NULL THEN '' ELSE ' in flight' END
         FROM generations ORDER BY id DESC LIMIT 1",
    )
}

#[test]
fn a_key_of_a_plan_with_a_guardrail_has_its_models_and_no_others() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let free = member.claim().secret().unwrap();
    assert_eq!(calls(&world, &free, "dear/one"), 200, "nobody minds");
    let guardrail = world.guardrail("cheap/one");
    let body = json!({ "name": "dev", "limit_usd": "5", "limit_reset": "monthly", "expiry_days": 30, "max_active_keys": 1,
        "guardrail_id": guardrail });
    let made = admin(&world, "POST", "/api/v1/admin/plans", &body.to_string());
    assert_eq!(made["plan"]["guardrail_id"], json!(guardrail));
    let second = Browser::signed_in(&world, "second");
    assign(&world, &second, "dev");
    let secret = second.claim().secret().unwrap();
    assert_eq!(calls(&world, &secret, "dear/one"), 403);
    assert_eq!(calls(&world, &secret, "cheap/one"), 200);
    assert_eq!(calls(&world, &free, "dear/one"), 200);
    assert_eq!(on_record(&world), guardrail);
    oracle::settled(&world);
}

#[test]
fn a_claim_with_a_guardrail_is_two_upstream_calls_and_two_database_round_trips() {
    let world = World::new();
    guarded(&world);
    let member = Browser::signed_in(&world, "member");
    world.effects.plan(&[]);
    assert_eq!(member.claim().status, 201);
    let names = world.effects.names();
    let of = |kind: &str| names.iter().filter(|name| name.starts_with(kind)).count();
    assert_eq!((of("http"), of("db")), (2, 2), "{names:?}");
}

#[test]
fn a_plan_cannot_name_a_guardrail_that_does_not_exist() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let guardrail = guarded(&world);
    let plans = || {
        world
            .db
            .texts("SELECT name || rev || COALESCE(guardrail_id, '') FROM plans")
    };
    let before = plans();
    let asked = world.calls("openrouter.guardrails.get");
    let wants = |id: &Value| operator.patch(DEFAULT, &json!({ "guardrail_id": id }).to_string());
    let gone = json!("ffffffff-0000-4000-8000-ffffffffffff");
    assert_eq!(
        (wants(&gone).status, wants(&gone).code()),
        (409, "guardrail_missing".into())
    );
    assert_eq!(world.calls("openrouter.guardrails.get"), asked + 2);
    for id in [
        "",
        ".",
        "..",
        "a/b",
        "a b",
        "assignments%2Fkeys",
        "ä",
        &"a".repeat(65),
    ] {
        assert_eq!(wants(&json!(id)).code(), "guardrail_missing", "{id}");
    }
    assert_eq!(
        world.calls("openrouter.guardrails.get"),
        asked + 2,
        "it stands in addresses"
    );
    for (kind, more, status, code) in [
        (
            "error_before",
            json!({ "times": 3 }),
            503,
            "guardrail_unread",
        ),
        (
            "rate_limited",
            json!({ "times": 1 }),
            503,
            "guardrail_unread",
        ),
        ("html", json!({}), 503, "guardrail_unread"),
        ("refuse", json!({ "status": 400 }), 409, "guardrail_missing"),
        (
            "refuse",
            json!({ "status": 403 }),
            503,
            "credential_refused",
        ),
        (
            "html_refuse",
            json!({ "status": 403 }),
            503,
            "guardrail_unread",
        ),
        (
            "html_refuse",
            json!({ "status": 404 }),
            503,
            "guardrail_unread",
        ),
    ] {
        world.add_fault("openrouter.guardrails.get", kind, more);
        let response = wants(&json!(guardrail));
        assert_eq!(
            (response.status, response.code()),
            (status, code.into()),
            "{kind}"
        );
    }
    let body = json!({ "name": "dev", "limit_usd": "5", "limit_reset": "monthly", "expiry_days": 30, "max_active_keys": 1,
        "guardrail_id": gone });
    let response = operator.post("/api/v1/admin/plans", &body.to_string());
    assert_eq!(response.code(), "guardrail_missing");
    assert_eq!(operator.patch(DEFAULT, r#"{"guardrail_id":5}"#).status, 400);
    assert_eq!(plans(), before, "nothing was changed");
    // A change of another field keeps the guardrail, and `null` removes it.
    admin(&world, "PATCH", DEFAULT, r#"{"limit_usd":"4"}"#);
    let listed = || operator.get("/api/v1/admin/plans").json()["plans"][5]["guardrail_id"].clone();
    assert_eq!(listed(), json!(guardrail));
    admin(&world, "PATCH", DEFAULT, r#"{"guardrail_id":null}"#);
    assert_eq!(listed(), Value::Null);
}

#[test]
fn no_secret_is_given_out_unless_openrouter_counts_the_assignment() {
    for (kind, more) in [
        ("refuse", json!({ "status": 404 })),
        ("refuse", json!({ "status": 400 })),
        ("refuse", json!({ "status": 403 })),
        ("rate_limited", json!({ "retry_after": 1 })),
        ("error_before", json!({})),
        ("error_after", json!({})),
        ("reset_before", json!({})),
        ("reset_after", json!({})),
        ("stall_after", json!({})),
        ("truncated", json!({})),
        ("html", json!({})),
        ("late", json!({})),
    ] {
        let world = World::new();
        guarded(&world);
        let member = Browser::signed_in(&world, "member");
        world.add_fault(ASSIGN, kind, more);
        let response = member.claim();
        assert_eq!(
            (response.status, response.code()),
            (503, "claim_unknown".into()),
            "{kind}"
        );
        assert_eq!(response.secret(), None);
        assert_eq!(world.usable().len(), 0, "{kind}: erased at once");
        assert_eq!(world.states(), ["revoked"], "{kind}");
        let now = world.upstream_now_ms();
        world.sandbox.borrow_mut().land_late(now);
        sweeps(&world, 1);
        assert_eq!(member.claim().status, 201);
        oracle::settled(&world);
    }
}

#[test]
fn an_answer_without_a_valid_count_is_no_assignment() {
    for count in [json!(2), json!("1"), json!(null)] {
        let world = World::new();
        guarded(&world);
        let member = Browser::signed_in(&world, "member");
        world.bend.set(Some(match count.as_i64() {
            Some(_) => |_, body| counts(body, &json!(2)),
            None if count.is_null() => |_, body| counts(body, &Value::Null),
            None => |_, body| counts(body, &json!("1")),
        }));
        assert_eq!(member.claim().code(), "claim_unknown", "{count}");
        assert_eq!(world.usable().len(), 0, "{count}");
        world.bend.set(None);
    }
}

fn counts(body: &mut Value, count: &Value) {
    if let Some(response) = body.get_mut("assigned_count") {
        *response = count.clone();
    }
}

#[test]
fn a_crash_between_the_key_and_its_guardrail_leaves_a_stray_that_is_deleted() {
    for fate in [Fate::CutBefore, Fate::CutAfter] {
        let world = World::new();
        guarded(&world);
        let member = Browser::signed_in(&world, "member");
        world.effects.plan(&[(2, fate)]);
        assert!(member.try_claim().is_none());
        assert!(world.effects.names()[2].contains("/assignments/keys"));
        world.effects.plan(&[]);
        assert_eq!(world.usable().len(), 1);
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 0);
        oracle::settled(&world);
    }
}

#[test]
fn a_mint_under_way_is_not_recorded_for_another_guardrail() {
    let world = World::new();
    guarded(&world);
    let member = Browser::signed_in(&world, "member");
    let other = world.guardrail("cheap/two");
    world.effects.plan(&[(2, Fate::HeldAfter)]);
    let held = member.start_claim();
    world.effects.plan(&[]);
    wants(&world, Some(&other));
    assert_eq!(held.release().code(), "claim_superseded");
    assert_eq!(world.usable().len(), 0);
    assert_eq!(member.claim().status, 201);
    assert_eq!(on_record(&world), other);
}

#[test]
fn keys_follow_their_plans_guardrail_with_the_next_sweep() {
    let world = World::new();
    let (_, hash) = holder(&world);
    let [first, second] = ["cheap/one", "cheap/two"].map(|model| world.guardrail(model));
    for wanted in [Some(&first), Some(&second), None] {
        wants(&world, wanted.map(String::as_str));
        sweeps(&world, 1);
        assert_eq!(world.held_to(&hash).as_ref(), wanted);
        assert_eq!(on_record(&world), wanted.map_or("-", String::as_str));
        oracle::settled(&world);
    }
    let audited = "SELECT COUNT(*) FROM audit WHERE action = 'guardrail_changed' AND before = 'active' AND after = 'active'";
    assert_eq!(world.db.number(audited), 3);
    let said = world.calls(ASSIGN);
    sweeps(&world, 2);
    assert_eq!(world.calls(ASSIGN), said, "and then all is said");
    assert_eq!(world.calls("openrouter.guardrails.assignments"), 0);
}

#[test]
fn an_owner_who_is_given_another_plan_follows_at_once_prepaid_or_not() {
    let world = World::new();
    let guardrail = guarded(&world);
    let (member, hash) = holder(&world);
    assert_eq!(world.held_to(&hash), Some(guardrail));
    assign(&world, &member, "basic");
    assert_eq!(world.held_to(&hash), None);
    let prepaid = world.guardrail("dear/one");
    let body = json!({ "guardrail_id": prepaid }).to_string();
    admin(&world, "PATCH", "/api/v1/admin/plans/prepaid", &body);
    assign(&world, &member, "prepaid");
    assert_eq!(world.held_to(&hash), Some(prepaid));
    sweeps(&world, 1);
    oracle::settled(&world);
}

#[test]
fn a_higher_limit_waits_for_the_guardrail_and_a_lower_one_does_not() {
    let world = World::new();
    let (_, hash) = holder(&world);
    let guardrail = world.guardrail("cheap/one");
    let change = |limit: &str| {
        let body = json!({ "guardrail_id": guardrail, "limit_usd": limit }).to_string();
        admin(&world, "PATCH", DEFAULT, &body);
    };
    change("9");
    world.add_fault(ASSIGN, "error_before", json!({ "times": 2 }));
    sweeps(&world, 1);
    assert_eq!((limits(&world), world.held_to(&hash)), (vec![5.0], None));
    change("2");
    sweeps(&world, 1);
    assert_eq!((limits(&world), world.held_to(&hash)), (vec![2.0], None));
    sweeps(&world, 1);
    assert_eq!(world.held_to(&hash).as_ref(), Some(&guardrail), "stays due");
    change("9");
    sweeps(&world, 1);
    assert_eq!(limits(&world), [9.0]);
    oracle::settled(&world);
}

#[test]
fn an_unconfirmed_guardrail_is_sent_again_and_the_list_decides_if_that_changes_nothing() {
    for kind in ["reset_before", "reset_after", "late"] {
        let world = World::new();
        let (_, hash) = holder(&world);
        let guardrail = world.guardrail("cheap/one");
        wants(&world, Some(&guardrail));
        world.add_fault(ASSIGN, kind, json!({}));
        sweeps(&world, 1);
        assert_eq!(on_record(&world), "- in flight", "{kind}");
        sweeps(&world, 1);
        assert_eq!(on_record(&world), guardrail, "{kind}");
        assert_eq!(world.held_to(&hash), Some(guardrail), "{kind}");
        let read = world.calls("openrouter.guardrails.assigned");
        assert_eq!(read, u64::from(kind == "reset_after"), "{kind}");
        oracle::settled(&world);
    }
}

#[test]
fn a_guardrail_that_takes_effect_late_does_not_stay() {
    for wanted in ["cheap/two", ""] {
        let world = World::new();
        let (member, hash) = holder(&world);
        let first = world.guardrail("cheap/one");
        let body = json!({ "guardrail_id": first }).to_string();
        admin(&world, "PATCH", "/api/v1/admin/plans/basic", &body);
        world.add_fault(ASSIGN, "late", json!({}));
        assign(&world, &member, "basic");
        assert_eq!(on_record(&world), "- in flight");
        // The five minutes in which the assignment may still take effect are not over.
        world.pass(60);
        if wanted.is_empty() {
            assign(&world, &member, "default");
            assert_eq!(on_record(&world), "- in flight");
        } else {
            let guardrail = world.guardrail(wanted);
            wants(&world, Some(&guardrail));
            assign(&world, &member, "default");
            assert_eq!(on_record(&world), format!("{guardrail} in flight"));
        }
        let now = world.upstream_now_ms();
        assert_eq!(world.sandbox.borrow_mut().land_late(now), 1);
        assert_eq!(world.held_to(&hash), Some(first), "it has landed");
        sweeps(&world, 1);
        assert!(!on_record(&world).contains("in flight"));
        oracle::settled(&world);
    }
}

#[test]
fn of_two_plan_changes_at_once_the_later_ones_guardrail_stays() {
    let world = World::new();
    let (_, hash) = holder(&world);
    let [first, second] = ["cheap/one", "cheap/two"].map(|model| world.guardrail(model));
    wants(&world, Some(&first));
    world.pass(TEN_MINUTES);
    let dry = world.copied();
    dry.effects.plan(&[]);
    assert!(dry.sweep());
    let sent = |name: &String| name.contains("/assignments/keys");
    let n = dry.effects.names().iter().position(sent).unwrap();
    for (at, fate) in [
        (n, Fate::HeldBefore),
        (n, Fate::HeldAfter),
        (n - 1, Fate::HeldBefore),
    ] {
        let world = world.copied();
        let service = world.service();
        world.effects.plan(&[(at, fate)]);
        let run = keycap::jobs::sweep_and_go_on(service.app(), world.now());
        let mut run = pin!(run);
        let mut context = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut context).is_pending());
        world.effects.plan(&[]);
        wants(&world, Some(&second));
        while run.as_mut().poll(&mut context).is_pending() {}
        oracle::always(&world);
        sweeps(&world, 2);
        assert_eq!(world.held_to(&hash).as_ref(), Some(&second));
        oracle::settled(&world);
    }
}

#[test]
fn a_guardrail_that_someone_deleted_holds_up_no_key() {
    for key_too in [false, true] {
        let world = World::new();
        let guardrail = guarded(&world);
        let (_member, hash) = holder(&world);
        wants(&world, None);
        let delete = |path: &str| world.by_hand("DELETE", path, &Value::Null);
        delete(&format!("/guardrails/{guardrail}"));
        if key_too {
            delete(&format!("/keys/{hash}"));
        }
        sweeps(&world, 1);
        // If the key is gone as well, nothing can be concluded.
        let in_flight = format!("{guardrail} in flight");
        assert_eq!(on_record(&world), if key_too { &in_flight } else { "-" });
    }
}

#[test]
fn a_guardrail_that_neither_the_answer_nor_the_list_shows_is_not_in_force() {
    let world = World::new();
    let (_member, hash) = holder(&world);
    let guardrail = world.guardrail("cheap/one");
    wants(&world, Some(&guardrail));
    world.bend.set(Some(|call, body| {
        counts(body, &json!(0));
        if call.method == "GET" && call.url.path().ends_with("/assignments/keys") {
            body["data"] = json!([]);
        }
    }));
    sweeps(&world, 2);
    assert_eq!(on_record(&world), "- in flight");
    world.bend.set(Some(|_, body| counts(body, &json!(0))));
    sweeps(&world, 1);
    assert_eq!(on_record(&world), guardrail, "the list says so");
    wants(&world, None);
    world.bend.set(Some(|_, body| {
        body.as_object_mut().unwrap().remove("unassigned_count");
    }));
    sweeps(&world, 1);
    assert_eq!(on_record(&world), format!("{guardrail} in flight"));
    world.bend.set(None);
    sweeps(&world, 1);
    assert_eq!(
        (on_record(&world).as_str(), world.held_to(&hash)),
        ("-", None)
    );
    oracle::settled(&world);
}

#[test]
fn the_list_of_one_guardrail_is_read_from_both_ends() {
    for (theirs, pages) in [(130, 2), (1_450, 10)] {
        let world = World::new();
        world.somebodys_keys(theirs);
        let theirs: Vec<String> = {
            let sandbox = world.sandbox.borrow();
            let keys = sandbox.ledger().keys.iter();
            keys.map(|key| key.hash.clone()).collect()
        };
        let (_member, hash) = holder(&world);
        world.somebodys_keys(300);
        let guardrail = world.guardrail("cheap/one");
        let assign = |to: &str, hashes: &[String]| {
            let path = format!("/guardrails/{to}/assignments/keys");
            world.by_hand("POST", &path, &json!({ "key_hashes": hashes }));
        };
        assign(&guardrail, &theirs);
        wants(&world, Some(&guardrail));
        world.add_fault(ASSIGN, "reset_after", json!({}));
        sweeps(&world, 2);
        assert_eq!(
            (on_record(&world), world.held_to(&hash)),
            (guardrail.clone(), Some(guardrail))
        );
        assert_eq!(world.calls("openrouter.guardrails.assigned"), pages);
        assert_eq!(world.calls("openrouter.guardrails.assignments"), 0);
        oracle::settled(&world);
    }
}

#[test]
fn any_guardrail_in_flight_is_replaced_by_the_recorded_one_which_is_then_removed() {
    for other_was_sent in [false, true] {
        let world = World::new();
        let guardrail = guarded(&world);
        let (_member, hash) = holder(&world);
        let other = world.guardrail("cheap/two");
        let operation = if other_was_sent {
            wants(&world, Some(&other));
            ASSIGN
        } else {
            wants(&world, None);
            "openrouter.guardrails.unassign"
        };
        world.add_fault(operation, "reset_after", json!({}));
        sweeps(&world, 1);
        assert_eq!(on_record(&world), format!("{guardrail} in flight"));
        assert_eq!(world.held_to(&hash), other_was_sent.then_some(other));
        wants(&world, None);
        sweeps(&world, 1);
        assert_eq!(
            (on_record(&world).as_str(), world.held_to(&hash)),
            ("-", None)
        );
        assert_eq!(world.calls("openrouter.guardrails.assignments"), 0);
        oracle::settled(&world);
    }
}

#[test]
fn each_successor_gets_the_plans_guardrail_and_without_it_the_old_key_stays() {
    for (verb, body) in [
        ("rotate", "{}"),
        ("rotate", r#"{"grace_hours":1}"#),
        ("leaked", "{}"),
    ] {
        let world = World::new();
        let guardrail = guarded(&world);
        let (member, hash) = holder(&world);
        let key = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
        let target = format!("/api/v1/keys/{}/{verb}", key.as_str().unwrap());
        world.add_fault(ASSIGN, "reset_after", json!({}));
        let response = member.post(&target, body);
        let status = if verb == "leaked" { 200 } else { 503 };
        assert_eq!(
            (response.status, response.secret()),
            (status, None),
            "{verb} {body}"
        );
        sweeps(&world, 2);
        if verb == "rotate" {
            assert_eq!(world.usable().remove(0).hash, hash, "as it was");
        }
        let response = member.post(&target, body);
        assert_eq!(response.status, 201, "{verb} {body}: {response:?}");
        let secret = response.secret().unwrap();
        let successor = sandbox::sha256_hex(secret.as_bytes());
        assert_eq!(world.held_to(&successor), Some(guardrail), "{verb} {body}");
        sweeps(&world, 1);
        oracle::settled(&world);
    }
}

#[test]
fn a_guardrail_call_that_the_transport_repeated_deletes_no_valid_key() {
    let world = World::new();
    let guardrail = guarded(&world);
    world.add_fault(ASSIGN, "duplicate", json!({}));
    let (member, hash) = holder(&world);
    assert_eq!(world.held_to(&hash), Some(guardrail.clone()));
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    let key = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let target = format!("/api/v1/keys/{}/rotate", key.as_str().unwrap());
    world.add_fault(ASSIGN, "duplicate", json!({}));
    let response = member.post(&target, "{}");
    assert_eq!(response.status, 201, "{response:?}");
    let successor = sandbox::sha256_hex(response.secret().unwrap().as_bytes());
    assert_eq!(world.held_to(&successor), Some(guardrail));
    // OpenRouter reports that nothing was new, and its list does not show the assignment: the key has no guardrail.
    let other = Browser::signed_in(&world, "second");
    world.bend.set(Some(|call, body| {
        if call.url.path().ends_with("/assignments/keys") && call.method == "POST" {
            body["assigned_count"] = json!(0);
        }
        if call.url.path().ends_with("/assignments/keys") && call.method == "GET" {
            body["data"] = json!([]);
        }
    }));
    assert_eq!(other.claim().code(), "claim_unknown");
    world.bend.set(None);
    sweeps(&world, 2);
    oracle::settled(&world);
}

#[test]
fn a_long_list_of_the_account_is_read_over_several_sweeps() {
    let world = World::new();
    world.somebodys_keys(1_950);
    let (member, hash) = holder(&world);
    let theirs: Vec<String> = {
        let sandbox = world.sandbox.borrow();
        let keys = sandbox.ledger().keys.iter();
        let theirs = keys.filter(|key| key.hash != hash);
        theirs.map(|key| key.hash.clone()).collect()
    };
    let first = world.guardrail("cheap/one");
    for hashes in theirs.chunks(100) {
        let path = format!("/guardrails/{first}/assignments/keys");
        world.by_hand("POST", &path, &json!({ "key_hashes": hashes }));
    }
    // The key has the guardrail, the answer was lost, and by now the plan names none.
    let body = json!({ "guardrail_id": first }).to_string();
    admin(&world, "PATCH", "/api/v1/admin/plans/basic", &body);
    world.add_fault(ASSIGN, "reset_after", json!({}));
    assign(&world, &member, "basic");
    assert_eq!(on_record(&world), "- in flight");
    let pages = || world.calls("openrouter.guardrails.assignments");
    assign(&world, &member, "default");
    assert_eq!(pages(), 10, "no more in one turn");
    assert_eq!(on_record(&world), "- in flight");
    sweeps(&world, 1);
    assert_eq!(pages(), 20);
    sweeps(&world, 2);
    assert!(pages() <= 24, "it goes on where it was: {}", pages());
    assert_eq!(
        (on_record(&world).as_str(), world.held_to(&hash)),
        ("-", None)
    );
    oracle::settled(&world);
}
