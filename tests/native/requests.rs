//! Claims by approval: what members request, and what admins decide.

use keycap::domain::id::{IdKind, PublicId};
use keycap::domain::people::request::RequestState;
use keycap::domain::people::session::Session;
use keycap::store::members::requests::{self, RequestDecision};
use keycap::store::query::StoreError;
use serde_json::{Value, json};

use crate::support::browser::Response;
use crate::support::{Browser, Fate, World, oracle};

const SETTINGS: &str = "/api/v1/admin/settings";
const REQUESTS: &str = "/api/v1/requests";
const ALL: &str = "/api/v1/admin/requests";

fn by_approval(operator: &Browser<'_>) {
    let response = operator.patch(SETTINGS, r#"{"claims":"by_approval"}"#);
    assert_eq!(
        (response.status, &response.json()["claims"]),
        (200, &json!("by_approval"))
    );
}

fn ask(browser: &Browser<'_>, kind: &str, note: &str) -> Response {
    browser.post(REQUESTS, &json!({ "kind": kind, "note": note }).to_string())
}

fn decide(operator: &Browser<'_>, id: &Value, state: &str) -> Response {
    let body = json!({ "state": state, "answer": "canary-answer" }).to_string();
    operator.patch(&format!("{ALL}/{}", id.as_str().unwrap()), &body)
}

fn refusal(browser: &Browser<'_>) -> Value {
    browser.get("/api/v1/me").json()["claim"]["refusal"].clone()
}

fn said(response: &Response) -> (u16, String) {
    (response.status, response.code())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn while_approval_is_required_only_approved_members_claim() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let (member, other) = (
        Browser::signed_in(&world, "member"),
        Browser::signed_in(&world, "second"),
    );
    assert_eq!(
        said(&ask(&member, "claim", "")),
        is(409, "nothing_to_request")
    );
    by_approval(&operator);
    let response = member.claim();
    assert_eq!(said(&response), is(403, "approval_needed"));
    assert_eq!(
        response.json()["detail"],
        "Ask for approval; an administrator decides."
    );
    let before = refusal(&member);
    assert_eq!(
        (&before["code"], &before["request_kind"], &before["request"]),
        (&json!("approval_needed"), &json!("claim"), &Value::Null)
    );

    let made = ask(&member, "claim", "  I teach.\r\nTwenty of us. ");
    assert_eq!(made.status, 201, "{made:?}");
    let request = made.json()["request"].clone();
    assert_eq!(
        (
            &request["kind"],
            &request["state"],
            &request["note"],
            &request["answer"],
            &request["decided_at"]
        ),
        (
            &json!("claim"),
            &json!("open"),
            &json!("I teach.\nTwenty of us."),
            &Value::Null,
            &Value::Null
        )
    );
    // A second request changes nothing.
    let again = ask(&member, "claim", "other words");
    assert_eq!((again.status, &again.json()["request"]), (200, &request));
    assert_eq!(member.get(REQUESTS).json()["requests"], json!([request]));
    assert_eq!(other.get(REQUESTS).json()["requests"], json!([]));
    assert_eq!(refusal(&member)["request"], "open");
    assert_eq!(member.claim().json()["request"], "open");

    let response = decide(&operator, &request["id"], "approved");
    assert_eq!(
        (response.status, &response.json()["request"]["state"]),
        (200, &json!("approved"))
    );
    assert_eq!(
        member.get(REQUESTS).json()["requests"][0]["answer"],
        "canary-answer"
    );
    assert_eq!(
        world.calls("openrouter.keys.create"),
        0,
        "minted only when they claim"
    );
    assert_eq!(refusal(&member), Value::Null);
    assert_eq!(member.claim().status, 201);
    assert_eq!(
        said(&other.claim()),
        is(403, "approval_needed"),
        "one person's permission"
    );
    assert_eq!(
        said(&ask(&member, "claim", "")),
        is(409, "nothing_to_request")
    );

    let response = operator.patch(SETTINGS, r#"{"claims":"open"}"#);
    assert_eq!(response.json()["claims"], "open");
    assert_eq!(other.claim().status, 201);
    assert_eq!(
        world
            .db
            .texts("SELECT before || ' ' || after FROM audit WHERE action = 'claims_switched'"),
        ["open by_approval", "by_approval open"]
    );
    oracle::settled(&world);
}

#[test]
fn a_declined_member_sees_that_and_may_ask_again_three_times_a_day() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    by_approval(&operator);
    for _ in 0..3 {
        let made = ask(&member, "claim", "");
        assert_eq!(
            (made.status, &made.json()["request"]["note"]),
            (201, &Value::Null)
        );
        let response = decide(&operator, &made.json()["request"]["id"], "declined");
        assert_eq!(response.status, 200);
        assert_eq!(refusal(&member)["request"], "declined");
        assert_eq!(
            member.claim().json()["detail"],
            "Your request was declined. You can ask again."
        );
    }
    let response = ask(&member, "claim", "");
    assert_eq!(said(&response), is(429, "requests_used_up"));
    assert_eq!(
        (response.header("retry-after"), &response.json()["retry_at"]),
        ("43200", &json!("2026-11-22T00:00:00Z"))
    );
    world.pass(43_200);
    assert_eq!(ask(&member, "claim", "").status, 201, "a new day");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM allotments"), 0);
    assert_eq!(member.claim().code(), "approval_needed");
}

#[test]
fn an_approved_appeal_waives_the_age_but_not_a_block() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let newcomer = Browser::signed_in(&world, "newcomer");
    let response = newcomer.claim();
    assert_eq!(
        (
            said(&response),
            &response.json()["request_kind"],
            &response.json()["request"]
        ),
        (is(403, "account_too_young"), &json!("appeal"), &Value::Null)
    );
    // No other kind of request is accepted, and none from a member whom no rule refuses.
    assert_eq!(
        said(&ask(&newcomer, "claim", "")),
        is(409, "nothing_to_request")
    );
    let member = Browser::signed_in(&world, "member");
    assert_eq!(
        said(&ask(&member, "appeal", "")),
        is(409, "nothing_to_request")
    );

    let made = ask(&newcomer, "appeal", "My old account was taken from me.");
    assert_eq!(made.status, 201);
    assert_eq!(refusal(&newcomer)["request"], "open");
    assert_eq!(
        decide(&operator, &made.json()["request"]["id"], "approved").status,
        200
    );
    // This also holds for claims by approval: an approved appeal lets the member in.
    by_approval(&operator);
    assert_eq!(refusal(&newcomer), Value::Null);
    assert_eq!(newcomer.claim().status, 201);
    assert_eq!(
        said(&ask(&newcomer, "appeal", "")),
        is(409, "nothing_to_request")
    );

    let blocked = Browser::signed_in(&world, "second");
    world.block("1000101");
    let response = blocked.claim();
    assert_eq!(
        (said(&response), &response.json()["request_kind"]),
        (is(403, "blocked"), &json!("appeal"))
    );
    let made = ask(&blocked, "appeal", "");
    assert_eq!(made.status, 201);
    let listed = operator.get(ALL).json()["requests"][0].clone();
    assert_eq!(listed["member"]["blocked"], true);
    assert_eq!(
        decide(&operator, &made.json()["request"]["id"], "approved").status,
        200
    );
    assert_eq!(
        said(&blocked.claim()),
        is(403, "blocked"),
        "a block is lifted by itself"
    );
    world.unblock();
    assert_eq!(blocked.claim().status, 201);
    oracle::settled(&world);
}

#[test]
fn a_permission_to_claim_waives_no_age() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let newcomer = Browser::signed_in(&world, "newcomer");
    by_approval(&operator);
    let made = ask(&newcomer, "claim", "");
    assert_eq!(
        decide(&operator, &made.json()["request"]["id"], "approved").status,
        200
    );
    assert_eq!(said(&newcomer.claim()), is(403, "account_too_young"));
}

#[test]
fn deciding_twice_makes_one_decision() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    by_approval(&operator);
    let id = ask(&member, "claim", "").json()["request"]["id"].clone();
    let first = decide(&operator, &id, "declined").json();
    world.pass(60);
    let again = decide(&operator, &id, "declined");
    assert_eq!((again.status, again.json()), (200, first));
    let response = decide(&operator, &id, "approved");
    assert_eq!(said(&response), is(409, "already_decided"));
    assert_eq!(
        response.json()["detail"],
        "Nothing was changed. The request is already declined."
    );
    assert_eq!(member.claim().code(), "approval_needed");
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM audit WHERE action = 'request_decided'"),
        1
    );
    // An unknown id and a malformed id get the same answer, and no other word is accepted as a decision.
    for id in [
        "ask_000000000000000000000000",
        "ask_1",
        "req_000000000000000000000000",
        "x",
    ] {
        assert_eq!(
            said(&decide(&operator, &json!(id), "approved")),
            is(404, "not_found"),
            "{id}"
        );
    }
    let target = format!("{ALL}/{}", id.as_str().unwrap());
    for body in [
        "{}",
        r#"{"state":"open"}"#,
        r#"{"state":"maybe"}"#,
        r#"{"state":"approved","x":1}"#,
    ] {
        assert_eq!(operator.patch(&target, body).status, 400, "{body}");
    }
    let long = json!({ "state": "declined", "answer": "x".repeat(501) }).to_string();
    assert_eq!(
        said(&operator.patch(&target, &long)),
        is(400, "bad_request")
    );
}

#[test]
fn admins_read_the_requests_page_by_page() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    by_approval(&operator);
    let mut ids = Vec::new();
    for n in 0..53 {
        let person = Browser::signed_in(&world, &format!("load-{n}"));
        ids.push(ask(&person, "claim", "").json()["request"]["id"].clone());
    }
    assert_eq!(decide(&operator, &ids[0], "declined").status, 200);
    let first = operator.get(ALL).json();
    let listed = |page: &Value| -> Vec<Value> {
        page["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|asked| asked["id"].clone())
            .collect()
    };
    assert_eq!(listed(&first), ids[1..51]);
    assert_eq!(first["next"], ids[50]);
    let second = operator
        .get(&format!(
            "{ALL}?state=open&after={}",
            ids[50].as_str().unwrap()
        ))
        .json();
    assert_eq!(
        (listed(&second), &second["next"]),
        (ids[51..].to_vec(), &Value::Null)
    );
    let declined = operator.get(&format!("{ALL}?state=declined")).json();
    assert_eq!(listed(&declined), ids[..1]);
    let who = &declined["requests"][0]["member"];
    assert_eq!(
        (&who["provider"], &who["blocked"]),
        (&json!("github"), &json!(false))
    );
    assert!(who["login"].as_str().is_some_and(|login| !login.is_empty()));
    let unknown = operator.get(&format!("{ALL}?after=ask_000000000000000000000000"));
    assert_eq!(unknown.json(), json!({ "requests": [], "next": null }));
    for query in ["state=all", "after=1", "after=", "state="] {
        assert_eq!(
            said(&operator.get(&format!("{ALL}?{query}"))),
            is(400, "bad_request"),
            "{query}"
        );
    }
}

#[test]
fn the_admins_routes_answer_others_like_an_unknown_one() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    by_approval(&operator);
    let id = ask(&member, "claim", "").json()["request"]["id"].clone();
    let target = format!("{ALL}/{}", id.as_str().unwrap());
    let plain = |response: Response| {
        let mut body = response.json();
        body["instance"] = Value::Null;
        (response.status, body)
    };
    let unknown = plain(member.get("/api/v1/admin/nothing"));
    assert_eq!(unknown.0, 404);
    assert_eq!(plain(member.get(ALL)), unknown);
    assert_eq!(plain(member.get(&target)), unknown);
    assert_eq!(
        plain(member.patch(&target, r#"{"state":"approved"}"#)),
        unknown
    );
    assert_eq!(
        plain(Browser::new(&world).patch(&target, r#"{"state":"approved"}"#)),
        unknown
    );
    assert_eq!(
        refusal(&member)["request"],
        "open",
        "nobody lets themselves in"
    );
}

#[test]
fn what_people_write_is_in_no_audit_row_and_no_log_line() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    by_approval(&operator);
    let made = ask(&member, "claim", "canary-note");
    decide(&operator, &made.json()["request"]["id"], "approved");
    assert_eq!(member.claim().status, 201);
    let dump = world.db.dump();
    assert_eq!(dump.matches("canary-note").count(), 1, "in its row");
    assert_eq!(dump.matches("canary-answer").count(), 1);
    let audit = world.db.texts(
        "SELECT action || '|' || target || '|' || actor || '|' || COALESCE(before, '') || '|' || COALESCE(after, '') FROM audit",
    );
    assert!(!format!("{audit:?}{:?}", world.log.borrow()).contains("canary"));
}

#[test]
fn a_note_has_at_most_five_hundred_characters_however_they_are_written() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    by_approval(&operator);
    for bad in [
        json!({ "kind": "claim", "note": "ü".repeat(501) }),
        json!({ "kind": "claim", "note": 1 }),
        json!({ "kind": "more" }),
        json!({ "note": "x" }),
        json!({ "kind": "claim", "more": 1 }),
        json!([]),
    ] {
        assert_eq!(member.post(REQUESTS, &bad.to_string()).status, 400, "{bad}");
    }
    assert_eq!(world.db.number("SELECT COUNT(*) FROM requests"), 0);
    // Five hundred of the longest characters that JSON can write: a surrogate pair, twelve bytes each.
    let longest = format!(
        r#"{{"kind":"claim","note":"{}"}}"#,
        r"\ud83d\ude00".repeat(500)
    );
    assert_eq!(member.post(REQUESTS, &longest).status, 201);
}

#[test]
fn asking_and_deciding_survive_a_lost_answer() {
    for fate in [Fate::LostBefore, Fate::LostAfter] {
        let world = World::new();
        let operator = Browser::signed_in(&world, "operator");
        let member = Browser::signed_in(&world, "member");
        by_approval(&operator);
        world.effects.plan(&[(0, fate)]);
        let made = ask(&member, "claim", "once");
        assert_eq!(made.status, 201, "{fate:?}: {made:?}");
        // The admin's session is looked up first.
        world.effects.plan(&[(1, fate)]);
        assert_eq!(
            decide(&operator, &made.json()["request"]["id"], "approved").status,
            200,
            "{fate:?}"
        );
        world.effects.plan(&[]);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM requests"), 1);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM allotments"), 1);
        assert_eq!(member.claim().status, 201);
        oracle::settled(&world);
    }
}

#[test]
fn a_session_that_has_ended_makes_no_request_and_no_decision() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    by_approval(&operator);
    let made = ask(&Browser::signed_in(&world, "second"), "claim", "");
    let stale = member.at_fresh_isolate();
    member.post("/api/v1/me/sign-out-everywhere", "{}");
    assert_eq!(ask(&stale, "claim", "").status, 401);
    let member = Browser::signed_in(&world, "member");
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) SELECT 't', public_id, 'sessions_ended', 't', 1 FROM members WHERE owner_id = 2;
         UPDATE members SET status = 'suspended', change_id = 't' WHERE owner_id = 2",
    );
    assert_eq!(ask(&member, "claim", "").code(), "member_suspended");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM requests"), 1);

    // The decision's own statement also requires a current session, because the look-up before it may be out of date.
    let id = made.json()["request"]["id"].as_str().unwrap().to_owned();
    let admin = world
        .db
        .text("SELECT public_id FROM members WHERE owner_id = 1");
    let ended = Session {
        member: PublicId::parse(IdKind::Member, &admin).unwrap(),
        epoch: 7,
    };
    let decision = RequestDecision {
        session: &ended,
        change: PublicId::new(IdKind::Change, [9; 12]),
        request: PublicId::parse(IdKind::Ask, &id).unwrap(),
        state: RequestState::Approved,
        answer: None,
        now: world.now(),
    };
    let before = world.db.dump();
    let response = world.run(requests::decide(&world.db, &decision)).unwrap();
    assert_eq!(response.unwrap_err(), StoreError::SessionEnded);
    assert_eq!(world.db.dump(), before);
}

#[test]
fn a_permission_withdrawn_between_reservation_and_record_delivers_nothing() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    by_approval(&operator);
    let made = ask(&member, "claim", "");
    assert_eq!(
        decide(&operator, &made.json()["request"]["id"], "approved").status,
        200
    );
    world.db.run(
        "CREATE TRIGGER withdrawn AFTER INSERT ON generations BEGIN DELETE FROM allotments; END",
    );
    assert_eq!(member.claim().code(), "claim_superseded");
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}

#[test]
fn a_burst_of_claims_is_limited_to_the_deployments_claims_per_hour() {
    let world = World::new();
    world.set("CLAIMS_PER_HOUR", "3");
    let people: Vec<Browser<'_>> = (0..5)
        .map(|n| Browser::signed_in(&world, &format!("load-{n}")))
        .collect();
    // A claim that made no key does not count.
    world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
    assert_eq!(people[0].claim().code(), "openrouter_refused");
    for person in &people[..3] {
        assert_eq!(person.claim().status, 201);
        world.pass(600);
    }
    let response = people[3].claim();
    assert_eq!(said(&response), is(503, "claims_busy"));
    assert_eq!(
        (response.header("retry-after"), &response.json()["retry_at"]),
        ("1800", &json!("2026-11-21T13:00:00Z"))
    );
    let refused = refusal(&people[3]);
    assert_eq!(
        (&refused["code"], &refused["retry_at"]),
        (&json!("claims_busy"), &json!("2026-11-21T13:00:00Z"))
    );
    assert_eq!(people[0].claim().status, 200, "who has a key sees it");
    assert_eq!(world.calls("openrouter.keys.create"), 4);
    world.pass(1_799);
    assert_eq!(people[3].claim().code(), "claims_busy");
    world.pass(1);
    assert_eq!(people[3].claim().status, 201);
    assert_eq!(
        people[4].claim().code(),
        "claims_busy",
        "the hour moves on claim by claim"
    );
    world.set("CLAIMS_PER_HOUR", "");
    assert_eq!(people[4].at_fresh_isolate().claim().status, 201);
    oracle::settled(&world);
}

#[test]
fn the_database_itself_enforces_the_rules_of_requests() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    by_approval(&operator);
    let id = ask(&member, "claim", "").json()["request"]["id"].clone();
    let audit = |action: &str, before: &str, after: &str| {
        format!(
            "INSERT INTO audit (change_id, target, action, actor, before, after, at)
             SELECT 't', public_id, '{action}', 't', '{before}', '{after}', 1 FROM requests;"
        )
    };
    let refused = |sql: String, word: &str| {
        let before = world.db.dump();
        let sql = format!("BEGIN; {sql}; COMMIT");
        let error = world.db.connection().borrow().execute_batch(&sql);
        let error = error.expect_err(&sql).to_string();
        assert!(error.contains(word), "{sql}: {error}");
        world.db.run("ROLLBACK");
        assert_eq!(world.db.dump(), before, "{sql}");
    };
    let decided = "UPDATE requests SET state = 'approved', decided_at = 1, change_id = 't'";
    let allotted = "INSERT INTO allotments (public_id, provider, subject, kind, since, change_id) VALUES ('alt_t', 'github', '1', 'claim', 1, 't')";
    let second = "INSERT INTO requests (public_id, owner_id, kind, created_at, change_id)
        SELECT 'ask_t', owner_id, kind, 1, 't' FROM requests";
    let asked = "INSERT INTO audit (change_id, target, action, actor, after, at) VALUES ('t', 'ask_t', 'request_made', 't', 'open', 1);";
    for (sql, word) in [
        (second.to_owned(), "unaudited"),
        (format!("{asked}{second}"), "UNIQUE"),
        (
            format!(
                "{asked}{}",
                second
                    .replace("kind, 1", "'appeal', 1")
                    .replace(
                        "created_at, change_id)",
                        "created_at, change_id, state, decided_at)"
                    )
                    .replace("'t' FROM", "'t', 'approved', 1 FROM")
            ),
            "unaudited",
        ),
        (decided.to_owned(), "unaudited"),
        (
            format!("{}{decided}", audit("request_decided", "open", "declined")),
            "unaudited",
        ),
        (
            format!("{}{decided}", audit("request_made", "open", "approved")),
            "unaudited",
        ),
        (allotted.to_owned(), "unaudited"),
        (
            format!("{}{allotted}", audit("request_decided", "open", "declined")),
            "unaudited",
        ),
        (
            format!("{}{allotted}", audit("request_made", "open", "approved")),
            "unaudited",
        ),
    ] {
        refused(sql, word);
    }
    assert_eq!(decide(&operator, &id, "declined").status, 200);
    let again = audit("request_decided", "declined", "approved");
    refused(format!("{again}{decided}"), "unaudited");
}

#[test]
fn the_overview_of_a_member_is_all_of_their_answers_in_one_round_trip() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let seen = || {
        world.effects.plan(&[]);
        let overview = member.get("/api/v1/me/overview");
        assert_eq!((overview.status, world.effects.count()), (200, 1));
        let mut expected = json!({ "me": member.get("/api/v1/me").json() });
        for part in [
            "/api/v1/keys",
            REQUESTS,
            "/api/v1/projects",
            "/api/v1/notices",
        ] {
            for (name, value) in member.get(part).json().as_object().unwrap() {
                expected[name] = value.clone();
            }
        }
        assert_eq!(overview.json(), expected);
        let lengths = ["keys", "requests"].map(|list| expected[list].as_array().unwrap().len());
        (expected["me"]["claim"]["open"].clone(), lengths)
    };
    assert_eq!(seen(), (json!(true), [0, 0]));
    by_approval(&operator);
    let asked = ask(&member, "claim", "For a course.").json();
    assert_eq!(seen(), (json!(false), [0, 1]));
    assert_eq!(
        decide(&operator, &asked["request"]["id"], "approved").status,
        200
    );
    assert_eq!(member.claim().status, 201);
    assert!(world.sweep());
    let (_, lengths) = seen();
    assert_eq!(lengths, [1, 1]);
}
