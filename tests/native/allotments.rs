//! Permissions to claim that an admin gives by account number, before or after the person first signs in.

use serde_json::{Value, json};

use crate::support::browser::Response;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const ALLOTMENTS: &str = "/api/v1/admin/allotments";
const SETTINGS: &str = "/api/v1/admin/settings";
/// An allotment for the account number of the persona `member`.
const MEMBER: &str = r#"{"provider":"github","subject":"1000100","name":"course"}"#;

fn by_approval(world: &World) -> Browser<'_> {
    let operator = Browser::signed_in(world, "operator");
    let response = operator.patch(SETTINGS, r#"{"claims":"by_approval"}"#);
    assert_eq!(response.status, 200);
    operator
}

fn is(response: &Response, status: u16, code: &str) {
    assert_eq!(
        (response.status, response.code().as_str()),
        (status, code),
        "{response:?}"
    );
}

fn listed(operator: &Browser<'_>) -> Vec<Value> {
    operator.get(ALLOTMENTS).json()["allotments"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn a_person_permitted_before_their_first_sign_in_claims_and_only_they_get_the_secret() {
    let world = World::new();
    let operator = by_approval(&world);
    let response = operator.post(ALLOTMENTS, MEMBER);
    assert_eq!(response.status, 201, "{response:?}");
    let first = response.json()["allotment"].clone();
    assert_eq!(
        (
            &first["subject"],
            &first["kind"],
            &first["name"],
            &first["member"]
        ),
        (
            &json!("1000100"),
            &json!("claim"),
            &json!("course"),
            &Value::Null
        )
    );
    assert_eq!(
        world.calls("openrouter.keys.create"),
        0,
        "nothing is minted"
    );
    // A repeated request returns the same allotment.
    let again = operator.post(ALLOTMENTS, MEMBER);
    assert_eq!((again.status, &again.json()["allotment"]), (200, &first));

    let member = Browser::signed_in(&world, "member");
    let others = Browser::signed_in(&world, "second");
    assert_eq!(member.get("/api/v1/me").json()["claim"]["open"], true);
    is(&others.claim(), 403, "approval_needed");
    let response = member.claim();
    assert_eq!((response.status, response.secret().is_some()), (201, true));
    assert_eq!(response.json()["key"]["name"], "course");
    let shown = listed(&operator);
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (&shown[0]["member"], &shown[0]["login"]),
        (&json!(world.member("member")), &json!("member"))
    );
    assert_eq!(
        world
            .db
            .texts("SELECT action || ' ' || actor FROM audit WHERE target GLOB 'alt_*'"),
        [format!("allotted {}", world.member("operator"))]
    );
    oracle::settled(&world);
}

#[test]
fn a_permission_that_is_withdrawn_permits_nothing_more_and_ends_no_key() {
    let world = World::new();
    let operator = by_approval(&world);
    let member = Browser::signed_in(&world, "member");
    is(&member.claim(), 403, "approval_needed");
    let id = operator.post(ALLOTMENTS, MEMBER).json()["allotment"]["id"].clone();
    let one = format!("{ALLOTMENTS}/{}", id.as_str().unwrap());
    // The allotment is withdrawn while the key is being made, so the key is not recorded.
    world.effects.plan(&[(1, Fate::HeldAfter)]);
    let held = member.start_claim();
    world.effects.plan(&[]);
    assert_eq!(operator.delete(&one).status, 204);
    is(&held.release(), 409, "claim_superseded");
    assert_eq!(listed(&operator).len(), 0);
    assert_eq!(operator.delete(&one).status, 204, "as it is");
    is(&member.claim(), 403, "approval_needed");

    let id = operator.post(ALLOTMENTS, MEMBER).json()["allotment"]["id"].clone();
    assert_eq!(member.claim().status, 201);
    let one = format!("{ALLOTMENTS}/{}", id.as_str().unwrap());
    assert_eq!(operator.delete(&one).status, 204);
    assert_eq!(world.usable().len(), 1);
    let withdrawn = "SELECT COUNT(*) FROM audit WHERE action = 'allotment_withdrawn'";
    assert_eq!(world.db.number(withdrawn), 2);
    is(
        &operator.delete(&format!("{ALLOTMENTS}/x")),
        404,
        "not_found",
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    oracle::settled(&world);
}

#[test]
fn a_permission_opens_no_other_gate_but_may_waive_the_age() {
    let world = World::new();
    let operator = by_approval(&world);
    assert_eq!(operator.post(ALLOTMENTS, MEMBER).status, 201);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(
        operator.patch(SETTINGS, r#"{"minting":"stopped"}"#).status,
        200
    );
    is(&member.claim(), 403, "minting_stopped");
    assert_eq!(
        operator.patch(SETTINGS, r#"{"minting":"open"}"#).status,
        200
    );
    world.block("1000100");
    is(&member.claim(), 403, "blocked");
    world.unblock();
    world.set("MAX_TOTAL_KEYS", "0");
    is(
        &member.at_fresh_isolate().claim(),
        403,
        "provisioning_closed",
    );
    world.set("MAX_TOTAL_KEYS", "500");
    world.set("MIN_ACCOUNT_AGE_DAYS", "36500");
    is(&member.at_fresh_isolate().claim(), 403, "account_too_young");
    let waives = r#"{"provider":"github","subject":"1000100","waives_age":true}"#;
    assert_eq!(operator.post(ALLOTMENTS, waives).status, 201);
    assert_eq!(listed(&operator).len(), 2);
    assert_eq!(member.at_fresh_isolate().claim().status, 201);
}

#[test]
fn a_permission_needs_an_account_number_and_an_admin() {
    let world = World::new();
    let operator = by_approval(&world);
    for body in [
        r#"{"provider":"github","subject":"member"}"#,
        r#"{"provider":"github","subject":""}"#,
        r#"{"provider":"github","subject":"01"}"#,
        r#"{"provider":"gitlab","subject":"1"}"#,
        r#"{"provider":"github"}"#,
        r#"{"provider":"github","subject":"1","name":""}"#,
        r#"{"provider":"github","subject":"1","kind":"appeal"}"#,
    ] {
        assert_eq!(operator.post(ALLOTMENTS, body).status, 400, "{body}");
    }
    assert_eq!(operator.get(&format!("{ALLOTMENTS}?after=x")).status, 400);
    let member = Browser::signed_in(&world, "member");
    is(&member.post(ALLOTMENTS, MEMBER), 404, "not_found");
    is(&member.get(ALLOTMENTS), 404, "not_found");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM allotments"), 0);
    // The list has pages, ordered by account number.
    for n in 0..60 {
        let body = format!(r#"{{"provider":"github","subject":"{}"}}"#, 2_000_000 + n);
        assert_eq!(operator.post(ALLOTMENTS, &body).status, 201);
    }
    let first = operator.get(ALLOTMENTS).json();
    let next = first["next"].as_str().unwrap().to_owned();
    let second = operator.get(&format!("{ALLOTMENTS}?after={next}")).json();
    assert_eq!(
        (
            first["allotments"].as_array().unwrap().len(),
            second["allotments"].as_array().unwrap().len(),
            &second["next"]
        ),
        (50, 10, &Value::Null)
    );
}
