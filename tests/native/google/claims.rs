//! Who may claim with a Google account: people of the Workspaces that the configuration lists, by the claim `hd` of their
//! last sign-in.

use serde_json::json;

use crate::support::{Browser, World};

const REFUSED: &str = "google_not_admitted";

fn refusal(browser: &Browser<'_>) -> serde_json::Value {
    browser.get("/api/v1/me").json()["claim"]["refusal"]["code"].clone()
}

#[test]
fn people_of_a_listed_workspace_claim_and_nobody_else_with_a_google_account() {
    for (persona, status) in [
        ("employee", 201),
        ("foreign", 403),
        ("consumer", 403),
        // It has the company's address, and no Workspace manages it.
        ("lookalike", 403),
    ] {
        let world = World::new();
        let browser = Browser::with_google(&world, persona);
        let told = refusal(&browser);
        let claim = browser.claim();
        assert_eq!(claim.status, status, "{persona}: {claim:?}");
        if status == 403 {
            assert_eq!(
                (claim.code().as_str(), &told),
                (REFUSED, &json!(REFUSED)),
                "{persona}"
            );
            assert_eq!(world.calls("openrouter.keys.create"), 0);
            assert!(
                claim.json()["detail"]
                    .as_str()
                    .unwrap()
                    .contains("Workspace")
            );
        } else {
            assert_eq!(told, json!(null));
        }
    }
}

#[test]
fn without_the_setting_people_sign_in_with_google_and_nobody_claims() {
    let world = World::new();
    world.set("GOOGLE_ALLOWED_DOMAINS", "");
    let employee = Browser::with_google(&world, "employee");
    assert_eq!(employee.claim().code(), REFUSED);
    assert_eq!(
        Browser::signed_in(&world, "member").claim().status,
        201,
        "GitHub is not asked for a Workspace"
    );
}

#[test]
fn several_workspaces_may_be_listed_in_any_case() {
    let world = World::new();
    world.set("GOOGLE_ALLOWED_DOMAINS", " Other.example , COMPANY.example");
    assert_eq!(Browser::with_google(&world, "employee").claim().status, 201);
    assert_eq!(Browser::with_google(&world, "foreign").claim().status, 201);
}

#[test]
fn an_account_that_left_its_workspace_keeps_its_key_and_makes_no_further_one() {
    let world = World::new();
    let browser = Browser::with_google(&world, "employee");
    assert_eq!(browser.claim().status, 201);
    world.db.run("UPDATE members SET hosted_domain = NULL");
    assert_eq!(browser.claim().status, 200, "the key is still there");
    let id = browser.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = format!("/api/v1/keys/{}", id.as_str().unwrap());
    assert_eq!(browser.delete(&key).status, 200);
    assert_eq!(browser.claim().code(), REFUSED);
    // The next sign-in says what is true.
    let again = Browser::with_google(&world, "employee");
    assert_ne!(again.claim().code(), REFUSED);
}

#[test]
fn an_account_of_a_workspace_that_is_no_longer_listed_renews_no_key_and_rotates_it_still() {
    let world = World::new();
    let browser = Browser::with_google(&world, "employee");
    assert_eq!(browser.claim().status, 201);
    let id = browser.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let asks = |browser: &Browser<'_>, verb: &str| {
        let id = id.as_str().unwrap();
        browser.post(&format!("/api/v1/keys/{id}/{verb}"), "{}")
    };
    world.pass(85 * 86_400);
    assert!(world.sweep());
    let calls = world.calls("openrouter.keys.create");
    world.set("GOOGLE_ALLOWED_DOMAINS", "elsewhere.example");
    let browser = Browser::with_google(&world, "employee");
    let refused = asks(&browser, "renew");
    assert_eq!((refused.status, refused.code().as_str()), (403, REFUSED));
    assert_eq!(
        world.calls("openrouter.keys.create"),
        calls,
        "nothing is sent"
    );
    assert_eq!(asks(&browser, "rotate").status, 201, "a leak needs it");
}

#[test]
fn a_workspace_that_is_no_longer_listed_refuses_also_a_claim_under_way() {
    let world = World::new();
    let browser = Browser::with_google(&world, "employee");
    world.effects.plan(&[(1, crate::support::Fate::HeldAfter)]);
    let held = browser.start_claim();
    world
        .db
        .run("UPDATE members SET hosted_domain = 'other.example'");
    let claim = held.release();
    assert_eq!(
        (claim.status, claim.code().as_str()),
        (409, "claim_superseded"),
        "{claim:?}"
    );
    assert!(world.usable().is_empty(), "the key that was made is gone");
}

#[test]
fn no_age_refuses_a_google_account() {
    let world = World::new();
    world.set("MIN_ACCOUNT_AGE_DAYS", "36500");
    assert_eq!(Browser::with_google(&world, "employee").claim().status, 201);
    assert_eq!(
        Browser::signed_in(&world, "member").claim().code(),
        "account_too_young"
    );
}

#[test]
fn a_permission_of_an_admin_does_not_replace_the_workspace() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let body = json!({ "provider": "google", "subject": "110000000000000000200" }).to_string();
    let made = operator.post("/api/v1/admin/allotments", &body);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        Browser::with_google(&world, "consumer").claim().code(),
        REFUSED
    );
}

#[test]
fn a_blocked_google_account_is_refused_before_its_first_sign_in_and_its_namesake_is_not() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let body = json!({ "provider": "google", "subjects": ["110000000000000000100"] }).to_string();
    let blocked = operator.post("/api/v1/admin/blocks", &body);
    assert_eq!(blocked.status, 200, "{blocked:?}");
    assert_eq!(
        Browser::with_google(&world, "employee").claim().code(),
        "blocked"
    );
    assert_eq!(
        Browser::with_google(&world, "colleague").claim().status,
        201
    );
}
