//! Leavers with keys and sessions, while something breaks: the run itself at any of its effects, or OpenRouter for a day.

use keycap::domain::time::Timestamp;
use serde_json::json;

use super::company::{ended, gone_logins, night, organize, with_organization};
use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

const OPERATOR: u64 = 1_000_001;
const MEMBER: u64 = 1_000_100;
const SECOND: u64 = 1_000_101;

/// Two members with keys, of whom the first has left, one night ago.
fn leaving() -> (World, Cookies) {
    let everybody: Vec<u64> = [OPERATOR, MEMBER, SECOND]
        .into_iter()
        .chain(1..60)
        .collect();
    let world = with_organization(&everybody);
    Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    assert_eq!(Browser::signed_in(&world, "second").claim().status, 201);
    assert_eq!(night(&world), "done first_look");
    let left: Vec<u64> = everybody.into_iter().filter(|id| *id != MEMBER).collect();
    organize(&world, &left, &[]);
    assert_eq!(night(&world), "done");
    assert_eq!(world.usable().len(), 2);
    let cookies = member.cookies.borrow().clone();
    (world, cookies)
}

/// The names of the keys that work.
fn working(world: &World) -> Vec<String> {
    let keys = world.usable();
    keys.iter().map(|key| key.name.clone()).collect()
}

#[test]
fn from_the_moment_of_the_block_a_live_session_can_do_nothing_and_the_key_dies_with_the_next_sweep()
{
    let (world, cookies) = leaving();
    let others = working(&world)[1].clone();
    assert_eq!(
        Browser::with(&world, &cookies).get("/api/v1/me").status,
        200
    );
    assert_eq!(night(&world), "done");
    let member = Browser::with(&world, &cookies);
    for (method, path, body) in [
        ("GET", "/api/v1/me", ""),
        ("GET", "/api/v1/keys", ""),
        ("POST", "/api/v1/claim", r#"{"accept_terms":1}"#),
        ("POST", "/api/v1/keys", "{}"),
        ("POST", "/api/v1/me/sign-out-everywhere", "{}"),
    ] {
        let response = match method {
            "GET" => member.get(path),
            _ => member.post(path, body),
        };
        assert!(
            [401, 403].contains(&response.status),
            "{method} {path}: {response:?}"
        );
    }
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(working(&world), std::slice::from_ref(&others));
    // A member who comes back is refused until an administrator reinstates them, and the old key stays disabled.
    let back = Browser::new(&world);
    assert!(
        back.sign_in("member")
            .header("location")
            .contains("auth_error=blocked")
    );
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(operator.set_status("member", "active").status, 200);
    let member = Browser::signed_in(&world, "member");
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        assert!(world.tick());
    }
    assert_eq!(working(&world), [others]);
    assert_eq!(member.claim().status, 201);
    assert_eq!(world.usable().len(), 2);
    oracle::settled(&world);
}

#[test]
fn a_separate_block_outlives_the_reinstatement() {
    let (world, _) = leaving();
    night(&world);
    let operator = Browser::signed_in(&world, "operator");
    let body = json!({ "provider": "github", "subject": MEMBER.to_string() }).to_string();
    assert_eq!(operator.post("/api/v1/admin/blocks", &body).status, 200);
    assert_eq!(operator.set_status("member", "active").status, 200);
    let member = Browser::signed_in(&world, "member");
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(member.claim().outcome(), "403 blocked");
}

#[test]
fn a_run_that_breaks_at_any_effect_is_finished_and_puts_out_exactly_the_leaver() {
    let (world, _) = leaving();
    let second = working(&world)[1].clone();
    let effects = {
        let fork = world.forked();
        fork.effects.plan(&[]);
        let at = next_night(&fork);
        fork.pass(at.since(fork.now()));
        let service = fork.service();
        fork.run(keycap::jobs::offboard::run(service.app(), at))
            .unwrap();
        assert_eq!(gone_logins(&fork), ["member"]);
        fork.effects.count()
    };
    let mut played = 0;
    for k in 0..effects {
        for fate in Fate::ALL {
            let fork = world.forked();
            let at = next_night(&fork);
            fork.pass(at.since(fork.now()));
            fork.effects.plan(&[(k, fate)]);
            let service = fork.service();
            let _ = fork.run(keycap::jobs::offboard::run(service.app(), at));
            fork.effects.plan(&[]);
            // The next ten-minute triggers continue what was cut, and another night does what had to be given up.
            for _ in 0..2 {
                fork.pass(TEN_MINUTES);
                assert!(fork.tick(), "{k} {fate:?}");
                oracle::always(&fork);
            }
            if gone_logins(&fork).is_empty() {
                night(&fork);
                fork.pass(TEN_MINUTES);
                assert!(fork.tick());
            }
            assert_eq!(gone_logins(&fork), ["member"], "{k} {fate:?}");
            assert_eq!(
                working(&fork),
                std::slice::from_ref(&second),
                "{k} {fate:?}"
            );
            played += 1;
        }
    }
    println!("counted: {played} ways in which a run of offboarding broke");
}

fn next_night(world: &World) -> Timestamp {
    let today = world.now().secs().div_euclid(86_400) * 86_400;
    Timestamp::from_secs(today + 86_400 + 3 * 3_600)
}

#[test]
fn two_runs_at_once_are_one() {
    let (world, _) = leaving();
    let at = next_night(&world);
    world.pass(at.since(world.now()));
    // The first run dies in the middle. Until its lease ends, nobody begins another.
    world.effects.plan(&[(6, Fate::CutBefore)]);
    let service = world.service();
    assert!(
        world
            .run(keycap::jobs::offboard::run(service.app(), at))
            .is_none()
    );
    world.effects.plan(&[]);
    let operator = Browser::signed_in(&world, "operator");
    let body = json!({ "dry_run": false }).to_string();
    let again = operator.post("/api/v1/admin/jobs/offboard", &body);
    assert_eq!(again.outcome(), "409 job_under_way");
    let service = world.service();
    world
        .run(keycap::jobs::offboard::run(service.app(), at))
        .unwrap();
    assert_eq!(gone_logins(&world), [""; 0]);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(
        (ended(&world), gone_logins(&world)),
        ("done".into(), vec!["member".into()])
    );
}

#[test]
fn with_openrouter_down_for_a_day_the_leavers_key_is_dead_within_two_runs_of_its_recovery() {
    let (world, _) = leaving();
    let second = working(&world)[1].clone();
    for operation in ["update", "delete", "get", "list"] {
        let operation = format!("openrouter.keys.{operation}");
        world.add_fault(
            &operation,
            "error_before",
            json!({ "status": 503, "times": 0 }),
        );
    }
    night(&world);
    assert_eq!(gone_logins(&world), ["member"]);
    for _ in 0..24 {
        world.pass(3_600);
        assert!(world.tick());
    }
    assert_eq!(world.usable().len(), 2, "OpenRouter is down");
    world.sandbox.borrow_mut().clear_faults();
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.tick());
    }
    assert_eq!(working(&world), [second]);
    oracle::settled(&world);
}
