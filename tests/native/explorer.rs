//! The explorer: every pair of operations, the first cut, failed in both forms, held or made to land late at each of its
//! effects, the second run to its end meanwhile, then recovery. Operations and stages are lists: adding one adds all of
//! its pairs.
//!
//! `npm test` runs a part of them, chosen by their number; `KEYCAP_SCALE=25` runs them all. A failing scenario
//! prints its name, and `KEYCAP_SCENARIO=<name>` runs it alone.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use keycap::http::Body;
use serde_json::json;

use crate::support::browser::Told;
use crate::support::world::ORIGIN;
use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

/// One of this many scenarios runs by default.
const PART: usize = 25;

const FATES: [Fate; 7] = [
    Fate::CutBefore,
    Fate::CutAfter,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::Late,
    Fate::HeldBefore,
    Fate::HeldAfter,
];

/// Who acts.
#[derive(Clone)]
pub struct Cast {
    pub member: Cookies,
    pub second: Cookies,
    pub operator: Cookies,
}

/// An operation on its way.
type Act = Pin<Box<dyn Future<Output = Option<Told>>>>;

/// How an operation starts.
type Start = fn(&World, &Cast) -> Act;

const OPERATIONS: [(&str, Start); 9] = [
    ("claim", |w, c| post(w, &c.member, "/api/v1/claim", "{}")),
    ("claim by another", |w, c| {
        post(w, &c.second, "/api/v1/claim", "{}")
    }),
    ("sweep", |w, _| {
        let (service, now) = (w.service(), w.now());
        Box::pin(async move {
            keycap::jobs::run(service.app(), keycap::jobs::EVERY_TEN_MINUTES, now).await;
            None
        })
    }),
    ("sign out everywhere", |w, c| {
        post(w, &c.member, "/api/v1/me/sign-out-everywhere", "{}")
    }),
    ("stop", |w, c| switch(w, c, r#"{"minting":"stopped"}"#)),
    ("open", |w, c| switch(w, c, r#"{"minting":"open"}"#)),
    ("off", |w, c| switch(w, c, r#"{"keys":"off","confirm":9}"#)),
    ("on", |w, c| switch(w, c, r#"{"keys":"on"}"#)),
    ("list keys", |w, c| {
        call(w, &c.member, "GET", "/api/v1/keys", Body::Empty)
    }),
];

fn post(world: &World, who: &Cookies, target: &str, body: &str) -> Act {
    call(world, who, "POST", target, Body::Bytes(body.into()))
}

fn switch(world: &World, cast: &Cast, body: &str) -> Act {
    let body = Body::Bytes(body.into());
    call(
        world,
        &cast.operator,
        "PATCH",
        "/api/v1/admin/settings",
        body,
    )
}

fn call(world: &World, who: &Cookies, method: &str, target: &str, body: Body) -> Act {
    let cookies: Vec<String> = who.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{ORIGIN}{target}"))
        .header("origin", ORIGIN)
        .header("content-type", "application/json")
        .header("cookie", cookies.join("; "))
        .body(body)
        .unwrap();
    let service = world.service();
    Box::pin(async move { Some(service.answer(request).await) })
}

/// How a world comes to a stage.
type Prepare = fn(&World, &Cast);

/// Where a pair begins.
const STAGES: [(&str, Prepare); 6] = [
    ("fresh", |_, _| {}),
    ("holder", |w, c| claims(w, &c.member, 201)),
    ("doubtful", |w, c| {
        w.add_fault("openrouter.keys.create", "reset_after", json!({}));
        claims(w, &c.member, 503);
    }),
    ("revoking", |w, c| {
        w.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
        w.add_fault(
            "openrouter.keys.delete",
            "error_before",
            json!({ "times": 3 }),
        );
        claims(w, &c.member, 502);
    }),
    ("switched off", |w, c| {
        claims(w, &c.member, 201);
        done(switch(w, c, r#"{"keys":"off","confirm":9}"#));
    }),
    ("expired", |w, c| {
        claims(w, &c.member, 201);
        w.pass(90 * 86_400);
    }),
];

fn claims(world: &World, who: &Cookies, status: u16) {
    let told = done(post(world, who, "/api/v1/claim", "{}"));
    assert_eq!(told.unwrap().status, status);
}

fn done(mut act: Act) -> Option<Told> {
    match step(&mut act) {
        Poll::Ready(told) => told,
        Poll::Pending => panic!("nothing holds it"),
    }
}

fn step(act: &mut Act) -> Poll<Option<Told>> {
    act.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// The world at a stage, with fresh sessions.
fn stage(prepare: Prepare) -> (World, Cast) {
    let world = World::new();
    let cast = signed_in(&world);
    prepare(&world, &cast);
    world.pass(TEN_MINUTES);
    let cast = signed_in(&world);
    (world, cast)
}

pub fn signed_in(world: &World) -> Cast {
    let cookies = |persona| Browser::signed_in(world, persona).cookies.take();
    Cast {
        member: cookies("member"),
        second: cookies("second"),
        operator: cookies("operator"),
    }
}

/// What follows: sweeps, a retry of everything, or both.
pub fn recover(world: &World, how: usize) {
    world.effects.plan(&[]);
    let retry = |world: &World| {
        let cast = signed_in(world);
        for who in [&cast.member, &cast.second] {
            let told = done(post(world, who, "/api/v1/claim", "{}")).unwrap();
            assert!(told.status < 500 || told.status == 503, "{told:?}");
        }
        oracle::always(world);
    };
    if how != 0 {
        retry(world);
    }
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
    if how == 2 {
        retry(world);
    }
    // Doubts of a switch end five minutes after it was sent.
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    oracle::settled(world);
}

/// Whoever may claim ends with one working key.
pub fn all_is_well(world: &World) {
    let cast = signed_in(world);
    done(switch(world, &cast, r#"{"keys":"on"}"#));
    done(switch(world, &cast, r#"{"minting":"open"}"#));
    world.pass(86_400);
    assert!(world.sweep());
    let cast = signed_in(world);
    for who in [&cast.member, &cast.second] {
        let told = done(post(world, who, "/api/v1/claim", "{}")).unwrap();
        assert!([200, 201].contains(&told.status), "{told:?}");
    }
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    oracle::settled(world);
    let active = world
        .db
        .number("SELECT COUNT(*) FROM generations WHERE state = 'active'");
    assert_eq!(world.usable().len(), usize::try_from(active).unwrap());
    assert!(active >= 2);
}

/// One scenario, named so that it can be found again.
struct Scenario {
    stage: usize,
    first: usize,
    k: usize,
    fate: Fate,
    second: usize,
    recovery: usize,
}

impl Scenario {
    fn name(&self) -> String {
        format!(
            "{} / {} / {} {:?} / {} / {}",
            STAGES[self.stage].0,
            OPERATIONS[self.first].0,
            self.k,
            self.fate,
            OPERATIONS[self.second].0,
            self.recovery
        )
    }

    fn run(&self, start: &World, cast: &Cast) {
        let world = start.copied();
        world.effects.plan(&[(self.k, self.fate)]);
        let mut first = OPERATIONS[self.first].1(&world, cast);
        let held = step(&mut first).is_pending();
        oracle::always(&world);
        world.effects.plan(&[]);
        done(OPERATIONS[self.second].1(&world, cast));
        oracle::always(&world);
        if held && matches!(self.fate, Fate::HeldBefore | Fate::HeldAfter) {
            assert!(step(&mut first).is_ready(), "let go, it goes on to its end");
        }
        drop(first);
        oracle::always(&world);
        world.effects.land();
        oracle::always(&world);
        recover(&world, self.recovery);
        all_is_well(&world);
    }
}

fn scenarios() -> impl Iterator<Item = (Scenario, std::rc::Rc<(World, Cast)>)> {
    (0..STAGES.len()).flat_map(|stage_number| {
        let start = std::rc::Rc::new(stage(STAGES[stage_number].1));
        (0..OPERATIONS.len()).flat_map(move |first| {
            let start = start.clone();
            let dry = start.0.copied();
            dry.effects.plan(&[]);
            done(OPERATIONS[first].1(&dry, &start.1));
            let effects = dry.effects.count();
            (0..effects).flat_map(move |k| {
                let start = start.clone();
                FATES.into_iter().flat_map(move |fate| {
                    let start = start.clone();
                    (0..OPERATIONS.len()).map(move |second| {
                        let recovery = (first + k + second) % 3;
                        let scenario = Scenario {
                            stage: stage_number,
                            first,
                            k,
                            fate,
                            second,
                            recovery,
                        };
                        (scenario, start.clone())
                    })
                })
            })
        })
    })
}

#[test]
fn x0_every_pair_of_operations_keeps_every_promise_whatever_becomes_of_the_first() {
    let scale: usize = std::env::var("KEYCAP_SCALE")
        .ok()
        .and_then(|scale| scale.parse().ok())
        .unwrap_or(1);
    let only = std::env::var("KEYCAP_SCENARIO").ok();
    let (mut ran, mut all) = (0, 0);
    for (scenario, start) in scenarios() {
        all += 1;
        let name = scenario.name();
        // A prime step, so that no list's own period decides which are left out.
        let chosen = match &only {
            Some(only) => *only == name,
            None => (all * 7919) % PART < scale.min(PART),
        };
        if !chosen {
            continue;
        }
        ran += 1;
        let run = std::panic::AssertUnwindSafe(|| scenario.run(&start.0, &start.1));
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("failed: KEYCAP_SCENARIO='{name}'");
            std::panic::resume_unwind(panic);
        }
    }
    println!("{ran} of {all} scenarios of pairs");
    assert!(ran > 0, "no scenario of that name");
}
