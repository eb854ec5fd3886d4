//! What members are told about the keys of billing providers: in usage, in projects, in their history, and when somebody has
//! found one.

use serde_json::json;

use super::*;

/// Gets a key of the provider, with this project. Returns its id and its secret.
fn linked(member: &Browser<'_>, slug: &str, project: Option<&str>) -> (String, String) {
    let begun = confirmed(member, slug);
    let body = json!({ "label": "mine", "project": project }).to_string();
    let response = member.post(&begun.path("redeem"), &body);
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (id, response.secret().unwrap())
}

fn events(member: &Browser<'_>) -> Vec<String> {
    let history = member.get("/api/v1/me/history").json();
    let all = history["events"].as_array().unwrap().iter();
    all.filter(|one| one["event"].as_str().unwrap().starts_with("provider_key"))
        .map(|one| {
            let word = |name: &str| one[name].as_str().unwrap().to_owned();
            format!("{} {} {}", word("event"), word("actor"), word("after"))
        })
        .collect()
}

#[test]
fn a_found_key_of_a_provider_is_told_to_its_owner_and_nothing_is_told_to_the_reporter() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let second = Browser::signed_in(&world, "second");
    let (id, secret) = linked(&member, "openrouter", None);
    let report = |secret: &str| {
        let body = json!({ "sha256": sha256_hex(secret.as_bytes()) }).to_string();
        let response = Browser::new(&world).post("/api/v1/leaks", &body);
        (response.status, response.body)
    };
    let before = exchanges(&world);
    let of_nobody = report("sk-or-v1-nobody");
    assert_eq!(keys(&member)["keys"][0]["leaked_at"], json!(null));
    world.pass(60);
    assert_eq!(report(&secret), of_nobody);
    let found_at = world.now().rfc3339();
    world.pass(60);
    assert_eq!(
        report(&secret),
        of_nobody,
        "a second report tells nothing either"
    );
    assert_eq!(keys(&member)["keys"][0]["leaked_at"], found_at);
    let notices = member.get("/api/v1/notices").json();
    let told = notices["notices"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        [
            &told[0]["kind"],
            &told[0]["actor"],
            &told[0]["after"],
            &told[0]["at"]
        ],
        [
            &json!("provider_key_leaked"),
            &json!("finder"),
            &json!("openrouter"),
            &json!(found_at)
        ]
    );
    let read = json!({ "ids": [told[0]["id"]] }).to_string();
    assert_eq!(member.post("/api/v1/notices/read", &read).status, 200);
    assert_eq!(
        events(&member),
        [
            "provider_key_leaked finder openrouter",
            "provider_key_linked you openrouter"
        ]
    );
    // Nobody else is told, and nothing was asked of the provider: only its owner can end it there.
    assert_eq!(second.get("/api/v1/notices").json()["notices"], json!([]));
    assert!(events(&second).is_empty());
    assert_eq!((exchanges(&world), made(&world)), (before, 1));
    // It can still be forgotten.
    let key = format!("/api/v1/provider-keys/{id}");
    assert_eq!(member.delete(&key).status, 204);
    assert_eq!(report(&secret), of_nobody);
}

#[test]
fn a_members_history_keeps_what_became_of_their_keys_at_providers() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let (id, _) = linked(&member, "daydream", None);
    let key = format!("/api/v1/provider-keys/{id}");
    assert_eq!(member.delete(&key).status, 204);
    assert_eq!(member.delete(&key).status, 204);
    let lost = confirmed(&member, "openrouter");
    world.add_fault("openrouter.exchange", "reset_after", json!({}));
    assert_eq!(redeems(&member, &lost).status, 503);
    // The isolate dies while the provider answers, and the sweep ends it.
    let cut = confirmed(&member, "daydream");
    world.effects.plan(&[(3, Fate::CutAfter)]);
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    let body = Body::Bytes(b"{}".to_vec());
    assert!(
        member
            .try_send("POST", &cut.path("redeem"), &headers, body)
            .is_none()
    );
    world.effects.plan(&[]);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let expected = [
        "provider_key_unknown keycap daydream",
        "provider_key_unknown you openrouter",
        "provider_key_unlinked you daydream",
        "provider_key_linked you daydream",
    ];
    assert_eq!(events(&member), expected);
    // The hand-offs themselves are forgotten by then.
    world.pass(40 * 86_400);
    assert!(world.sweep());
    assert_eq!(world.db.number("SELECT COUNT(*) FROM handoffs"), 0);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(events(&member), expected);
}

#[test]
fn usage_and_projects_name_the_keys_of_providers_and_count_no_spend_for_them() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    linked(&member, "openrouter", None);
    let (in_project, _) = linked(&member, "daydream", Some("Shop"));
    let ids = |query: &str| -> Vec<String> {
        let usage = member.get(&format!("/api/v1/usage{query}")).json();
        assert_eq!(usage["totals"]["spend_usd"], "0.00");
        let listed = usage["provider_keys"].as_array().unwrap().clone();
        let id = |key: &Value| key["id"].as_str().unwrap().to_owned();
        listed.iter().map(id).collect()
    };
    assert_eq!(ids("").len(), 2);
    let projects = member.get("/api/v1/projects").json();
    let shop = &projects["projects"][0];
    assert_eq!(
        (&shop["keys"], &shop["provider_keys"]),
        (&json!(0), &json!(1))
    );
    let id = shop["id"].as_str().unwrap();
    assert_eq!(ids(&format!("?project={id}")), [in_project]);
    assert!(ids("?project=prj_000000000000000000000000").is_empty());
    // Everybody's usage has nobody's keys of their own.
    let operator = Browser::signed_in(&world, "operator");
    linked(&operator, "openrouter", None);
    let all = operator.get("/api/v1/usage?scope=all").json();
    assert_eq!(all["provider_keys"], json!([]));
    let second = Browser::signed_in(&world, "second");
    assert_eq!(
        second.get("/api/v1/usage").json()["provider_keys"],
        json!([])
    );
}
