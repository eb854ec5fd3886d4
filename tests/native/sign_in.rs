//! Signing in, its errors, and the ends of sessions.

use serde_json::json;

use crate::support::{Browser, Fate, World, oracle};

#[test]
fn a_sign_in_uses_pkce_reads_the_public_profile_and_drops_its_token() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github?next=keys");
    assert_eq!(started.status, 302);
    let url = url::Url::parse(started.header("location")).unwrap();
    let query: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(query["scope"], "read:user");
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(
        query["redirect_uri"],
        "http://localhost:8787/auth/github/callback"
    );
    assert_eq!(query["allow_signup"], "false");
    assert!(!query.contains_key("code_verifier"));
    assert_eq!(
        world.db.number("SELECT COUNT(*) FROM used_states"),
        0,
        "starting writes nothing"
    );

    let callback = browser.approve(started.header("location"), "member");
    let back = browser.get(&callback);
    assert_eq!((back.status, back.header("location")), (303, "/keys"));
    let sandbox = world.sandbox.borrow();
    let tokens = &sandbox.ledger().github_tokens;
    assert_eq!(tokens.len(), 1);
    assert!(tokens[0].revoked_at_ms.is_some(), "used once and dropped");
    let rests = world.db.dump() + &world.log.borrow().join("\n");
    assert!(!rests.contains(&tokens[0].access_token), "stored nowhere");
}

#[test]
fn the_person_who_signs_in_is_the_one_that_github_names_whatever_the_address_says() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github");
    let callback = browser.approve(started.header("location"), "member");
    let claims =
        "user_id=1000001&userId=1000001&id=1000001&sub=1000001&login=operator&persona=operator";
    assert_eq!(browser.get(&format!("{callback}&{claims}")).status, 303);
    let me = browser.get("/api/v1/me").json();
    assert_eq!(me["member"]["login"], "member", "{me}");
    assert_eq!(
        world.db.texts("SELECT subject FROM members"),
        ["1000100"],
        "nobody else is there"
    );
}

#[test]
fn an_attempt_that_is_over_is_refused_before_github_is_asked() {
    for (after, response, asked) in [(599, "/keys", 1), (600, "/?auth_error=state", 0)] {
        let world = World::new();
        let browser = Browser::new(&world);
        let started = browser.get("/auth/github");
        let callback = browser.approve(started.header("location"), "member");
        world.pass(after);
        world.effects.plan(&[]);
        assert_eq!(browser.get(&callback).header("location"), response);
        assert_eq!(world.calls("github.token"), asked);
        assert_eq!(world.effects.count() == 0, asked == 0, "nor the database");
        assert!(browser.cookies.borrow().is_empty() == (asked == 0), "spent");
    }
}

#[test]
fn a_code_in_an_address_is_worth_nothing_without_this_browser() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github");
    let callback = browser.approve(started.header("location"), "member");
    let (_, query) = callback.split_once('?').unwrap();
    let names: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["code", "state"]);
    // Somebody who has read the address from another person's screen cannot use it.
    let thief = Browser::new(&world).get(&callback);
    assert_eq!(thief.header("location"), "/?auth_error=state");
    // The browser gets an address without the parameters at once, and the log contains none of them.
    assert_eq!(browser.get(&callback).header("location"), "/keys");
    let log = world.log.borrow().join("\n");
    for (_, value) in url::form_urlencoded::parse(query.as_bytes()) {
        assert!(!log.contains(&*value), "{log}");
    }
}

#[test]
fn a_state_is_for_one_browser_and_one_use_and_ten_minutes() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github");
    let callback = browser.approve(started.header("location"), "member");

    let other = Browser::new(&world);
    assert_eq!(
        other.get(&callback).header("location"),
        "/?auth_error=state"
    );

    let attempt = browser.cookies.borrow().clone();
    assert_eq!(browser.get(&callback).header("location"), "/keys");
    assert!(
        !browser
            .cookies
            .borrow()
            .keys()
            .any(|name| name.contains("attempt"))
    );

    // The same state is sent again with its cookie, which was kept on purpose. GitHub refuses the code, and the
    // database would refuse it too.
    let thief = Browser::new(&world);
    thief.cookies.borrow_mut().extend(attempt);
    assert_eq!(
        thief.get(&callback).header("location"),
        "/?auth_error=expired"
    );

    let slow = Browser::new(&world);
    let started = slow.get("/auth/github");
    let callback = slow.approve(started.header("location"), "member");
    world.pass(600);
    assert_eq!(slow.get(&callback).header("location"), "/?auth_error=state");

    for target in [
        "/auth/github/callback",
        "/auth/github/callback?code=x",
        "/auth/github/callback?code=x&state=",
        "/auth/github/callback?code=x&state=00000000.x",
        "/auth/github/callback?code=x&state=%00%0d%0aset-cookie:a",
    ] {
        let response = Browser::new(&world).get(target);
        assert_eq!(
            (response.status, response.header("location")),
            (303, "/?auth_error=state"),
            "{target}"
        );
    }
}

#[test]
fn a_replayed_state_is_refused_by_the_database_too() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github");
    let location = started.header("location").to_owned();
    let attempt = browser.cookies.borrow().clone();
    let first = browser.approve(&location, "member");
    assert_eq!(browser.get(&first).header("location"), "/keys");
    // GitHub gives a second code for the same state. Only our own record of used states refuses it.
    let second = browser.approve(&location, "second");
    let thief = Browser::new(&world);
    thief.cookies.borrow_mut().extend(attempt);
    assert_eq!(thief.get(&second).header("location"), "/?auth_error=state");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 1);
}

#[test]
fn two_tabs_sign_in_side_by_side() {
    let world = World::new();
    let browser = Browser::new(&world);
    let one = browser.get("/auth/github").header("location").to_owned();
    let two = browser.get("/auth/github").header("location").to_owned();
    let (one, two) = (
        browser.approve(&one, "member"),
        browser.approve(&two, "member"),
    );
    assert_eq!(browser.get(&two).header("location"), "/keys");
    assert_eq!(browser.get(&one).header("location"), "/keys");
}

#[test]
fn sign_in_errors_are_explained_in_words() {
    for (persona, code) in [
        ("refuser", "denied"),
        ("bot", "not_a_person"),
        ("revoked", "expired"),
        ("suspended", "account_suspended"),
        ("unverified", "unverified_email"),
        ("app-suspended", "suspended_app"),
    ] {
        let world = World::new();
        let browser = Browser::new(&world);
        let response = browser.sign_in(persona);
        assert_eq!(
            response.header("location"),
            format!("/?auth_error={code}"),
            "{persona}"
        );
        assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 0);
        let page = browser.get(response.header("location"));
        assert_eq!(page.status, 200);
        assert!(
            !page.body.contains(&format!(">{code}<")),
            "words, not codes"
        );
        assert!(page.body.contains("data-auth-error"), "{code}");
        oracle::always(&world);
    }
}

#[test]
fn faults_of_github_are_explained_and_leave_no_member_behind() {
    for (operation, kind, more, code) in [
        (
            "github.token",
            "html_error",
            json!({}),
            "github_unavailable",
        ),
        (
            "github.token",
            "reset_after",
            json!({}),
            "github_unavailable",
        ),
        ("github.token", "truncated", json!({}), "github_unavailable"),
        (
            "github.token",
            "html_refuse",
            json!({ "status": 403 }),
            "github_unavailable",
        ),
        (
            "github.token",
            "html_refuse",
            json!({ "status": 404 }),
            "github_unavailable",
        ),
        (
            "github.user",
            "html_refuse",
            json!({ "status": 401 }),
            "github_unavailable",
        ),
        (
            "github.user",
            "html_refuse",
            json!({ "status": 403 }),
            "github_unavailable",
        ),
        ("github.token", "rate_limited", json!({}), "rate_limited"),
        (
            "github.user",
            "html_error",
            json!({ "times": 3 }),
            "github_unavailable",
        ),
        (
            "github.user",
            "rate_limited",
            json!({ "retry_after": 60, "times": 3 }),
            "rate_limited",
        ),
    ] {
        let world = World::new();
        world.add_fault(operation, kind, more);
        let response = Browser::new(&world).sign_in("member");
        assert_eq!(
            response.header("location"),
            format!("/?auth_error={code}"),
            "{operation} {kind}"
        );
        assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 0);
        oracle::always(&world);
    }
    // A safe call with one bad answer is retried. A token that cannot be revoked is forgotten nevertheless.
    for (operation, kind) in [
        ("github.user", "html_error"),
        ("github.revoke", "html_error"),
    ] {
        let world = World::new();
        world.add_fault(operation, kind, json!({}));
        Browser::signed_in(&world, "member");
        oracle::always(&world);
    }
}

#[test]
fn without_an_oauth_app_the_page_explains_and_nothing_starts() {
    for setting in [
        "GITHUB_OAUTH_CLIENT_ID",
        "GITHUB_OAUTH_CLIENT_SECRET",
        "AUTH_SESSION_SECRET",
    ] {
        let world = World::new();
        world.set(setting, "");
        let browser = Browser::new(&world);
        assert_eq!(
            browser.get("/auth/github").header("location"),
            "/?auth_error=not_configured"
        );
        let page = browser.get("/");
        assert_eq!(page.status, 200, "{setting}");
        assert!(!page.body.contains("href=\"/auth/github"), "{setting}");
    }
}

#[test]
fn signing_out_ends_this_browser_by_post_only() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.get("/auth/logout").status, 405);
    assert_eq!(member.get("/api/v1/me").status, 200);
    let headers = [
        ("origin", "http://localhost:8787"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let response = member.send(
        "POST",
        "/auth/logout",
        &headers,
        keycap::http::server::message::Body::Empty,
    );
    assert_eq!((response.status, response.header("location")), (303, "/"));
    assert_eq!(member.get("/api/v1/me").code(), "sign_in_required");
}

#[test]
fn signing_out_everywhere_ends_every_session_at_once() {
    let world = World::new();
    let here = Browser::signed_in(&world, "member");
    let there = Browser::signed_in(&world, "member");
    let somebody = Browser::signed_in(&world, "second");
    assert_eq!(
        here.post("/api/v1/me/sign-out-everywhere", "{}").status,
        204
    );
    assert_eq!(there.get("/api/v1/me").code(), "sign_in_required");
    assert_eq!(there.claim().status, 401);
    assert_eq!(
        there.post("/api/v1/me/sign-out-everywhere", "{}").status,
        401
    );
    assert_eq!(somebody.get("/api/v1/me").status, 200);
    assert_eq!(
        Browser::signed_in(&world, "member")
            .get("/api/v1/me")
            .status,
        200
    );
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM audit WHERE action = 'sessions_ended'"),
        1
    );
}

#[test]
fn a_session_survives_a_rotation_of_the_secret_and_not_its_end() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let old = "native-session-secret-not-for-production";
    let new = "another-session-secret-not-for-production";
    world.set("AUTH_SESSION_SECRET", &format!("{new},{old}"));
    assert_eq!(member.at_fresh_isolate().get("/api/v1/me").status, 200);
    world.set("AUTH_SESSION_SECRET", new);
    assert_eq!(member.at_fresh_isolate().get("/api/v1/me").status, 401);
}

#[test]
fn at_every_request_the_list_of_account_numbers_decides_who_is_an_admin() {
    let world = World::new();
    let [operator, member] = ["operator", "member"].map(|who| Browser::signed_in(&world, who));
    // Somebody has taken the operator's login.
    *world.respelt.borrow_mut() = Some(("\"second\"", String::from("\"operator\"")));
    let namesake = Browser::signed_in(&world, "second");
    *world.respelt.borrow_mut() = None;
    let admins = || {
        [&operator, &member, &namesake].map(|who| {
            let response = who
                .at_fresh_isolate()
                .get("/api/v1/admin/settings?admin=true");
            response.status == 200
        })
    };
    assert_eq!(admins(), [true, false, false]);
    world.set("ADMIN_GITHUB_USER_IDS", " 1000100 ,1000001");
    assert_eq!(admins(), [true, true, false], "without a new sign-in");
    world.set("ADMIN_GITHUB_USER_IDS", "1000100");
    assert_eq!(admins(), [false, true, false]);
    let renamed = Browser::signed_in(&world, "renamed");
    assert_eq!(renamed.get("/api/v1/admin/settings").status, 200);
    world.set("ADMIN_GITHUB_USER_IDS", "");
    assert_eq!(admins(), [false; 3], "nobody");
}

#[test]
fn a_sign_in_whose_answers_are_lost_still_makes_one_member() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github");
    let callback = browser.approve(started.header("location"), "member");
    world.effects.plan(&[(3, crate::support::Fate::LostAfter)]);
    assert_eq!(browser.get(&callback).header("location"), "/keys");
    assert!(
        world.effects.names()[3].starts_with("db"),
        "{:?}",
        world.effects.names()
    );
    world.effects.plan(&[]);
    assert_eq!(browser.get("/api/v1/me").status, 200);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM members"), 1);
}

#[test]
fn the_default_plan_is_made_from_the_settings_once_and_then_only_the_row_counts() {
    let world = World::new();
    Browser::signed_in(&world, "member");
    world.set("KEY_LIMIT_USD", "7");
    let second = Browser::signed_in(&world, "second");
    assert_eq!(
        second.get("/api/v1/me").json()["claim"]["limit_usd"],
        "5.00"
    );
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM plans WHERE is_default = 1"),
        1
    );
}

#[test]
fn a_database_belongs_to_the_origin_that_bound_it() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'instance', 'instance_bound', 't', 1);
         UPDATE instance SET public_origin = 'https://elsewhere.example', change_id = 't'",
    );
    assert_eq!(member.claim().code(), "provisioning_closed");
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped foreign_instance");

    let operator = Browser::signed_in(&world, "operator");
    let is = operator.get("/api/v1/admin/settings").json();
    assert_eq!(is["bound_to"], "https://elsewhere.example");
    let response = operator.patch("/api/v1/admin/settings", r#"{"instance":"take_over"}"#);
    assert_eq!(response.json()["bound_to"], "http://localhost:8787");
    assert_eq!(member.claim().status, 201);
    world.pass(540);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "done");
    oracle::settled(&world);
}

#[test]
fn a_late_move_to_another_origin_undoes_no_newer_one() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let body = r#"{"instance":"take_over"}"#;
    let dry = world.copied();
    dry.effects.plan(&[]);
    Browser::with(&dry, &operator.cookies.borrow()).patch("/api/v1/admin/settings", body);
    let names = dry.effects.names();
    let of_it = |name: &String| name.ends_with("origin::TAKE_OVER_GUARD");
    let n = names.iter().position(of_it).unwrap();
    world.effects.plan(&[(n, Fate::Late)]);
    assert_eq!(operator.patch("/api/v1/admin/settings", body).status, 200);
    world.effects.plan(&[]);
    // Another deployment is bound to the database by now.
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('t', 'instance', 'instance_bound', 't', 1);
         UPDATE instance SET public_origin = 'https://elsewhere.example', change_id = 't'",
    );
    assert_eq!(world.effects.land(), 1);
    let bound = world.db.text("SELECT public_origin FROM instance");
    assert_eq!(bound, "https://elsewhere.example");
}

#[test]
fn a_sign_in_can_finish_at_another_isolate_than_it_began_at() {
    let world = World::new();
    let browser = Browser::new(&world);
    let started = browser.get("/auth/github?next=keys");
    let callback = browser.approve(started.header("location"), "member");
    let elsewhere = browser.at_fresh_isolate();
    let response = elsewhere.get(&callback);
    assert_eq!(
        (response.status, response.header("location")),
        (303, "/keys")
    );
    // A callback that one isolate has used is used for every other isolate too.
    let third = browser.at_fresh_isolate();
    let response = third.get(&callback);
    assert!(
        response.header("location").starts_with("/?auth_error="),
        "{response:?}"
    );
    assert_eq!(elsewhere.at_fresh_isolate().get("/api/v1/me").status, 200);
}
