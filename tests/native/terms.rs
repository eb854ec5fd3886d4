//! The terms: the members' acceptance of ours, recorded with their first claim, and the operator's confirmation about
//! OpenRouter's terms, without which no key is minted.

use keycap::domain::id::{IdKind, PublicId};
use keycap::domain::people::session::Session;
use keycap::domain::policy::switches::Claims;
use keycap::http::server::message::Body;
use keycap::store::ops::settings::{self, SettingsOutcome};
use serde_json::{Value, json};

use crate::support::browser::{CLAIM, Response};
use crate::support::{Browser, World, oracle};

const SETTINGS: &str = "/api/v1/admin/settings";

fn bare(browser: &Browser<'_>) -> Response {
    browser.post("/api/v1/claim", "{}")
}

fn terms_of(browser: &Browser<'_>) -> Value {
    browser.get("/api/v1/me").json()["terms"].clone()
}

fn acceptances(world: &World) -> Vec<String> {
    world.db.texts(
        "SELECT (a.target = m.public_id) || (a.actor = m.public_id) || ' ' || a.before || ' ' || a.after
         FROM audit a LEFT JOIN members m ON m.public_id = a.target WHERE a.action = 'terms_accepted'",
    )
}

#[test]
fn a_member_accepts_the_terms_once_and_it_is_recorded() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let response = bare(&member);
    assert_eq!(
        (response.status, response.code().as_str()),
        (403, "terms_not_accepted")
    );
    assert_eq!(response.json()["terms_revision"], 1);
    assert_eq!(
        terms_of(&member),
        json!({ "revision": 1, "accepted_at": null })
    );
    // They are accepted with the claim, so they refuse nobody beforehand.
    assert_eq!(member.get("/api/v1/me").json()["claim"]["open"], true);
    assert_eq!((world.states().len(), acceptances(&world).len()), (0, 0));

    assert_eq!(member.claim().status, 201);
    let at = world.now().rfc3339();
    assert_eq!(
        terms_of(&member),
        json!({ "revision": 1, "accepted_at": at })
    );
    assert_eq!(acceptances(&world), ["11 0 1"]);
    world.pass(60);
    assert_eq!(member.claim().status, 200);
    assert_eq!(
        terms_of(&member)["accepted_at"],
        at,
        "the first time counts"
    );
    assert_eq!(acceptances(&world).len(), 1);
    // From now on the acceptance is recorded.
    world.pass(90 * 86_400 + 600);
    let again = Browser::signed_in(&world, "member");
    assert!(world.sweep());
    assert_eq!(bare(&again).status, 201);
    oracle::settled(&world);
}

#[test]
fn terms_other_than_those_in_force_are_not_accepted() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    for revision in ["0", "2", "-1", "9007199254740993"] {
        let body = format!(r#"{{"accept_terms":{revision}}}"#);
        let response = member.post("/api/v1/claim", &body);
        assert_eq!(
            (response.status, response.code().as_str()),
            (409, "terms_changed")
        );
        assert_eq!(response.json()["terms_revision"], 1);
    }
    for body in [
        r#"{"accept_terms":"1"}"#,
        r#"{"accept_terms":1.5}"#,
        r#"{"accept_terms":true}"#,
        r#"{"accept_terms":1,"accept_terms":1}"#,
        r#"{"accept_terms":1,"more":1}"#,
    ] {
        assert_eq!(member.post("/api/v1/claim", body).status, 400, "{body}");
    }
    // An acceptance of an older revision does not count.
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, after, at) SELECT 't', public_id, 'terms_accepted', 't', 0, 1 FROM members;
         UPDATE members SET terms_rev = 0, terms_at = NULL, change_id = 't'",
    );
    assert_eq!(bare(&member).code(), "terms_not_accepted");
    assert_eq!((world.states().len(), acceptances(&world).len()), (0, 1));
}

#[test]
fn other_refusals_come_first_and_a_refused_claim_keeps_the_acceptance() {
    let world = World::new();
    let newcomer = Browser::signed_in(&world, "newcomer");
    assert_eq!(bare(&newcomer).code(), "account_too_young");
    assert_eq!(newcomer.claim().code(), "account_too_young");
    assert_eq!(terms_of(&newcomer)["accepted_at"], world.now().rfc3339());
    // A session that has ended accepts nothing.
    let member = Browser::signed_in(&world, "member");
    let stale = member.at_fresh_isolate();
    member.post("/api/v1/me/sign-out-everywhere", "{}");
    assert_eq!(stale.claim().status, 401);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(terms_of(&member)["accepted_at"], Value::Null);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'sessions_ended', 't', 1 FROM members WHERE subject = '1000100';
         UPDATE members SET status = 'suspended', change_id = 't' WHERE subject = '1000100'",
    );
    let before = world.db.dump();
    assert_eq!(member.claim().code(), "member_suspended");
    assert_eq!(world.db.dump(), before);
}

#[test]
fn a_claim_with_the_acceptance_is_another_request_for_idempotency() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let send = |body: &str| {
        let headers = [
            ("origin", "http://localhost:8787"),
            ("content-type", "application/json"),
            ("idempotency-key", "once"),
        ];
        member.send("POST", "/api/v1/claim", &headers, Body::Bytes(body.into()))
    };
    // A claim that made nothing is not remembered: the same Idempotency-Key may be used again with the acceptance.
    assert_eq!(send("{}").code(), "terms_not_accepted");
    assert_eq!(send(CLAIM).status, 201);
    assert_eq!(send(CLAIM).json()["replayed"], true);
    assert_eq!(send("{}").code(), "idempotency_mismatch");
}

#[test]
fn a_claim_with_the_acceptance_is_two_round_trips_and_one_call() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.effects.plan(&[]);
    assert_eq!(member.claim().status, 201);
    assert_eq!(world.effects.count(), 3, "{:?}", world.effects.names());
}

// ---------------------------------------------------------------------------- OpenRouter's terms

const PRODUCTION: &str = "https://keys.example.org";

/// Signs somebody in before the deployment moves to the production address.
fn moved<'a>(world: &'a World, persona: &str) -> Browser<'a> {
    world.set("PUBLIC_ORIGIN", "http://localhost:8787");
    let browser = Browser::signed_in(world, persona);
    world.set("PUBLIC_ORIGIN", PRODUCTION);
    world.set("API_KEYS_PAGE", "true");
    world.db.run(
        "INSERT OR IGNORE INTO audit (change_id, target, action, actor, at) VALUES ('moved', 'instance', 'instance_bound', 't', 1);
         UPDATE instance SET public_origin = 'https://keys.example.org', change_id = 'moved' WHERE change_id <> 'moved'",
    );
    browser.at_fresh_isolate()
}

fn send(browser: &Browser<'_>, method: &str, target: &str, body: &str) -> Response {
    let headers = [("origin", PRODUCTION), ("content-type", "application/json")];
    browser.send(method, target, &headers, Body::Bytes(body.into()))
}

fn claim(browser: &Browser<'_>) -> Response {
    send(browser, "POST", "/api/v1/claim", CLAIM)
}

fn confirm(browser: &Browser<'_>) -> Response {
    send(
        browser,
        "PATCH",
        SETTINGS,
        r#"{"upstream_terms":"confirmed"}"#,
    )
}

#[test]
fn nothing_is_minted_before_an_admin_has_confirmed_the_upstreams_terms() {
    let world = World::new();
    let (member, operator) = (moved(&world, "member"), moved(&world, "operator"));
    let response = claim(&member);
    assert_eq!(
        (response.status, response.code().as_str()),
        (403, "upstream_terms_unconfirmed")
    );
    assert_eq!(response.json()["title"], "Claims are not open yet");
    let refusal = &member.get("/api/v1/me").json()["claim"]["refusal"];
    assert_eq!(refusal["code"], "upstream_terms_unconfirmed");
    let health = member.get("/healthz").json();
    assert_eq!(health["claims_open"], false);
    assert_eq!(
        health["closed_by"],
        json!([{ "setting": "upstream_terms", "problem": "not confirmed by an admin: claims are closed" }])
    );
    let is = operator.get(SETTINGS).json();
    assert_eq!(
        (
            &is["upstream_terms"],
            &is["upstream_terms_by"],
            &is["upstream_terms_at"]
        ),
        (&json!("unconfirmed"), &Value::Null, &Value::Null)
    );
    assert_eq!(confirm(&member).status, 404, "an admin's alone");
    assert_eq!(world.states().len(), 0);

    // After the confirmation: it is stored with person and time, it is shown, and claims are open.
    let is = confirm(&operator).json();
    let who = operator.get("/api/v1/me").json()["member"]["id"].clone();
    assert_eq!(
        (
            &is["upstream_terms"],
            &is["upstream_terms_by"],
            &is["upstream_terms_at"]
        ),
        (&json!("confirmed"), &who, &json!(world.now().rfc3339()))
    );
    assert_eq!(operator.get(SETTINGS).json(), is);
    assert_eq!(
        world.db.texts("SELECT actor || ' ' || before || ' ' || after FROM audit WHERE action = 'upstream_terms_confirmed'"),
        [format!("{} unconfirmed confirmed", who.as_str().unwrap())]
    );
    assert_eq!(claim(&member).status, 201);
    let health = member.get("/healthz").json();
    assert_eq!(
        (&health["claims_open"], &health["closed_by"]),
        (&json!(true), &json!([]))
    );
    oracle::settled(&world);
}

#[test]
fn the_health_route_asks_the_database_until_it_is_confirmed_and_says_so_when_it_cannot() {
    let world = World::new();
    let operator = moved(&world, "operator");
    let asked = |browser: &Browser<'_>| {
        world.effects.plan(&[]);
        let response = browser.get("/healthz");
        assert_eq!(response.status, 200);
        (
            world.effects.count(),
            response.json()["claims_open"].clone(),
        )
    };
    assert_eq!(asked(&operator), (1, json!(false)));
    world.effects.plan(&[(0, crate::support::Fate::LostBefore)]);
    assert_eq!(
        operator.get("/healthz").json()["closed_by"][0]["problem"],
        "not known: the database did not answer"
    );
    world.effects.plan(&[]);
    assert_eq!(confirm(&operator).status, 200);
    assert_eq!(asked(&operator), (1, json!(true)));
    assert_eq!(
        asked(&operator),
        (0, json!(true)),
        "heard within the minute"
    );
}

#[test]
fn in_development_there_is_nothing_to_confirm() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.get("/healthz").json()["claims_open"], true);
    assert_eq!(member.claim().status, 201);
    assert_eq!(
        world.db.text("SELECT upstream_terms FROM settings"),
        "unconfirmed"
    );
}

#[test]
fn a_claim_whose_terms_lose_their_confirmation_before_the_record_delivers_nothing() {
    let world = World::new();
    let (member, operator) = (moved(&world, "member"), moved(&world, "operator"));
    assert_eq!(confirm(&operator).status, 200);
    world.db.run(
        "CREATE TRIGGER withdrawn AFTER INSERT ON generations BEGIN
           INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'settings', 'upstream_terms_confirmed', 't', 1);
           UPDATE settings SET upstream_terms = 'unconfirmed', change_id = 't';
         END",
    );
    assert_eq!(claim(&member).code(), "claim_superseded");
    assert_eq!(world.usable().len(), 0);
}

#[test]
fn only_the_exact_word_confirms() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    for body in [
        r#"{"upstream_terms":"unconfirmed"}"#,
        r#"{"upstream_terms":true}"#,
        r#"{"upstream_terms":"confirmed","minting":"open"}"#,
        r#"{"upstream_terms":"confirmed","confirm":0}"#,
        r#"{"claims":"closed"}"#,
        r#"{"claims":"open","upstream_terms":"confirmed"}"#,
    ] {
        assert_eq!(operator.patch(SETTINGS, body).status, 400, "{body}");
    }
    // An admin whose session has ended by then confirms nothing: the statements themselves require a current session.
    let ended = Session {
        member: PublicId::parse(
            IdKind::Member,
            &world.db.text("SELECT public_id FROM members"),
        )
        .unwrap(),
        epoch: 7,
    };
    let (db, now, change) = (
        &world.db,
        world.now(),
        PublicId::new(IdKind::Change, [9; 12]),
    );
    let before = world.db.dump();
    for response in [
        world.run(settings::confirm_upstream_terms(db, &ended, &change, now)),
        world.run(settings::switch_claims(
            db,
            &ended,
            &change,
            Claims::ByApproval,
            now,
        )),
    ] {
        assert!(
            matches!(response, Some(Ok(SettingsOutcome::Refused(_)))),
            "{response:?}"
        );
    }
    assert_eq!(world.db.dump(), before);
}
