//! A redeeming that dies or fails at any of its effects, and a provider that refuses, fails or says nothing.

use serde_json::json;

use super::*;
use crate::support::{Fate, TEN_MINUTES, oracle};

fn effects_of_a_redeeming(slug: &str) -> Vec<String> {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, slug);
    world.effects.plan(&[]);
    assert_eq!(redeems(&member, &begun).status, 201);
    world.effects.names()
}

#[test]
fn cut_or_failed_at_any_effect_there_is_at_most_one_exchange_and_its_member_is_told() {
    let mut played = 0;
    let fates = [
        Fate::CutBefore,
        Fate::CutAfter,
        Fate::LostBefore,
        Fate::LostAfter,
        Fate::RefusedBefore,
        Fate::RefusedAfter,
        Fate::Late,
    ];
    for slug in PROVIDERS {
        let names = effects_of_a_redeeming(slug);
        for k in 0..names.len() + 2 {
            for fate in fates {
                let world = world();
                let member = Browser::signed_in(&world, "member");
                let begun = confirmed(&member, slug);
                world.effects.plan(&[(k, fate)]);
                let body = Body::Bytes(b"{}".to_vec());
                let headers = [("origin", ORIGIN), ("content-type", "application/json")];
                let first = member.try_send("POST", &begun.path("redeem"), &headers, body);
                world.effects.plan(&[]);
                let context = format!("{slug} {k} {:?} {fate:?}", names.get(k));
                let delivered = |answer: &Response| answer.status == 201;
                let mut keys_delivered = usize::from(first.as_ref().is_some_and(delivered));
                let again = redeems(&member, &begun);
                keys_delivered += usize::from(delivered(&again));
                world.effects.land();
                keys_delivered += usize::from(delivered(&redeems(&member, &begun)));
                world.pass(TEN_MINUTES);
                assert!(world.sweep());
                keys_delivered += usize::from(delivered(&redeems(&member, &begun)));
                assert!(exchanges(&world) <= 1 && made(&world) <= 1, "{context}");
                assert!(keys_delivered <= 1, "{context}");
                let recorded =
                    usize::try_from(world.db.number("SELECT COUNT(*) FROM provider_keys")).unwrap();
                let state = world.db.text("SELECT state FROM handoffs");
                // A key that was handed out is on record. One that may exist and was not is told as unknown.
                assert!(recorded >= keys_delivered, "{context}");
                if made(&world) == 1 && recorded == 0 {
                    assert_eq!(state, "unknown", "{context}");
                    assert_eq!(keys(&member)["unknown"][0]["id"], begun.id, "{context}");
                }
                assert_eq!(recorded == 1, state == "redeemed", "{context} {state}");
                oracle::always(&world);
                // There is a way on.
                let another = confirmed(&member, slug);
                assert_eq!(redeems(&member, &another).status, 201, "{context}");
                played += 1;
            }
        }
    }
    println!("counted: {played} scenarios of a redeeming cut or failed");
}

#[test]
fn a_return_that_breaks_at_any_effect_uses_nothing_up_or_counts_once() {
    let effects = {
        let world = world();
        let member = Browser::signed_in(&world, "member");
        let begun = starts(&member, "openrouter");
        let callback = chooses(&world, &begun, "sign-in");
        world.effects.plan(&[]);
        comes_back(&member, &callback);
        world.effects.count()
    };
    for k in 0..effects {
        for fate in [
            Fate::CutBefore,
            Fate::CutAfter,
            Fate::LostBefore,
            Fate::LostAfter,
            Fate::Late,
        ] {
            let world = world();
            let member = Browser::signed_in(&world, "member");
            let begun = starts(&member, "openrouter");
            let callback = chooses(&world, &begun, "sign-in");
            world.effects.plan(&[(k, fate)]);
            member.try_send("GET", &callback, &[], Body::Empty);
            world.effects.plan(&[]);
            // The person presses reload.
            member.get(&callback);
            world.effects.land();
            assert_eq!(status(&member, &begun), "ready", "{k} {fate:?}");
            let page = member.get(&format!(
                "/auth/providers/openrouter/done?handoff={}",
                begun.id
            ));
            let code = code_on(&page).unwrap();
            assert_eq!(confirms(&member, &begun, &code).status, 200);
            assert_eq!(redeems(&member, &begun).status, 201, "{k} {fate:?}");
            assert_eq!(made(&world), 1);
        }
    }
}

#[test]
fn a_providers_refusal_is_told_apart_from_what_is_not_known() {
    for (slug, operation) in [
        ("openrouter", "openrouter.exchange"),
        ("daydream", "daydream.key"),
    ] {
        for (kind, more, code, state) in [
            (
                "refuse",
                json!({ "status": 401 }),
                "provider_refused",
                "refused",
            ),
            (
                "refuse",
                json!({ "status": 403 }),
                "provider_refused",
                "refused",
            ),
            (
                "rate_limited",
                json!({ "retry_after": 60 }),
                "provider_refused",
                "refused",
            ),
            ("error_before", json!({}), "handoff_unknown", "unknown"),
            ("error_after", json!({}), "handoff_unknown", "unknown"),
            ("reset_before", json!({}), "handoff_unknown", "unknown"),
            ("reset_after", json!({}), "handoff_unknown", "unknown"),
            ("stall_before", json!({}), "handoff_unknown", "unknown"),
            ("stall_after", json!({}), "handoff_unknown", "unknown"),
            ("truncated", json!({}), "handoff_unknown", "unknown"),
            ("html", json!({}), "handoff_unknown", "unknown"),
            ("html_error", json!({}), "handoff_unknown", "unknown"),
            ("html_refuse", json!({}), "handoff_unknown", "unknown"),
            ("key_missing", json!({}), "handoff_unknown", "unknown"),
        ] {
            let world = world();
            let member = Browser::signed_in(&world, "member");
            let begun = confirmed(&member, slug);
            world.add_fault(operation, kind, more);
            let began = world.now_ms.get();
            let response = redeems(&member, &begun);
            assert_eq!(response.code(), code, "{slug} {kind}: {response:?}");
            assert!(world.now_ms.get() - began <= 10_000, "{kind}");
            assert_eq!(status(&member, &begun), state, "{slug} {kind}");
            assert_eq!(exchanges(&world), 1, "it is never repeated");
            let told = keys(&member);
            assert_eq!(told["keys"], json!([]));
            assert_eq!(
                told["unknown"].as_array().unwrap().len(),
                usize::from(state == "unknown")
            );
            assert!(blobs(&world).is_empty());
            let again = redeems(&member, &begun);
            assert_eq!(again.code(), format!("handoff_{state}"));
            assert_eq!(exchanges(&world), 1);
        }
    }
}

#[test]
fn daydreams_key_is_found_under_each_name_that_its_clients_know() {
    for name in ["api_key", "key"] {
        let world = world();
        let member = Browser::signed_in(&world, "member");
        let begun = confirmed(&member, "daydream");
        world.add_fault("daydream.key", "key_named", json!({ "name": name }));
        assert_eq!(redeems(&member, &begun).status, 201, "{name}");
    }
}

#[test]
fn an_unknown_outcome_is_told_for_thirty_days() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, "openrouter");
    world.add_fault("openrouter.exchange", "reset_after", json!({}));
    assert_eq!(redeems(&member, &begun).status, 503);
    for days in [1, 28] {
        world.pass(days * 86_400);
        assert!(world.sweep());
    }
    let member = Browser::signed_in(&world, "member");
    let unknown = keys(&member)["unknown"].clone();
    assert_eq!(unknown[0]["id"], begun.id);
    let named = world.sandbox.borrow().ledger().linked_keys[0].name.clone();
    assert!(
        named.contains(&begun.id),
        "its key can be found at the provider"
    );
    world.pass(2 * 86_400);
    assert!(world.sweep());
    let member = Browser::signed_in(&world, "member");
    assert_eq!(keys(&member)["unknown"], json!([]));
}
