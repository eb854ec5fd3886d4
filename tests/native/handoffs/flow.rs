//! The whole way of a hand-off, and each way of not finishing it.

use serde_json::json;

use super::*;
use crate::support::oracle;

#[test]
fn each_providers_key_is_handed_out_once_to_the_browser_that_began() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    for (n, slug) in PROVIDERS.into_iter().enumerate() {
        let begun = starts(&member, slug);
        assert_eq!(status(&member, &begun), "pending");
        assert_eq!(redeems(&member, &begun).code(), "handoff_pending");
        let code = signs_in(&member, &begun);
        assert_eq!(status(&member, &begun), "ready");
        assert_eq!(redeems(&member, &begun).code(), "handoff_unconfirmed");
        assert_eq!(
            exchanges(&world),
            n as u64,
            "nothing is exchanged before it is confirmed"
        );
        let spelt = code.to_lowercase().replace('-', " ");
        assert_eq!(confirms(&member, &begun, &spelt).status, 200);
        let body = json!({ "label": " mine ", "project": "Own billing" });
        let response = member.post(&begun.path("redeem"), &body.to_string());
        assert_eq!(response.status, 201, "{response:?}");
        let secret = response.secret().unwrap();
        let linked = world.sandbox.borrow().ledger().linked_keys[n].clone();
        assert_eq!((linked.secret, linked.provider), (secret.clone(), slug));
        assert_eq!(linked.name, format!("keycap {}", begun.id));
        let key = response.json()["key"].clone();
        assert_eq!(
            (&key["label"], &key["provider"]),
            (&json!("mine"), &json!(slug))
        );
        assert!(key["project"]["name"] == "Own billing" && key["handoff"] == begun.id);
        let mask = key["mask"].as_str().unwrap();
        assert!(mask.len() < 20 && secret.ends_with(mask.rsplit('.').next().unwrap()));
        assert_eq!(status(&member, &begun), "redeemed");
        let again = redeems(&member, &begun);
        assert_eq!(
            (again.status, again.code()),
            (409, String::from("handoff_redeemed"))
        );
        assert_eq!(exchanges(&world), n as u64 + 1);
        assert_eq!(keys(&member)["keys"][0], key);
    }
    assert!(blobs(&world).is_empty(), "what was redeemed is deleted");
    assert_eq!(keys(&member)["keys"].as_array().unwrap().len(), 2);
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"],
        json!([]),
        "it is no key of ours"
    );
}

#[test]
fn the_answer_to_a_start_says_where_how_long_and_how_often() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let response = member.post("/api/v1/providers/openrouter/start", "{}");
    let body = response.json();
    assert_eq!(body["handoff"]["poll_after_ms"], 1_500);
    assert_eq!(
        body["handoff"]["expires_at"],
        world.now().plus(600).rfc3339()
    );
    let cookie = response.header("set-cookie");
    assert!(cookie.starts_with("__Host-keycap_handoff_"), "{cookie}");
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let url = url::Url::parse(body["auth_url"].as_str().unwrap()).unwrap();
    let query: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(query["code_challenge_method"], "S256");
    let callback = format!("{ORIGIN}/auth/providers/openrouter/callback?state=");
    assert!(query["callback_url"].starts_with(&callback), "{query:?}");
    let daydream = url::Url::parse(&starts(&member, "daydream").auth_url).unwrap();
    let query: std::collections::HashMap<_, _> = daydream.query_pairs().into_owned().collect();
    assert_eq!(
        query["redirect_url"],
        format!("{ORIGIN}/auth/providers/daydream/callback")
    );
}

#[test]
fn the_callback_leaves_no_code_in_an_address_and_its_page_loads_nothing_of_others() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = starts(&member, "daydream");
    let callback = chooses(&world, &begun, "sign-in");
    let response = member.get(&callback);
    assert_eq!(response.status, 303);
    assert_eq!(
        response.header("location"),
        format!("/auth/providers/daydream/done?handoff={}", begun.id)
    );
    assert!(response.body.is_empty());
    assert!(response.header("cache-control").contains("no-store"));
    let page = member.get(response.header("location"));
    assert!(
        page.body.contains("you can close this page"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("<script") && !page.body.contains("src=\"http"));
    assert!(page.header("cache-control").contains("no-store"));
    // The canaries look for the token in the log, too; the log has the route and no query.
    assert!(!world.log.borrow().join("\n").contains("token="));
}

#[test]
fn a_head_a_preview_and_a_browser_that_did_not_begin_use_nothing_up() {
    for slug in PROVIDERS {
        let world = world();
        let member = Browser::signed_in(&world, "member");
        let begun = starts(&member, slug);
        let callback = chooses(&world, &begun, "sign-in");
        let before = world.db.dump();
        assert_eq!(head(&member, &callback, &[], "HEAD").status, 200);
        assert_eq!(
            head(
                &member,
                &callback,
                &[("sec-purpose", "prefetch;prerender")],
                "GET"
            )
            .status,
            503
        );
        // Scanners and previews have no cookies, and other members other ones.
        for other in [Browser::new(&world), Browser::signed_in(&world, "second")] {
            let before = world.db.dump();
            assert!(comes_back(&other, &callback).ends_with("error=state"));
            assert_eq!(world.db.dump(), before);
        }
        assert!(blobs(&world).is_empty());
        let _ = before;
        assert!(comes_back(&member, &callback).contains("handoff="));
        assert_eq!(status(&member, &begun), "ready");
    }
}

#[test]
fn a_state_that_is_unknown_used_expired_or_of_another_provider_is_refused() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = starts(&member, "openrouter");
    let callback = chooses(&world, &begun, "sign-in");
    let elsewhere = callback
        .replace("/openrouter/", "/daydream/")
        .replace("code=", "token=");
    let unknown = callback.replace("state=hnd_", "state=hnd_0");
    let tampered = format!("{}x", callback.replace("&code", "x&code"));
    let unreal = callback.replace("/openrouter/", "/elsewhere/");
    let without = callback.split("&code").next().unwrap().to_owned();
    for (target, slug) in [
        (elsewhere, "daydream"),
        (unknown, "openrouter"),
        (tampered, "openrouter"),
        (unreal, "unknown"),
        (without, "openrouter"),
        (
            String::from("/auth/providers/openrouter/callback"),
            "openrouter",
        ),
        (
            String::from("/auth/providers/openrouter/callback?code=x&state="),
            "openrouter",
        ),
    ] {
        assert_eq!(
            comes_back(&member, &target),
            format!("/auth/providers/{slug}/done?error=state"),
            "{target}"
        );
    }
    assert_eq!(status(&member, &begun), "pending");
    assert!(comes_back(&member, &callback).contains("handoff="));
    // It comes back once: a browser's history, or a second window, cannot put another code in its place.
    assert!(comes_back(&member, &callback).ends_with("error=state"));
    assert_eq!(blobs(&world).len(), 1);
    let late = starts(&member, "openrouter");
    let callback = chooses(&world, &late, "sign-in");
    world.pass(600);
    assert!(comes_back(&member, &callback).ends_with("error=expired"));
}

#[test]
fn with_sixty_seconds_left_it_can_come_back_and_with_fewer_it_is_expired_and_never_an_error() {
    for (left, expected) in [
        (61, "ready"),
        (60, "ready"),
        (59, "expired"),
        (1, "expired"),
        (0, "expired"),
    ] {
        let world = world();
        let member = Browser::signed_in(&world, "member");
        let begun = starts(&member, "openrouter");
        let callback = chooses(&world, &begun, "sign-in");
        world.pass(600 - left);
        let done = comes_back(&member, &callback);
        assert_eq!(
            done.ends_with("error=expired"),
            expected == "expired",
            "{left} {done}"
        );
        assert_eq!(status(&member, &begun), expected, "{left}");
        if expected == "ready" {
            let code = code_on(&member.get(&done)).unwrap();
            world.pass(left - 1);
            assert_eq!(confirms(&member, &begun, &code).status, 200);
            assert_eq!(redeems(&member, &begun).status, 201, "in its last second");
        } else {
            assert_eq!(redeems(&member, &begun).code(), "handoff_expired");
        }
    }
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, "openrouter");
    world.pass(600);
    assert_eq!(status(&member, &begun), "expired");
    assert_eq!(redeems(&member, &begun).code(), "handoff_expired");
    assert_eq!(exchanges(&world), 0);
}

#[test]
fn a_declined_sign_in_is_told_and_another_can_begin() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    for slug in PROVIDERS {
        let begun = starts(&member, slug);
        let done = comes_back(&member, &chooses(&world, &begun, "decline"));
        assert!(done.ends_with("error=declined"), "{done}");
        let page = member.get(&done);
        assert!(page.body.contains("No key was made"), "{}", page.body);
        assert_eq!(status(&member, &begun), "refused");
        assert_eq!(redeems(&member, &begun).code(), "handoff_refused");
        confirmed(&member, slug);
    }
    assert_eq!(exchanges(&world), 0);
}

#[test]
fn five_wrong_codes_end_a_hand_off_and_the_right_one_before_does_not() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = starts(&member, "openrouter");
    let code = signs_in(&member, &begun);
    let wrong: String = code.chars().rev().collect();
    assert_ne!(wrong, code);
    for _ in 0..4 {
        let response = confirms(&member, &begun, &wrong);
        assert_eq!(
            (response.status, response.code()),
            (422, String::from("handoff_code_wrong"))
        );
    }
    let another = starts(&member, "openrouter");
    let right = signs_in(&member, &another);
    assert_eq!(
        confirms(&member, &begun, &right).code(),
        "handoff_refused",
        "the code of another one"
    );
    assert_eq!(confirms(&member, &begun, &code).code(), "handoff_refused");
    assert_eq!(redeems(&member, &begun).code(), "handoff_refused");
    assert_eq!(status(&member, &begun), "refused");
    assert_eq!(blobs(&world).len(), 1, "only the other one's is left");
    for empty in ["", "-", "BCDF", "ÄÖÜ", &"B".repeat(500)] {
        let response = confirms(&member, &another, empty);
        assert!([422, 409].contains(&response.status), "{response:?}");
    }
    assert_eq!(status(&member, &another), "refused");
}

#[test]
fn an_unknown_and_a_disabled_provider_are_answered_alike_and_a_day_has_a_quota() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    for slug in ["daydream", "elsewhere", "OPENROUTER", "%00"] {
        let response = member.post(&format!("/api/v1/providers/{slug}/start"), "{}");
        assert_eq!(response.status, 404, "{slug}: {response:?}");
    }
    assert_eq!(
        Browser::new(&world)
            .post("/api/v1/providers/openrouter/start", "{}")
            .status,
        401
    );
    for _ in 0..50 {
        starts(&member, "openrouter");
    }
    let beyond = member.post("/api/v1/providers/openrouter/start", "{}");
    assert_eq!(
        (beyond.status, beyond.code()),
        (429, String::from("daily_quota"))
    );
    let cookies = member.cookies.borrow();
    let kept = cookies.keys().filter(|name| name.contains("handoff"));
    assert_eq!(kept.count(), 5, "older ones are given up");
}

#[test]
fn what_was_left_behind_disappears_from_both_stores() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = starts(&member, "openrouter");
    let ready = starts(&member, "openrouter");
    signs_in(&member, &ready);
    let redeemed = confirmed(&member, "daydream");
    assert_eq!(redeems(&member, &redeemed).status, 201);
    assert_eq!(blobs(&world).len(), 1);
    world.pass(601);
    assert!(blobs(&world).is_empty(), "KV forgets by itself");
    assert!(world.sweep());
    assert_eq!(
        status(&member, &begun),
        "expired",
        "the page can still say what happened"
    );
    world.pass(3_600);
    assert!(world.sweep());
    assert_eq!(world.db.number("SELECT COUNT(*) FROM handoffs"), 0);
    assert_eq!(status(&member, &begun), "404");
    assert_eq!(keys(&member)["keys"].as_array().unwrap().len(), 1);
    oracle::always(&world);
}

#[test]
fn start_and_callback_and_redeem_can_be_at_different_isolates() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = starts(&member, "openrouter");
    let callback = chooses(&world, &begun, "sign-in");
    let done = comes_back(&member.at_fresh_isolate(), &callback);
    let code = code_on(&member.at_fresh_isolate().get(&done)).unwrap();
    assert_eq!(
        confirms(&member.at_fresh_isolate(), &begun, &code).status,
        200
    );
    assert_eq!(redeems(&member.at_fresh_isolate(), &begun).status, 201);
}
