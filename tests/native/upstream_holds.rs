//! What somebody else disables or lowers at OpenRouter stays so until an admin lifts it by name. Only the dangerous
//! direction is corrected automatically.

use serde_json::{Value, json};

use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const LIFT: &str = r#"{"upstream_hold":"lift"}"#;

fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    // A change of ours may need some minutes until it shows everywhere at OpenRouter.
    world.pass(TEN_MINUTES);
    (member, id)
}

fn by_hand(world: &World, change: &Value) {
    let hash = world
        .db
        .text("SELECT upstream_hash FROM generations ORDER BY id DESC LIMIT 1");
    world.by_hand("PATCH", &format!("/keys/{hash}"), change);
}

fn shown(member: &Browser<'_>) -> Value {
    member.get("/api/v1/keys").json()["keys"][0].clone()
}

fn lift(world: &World, key: &str) -> Value {
    let operator = Browser::signed_in(world, "operator");
    let response = operator.patch(&format!("/api/v1/admin/keys/{key}"), LIFT);
    assert!(response.status < 300, "{response:?}");
    response.json()["key"].clone()
}

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
}

/// An operation that may notice that somebody else disabled a key or lowered its limit.
type Reader = fn(&World, &Browser<'_>, &str);

const READERS: [(&str, Reader); 4] = [
    ("the nightly comparison", |world, _, _| {
        assert!(world.reconcile());
    }),
    ("the sweep", |world, _, _| assert!(world.sweep())),
    ("the refresh", |_, member, _| {
        assert_eq!(member.post("/api/v1/keys/refresh", "{}").status, 200);
    }),
    ("a rotation", |_, member, key| {
        member.post(&format!("/api/v1/keys/{key}/rotate"), "{}");
    }),
];

#[test]
fn a_key_that_someone_else_disabled_stays_disabled_whatever_reads_it() {
    for (reader, reads) in READERS {
        let world = World::new();
        let (member, key) = holder(&world, "member");
        by_hand(&world, &json!({ "disabled": true }));
        reads(&world, &member, &key);
        let key = shown(&member);
        assert_eq!(
            (&key["state"], &key["holds"]),
            (&json!("disabled"), &json!(["upstream"])),
            "{reader}"
        );
        sweeps(&world, 3);
        assert!(world.reconcile());
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 0, "{reader}: it came on again");
        oracle::settled(&world);
        let log = world.log.borrow();
        assert!(log.iter().any(|line| line.contains("upstream_change_kept")));
    }
}

#[test]
fn a_limit_that_someone_else_lowered_stays_so_whatever_reads_it() {
    for (reader, reads) in READERS {
        let world = World::new();
        let (member, key) = holder(&world, "member");
        by_hand(&world, &json!({ "limit": 2 }));
        reads(&world, &member, &key);
        let key = shown(&member);
        assert_eq!(key["upstream_limit_usd"], "2.00", "{reader}");
        sweeps(&world, 3);
        // It stays so over the next reset too.
        world.pass(86_400);
        sweeps(&world, 2);
        assert!(world.reconcile());
        sweeps(&world, 1);
        let key = shown(&member);
        assert_eq!(key["limit_usd"], "2.00", "{reader}");
        let limits: Vec<i64> = world
            .usable()
            .iter()
            .map(|key| key.limit.unwrap().nanos)
            .collect();
        assert_eq!(limits, [2_000_000_000], "{reader}");
        oracle::settled(&world);
    }
}

#[test]
fn a_limit_that_someone_else_lowered_during_a_grace_is_the_limit_of_both_secrets() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let response = member.post(
        &format!("/api/v1/keys/{key}/rotate"),
        r#"{"grace_hours":24}"#,
    );
    assert_eq!(response.status, 201, "{response:?}");
    world.pass(TEN_MINUTES);
    by_hand(&world, &json!({ "limit": 1 }));
    sweeps(&world, 3);
    let above = "SELECT COUNT(*) FROM generations WHERE live = 1 AND limit_nano > 1000000000";
    assert_eq!(world.db.number(above), 0);
    oracle::settled(&world);
}

/// Lowers a limit of ours and raises it again: the owner's own limit, or the plan's.
fn down_and_up(world: &World, member: &Browser<'_>, key: &str, of: &str) {
    for limit in [
        json!("1"),
        if of == "plan" {
            json!("5")
        } else {
            json!(null)
        },
    ] {
        let body = json!({ "limit_usd": limit }).to_string();
        let response = match of {
            "plan" => {
                let operator = Browser::signed_in(world, "operator");
                operator.patch("/api/v1/admin/plans/default", &body)
            }
            _ => member.post(&format!("/api/v1/keys/{key}/limit"), &body),
        };
        assert_eq!(response.status, 200, "{response:?}");
        if of == "plan" {
            sweeps(world, 1);
        }
    }
    sweeps(world, 2);
}

#[test]
fn a_temporary_lower_limit_of_ours_does_not_undo_a_limit_that_someone_else_lowered() {
    for of in ["owner", "plan"] {
        let world = World::new();
        let (member, key) = holder(&world, "member");
        // The sweep's regular readings do not reach so far back.
        world.pass(3 * 3_600);
        by_hand(&world, &json!({ "limit": 2 }));
        down_and_up(&world, &member, &key, of);
        assert_eq!(shown(&member)["upstream_limit_usd"], "2.00", "{of}");
        assert_eq!(world.usable()[0].limit.unwrap().nanos, 2_000_000_000);
        oracle::settled(&world);

        let world = World::new();
        let (member, key) = holder(&world, "member");
        world.pass(3 * 3_600);
        by_hand(&world, &json!({ "limit": 0 }));
        down_and_up(&world, &member, &key, of);
        assert_eq!(shown(&member)["holds"], json!(["upstream"]), "{of}");
        assert_eq!(world.usable().len(), 0);
        oracle::settled(&world);
    }
}

#[test]
fn a_change_of_the_window_does_not_undo_a_limit_that_someone_else_lowered() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    world.pass(3 * 3_600);
    by_hand(&world, &json!({ "limit": 2 }));
    let operator = Browser::signed_in(&world, "operator");
    let weekly = json!({ "limit_reset": "weekly" }).to_string();
    let response = operator.patch("/api/v1/admin/plans/default", &weekly);
    assert_eq!(response.status, 200, "{response:?}");
    sweeps(&world, 3);
    assert_eq!(shown(&member)["upstream_limit_usd"], "2.00");
    let key = &world.usable()[0];
    assert_eq!(key.limit.unwrap().nanos, 2_000_000_000);
    assert_eq!(key.limit_reset, Some(sandbox::Period::Weekly));
    oracle::settled(&world);
}

#[test]
fn a_lower_limit_is_sent_even_if_the_key_cannot_be_read_before() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    world.add_fault("openrouter.keys.get", "error_before", json!({ "times": 0 }));
    let body = json!({ "limit_usd": "1" }).to_string();
    let response = member.post(&format!("/api/v1/keys/{key}/limit"), &body);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(world.usable()[0].limit.unwrap().nanos, 1_000_000_000);
}

#[test]
fn a_rotation_of_a_key_that_someone_else_disabled_makes_no_secret() {
    for (verb, body) in [("rotate", "{}"), ("rotate", r#"{"grace_hours":1}"#)] {
        let world = World::new();
        let (member, key) = holder(&world, "member");
        by_hand(&world, &json!({ "disabled": true }));
        let response = member.post(&format!("/api/v1/keys/{key}/{verb}"), body);
        assert_eq!(
            (response.status, response.code().as_str()),
            (403, "key_held")
        );
        assert_eq!(world.calls("openrouter.keys.create"), 1);
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 0);
        oracle::settled(&world);
    }
}

#[test]
fn a_leaked_key_that_someone_else_disabled_stays_disabled_and_its_replacement_waits() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    by_hand(&world, &json!({ "disabled": true }));
    let response = member.post(&format!("/api/v1/keys/{key}/leaked"), "{}");
    assert!(response.status < 300, "{response:?}");
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    sweeps(&world, 2);
    assert_eq!(world.usable().len(), 0);
}

#[test]
fn only_an_admin_lifts_an_outside_change_and_then_the_wanted_state_is_sent_again() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    by_hand(&world, &json!({ "disabled": true, "limit": 1 }));
    assert!(world.reconcile());
    // Nobody else lifts it: not its owner, not an admin who only enables the key, and not a new claim.
    let of = format!("/api/v1/keys/{key}");
    for disabled in [true, false] {
        let body = json!({ "disabled": disabled }).to_string();
        member.patch(&of, &body);
        Browser::signed_in(&world, "operator").patch(&of, &body);
    }
    assert_eq!(
        member
            .patch(&format!("/api/v1/admin/keys/{key}"), LIFT)
            .status,
        404
    );
    assert!(shown(&member)["holds"].to_string().contains("upstream"));
    sweeps(&world, 2);
    assert_eq!(world.usable().len(), 0);
    for hold in ["owner", "admin"] {
        world
            .db
            .run(&format!("DELETE FROM holds WHERE reason = '{hold}'"));
    }
    let operator = Browser::signed_in(&world, "operator");
    let jobs = operator.get("/api/v1/admin/jobs").json();
    assert_eq!(
        (
            &jobs["held_upstream"][0]["key"],
            &jobs["held_upstream"][0]["disabled"]
        ),
        (&json!(key), &json!(true))
    );
    for (body, status) in [(r#"{"upstream_hold":"keep"}"#, 400), ("{}", 400)] {
        let response = operator.patch(&format!("/api/v1/admin/keys/{key}"), body);
        assert_eq!(response.status, status);
    }
    let response = operator.patch("/api/v1/admin/keys/key_000000000000000000000000", LIFT);
    assert_eq!(response.status, 404);
    let lifted = lift(&world, &key);
    assert_eq!(
        (
            &lifted["state"],
            &lifted["holds"],
            &lifted["upstream_limit_usd"]
        ),
        (&json!("active"), &json!([]), &json!(null))
    );
    assert_eq!(world.usable().len(), 1);
    sweeps(&world, 2);
    assert_eq!(shown(&member)["limit_usd"], "5.00");
    assert_eq!(world.usable()[0].limit.unwrap().nanos, 5_000_000_000);
    let actions = "SELECT COUNT(*) FROM audit WHERE action = 'upstream_lifted'";
    assert_eq!(world.db.number(actions), 1);
    lift(&world, &key);
    assert_eq!(world.db.number(actions), 1, "once");
    oracle::settled(&world);
}

#[test]
fn removing_the_key_and_claiming_again_does_not_lift_an_outside_change() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    by_hand(&world, &json!({ "disabled": true }));
    assert!(world.reconcile());
    assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 200);
    sweeps(&world, 2);
    assert_eq!(member.claim().code(), "key_held");
    lift(&world, &key);
    assert_eq!(member.claim().status, 201);
    // It does not remove a lower limit either.
    let world = World::new();
    let (member, key) = holder(&world, "member");
    by_hand(&world, &json!({ "limit": 2 }));
    assert!(world.reconcile());
    assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 200);
    sweeps(&world, 2);
    let response = member.claim();
    assert_eq!(response.json()["key"]["limit_usd"], "2.00");
}

#[test]
fn a_limit_below_a_cent_set_by_someone_else_counts_as_disabled() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    by_hand(&world, &json!({ "limit": 0 }));
    assert!(world.reconcile());
    assert_eq!(shown(&member)["holds"], json!(["upstream"]));
    sweeps(&world, 2);
    assert_eq!(shown(&member)["state"], "disabled");
    lift(&world, &key);
    sweeps(&world, 2);
    assert_eq!(world.usable()[0].limit.unwrap().nanos, 5_000_000_000);
    oracle::settled(&world);
}

#[test]
fn a_change_of_ours_is_never_taken_for_someone_elses() {
    // The owner disables and enables the key, or sets a lower limit and removes it. Each effect is cut or lost once.
    let mut scenarios = 0;
    for body in [
        [
            ("PATCH", "", r#"{"disabled":true}"#),
            ("PATCH", "", r#"{"disabled":false}"#),
        ],
        [
            ("POST", "/limit", r#"{"limit_usd":"1"}"#),
            ("POST", "/limit", r#"{"limit_usd":null}"#),
        ],
    ] {
        let start = World::new();
        let (member, key) = holder(&start, "member");
        let cookies = member.cookies.take();
        let act = |world: &World, n: usize| {
            let (method, part, body) = body[n];
            let target = format!("/api/v1/keys/{key}{part}");
            let headers = [
                ("origin", crate::support::world::ORIGIN),
                ("content-type", "application/json"),
            ];
            let bytes = keycap::http::server::message::Body::Bytes(body.as_bytes().to_vec());
            Browser::with(world, &cookies).try_send(method, &target, &headers, bytes);
        };
        for n in [0, 1] {
            let dry = start.copied();
            if n == 1 {
                act(&dry, 0);
            }
            dry.effects.plan(&[]);
            act(&dry, n);
            for k in 0..dry.effects.count() {
                for fate in [
                    Fate::CutBefore,
                    Fate::CutAfter,
                    Fate::LostBefore,
                    Fate::LostAfter,
                    Fate::Late,
                ] {
                    let world = start.forked();
                    if n == 1 {
                        act(&world, 0);
                    }
                    world.effects.plan(&[(k, fate)]);
                    act(&world, n);
                    world.effects.plan(&[]);
                    world.pass(60);
                    act(&world, 1);
                    world.effects.land();
                    for _ in 0..3 {
                        assert!(world.reconcile());
                        sweeps(&world, 1);
                    }
                    let kept = "SELECT (SELECT COUNT(*) FROM holds WHERE reason = 'upstream')
                        + (SELECT COUNT(*) FROM keys WHERE upstream_limit_nano IS NOT NULL)";
                    assert_eq!(world.db.number(kept), 0, "{body:?} {n} {k} {fate:?}");
                    oracle::settled(&world);
                    scenarios += 1;
                }
            }
        }
    }
    assert!(scenarios > 100, "{scenarios}");
}

#[test]
fn a_change_of_ours_that_is_not_visible_yet_proves_nothing() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let of = format!("/api/v1/keys/{key}");
    for body in [r#"{"disabled":true}"#, r#"{"disabled":false}"#] {
        assert_eq!(member.patch(&of, body).status, 200);
    }
    // OpenRouter still shows the earlier state.
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().contains("/keys") {
            let stale = |row: &mut Value| row["disabled"] = json!(true);
            match &mut body["data"] {
                Value::Array(rows) => rows.iter_mut().for_each(stale),
                row => stale(row),
            }
        }
    }));
    assert!(world.reconcile());
    assert_eq!(shown(&member)["holds"], json!([]));
    world.pass(301);
    assert!(world.reconcile());
    assert_eq!(
        shown(&member)["holds"],
        json!(["upstream"]),
        "by now it shows"
    );
    world.bend.set(None);
    lift(&world, &key);
    sweeps(&world, 1);
}

#[test]
fn a_dry_run_records_no_outside_change() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    by_hand(&world, &json!({ "disabled": true }));
    assert!(world.reconcile_dry());
    assert_eq!(shown(&member)["holds"], json!([]));
    assert!(world.reconcile());
    assert_eq!(shown(&member)["holds"], json!(["upstream"]));
}

#[test]
fn an_owner_who_disables_and_enables_a_key_does_not_undo_that_someone_else_disabled_it() {
    for role in ["member", "operator"] {
        let world = World::new();
        let (member, key) = holder(&world, "member");
        by_hand(&world, &json!({ "disabled": true }));
        let actor = Browser::signed_in(&world, role);
        let of = format!("/api/v1/keys/{key}");
        let response = actor.patch(&of, r#"{"disabled":true}"#);
        assert_eq!(response.status, 200, "{response:?}");
        let holds = &response.json()["key"]["holds"];
        assert!(holds.to_string().contains("upstream"), "{role}: {holds}");
        assert_eq!(shown(&member)["state"], "disabled");
        let response = actor.patch(&of, r#"{"disabled":false}"#);
        assert_eq!(
            (response.status, response.code().as_str()),
            (403, "key_held")
        );
        sweeps(&world, 2);
        assert_eq!(world.usable().len(), 0, "{role}");
        oracle::settled(&world);
    }
}

#[test]
fn a_slow_reading_does_not_keep_anyone_from_disabling_a_key() {
    for (method, verb, body) in [
        ("PATCH", "", r#"{"disabled":true}"#),
        ("POST", "/leaked", "{}"),
    ] {
        for role in ["member", "operator"] {
            let world = World::new();
            let (_member, key) = holder(&world, "member");
            let actor = Browser::signed_in(&world, role);
            let began = world.now_ms.get();
            world.add_fault("openrouter.keys.get", "stall_before", json!({ "times": 0 }));
            let of = format!("/api/v1/keys/{key}{verb}");
            let response = match method {
                "PATCH" => actor.patch(&of, body),
                _ => actor.post(&of, body),
            };
            assert!(response.status < 300, "{response:?}");
            assert_eq!(world.usable().len(), 0, "{verb} {role}");
            assert_eq!(world.now_ms.get() - began, 2_000, "{verb} {role}");
            world.sandbox.borrow_mut().clear_faults();
            sweeps(&world, 2);
            oracle::settled(&world);
        }
    }
}

#[test]
fn a_temporary_hold_of_ours_does_not_enable_a_key_that_someone_else_disabled() {
    let switch = |world: &World, body: &Value| {
        let operator = Browser::signed_in(world, "operator");
        let response = operator.patch("/api/v1/admin/settings", &body.to_string());
        assert!(response.status < 300, "{response:?}");
    };
    let world = World::new();
    let (member, _) = holder(&world, "member");
    holder(&world, "second");
    sweeps(&world, 1);
    // The sweep's regular readings do not reach so far back.
    world.pass(3 * 3_600);
    by_hand(&world, &json!({ "disabled": true }));
    let second = world
        .db
        .text("SELECT upstream_hash FROM generations ORDER BY id DESC LIMIT 1");
    let (gets, lists) = (
        world.calls("openrouter.keys.get"),
        world.calls("openrouter.keys.list"),
    );
    switch(&world, &json!({ "keys": "off", "confirm": 2 }));
    sweeps(&world, 1);
    assert_eq!(world.usable().len(), 0);
    assert_eq!(
        world.calls("openrouter.keys.get") - gets,
        1,
        "only of the one that is disabled"
    );
    assert!(world.calls("openrouter.keys.list") - lists <= 3);
    switch(&world, &json!({ "keys": "on" }));
    sweeps(&world, 3);
    let usable = world.usable();
    assert_eq!(usable.len(), 1);
    assert_ne!(usable[0].hash, second);
    assert_eq!(shown(&member)["holds"], json!([]));
    oracle::settled(&world);
}

#[test]
fn a_key_on_no_page_is_read_before_it_is_disabled_and_disabled_even_if_that_fails() {
    for unread in [false, true] {
        let world = World::new();
        let (_member, key) = holder(&world, "member");
        world.pass(3 * 3_600);
        world.somebodys_keys(400);
        if !unread {
            by_hand(&world, &json!({ "disabled": true }));
        }
        let operator = Browser::signed_in(&world, "operator");
        let body = json!({ "keys": "off", "confirm": 1 }).to_string();
        assert!(operator.patch("/api/v1/admin/settings", &body).status < 300);
        if unread {
            for operation in ["openrouter.keys.get", "openrouter.keys.list"] {
                world.add_fault(operation, "error_before", json!({ "times": 0 }));
            }
        }
        world.pass(TEN_MINUTES);
        world.sweep();
        assert_eq!(world.usable().len(), 0, "{key}");
        world.sandbox.borrow_mut().clear_faults();
        let operator = Browser::signed_in(&world, "operator");
        assert!(
            operator
                .patch("/api/v1/admin/settings", r#"{"keys":"on"}"#)
                .status
                < 300
        );
        sweeps(&world, 3);
        assert_eq!(world.usable().len(), usize::from(unread));
    }
}

#[test]
fn outside_changes_are_listed_newest_first() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let mut kept = Vec::new();
    for n in 0..6 {
        let (_, key) = holder(&world, &format!("load-{n}"));
        let change = if n % 2 == 0 {
            json!({ "disabled": true })
        } else {
            json!({ "limit": 2 })
        };
        by_hand(&world, &change);
        assert!(world.reconcile());
        kept.insert(0, json!(key));
    }
    let jobs = operator.get("/api/v1/admin/jobs").json();
    let listed: Vec<Value> = jobs["held_upstream"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["key"].clone())
        .collect();
    assert_eq!(listed, kept);
}
