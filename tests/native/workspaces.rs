//! The workspace that a plan names: it must exist when the plan is written, and a claim says so when it is gone since.

use serde_json::json;

use crate::support::{Browser, World, oracle};

const NOBODYS: &str = "5a4db0c5-0000-4000-8000-0000000000ab";

fn plan(workspace: &str) -> String {
    json!({ "name": "team", "limit_usd": "5", "limit_reset": "daily", "expiry_days": 30, "max_active_keys": 1,
        "workspace_id": workspace })
    .to_string()
}

#[test]
fn a_plan_names_a_workspace_that_openrouter_has() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let there = world.workspace();
    let before = world.db.dump();
    let long = "a".repeat(65);
    for unknown in [
        NOBODYS,
        "",
        "x",
        "../keys",
        "a b",
        "%2e%2e",
        long.as_str(),
        "\u{200b}",
    ] {
        for response in [
            operator.post("/api/v1/admin/plans", &plan(unknown)),
            operator.patch(
                "/api/v1/admin/plans/pro",
                &json!({ "workspace_id": unknown }).to_string(),
            ),
        ] {
            assert_eq!(
                (response.status, response.code().as_str()),
                (400, "bad_request"),
                "{unknown}: {response:?}"
            );
            assert!(
                response.json()["detail"]
                    .as_str()
                    .unwrap()
                    .contains("workspace_id")
            );
        }
    }
    // A workspace that cannot be looked up is not written.
    for _ in 0..2 {
        world.add_fault(
            "openrouter.workspaces.get",
            "html_error",
            json!({ "times": 3 }),
        );
        let response = operator.post("/api/v1/admin/plans", &plan(&there));
        assert_eq!(
            (response.status, response.code().as_str()),
            (503, "workspace_unread"),
            "{response:?}"
        );
        assert_eq!(response.header("retry-after"), "60");
        world.sandbox.borrow_mut().clear_faults();
    }
    assert_eq!(world.db.dump(), before);
    assert_eq!(
        operator.post("/api/v1/admin/plans", &plan(&there)).status,
        201
    );
    let response = operator.patch(
        "/api/v1/admin/plans/pro",
        &json!({ "workspace_id": there }).to_string(),
    );
    assert_eq!(response.status, 200, "{response:?}");
    let response = operator.patch("/api/v1/admin/plans/pro", r#"{"workspace_id":null}"#);
    assert_eq!(response.status, 200, "{response:?}");
    oracle::always(&world);
}

#[test]
fn a_claim_says_that_its_workspace_is_gone_and_the_log_has_an_error() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.db.run(&format!(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'plan:default', 'plan_changed', 't', 1);
         UPDATE plans SET workspace_id = '{NOBODYS}', change_id = 't' WHERE is_default = 1"
    ));
    let response = member.claim();
    assert_eq!(
        (response.status, response.code().as_str()),
        (503, "workspace_missing"),
        "{response:?}"
    );
    assert!(
        world
            .log
            .borrow()
            .iter()
            .any(|line| line.contains("\"workspace_missing\""))
    );
    assert_eq!(
        world.states(),
        ["void"],
        "nothing was made, and no seat is held"
    );
    // If it is unknown whether the workspace is gone, the claim reports the plain refusal.
    world.add_fault(
        "openrouter.workspaces.get",
        "html_error",
        json!({ "times": 3 }),
    );
    assert_eq!(member.claim().code(), "openrouter_refused");
    world.sandbox.borrow_mut().clear_faults();
    // Once the plan names an existing workspace, the same member claims.
    let there = world.workspace();
    let operator = Browser::signed_in(&world, "operator");
    let response = operator.patch(
        "/api/v1/admin/plans/default",
        &json!({ "workspace_id": there }).to_string(),
    );
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(member.claim().status, 201);
    oracle::always(&world);
}

#[test]
fn every_plan_can_be_seen_and_assigned_however_many_there_are() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    Browser::signed_in(&world, "member");
    world.db.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
         INSERT INTO audit (change_id, target, action, actor, at)
           SELECT 'p' || i, 'plan:many-' || i, 'plan_created', 'test', 1 FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
         INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, created_at, change_id)
           SELECT 'many-' || i, 5000000000, 'daily', 30, 1, 1, 'p' || i FROM n",
    );
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = operator.get(&format!("/api/v1/admin/plans{after}")).json();
        let plans = page["plans"].as_array().unwrap();
        assert!(plans.len() <= 50);
        names.extend(
            plans
                .iter()
                .map(|plan| plan["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("?after={next}");
    }
    assert_eq!(names, world.db.texts("SELECT name FROM plans ORDER BY id"));
    assert!(names.len() > 250);
    let member = world.member("member");
    let response = operator.post(
        &format!("/api/v1/admin/members/{member}/plan"),
        r#"{"plan":"many-250"}"#,
    );
    assert_eq!(
        (response.status, &response.json()["plan"]["name"]),
        (200, &json!("many-250")),
        "{response:?}"
    );
    assert_eq!(operator.get("/api/v1/admin/plans?after=%27--").status, 400);
    oracle::always(&world);
}
