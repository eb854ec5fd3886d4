//! People change their logins, and others take them over; a person is identified by their account number.

use serde_json::{Value, json};

use crate::support::{Browser, World, oracle};

/// `second` had the login `member` before they renamed themselves, and the account now called `member` signs in.
fn renamed(world: &World) -> (Browser<'_>, Browser<'_>) {
    let older = Browser::signed_in(world, "second");
    world
        .db
        .run("UPDATE members SET login = 'Member' WHERE login = 'second'");
    let newer = Browser::signed_in(world, "member");
    (older, newer)
}

fn listed(operator: &Browser<'_>, query: &str) -> Vec<Value> {
    let response = operator.get(&format!("/api/v1/admin/members{query}"));
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["members"].as_array().unwrap().clone()
}

#[test]
fn the_older_of_two_members_loses_a_login_when_the_other_signs_in_with_it() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let (older, newer) = renamed(&world);
    let of_login = listed(&operator, "?login=member");
    let now = world.now().rfc3339();
    let shown: Vec<(&Value, &Value)> = of_login
        .iter()
        .map(|member| (&member["subject"], &member["login_passed_on_at"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("1000101"), &json!(now)),
            (&json!("1000100"), &json!(null))
        ]
    );
    // It is recorded once, and the record names nobody except by the opaque id.
    let rows = "SELECT target || ' ' || actor FROM audit WHERE action = 'login_passed_on'";
    let member = older.get("/api/v1/me").json()["member"]["id"].clone();
    let row = format!("{} sign-in", member.as_str().unwrap());
    assert_eq!(world.db.texts(rows), [row.as_str()]);
    newer.sign_in("member");
    assert_eq!(world.db.texts(rows).len(), 1, "once");
    // Under their new login they are the same member, and nobody is listed with that login as a former one.
    older.sign_in("second");
    let all = listed(&operator, "");
    assert!(
        all.iter()
            .all(|member| member["login_passed_on_at"] == json!(null))
    );
    assert_eq!(all.len(), 3);
    oracle::always(&world);
}

#[test]
fn a_login_that_returns_to_its_member_passes_on_again() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let (older, _) = renamed(&world);
    older.sign_in("second");
    // The newer account renames itself, and the older account takes its login back.
    world
        .db
        .run("UPDATE members SET login = 'second' WHERE subject = '1000100'");
    older.sign_in("second");
    let former: Vec<Value> = listed(&operator, "")
        .into_iter()
        .filter(|member| member["login_passed_on_at"] != json!(null))
        .map(|member| member["subject"].clone())
        .collect();
    assert_eq!(former, [json!("1000100")]);
}

#[test]
fn every_list_of_admins_has_the_number_beside_the_login() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let newcomer = Browser::signed_in(&world, "newcomer");
    assert_eq!(
        newcomer
            .post("/api/v1/requests", r#"{"kind":"appeal"}"#)
            .status,
        201
    );
    let subject = listed(&operator, "?login=newcomer")[0]["subject"].clone();
    let block = json!({ "provider": "github", "subject": subject });
    assert_eq!(
        operator
            .post("/api/v1/admin/blocks", &block.to_string())
            .status,
        200
    );
    let requests = operator.get("/api/v1/admin/requests").json();
    let blocks = operator.get("/api/v1/admin/blocks").json();
    for person in [&requests["requests"][0]["member"], &blocks["blocks"][0]] {
        assert_eq!(person["subject"], subject, "{person}");
        assert_eq!(person["login"], "newcomer");
        assert_eq!(person["login_passed_on_at"], json!(null));
    }
}

#[test]
fn no_documented_step_of_an_operator_finds_a_person_by_login() {
    for (name, text) in [
        ("README.md", include_str!("../../README.md")),
        ("docs/operating.md", include_str!("../../docs/operating.md")),
        ("CONTRIBUTING.md", include_str!("../../CONTRIBUTING.md")),
        ("SECURITY.md", include_str!("../../SECURITY.md")),
    ] {
        for by_login in ["m.login =", "login = '", "/users/LOGIN", "WHERE login"] {
            assert!(!text.contains(by_login), "{name}: {by_login}");
        }
    }
}
