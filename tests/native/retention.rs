//! Sign-ins and changes of limits are deleted from the audit once they are old. All other rows stay for ever, and the
//! nightly job deletes nothing else.

use crate::caps::{spends, sweeps};
use crate::support::{Browser, TEN_MINUTES, World, oracle};

const DAY: i64 = 86_400;
const PRUNED: &str = "SELECT json_extract(counts, '$.audit_pruned') FROM runs WHERE job = 'reconcile' ORDER BY id DESC LIMIT 1";

fn rows(world: &World, what: &str) -> i64 {
    world
        .db
        .number(&format!("SELECT COUNT(*) FROM audit WHERE {what}"))
}

fn night(world: &World) -> i64 {
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert!(world.reconcile());
    assert_eq!(world.last_run(), "done");
    world.db.number(PRUNED)
}

#[test]
fn sign_ins_and_changes_of_limits_are_deleted_after_four_hundred_days_and_nothing_else_is() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    member.sign_in("member");
    spends(&world, 1.0);
    let key = world.db.text("SELECT public_id FROM keys");
    let own = format!("/api/v1/keys/{key}/limit");
    assert_eq!(member.post(&own, r#"{"limit_usd":"2"}"#).status, 200);
    assert_eq!(
        member
            .patch(&format!("/api/v1/keys/{key}"), r#"{"name":"mine"}"#)
            .status,
        200
    );
    let old = rows(&world, "action IN ('signed_in', 'cap_changed')");
    assert!(rows(&world, "action = 'signed_in'") > 0 && rows(&world, "action = 'cap_changed'") > 0);
    let others = rows(&world, "action NOT IN ('signed_in', 'cap_changed')");
    world.pass(399 * DAY);
    assert_eq!(night(&world), 0);
    assert_eq!(rows(&world, "action = 'audit_pruned'"), 0, "nothing to say");
    let later = Browser::signed_in(&world, "second");
    later.sign_in("second");
    world.pass(2 * DAY);
    let ended = rows(&world, "action NOT IN ('signed_in', 'cap_changed')") - others;
    let response = Browser::signed_in(&world, "operator")
        .post("/api/v1/admin/jobs/reconcile", r#"{"dry_run":true}"#);
    assert_eq!(response.status, 202, "{response:?}");
    assert_eq!(
        rows(&world, "action = 'audit_pruned'"),
        0,
        "a dry run deletes nothing"
    );
    let before = rows(&world, "action NOT IN ('signed_in', 'cap_changed')");
    assert!(before > others + ended);
    assert_eq!(night(&world), old);
    assert_eq!(
        rows(
            &world,
            "action NOT IN ('signed_in', 'cap_changed', 'audit_pruned')"
        ),
        before
    );
    assert!(
        rows(&world, "action = 'signed_in'") > 0,
        "those of the last days stay"
    );
    assert_eq!(rows(&world, "action = 'audit_pruned'"), 1);
    assert_eq!(night(&world), 0);
    oracle::settled(&world);
}

#[test]
fn an_idle_database_is_not_taken_for_a_restored_one_once_its_last_row_is_old() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.pass(60);
    member.sign_in("member");
    assert_eq!(rows(&world, "action = 'signed_in'"), 1);
    sweeps(&world, 1);
    world.pass(500 * DAY);
    for _ in 0..3 {
        night(&world);
    }
    assert_eq!(world.db.text("SELECT restore FROM settings"), "none");
    assert_eq!(
        rows(&world, "action = 'signed_in'"),
        1,
        "by it the database is known"
    );
}

#[test]
fn the_setting_says_how_long_rows_are_retained_and_the_start_page_says_so() {
    let world = World::new();
    let start_page = |world: &World| Browser::new(world).get("/").body;
    assert!(
        start_page(&world)
            .contains("sign-ins and changes of limits for 400 days, the rest for good")
    );
    world.set("AUDIT_RETENTION_DAYS", "30");
    assert!(start_page(&world).contains("for 30 days, the rest for good"));
    let member = Browser::signed_in(&world, "member");
    member.sign_in("member");
    let other = Browser::signed_in(&world, "second");
    assert_eq!(other.claim().status, 201);
    world.pass(31 * DAY);
    assert_eq!(night(&world), 1);
}

#[test]
fn many_old_rows_are_deleted_a_limited_number_a_night() {
    let world = World::new();
    world.db.run(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10600)
         INSERT INTO audit (change_id, target, action, actor, at)
         SELECT 'old-' || i, 'mem_' || i, 'signed_in', 'mem_' || i, 1000 FROM n",
    );
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    assert_eq!(night(&world), 10_000);
    assert_eq!(night(&world), 600);
    assert_eq!(night(&world), 0);
}

#[test]
fn the_database_deletes_only_audit_rows_that_the_settings_allow() {
    let row = |action: &str, at: i64| {
        format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('{action}{at}', 'mem_x', '{action}', 't', {at});"
        )
    };
    let rows = row("signed_in", 1000)
        + &row("cap_changed", 2000)
        + &row("member_created", 1500)
        + &row("key_renamed", 9_000_000);
    let pruned = |change: &str, action: &str| {
        format!(
            "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('{change}', 'settings', '{action}', 't', 5000000);"
        )
    };
    let since = |change: &str, since: i64| {
        format!("UPDATE settings SET audit_since = {since}, change_id = '{change}';")
    };
    let ready = rows.clone() + &pruned("p", "audit_pruned") + &since("p", 1800);
    for (sql, refused) in [
        (ready.clone() + "DELETE FROM audit WHERE at = 1000", None),
        (
            ready.clone() + "DELETE FROM audit WHERE at = 2000",
            Some("append-only"),
        ),
        (
            ready.clone() + "DELETE FROM audit WHERE at = 1500",
            Some("append-only"),
        ),
        (
            ready.clone() + "DELETE FROM audit WHERE action = 'audit_pruned'",
            Some("append-only"),
        ),
        (
            rows.clone() + "DELETE FROM audit WHERE at = 1000",
            Some("append-only"),
        ),
        (rows.clone() + &since("p", 1800), Some("unaudited")),
        (
            rows.clone() + &pruned("p", "claims_switched") + &since("p", 1800),
            Some("unaudited"),
        ),
        (
            rows.clone()
                + &pruned("p", "audit_pruned")
                + &pruned("q", "audit_pruned")
                + &since("p", 1800),
            Some("unaudited"),
        ),
        (
            rows.clone() + &pruned("p", "audit_pruned") + &since("p", 5_000_000 - 30 * DAY + 1),
            Some("unaudited"),
        ),
        (
            rows.clone() + &pruned("p", "audit_pruned") + &since("p", 5_000_000 - 30 * DAY),
            None,
        ),
        // The row to delete is the newest row of all.
        (
            rows + &row("signed_in", 1001)
                + &pruned("p", "audit_pruned")
                + &since("p", 1800)
                + "DELETE FROM audit WHERE at = 1001",
            Some("append-only"),
        ),
    ] {
        let world = World::new();
        let response = world.db.connection().borrow().execute_batch(&sql);
        match refused {
            None => assert_eq!(response, Ok(()), "{sql}"),
            Some(word) => assert!(response.unwrap_err().to_string().contains(word), "{sql}"),
        }
    }
}
