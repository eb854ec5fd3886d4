//! The web flow and the REST calls, as upstream describes them.

use crate::common::*;
use sandbox::{DAY_MS, Sandbox, Settings};
use serde_json::json;

#[test]
fn the_authorize_page_is_a_form_without_scripts_that_says_it_is_a_sandbox() {
    let mut sandbox = Sandbox::default();
    let page = answer(
        &mut sandbox,
        &request("GET", &authorize_target(&[("scope", "<b>")]), &[], ""),
        NOON,
    );
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(html.contains("This is a sandbox on your own machine, not GitHub."));
    for persona in [
        "member",
        "second",
        "operator",
        "newcomer",
        "refuser",
        "bot",
        "renamed",
        "bigid",
        "revoked",
        "suspended",
    ] {
        assert!(
            html.contains(&format!("name=\"persona\" value=\"{persona}\"")),
            "{persona}"
        );
    }
    assert!(
        html.contains("&lt;b&gt;"),
        "what the address brings is escaped"
    );
    assert!(!html.contains("<script") && !html.contains("style="));
    assert_eq!(
        answer(
            &mut sandbox,
            &request("GET", "/github/style.css", &[], ""),
            NOON
        )
        .status,
        200
    );
}

#[test]
fn a_choice_leads_back_with_code_and_state_or_with_the_reason() {
    let mut sandbox = Sandbox::default();
    let back = choose(&mut sandbox, "member", &[], NOON);
    assert_eq!(
        (
            value_of(&back, "code").len(),
            value_of(&back, "state").as_str()
        ),
        (20, "st%2Fate")
    );
    let back = choose(&mut sandbox, "refuser", &[], NOON);
    assert_eq!(value_of(&back, "error"), "access_denied");
    assert_eq!(
        value_of(&back, "error_description"),
        "The+user+has+denied+your+application+access."
    );
    assert_eq!(value_of(&back, "state"), "st%2Fate");
    let back = choose(&mut sandbox, "app-suspended", &[], NOON);
    assert_eq!(value_of(&back, "error"), "application_suspended");
}

#[test]
fn a_foreign_redirect_address_is_answered_at_the_registered_one() {
    let mut sandbox = Sandbox::default();
    let target = authorize_target(&[]).replace("localhost", "evil.example");
    let response = answer(&mut sandbox, &request("GET", &target, &[], ""), NOON);
    let location = response.header("location").unwrap();
    assert!(
        location.starts_with(&format!("{CALLBACK}?error=redirect_uri_mismatch&")),
        "{location}"
    );
    let unknown = target.replace("client_id=Ov23", "client_id=Ov24");
    assert_eq!(
        answer(&mut sandbox, &request("GET", &unknown, &[], ""), NOON).status,
        404
    );
}

#[test]
fn pkce_is_enforced_once_a_challenge_was_sent() {
    let challenge = challenge(VERIFIER);
    let other = "another-verifier-of-forty-three-characters-x";
    let cases: [(Option<&str>, Option<&str>, bool); 6] = [
        (Some(&challenge), Some(VERIFIER), true),
        (Some(&challenge), Some(other), false),
        (Some(&challenge), Some("short"), false),
        (Some(&challenge), None, false),
        (None, None, true),
        (None, Some(VERIFIER), true),
    ];
    for (sent, verifier, succeeds) in cases {
        let mut sandbox = Sandbox::default();
        let asked: Vec<(&str, &str)> = sent.map_or_else(Vec::new, |sent| {
            vec![("code_challenge", sent), ("code_challenge_method", "S256")]
        });
        let code = value_of(&choose(&mut sandbox, "member", &asked, NOON), "code");
        let fields: Vec<(&str, &str)> = [("code", code.as_str())]
            .into_iter()
            .chain(verifier.map(|verifier| ("code_verifier", verifier)))
            .collect();
        let token = exchange(&mut sandbox, &fields, NOON);
        assert_eq!(
            token.get("access_token").is_some(),
            succeeds,
            "{sent:?} {verifier:?} {token}"
        );
    }
}

#[test]
fn only_s256_challenges_of_the_right_length_are_taken() {
    let challenge = challenge(VERIFIER);
    let cases = [
        (Some(challenge.as_str()), Some("plain")),
        (Some(&challenge), None),
        (None, Some("S256")),
        (Some("short"), Some("S256")),
    ];
    for (sent, method) in cases {
        let sent = sent.map(|sent| ("code_challenge", sent));
        let asked: Vec<(&str, &str)> = sent
            .into_iter()
            .chain(method.map(|method| ("code_challenge_method", method)))
            .collect();
        let back = choose(&mut Sandbox::default(), "member", &asked, NOON);
        assert_eq!(value_of(&back, "error"), "invalid_request", "{asked:?}");
    }
}

#[test]
fn a_code_works_once_and_for_ten_minutes() {
    let mut sandbox = Sandbox::default();
    let bad = |token: &serde_json::Value| token["error"] == "bad_verification_code";
    let code = value_of(&choose(&mut sandbox, "member", &[], NOON), "code");
    assert!(exchange(&mut sandbox, &[("code", &code)], NOON + 599_999)["access_token"].is_string());
    assert!(
        bad(&exchange(&mut sandbox, &[("code", &code)], NOON + 599_999)),
        "used"
    );
    let code = value_of(&choose(&mut sandbox, "member", &[], NOON), "code");
    assert!(
        bad(&exchange(&mut sandbox, &[("code", &code)], NOON + 600_000)),
        "expired"
    );
    assert!(
        bad(&exchange(&mut sandbox, &[("code", "nothing")], NOON)),
        "unknown"
    );
    assert!(bad(&exchange(&mut sandbox, &[], NOON)), "missing");
}

#[test]
fn each_refusal_of_the_token_endpoint_has_its_words() {
    let cases = [
        (
            "member",
            ("client_secret", "wrong"),
            "incorrect_client_credentials",
        ),
        (
            "member",
            ("client_id", "wrong"),
            "incorrect_client_credentials",
        ),
        (
            "member",
            ("redirect_uri", "http://localhost:1/auth/github/callback"),
            "redirect_uri_mismatch",
        ),
        (
            "unverified",
            ("redirect_uri", CALLBACK),
            "unverified_user_email",
        ),
    ];
    for (persona, field, error) in cases {
        let mut sandbox = Sandbox::default();
        let code = value_of(&choose(&mut sandbox, persona, &[], NOON), "code");
        let token = exchange(&mut sandbox, &[("code", &code), field], NOON);
        assert_eq!(token["error"], error, "{field:?}");
        assert!(token["error_description"].is_string() && token["error_uri"].is_string());
    }
}

#[test]
fn a_client_with_the_wrong_secret_does_not_use_up_the_code() {
    let mut sandbox = Sandbox::default();
    let code = value_of(&choose(&mut sandbox, "member", &[], NOON), "code");
    exchange(
        &mut sandbox,
        &[("code", &code), ("client_secret", "wrong")],
        NOON,
    );
    assert!(exchange(&mut sandbox, &[("code", &code)], NOON)["access_token"].is_string());
}

#[test]
fn token_answers_are_forms_unless_json_is_asked_for() {
    let mut sandbox = Sandbox::default();
    let code = value_of(
        &choose(
            &mut sandbox,
            "member",
            &[("scope", "read:user user:email")],
            NOON,
        ),
        "code",
    );
    let response = answer(
        &mut sandbox,
        &token_request(&[("code", &code)], "*/*"),
        NOON,
    );
    assert_eq!(
        response.header("content-type"),
        Some("application/x-www-form-urlencoded; charset=utf-8")
    );
    let body = String::from_utf8(response.body).unwrap();
    assert!(
        body.starts_with("access_token=gho_sandbox")
            && body.ends_with("&token_type=bearer&scope=read%3Auser%2Cuser%3Aemail"),
        "{body}"
    );
    let response = answer(&mut sandbox, &token_request(&[("code", &code)], ""), NOON);
    assert!(response.body.starts_with(b"error=bad_verification_code&"));
}

#[test]
fn json_bodies_and_basic_credentials_reach_the_token_endpoint_too() {
    let mut sandbox = Sandbox::default();
    let code = value_of(&choose(&mut sandbox, "member", &[], NOON), "code");
    let mut request = github_basic(
        "POST",
        "/github/login/oauth/access_token",
        &json!({ "code": code }).to_string(),
    );
    request.headers.extend(
        [
            ("content-type", "application/json"),
            ("accept", "application/json"),
        ]
        .map(|(a, b)| (a.to_owned(), b.to_owned())),
    );
    assert!(answer(&mut sandbox, &request, NOON).value()["access_token"].is_string());
    assert!(sandbox.ledger().violations.is_empty());
}

#[test]
fn each_persona_shows_its_account() {
    let cases = [
        ("member", 200, json!(1_000_100), "member", "User"),
        ("second", 200, json!(1_000_101), "second", "User"),
        ("renamed", 200, json!(1_000_100), "member-renamed", "User"),
        ("operator", 200, json!(1_000_001), "operator", "User"),
        ("newcomer", 200, json!(1_000_200), "newcomer", "User"),
        ("bot", 200, json!(1_000_400), "bot", "Bot"),
        ("bigid", 200, json!(4_294_967_396_u64), "bigid", "User"),
        ("load-0", 200, json!(9_000_000), "load-0", "User"),
        ("load-41", 200, json!(9_000_041), "load-41", "User"),
    ];
    for (persona, status, id, login, kind) in cases {
        let mut sandbox = Sandbox::default();
        let token = sign_in(&mut sandbox, persona, NOON);
        let response = answer(&mut sandbox, &github_user(&token), NOON);
        let user = response.value();
        assert_eq!(response.status, status, "{persona}");
        assert_eq!(
            (&user["id"], user["login"].as_str(), user["type"].as_str()),
            (&id, Some(login), Some(kind)),
            "{persona}"
        );
        assert!(sandbox.ledger().violations.is_empty());
    }
}

#[test]
fn tokens_of_a_revoked_and_of_a_suspended_account_are_refused() {
    for (persona, status, words) in [
        ("revoked", 401, "Bad credentials"),
        ("suspended", 403, "Sorry. Your account was suspended."),
    ] {
        let mut sandbox = Sandbox::default();
        let token = sign_in(&mut sandbox, persona, NOON);
        let response = answer(&mut sandbox, &github_user(&token), NOON);
        assert_eq!(
            (response.status, response.value()["message"].as_str()),
            (status, Some(words)),
            "{persona}"
        );
    }
}

#[test]
fn a_newcomer_grows_older_as_the_clock_advances() {
    let mut sandbox = Sandbox::default();
    let age_days = |sandbox: &mut Sandbox| {
        let token = sign_in(sandbox, "newcomer", NOON);
        let created = answer(sandbox, &github_user(&token), NOON).value()["created_at"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(created, "2026-08-11T12:00:00Z");
    };
    age_days(&mut sandbox);
    sandbox.advance_clock(30 * DAY_MS);
    age_days(&mut sandbox);
}

#[test]
fn every_call_without_a_user_agent_is_refused_and_noted() {
    let mut sandbox = Sandbox::default();
    let token = sign_in(&mut sandbox, "member", NOON);
    let calls = [
        github_user(&token),
        token_request(&[("code", "x")], "application/json"),
        request("GET", &authorize_target(&[]), &[], ""),
    ];
    for (number, mut call) in calls.into_iter().enumerate() {
        call.headers.retain(|(name, _)| name != "user-agent");
        assert_eq!(answer(&mut sandbox, &call, NOON).status, 403);
        assert_eq!(sandbox.ledger().violations.len(), number + 1);
    }
}

#[test]
fn accounts_are_found_by_id_with_app_credentials() {
    let mut sandbox = Sandbox::default();
    let mut login = |id: &str| {
        let response = answer(
            &mut sandbox,
            &github_basic("GET", &format!("/github-api/user/{id}"), ""),
            NOON,
        );
        (
            response.status,
            response.value()["login"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    assert_eq!(login("1000100"), (200, "member".to_owned()));
    assert_eq!(login("9000007"), (200, "load-7".to_owned()));
    assert_eq!(login("77"), (404, String::new()));
    assert_eq!(
        login("1000600"),
        (404, String::new()),
        "suspended accounts are hidden"
    );
    sign_in(&mut sandbox, "renamed", NOON);
    let response = answer(
        &mut sandbox,
        &github_basic("GET", "/github-api/user/1000100", ""),
        NOON,
    );
    assert_eq!(response.value()["login"], "member-renamed");
}

#[test]
fn a_token_is_revoked_by_its_app_and_by_nobody_else() {
    let mut sandbox = Sandbox::default();
    let token = sign_in(&mut sandbox, "member", NOON);
    let body = json!({ "access_token": token }).to_string();
    let target = "/github-api/applications/Ov23liSANDBOXCLIENT/token";
    let mut wrong = github_basic("DELETE", target, &body);
    wrong.headers[0].1 = "Basic b3RoZXI6c2VjcmV0".to_owned();
    assert_eq!(answer(&mut sandbox, &wrong, NOON).status, 401);
    assert_eq!(
        answer(&mut sandbox, &github_basic("DELETE", target, ""), NOON).status,
        422,
        "the body is needed"
    );
    assert_eq!(answer(&mut sandbox, &github_user(&token), NOON).status, 200);
    assert_eq!(
        answer(&mut sandbox, &github_basic("DELETE", target, &body), NOON).status,
        204
    );
    assert_eq!(
        answer(&mut sandbox, &github_basic("DELETE", target, &body), NOON).status,
        422
    );
    assert_eq!(answer(&mut sandbox, &github_user(&token), NOON).status, 401);
    assert_eq!(sandbox.ledger().github_tokens[0].revoked_at_ms, Some(NOON));
}

#[test]
fn the_eleventh_live_token_revokes_the_oldest() {
    let mut sandbox = Sandbox::default();
    let tokens: Vec<String> = (0..11)
        .map(|_| sign_in(&mut sandbox, "member", NOON))
        .collect();
    let live: Vec<u16> = tokens
        .iter()
        .map(|token| answer(&mut sandbox, &github_user(token), NOON).status)
        .collect();
    assert_eq!(
        live,
        [401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200]
    );
}

#[test]
fn an_unknown_api_version_is_refused_and_a_trailing_slash_is_not_found() {
    let mut sandbox = Sandbox::default();
    let token = sign_in(&mut sandbox, "member", NOON);
    for (version, status) in [
        ("2022-11-28", 200),
        ("2026-03-10", 200),
        ("2031-01-01", 400),
    ] {
        let mut call = github_user(&token);
        call.headers
            .push(("x-github-api-version".to_owned(), version.to_owned()));
        assert_eq!(
            answer(&mut sandbox, &call, NOON).status,
            status,
            "{version}"
        );
    }
    let mut call = github_user(&token);
    call.target.push('/');
    assert_eq!(answer(&mut sandbox, &call, NOON).status, 404);
}

#[test]
fn the_hourly_limit_is_counted_per_account_and_starts_again() {
    let mut sandbox = Sandbox::new(Settings {
        github_hourly_limit: 2,
        ..Settings::default()
    });
    let (member, second) = (
        sign_in(&mut sandbox, "member", NOON),
        sign_in(&mut sandbox, "second", NOON),
    );
    let mut ask = |token: &str, now: i64| {
        let response = answer(&mut sandbox, &github_user(token), now);
        (
            response.status,
            response.header("x-ratelimit-remaining").unwrap().to_owned(),
        )
    };
    assert_eq!(ask(&member, NOON), (200, "1".to_owned()));
    assert_eq!(ask(&member, NOON), (200, "0".to_owned()));
    assert_eq!(ask(&member, NOON + HOUR - 1), (403, "0".to_owned()));
    assert_eq!(ask(&second, NOON), (200, "1".to_owned()));
    assert_eq!(ask(&member, NOON + HOUR), (200, "1".to_owned()));
}
