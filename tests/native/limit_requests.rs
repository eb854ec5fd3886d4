//! Requests for more: a member asks for a higher limit of a key, an administrator's approval is the raise, and what is not
//! decided can be withdrawn.

use serde_json::{Value, json};

use crate::caps::{admin, assign, limits, sweeps};
use crate::support::browser::Response;
use crate::support::{Browser, World, oracle};

const REQUESTS: &str = "/api/v1/requests";

fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    (
        member,
        response.json()["key"]["id"].as_str().unwrap().to_owned(),
    )
}

fn asks(member: &Browser<'_>, body: &Value) -> Response {
    member.post(REQUESTS, &body.to_string())
}

fn asked(member: &Browser<'_>, key: &str, until: Option<&str>) -> Value {
    let body = json!({ "kind": "limit", "key": key, "amount_usd": "2.50", "until": until, "note": "A demo." });
    let response = asks(member, &body);
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["request"].clone()
}

fn address(request: &Value) -> String {
    format!("{REQUESTS}/{}", request["id"].as_str().unwrap())
}

fn decides(world: &World, request: &Value, state: &str) -> Response {
    let target = address(request).replace("/api/v1/", "/api/v1/admin/");
    let body = json!({ "state": state, "answer": "As you wish." }).to_string();
    Browser::signed_in(world, "operator").patch(&target, &body)
}

#[test]
fn an_approved_request_for_more_is_the_raise_in_the_same_transaction() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let until = world.now().plus(3_600).rfc3339();
    let request = asked(&member, &key, Some(&until));
    assert_eq!(
        request["limit"],
        json!({ "key": key, "key_name": null, "amount_usd": "2.50", "until": until })
    );
    assert_eq!(
        limits(&world),
        [5.0],
        "nothing is raised before the decision"
    );
    let operator = Browser::signed_in(&world, "operator");
    let listed = operator.get("/api/v1/admin/requests").json();
    assert_eq!(listed["requests"][0]["limit"], request["limit"]);
    for _ in 0..2 {
        let decided = decides(&world, &request, "approved");
        assert_eq!(decided.status, 200, "{decided:?}");
        assert_eq!(decided.json()["request"]["state"], "approved");
        assert_eq!(limits(&world), [7.5]);
    }
    assert_eq!(world.db.number("SELECT COUNT(*) FROM raises"), 1);
    let same = "SELECT COUNT(*) FROM audit a JOIN audit b ON b.change_id = a.change_id
      WHERE a.action = 'request_decided' AND b.action = 'limit_raised' AND b.after_nano = 2500000000";
    assert_eq!(world.db.number(same), 1);
    let notices = member.get("/api/v1/notices").json()["notices"].clone();
    let kinds: Vec<&str> = notices
        .as_array()
        .unwrap()
        .iter()
        .map(|notice| notice["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"request_decided") && kinds.contains(&"limit_raised"),
        "{notices}"
    );
    // The raise ends by itself.
    sweeps(&world, 6);
    assert_eq!(limits(&world), [5.0]);
    oracle::settled(&world);
}

#[test]
fn a_declined_request_for_more_raises_nothing() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let request = asked(&member, &key, None);
    assert_eq!(decides(&world, &request, "declined").status, 200);
    assert_eq!(limits(&world), [5.0]);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM raises"), 0);
    let mine = member.get(REQUESTS).json()["requests"][0].clone();
    assert_eq!(
        (&mine["state"], &mine["answer"]),
        (&json!("declined"), &json!("As you wish."))
    );
}

#[test]
fn what_a_request_for_more_names_is_checked_and_the_wrong_member_is_named() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let (_, theirs) = holder(&world, "second");
    let good = json!({ "kind": "limit", "key": key, "amount_usd": "1" });
    let before = world.db.dump();
    let mut answers = Vec::new();
    for (name, value) in [
        ("key", Value::Null),
        ("key", json!(theirs)),
        ("key", json!("key_000000000000000000000000")),
        ("key", json!("1")),
        ("amount_usd", Value::Null),
        ("amount_usd", json!("0")),
        ("amount_usd", json!("1.001")),
        ("amount_usd", json!(1)),
        ("until", json!("2020-01-01T00:00:00Z")),
        ("until", json!("tomorrow")),
        ("note", json!("\u{200b}")),
    ] {
        let mut body = good.clone();
        body[name] = value.clone();
        let response = asks(&member, &body);
        let pointer = response.json()["errors"][0]["pointer"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            (response.status, pointer),
            (400, format!("/{name}")),
            "{body}: {response:?}"
        );
        if name == "key" && value.is_string() {
            answers.push(response.json()["errors"].clone());
        }
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    // What belongs to a request for more is refused in every other one.
    for name in ["key", "amount_usd", "until"] {
        let mut body = json!({ "kind": "claim" });
        body[name] = json!("1");
        let response = asks(&member, &body);
        assert_eq!(
            (response.status, &response.json()["errors"][0]["pointer"]),
            (400, &json!(format!("/{name}")))
        );
    }
    assert_eq!(world.db.dump(), before);
    assign(&world, &member, "prepaid");
    assert_eq!(
        asks(&member, &good).status,
        400,
        "a payment raises a prepaid limit"
    );
}

#[test]
fn a_request_whose_key_has_ended_or_whose_time_is_over_can_only_be_declined() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let until = world.now().plus(3_600).rfc3339();
    let request = asked(&member, &key, Some(&until));
    for spoil in 0..2 {
        let world = world.copied();
        if spoil == 0 {
            world.pass(3_600);
        } else {
            let member = Browser::signed_in(&world, "member");
            assert_eq!(member.delete(&format!("/api/v1/keys/{key}")).status, 200);
        }
        let refused = decides(&world, &request, "approved");
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (409, "request_outdated"),
            "{spoil}"
        );
        assert_eq!(world.db.number("SELECT COUNT(*) FROM raises"), 0);
        assert_eq!(decides(&world, &request, "declined").status, 200);
    }
}

#[test]
fn an_open_request_is_withdrawn_by_its_member_and_can_be_made_again() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let (other, _) = holder(&world, "second");
    let request = asked(&member, &key, None);
    for target in [
        address(&request),
        format!("{REQUESTS}/ask_000000000000000000000000"),
        format!("{REQUESTS}/1"),
    ] {
        let response = other.delete(&target);
        assert_eq!(
            (response.status, response.code().as_str()),
            (404, "not_found"),
            "{target}"
        );
    }
    for _ in 0..2 {
        let response = member.delete(&address(&request));
        assert_eq!(
            (response.status, &response.json()["request"]["state"]),
            (200, &json!("withdrawn"))
        );
    }
    let written = "SELECT COUNT(*) FROM audit WHERE action = 'request_withdrawn'";
    assert_eq!(world.db.number(written), 1);
    let late = decides(&world, &request, "approved");
    assert_eq!(
        (late.status, late.code().as_str()),
        (409, "already_decided")
    );
    assert_eq!(limits(&world), [5.0, 5.0]);
    let again = asked(&member, &key, None);
    assert_ne!(again["id"], request["id"]);
    assert_eq!(decides(&world, &again, "declined").status, 200);
    let late = member.delete(&address(&again));
    assert_eq!(
        (late.status, late.code().as_str()),
        (409, "already_decided")
    );
    let operator = Browser::signed_in(&world, "operator");
    let withdrawn = operator
        .get("/api/v1/admin/requests?state=withdrawn")
        .json();
    assert_eq!(withdrawn["requests"].as_array().unwrap().len(), 1);
}

#[test]
fn a_withdrawn_request_to_be_let_in_offers_to_ask_again() {
    let world = World::new();
    admin(
        &world,
        "PATCH",
        "/api/v1/admin/settings",
        r#"{"claims":"by_approval"}"#,
    );
    let member = Browser::signed_in(&world, "member");
    let response = asks(&member, &json!({ "kind": "claim" }));
    assert_eq!(response.status, 201, "{response:?}");
    let offered = |member: &Browser<'_>| {
        member.get("/api/v1/me").json()["claim"]["refusal"]["request"].clone()
    };
    assert_eq!(offered(&member), "open");
    assert_eq!(
        member.delete(&address(&response.json()["request"])).status,
        200
    );
    assert_eq!(offered(&member), Value::Null);
    assert_eq!(asks(&member, &json!({ "kind": "claim" })).status, 201);
}
