//! The usage sync is cut at each of its effects, and two runs of it meet.

use super::*;
use crate::support::{Fate, TEN_MINUTES};

/// A night before which three keys were used on two days.
fn before_a_night() -> World {
    let world = World::new();
    for n in 0..3_i64 {
        let (_, key) = holder(&world, &format!("load-{n}"));
        let hash = hash_of(&world, &key);
        uses(&world, &hash, "a/first", 1_000 + n, 0);
        uses(&world, &hash, "b/second", 10 + n, -DAY);
    }
    night(&world);
    to_next_night(&world);
    world
}

fn state(world: &World) -> (Vec<String>, Vec<String>, i64) {
    let explained = world
        .db
        .texts("SELECT explained_nano FROM generations ORDER BY id");
    let through = world.db.number("SELECT usage_through FROM settings");
    (rows(world), explained, through)
}

#[test]
fn a_run_that_dies_at_any_point_is_continued_with_the_same_totals() {
    let world = before_a_night();
    let (whole, count) = {
        let world = world.forked();
        world.effects.plan(&[]);
        synced(&world);
        (state(&world), world.effects.count())
    };
    assert_eq!(whole.0.len(), 6);
    let mut tried = 0;
    for k in 0..count {
        for fate in [
            Fate::CutBefore,
            Fate::CutAfter,
            Fate::LostBefore,
            Fate::LostAfter,
            Fate::RefusedBefore,
        ] {
            let world = world.forked();
            world.effects.plan(&[(k, fate)]);
            let ended = world.sync_usage();
            world.effects.plan(&[]);
            // What is shown meanwhile is a whole day or none of it.
            for of_day in world.db.texts("SELECT SUM(u.cost_nano) FROM usage_days u JOIN usage_days_read d ON d.day = u.day AND d.shown = u.revision GROUP BY u.day") {
                assert!(["3003", "33"].contains(&of_day.as_str()), "{k} {fate:?}: {of_day}");
            }
            // A dead run holds its lease for a while; a run that failed is continued by the next tick.
            for _ in 0..2 {
                world.pass(TEN_MINUTES);
                assert!(world.tick(), "{k} {fate:?} {ended}");
            }
            if state(&world) != whole {
                // Nothing was written down of the run: the next night has it.
                to_next_night(&world);
                synced(&world);
            }
            let (rows, explained, _) = state(&world);
            assert_eq!(
                (rows, explained),
                (whole.0.clone(), whole.1.clone()),
                "{k} {fate:?}"
            );
            tried += 1;
        }
    }
    println!(
        "counted: {tried} ways in which a night's usage sync was interrupted, at {count} effects"
    );
}

#[test]
fn two_runs_at_once_leave_the_totals_of_one() {
    let world = before_a_night();
    let (whole, count) = {
        let world = world.forked();
        world.effects.plan(&[]);
        synced(&world);
        (state(&world), world.effects.count())
    };
    for k in 0..count {
        let world = world.copied();
        world.effects.plan(&[(k, Fate::HeldBefore)]);
        let service = world.service();
        let now = world.now();
        let mut first = Box::pin(keycap::jobs::run(
            service.app(),
            keycap::jobs::AFTER_MIDNIGHT,
            now,
        ));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let is_held = first.as_mut().poll(&mut context).is_pending();
        world.effects.plan(&[]);
        // The first run counts as dead by now, and another one does the night.
        world.pass(TEN_MINUTES);
        assert!(world.sync_usage());
        let by_the_second = state(&world);
        if is_held {
            assert!(first.as_mut().poll(&mut context).is_ready(), "{k}");
        }
        assert_eq!(
            (by_the_second.0, by_the_second.1),
            (whole.0.clone(), whole.1.clone()),
            "{k}"
        );
        let after = state(&world);
        assert_eq!(
            (after.0, after.1),
            (whole.0.clone(), whole.1.clone()),
            "{k}"
        );
    }
}
