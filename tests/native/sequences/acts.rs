//! The operations of a sequence: what a member, an admin, someone outside keycap, the upstream services and time may
//! do. Each may be refused, but none may lack its route.

use keycap::http::routes::ROUTES;
use sandbox::Period;
use serde_json::json;

use super::admins::{
    assign_plan, block, by_operator, change_plan, create_plan, end_raise, limit_plan, of_key,
    of_member, pay, raise, settings,
};
use super::midnight::{night, night_of_one_clock, raised_until_midnight, until_midnight};
use super::somebody::{self, LIFT};
use super::spender::{spend, spend_all, spends_between};
use super::{Dice, Play, faults};
use crate::support::browser::CLAIM;
use crate::support::{Browser, Cookies, World};

/// A method and the pattern of a path, as the route table has them.
pub type Route = (&'static str, &'static str);

pub struct Operation {
    pub name: &'static str,
    /// The route that the operation sends a request to, if it sends one.
    pub route: Option<Route>,
    /// How often the operation is chosen, relative to the others.
    pub weight: usize,
    pub run: fn(&mut Play, &mut Dice),
}

macro_rules! operations {
    ($($name:literal $weight:literal $(at $route:expr)?, $run:expr;)*) => {
        pub static OPERATIONS: &[Operation] = &[$(Operation {
            name: $name,
            route: operations!(@route $($route)?),
            weight: $weight,
            run: $run,
        }),*];
    };
    (@route) => { None };
    (@route $route:expr) => { Some($route) };
}

pub const CLAIMS: Route = ("POST", "/api/v1/claim");
pub const ROTATE: Route = ("POST", "/api/v1/keys/{id}/rotate");
const LEAKED: Route = ("POST", "/api/v1/keys/{id}/leaked");
const RENEW: Route = ("POST", "/api/v1/keys/{id}/renew");
const LIMIT: Route = ("POST", "/api/v1/keys/{id}/limit");
const PREFER: Route = ("POST", "/api/v1/keys/{id}/prefer");
const CHANGE: Route = ("PATCH", "/api/v1/keys/{id}");
pub const END: Route = ("DELETE", "/api/v1/keys/{id}");
const CREATE: Route = ("POST", "/api/v1/keys");
const REFRESH: Route = ("POST", "/api/v1/keys/refresh");
const SIGN_OUT: Route = ("POST", "/api/v1/me/sign-out-everywhere");
const LEAVE: Route = ("DELETE", "/api/v1/me");
pub const SETTINGS: Route = ("PATCH", "/api/v1/admin/settings");
pub const PLANS: Route = ("POST", "/api/v1/admin/plans");
pub const PLAN: Route = ("PATCH", "/api/v1/admin/plans/{name}");
pub const ASSIGN: Route = ("POST", "/api/v1/admin/members/{id}/plan");
pub const PAY: Route = ("POST", "/api/v1/admin/members/{id}/payments");
pub const RAISE: Route = ("POST", "/api/v1/admin/keys/{id}/raises");
pub const END_RAISE: Route = ("DELETE", "/api/v1/admin/raises/{id}");
const MEMBER: Route = ("PATCH", "/api/v1/admin/members/{id}");
const MEMBER_OUT: Route = ("POST", "/api/v1/admin/members/{id}/sign-out");
const BLOCK: Route = ("POST", "/api/v1/admin/blocks");
const UNBLOCK: Route = ("DELETE", "/api/v1/admin/blocks");
const JOB: Route = ("POST", "/api/v1/admin/jobs/{id}");

const OFF: &str = r#"{"disabled":true}"#;
const ON: &str = r#"{"disabled":false}"#;

operations! {
    "claim" 8 at CLAIMS, |p, _| { p.by_member(CLAIMS, "", CLAIM); };
    "spend" 8, |p, d| spend(p, d, 1);
    "spend a lot" 4, |p, d| spend(p, d, 6);
    "spend all" 6, spend_all;
    "disable" 2 at CHANGE, |p, d| key_of_member(p, d, CHANGE, OFF);
    "enable" 3 at CHANGE, |p, d| key_of_member(p, d, CHANGE, ON);
    "name" 1 at CHANGE, |p, d| key_of_member(p, d, CHANGE, r#"{"name":"another name"}"#);
    "delete" 3 at END, |p, d| key_of_member(p, d, END, "{}");
    // This is the first thing that a person who wants more than their limit would try.
    "delete, claim and spend" 6 at END, |p, d| {
        key_of_member(p, d, END, "{}");
        p.by_member(CLAIMS, "", CLAIM);
        spend_all(p, d);
    };
    // One of the two clocks already has the next day.
    "the same over midnight" 2 at END, |p, d| {
        p.pass(until_midnight(p) - 20);
        spend_all(p, d);
        key_of_member(p, d, END, "{}");
        p.pass(30);
        p.by_member(CLAIMS, "", CLAIM);
        spend_all(p, d);
    };
    "the night" 3, night;
    "the night of one clock alone" 4 at END, night_of_one_clock;
    "raised until midnight" 4 at RAISE, raised_until_midnight;
    "refresh" 2 at REFRESH, |p, _| { p.by_member(REFRESH, "", "{}"); };
    "sign out everywhere" 1 at SIGN_OUT, |p, _| { p.by_member(SIGN_OUT, "", "{}"); };
    "sign in" 3, |p, _| sign_in(p);
    "rotate" 5 at ROTATE, |p, d| key_of_member(p, d, ROTATE, "{}");
    "rotate with grace" 5 at ROTATE, |p, d| { let body = grace(d); key_of_member(p, d, ROTATE, &body); };
    "rotate with grace and spend" 6 at ROTATE, |p, d| {
        let body = grace(d);
        spends_between(p, Dice(d.next()));
        key_of_member(p, d, ROTATE, &body);
        spend_all(p, d);
    };
    "leaked" 2 at LEAKED, |p, d| key_of_member(p, d, LEAKED, "{}");
    "renew" 3 at RENEW, |p, d| {
        let body = if d.one_in(2) { String::from("{}") } else { grace(d) };
        key_of_member(p, d, RENEW, &body);
    };
    "second key" 4 at CREATE, second_key;
    "own limit" 4 at LIMIT, |p, d| { let body = own_limit(d); key_of_member(p, d, LIMIT, &body); };
    // The limit is set below what was spent, then removed.
    "own limit down and away" 3 at LIMIT, down_and_away;
    "prefer" 1 at PREFER, |p, d| key_of_member(p, d, PREFER, "{}");
    "leave" 1 at LEAVE, |p, _| { p.by_member(LEAVE, "", r#"{"confirm":"member"}"#); };
    "disable by an admin" 1 at CHANGE, |p, d| of_key(p, d, CHANGE, OFF);
    "enable by an admin" 2 at CHANGE, |p, d| of_key(p, d, CHANGE, ON);
    "delete by an admin" 1 at END, |p, d| of_key(p, d, END, "{}");
    "reported by an admin" 1 at LEAKED, |p, d| of_key(p, d, LEAKED, "{}");
    "all off" 1 at SETTINGS, |p, _| settings(p, r#"{"keys":"off","confirm":9}"#);
    "all on" 2 at SETTINGS, |p, _| settings(p, r#"{"keys":"on"}"#);
    "stop minting" 1 at SETTINGS, |p, _| settings(p, r#"{"minting":"stopped"}"#);
    "mint again" 2 at SETTINGS, |p, _| settings(p, r#"{"minting":"open"}"#);
    "make a plan" 1 at PLANS, create_plan;
    "change the plan" 4 at PLAN, change_plan;
    "lower and raise the plan between two sweeps" 3 at PLAN, |p, d| {
        spend(p, d, 2);
        limit_plan(p, d.of(&["0.50", "1"]));
        p.sweep();
        limit_plan(p, d.of(&["5", "8"]));
        let body = grace(d);
        key_of_member(p, d, ROTATE, &body);
        spend_all(p, d);
    };
    "assign a plan" 3 at ASSIGN, assign_plan;
    "pay" 4 at PAY, pay;
    "raise" 3 at RAISE, raise;
    "end a raise" 2 at END_RAISE, end_raise;
    "suspend" 1 at MEMBER, |p, _| of_member(p, MEMBER, r#"{"status":"suspended"}"#);
    "ban" 1 at MEMBER, |p, _| of_member(p, MEMBER, r#"{"status":"banned"}"#);
    "reinstate" 3 at MEMBER, |p, _| of_member(p, MEMBER, r#"{"status":"active"}"#);
    "sign out by an admin" 1 at MEMBER_OUT, |p, _| of_member(p, MEMBER_OUT, "{}");
    "block" 1 at BLOCK, |p, _| block(p, BLOCK);
    "lift the block" 3 at UNBLOCK, |p, _| block(p, UNBLOCK);
    "somebody disables" 2, somebody::disables;
    "somebody lowers" 2, somebody::lowers;
    "somebody enables" 2, somebody::enables;
    "somebody raises" 3, somebody::raises;
    "somebody deletes" 1, somebody::deletes;
    "lift what somebody did" 4 at LIFT, somebody::lift;
    "reconcile" 4, |p, _| somebody::reconcile(p);
    "sweep" 10, |p, _| p.sweep();
    "sweep on demand" 1 at JOB, |p, _| by_operator(p, JOB, "sweep", r#"{"dry_run":false}"#);
    // Someone replays the Cron Trigger with a time that they chose.
    "sweep of next year" 1, |p, _| { let act = crate::explorer::sweep(&p.world, 365 * 86_400); p.send(act); };
    "time" 6, time;
    "the clocks part, or meet" 2, |p, d| {
        // OpenRouter's own clock never goes back.
        p.pass(900);
        p.world.upstream_ahead_ms.set(d.of(super::AHEAD_MS));
        p.done = format!("{} ms ahead", p.world.upstream_ahead_ms.get());
    };
    "fault" 3, faults::fault;
    "what was late lands" 1, |p, _| {
        let now = p.world.upstream_now_ms();
        p.world.sandbox.borrow_mut().land_late(now);
    };
}

/// Operations that shut a member out or disturb OpenRouter. Every other sequence does without them, and so gets
/// further.
pub const ROUGH: &[&str] = &[
    "leave",
    "disable by an admin",
    "delete by an admin",
    "reported by an admin",
    "all off",
    "stop minting",
    "suspend",
    "ban",
    "sign out by an admin",
    "block",
    "somebody disables",
    "somebody deletes",
    "fault",
    "sweep of next year",
];

/// Routes that change something and that no sequence uses, because they change nobody's budget, with what each does.
pub const NOT_PLAYED: &[(Route, &str)] = &[
    (("POST", "/auth/logout"), "ends a session"),
    (
        ("POST", "/api/v1/requests"),
        "asks; an admin's answer lets in, as the sequence is from the start",
    ),
    (
        ("PATCH", "/api/v1/admin/requests/{id}"),
        "lets in, as the sequence is from the start",
    ),
    (
        ("POST", "/api/v1/admin/allotments"),
        "lets in, as the sequence is from the start",
    ),
    (
        ("DELETE", "/api/v1/admin/allotments/{id}"),
        "lets nobody in any more",
    ),
    (
        ("PUT", "/api/v1/admin/workspaces"),
        "says where keys are made, which changes no limit",
    ),
    (
        ("PATCH", "/api/v1/admin/findings/{id}"),
        "acknowledges a key that is nobody's",
    ),
    (
        ("POST", "/api/v1/admin/bulk-changes"),
        "shows what a change would do, and changes nothing",
    ),
    (
        ("POST", "/api/v1/admin/bulk-changes/{id}/start"),
        "does to each target what a change of one does, which is played",
    ),
    (
        ("POST", "/api/v1/admin/bulk-changes/{id}/stop"),
        "stops a bulk change, as one that dies stops",
    ),
    (
        ("POST", "/api/v1/admin/departures/{id}/release"),
        "no directory is configured; what it does to a member is a suspension, which is played",
    ),
    (
        ("POST", "/api/v1/admin/departures/{id}/reject"),
        "no directory is configured",
    ),
    (
        ("POST", "/api/v1/admin/runs/{id}/stop"),
        "stops a run, as one that dies stops, which is played",
    ),
    (
        ("DELETE", "/api/v1/requests/{id}"),
        "withdraws what nobody has decided",
    ),
    (
        ("POST", "/api/v1/projects"),
        "groups keys, which changes no limit",
    ),
    (("PATCH", "/api/v1/projects/{id}"), "the same"),
    (
        ("POST", "/api/v1/notices/read"),
        "marks what a member has read",
    ),
    (
        ("POST", "/api/v1/providers/{slug}/start"),
        "makes a key that a member's own account pays for, which is no key of ours",
    ),
    (("POST", "/api/v1/handoffs/{id}/confirm"), "the same"),
    (("POST", "/api/v1/handoffs/{id}/redeem"), "the same"),
    (("PATCH", "/api/v1/provider-keys/{id}"), "the same"),
    (("DELETE", "/api/v1/provider-keys/{id}"), "the same"),
    (("PATCH", "/api/v1/admin/providers/{slug}"), "the same"),
    (
        ("POST", "/api/v1/device/approve"),
        "lets a terminal claim, as the member does in these sequences",
    ),
    (("POST", "/api/v1/device/code"), "the same"),
    (("POST", "/api/v1/device/token"), "the same"),
    (("POST", "/api/v1/device/lookup"), "the same"),
    (("POST", "/api/v1/device/deny"), "the same"),
    (
        ("POST", "/api/v1/leaks"),
        "reports a key by its secret; reported by its id, it is played",
    ),
    (
        ("POST", "/api/v1/admin/leaks"),
        "reports a key by its secret; reported by its id, it is played",
    ),
];

/// Answers whether this deployment has the route.
pub fn has_route((method, path): Route) -> bool {
    ROUTES
        .iter()
        .any(|route| route.method.name() == method && route.path == path)
}

pub fn down_and_away(play: &mut Play, dice: &mut Dice) {
    spend(play, dice, 2);
    for limit in [r#"{"limit_usd":"0.01"}"#, r#"{"limit_usd":null}"#] {
        key_of_member(play, dice, LIMIT, limit);
    }
    key_of_member(play, dice, ROTATE, r#"{"grace_hours":1}"#);
    spend_all(play, dice);
}

/// Lets time pass: to a moment near a boundary, or by a plain amount.
fn time(play: &mut Play, dice: &mut Dice) {
    let now = play.world.now_ms.get();
    let until = |period: Period| (period.end(now) - now) / 1000;
    let secs = match dice.below(10) {
        0 => 60,
        1 => 3_600,
        2 => 2 * 86_400,
        3 => (until(Period::Daily) - 30).max(1),
        4 | 5 => until(Period::Daily) + dice.of(&[0, 1, 30, 150, 600]),
        6 => until(Period::Weekly) + 1,
        7 => until(Period::Monthly) + 1,
        // This is near the end of a key's life.
        8 => 76 * 86_400,
        _ => i64::try_from(dice.below(86_400)).unwrap(),
    };
    play.pass(secs);
    play.done = play.world.now().rfc3339();
}

/// The id of one of the member's keys, mostly of the newest.
pub fn key(world: &World, dice: &mut Dice) -> String {
    let keys = world
        .db
        .texts("SELECT public_id FROM keys ORDER BY id DESC");
    let key = dice.of_first(&keys);
    key.unwrap_or_else(|| String::from("key_of_nobody"))
}

pub fn key_of_member(play: &mut Play, dice: &mut Dice, route: Route, body: &str) {
    let key = key(&play.world, dice);
    play.by_member(route, &key, body);
}

pub fn sign_in(play: &mut Play) {
    let again = |persona| {
        let browser = Browser::new(&play.world);
        browser.sign_in(persona);
        browser.cookies.take()
    };
    let (member, operator): (Cookies, Cookies) = (again("member"), again("operator"));
    (play.member, play.operator) = (member, operator);
}

fn grace(dice: &mut Dice) -> String {
    json!({ "grace_hours": dice.of(&[1, 4, 24, 48, 168]) }).to_string()
}

fn second_key(play: &mut Play, dice: &mut Dice) {
    let body = match dice.below(3) {
        0 => json!({ "name": "another", "limit_usd": dice.of(&["0.50", "2"]) }),
        _ => json!({ "name": "another" }),
    };
    play.by_member(CREATE, "", &body.to_string());
}

fn own_limit(dice: &mut Dice) -> String {
    let limits = [
        Some("0.01"),
        Some("0.50"),
        Some("1"),
        Some("4"),
        Some("5"),
        None,
    ];
    json!({ "limit_usd": dice.of(&limits) }).to_string()
}
