//! The directory of a Workspace, the tokens for it, and the organization at GitHub, as upstream describes them.

use crate::common::*;
use sandbox::{ORGANIZATION, ORGANIZATION_TOKEN, Organization, Sandbox};
use serde_json::{Value, json};

const USERS: &str = "/google-admin/admin/directory/v1/users";

fn get(sandbox: &mut Sandbox, target: &str, token: &str) -> (u16, Value) {
    let credential = format!("Bearer {token}");
    let headers = [
        ("authorization", credential.as_str()),
        ("user-agent", "test"),
    ];
    let answer = answer(sandbox, &request("GET", target, &headers, ""), NOON);
    (answer.status, answer.value())
}

#[test]
fn nobody_reads_the_directory_without_a_token_of_its_own() {
    let mut sandbox = Sandbox::default();
    for token in ["", "ya29.invented", sandbox::MANAGEMENT_KEY] {
        let (status, body) = get(
            &mut sandbox,
            &format!("{USERS}?customer=my_customer"),
            token,
        );
        assert_eq!(
            (status, &body["error"]["errors"][0]["reason"]),
            (401, &json!("authError"))
        );
    }
}

#[test]
fn a_request_for_a_token_that_is_not_signed_by_the_service_account_is_refused() {
    let mut sandbox = Sandbox::default();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    for assertion in ["", "a.b", "a.b.c", "e30.e30.e30"] {
        let body = format!("{grant}&assertion={assertion}");
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("user-agent", "test"),
        ];
        let asked = request("POST", "/google-oauth/token", &headers, body);
        let answer = answer(&mut sandbox, &asked, NOON);
        assert_eq!(
            (answer.status, &answer.value()["error"]),
            (400, &json!("invalid_grant")),
            "{assertion}"
        );
    }
}

#[test]
fn an_organization_is_listed_for_its_members_and_an_outsider_is_sent_to_the_public_ones() {
    let mut sandbox = Sandbox::default();
    let organization = Organization {
        members: (1..=130).chain([1_000_100]).collect(),
        deleted: vec![7],
        ..Organization::default()
    };
    sandbox.set_organization(organization.clone());
    let list =
        |page: u32| format!("/github-api/orgs/{ORGANIZATION}/members?per_page=100&page={page}");
    let sizes: Vec<usize> = (1..=3)
        .map(|page| {
            get(&mut sandbox, &list(page), ORGANIZATION_TOKEN)
                .1
                .as_array()
                .unwrap()
                .len()
        })
        .collect();
    assert_eq!(sizes, [100, 31, 0]);
    let one = |login: &str| format!("/github-api/orgs/{ORGANIZATION}/members/{login}");
    assert_eq!(get(&mut sandbox, &one("member"), ORGANIZATION_TOKEN).0, 204);
    assert_eq!(get(&mut sandbox, &one("second"), ORGANIZATION_TOKEN).0, 404);
    assert_eq!(get(&mut sandbox, &one("member"), "invented").0, 401);
    sandbox.set_organization(Organization {
        outsider: true,
        ..organization
    });
    assert_eq!(get(&mut sandbox, &one("member"), ORGANIZATION_TOKEN).0, 302);
    assert_eq!(get(&mut sandbox, &list(1), ORGANIZATION_TOKEN).1, json!([]));
}
