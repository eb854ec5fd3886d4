//! What may be done in a sequence: by a member, by an admin, by upstream, by time. Each may be refused; one whose route is
//! not there is left out.

use keycap::http::Body;
use sandbox::{Period, Spent, Usd};
use serde_json::json;

use super::{Dice, Play};
use crate::explorer::call;
use crate::support::browser::CLAIM;
use crate::support::{Browser, Cookies, World};

pub struct Operation {
    pub name: &'static str,
    /// The route without which there is no such operation.
    pub route: Option<(&'static str, &'static str)>,
    /// How often it is done.
    pub weight: usize,
    pub run: fn(&mut Play, &mut Dice),
}

macro_rules! operations {
    ($($name:literal $weight:literal $(at $method:literal $path:literal)?, $run:expr;)*) => {
        pub static OPERATIONS: &[Operation] = &[$(Operation {
            name: $name,
            route: operations!(@route $($method $path)?),
            weight: $weight,
            run: $run,
        }),*];
    };
    (@route) => { None };
    (@route $method:literal $path:literal) => { Some(($method, $path)) };
}

operations! {
    "claim" 8, |p, _| { by_member(p, "POST", "/api/v1/claim", CLAIM); };
    "spend" 8, |p, d| spend(p, d, 1);
    "spend a lot" 4, |p, d| spend(p, d, 6);
    "spend all" 6, spend_all;
    "put off" 2, |p, d| key_of_member(p, d, "PATCH", "", r#"{"disabled":true}"#);
    "put on" 3, |p, d| key_of_member(p, d, "PATCH", "", r#"{"disabled":false}"#);
    "delete" 3, |p, d| key_of_member(p, d, "DELETE", "", "{}");
    // What whoever wants more than is theirs would try first.
    "delete, claim and spend" 6, |p, d| {
        key_of_member(p, d, "DELETE", "", "{}");
        by_member(p, "POST", "/api/v1/claim", CLAIM);
        spend_all(p, d);
    };
    // X9: one of two clocks has another day.
    "the same over midnight" 2, |p, d| {
        let now = p.world.now_ms.get();
        p.pass((Period::Daily.end(now) - now) / 1000 - 20);
        spend_all(p, d);
        key_of_member(p, d, "DELETE", "", "{}");
        p.pass(30);
        by_member(p, "POST", "/api/v1/claim", CLAIM);
        spend_all(p, d);
    };
    "refresh" 1, |p, _| { by_member(p, "POST", "/api/v1/keys/refresh", "{}"); };
    "sign out everywhere" 1, |p, _| { by_member(p, "POST", "/api/v1/me/sign-out-everywhere", "{}"); };
    "sign in" 3, |p, _| sign_in(p);
    "rotate" 5 at "POST" "/api/v1/keys/{id}/rotate", |p, d| key_of_member(p, d, "POST", "/rotate", "{}");
    "rotate with grace" 3 at "POST" "/api/v1/keys/{id}/rotate", |p, d| {
        let body = json!({ "grace_hours": d.of(&[1, 24, 48]) }).to_string();
        key_of_member(p, d, "POST", "/rotate", &body);
    };
    "leaked" 2 at "POST" "/api/v1/keys/{id}/leaked", |p, d| key_of_member(p, d, "POST", "/leaked", "{}");
    "renew" 2 at "POST" "/api/v1/keys/{id}/renew", |p, d| key_of_member(p, d, "POST", "/renew", "{}");
    "second key" 4 at "POST" "/api/v1/keys", second_key;
    "own limit" 2 at "PATCH" "/api/v1/keys/{id}/limit", own_limit;
    "prefer" 1 at "POST" "/api/v1/keys/{id}/prefer", |p, d| key_of_member(p, d, "POST", "/prefer", "{}");
    "leave" 1 at "DELETE" "/api/v1/me", |p, _| { by_member(p, "DELETE", "/api/v1/me", r#"{"confirm":"member"}"#); };
    "put off by an admin" 1, |p, d| key_of_member_by_admin(p, d, "PATCH", r#"{"disabled":true}"#);
    "put on by an admin" 2, |p, d| key_of_member_by_admin(p, d, "PATCH", r#"{"disabled":false}"#);
    "all off" 1, |p, _| settings(p, r#"{"keys":"off","confirm":9}"#);
    "all on" 2, |p, _| settings(p, r#"{"keys":"on"}"#);
    "change the plan" 4 at "PATCH" "/api/v1/admin/plans/{name}", change_plan;
    "assign a plan" 3 at "POST" "/api/v1/admin/members/{id}/plan", assign_plan;
    "pay" 4 at "POST" "/api/v1/admin/members/{id}/payments", pay;
    "raise" 2 at "POST" "/api/v1/admin/keys/{id}/raises", raise;
    "end a raise" 2 at "DELETE" "/api/v1/admin/raises/{id}", end_raise;
    "suspend" 1 at "PATCH" "/api/v1/admin/members/{id}", |p, _| status(p, "suspended");
    "ban" 1 at "PATCH" "/api/v1/admin/members/{id}", |p, _| status(p, "banned");
    "reinstate" 3 at "PATCH" "/api/v1/admin/members/{id}", |p, _| status(p, "active");
    "block" 1 at "POST" "/api/v1/admin/blocks", |p, _| block(p, "POST");
    "lift the block" 3 at "DELETE" "/api/v1/admin/blocks", |p, _| block(p, "DELETE");
    "sweep" 10, |p, _| p.sweep();
    // X22: somebody replays the Cron Trigger with a time of their own.
    "sweep of next year" 1, |p, _| { let act = crate::explorer::sweep(&p.world, 365 * 86_400); p.send(act); };
    "time" 6, time;
    "fault" 3, fault;
    "what was late lands" 1, |p, _| {
        let now = p.world.upstream_now_ms();
        p.world.sandbox.borrow_mut().land_late(now);
    };
}

/// What may go wrong with a call upstream, once.
pub const FAULTS: &[(&str, &[&str])] = &[
    (
        "openrouter.keys.create",
        &[
            "refuse",
            "reset_before",
            "reset_after",
            "error_after",
            "rate_limited",
            "truncated",
            "stall_after",
            "late",
            "duplicate",
            "echo_limit_larger",
            "echo_limit_missing",
            "hash_missing",
            "key_missing",
        ],
    ),
    (
        "openrouter.keys.update",
        &[
            "refuse",
            "reset_before",
            "reset_after",
            "error_before",
            "error_after",
            "rate_limited",
            "truncated",
            "html",
            "stall_before",
            "stall_after",
            "late",
        ],
    ),
    (
        "openrouter.keys.get",
        &[
            "reset_before",
            "error_before",
            "rate_limited",
            "truncated",
            "html",
            "stall_before",
        ],
    ),
    (
        "openrouter.keys.delete",
        &[
            "reset_before",
            "reset_after",
            "error_before",
            "error_after",
            "rate_limited",
            "html_error",
            "stall_after",
            "late",
        ],
    ),
    (
        "openrouter.keys.list",
        &[
            "reset_before",
            "error_before",
            "rate_limited",
            "truncated",
            "html",
        ],
    ),
];

fn fault(play: &mut Play, dice: &mut Dice) {
    let (operation, kinds) = dice.of(FAULTS);
    let kind = dice.of(kinds);
    play.world.add_fault(operation, kind, json!({}));
    play.done = format!("{operation} {kind}");
}

/// To a moment near a boundary, or just on.
fn time(play: &mut Play, dice: &mut Dice) {
    let now = play.world.now_ms.get();
    let until = |period: Period| (period.end(now) - now) / 1000;
    let secs = match dice.below(9) {
        0 => 60,
        1 => 3_600,
        2 => 2 * 86_400,
        3 => (until(Period::Daily) - 30).max(1),
        4 | 5 => until(Period::Daily) + dice.of(&[0, 1, 30, 150]),
        6 => until(Period::Weekly) + 1,
        7 => until(Period::Monthly) + 1,
        _ => i64::try_from(dice.below(86_400)).unwrap(),
    };
    play.pass(secs);
    play.done = play.world.now().rfc3339();
}

/// With any secret that the member ever got; mostly with the last.
fn spend(play: &mut Play, dice: &mut Dice, times: usize) {
    let mut secrets = play.world.delivered.borrow().clone();
    secrets.reverse();
    for _ in 0..=dice.below(times) {
        if let Some(secret) = dice.of_first(&secrets) {
            let prices = [
                1,
                10_000,
                250_000_000,
                1_000_000_000,
                2_500_000_000,
                4_990_000_000,
            ];
            play.spend(
                &secret,
                Usd {
                    nanos: dice.of(&prices),
                },
            );
        }
    }
}

/// As long as upstream lets anything through, with each of them.
fn spend_all(play: &mut Play, dice: &mut Dice) {
    let price = dice.of(&[700_000_000, 1_500_000_000, 9_000_000_000]);
    let mut secrets = play.world.delivered.borrow().clone();
    if dice.one_in(2) {
        secrets.reverse();
    }
    for secret in secrets {
        // A limit is never seen to be reached within the lag.
        for _ in 0..9 {
            play.spend(&secret, Usd { nanos: price });
            let over = format!("{:?}", Spent::LimitReached);
            if play.done.starts_with(&over) || play.done.starts_with("Unusable") {
                break;
            }
        }
    }
}

fn by_member(play: &mut Play, method: &str, target: &str, body: &str) {
    for _ in 0..2 {
        let act = call(&play.world, &play.member, method, target, bytes(body));
        let told = play.send(act);
        if told.is_none_or(|told| told.status != 401) {
            return;
        }
        sign_in(play);
    }
}

fn by_operator(play: &mut Play, method: &str, target: &str, body: &str) {
    let act = call(&play.world, &play.operator, method, target, bytes(body));
    play.send(act);
}

fn bytes(text: &str) -> Body {
    Body::Bytes(text.into())
}

/// One of the member's keys, mostly the newest.
fn key(world: &World, dice: &mut Dice) -> String {
    let keys = world
        .db
        .texts("SELECT public_id FROM keys ORDER BY id DESC");
    let key = dice.of_first(&keys);
    key.unwrap_or_else(|| String::from("key_of_nobody"))
}

fn key_of_member(play: &mut Play, dice: &mut Dice, method: &str, verb: &str, body: &str) {
    let target = format!("/api/v1/keys/{}{verb}", key(&play.world, dice));
    by_member(play, method, &target, body);
}

fn key_of_member_by_admin(play: &mut Play, dice: &mut Dice, method: &str, body: &str) {
    let target = format!("/api/v1/keys/{}", key(&play.world, dice));
    by_operator(play, method, &target, body);
}

fn sign_in(play: &mut Play) {
    let again = |persona| {
        let browser = Browser::new(&play.world);
        browser.sign_in(persona);
        browser.cookies.take()
    };
    let (member, operator): (Cookies, Cookies) = (again("member"), again("operator"));
    (play.member, play.operator) = (member, operator);
}

fn second_key(play: &mut Play, dice: &mut Dice) {
    let body = match dice.below(3) {
        0 => json!({ "name": "another", "limit_usd": dice.of(&["0.50", "2"]) }),
        _ => json!({ "name": "another" }),
    };
    by_member(play, "POST", "/api/v1/keys", &body.to_string());
}

fn own_limit(play: &mut Play, dice: &mut Dice) {
    let limit = dice.of(&[Some("0.01"), Some("1"), Some("4"), None]);
    let body = json!({ "limit_usd": limit }).to_string();
    key_of_member(play, dice, "PATCH", "/limit", &body);
}

fn settings(play: &mut Play, body: &str) {
    by_operator(play, "PATCH", "/api/v1/admin/settings", body);
}

/// The member as they stand, or stood last.
fn member(world: &World) -> String {
    world.db.text(
        "SELECT public_id FROM members WHERE subject <> '1000001' ORDER BY owner_id DESC LIMIT 1",
    )
}

fn change_plan(play: &mut Play, dice: &mut Dice) {
    let plan = play.world.db.text(
        "SELECT p.name FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id
         WHERE m.subject <> '1000001' ORDER BY m.owner_id DESC LIMIT 1",
    );
    let body = match dice.below(3) {
        0 => json!({ "limit_usd": dice.of(&["0.50", "2", "5", "8"]) }),
        1 => json!({ "limit_reset": dice.of(&["daily", "weekly", "monthly"]) }),
        _ => json!({ "max_active_keys": dice.of(&[1, 2, 3]) }),
    };
    let target = format!("/api/v1/admin/plans/{plan}");
    by_operator(play, "PATCH", &target, &body.to_string());
}

fn assign_plan(play: &mut Play, dice: &mut Dice) {
    let mut names = play.world.db.texts("SELECT name FROM plans ORDER BY id");
    // As likely as all others.
    names.extend(vec![String::from("prepaid"); names.len()]);
    let body = json!({ "plan": dice.of(&names) }).to_string();
    let target = format!("/api/v1/admin/members/{}/plan", member(&play.world));
    by_operator(play, "POST", &target, &body);
}

/// Mostly for the first time.
fn pay(play: &mut Play, dice: &mut Dice) {
    let booked = play.world.db.number("SELECT COUNT(*) FROM payments");
    let n = if dice.one_in(4) { 0 } else { booked };
    let body =
        json!({ "payment_id": format!("p-{n}"), "amount_usd": dice.of(&["0.50", "3", "12"]) });
    let target = format!("/api/v1/admin/members/{}/payments", member(&play.world));
    by_operator(play, "POST", &target, &body.to_string());
}

fn raise(play: &mut Play, dice: &mut Dice) {
    let until = dice.of(&[None, Some(3_600), Some(2 * 86_400)]);
    let until = until.map(|secs| play.world.now().plus(secs).rfc3339());
    let mut body = json!({ "amount_usd": dice.of(&["0.25", "3"]) });
    if let Some(until) = until {
        body["until"] = json!(until);
    }
    let target = format!("/api/v1/admin/keys/{}/raises", key(&play.world, dice));
    by_operator(play, "POST", &target, &body.to_string());
}

fn end_raise(play: &mut Play, dice: &mut Dice) {
    let raises = "SELECT public_id FROM raises ORDER BY id DESC";
    let Some(raise) = dice.of_first(&play.world.db.texts(raises)) else {
        return;
    };
    by_operator(
        play,
        "DELETE",
        &format!("/api/v1/admin/raises/{raise}"),
        "{}",
    );
}

fn status(play: &mut Play, status: &str) {
    let target = format!("/api/v1/admin/members/{}", member(&play.world));
    let body = json!({ "status": status }).to_string();
    by_operator(play, "PATCH", &target, &body);
}

fn block(play: &mut Play, method: &str) {
    let body = r#"{"provider":"github","subject":"1000100"}"#;
    by_operator(play, method, "/api/v1/admin/blocks", body);
}
