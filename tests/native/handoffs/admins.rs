//! Administrators decide which providers there are, in which order, and what members read about them.

use serde_json::json;

use super::*;
use crate::support::database::migrations;

const DAYDREAM: &str = "/api/v1/admin/providers/daydream";

fn slugs(member: &Browser<'_>) -> Vec<String> {
    let body = member.get("/api/v1/providers").json();
    let listed = body["providers"].as_array().unwrap().clone();
    listed
        .iter()
        .map(|one| one["slug"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn only_openrouter_is_enabled_until_an_administrator_decides() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(slugs(&member), ["openrouter"]);
    let first = operator.patch(
        DAYDREAM,
        r#"{"enabled":true,"position":0,"name":"Daydream","about":"Pays for itself."}"#,
    );
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(
        first.json()["provider"],
        json!({ "slug": "daydream", "name": "Daydream", "about": "Pays for itself.", "enabled": true, "position": 0 })
    );
    operator.patch("/api/v1/admin/providers/openrouter", r#"{"position":5}"#);
    assert_eq!(slugs(&member), ["daydream", "openrouter"]);
    // The same change again changes nothing, and is no second entry of the audit.
    let audited = "SELECT COUNT(*) FROM audit WHERE action = 'provider_changed'";
    let before = world.db.number(audited);
    assert_eq!(operator.patch(DAYDREAM, r#"{"enabled":true}"#).status, 200);
    assert_eq!(world.db.number(audited), before);
    assert_eq!(operator.patch(DAYDREAM, r#"{"enabled":false}"#).status, 200);
    assert_eq!(slugs(&member), ["openrouter"]);
}

#[test]
fn what_no_provider_can_be_is_refused_and_only_administrators_see_the_list() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    for bad in [
        "{}",
        r#"{"position":100}"#,
        r#"{"position":-1}"#,
        r#"{"name":" "}"#,
        &json!({ "name": "x".repeat(65) }).to_string(),
        &json!({ "about": "x".repeat(301) }).to_string(),
    ] {
        assert_eq!(operator.patch(DAYDREAM, bad).status, 400, "{bad}");
    }
    let unknown = operator.patch("/api/v1/admin/providers/elsewhere", r#"{"enabled":true}"#);
    assert_eq!(unknown.status, 404);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.get("/api/v1/admin/providers").status, 404);
    assert_eq!(member.patch(DAYDREAM, r#"{"enabled":true}"#).status, 404);
    let listed = operator.get("/api/v1/admin/providers").json();
    assert_eq!(listed["providers"].as_array().unwrap().len(), 2);
}

#[test]
fn seeding_twice_changes_nothing_that_an_administrator_wrote() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    operator.patch(DAYDREAM, r#"{"enabled":true,"name":"Another name"}"#);
    let before = world
        .db
        .texts("SELECT slug || name || about || enabled || position FROM providers ORDER BY slug");
    let all = migrations();
    let (_, file) = all
        .iter()
        .find(|(name, _)| name.contains("handoffs"))
        .unwrap();
    let seeding = file
        .lines()
        .find(|line| line.starts_with("INSERT INTO providers"))
        .unwrap();
    world.db.run(seeding);
    let after = world
        .db
        .texts("SELECT slug || name || about || enabled || position FROM providers ORDER BY slug");
    assert_eq!(after, before);
}
