//! The keys that came of hand-offs: labels, projects, forgetting them, leaving.

use serde_json::json;

use super::*;

fn linked(member: &Browser<'_>, slug: &str) -> String {
    let begun = confirmed(member, slug);
    let response = redeems(member, &begun);
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    format!("/api/v1/provider-keys/{id}")
}

#[test]
fn a_key_gets_a_label_and_a_project_and_loses_them_again() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let key = linked(&member, "openrouter");
    let both = member.patch(&key, r#"{"label":"laptop","project":"Shop"}"#);
    assert_eq!(both.status, 200, "{both:?}");
    let body = both.json();
    assert_eq!(body["key"]["label"], "laptop");
    assert_eq!(body["key"]["project"]["name"], "Shop");
    let unnamed = member.patch(&key, r#"{"label":null}"#).json();
    assert_eq!(
        (&unnamed["key"]["label"], &unnamed["key"]["project"]),
        (&json!(null), &body["key"]["project"])
    );
    let out = member.patch(&key, r#"{"project":null}"#).json();
    assert_eq!(out["key"]["project"], json!(null));
    for bad in [
        "{}",
        r#"{"label":""}"#,
        r#"{"project":"prj_000000000000000000000000"}"#,
    ] {
        assert_eq!(member.patch(&key, bad).status, 400, "{bad}");
    }
    let second = Browser::signed_in(&world, "second");
    assert_eq!(second.patch(&key, r#"{"label":"mine"}"#).status, 404);
    assert_eq!(second.delete(&key).status, 404);
    assert_eq!(keys(&second)["keys"], json!([]));
    let labels: Vec<u16> = (0..60)
        .map(|n| {
            member
                .patch(&key, &json!({ "label": format!("{n}") }).to_string())
                .status
        })
        .collect();
    assert!(labels.contains(&429), "a day has a quota");
}

#[test]
fn an_unlinked_key_is_forgotten_here_and_goes_on_there() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let key = linked(&member, "openrouter");
    let calls = exchanges(&world);
    assert_eq!(member.delete(&key).status, 204);
    assert_eq!(
        member.delete(&key).status,
        204,
        "a second call answers the same"
    );
    assert_eq!(keys(&member)["keys"], json!([]));
    assert_eq!(
        (exchanges(&world), made(&world)),
        (calls, 1),
        "the provider was not asked"
    );
    assert_eq!(member.patch(&key, r#"{"label":"x"}"#).status, 404);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM provider_keys"), 0);
}

#[test]
fn a_member_who_leaves_leaves_no_key_of_a_provider_behind() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let key = linked(&member, "daydream");
    assert_eq!(
        member
            .patch(&key, r#"{"label":"private words","project":"private"}"#)
            .status,
        200
    );
    let exported = member.get("/api/v1/me/export").json();
    assert_eq!(exported["provider_keys"][0]["label"], "private words");
    let left = member.leave("member");
    assert!([202, 204].contains(&left.status), "{left:?}");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM provider_keys"), 0);
    assert!(!world.db.dump().contains("private words"));
}

#[test]
fn members_see_the_enabled_providers_in_their_order_with_explicit_fields() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let body = member.get("/api/v1/providers").json();
    let listed = body["providers"].as_array().unwrap();
    let slugs: Vec<_> = listed
        .iter()
        .map(|one| one["slug"].as_str().unwrap())
        .collect();
    assert_eq!(slugs, ["openrouter", "daydream"]);
    for one in listed {
        let mut names: Vec<&str> = one
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["about", "keys_page", "name", "slug"]);
    }
    assert_eq!(Browser::new(&world).get("/api/v1/providers").status, 401);
}
