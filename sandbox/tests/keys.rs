//! Keys, workspaces and credits: what OpenRouter accepts, refuses and shows.

use crate::common::*;
use sandbox::{Sandbox, Usd, ViolationKind, sha256_hex};
use serde_json::{Value, json};

#[test]
fn a_minted_key_is_shown_once_and_its_hash_is_the_sha256_of_the_secret() {
    let mut sandbox = Sandbox::default();
    let (status, made) = call(&mut sandbox, "POST", "/keys", Some(mint_body("first")));
    let secret = made["key"].as_str().unwrap();
    assert_eq!(status, 201);
    assert!(secret.starts_with("sk-or-v1-5a4db0c5") && secret.len() == 73);
    assert_eq!(made["data"]["hash"], sha256_hex(secret.as_bytes()));
    assert_eq!(
        made["data"]["label"],
        format!("{}...{}", &secret[..12], &secret[70..])
    );
    assert_eq!(made["data"]["expires_at"], "2026-11-13T12:00:00Z");
    assert_eq!(
        (&made["data"]["limit"], &made["data"]["limit_remaining"]),
        (&json!(5), &json!(5))
    );
    let (_, listed) = call(&mut sandbox, "GET", "/keys", None);
    assert!(!listed.to_string().contains(secret));
    assert_eq!(sandbox.ledger().secrets_minted, [secret]);
}

#[test]
fn a_create_is_read_strictly() {
    let cases = [
        json!({}),
        json!({"name": ""}),
        json!({"name": 1}),
        json!({"name": "a", "limit": "5"}),
        json!({"name": "a", "limit": -1}),
        json!({"name": "a", "limit_reset": "yearly"}),
        json!({"name": "a", "include_byok_in_limit": null}),
        json!({"name": "a", "expires_at": "2026-11-13T12:00Z"}),
        json!({"name": "a", "expires_at": "2026-11-13T12:00:00+00:00"}),
        json!({"name": "a", "expires_at": "2026-11-13"}),
        json!({"name": "a", "expires_at": "2026-13-13T12:00:00Z"}),
        json!({"name": "a", "expires_at": "2026-08-15T12:00:00Z"}),
        json!({"name": "a", "workspace_id": "default"}),
        json!({"name": "a", "workspace_id": "00000000-0000-4000-8000-00000000dead"}),
        json!({"name": "a", "creator_user_id": ""}),
        json!({"name": "a", "external": {}}),
        json!([]),
    ];
    let mut sandbox = Sandbox::default();
    for body in cases {
        let (status, answer) = call(&mut sandbox, "POST", "/keys", Some(body.clone()));
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(400)),
            "{body}"
        );
    }
    assert!(sandbox.ledger().keys.is_empty() && sandbox.ledger().violations.is_empty());
    for body in [
        json!({"name": "a"}),
        json!({"name": "a", "limit": null, "limit_reset": null, "expires_at": null, "creator_user_id": null}),
        json!({"name": "a", "limit": 0, "expires_at": "2026-08-15T12:00:00.001Z", "external": {"user": " u "}}),
    ] {
        assert_eq!(
            call(&mut sandbox, "POST", "/keys", Some(body.clone())).0,
            201,
            "{body}"
        );
    }
}

#[test]
fn an_unknown_member_of_a_create_is_refused_and_noted() {
    let mut sandbox = Sandbox::default();
    let body = json!({"name": "a", "limit_usd": 5});
    assert_eq!(call(&mut sandbox, "POST", "/keys", Some(body)).0, 400);
    let violation = &sandbox.ledger().violations[0];
    assert_eq!(
        (violation.kind, violation.detail.as_str()),
        (
            ViolationKind::UnknownField,
            "request member or parameter limit_usd"
        )
    );
    assert!(sandbox.ledger().keys.is_empty());
}

#[test]
fn each_credential_gets_its_answer() {
    let mut sandbox = Sandbox::default();
    let (hash, secret) = mint(&mut sandbox, mint_body("mine"));
    let key = format!("/keys/{hash}");
    let patch = json!({"disabled": false});
    let routes = [
        ("POST", "/keys", 403),
        ("GET", "/keys", 401),
        ("GET", &key, 401),
        ("PATCH", &key, 403),
        ("DELETE", &key, 401),
        ("GET", "/workspaces", 403),
        ("POST", "/workspaces", 403),
        ("GET", "/credits", 403),
        ("GET", "/key", 200),
    ];
    for (method, path, as_inference_key) in routes {
        let body = (method == "PATCH").then_some(&patch);
        let mut status = |request| answer(&mut sandbox, &request, NOON).status;
        assert_eq!(
            status(with_bearer(&secret, method, path, body)),
            as_inference_key,
            "{method} {path}"
        );
        assert_eq!(
            status(with_bearer("sk-or-v1-unknown", method, path, body)),
            401,
            "{method} {path}"
        );
        assert_eq!(
            status(request(
                method,
                &format!("/openrouter/api/v1{path}"),
                &[],
                ""
            )),
            401,
            "{method} {path}"
        );
    }
    let texts = [
        (with_bearer("x", "GET", "/keys", None), "User not found."),
        (
            request("GET", "/openrouter/api/v1/keys", &[], ""),
            "Missing Authentication header",
        ),
    ];
    for (request, text) in texts {
        assert_eq!(
            answer(&mut sandbox, &request, NOON).value()["error"]["message"],
            text
        );
    }
}

#[test]
fn a_key_describes_itself_until_it_is_disabled() {
    let mut sandbox = Sandbox::default();
    let (hash, secret) = mint(&mut sandbox, mint_body("mine"));
    sandbox.book_usage(&hash, Usd::from_dollars(1.5), NOON);
    let ask = |sandbox: &mut Sandbox, now: i64| {
        answer(sandbox, &with_bearer(&secret, "GET", "/key", None), now)
    };
    let own = ask(&mut sandbox, NOON).value();
    assert_eq!(
        (
            &own["data"]["limit_remaining"],
            &own["data"]["is_management_key"]
        ),
        (&json!(3.5), &json!(false))
    );
    assert_eq!(
        own["data"]["effective_budget"]["resets_at"],
        "2026-08-16T00:00:00Z"
    );
    let mut later = sandbox.clone();
    assert_eq!(
        ask(&mut later, NOON + 91 * sandbox::DAY_MS).status,
        401,
        "expired"
    );
    let mut disabled = sandbox.clone();
    call(
        &mut disabled,
        "PATCH",
        &format!("/keys/{hash}"),
        Some(json!({"disabled": true})),
    );
    assert_eq!(ask(&mut disabled, NOON).status, 401, "disabled");
    call(&mut sandbox, "DELETE", &format!("/keys/{hash}"), None);
    assert_eq!(ask(&mut sandbox, NOON).status, 401, "deleted");
}

#[test]
fn both_forms_of_a_path_are_taken_with_and_without_a_trailing_slash() {
    let mut sandbox = Sandbox::default();
    assert_eq!(
        call(&mut sandbox, "POST", "/keys/", Some(mint_body("a"))).0,
        201
    );
    let hash = sandbox.ledger().keys[0].hash.clone();
    assert_eq!(
        call(&mut sandbox, "GET", &format!("/keys/{hash}/"), None).0,
        200
    );
    assert_eq!(
        call(&mut sandbox, "GET", "/keys/?include_disabled=true", None).0,
        200
    );
}

fn names(list: &Value) -> Vec<&str> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_list_is_paged_by_a_hundred_newest_first() {
    let mut sandbox = Sandbox::default();
    for number in 0..203 {
        mint(&mut sandbox, json!({"name": number.to_string()}));
    }
    for (offset, first, count) in [
        ("", "202", 100),
        ("?offset=100", "102", 100),
        ("?offset=200", "2", 3),
        ("?offset=203", "", 0),
    ] {
        let (_, list) = call(&mut sandbox, "GET", &format!("/keys{offset}"), None);
        assert_eq!(
            (
                names(&list).first().copied().unwrap_or_default(),
                names(&list).len()
            ),
            (first, count),
            "{offset}"
        );
    }
    assert_eq!(call(&mut sandbox, "GET", "/keys?offset=-1", None).0, 400);
}

#[test]
fn disabled_and_expired_keys_are_listed_only_when_asked_for() {
    let mut sandbox = Sandbox::default();
    mint(&mut sandbox, json!({"name": "plain"}));
    let (disabled, _) = mint(&mut sandbox, json!({"name": "disabled"}));
    call(
        &mut sandbox,
        "PATCH",
        &format!("/keys/{disabled}"),
        Some(json!({"disabled": true})),
    );
    mint(
        &mut sandbox,
        json!({"name": "expired", "expires_at": "2026-08-15T13:00:00Z"}),
    );
    let (deleted, _) = mint(&mut sandbox, json!({"name": "deleted"}));
    call(&mut sandbox, "DELETE", &format!("/keys/{deleted}"), None);
    let cases = [
        ("", vec!["plain"]),
        ("?include_disabled=true", vec!["disabled", "plain"]),
        (
            "?include_expired=true&include_disabled=false",
            vec!["expired", "plain"],
        ),
        (
            "?include_disabled=true&include_expired=true",
            vec!["expired", "disabled", "plain"],
        ),
    ];
    for (query, expected) in cases {
        let (_, list) = call_at(
            &mut sandbox,
            NOON + HOUR,
            "GET",
            &format!("/keys{query}"),
            None,
        );
        assert_eq!(names(&list), expected, "{query}");
    }
    assert_eq!(
        call(&mut sandbox, "GET", "/keys?include_disabled=1", None).0,
        400
    );
}

#[test]
fn one_call_lists_one_workspace() {
    let mut sandbox = Sandbox::default();
    let (_, made) = call(
        &mut sandbox,
        "POST",
        "/workspaces",
        Some(json!({"name": "Team", "slug": "team"})),
    );
    let team = made["data"]["id"].as_str().unwrap().to_owned();
    mint(&mut sandbox, json!({"name": "default's"}));
    mint(
        &mut sandbox,
        json!({"name": "team's", "workspace_id": team}),
    );
    assert_eq!(
        names(&call(&mut sandbox, "GET", "/keys", None).1),
        ["default's"]
    );
    assert_eq!(
        names(
            &call(
                &mut sandbox,
                "GET",
                &format!("/keys?workspace_id={team}"),
                None
            )
            .1
        ),
        ["team's"]
    );
    assert_eq!(
        call(
            &mut sandbox,
            "GET",
            "/keys?workspace_id=00000000-0000-4000-8000-00000000dead",
            None
        )
        .0,
        404
    );
}

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("before"));
    let path = format!("/keys/{hash}");
    let (_, updated) = call_at(
        &mut sandbox,
        NOON + HOUR,
        "PATCH",
        &path,
        Some(json!({"limit": 7.5, "limit_reset": null})),
    );
    let data = &updated["data"];
    assert_eq!(
        (&data["name"], &data["limit"], &data["limit_reset"]),
        (&json!("before"), &json!(7.5), &Value::Null)
    );
    assert_eq!(data["updated_at"], "2026-08-15T13:00:00Z");
    assert_eq!(
        call(&mut sandbox, "PATCH", &path, Some(json!({"limit": null}))).1["data"]["limit"],
        Value::Null
    );
    assert_eq!(
        call(&mut sandbox, "PATCH", &path, Some(json!({"limit": "much"}))).0,
        400
    );
}

#[test]
fn an_update_ignores_unknown_members_but_wants_a_known_one() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("a"));
    let path = format!("/keys/{hash}");
    let late = json!({"name": "b", "expires_at": "2030-01-01T00:00:00Z"});
    let (status, updated) = call(&mut sandbox, "PATCH", &path, Some(late));
    assert_eq!(
        (status, &updated["data"]["expires_at"]),
        (200, &json!("2026-11-13T12:00:00Z")),
        "an expiry cannot be changed"
    );
    for body in [json!({}), json!({"expires_at": "2030-01-01T00:00:00Z"})] {
        let (status, answer) = call(&mut sandbox, "PATCH", &path, Some(body));
        assert_eq!(
            (status, &answer["error"]["message"]),
            (400, &json!("No update fields provided"))
        );
    }
}

#[test]
fn a_delete_succeeds_once_and_then_the_key_is_not_found() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("a"));
    let path = format!("/keys/{hash}");
    assert_eq!(
        call(&mut sandbox, "DELETE", &path, None),
        (200, json!({"deleted": true}))
    );
    for (method, body) in [
        ("DELETE", None),
        ("GET", None),
        ("PATCH", Some(json!({"disabled": true}))),
    ] {
        assert_eq!(call(&mut sandbox, method, &path, body).0, 404, "{method}");
    }
    assert_eq!(sandbox.ledger().keys[0].deleted_at_ms, Some(NOON));
}

#[test]
fn a_body_that_is_not_declared_as_json_is_refused() {
    let mut sandbox = Sandbox::default();
    let mut request = openrouter("POST", "/keys", Some(&mint_body("a")));
    request.headers.retain(|(name, _)| name != "content-type");
    assert_eq!(answer(&mut sandbox, &request, NOON).status, 400);
    request
        .headers
        .push(("content-type".to_owned(), "application/json".to_owned()));
    request.body.truncate(9);
    assert_eq!(answer(&mut sandbox, &request, NOON).status, 400);
}

#[test]
fn credits_count_what_all_keys_spent_deleted_ones_too() {
    let mut sandbox = Sandbox::default();
    let (kept, _) = mint(&mut sandbox, mint_body("kept"));
    let (gone, _) = mint(&mut sandbox, mint_body("gone"));
    sandbox.book_usage(&kept, Usd::from_dollars(0.1), NOON);
    sandbox.book_usage(&gone, Usd::from_dollars(0.2), NOON);
    sandbox.book_byok_usage(&kept, Usd::from_dollars(9.0), NOON);
    call(&mut sandbox, "DELETE", &format!("/keys/{gone}"), None);
    assert_eq!(
        call(&mut sandbox, "GET", "/credits", None).1,
        json!({"data": {"total_credits": 1000, "total_usage": 0.3}})
    );
}

#[test]
fn workspaces_are_made_found_by_id_or_slug_changed_and_removed() {
    let mut sandbox = Sandbox::default();
    let (status, made) = call(
        &mut sandbox,
        "POST",
        "/workspaces",
        Some(json!({"name": "Team", "slug": "team"})),
    );
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(status, 201);
    assert_eq!(
        call(&mut sandbox, "GET", &format!("/workspaces/{id}"), None).1,
        made
    );
    assert_eq!(call(&mut sandbox, "GET", "/workspaces/team", None).1, made);
    let (_, updated) = call(
        &mut sandbox,
        "PATCH",
        "/workspaces/team",
        Some(json!({"description": "d", "name": "Crew"})),
    );
    assert_eq!(
        (&updated["data"]["name"], &updated["data"]["updated_at"]),
        (&json!("Crew"), &json!("2026-08-15T12:00:00Z"))
    );
    let (_, list) = call(&mut sandbox, "GET", "/workspaces?limit=1&offset=1", None);
    assert_eq!(
        (names(&list), &list["total_count"]),
        (vec!["Crew"], &json!(2))
    );
    let (hash, _) = mint(&mut sandbox, json!({"name": "a", "workspace_id": id}));
    assert_eq!(
        call(&mut sandbox, "DELETE", "/workspaces/team", None).0,
        400,
        "an active key is in it"
    );
    call(&mut sandbox, "DELETE", &format!("/keys/{hash}"), None);
    assert_eq!(
        call(&mut sandbox, "DELETE", "/workspaces/team", None),
        (200, json!({"deleted": true}))
    );
    assert_eq!(call(&mut sandbox, "GET", "/workspaces/team", None).0, 404);
}

#[test]
fn a_workspace_request_is_read_strictly() {
    let mut sandbox = Sandbox::default();
    let cases = [
        json!({"name": "a"}),
        json!({"slug": "a"}),
        json!({"name": "", "slug": "a"}),
        json!({"name": "a", "slug": "A"}),
        json!({"name": "a", "slug": "a--b"}),
        json!({"name": "a", "slug": "default"}),
        json!({"name": "a", "slug": "a", "io_logging_sampling_rate": 0}),
        json!({"name": "a", "slug": "a", "colour": "red"}),
    ];
    for body in cases {
        assert_eq!(
            call(&mut sandbox, "POST", "/workspaces", Some(body.clone())).0,
            400,
            "{body}"
        );
    }
    assert_eq!(sandbox.ledger().violations.len(), 1, "the unknown member");
    assert_eq!(
        call(&mut sandbox, "DELETE", "/workspaces/default", None).0,
        400,
        "unconfirmed"
    );
    assert_eq!(
        call(&mut sandbox, "GET", "/workspaces?limit=101", None).0,
        400
    );
}

#[test]
fn a_key_moves_between_workspaces_and_keeps_its_secret() {
    let mut sandbox = Sandbox::default();
    let (_, made) = call(
        &mut sandbox,
        "POST",
        "/workspaces",
        Some(json!({"name": "Team", "slug": "team"})),
    );
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    let (status, moved) = call(
        &mut sandbox,
        "PATCH",
        &format!("/keys/{hash}"),
        Some(json!({"workspace_id": made["data"]["id"]})),
    );
    assert_eq!(
        (status, &moved["data"]["workspace_id"]),
        (200, &made["data"]["id"])
    );
    assert_eq!(
        answer(
            &mut sandbox,
            &with_bearer(&secret, "GET", "/key", None),
            NOON
        )
        .status,
        200
    );
}
