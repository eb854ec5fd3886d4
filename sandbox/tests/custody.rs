//! A credential at the wrong host is noted, whatever the answer; one at its own host is not.

use crate::common::*;
use sandbox::{GITHUB_CLIENT_SECRET, MANAGEMENT_KEY, Request, Sandbox, ViolationKind};
use serde_json::json;

fn noted(sandbox: &mut Sandbox, request: &Request) -> Vec<ViolationKind> {
    let before = sandbox.ledger().violations.len();
    sandbox.handle(request, NOON);
    sandbox.ledger().violations[before..]
        .iter()
        .map(|violation| violation.kind)
        .collect()
}

#[test]
fn a_credential_at_a_host_it_does_not_belong_to_is_noted() {
    let mut sandbox = Sandbox::default();
    let token = sign_in(&mut sandbox, "member", NOON);
    let (_, secret) = mint(&mut sandbox, mint_body("a"));
    let bearer = |key: &str| format!("Bearer {key}");
    let secret_body = json!({"name": GITHUB_CLIENT_SECRET});
    let cases = [
        request(
            "GET",
            "/github-api/user",
            &[("authorization", &bearer(MANAGEMENT_KEY))],
            "",
        ),
        request(
            "GET",
            "/github-api/user",
            &[("authorization", &bearer(&secret))],
            "",
        ),
        request(
            "POST",
            "/github/login/oauth/access_token",
            &[("x-debug", MANAGEMENT_KEY)],
            "",
        ),
        request(
            "POST",
            "/github/login/oauth/access_token",
            &[],
            format!("access_token={token}"),
        ),
        with_bearer(&token, "GET", "/keys", None),
        openrouter("POST", "/keys", Some(&secret_body)),
        github_basic("GET", "/openrouter/api/v1/keys", ""),
        request(
            "GET",
            "/github-api/user",
            &[("cookie", "__Host-keycap_session=x")],
            "",
        ),
    ];
    for case in cases {
        assert_eq!(
            noted(&mut sandbox, &case),
            [ViolationKind::ForeignCredential],
            "{} {:?}",
            case.target,
            case.headers
        );
    }
    let details: String = sandbox
        .ledger()
        .violations
        .iter()
        .map(|violation| violation.detail.as_str())
        .collect();
    assert!(
        ![MANAGEMENT_KEY, GITHUB_CLIENT_SECRET, &token, &secret]
            .iter()
            .any(|credential| details.contains(credential))
    );
}

#[test]
fn a_secret_in_an_address_is_noted_even_at_its_own_host() {
    let mut sandbox = Sandbox::default();
    let token = sign_in(&mut sandbox, "member", NOON);
    let cases = [
        openrouter("GET", &format!("/keys?workspace_id={MANAGEMENT_KEY}"), None),
        request(
            "GET",
            &format!("/github/login/oauth/authorize?client_secret={GITHUB_CLIENT_SECRET}"),
            &[],
            "",
        ),
        github_basic(
            "GET",
            &format!(
                "/github-api/user/1?access_token={}",
                token.replace('_', "%5F")
            ),
            "",
        ),
    ];
    for case in cases {
        assert_eq!(
            noted(&mut sandbox, &case),
            [ViolationKind::SecretInUrl],
            "{}",
            case.target
        );
    }
}

#[test]
fn the_whole_ordinary_traffic_is_clean() {
    let mut sandbox = Sandbox::default();
    let token = sign_in(&mut sandbox, "member", NOON);
    let revoke = json!({ "access_token": token }).to_string();
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    let browser = request("GET", &authorize_target(&[]), &[("cookie", "other=1")], "");
    let calls = [
        github_user(&token),
        github_basic(
            "DELETE",
            "/github-api/applications/Ov23liSANDBOXCLIENT/token",
            &revoke,
        ),
        browser,
        with_bearer(&secret, "GET", "/key", None),
        openrouter("GET", &format!("/keys/{hash}"), None),
        openrouter("GET", "/credits", None),
    ];
    for call in calls {
        assert_eq!(noted(&mut sandbox, &call), [], "{}", call.target);
    }
    assert!(sandbox.ledger().violations.is_empty());
}

#[test]
fn routes_that_do_not_exist_and_calls_without_a_user_agent_are_noted() {
    let mut sandbox = Sandbox::default();
    assert_eq!(
        noted(&mut sandbox, &openrouter("GET", "/auth/keys", None)),
        [ViolationKind::UnknownRoute]
    );
    assert_eq!(
        noted(
            &mut sandbox,
            &github_basic("GET", "/github-api/users/member", "")
        ),
        [ViolationKind::UnknownRoute]
    );
    let mut nameless = openrouter("GET", "/keys", None);
    nameless.headers.retain(|(name, _)| name != "user-agent");
    assert_eq!(
        noted(&mut sandbox, &nameless),
        [ViolationKind::MissingUserAgent]
    );
}
