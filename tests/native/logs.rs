//! The log: what an operator can find out about a failure, without a value of anybody's.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::support::{Browser, Fate, TEN_MINUTES, World};

/// The lines of the log since the last call, as JSON.
fn new_lines(world: &World) -> Vec<Json> {
    let lines = std::mem::take(&mut *world.log.borrow_mut());
    let line = |line: &String| serde_json::from_str(line).unwrap();
    lines.iter().map(line).collect()
}

fn ids(lines: &[Json], member: &str) -> BTreeSet<String> {
    let id = |line: &Json| line[member].as_str().map(str::to_owned);
    lines.iter().filter_map(id).collect()
}

#[test]
fn a_statement_that_fails_is_logged_with_its_cause_and_the_id_of_the_request() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    new_lines(&world);
    world
        .effects
        .plan(&[(0, Fate::LostBefore), (1, Fate::LostBefore)]);
    let refused = member.claim();
    world.effects.plan(&[]);
    assert_eq!(refused.status, 503, "{refused:?}");
    let lines = new_lines(&world);
    let failures: Vec<&Json> = lines
        .iter()
        .filter(|line| line["event"] == "database_failed")
        .collect();
    assert_eq!(failures.len(), 2, "{lines:?}");
    for failure in failures {
        assert_eq!(failure["kind"], "unknown");
        assert_eq!(failure["cause"], "SQLite");
        let statements = failure["statements"].as_array().unwrap();
        assert!(
            statements.iter().any(|name| name == "claims::GUARD"),
            "{failure}"
        );
    }
    let of_requests = ids(&lines, "request_id");
    assert_eq!(of_requests.len(), 1, "{lines:?}");
    assert!(
        lines.iter().all(|line| line["request_id"].is_string()),
        "{lines:?}"
    );
    let answered = refused.header("x-request-id");
    assert!(of_requests.contains(answered), "{of_requests:?}");
    drop(world);
}

#[test]
fn every_line_of_a_run_has_the_id_of_the_run() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.pass(TEN_MINUTES);
    new_lines(&world);
    assert!(world.sweep());
    let lines = new_lines(&world);
    assert_eq!(ids(&lines, "run").len(), 1, "{lines:?}");
    assert!(
        lines.iter().all(|line| line["run"].is_string()),
        "{lines:?}"
    );
}

#[test]
fn a_trigger_that_starts_nothing_is_told() {
    let world = World::new();
    let isolate = world.service();
    let run = keycap::jobs::run(isolate.app(), "1 2 3 4 5", world.now());
    assert!(world.run(run).is_some());
    let lines = new_lines(&world);
    assert_eq!(lines[0]["event"], "trigger_unknown", "{lines:?}");
    assert_eq!(lines[0]["cron"], "1 2 3 4 5");
}

#[test]
fn of_an_answer_that_cannot_be_read_the_log_names_the_member_and_not_the_value() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.pass(TEN_MINUTES);
    new_lines(&world);
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().contains("/keys/") {
            body["data"]["limit"] = "sk-or-v1-0123456789".into();
        }
    }));
    assert_eq!(member.post("/api/v1/keys/refresh", "{}").status, 200);
    world.bend.set(Some(|_, body| {
        if let Some(row) = body["data"].get_mut(0) {
            row["hash"] = 17.into();
        }
    }));
    world.reconcile();
    world.bend.set(None);
    let lines = new_lines(&world);
    let what: BTreeSet<&str> = lines
        .iter()
        .filter(|line| line["event"] == "answer_unreadable")
        .filter_map(|line| line["what"].as_str())
        .collect();
    let expected = [
        "Listed.hash must be a text",
        "SpendBody.limit must be a number",
    ];
    assert_eq!(what, BTreeSet::from(expected), "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| !line.to_string().contains("0123456789"))
    );
}
