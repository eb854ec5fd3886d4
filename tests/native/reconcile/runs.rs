//! How a run is started, and when it only looks.

use serde_json::{Value, json};

use super::{JOBS, by_hand, holder, kinds};
use crate::support::{Browser, TEN_MINUTES, World};

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
fn without_a_management_key_the_triggers_do_nothing_and_log_it() {
    let world = World::new();
    holder(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    let calls = world.calls("openrouter.keys.list");
    world.set("OPENROUTER_MANAGEMENT_KEY", "");
    world.pass(TEN_MINUTES);
    assert!(world.tick());
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
