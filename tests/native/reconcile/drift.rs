//! A key that differs from its record: what is put right, and what is only reported.

use serde_json::json;

use super::{OFF, by_hand, counts, holder, kinds, reconciled};
use crate::support::{TEN_MINUTES, World, oracle};

#[test]
fn a_key_that_agrees_is_no_drift_and_keys_of_others_are_only_counted() {
    let world = World::new();
    holder(&world, "member");
    holder(&world, "second");
    world.somebodys_keys(3);
    world.workspace();
    let counts = reconciled(&world);
    let of = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((of("ours"), of("others"), of("workspaces")), (2, 3, 2));
    assert_eq!(
        (of("drift"), of("missing"), of("strays"), of("errors")),
        (0, 0, 0, 0)
    );
    assert_eq!(kinds(&world).len(), 0);
    assert_eq!(world.calls("openrouter.keys.update"), 0);
    assert_eq!(world.calls("openrouter.keys.delete"), 0);
}

#[test]
fn a_key_that_someone_else_enabled_is_disabled_again() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    assert_eq!(member.patch(&key, OFF).status, 200);
    by_hand(&world, &json!({ "disabled": false }));
    let counts = reconciled(&world);
    assert_eq!(
        (&counts["drift"], &counts["mended"], &counts["kept"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(kinds(&world), ["disabled"]);
    assert_eq!(world.usable().len(), 1, "not by the comparison itself");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 0, "as its holds want it");
    assert_eq!(reconciled(&world)["drift"], 0);
    assert_eq!(kinds(&world).len(), 0, "closed when gone");
}

#[test]
fn a_limit_that_someone_else_raised_is_lowered_again() {
    // It also holds for a key whose limit is due anyway: what an earlier generation spent on that day stays subtracted.
    for capped in [false, true] {
        for elsewhere in [json!(50), json!(null)] {
            let world = World::new();
            let (member, key) = holder(&world, "member");
            if capped {
                world.spends(1.0);
                assert_eq!(member.post(&format!("{key}/rotate"), "{}").status, 201);
                for _ in 0..2 {
                    world.pass(TEN_MINUTES);
                    assert!(world.sweep());
                }
            }
            let (hash, limit) = (world.usable()[0].hash.clone(), world.usable()[0].limit);
            let changed = json!({ "limit": elsewhere });
            world.by_hand("PATCH", &format!("/keys/{hash}"), &changed);
            world.pass(TEN_MINUTES);
            assert!(world.reconcile());
            assert_eq!(counts(&world)["mended"], 1);
            assert_ne!(
                world.usable()[0].limit,
                limit,
                "not by the comparison itself"
            );
            assert!(world.sweep());
            assert_eq!(world.usable()[0].limit, limit, "{elsewhere} {capped}");
            assert_eq!(reconciled(&world)["drift"], 0);
            oracle::settled(&world);
        }
    }
}

#[test]
fn a_limit_changed_elsewhere_is_sent_again_and_other_differences_are_reported() {
    for (change, kind, due) in [
        (json!({ "limit": 50 }), "limit", 1),
        (json!({ "limit": null }), "limit", 1),
        (json!({ "limit_reset": "monthly" }), "limit_reset", 0),
        (json!({ "include_byok_in_limit": false }), "byok", 0),
        (json!({ "name": "somebody renamed it" }), "name", 0),
    ] {
        let world = World::new();
        let (_, _) = holder(&world, "member");
        by_hand(&world, &change);
        let before = world
            .db
            .text("SELECT quote(state) || quote(switch_doubted_at) || limit_nano FROM generations");
        for first in [true, false] {
            world.pass(TEN_MINUTES);
            assert!(world.reconcile());
            let counts = counts(&world);
            assert_eq!(
                (&counts["ours"], &counts["drift"]),
                (&json!(1), &json!(1)),
                "{change}"
            );
            assert_eq!(kinds(&world), [kind], "{change} {first}");
        }
        let seen = "SELECT last_seen_at - first_seen_at FROM drift";
        assert_eq!(world.db.number(seen), TEN_MINUTES);
        assert_eq!(
            world
                .db
                .number("SELECT COUNT(*) FROM generations WHERE cap_due_at IS NOT NULL"),
            due,
            "{change}"
        );
        assert_eq!(
            world.db.text(
                "SELECT quote(state) || quote(switch_doubted_at) || limit_nano FROM generations"
            ),
            before
        );
        // The key gets its own settings back, so that the oracle can compare.
        let is = json!({ "limit": 5, "limit_reset": "daily", "include_byok_in_limit": true,
            "name": world.db.text("SELECT upstream_name FROM generations") });
        by_hand(&world, &is);
        assert_eq!(reconciled(&world)["drift"], 0);
        assert_eq!(kinds(&world).len(), 0);
    }
}

#[test]
fn strays_of_any_age_are_deleted_and_marked_keys_without_a_row_are_disabled() {
    let world = World::new();
    holder(&world, "member");
    let name = world.marker_without_row(1);
    // The stray is older than the time on which a sweep looks back.
    world.db.run("INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, ended_at, outcome)
        VALUES ('run_t', 'sweep', 9999999999, 1, 1, 1, 'done')");
    let counts = reconciled(&world);
    assert_eq!(
        (&counts["strays"], &counts["quarantined"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        world
            .db
            .texts("SELECT upstream_name FROM findings WHERE disabled_at IS NOT NULL"),
        [name]
    );
}

#[test]
fn a_change_under_way_or_an_ended_key_is_no_drift() {
    for (sql, change) in [
        (
            "UPDATE generations SET switch_doubted_at = 1",
            json!({ "disabled": true }),
        ),
        (
            "UPDATE generations SET limit_sent_nano = 4000000000, limit_sent_at = 1",
            json!({ "limit": 4 }),
        ),
        (
            "UPDATE generations SET expires_at = created_at + 1",
            json!({ "disabled": true }),
        ),
    ] {
        let world = World::new();
        holder(&world, "member");
        world.db.run(sql);
        by_hand(&world, &change);
        assert_eq!(reconciled(&world)["drift"], 0, "{sql}");
    }
}

#[test]
fn a_key_that_is_enabled_after_its_end_is_reported_and_disabled() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    world.spends(1.0);
    assert_eq!(member.delete(&key).status, 200);
    by_hand(&world, &json!({ "disabled": false }));
    let updates = world.calls("openrouter.keys.update");
    world.pass(TEN_MINUTES);
    assert!(world.reconcile_dry());
    assert_eq!(kinds(&world), ["on_after_end"]);
    assert_eq!(
        world.calls("openrouter.keys.update"),
        updates,
        "one that only looks"
    );
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    assert_eq!(kinds(&world), ["on_after_end"]);
    assert_eq!(world.usable().len(), 0);
    let drift = reconciled(&world)["drift"].clone();
    assert_eq!(
        (kinds(&world).as_slice(), drift),
        (&[][..] as &[String], json!(0))
    );
}
