//! Every text that a person may enter: invisible characters are refused, or removed.

use serde_json::{Value, json};

use crate::support::{Browser, World, oracle};

const INVISIBLE: [&str; 9] = [
    "\u{200b}",
    "\u{2800}",
    "\u{3164}",
    "\u{34f}",
    "\u{2060}",
    "\u{61c}",
    "\u{2028}",
    "\u{feff}\u{200d}",
    "\u{202e}\u{200f} \u{3000}",
];

#[test]
fn names_and_notes_of_invisible_characters_are_400_and_change_nothing() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let key = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = key.as_str().unwrap();
    let newcomer = Browser::signed_in(&world, "newcomer");
    let asked = newcomer.post("/api/v1/requests", r#"{"kind":"appeal","note":"see"}"#);
    assert_eq!(asked.status, 201, "{asked:?}");
    let request = asked.json()["request"]["id"].as_str().unwrap().to_owned();
    let before = world.db.dump();
    for text in INVISIBLE {
        let body = |body: Value| body.to_string();
        for response in [
            member.patch(&format!("/api/v1/keys/{key}"), &body(json!({ "name": text }))),
            member.post("/api/v1/keys", &body(json!({ "name": text }))),
            newcomer.post("/api/v1/requests", &body(json!({ "kind": "appeal", "note": text }))),
            operator.patch(
                &format!("/api/v1/admin/requests/{request}"),
                &body(json!({ "state": "declined", "answer": text })),
            ),
            operator.post(
                "/api/v1/admin/plans",
                &body(json!({ "name": text, "limit_usd": "5", "limit_reset": "daily", "expiry_days": 1, "max_active_keys": 1 })),
            ),
            operator.post(
                &format!("/api/v1/admin/members/{}/payments", world.member("member")),
                &body(json!({ "payment_id": text, "amount_usd": "1" })),
            ),
        ] {
            assert_eq!((response.status, response.code().as_str()), (400, "bad_request"), "{text:?} {response:?}");
        }
    }
    assert_eq!(world.db.dump(), before);
    oracle::always(&world);
}

#[test]
fn two_names_do_not_differ_only_by_invisible_characters() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let key = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = key.as_str().unwrap();
    for (given, kept) in [
        ("a\u{200b}b", "ab"),
        ("a\u{61c}b\u{2028}c", "abc"),
        ("👩\u{200d}💻 laptop", "👩\u{200d}💻 laptop"),
    ] {
        let response = member.patch(
            &format!("/api/v1/keys/{key}"),
            &json!({ "name": given }).to_string(),
        );
        assert_eq!(response.json()["key"]["name"], kept, "{given:?}");
    }
}

#[test]
fn a_word_is_not_read_from_an_object_with_that_member() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    Browser::signed_in(&world, "member");
    let member = world.member("member");
    let newcomer = Browser::signed_in(&world, "newcomer");
    let asked = newcomer.post("/api/v1/requests", r#"{"kind":"appeal"}"#);
    let request = asked.json()["request"]["id"].as_str().unwrap().to_owned();
    let before = world.db.dump();
    for response in [
        operator.patch(
            &format!("/api/v1/admin/members/{member}"),
            r#"{"status":{"suspended":null}}"#,
        ),
        operator.patch(
            &format!("/api/v1/admin/requests/{request}"),
            r#"{"state":{"approved":null}}"#,
        ),
        newcomer.post("/api/v1/requests", r#"{"kind":{"appeal":null}}"#),
        operator.patch(
            "/api/v1/admin/plans/pro",
            r#"{"limit_reset":{"daily":null}}"#,
        ),
        operator.patch("/api/v1/admin/settings", r#"{"minting":{"stopped":null}}"#),
        operator.post(
            "/api/v1/admin/blocks",
            r#"{"provider":{"github":null},"subject":"1"}"#,
        ),
    ] {
        assert_eq!(
            (response.status, response.code().as_str()),
            (400, "malformed_json"),
            "{response:?}"
        );
    }
    assert_eq!(world.db.dump(), before);
}
