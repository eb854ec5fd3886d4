//! Every fault of the sandbox on every upstream operation that the code makes. The cells of this grid are counted, and
//! those that mean nothing are listed. After each cell the promises hold, and everybody who may claim can claim.

use sandbox::FaultKind;
use serde_json::json;

use crate::explorer::{all_is_well, recover, signed_in};
use crate::support::{Browser, TEN_MINUTES, World, oracle};

/// Brings a world to the moment when an operation is made.
type Moment = fn(&World);

/// The operations, and the moment in which each is made.
const OPERATIONS: [(&str, Moment); 10] = [
    ("github.token", sign_in),
    ("github.user", sign_in),
    ("github.revoke", sign_in),
    ("openrouter.keys.create", claim),
    ("openrouter.guardrails.assign", |world| {
        let guardrail = world.guardrail("cheap/one");
        let held_to = json!({ "guardrail_id": guardrail }).to_string();
        let operator = Browser::signed_in(world, "operator");
        let response = operator.patch("/api/v1/admin/plans/default", &held_to);
        assert_eq!(response.status, 200, "{response:?}");
        claim(world);
    }),
    ("openrouter.keys.list", sweep_of_everything),
    ("openrouter.keys.get", sweep_of_everything),
    ("openrouter.keys.update", sweep_of_everything),
    ("openrouter.keys.delete", sweep_of_everything),
    ("openrouter.workspaces.get", sweep_of_everything),
];

fn sign_in(world: &World) {
    let response = Browser::new(world).sign_in("member");
    assert_eq!(response.status, 303);
}

/// Enables minting again and claims.
fn claim(world: &World) {
    let operator = Browser::signed_in(world, "operator");
    for switch in [r#"{"keys":"on"}"#, r#"{"minting":"open"}"#] {
        let response = operator.patch("/api/v1/admin/settings", switch);
        assert_eq!(response.status, 200, "{response:?}");
    }
    Browser::signed_in(world, "member").claim();
}

/// Runs a sweep that reads, lists, switches and deletes.
fn sweep_of_everything(world: &World) {
    assert!(world.sweep());
}

/// Makes a world in which every operation has work: an expired key, a key to disable, a stray, and a change in flight.
fn busy() -> World {
    let world = World::new();
    assert_eq!(Browser::signed_in(&world, "load-1").claim().status, 201);
    world.pass(90 * 86_400);
    assert_eq!(Browser::signed_in(&world, "load-2").claim().status, 201);
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    assert_eq!(Browser::signed_in(&world, "load-3").claim().status, 503);
    let operator = Browser::signed_in(&world, "operator");
    let response = operator.patch("/api/v1/admin/settings", r#"{"keys":"off","confirm":9}"#);
    assert_eq!(response.status, 200);
    world.pass(TEN_MINUTES);
    world
}

/// How many calls in a row fail. Five outlast every retry; a larger run also tries a single one.
fn times() -> Vec<u32> {
    match std::env::var("KEYCAP_SCALE") {
        Ok(_) => vec![1, 5],
        Err(_) => vec![5],
    }
}

#[test]
fn every_fault_on_every_upstream_operation_leaves_every_promise() {
    let (mut cells, mut nothing) = (0, Vec::new());
    let busy = busy();
    for (operation, moment) in OPERATIONS {
        for kind in FaultKind::NAMES {
            for times in times() {
                let mut fault = json!({ "operation": operation, "kind": kind, "times": times });
                if ["refuse", "error_before", "error_after"].contains(kind) {
                    fault["status"] = json!(if *kind == "refuse" { 400 } else { 500 });
                }
                let Ok(fault) = sandbox::Fault::from_json(&fault) else {
                    nothing.push(format!("{operation} {kind}"));
                    break;
                };
                // A held answer is only a pause, and the explorer already tests pauses.
                if kind.starts_with("hold") {
                    nothing.push(format!("{operation} {kind}"));
                    break;
                }
                let world = busy.forked();
                world.sandbox.borrow_mut().add_fault(fault);
                let before = world.calls(operation);
                moment(&world);
                assert!(world.calls(operation) > before, "{operation} {kind}");
                oracle::always(&world);
                let now = world.now_ms.get();
                world.sandbox.borrow_mut().land_late(now);
                world.sandbox.borrow_mut().clear_faults();
                // Everything that was postponed is due again.
                world.pass(TEN_MINUTES);
                let cast = signed_in(&world);
                recover(&world, &cast, cells % 3);
                all_is_well(&world, &cast);
                cells += 1;
            }
        }
    }
    println!("counted: {cells} cells of faults and operations");
    println!("not applicable: {}", nothing.join(", "));
    assert!(cells >= 194, "{cells}");
}
