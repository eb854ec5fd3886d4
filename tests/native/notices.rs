//! Notices: what members are told until they have read it, on whatever device.

use serde_json::{Value, json};

use crate::caps::{admin, assign, sweeps};
use crate::support::{Browser, TEN_MINUTES, World};

const NOTICES: &str = "/api/v1/notices";
const DAY: i64 = 86_400;

fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String, Option<String>) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, id, response.secret())
}

/// Reads the notices, which is one round trip. The overview has the same ones.
fn listed(member: &Browser<'_>) -> Vec<Value> {
    member.world.effects.plan(&[]);
    let response = member.get(NOTICES);
    assert_eq!(member.world.effects.count(), 1);
    assert!(
        !response.body.contains("mem_"),
        "nobody is named: {response:?}"
    );
    let notices = response.json()["notices"].clone();
    let overview = member.get("/api/v1/me/overview").json();
    assert_eq!(overview["notices"], notices);
    notices.as_array().unwrap().clone()
}

fn kinds(member: &Browser<'_>) -> Vec<String> {
    let kind = |notice: &Value| notice["kind"].as_str().unwrap().to_owned();
    listed(member).iter().map(kind).collect()
}

fn reads(member: &Browser<'_>, ids: &[&Value]) -> Vec<Value> {
    let response = member.post(
        &format!("{NOTICES}/read"),
        &json!({ "ids": ids }).to_string(),
    );
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["notices"].as_array().unwrap().clone()
}

#[test]
fn a_key_that_expires_is_told_at_thirty_ten_and_three_days_each_once() {
    let world = World::new();
    let (_, key, _) = holder(&world, "member");
    let expires = world.now().plus(90 * DAY);
    let mut ids = Vec::new();
    for (days, since) in [(61, 30), (81, 10), (88, 3)] {
        let world = world.copied();
        world.pass(days * DAY);
        let member = Browser::signed_in(&world, "member");
        let notices = listed(&member);
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert_eq!(notices[0]["kind"], "expiry");
        assert_eq!(
            notices[0]["at"],
            json!(expires.plus(-since * DAY).rfc3339())
        );
        assert_eq!(notices[0]["expires_at"], json!(expires.rfc3339()));
        assert_eq!(notices[0]["key"]["id"], json!(key));
        ids.push(notices[0]["id"].clone());
    }
    assert!(
        ids[0] != ids[1] && ids[1] != ids[2],
        "each is another notice"
    );
    let world = world.copied();
    world.pass(59 * DAY);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(kinds(&member), [""; 0]);
    // Once it is renewed, nothing expires soon.
    world.pass(25 * DAY);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(kinds(&member), ["expiry"]);
    assert_eq!(
        member
            .post(&format!("/api/v1/keys/{key}/renew"), "{}")
            .status,
        201
    );
    assert_eq!(kinds(&member), [""; 0]);
    world.pass(91 * DAY);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(
        kinds(&member),
        [""; 0],
        "an expired key is told by its state"
    );
}

#[test]
fn a_key_with_a_short_life_is_not_told_to_expire_from_the_start() {
    let world = World::new();
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/plans/default",
        r#"{"expiry_days":7}"#,
    );
    let (member, _, _) = holder(&world, "member");
    assert_eq!(kinds(&member), [""; 0]);
    world.pass(4 * DAY + 1);
    assert_eq!(kinds(&member), ["expiry"]);
}

#[test]
fn what_administrators_and_finders_did_is_told_and_what_the_member_did_is_not() {
    let world = World::new();
    let (member, key, secret) = holder(&world, "member");
    let (other, its_key, _) = holder(&world, "second");
    assert_eq!(
        member
            .post(&format!("/api/v1/keys/{key}/limit"), r#"{"limit_usd":"2"}"#)
            .status,
        200
    );
    assert_eq!(kinds(&member), [""; 0]);
    let raises = format!("/api/v1/admin/keys/{key}/raises");
    let raised = admin(&world, "POST", &raises, r#"{"amount_usd":"2.50"}"#);
    world.pass(60);
    let raise = raised["raise"]["id"].as_str().unwrap();
    admin(
        &world,
        "DELETE",
        &format!("/api/v1/admin/raises/{raise}"),
        "{}",
    );
    world.pass(60);
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/plans/default",
        r#"{"expiry_days":80}"#,
    );
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/plans/default",
        r#"{"limit_usd":"4"}"#,
    );
    world.pass(60);
    assign(&world, &member, "pro");
    world.pass(60);
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/plans/default",
        r#"{"limit_usd":"3"}"#,
    );
    let sha256 = keycap::crypto::sha256_hex(secret.unwrap().as_bytes());
    let found = json!({ "sha256": sha256 }).to_string();
    assert_eq!(
        Browser::new(&world).post("/api/v1/leaks", &found).status,
        202
    );
    let notices = listed(&member);
    let told: Vec<String> = notices
        .iter()
        .map(|notice| {
            let word = |name: &str| notice[name].as_str().unwrap_or("-").to_owned();
            let words = [
                "kind",
                "actor",
                "before",
                "after",
                "before_usd",
                "after_usd",
            ];
            words.map(word).join(" ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "leak finder - - - -",
            "plan_assigned administrator default pro - -",
            "raise_ended administrator - - 2.50 -",
            "limit_raised administrator - - - 2.50",
        ],
        "a change of a plan that they no longer have is not theirs"
    );
    assert_eq!(notices[0]["key"]["id"], json!(key));
    // The other member has the default plan still, and saw both of its changes.
    let theirs = listed(&other);
    assert_eq!(kinds(&other), ["plan_changed", "plan_changed"]);
    assert_eq!(
        (&theirs[1]["before_usd"], &theirs[1]["after_usd"]),
        (&json!("5.00"), &json!("4.00"))
    );
    assert!(
        !theirs
            .iter()
            .any(|notice| notice["key"]["id"] == json!(key))
            && !its_key.is_empty()
    );
    sweeps(&world, 2);
}

#[test]
fn a_decided_request_is_told_with_its_decision() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/settings",
        r#"{"claims":"by_approval"}"#,
    );
    let asked = member
        .post("/api/v1/requests", r#"{"kind":"claim"}"#)
        .json();
    assert_eq!(kinds(&member), [""; 0]);
    let request = asked["request"]["id"].as_str().unwrap();
    admin(
        &world,
        "PATCH",
        &format!("/api/v1/admin/requests/{request}"),
        r#"{"state":"declined","answer":"Not now."}"#,
    );
    let notices = listed(&member);
    assert_eq!(notices[0]["kind"], "request_decided");
    assert_eq!(
        notices[0]["request"],
        json!({ "id": request, "kind": "claim", "state": "declined" })
    );
}

#[test]
fn what_was_read_is_read_on_every_device_and_only_ones_own_notices_are_marked() {
    let world = World::new();
    let (member, key, _) = holder(&world, "member");
    let (other, its_key, _) = holder(&world, "second");
    for key in [&key, &its_key] {
        admin(
            &world,
            "POST",
            &format!("/api/v1/admin/keys/{key}/raises"),
            r#"{"amount_usd":"1"}"#,
        );
    }
    assign(&world, &member, "pro");
    let notices = listed(&member);
    assert!(notices.iter().all(|notice| notice["read_at"].is_null()) && notices.len() == 2);
    let foreign = listed(&other)[0]["id"].clone();
    world.pass(TEN_MINUTES);
    let marked = reads(
        &member,
        &[&notices[1]["id"], &foreign, &json!("ntc_1"), &json!("")],
    );
    assert_eq!(marked[1]["read_at"], json!(world.now().rfc3339()));
    assert_eq!(marked[0]["read_at"], Value::Null);
    assert_eq!(
        listed(&other)[0]["read_at"],
        Value::Null,
        "nobody marks another member's"
    );
    let elsewhere = Browser::signed_in(&world, "member");
    assert_eq!(listed(&elsewhere), marked);
    // Marking it again changes nothing.
    world.pass(TEN_MINUTES);
    assert_eq!(reads(&elsewhere, &[&notices[1]["id"]]), marked);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM notice_reads"), 1);
    for bad in [r#"{"ids":[]}"#, r#"{"ids":"x"}"#, r#"{"ids":[1]}"#, "{}"] {
        let response = member.post(&format!("{NOTICES}/read"), bad);
        let pointer = response.json()["errors"][0]["pointer"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            response.status == 400 && pointer.starts_with("/ids"),
            "{bad}"
        );
    }
    let export = member.get("/api/v1/me/export").json();
    assert_eq!(export["member"]["notices_read"][0]["id"], notices[1]["id"]);
    assert_eq!(member.leave("member").status, 204);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM notice_reads"), 0);
}

#[test]
fn old_notices_are_told_no_more_and_their_marks_are_deleted() {
    let world = World::new();
    let (member, key, _) = holder(&world, "member");
    let raises = format!("/api/v1/admin/keys/{key}/raises");
    admin(&world, "POST", &raises, r#"{"amount_usd":"1"}"#);
    let id = listed(&member)[0]["id"].clone();
    reads(&member, &[&id]);
    world.pass(60 * DAY);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(kinds(&member), ["expiry", "limit_raised"]);
    world.pass(1);
    assert_eq!(kinds(&member), ["expiry"]);
    world.pass(60 * DAY);
    let member = Browser::signed_in(&world, "member");
    reads(&member, &[&json!("ntc_none")]);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM notice_reads"), 0);
}
