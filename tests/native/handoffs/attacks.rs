//! Others who try to get a key, in every order; and many redeemings at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::support::Fate;
use crate::support::browser::from_our_page;

type Answering = Pin<Box<dyn Future<Output = Response>>>;

/// Sends the same request so many times at once, each at an isolate of its own, and lets them take turns at every effect.
fn at_once(member: &Browser<'_>, target: &str, times: usize) -> Vec<Response> {
    let held: Vec<(usize, Fate)> = (0..times * 40).map(|k| (k, Fate::HeldBefore)).collect();
    member.world.effects.plan(&held);
    let mut all: Vec<Answering> = (0..times)
        .map(|_| {
            let service = member.world.service();
            let body = Body::Bytes(b"{}".to_vec());
            let request = from_our_page(&member.cookies.borrow(), "POST", target, body);
            let answering: Answering = Box::pin(async move { service.answer(request).await });
            answering
        })
        .collect();
    let mut answers = Vec::new();
    while !all.is_empty() {
        all.retain_mut(|answering| {
            let mut context = Context::from_waker(Waker::noop());
            match answering.as_mut().poll(&mut context) {
                Poll::Ready(answer) => {
                    answers.push(answer);
                    false
                }
                Poll::Pending => true,
            }
        });
    }
    member.world.effects.plan(&[]);
    answers
}

#[test]
fn redeemed_fifty_times_at_once_there_is_one_exchange_and_one_key() {
    for slug in PROVIDERS {
        let world = world();
        let member = Browser::signed_in(&world, "member");
        let begun = confirmed(&member, slug);
        let answers = at_once(&member, &begun.path("redeem"), 50);
        let good = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!((answers.len(), good), (50, 1));
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            let code = answer.code();
            let known = ["handoff_under_way", "handoff_redeemed"].contains(&code.as_str());
            assert!(known || answer.status == 202, "{answer:?}");
        }
        assert_eq!((exchanges(&world), made(&world)), (1, 1));
    }
}

#[test]
fn wrong_codes_at_once_are_all_counted() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = starts(&member, "openrouter");
    let code = signs_in(&member, &begun);
    // An empty body has no code, so each of these counts nothing; the wrong ones below do.
    for _ in 0..5 {
        confirms(&member, &begun, "BBBBBBBB");
    }
    assert_eq!(confirms(&member, &begun, &code).code(), "handoff_refused");
    assert_eq!(world.db.number("SELECT wrong_codes FROM handoffs"), 5);
}

/// What somebody does with a hand-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The victim opens the attacker's address and signs in at the provider.
    VictimSignsIn,
    AttackerPolls,
    AttackerConfirms,
    AttackerRedeems,
}

/// Every order of these steps.
fn orders(steps: &[Step]) -> Vec<Vec<Step>> {
    if steps.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (n, first) in steps.iter().enumerate() {
        let mut rest = steps.to_vec();
        rest.remove(n);
        all.extend(
            orders(&rest)
                .into_iter()
                .map(|order| [vec![*first], order].concat()),
        );
    }
    all
}

#[test]
fn a_victim_who_signs_in_for_an_attacker_gives_away_nothing_in_any_order() {
    use Step::{AttackerConfirms, AttackerPolls, AttackerRedeems, VictimSignsIn};
    let steps = [
        VictimSignsIn,
        AttackerPolls,
        AttackerConfirms,
        AttackerRedeems,
    ];
    let mut played = 0;
    for slug in PROVIDERS {
        for order in orders(&steps) {
            // The victim may be somebody else here, the attacker's own account in another browser, or nobody.
            for victim in ["second", "member", ""] {
                let world = world();
                let attacker = Browser::signed_in(&world, "member");
                let begun = starts(&attacker, slug);
                let victim = match victim {
                    "" => Browser::new(&world),
                    persona => Browser::signed_in(&world, persona),
                };
                for step in &order {
                    match step {
                        VictimSignsIn => {
                            let done = comes_back(&victim, &chooses(&world, &begun, "sign-in"));
                            assert!(done.ends_with("error=state"), "{done}");
                            assert_eq!(code_on(&victim.get(&done)), None);
                        }
                        AttackerPolls => assert_eq!(status(&attacker, &begun), "pending"),
                        AttackerConfirms => {
                            assert_eq!(
                                confirms(&attacker, &begun, "BBBBBBBB").code(),
                                "handoff_pending"
                            );
                        }
                        AttackerRedeems => {
                            assert_eq!(redeems(&attacker, &begun).code(), "handoff_pending");
                        }
                    }
                }
                assert_eq!((exchanges(&world), made(&world)), (0, 0), "{order:?}");
                assert!(blobs(&world).is_empty());
                played += 1;
            }
        }
    }
    assert_eq!(played, 2 * 24 * 3);
}

#[test]
fn an_attackers_own_code_does_not_reach_a_victims_account() {
    let world = world();
    let attacker = Browser::signed_in(&world, "member");
    let begun = starts(&attacker, "openrouter");
    let callback = chooses(&world, &begun, "sign-in");
    let victim = Browser::signed_in(&world, "second");
    let theirs = starts(&victim, "openrouter");
    // The attacker makes the victim's browser open their callback, with their state or with the victim's id in it.
    let swapped = callback.replace(&begun.id, &theirs.id);
    for target in [callback, swapped] {
        assert!(comes_back(&victim, &target).ends_with("error=state"));
    }
    assert_eq!(status(&victim, &theirs), "pending");
}

#[test]
fn nobody_but_its_own_browser_finds_a_hand_off() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, "openrouter");
    let own = member.cookies.borrow().clone();
    let cookie = own
        .iter()
        .find(|(name, _)| name.contains("handoff"))
        .unwrap();
    // The same member in another browser, another member with the cookie, a wrong cookie, and nobody.
    let elsewhere = Browser::signed_in(&world, "member");
    let thief = Browser::signed_in(&world, "second");
    thief
        .cookies
        .borrow_mut()
        .insert(cookie.0.clone(), cookie.1.clone());
    let guesser = Browser::signed_in(&world, "member");
    guesser
        .cookies
        .borrow_mut()
        .insert(cookie.0.clone(), "A".repeat(43));
    for (who, expected) in [
        (&elsewhere, 404),
        (&thief, 404),
        (&guesser, 404),
        (&Browser::new(&world), 401),
    ] {
        assert_eq!(status(who, &begun), expected.to_string());
        assert_eq!(confirms(who, &begun, "BBBBBBBB").status, expected);
        assert_eq!(redeems(who, &begun).status, expected);
        let project = r#"{"project":"made by a stranger"}"#;
        assert_eq!(who.post(&begun.path("redeem"), project).status, expected);
    }
    assert_eq!(world.db.number("SELECT COUNT(*) FROM projects"), 0);
    assert_eq!(redeems(&member, &begun).status, 201);
}

#[test]
fn a_member_who_is_blocked_in_the_middle_gets_nothing() {
    for (persona_status, code) in [
        ("suspended", "member_suspended"),
        ("banned", "member_banned"),
    ] {
        // At each effect of the redeeming, an administrator blocks the member.
        let effects = {
            let world = world();
            let member = Browser::signed_in(&world, "member");
            let begun = confirmed(&member, "openrouter");
            world.effects.plan(&[]);
            assert_eq!(redeems(&member, &begun).status, 201);
            world.effects.count()
        };
        for k in 0..effects {
            let world = world();
            let operator = Browser::signed_in(&world, "operator");
            let member = Browser::signed_in(&world, "member");
            let begun = confirmed(&member, "openrouter");
            world.effects.plan(&[(k, Fate::HeldBefore)]);
            let held = member.start("POST", &begun.path("redeem"), "{}");
            world.effects.plan(&[]);
            assert_eq!(operator.set_status("member", persona_status).status, 200);
            let response = held.release();
            let name = world.effects.names();
            // The record is the last effect of the database: a member who is blocked after it had the key already.
            if response.status == 201 {
                assert_eq!(
                    world.db.number("SELECT COUNT(*) FROM provider_keys"),
                    1,
                    "{k} {name:?}"
                );
                assert!(k + 1 >= effects, "{k} of {effects}: {name:?}");
                continue;
            }
            assert_eq!(response.code(), code, "{k}: {response:?}");
            assert_eq!(world.db.number("SELECT COUNT(*) FROM provider_keys"), 0);
        }
    }
}

#[test]
fn a_session_that_ended_and_a_provider_that_was_disabled_end_what_is_under_way() {
    let world = world();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, "openrouter");
    let off = operator.patch("/api/v1/admin/providers/openrouter", r#"{"enabled":false}"#);
    assert_eq!(off.status, 200);
    assert_eq!(redeems(&member, &begun).status, 404);
    let waiting = starts(&member, "daydream");
    let callback = chooses(&world, &waiting, "sign-in");
    operator.patch("/api/v1/admin/providers/daydream", r#"{"enabled":false}"#);
    assert!(comes_back(&member, &callback).ends_with("error=state"));
    operator.patch("/api/v1/admin/providers/openrouter", r#"{"enabled":true}"#);
    let stale = member.cookies.borrow().clone();
    assert_eq!(
        member.post("/api/v1/me/sign-out-everywhere", "{}").status,
        204
    );
    let stale = Browser::with(&world, &stale);
    assert_eq!(redeems(&stale, &begun).status, 401);
    assert_eq!(exchanges(&world), 0);
}
