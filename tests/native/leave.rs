//! People who leave, what is stored about them afterwards, and what happens when they come back.

use serde_json::{Value, json};

use crate::support::browser::Response;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

fn said(response: &Response) -> (u16, String) {
    (response.status, response.code())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn spends(world: &World, dollars: f64) {
    let now = world.now_ms.get();
    let hash = world.usable()[0].hash.clone();
    let mut sandbox = world.sandbox.borrow_mut();
    assert!(sandbox.book_usage(&hash, sandbox::Usd::from_dollars(dollars), now));
}

/// Makes a member with a named key that has spent something, a request and an allotment.
fn settled_in(world: &World) -> Browser<'_> {
    let operator = Browser::signed_in(world, "operator");
    let member = Browser::signed_in(world, "member");
    operator.patch("/api/v1/admin/settings", r#"{"claims":"by_approval"}"#);
    let asked = member.post(
        "/api/v1/requests",
        r#"{"kind":"claim","note":"canary-note"}"#,
    );
    let id = asked.json()["request"]["id"].clone();
    let target = format!("/api/v1/admin/requests/{}", id.as_str().unwrap());
    let response = operator.patch(&target, r#"{"state":"approved","answer":"canary-answer"}"#);
    assert_eq!(response.status, 200);
    let key = member.claim().json()["key"]["id"].clone();
    let named = member.patch(
        &format!("/api/v1/keys/{}", key.as_str().unwrap()),
        r#"{"name":"canary-name"}"#,
    );
    assert_eq!(named.status, 200);
    operator.patch("/api/v1/admin/settings", r#"{"claims":"open"}"#);
    spends(world, 2.0);
    member
}

#[test]
fn a_member_who_leaves_has_no_session_no_key_and_no_name_any_more() {
    let world = World::new();
    let member = settled_in(&world);
    let cookies = member.cookies.borrow().clone();
    let mask = world.db.text("SELECT label FROM generations");
    let response = member.leave("member");
    assert_eq!((response.status, response.body.as_str()), (204, ""));
    assert!(
        response.header("set-cookie").contains("Max-Age=0"),
        "{response:?}"
    );
    assert_eq!(world.usable().len(), 0, "at once");
    let stranger = Browser::with(&world, &cookies).get("/api/v1/me");
    assert_eq!(said(&stranger), is(403, "member_not_active"));
    let stranger = Browser::with(&world, &cookies).claim();
    assert_eq!(said(&stranger), is(403, "member_not_active"));
    for word in [
        "1000100",
        "canary-note",
        "canary-answer",
        "canary-name",
        mask.as_str(),
    ] {
        assert!(!world.db.dump().contains(word), "{word} is left");
    }
    let owners = world.db.texts("SELECT kind FROM owners");
    let said_member = world.db.dump().matches("'member'").count();
    assert_eq!(said_member, owners.len(), "the login is left");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM allotments"), 0);
    let operator = Browser::signed_in(&world, "operator");
    let listed = operator.get("/api/v1/admin/members?status=left").json()["members"][0].clone();
    assert_eq!(
        (&listed["login"], &listed["subject"], &listed["keys_live"]),
        (&Value::Null, &Value::Null, &json!(0))
    );
    assert_eq!(
        said(&operator.set_status("", "active")),
        is(409, "member_left")
    );
    assert_eq!(
        said(&operator.set_status("", "banned")),
        is(409, "member_left")
    );
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    oracle::settled(&world);
}

#[test]
fn a_member_who_comes_back_is_the_same_owner_with_the_same_spend() {
    let world = World::new();
    let member = settled_in(&world);
    let id = world.member("member");
    let cookies = member.cookies.borrow().clone();
    assert_eq!(member.leave("member").status, 204);
    world.pass(3_600);
    // A new secret before the old one in the list hides nobody.
    world.set(
        "AUTH_SESSION_SECRET",
        "native-session-secret-the-next-one-0001,native-session-secret-not-for-production",
    );
    let member = Browser::signed_in(&world, "member");
    let me = member.get("/api/v1/me").json();
    assert_eq!(
        (&me["member"]["id"], &me["member"]["login"]),
        (&json!(id), &json!("member"))
    );
    assert_eq!(
        me["terms"]["accepted_at"],
        Value::Null,
        "what was accepted is asked again"
    );
    assert_eq!(member.get("/api/v1/keys").json()["keys"], json!([]));
    let before = Browser::with(&world, &cookies).get("/api/v1/me");
    assert_eq!(
        said(&before),
        is(401, "sign_in_required"),
        "old sessions stay ended"
    );
    assert_eq!(
        world.db.number("SELECT COUNT(*) FROM owners"),
        2,
        "the same owner"
    );
    let claimed = member.claim();
    assert_eq!(
        (claimed.status, &claimed.json()["key"]["limit_usd"]),
        (201, &json!("3.00")),
        "leaving resets nothing"
    );
    let audit = world.db.texts(&format!(
        "SELECT action || ' ' || COALESCE(before, '') || ' ' || COALESCE(after, '') FROM audit WHERE target = '{id}' ORDER BY id DESC LIMIT 3"
    ));
    assert_eq!(
        audit,
        [
            "terms_accepted 0 1",
            "member_returned left active",
            "member_left active left"
        ]
    );
    oracle::settled(&world);
    // Leaving a second time works the same way.
    assert_eq!(member.leave("member").status, 204);
    let again = Browser::signed_in(&world, "member");
    assert_eq!(again.get("/api/v1/me").json()["member"]["id"], id);
    assert_eq!(said(&again.leave("second")), is(400, "bad_request"));
}

#[test]
fn only_the_person_who_left_is_recognised_as_returning() {
    let world = World::new();
    let member = settled_in(&world);
    let id = world.member("member");
    assert_eq!(member.leave("member").status, 204);
    let second = Browser::signed_in(&world, "second")
        .get("/api/v1/me")
        .json();
    assert_ne!(second["member"]["id"], id);
    // Without any secret that was in use when they left, they become a new member.
    world.set(
        "AUTH_SESSION_SECRET",
        "native-session-secret-the-next-one-0001",
    );
    let member = Browser::signed_in(&world, "member");
    assert_ne!(member.get("/api/v1/me").json()["member"]["id"], id);
    // After that, the old secret does not bring the old row back over the new one.
    world.set(
        "AUTH_SESSION_SECRET",
        "native-session-secret-the-next-one-0001,native-session-secret-not-for-production",
    );
    let now = Browser::signed_in(&world, "member")
        .get("/api/v1/me")
        .json();
    assert_eq!(
        now["member"]["id"],
        member.get("/api/v1/me").json()["member"]["id"]
    );
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM members WHERE status = 'left'"),
        1
    );
}

#[test]
fn leaving_lifts_no_ban_and_no_block() {
    for status in ["suspended", "banned"] {
        let world = World::new();
        let (member, operator) = (settled_in(&world), Browser::signed_in(&world, "operator"));
        let cookies = member.cookies.borrow().clone();
        operator.set_status("member", status);
        let response = Browser::with(&world, &cookies).leave("member");
        assert_eq!(said(&response), is(403, &format!("member_{status}")));
        assert_eq!(
            world
                .db
                .text("SELECT status FROM members WHERE login = 'member'"),
            status
        );
    }
    let world = World::new();
    let (member, operator) = (settled_in(&world), Browser::signed_in(&world, "operator"));
    let body = r#"{"provider":"github","subject":"1000100"}"#;
    assert_eq!(operator.post("/api/v1/admin/blocks", body).status, 200);
    assert_eq!(
        member.leave("member").status,
        204,
        "who is blocked may have their data erased"
    );
    let member = Browser::signed_in(&world, "member");
    assert_eq!(
        said(&member.claim()),
        is(403, "blocked"),
        "and is blocked as before"
    );
}

#[test]
fn leaving_requires_the_members_own_login_and_a_current_session() {
    let world = World::new();
    let member = settled_in(&world);
    let before = world.db.dump();
    for login in ["", "Member", "second", "member "] {
        assert_eq!(
            said(&member.leave(login)),
            is(400, "bad_request"),
            "{login:?}"
        );
    }
    for body in [
        "{}",
        r#"{"confirm":true}"#,
        r#"{"confirm":"member","keys":1}"#,
    ] {
        let headers = [
            ("origin", crate::support::world::ORIGIN),
            ("content-type", "application/json"),
        ];
        let response = member.send(
            "DELETE",
            "/api/v1/me",
            &headers,
            keycap::http::server::message::Body::Bytes(body.into()),
        );
        assert_eq!(said(&response), is(400, "malformed_json"), "{body}");
    }
    assert_eq!(world.db.dump(), before);
    // The member's sessions end between the look and the change.
    world.effects.plan(&[(0, Fate::HeldAfter)]);
    let held = member.start("DELETE", "/api/v1/me", r#"{"confirm":"member"}"#);
    world.effects.plan(&[]);
    assert_eq!(
        member.post("/api/v1/me/sign-out-everywhere", "{}").status,
        204
    );
    assert_eq!(said(&held.release()), is(401, "sign_in_required"));
    assert_eq!(world.usable().len(), 1);
}

#[test]
fn leaving_and_returning_happen_once_each_despite_lost_answers() {
    for fate in [Fate::LostBefore, Fate::LostAfter, Fate::Late] {
        let world = World::new();
        let member = settled_in(&world);
        let id = world.member("member");
        world.effects.plan(&[(1, fate)]);
        assert_eq!(member.leave("member").status, 204, "{fate:?}");
        world.effects.plan(&[]);
        oracle::always(&world);
        let member = Browser::signed_in(&world, "member");
        // A batch that lands now finds a member who has come back.
        world.effects.land();
        assert_eq!(
            member.get("/api/v1/me").json()["member"]["id"],
            id,
            "{fate:?}"
        );
        assert_eq!(
            world.db.number(&format!(
                "SELECT COUNT(*) FROM audit WHERE target = '{id}' AND action = 'member_left'"
            )),
            1
        );
        assert_eq!(member.leave("member").status, 204);
        // When they come back, GitHub is asked three times, and then the batch is sent.
        let browser = Browser::new(&world);
        let started = browser.get("/auth/github?next=keys");
        let callback = browser.approve(started.header("location"), "member");
        world.effects.plan(&[(3, fate)]);
        let response = browser.get(&callback);
        assert_eq!(response.header("location"), "/keys", "{fate:?}");
        world.effects.plan(&[]);
        assert_eq!(browser.leave("member").status, 204, "{fate:?}");
        world.effects.land();
        assert_eq!(
            world.db.text("SELECT status FROM members WHERE login = ''"),
            "left",
            "{fate:?}"
        );
        oracle::always(&world);
    }
}

#[test]
fn open_requests_are_closed_when_their_member_leaves() {
    let world = World::new();
    let (operator, member) = (
        Browser::signed_in(&world, "operator"),
        Browser::signed_in(&world, "member"),
    );
    operator.patch("/api/v1/admin/settings", r#"{"claims":"by_approval"}"#);
    let asked = member.post(
        "/api/v1/requests",
        r#"{"kind":"claim","note":"canary-note"}"#,
    );
    let id = asked.json()["request"]["id"].clone();
    assert_eq!(member.leave("member").status, 204);
    let target = format!("/api/v1/admin/requests/{}", id.as_str().unwrap());
    assert_eq!(
        said(&operator.patch(&target, r#"{"state":"approved"}"#)),
        is(409, "already_decided")
    );
    assert_eq!(world.db.number("SELECT COUNT(*) FROM allotments"), 0);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(said(&member.claim()), is(403, "approval_needed"));
    assert_eq!(
        member
            .post("/api/v1/requests", r#"{"kind":"claim"}"#)
            .status,
        201,
        "and asks anew"
    );
}

#[test]
fn the_export_has_everything_of_the_members_own_and_nothing_else() {
    let world = World::new();
    let member = settled_in(&world);
    let key = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = key.as_str().unwrap();
    let limit = member.post(&format!("/api/v1/keys/{key}/limit"), r#"{"limit_usd":"4"}"#);
    assert_eq!(limit.status, 200);
    let raise = Browser::signed_in(&world, "operator").post(
        &format!("/api/v1/admin/keys/{key}/raises"),
        r#"{"amount_usd":"1"}"#,
    );
    assert_eq!(raise.status, 201);
    member.delete(&format!("/api/v1/keys/{key}"));
    assert_eq!(member.claim().status, 201);
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('paid', 'somebody', 'payment_booked', 't', 1);
         INSERT INTO payments (payment_id, owner_id, paid_nano, credit_nano, at, change_id)
           SELECT 'canary-payment', owner_id, 2000000000, 1000000000, 1800000000, 'paid' FROM members WHERE login = 'member'",
    );
    Browser::signed_in(&world, "second").claim();
    world.effects.plan(&[]);
    let response = member.get("/api/v1/me/export");
    assert_eq!(world.effects.count(), 1, "one round trip");
    assert_eq!(
        response.header("content-disposition"),
        "attachment; filename=\"keycap-export.json\""
    );
    let own = response.json();
    assert_eq!(
        (&own["member"]["login"], &own["member"]["subject"]),
        (&json!("member"), &json!("1000100"))
    );
    assert_eq!(own["member"]["allotted"], json!(["claim"]));
    assert_eq!(own["keys"].as_array().unwrap().len(), 2);
    let first = &own["keys"][1];
    let of_first = |list: &str| {
        let mut rows = own[list].as_array().unwrap().iter();
        rows.find(|row| row["key"] == first["id"]).unwrap().clone()
    };
    assert_eq!(
        (&first["name"], &of_first("generations")["spent_usd"]),
        (&json!("canary-name"), &json!("2.00"))
    );
    assert_eq!(
        (&first["own_limit_usd"], &of_first("raises")["amount_usd"]),
        (&json!("4.00"), &json!("1.00"))
    );
    assert_eq!(own["next"], json!(null));
    assert_eq!(
        own["payments"],
        json!([{ "id": "canary-payment", "amount_usd": "2.00", "credit_usd": "1.00", "booked_at": "2027-01-15T08:00:00Z" }])
    );
    assert_eq!(
        (&own["requests"][0]["note"], &own["requests"][0]["answer"]),
        (&json!("canary-note"), &json!("canary-answer"))
    );
    let changes: Vec<_> = own["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["action"].as_str().unwrap())
        .collect();
    for action in [
        "member_created",
        "terms_accepted",
        "recorded",
        "key_renamed",
        "key_ended",
        "request_made",
        "request_decided",
    ] {
        assert!(changes.contains(&action), "{action}");
    }
    let decided = own["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["action"] == "request_decided")
        .unwrap();
    assert_eq!(decided["by"], "administrator");
    assert!(
        !response.body.contains(&world.member("operator")) && !response.body.contains("second"),
        "nobody else is in it"
    );
    for column in ["upstream_hash", "secret_sha256", "op_nonce"] {
        for value in world.db.texts(&format!("SELECT {column} FROM generations")) {
            assert!(!response.body.contains(&value), "{column}");
        }
    }
    assert_eq!(
        said(&Browser::new(&world).get("/api/v1/me/export")),
        is(401, "sign_in_required")
    );
}

#[test]
fn stored_answers_that_name_a_member_who_leaves_are_deleted_and_no_others() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let second = Browser::signed_in(&world, "second");
    let [first_id, second_id] = ["member", "second"].map(|login| world.member(login));
    let keyed = |browser: &Browser<'_>, method: &str, target: &str, key: &str, body: String| {
        let headers = [
            ("origin", crate::support::world::ORIGIN),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        let body = keycap::http::server::message::Body::Bytes(body.into_bytes());
        let response = browser.send(method, target, &headers, body);
        assert!(response.status < 300, "{response:?}");
    };
    let plan = r#"{"plan":"pro"}"#;
    for (key, id) in [("about-member", &first_id), ("about-second", &second_id)] {
        let target = format!("/api/v1/admin/members/{id}/plan");
        keyed(&operator, "POST", &target, key, plan.to_owned());
    }
    let permits = r#"{"provider":"github","subject":"1000100","name":"course"}"#;
    keyed(
        &operator,
        "POST",
        "/api/v1/admin/allotments",
        "permits-member",
        permits.to_owned(),
    );
    let claim = r#"{"accept_terms":1}"#;
    for (browser, key) in [(&member, "members-own"), (&second, "seconds-own")] {
        keyed(browser, "POST", "/api/v1/claim", key, claim.to_owned());
    }
    let kept = |key: &str| {
        let key = sandbox::sha256_hex(key.as_bytes());
        world.db.number(&format!(
            "SELECT COUNT(*) FROM idempotency_keys WHERE key_sha256 = '{key}'"
        ))
    };
    let keys = [
        "about-member",
        "permits-member",
        "members-own",
        "about-second",
        "seconds-own",
    ];
    assert_eq!(keys.map(kept), [1; 5]);
    assert_eq!(member.leave("member").status, 204);
    assert_eq!(keys.map(kept), [0, 0, 0, 1, 1]);
    assert!(
        !world
            .db
            .text("SELECT json_group_array(body) FROM idempotency_keys")
            .contains(&first_id)
    );
    let names = "SELECT json_group_array(member) FROM idempotency_names";
    assert_eq!(world.db.text(names), json!([second_id]).to_string());
}
