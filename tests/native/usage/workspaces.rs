//! Usage by workspace: each fact once, whatever was known of the workspace when it was read.

use serde_json::{Value, json};

use super::{hash_of, holder, nano, night, usage, uses};
use crate::enabled_workspaces::{at_openrouter, choose};
use crate::support::{Browser, World};

/// What was spent in each workspace, by its name or its id.
fn by_workspace(operator: &Browser<'_>) -> Vec<(Value, i64)> {
    let body = usage(operator, "?scope=all&group=workspace");
    let series = body["series"].as_array().unwrap();
    let of = |one: &Value| {
        let label = &one["one"];
        let shown = if label["name"].is_null() {
            &label["id"]
        } else {
            &label["name"]
        };
        (shown.clone(), nano(&one["totals"]["spend_usd"]))
    };
    series.iter().map(of).collect()
}

#[test]
fn usage_without_a_workspace_and_with_one_is_never_counted_twice() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    choose(&operator, &[&blue]);
    let (_, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    uses(&world, &hash, "m", 100, 0);
    // The first night does not know in which workspace the key is.
    let set = |id: &str| {
        world.db.run(&format!(
            "UPDATE generations SET workspace_id = {id} WHERE upstream_hash = '{hash}'"
        ));
    };
    set("NULL");
    night(&world);
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(by_workspace(&operator), [(Value::Null, 100)]);
    // The next nights read the same day again, and know it.
    set(&format!("'{blue}'"));
    for _ in 0..2 {
        night(&world);
    }
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(by_workspace(&operator), [(json!("Blue"), 100)]);
    let facts = "SELECT COUNT(*) FROM usage_days u JOIN usage_days_read d ON d.day = u.day AND d.shown = u.revision
        WHERE u.generation_id > 0";
    assert_eq!(world.db.number(facts), 1);
    // The schema has one row for a day, a key and a model, whatever its workspace.
    let twice = "INSERT INTO usage_days SELECT day, revision, generation_id, model_id, owner_id, plan_id, project, 0, cost_nano,
        byok_nano, requests, prompt, completion, reasoning, cached FROM usage_days WHERE generation_id > 0";
    let refused = world.db.connection().borrow().execute_batch(twice);
    assert!(refused.unwrap_err().to_string().contains("UNIQUE"));
}
