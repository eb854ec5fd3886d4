//! A question that dies or fails at any of its effects: at most one key, and its person is told what is known.

use super::*;
use crate::support::{TEN_MINUTES, oracle};

const FATES: [Fate; 7] = [
    Fate::CutBefore,
    Fate::CutAfter,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::RefusedBefore,
    Fate::RefusedAfter,
    Fate::Late,
];

#[test]
fn cut_or_failed_at_any_effect_there_is_at_most_one_key_and_its_person_is_told() {
    let effects = {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let terminal = Terminal::new(&world);
        let begun = approved(&terminal, &member);
        world.effects.plan(&[]);
        assert_eq!(terminal.asks(&begun).status, 200);
        world.effects.names()
    };
    let mut played = 0;
    for k in 0..effects.len() + 2 {
        for fate in FATES {
            let world = World::new();
            let member = Browser::signed_in(&world, "member");
            let terminal = Terminal::new(&world);
            let begun = approved(&terminal, &member);
            world.effects.plan(&[(k, fate)]);
            let first = terminal.try_ask(&begun);
            world.effects.plan(&[]);
            let what = format!("{k} {:?} {fate:?}", effects.get(k));
            let has_key = |answer: &Response| answer.status == 200;
            let mut told = usize::from(first.as_ref().is_some_and(has_key));
            let mut answers = vec![];
            for wait in [5, 10, TEN_MINUTES] {
                world.pass(wait);
                if wait == TEN_MINUTES {
                    world.effects.land();
                    assert!(world.sweep());
                }
                let answer = terminal.asks(&begun);
                told += usize::from(has_key(&answer));
                answers.push((error(&answer), answer.code()));
            }
            assert!(told <= 1 && mints(&world) <= 1, "{what}: {told}");
            let last = answers.last().unwrap();
            let known = ["device_redeemed", "device_failed", "device_expired"];
            assert!(known.contains(&last.1.as_str()), "{what}: {answers:?}");
            let live = "SELECT COUNT(*) FROM generations WHERE state = 'active'";
            if world.db.number(live) == 1 && told == 0 {
                // The key's owner learns where to get a new secret of it.
                assert_eq!(last.1, "device_redeemed", "{what}");
                let keys = member.get("/api/v1/keys").json();
                assert_eq!(keys["keys"][0]["state"], "active", "{what}");
            }
            oracle::settled(&world);
            played += 1;
        }
    }
    println!("counted: {played} scenarios of a terminal's question cut or failed");
}

#[test]
fn a_decision_whose_answer_was_lost_is_told_as_it_is() {
    for (decide, expected) in [
        (approves as fn(&Browser<'_>, &str) -> Response, "approved"),
        (denies, "denied"),
    ] {
        let names = {
            let world = World::new();
            let member = Browser::signed_in(&world, "member");
            let begun = Terminal::new(&world).begins();
            world.effects.plan(&[]);
            assert_eq!(decide(&member, &begun.user_code).status, 200);
            world.effects.names()
        };
        for k in 0..names.len() {
            for fate in [Fate::LostBefore, Fate::LostAfter, Fate::Late] {
                let world = World::new();
                let member = Browser::signed_in(&world, "member");
                let begun = Terminal::new(&world).begins();
                world.effects.plan(&[(k, fate)]);
                decide(&member, &begun.user_code);
                world.effects.plan(&[]);
                let again = decide(&member, &begun.user_code);
                assert!(
                    again.status == 200 || again.code() == "device_decided",
                    "{again:?}"
                );
                world.effects.land();
                assert_eq!(state(&world), expected, "{k} {fate:?}");
                assert_eq!(
                    looks_up(&member, &begun.user_code).json()["grant"]["state"],
                    expected
                );
            }
        }
    }
}

#[test]
fn a_beginning_whose_answer_was_lost_begins_once() {
    for fate in [Fate::LostBefore, Fate::LostAfter] {
        let world = World::new();
        let terminal = Terminal::new(&world);
        world.effects.plan(&[(0, fate)]);
        let begun = terminal.begins();
        assert_eq!(world.db.number("SELECT COUNT(*) FROM device_grants"), 1);
        assert_eq!(error(&terminal.asks(&begun)), "authorization_pending");
    }
}

#[test]
fn a_question_that_is_repeated_for_a_lost_answer_is_not_too_early() {
    for fate in [Fate::LostBefore, Fate::LostAfter] {
        let world = World::new();
        let terminal = Terminal::new(&world);
        let begun = terminal.begins();
        world.effects.plan(&[(0, fate)]);
        assert_eq!(
            error(&terminal.asks(&begun)),
            "authorization_pending",
            "{fate:?}"
        );
        assert_eq!(
            world.db.number("SELECT interval_secs FROM device_grants"),
            5
        );
    }
}

#[test]
fn an_outcome_that_is_not_known_is_not_told_as_a_failure() {
    for (kind, status, oauth, code, later) in [
        (
            "reset_after",
            503,
            "temporarily_unavailable",
            "claim_unknown",
            "device_redeemed",
        ),
        (
            "reset_before",
            503,
            "temporarily_unavailable",
            "claim_unknown",
            "device_redeemed",
        ),
        (
            "rate_limited",
            503,
            "temporarily_unavailable",
            "openrouter_busy",
            "device_failed",
        ),
    ] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let terminal = Terminal::new(&world);
        let begun = approved(&terminal, &member);
        world.add_fault("openrouter.keys.create", kind, json!({}));
        let answer = terminal.asks(&begun);
        assert_eq!(
            (answer.status, error(&answer), answer.code()),
            (status, String::from(oauth), String::from(code)),
            "{kind}"
        );
        world.pass(5);
        assert_eq!(terminal.asks(&begun).code(), later, "{kind}");
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::settled(&world);
    }
}
