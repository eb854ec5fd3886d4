//! The nightly comparison of all keys with all rows.

use serde_json::{Value, json};

use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const OFF: &str = r#"{"disabled":true}"#;
const JOBS: &str = "/api/v1/admin/jobs";

fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, format!("/api/v1/keys/{id}"))
}

fn counts(world: &World) -> Value {
    let text = world
        .db
        .text("SELECT counts FROM runs WHERE job = 'reconcile' ORDER BY id DESC LIMIT 1");
    serde_json::from_str(&text).unwrap()
}

/// Runs one reconcile to its end. Returns its counts.
fn reconciled(world: &World) -> Value {
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "done");
    oracle::always(world);
    counts(world)
}

fn kinds(world: &World) -> Vec<String> {
    world
        .db
        .texts("SELECT kind FROM drift ORDER BY generation_id, kind")
}

fn only_hash(world: &World) -> String {
    world.db.text("SELECT upstream_hash FROM generations")
}

fn by_hand(world: &World, change: &Value) {
    world.by_hand("PATCH", &format!("/keys/{}", only_hash(world)), change);
}

#[test]
fn a_key_that_agrees_is_no_drift_and_keys_of_others_are_only_counted() {
    let world = World::new();
    holder(&world, "member");
    holder(&world, "second");
    world.somebodys_keys(3);
    world.workspace();
    let counts = reconciled(&world);
    let of = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((of("ours"), of("others"), of("workspaces")), (2, 3, 2));
    assert_eq!(
        (of("drift"), of("missing"), of("strays"), of("errors")),
        (0, 0, 0, 0)
    );
    assert_eq!(kinds(&world).len(), 0);
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
}

#[test]
fn a_key_that_someone_else_enabled_is_disabled_again() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    assert_eq!(member.patch(&key, OFF).status, 200);
    by_hand(&world, &json!({ "disabled": false }));
    let counts = reconciled(&world);
    assert_eq!(
        (&counts["drift"], &counts["mended"], &counts["kept"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(kinds(&world), ["disabled"]);
    assert_eq!(world.usable().len(), 1, "not by the comparison itself");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 0, "as its holds want it");
    assert_eq!(reconciled(&world)["drift"], 0);
    assert_eq!(kinds(&world).len(), 0, "closed when gone");
}

#[test]
fn a_limit_that_someone_else_raised_is_lowered_again() {
    // It also holds for a key whose limit is due anyway: what an earlier generation spent on that day stays subtracted.
    for capped in [false, true] {
        for elsewhere in [json!(50), json!(null)] {
            let world = World::new();
            let (member, key) = holder(&world, "member");
            if capped {
                world.spends(1.0);
                assert_eq!(member.post(&format!("{key}/rotate"), "{}").status, 201);
                for _ in 0..2 {
                    world.pass(TEN_MINUTES);
                    assert!(world.sweep());
                }
            }
            let (hash, limit) = (world.usable()[0].hash.clone(), world.usable()[0].limit);
            let changed = json!({ "limit": elsewhere });
            world.by_hand("PATCH", &format!("/keys/{hash}"), &changed);
            world.pass(TEN_MINUTES);
            assert!(world.reconcile());
            assert_eq!(counts(&world)["mended"], 1);
            assert_ne!(
                world.usable()[0].limit,
                limit,
                "not by the comparison itself"
            );
            assert!(world.sweep());
            assert_eq!(world.usable()[0].limit, limit, "{elsewhere} {capped}");
            assert_eq!(reconciled(&world)["drift"], 0);
            oracle::settled(&world);
        }
    }
}

#[test]
fn a_limit_changed_elsewhere_is_sent_again_and_other_differences_are_reported() {
    for (change, kind, due) in [
        (json!({ "limit": 50 }), "limit", 1),
        (json!({ "limit": null }), "limit", 1),
        (json!({ "limit_reset": "monthly" }), "limit_reset", 0),
        (json!({ "include_byok_in_limit": false }), "byok", 0),
        (json!({ "name": "somebody renamed it" }), "name", 0),
    ] {
        let world = World::new();
        let (_, _) = holder(&world, "member");
        by_hand(&world, &change);
        let before = world
            .db
            .text("SELECT quote(state) || quote(switch_doubted_at) || limit_nano FROM generations");
        for first in [true, false] {
            world.pass(TEN_MINUTES);
            assert!(world.reconcile());
            let counts = counts(&world);
            assert_eq!(
                (&counts["ours"], &counts["drift"]),
                (&json!(1), &json!(1)),
                "{change}"
            );
            assert_eq!(kinds(&world), [kind], "{change} {first}");
        }
        let seen = "SELECT last_seen_at - first_seen_at FROM drift";
        assert_eq!(world.db.number(seen), TEN_MINUTES);
        assert_eq!(
            world
                .db
                .number("SELECT COUNT(*) FROM generations WHERE cap_due_at IS NOT NULL"),
            due,
            "{change}"
        );
        assert_eq!(
            world.db.text(
                "SELECT quote(state) || quote(switch_doubted_at) || limit_nano FROM generations"
            ),
            before
        );
        // The key gets its own settings back, so that the oracle can compare.
        let is = json!({ "limit": 5, "limit_reset": "daily", "include_byok_in_limit": true,
            "name": world.db.text("SELECT upstream_name FROM generations") });
        by_hand(&world, &is);
        assert_eq!(reconciled(&world)["drift"], 0);
        assert_eq!(kinds(&world).len(), 0);
    }
}

#[test]
fn a_key_that_vanished_is_shown_as_missing_and_can_be_removed() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    holder(&world, "second");
    let shown = || member.get("/api/v1/keys").json()["keys"][0].clone();
    assert_eq!(shown()["missing"], false);
    let hash = world
        .db
        .text("SELECT upstream_hash FROM generations ORDER BY id LIMIT 1");
    world.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
    for night in 0..2 {
        assert_eq!(reconciled(&world)["missing"], 1, "night {night}");
        assert_eq!(
            (&shown()["state"], &shown()["missing"]),
            (&json!("active"), &json!(true))
        );
    }
    assert_eq!(kinds(&world), ["missing"]);
    assert_eq!(
        world
            .db
            .texts("SELECT action FROM audit WHERE action LIKE 'key_%' AND actor = 'reconcile'"),
        ["key_missed"]
    );
    assert_eq!(member.claim().status, 200, "it holds its seat");
    assert_eq!(member.delete(&key).status, 200);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked", "active"]);
    let next = member.claim().json()["key"].clone();
    assert_eq!(
        (&next["state"], &next["holds"]),
        (&json!("disabled"), &json!(["budget"])),
        "what it spent is not known"
    );
    assert_eq!(world.usable().len(), 1, "the other member's");
    world.pass(86_400);
    assert!(world.sweep());
    assert_eq!(world.states(), ["revoked", "active", "active"]);
    assert_eq!(reconciled(&world)["missing"], 0);
    assert_eq!(kinds(&world).len(), 0);
}

#[test]
fn a_listing_alone_makes_nothing_missing() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    // OpenRouter lists nothing, but still finds the key by its hash.
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().ends_with("/keys") {
            body["data"] = json!([]);
        }
    }));
    assert_eq!(reconciled(&world)["missing"], 0);
    world.bend.set(None);
    // A refusal, or no answer, does not mean that the key is missing either.
    for (kind, more) in [
        ("refuse", json!({ "status": 400, "times": 0 })),
        ("error_before", json!({ "times": 0 })),
    ] {
        let hash = only_hash(&world);
        world.bend.set(Some(|call, body| {
            if call.method == "GET" && call.url.path().ends_with("/keys") {
                body["data"] = json!([]);
            }
        }));
        world.add_fault("openrouter.keys.get", kind, more);
        let counts = reconciled(&world);
        assert_eq!(
            (&counts["missing"], &counts["errors"]),
            (&json!(0), &json!(1)),
            "{hash}"
        );
        world.sandbox.borrow_mut().clear_faults();
        world.bend.set(None);
    }
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );
    assert_eq!(kinds(&world).len(), 0);
}

#[test]
fn a_missing_key_that_exists_again_is_found() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    world.add_fault(
        "openrouter.keys.get",
        "refuse",
        json!({ "status": 404, "times": 0 }),
    );
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().ends_with("/keys") {
            body["data"] = json!([]);
        }
    }));
    assert_eq!(reconciled(&world)["missing"], 1);
    world.sandbox.borrow_mut().clear_faults();
    world.bend.set(None);
    assert_eq!(reconciled(&world)["found"], 1);
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );
    oracle::settled(&world);
}

#[test]
fn keys_outside_the_default_workspace_are_seen_switched_and_removed_by_their_hash() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let elsewhere = world.workspace();
    by_hand(&world, &json!({ "workspace_id": elsewhere }));
    let counts = reconciled(&world);
    assert_eq!(
        (&counts["ours"], &counts["missing"]),
        (&json!(1), &json!(0))
    );
    for body in [r#"{"disabled":true}"#, r#"{"disabled":false}"#] {
        assert_eq!(member.patch(&key, body).status, 200);
    }
    assert_eq!(world.usable().len(), 1);
    assert_eq!(member.delete(&key).status, 200);
    assert_eq!(world.usable().len(), 0);
}

/// Makes 250 keys of ours in two workspaces, between keys of others.
fn crowd(world: &World) -> String {
    let elsewhere = world.workspace();
    for n in 0..250 {
        let response = Browser::signed_in(world, &format!("load-{n}")).claim();
        assert_eq!(response.status, 201);
        let hash = world
            .db
            .text("SELECT upstream_hash FROM generations ORDER BY id DESC LIMIT 1");
        if n % 2 == 0 {
            let change = json!({ "workspace_id": elsewhere });
            world.by_hand("PATCH", &format!("/keys/{hash}"), &change);
        }
    }
    world.somebodys_keys(120);
    elsewhere
}

#[test]
fn all_pages_of_all_workspaces_are_read_also_while_the_list_shrinks() {
    let world = World::new();
    crowd(&world);
    let counts = reconciled(&world);
    assert_eq!(
        (&counts["ours"], &counts["others"], &counts["missing"]),
        (&json!(250), &json!(120), &json!(0))
    );
    assert!(counts["pages"].as_u64().unwrap() >= 6);
    // Somebody deletes keys between two pages.
    world.pass(TEN_MINUTES);
    let service = world.service();
    let now = world.now();
    world.effects.plan(&[]);
    let first = world.calls("openrouter.keys.list");
    let mut k = 0;
    for held in [9, 12] {
        let world = world.copied();
        world.effects.plan(&[(held, Fate::HeldAfter)]);
        let service = world.service();
        let run = keycap::jobs::run(service.app(), keycap::jobs::EVERY_NIGHT, now);
        let mut run = std::pin::pin!(run);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(run.as_mut(), &mut context).is_pending());
        world.somebody_deletes(60);
        assert!(std::future::Future::poll(run.as_mut(), &mut context).is_ready());
        let text = world
            .db
            .text("SELECT counts FROM runs ORDER BY id DESC LIMIT 1");
        let counts: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&counts["missing"], &counts["drift"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(world.db.number("SELECT COUNT(*) FROM drift"), 0);
        k += 1;
    }
    assert_eq!((k, world.calls("openrouter.keys.list")), (2, first));
    drop(service);
}

#[test]
fn the_next_trigger_continues_what_a_run_did_not_finish() {
    let world = World::new();
    holder(&world, "member");
    let hash = only_hash(&world);
    world.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
    world.somebodys_keys(2_000);
    world.pass(TEN_MINUTES);
    let began = world.now();
    // The third group of pages gets no answer, and then the isolate dies.
    world.add_fault(
        "openrouter.keys.list",
        "error_before",
        json!({ "nth": 13, "times": 30 }),
    );
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "failed openrouter_unavailable");
    world.sandbox.borrow_mut().clear_faults();
    let listed = world.calls("openrouter.keys.list");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let runs = world
        .db
        .texts("SELECT job || ' ' || outcome FROM runs ORDER BY id");
    assert_eq!(runs, ["reconcile failed", "sweep done", "reconcile done"]);
    assert_eq!(
        (&counts(&world)["missing"], &counts(&world)["others"]),
        (&json!(1), &json!(2_000))
    );
    let swept = "SELECT json_extract(counts, '$.pages') FROM runs WHERE job = 'sweep'";
    let swept = u64::try_from(world.db.number(swept)).unwrap();
    assert!(
        world.calls("openrouter.keys.list") - listed - swept < 16,
        "not from the beginning"
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM runs WHERE job = 'reconcile'"),
        2,
        "once"
    );
    assert!(began < world.now());
}

#[test]
fn a_run_whose_isolate_dies_is_continued_where_it_stopped() {
    let world = World::new();
    holder(&world, "member");
    world.somebodys_keys(1_500);
    world.pass(TEN_MINUTES);
    world.effects.plan(&[(30, Fate::CutBefore)]);
    assert!(!world.reconcile());
    world.effects.plan(&[]);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let runs = world
        .db
        .texts("SELECT outcome FROM runs WHERE job = 'reconcile' ORDER BY id");
    assert_eq!(runs, ["abandoned", "done"]);
    assert_eq!(counts(&world)["others"], 1_500);
}

#[test]
fn strays_of_any_age_are_deleted_and_marked_keys_without_a_row_are_disabled() {
    let world = World::new();
    holder(&world, "member");
    let name = world.marker_without_row(1);
    // The stray is older than the time on which a sweep looks back.
    world.db.run("INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, ended_at, outcome)
        VALUES ('run_t', 'sweep', 9999999999, 1, 1, 1, 'done')");
    let counts = reconciled(&world);
    assert_eq!(
        (&counts["strays"], &counts["quarantined"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        world
            .db
            .texts("SELECT upstream_name FROM findings WHERE disabled_at IS NOT NULL"),
        [name]
    );
}

#[test]
fn a_dry_run_reports_everything_and_changes_nothing() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    holder(&world, "second");
    holder(&world, "load-1");
    let operator = Browser::signed_in(&world, "operator");
    let hashes = world
        .db
        .texts("SELECT upstream_hash FROM generations ORDER BY id");
    let at = |n: usize| format!("/keys/{}", hashes[n]);
    world.by_hand("DELETE", &at(0), &Value::Null);
    world.by_hand("PATCH", &at(1), &json!({ "disabled": true }));
    world.by_hand("PATCH", &at(2), &json!({ "limit": 6 }));
    world.marker_without_row(1);
    world.pass(TEN_MINUTES);
    let rows = || {
        let all = "SELECT group_concat(quote(state) || quote(switch_doubted_at) || quote(cap_due_at) || quote(missing_since) || quote(next_attempt_at)) FROM generations";
        (
            world.db.text(all),
            world.db.number("SELECT COUNT(*) FROM findings"),
        )
    };
    let before = rows();
    let calls = ["openrouter.keys.update", "openrouter.keys.delete"].map(|call| world.calls(call));
    let response = operator.post(&format!("{JOBS}/reconcile"), r#"{"dry_run":true}"#);
    assert_eq!(response.status, 202, "{response:?}");
    assert_eq!(rows(), before);
    assert_eq!(
        ["openrouter.keys.update", "openrouter.keys.delete"].map(|call| world.calls(call)),
        calls
    );
    let listed = operator.get(JOBS).json();
    let run = &listed["runs"][0];
    assert_eq!(
        (&run["id"], &run["job"], &run["outcome"]),
        (&response.json()["run"], &json!("reconcile"), &json!("done"))
    );
    let of = |name: &str| run["counts"][name].clone();
    assert_eq!(
        [
            of("dry_run"),
            of("drift"),
            of("mended"),
            of("missing"),
            of("strays"),
            of("quarantined")
        ],
        [
            json!(true),
            json!(2),
            json!(0),
            json!(1),
            json!(1),
            json!(0)
        ]
    );
    let open: Vec<&str> = listed["drift"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(open, ["limit", "disabled", "missing"], "newest first");
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );

    // The same as a real run.
    let response = operator.post(&format!("{JOBS}/reconcile"), r#"{"dry_run":false}"#);
    assert_eq!(response.status, 202);
    let listed = operator.get(JOBS).json();
    assert_eq!(listed["without_row"].as_array().unwrap().len(), 1);
    let of = |name: &str| listed["runs"][0]["counts"][name].clone();
    assert_eq!(
        [
            of("drift"),
            of("mended"),
            of("kept"),
            of("missing"),
            of("quarantined")
        ],
        [json!(2), json!(1), json!(1), json!(1), json!(1)]
    );
    assert_eq!(
        world
            .db
            .texts("SELECT action FROM audit WHERE action = 'job_asked'")
            .len(),
        2
    );
    world.by_hand("PATCH", &at(2), &json!({ "limit": 5 }));
}

#[test]
fn one_run_at_a_time_also_on_request() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    world.db.run(
        "INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, outcome)
        VALUES ('run_t', 'reconcile', 1, 1, 9999999999, 'running')",
    );
    let response = operator.post(&format!("{JOBS}/reconcile"), r#"{"dry_run":false}"#);
    assert_eq!(
        (response.status, response.code().as_str()),
        (409, "job_under_way")
    );
    let response = operator.post(&format!("{JOBS}/sweep"), r#"{"dry_run":false}"#);
    assert_eq!(response.status, 202);
    assert_eq!(world.last_run(), "done");
    for (job, body, status) in [
        ("sweep", r#"{"dry_run":true}"#, 400),
        ("nothing", r#"{"dry_run":true}"#, 404),
        ("sweep", "{}", 400),
    ] {
        assert_eq!(
            operator.post(&format!("{JOBS}/{job}"), body).status,
            status,
            "{job} {body}"
        );
    }
}

#[test]
fn a_change_under_way_or_an_ended_key_is_no_drift() {
    for (sql, change) in [
        (
            "UPDATE generations SET switch_doubted_at = 1",
            json!({ "disabled": true }),
        ),
        (
            "UPDATE generations SET limit_sent_nano = 4000000000, limit_sent_at = 1",
            json!({ "limit": 4 }),
        ),
        (
            "UPDATE generations SET expires_at = created_at + 1",
            json!({ "disabled": true }),
        ),
    ] {
        let world = World::new();
        holder(&world, "member");
        world.db.run(sql);
        by_hand(&world, &change);
        assert_eq!(reconciled(&world)["drift"], 0, "{sql}");
    }
}

#[test]
fn a_key_that_is_enabled_after_its_end_is_reported_and_disabled() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    world.spends(1.0);
    assert_eq!(member.delete(&key).status, 200);
    by_hand(&world, &json!({ "disabled": false }));
    let updates = world.calls("openrouter.keys.update");
    world.pass(TEN_MINUTES);
    assert!(world.reconcile_dry());
    assert_eq!(kinds(&world), ["on_after_end"]);
    assert_eq!(
        world.calls("openrouter.keys.update"),
        updates,
        "one that only looks"
    );
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(kinds(&world), ["on_after_end"]);
    assert_eq!(world.usable().len(), 0);
    let drift = reconciled(&world)["drift"].clone();
    assert_eq!(
        (kinds(&world).as_slice(), drift),
        (&[][..] as &[String], json!(0))
    );
}

#[test]
fn a_run_whose_cursor_cannot_be_read_is_a_dry_run() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    assert_eq!(member.delete(&key).status, 200);
    by_hand(&world, &json!({ "disabled": false }));
    world.pass(TEN_MINUTES);
    let now = world.now().secs();
    world.db.run(&format!(
        "INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, ended_at, outcome, cursor)
         VALUES ('run_old', 'reconcile', {now}, {now}, {now}, {now}, 'partial', '{{\"of\":\"another version\"}}')"
    ));
    let updates = world.calls("openrouter.keys.update");
    assert!(world.reconcile());
    assert_eq!(world.calls("openrouter.keys.update"), updates);
    assert_eq!(kinds(&world), ["on_after_end"]);
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(world.usable().len(), 0, "the next one acts");
}

#[test]
fn a_list_of_workspaces_that_repeats_itself_does_not_fail_the_comparison() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    let elsewhere = world.workspace();
    by_hand(&world, &json!({ "workspace_id": elsewhere }));
    // The list claims more entries than it shows, and every page is the same.
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().ends_with("/workspaces") {
            body["total_count"] = json!(250);
            body["data"].as_array_mut().unwrap().truncate(1);
        }
    }));
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.workspaces.list", "offset_ignored", more);
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "done list_repeats");
    assert_eq!(world.calls("openrouter.workspaces.list"), 2);
    assert!(
        world
            .log
            .borrow()
            .iter()
            .any(|line| line.contains("list_repeats"))
    );
    let counts = counts(&world);
    assert_eq!(
        (
            &counts["lists_cut_short"],
            &counts["missing"],
            &counts["errors"]
        ),
        (&json!(1), &json!(0), &json!(0))
    );
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );
    world.bend.set(None);
}

#[test]
fn a_list_of_workspaces_is_complete_when_it_has_as_many_as_openrouter_says() {
    let world = World::new();
    holder(&world, "member");
    world.workspace();
    assert_eq!(reconciled(&world)["workspaces"], 2);
    assert_eq!(world.calls("openrouter.workspaces.list"), 1);
}

#[test]
fn a_list_of_keys_that_repeats_itself_ends_the_walk_and_is_reported() {
    let world = World::new();
    let (member, _) = holder(&world, "member");
    world.somebodys_keys(150);
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.list", "offset_ignored", more);
    let before = world.calls("openrouter.keys.list");
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "done list_repeats");
    assert_eq!(world.calls("openrouter.keys.list") - before, 2);
    let counts = counts(&world);
    assert_eq!(
        (&counts["missing"], &counts["errors"]),
        (&json!(0), &json!(0)),
        "what was not listed was asked for by itself"
    );
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["missing"],
        false
    );
    // The sweep concludes nothing from such a list either.
    let second = Browser::signed_in(&world, "second");
    world.add_fault("openrouter.keys.create", "reset_before", json!({}));
    assert_eq!(second.claim().status, 503);
    let before = world.calls("openrouter.keys.list");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "failed list_repeats");
    assert_eq!(world.calls("openrouter.keys.list") - before, 2);
    assert_eq!(world.states(), ["active", "verifying"]);
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.states(), ["active", "void"]);
}

#[test]
fn without_a_management_key_the_triggers_do_nothing_and_log_it() {
    let world = World::new();
    holder(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    let calls = world.calls("openrouter.keys.list");
    world.set("OPENROUTER_MANAGEMENT_KEY", "");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert!(world.reconcile());
    assert_eq!(
        world.db.number("SELECT COUNT(*) FROM runs"),
        0,
        "none failed"
    );
    assert_eq!(world.calls("openrouter.keys.list"), calls);
    let log = world.log.borrow().clone();
    let said = log.iter().filter(|line| line.contains("no_management_key"));
    assert_eq!(said.count(), 2);
    let asked = operator.at_fresh_isolate();
    let response = asked.post(&format!("{JOBS}/sweep"), r#"{"dry_run":false}"#);
    assert_eq!(
        (response.status, response.code().as_str()),
        (503, "not_configured")
    );
    world.set("OPENROUTER_MANAGEMENT_KEY", sandbox::MANAGEMENT_KEY);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "done");
}
