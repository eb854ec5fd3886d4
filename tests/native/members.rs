//! Members as admins manage them: the list, suspensions and bans, and the list of blocks.

use serde_json::{Value, json};

use crate::support::browser::Response;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const MEMBERS: &str = "/api/v1/admin/members";
const BLOCKS: &str = "/api/v1/admin/blocks";

fn said(response: &Response) -> (u16, String) {
    (response.status, response.code())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn sweeps(world: &World, n: usize) {
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
}

fn logins(response: &Response) -> Vec<String> {
    assert_eq!(response.status, 200, "{response:?}");
    let members = response.json()["members"].as_array().unwrap().clone();
    members
        .iter()
        .map(|m| m["login"].as_str().unwrap_or("").to_owned())
        .collect()
}

/// Makes a member with a key that has spent something.
fn holder(world: &World) -> Browser<'_> {
    let member = Browser::signed_in(world, "member");
    assert_eq!(member.claim().status, 201);
    let now = world.now_ms.get();
    let hash = world.usable()[0].hash.clone();
    let mut sandbox = world.sandbox.borrow_mut();
    assert!(sandbox.book_usage(&hash, sandbox::Usd::from_dollars(2.0), now));
    drop(sandbox);
    member
}

#[test]
fn a_suspension_or_a_ban_ends_sessions_and_keys_at_once_and_refuses_claims_until_it_is_lifted() {
    for (status, code) in [
        ("suspended", "member_suspended"),
        ("banned", "member_banned"),
    ] {
        let world = World::new();
        let (member, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
        for _ in 0..2 {
            let response = operator.set_status("member", status);
            assert_eq!(response.status, 200, "{response:?}");
            let member = &response.json()["member"];
            assert_eq!(
                (
                    &member["status"],
                    &member["keys_live"],
                    &member["keys"][0]["state"],
                    &member["blocked"]
                ),
                (
                    &json!(status),
                    &json!(0),
                    &json!("revoked"),
                    &json!(status == "banned")
                )
            );
        }
        assert_eq!(world.usable().len(), 0, "at once");
        oracle::settled(&world);
        let said_so = format!("SELECT COUNT(*) FROM audit WHERE action = '{code}'");
        assert_eq!(world.db.number(&said_so), 1, "twice is once");
        let cookies = member.cookies.borrow().clone();
        assert_eq!(
            said(&member.get("/api/v1/me")),
            is(403, code),
            "every route asks for the standing"
        );
        let member = Browser::with(&world, &cookies);
        assert_eq!(said(&member.claim()), is(403, code));
        assert_eq!(
            said(&Browser::with(&world, &cookies).get("/api/v1/keys")),
            is(403, code)
        );
        let again = Browser::new(&world).sign_in("member");
        assert_eq!(again.header("location"), "/?auth_error=blocked");
        let audit = world.db.texts(
            "SELECT action || ' ' || (actor = (SELECT public_id FROM members WHERE login = 'operator')) FROM audit
             WHERE change_id = (SELECT change_id FROM audit WHERE action IN ('member_suspended', 'member_banned')) ORDER BY id",
        );
        let wanted =
            [code, "blocked", "key_ended", "revoke_asked"].map(|action| format!("{action} 1"));
        let wanted: Vec<_> = wanted
            .into_iter()
            .filter(|row| status == "banned" || !row.starts_with("blocked"))
            .collect();
        assert_eq!(audit, wanted);

        assert_eq!(operator.set_status("member", "active").status, 200);
        assert_eq!(
            world.db.number("SELECT COUNT(*) FROM blocks"),
            0,
            "with its block"
        );
        assert_eq!(
            said(&Browser::with(&world, &cookies).get("/api/v1/me")),
            is(401, "sign_in_required"),
            "old sessions stay ended"
        );
        let member = Browser::signed_in(&world, "member");
        assert_eq!(member.get("/api/v1/keys").json()["keys"], json!([]));
        let claimed = member.claim();
        assert_eq!(
            (claimed.status, &claimed.json()["key"]["limit_usd"]),
            (201, &json!("3.00")),
            "what the dead one spent counts"
        );
        sweeps(&world, 2);
        assert_eq!(
            world.states(),
            ["revoked", "active"],
            "the old one stays dead"
        );
        oracle::settled(&world);
    }
}

#[test]
fn a_reinstated_member_cannot_bring_an_old_key_back() {
    let world = World::new();
    let (member, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
    let key = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    operator.set_status("member", "suspended");
    operator.set_status("member", "active");
    let member = Browser::signed_in(&world, "member");
    let target = format!("/api/v1/keys/{}", key.as_str().unwrap());
    let before = world.calls("openrouter.keys.update");
    assert_eq!(
        said(&member.patch(&target, r#"{"disabled":false}"#)),
        is(409, "key_ended")
    );
    assert_eq!(world.calls("openrouter.keys.update"), before);
    let ended =
        "UPDATE keys SET ended_at = NULL, change_id = (SELECT change_id FROM audit LIMIT 1)";
    assert!(world.db.connection().borrow().execute_batch(ended).is_err());
}

#[test]
fn a_claim_under_way_when_its_member_is_suspended_delivers_nothing() {
    for status in ["suspended", "banned", "left"] {
        for fate in [Fate::HeldBefore, Fate::HeldAfter] {
            let world = World::new();
            let (member, operator) = (
                Browser::signed_in(&world, "member"),
                Browser::signed_in(&world, "operator"),
            );
            world.effects.plan(&[(1, fate)]);
            let claim = member.start_claim();
            world.effects.plan(&[]);
            let response = match status {
                "left" => member.leave("member"),
                _ => operator.set_status("member", status),
            };
            assert!(response.status < 300, "{response:?}");
            let response = claim.release();
            assert!(
                response.status >= 400 && response.secret().is_none(),
                "{response:?}"
            );
            sweeps(&world, 2);
            assert_eq!(world.usable().len(), 0, "{status} {fate:?}");
            oracle::settled(&world);
        }
    }
}

#[test]
fn a_removal_without_an_answer_is_left_to_the_sweep_and_keeps_its_place_until_then() {
    let world = World::new();
    let (_, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
    world.add_fault(
        "openrouter.keys.update",
        "error_before",
        json!({ "times": 0 }),
    );
    let body = operator.set_status("member", "banned").json();
    assert_eq!(body["member"]["keys"][0]["state"], "revoking");
    assert_eq!(body["member"]["keys_live"], 1);
    operator.set_status("member", "active");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(said(&member.claim()), is(409, "key_being_removed"));
    world.sandbox.borrow_mut().clear_faults();
    sweeps(&world, 2);
    assert_eq!(world.usable().len(), 0);
    oracle::settled(&world);
}

#[test]
fn a_ban_whose_answers_are_lost_is_one_ban() {
    for fate in [Fate::LostBefore, Fate::LostAfter, Fate::Late] {
        let world = World::new();
        let (_, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
        world.effects.plan(&[(1, fate)]);
        let response = operator.set_status("member", "banned");
        world.effects.plan(&[]);
        assert_eq!(response.status, 200, "{fate:?} {response:?}");
        assert_eq!(
            world
                .db
                .number("SELECT epoch FROM members WHERE login = 'member'"),
            1
        );
        operator.set_status("member", "active");
        world.effects.land();
        assert_eq!(
            world.db.text("SELECT status || ' ' || (SELECT COUNT(*) FROM blocks) FROM members WHERE login = 'member'"),
            "active 0",
            "{fate:?}: what lands late changes nothing back"
        );
        oracle::always(&world);
    }
}

#[test]
fn an_admin_named_in_the_configuration_cannot_be_suspended_and_the_answer_says_so() {
    let world = World::new();
    world.set("ADMIN_GITHUB_USER_IDS", "1000001,1000101");
    let (operator, second) = (
        Browser::signed_in(&world, "operator"),
        Browser::signed_in(&world, "second"),
    );
    for (by, whom) in [
        (&operator, "operator"),
        (&operator, "second"),
        (&second, "operator"),
    ] {
        for status in ["suspended", "banned"] {
            assert_eq!(
                said(&by.set_status(whom, status)),
                is(409, "member_is_admin")
            );
        }
    }
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM members WHERE status <> 'active'"),
        0
    );
    // Once off the list of admins they are ordinary members; once on it again, they can be let in again.
    world.set("ADMIN_GITHUB_USER_IDS", "1000001");
    assert_eq!(
        operator
            .at_fresh_isolate()
            .set_status("second", "banned")
            .status,
        200
    );
    assert_eq!(second.at_fresh_isolate().get(MEMBERS).status, 404);
    world.set("ADMIN_GITHUB_USER_IDS", "1000001,1000101");
    assert_eq!(
        operator
            .at_fresh_isolate()
            .set_status("second", "active")
            .status,
        200
    );
}

#[test]
fn a_former_admin_changes_nothing() {
    let world = World::new();
    let (_, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
    let id = world.member("member");
    let before = world.db.dump();
    let second = Browser::signed_in(&world, "second");
    let now = world.db.dump();
    assert_ne!(before, now);
    for response in [
        second.set_status("member", "banned"),
        second.post(&format!("{MEMBERS}/{id}/sign-out"), "{}"),
        second.post(BLOCKS, r#"{"provider":"github","subject":"1000100"}"#),
        second.get(MEMBERS),
        second.get(BLOCKS),
    ] {
        assert_eq!(said(&response), is(404, "not_found"));
    }
    assert_eq!(world.db.dump(), now);
    // The session ends between the pipeline's look at it and the change itself.
    for (method, target, body) in [
        ("PATCH", format!("{MEMBERS}/{id}"), r#"{"status":"banned"}"#),
        ("POST", format!("{MEMBERS}/{id}/sign-out"), "{}"),
        (
            "POST",
            BLOCKS.to_owned(),
            r#"{"provider":"github","subject":"1000100"}"#,
        ),
        (
            "DELETE",
            BLOCKS.to_owned(),
            r#"{"provider":"github","subject":"9"}"#,
        ),
    ] {
        let world = world.copied();
        world.block("9");
        let operator = Browser::with(&world, &operator.cookies.borrow());
        world.effects.plan(&[(0, Fate::HeldAfter)]);
        let held = operator.start(method, &target, body);
        world.effects.plan(&[]);
        assert_eq!(
            operator.post("/api/v1/me/sign-out-everywhere", "{}").status,
            204
        );
        let before = world.db.dump();
        let response = held.release();
        assert!(
            [401, 404].contains(&response.status),
            "{method} {target}: {response:?}"
        );
        assert_eq!(world.db.dump(), before, "{method} {target}");
    }
}

#[test]
fn an_admin_ends_a_members_sessions_and_nothing_else() {
    let world = World::new();
    let (member, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
    let other = Browser::signed_in(&world, "second");
    let id = world.member("member");
    assert_eq!(
        operator
            .post(&format!("{MEMBERS}/{id}/sign-out"), "{}")
            .status,
        204
    );
    assert_eq!(said(&member.get("/api/v1/me")), is(401, "sign_in_required"));
    assert_eq!(
        (other.get("/api/v1/me").status, operator.get(MEMBERS).status),
        (200, 200)
    );
    assert_eq!(world.usable().len(), 1);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["state"],
        "active"
    );
    for unknown in [
        "mem_000000000000000000000000",
        "key_000000000000000000000000",
        "1",
        "%27",
    ] {
        assert_eq!(
            said(&operator.post(&format!("{MEMBERS}/{unknown}/sign-out"), "{}")),
            is(404, "not_found")
        );
        assert_eq!(
            said(&operator.patch(&format!("{MEMBERS}/{unknown}"), r#"{"status":"banned"}"#)),
            is(404, "not_found")
        );
        assert_eq!(
            said(&operator.get(&format!("{MEMBERS}/{unknown}"))),
            is(404, "not_found")
        );
    }
    for body in [
        "{}",
        r#"{"status":"left"}"#,
        r#"{"status":"Active"}"#,
        r#"{"status":"banned","note":1}"#,
    ] {
        assert_eq!(
            said(&operator.patch(&format!("{MEMBERS}/{id}"), body)),
            is(400, "malformed_json"),
            "{body}"
        );
    }
}

#[test]
fn the_list_has_pages_by_the_beginning_of_the_login_by_status_and_by_id() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    holder(&world);
    for n in 0..60 {
        Browser::signed_in(&world, &format!("load-{n}"));
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    let mut pages = Vec::new();
    loop {
        let response = operator.get(&format!("{MEMBERS}?{after}"));
        let page = logins(&response);
        pages.push(page.len());
        seen.extend(page);
        let Some(next) = response.json()["next"].as_str().map(str::to_owned) else {
            break;
        };
        after = format!("after={next}");
    }
    assert_eq!((pages, seen.len()), (vec![50, 12], 62));
    assert_eq!(
        (seen[0].as_str(), seen[61].as_str()),
        ("load-59", "operator"),
        "newest first"
    );

    let found = |query: &str| logins(&operator.get(&format!("{MEMBERS}?{query}")));
    assert_eq!(found("login=MEM"), ["member"]);
    assert_eq!(found("login=load-1").len(), 11);
    assert_eq!(found("login=load-5&status=suspended").len(), 0);
    assert_eq!(operator.set_status("load-5", "suspended").status, 200);
    assert_eq!(found("login=load-5&status=suspended"), ["load-5"]);
    assert_eq!(found("status=suspended"), ["load-5"]);
    assert_eq!(found("status=banned").len(), 0);
    for literal in [
        "%25", "_", "load_1", "*", "%", "load-%25", "%27", "[a-z]", "?",
    ] {
        assert_eq!(
            found(&format!("login={literal}")).len(),
            0,
            "{literal}: no wildcard"
        );
    }
    let first = operator.get(&format!("{MEMBERS}?login=load"));
    assert_eq!(logins(&first).len(), 50);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let rest = found(&format!("login=load&after={next}"));
    assert_eq!(rest.len(), 10);
    assert!(!rest.iter().any(|login| logins(&first).contains(login)));

    let id = world.member("member");
    assert_eq!(found(&format!("id={id}")), ["member"]);
    assert_eq!(found("id=1000100"), ["member"]);
    assert_eq!(found("id=100010").len(), 0);
    assert_eq!(found(&format!("id={id}&status=left")).len(), 0);
    let member = operator.get(&format!("{MEMBERS}?id={id}")).json()["members"][0].clone();
    assert_eq!(
        member,
        json!({ "id": id, "provider": "github", "subject": "1000100", "login": "member", "login_passed_on_at": null, "status": "active", "plan": "default",
            "blocked": false, "keys_live": 1, "created_at": "2026-11-21T12:00:00Z", "signed_in_at": "2026-11-21T12:00:00Z" })
    );
    let one = operator.get(&format!("{MEMBERS}/{id}")).json()["member"].clone();
    let mut key = one["keys"][0].clone();
    assert_eq!(one["keys"].as_array().unwrap().len(), 1);
    key.as_object_mut()
        .unwrap()
        .retain(|name, _| ["state", "holds", "ended_at"].contains(&name.as_str()));
    assert_eq!(
        key,
        json!({ "state": "active", "holds": [], "ended_at": null })
    );
    for wrong in [
        "status=gone",
        "after=1",
        "after=key_000000000000000000000000",
    ] {
        assert_eq!(
            said(&operator.get(&format!("{MEMBERS}?{wrong}"))),
            is(400, "bad_request"),
            "{wrong}"
        );
    }
}

fn block(operator: &Browser<'_>, body: &Value) -> (u16, Value) {
    let response = operator.post(BLOCKS, &body.to_string());
    (response.status, response.json())
}

fn lift(operator: &Browser<'_>, subject: &str) -> u16 {
    let headers = [
        ("origin", crate::support::world::ORIGIN),
        ("content-type", "application/json"),
    ];
    let body = json!({ "provider": "github", "subject": subject }).to_string();
    operator
        .send(
            "DELETE",
            BLOCKS,
            &headers,
            keycap::http::server::message::Body::Bytes(body.into()),
        )
        .status
}

#[test]
fn people_are_blocked_before_they_ever_sign_in_and_an_existing_key_goes_on_working() {
    let world = World::new();
    let (member, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
    let people =
        json!({ "provider": "github", "subjects": ["1000100", "1000101", "1000101", "77"] });
    assert_eq!(block(&operator, &people), (200, json!({ "added": 3 })));
    let one = json!({ "provider": "github", "subject": "77" });
    assert_eq!(
        block(&operator, &one),
        (200, json!({ "added": 0 })),
        "twice is once"
    );
    assert_eq!(
        said(&Browser::signed_in(&world, "second").claim()),
        is(403, "blocked")
    );
    let member_key = member.get("/api/v1/keys").json()["keys"][0]["state"].clone();
    assert_eq!(
        (member_key, world.usable().len()),
        (json!("active"), 1),
        "only claims are refused"
    );
    let listed = operator.get(BLOCKS).json();
    let response: Vec<_> = listed["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| (b["subject"].clone(), b["login"].clone()))
        .collect();
    assert_eq!(
        response,
        [
            (json!("1000100"), json!("member")),
            (json!("1000101"), json!("second")),
            (json!("77"), Value::Null)
        ]
    );
    for _ in 0..2 {
        assert_eq!(lift(&operator, "1000101"), 204);
    }
    assert_eq!(Browser::signed_in(&world, "second").claim().status, 201);
    let audit = world.db.texts(
        "SELECT action || ' ' || COALESCE(before, '') || COALESCE(after, '') FROM audit WHERE target GLOB 'blk_*' ORDER BY id",
    );
    assert_eq!(audit.len(), 4, "once each");
    assert!(!audit.join(" ").contains("1000"), "by ids alone: {audit:?}");
    oracle::settled(&world);
}

#[test]
fn many_are_blocked_in_one_request_and_listed_by_pages() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let many = |n: usize| json!({ "provider": "github", "subjects": (0..n).map(|n| (2_000_000_000 + n).to_string()).collect::<Vec<_>>() });
    assert_eq!(block(&operator, &many(501)).0, 400);
    assert_eq!(block(&operator, &many(0)).0, 400);
    assert_eq!(block(&operator, &many(500)), (200, json!({ "added": 500 })));
    let mut seen = 0;
    let mut after = String::new();
    loop {
        let page = operator.get(&format!("{BLOCKS}?{after}")).json();
        seen += page["blocks"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str().map(str::to_owned) else {
            break;
        };
        after = format!("after={next}");
    }
    assert_eq!(seen, 500);
    for wrong in [
        json!({ "provider": "github", "subject": "member" }),
        json!({ "provider": "github", "subject": "" }),
        json!({ "provider": "github", "subject": "01" }),
        json!({ "provider": "github", "subject": "left:77" }),
        json!({ "provider": "gitlab", "subject": "1" }),
        json!({ "provider": "github" }),
        json!({ "provider": "github", "subject": "1", "subjects": ["2"] }),
        json!({ "subject": "1" }),
        json!({ "provider": "github", "subjects": ["2", "x"] }),
    ] {
        assert_eq!(block(&operator, &wrong).0, 400, "{wrong}");
    }
    assert_eq!(world.db.number("SELECT COUNT(*) FROM blocks"), 500);
}

#[test]
fn lifting_a_ban_neither_lifts_a_separate_block_nor_restores_a_lifted_one() {
    let world = World::new();
    let (_, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
    let own = json!({ "provider": "github", "subject": "1000100" });
    block(&operator, &own);
    operator.set_status("member", "banned");
    operator.set_status("member", "active");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM blocks"), 1);
    assert_eq!(
        said(&Browser::signed_in(&world, "member").claim()),
        is(403, "blocked")
    );
    lift(&operator, "1000100");
    // When a ban becomes a suspension, the block of the ban is lifted too.
    operator.set_status("member", "banned");
    operator.set_status("member", "suspended");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM blocks"), 0);
    assert_eq!(
        Browser::new(&world).sign_in("member").header("location"),
        "/?auth_error=blocked"
    );
    // A block whose answer was lost does not come back after it was lifted.
    world.effects.plan(&[(1, Fate::Late)]);
    assert_eq!(block(&operator, &own).0, 200);
    world.effects.plan(&[]);
    lift(&operator, "1000100");
    world.effects.land();
    assert_eq!(world.db.number("SELECT COUNT(*) FROM blocks"), 0);
}

#[test]
fn a_reinstated_member_claims_anew_whatever_hold_an_ended_key_has() {
    let world = World::new();
    let (member, operator) = (holder(&world), Browser::signed_in(&world, "operator"));
    let key = member.get("/api/v1/keys").json()["keys"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let off = r#"{"disabled":true}"#;
    assert_eq!(
        operator.patch(&format!("/api/v1/keys/{key}"), off).status,
        200
    );
    assert_eq!(operator.set_status("member", "suspended").status, 200);
    assert_eq!(operator.set_status("member", "active").status, 200);
    sweeps(&world, 2);
    assert_eq!(Browser::signed_in(&world, "member").claim().status, 201);
    oracle::settled(&world);
}

#[test]
fn a_page_of_members_begins_where_it_begins_whatever_the_filters_are() {
    let world = World::new();
    let connection = world.db.connection().borrow();
    let pages: Vec<_> = keycap::store::statements()
        .into_iter()
        .filter(|sql| sql.short_name().starts_with("roster::") && sql.text.contains("LIMIT"))
        .filter(|sql| sql.short_name() != "roster::ONE")
        .collect();
    let names: Vec<&str> = pages.iter().map(|sql| sql.short_name()).collect();
    assert_eq!(
        names,
        [
            "roster::ALL",
            "roster::OF_STATUS",
            "roster::BY_LOGIN",
            "roster::BY_LOGIN_OF_STATUS"
        ],
        "every combination of filters has a statement of its own"
    );
    for sql in pages {
        let mut explain = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text))
            .unwrap();
        let values = (1..=explain.parameter_count()).map(|_| rusqlite::types::Null);
        let steps: Vec<String> = explain
            .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let of_members = steps.iter().find(|step| step.starts_with("SEARCH m "));
        let ranged = of_members.is_some_and(|step| step.contains("<?"));
        assert!(ranged, "{}: {steps:?}", sql.short_name());
        assert!(
            !steps
                .iter()
                .any(|step| step.contains("TEMP B-TREE FOR ORDER BY")),
            "{}: {steps:?}",
            sql.short_name()
        );
    }
}
