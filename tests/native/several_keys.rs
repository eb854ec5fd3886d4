//! Several live keys of one member: as many as the plan allows, together within its total, each with a name.

use serde_json::{Value, json};

use crate::caps::{admin, assign, limits, spends, sweeps};
use crate::support::browser::Response;
use crate::support::world::ORIGIN;
use crate::support::{Browser, Fate, World, oracle};

const LAPTOP: &str = r#"{"name":" laptop "}"#;

fn create(member: &Browser<'_>, body: &str) -> Response {
    member.post("/api/v1/keys", body)
}

fn on_plan<'a>(world: &'a World, plan: &str) -> Browser<'a> {
    let member = Browser::signed_in(world, "member");
    assign(world, &member, plan);
    assert_eq!(member.claim().status, 201);
    member
}

#[test]
fn a_further_key_has_a_name_and_the_lowest_free_place() {
    let world = World::new();
    let member = on_plan(&world, "basic");
    for bad in [
        "{}",
        r#"{"name":""}"#,
        r#"{"name":5}"#,
        r#"{"name":"x","limit_usd":"0"}"#,
    ] {
        assert_eq!(create(&member, bad).status, 400, "{bad}");
    }
    let made = create(&member, LAPTOP);
    assert_eq!(made.status, 201);
    assert!(made.secret().is_some());
    assert_eq!(made.json()["key"]["name"], "laptop");
    assert_eq!(limits(&world), [5.0, 5.0]);
    let response = create(&member, r#"{"name":"third"}"#);
    assert_eq!(
        (response.status, response.code()),
        (409, "keys_used_up".into())
    );
    // The claimed key is deleted, and its place is free again.
    let claimed = world
        .db
        .text("SELECT public_id FROM keys WHERE ordinal = 0");
    assert_eq!(
        member.delete(&format!("/api/v1/keys/{claimed}")).status,
        200
    );
    assert_eq!(create(&member, r#"{"name":"third"}"#).status, 201);
    let places = "SELECT ordinal || ' ' || name FROM keys WHERE ended_at IS NULL ORDER BY ordinal";
    assert_eq!(world.db.texts(places), ["0 third", "1 laptop"]);
    assert_eq!(member.claim().status, 200, "it is the one there is");
    oracle::settled(&world);
}

#[test]
fn a_key_that_is_not_disabled_yet_still_has_its_place() {
    let world = World::new();
    let member = on_plan(&world, "basic");
    let made = create(&member, LAPTOP).json();
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 3 }),
    );
    let key = format!("/api/v1/keys/{}", made["key"]["id"].as_str().unwrap());
    assert_eq!(member.delete(&key).json()["key"]["state"], "revoking");
    assert_eq!(create(&member, LAPTOP).code(), "keys_used_up");
    sweeps(&world, 2);
    assert_eq!(create(&member, LAPTOP).status, 201);
    oracle::settled(&world);
}

#[test]
fn keys_made_and_removed_in_turn_never_spend_more_than_the_plans_total() {
    let world = World::new();
    let member = on_plan(&world, "basic");
    let mut spent = 0.0;
    for _ in 0..4 {
        let made = create(&member, LAPTOP);
        assert_eq!(made.status, 201, "{made:?}");
        let key = made.json()["key"].clone();
        if key["state"] == "active" {
            let limit: f64 = key["limit_usd"].as_str().unwrap().parse().unwrap();
            spends(&world, limit);
            spent += limit;
        }
        let key = format!("/api/v1/keys/{}", key["id"].as_str().unwrap());
        assert_eq!(member.delete(&key).status, 200);
        sweeps(&world, 2);
    }
    // The claimed key may still spend its 5 dollars.
    assert!((spent - 5.0).abs() < 1e-9, "{spent}");
    oracle::settled(&world);
}

#[test]
fn of_keys_asked_for_at_the_same_time_only_as_many_are_made_as_the_plan_allows() {
    for k in 0..3 {
        let world = World::new();
        let member = on_plan(&world, "basic");
        world.effects.plan(&[(k, Fate::HeldAfter)]);
        let held = member.start("POST", "/api/v1/keys", LAPTOP);
        world.effects.plan(&[]);
        let second = create(&member, r#"{"name":"second"}"#);
        assert_eq!(second.code(), "keys_used_up");
        assert_eq!(held.release().status, 201);
        oracle::settled(&world);
        assert_eq!(world.usable().len(), 2);
    }
}

#[test]
fn the_database_itself_refuses_a_key_too_many() {
    let world = World::new();
    let member = on_plan(&world, "free");
    assert_eq!(create(&member, LAPTOP).code(), "keys_used_up");
    let sql = "INSERT INTO audit (change_id, target, action, actor, after, at) VALUES ('t', 'gen_t', 'reserved', 't', 'minting', 1);
        INSERT INTO keys (public_id, owner_id, ordinal, origin, plan_id, created_at, change_id)
          SELECT 'key_t', owner_id, 1, 'created', plan_id, 1, 't' FROM keys;
        INSERT INTO generations (public_id, key_id, owner_id, state, op_nonce, upstream_name, plan_rev, limit_nano, limit_reset, created_at, expires_at, change_id)
          SELECT 'gen_t', (SELECT id FROM keys WHERE public_id = 'key_t'), owner_id, 'minting', 'n', 'name', 0, limit_nano, limit_reset, created_at, expires_at, 't' FROM generations";
    let error = world
        .db
        .connection()
        .borrow()
        .execute_batch(&format!("BEGIN; {sql}; COMMIT"));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("allows no further key")
    );
    world.db.run("ROLLBACK");
}

#[test]
fn a_repeated_request_makes_one_key_and_gives_its_secret_once() {
    let world = World::new();
    let member = on_plan(&world, "pro");
    let headers = [
        ("origin", ORIGIN),
        ("content-type", "application/json"),
        ("idempotency-key", "once"),
    ];
    let ask = |body: &str| {
        let body = keycap::http::server::message::Body::Bytes(body.into());
        member.send("POST", "/api/v1/keys", &headers, body)
    };
    let made = ask(LAPTOP);
    assert_eq!(made.status, 201);
    let again = ask(LAPTOP);
    assert_eq!((again.status, again.secret()), (201, None));
    assert_eq!(again.json()["key"]["id"], made.json()["key"]["id"]);
    assert_eq!(ask(r#"{"name":"other"}"#).status, 422);
}

#[test]
fn every_gate_of_a_claim_applies_to_a_further_key() {
    let world = World::new();
    let member = on_plan(&world, "basic");
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/settings",
        r#"{"minting":"stopped"}"#,
    );
    assert_eq!(create(&member, LAPTOP).code(), "minting_stopped");
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/settings",
        r#"{"minting":"open"}"#,
    );
    world.block("1000100");
    assert_eq!(create(&member, LAPTOP).code(), "blocked");
    assert_eq!(world.usable().len(), 1);
}

#[test]
fn an_owners_own_limit_is_lower_than_the_plans_and_can_be_removed() {
    let world = World::new();
    let member = on_plan(&world, "basic");
    let response = create(&member, r#"{"name":"laptop","limit_usd":"2"}"#);
    assert_eq!(response.json()["key"]["limit_usd"], "2.00");
    let key = response.json()["key"]["id"].as_str().unwrap().to_owned();
    let limit = format!("/api/v1/keys/{key}/limit");
    for bad in [
        "{}",
        r#"{"limit_usd":"5.01"}"#,
        r#"{"limit_usd":"1.005"}"#,
        r#"{"limit_usd":"0"}"#,
        r#"{"limit_usd":3}"#,
    ] {
        assert_eq!(member.post(&limit, bad).status, 400, "{bad}");
    }
    let set =
        |body: &str| -> Value { member.post(&limit, body).json()["key"]["limit_usd"].clone() };
    assert_eq!(set(r#"{"limit_usd":"3.00"}"#), "3.00");
    assert_eq!(limits(&world), [5.0, 3.0]);
    assert_eq!(set(r#"{"limit_usd":null}"#), "5.00");
    assert_eq!(limits(&world), [5.0, 5.0]);
    let second = Browser::signed_in(&world, "second");
    assert_eq!(second.post(&limit, r#"{"limit_usd":"1"}"#).status, 404);
    oracle::settled(&world);
}

#[test]
fn at_most_as_many_ended_keys_as_the_plan_allows_may_have_unsettled_spend() {
    let world = World::new();
    let member = on_plan(&world, "basic");
    assert_eq!(
        world
            .db
            .number("SELECT max_active_keys FROM plans WHERE name = 'basic'"),
        2
    );
    let unsettled = |response: &Response| {
        (response.status, response.code()) == (409, String::from("rotation_unsettled"))
    };
    for _ in 0..3 {
        let made = create(&member, LAPTOP);
        assert_eq!(made.status, 201, "{made:?}");
        let key = made.json()["key"]["id"].as_str().unwrap().to_owned();
        assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 200);
    }
    assert!(unsettled(&create(&member, LAPTOP)));
    sweeps(&world, 1);
    assert!(
        unsettled(&create(&member, LAPTOP)),
        "one reading settles nothing"
    );
    sweeps(&world, 1);
    assert_eq!(create(&member, LAPTOP).status, 201);
    oracle::settled(&world);
}
