//! The rules of a claim hold for a terminal as they do for the page: at the approval, where a person can act on a refusal, and
//! again when the key is made.

use super::*;
use crate::enabled_workspaces::{at_openrouter, choose};
use crate::support::oracle;

fn switches(operator: &Browser<'_>, body: &str) {
    let response = operator.patch("/api/v1/admin/settings", body);
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn a_rule_that_refuses_a_claim_refuses_the_approval() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    let approve = |body: Value| {
        let response = member.post("/api/v1/device/approve", &body.to_string());
        response.code()
    };
    let code = begun.user_code.as_str();
    assert_eq!(approve(json!({ "user_code": code })), "terms_not_accepted");
    assert_eq!(
        approve(json!({ "user_code": code, "accept_terms": 99 })),
        "terms_changed"
    );
    for id in ["nothing", "wsp_000000000000000000000000"] {
        let body = json!({ "user_code": code, "accept_terms": 1, "workspace_id": id });
        assert_eq!(approve(body), "bad_request", "{id}");
    }
    switches(&operator, r#"{"minting":"stopped"}"#);
    assert_eq!(approves(&member, code).code(), "minting_stopped");
    switches(&operator, r#"{"minting":"open"}"#);
    let young = Browser::signed_in(&world, "newcomer");
    assert_eq!(approves(&young, code).code(), "account_too_young");
    assert_eq!(state(&world), "pending");
    assert_eq!(approves(&member, code).status, 200);
    assert_eq!(terminal.asks(&begun).status, 200);
    let accepted = "SELECT COUNT(*) FROM audit WHERE action = 'terms_accepted'";
    assert_eq!(world.db.number(accepted), 1);
    // There is one key for each account, however it is asked for.
    let another = terminal.begins();
    let refused = approves(&member, &another.user_code);
    assert_eq!(
        (refused.status, refused.code()),
        (409, String::from("device_has_key"))
    );
    oracle::settled(&world);
}

#[test]
fn a_rule_that_closes_after_the_approval_refuses_the_key_and_says_so_once() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = approved(&terminal, &member);
    switches(&operator, r#"{"minting":"stopped"}"#);
    let refused = terminal.asks(&begun);
    assert_eq!(
        (refused.status, error(&refused), refused.code()),
        (
            400,
            String::from("access_denied"),
            String::from("minting_stopped")
        )
    );
    switches(&operator, r#"{"minting":"open"}"#);
    world.pass(5);
    let again = terminal.asks(&begun);
    assert_eq!(
        (error(&again), again.code()),
        (String::from("access_denied"), String::from("device_failed"))
    );
    let failed = "SELECT after FROM audit WHERE action = 'device_failed'";
    assert_eq!(world.db.text(failed), "minting_stopped");
    assert_eq!(mints(&world), 0);
}

#[test]
fn a_member_who_claimed_on_the_page_meanwhile_gets_no_second_key() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = approved(&terminal, &member);
    assert_eq!(member.claim().status, 201);
    let refused = terminal.asks(&begun);
    assert_eq!(
        (error(&refused), refused.code()),
        (
            String::from("access_denied"),
            String::from("device_has_key")
        )
    );
    assert_eq!(world.usable().len(), 1);
}

#[test]
fn an_approval_ends_with_the_sessions_of_its_member() {
    for ending in ["everywhere", "suspended", "banned"] {
        let world = World::new();
        let operator = Browser::signed_in(&world, "operator");
        let member = Browser::signed_in(&world, "member");
        let terminal = Terminal::new(&world);
        let begun = approved(&terminal, &member);
        match ending {
            "everywhere" => {
                let path = "/api/v1/me/sign-out-everywhere";
                assert_eq!(member.post(path, "{}").status, 204);
            }
            status => assert_eq!(operator.set_status("member", status).status, 200),
        }
        let refused = terminal.asks(&begun);
        assert_eq!(error(&refused), "access_denied", "{ending}");
        assert_eq!(
            (mints(&world), state(&world)),
            (0, String::from("approved"))
        );
    }
}

#[test]
fn the_chosen_workspace_is_where_the_terminals_key_is_made() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    choose(&operator, &[&blue, &red]);
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    assert_eq!(approves(&member, &begun.user_code).code(), "bad_request");
    let offered = member.get("/api/v1/workspaces").json();
    let chosen = &offered["workspaces"][1];
    let body =
        json!({ "user_code": begun.user_code, "accept_terms": 1, "workspace_id": chosen["id"] });
    let response = member.post("/api/v1/device/approve", &body.to_string());
    assert_eq!(response.status, 200, "{response:?}");
    let answer = terminal.asks(&begun);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["key"]["workspace"]["id"], chosen["id"]);
}
