//! The explorer: it runs operations inside each other and checks every promise.
//!
//! - Pairs: the first operation is cut, failed in every form, held or made to happen late at each of its effects. The
//!   second runs to its end meanwhile, then recovery follows.
//! - Cuts: the recovery itself is cut.
//! - Triples: a second operation is held or cut at each of its own effects while the first is held, and a third runs to
//!   its end.
//!
//! Operations and stages are lists: a new entry adds all of its combinations.
//!
//! `npm test` runs a part of the scenarios: of the pairs one for each operation at each stage, of the others one of so
//! many, chosen by its number. `KEYCAP_SCALE=25` runs all of them. A failing
//! scenario prints its name. `KEYCAP_SCENARIO=<name>` runs that scenario alone; the beginning of a name runs all
//! scenarios whose names begin with it.

mod cuts;
mod pairs;
mod triples;

use keycap::http::server::message::Body;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use serde_json::json;

use crate::devices;
use crate::handoffs;
use crate::support::browser::{CLAIM, Response, from_our_page};
use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle};

/// The cookies of the people who act.
#[derive(Clone)]
pub struct Cast {
    pub member: Cookies,
    pub second: Cookies,
    pub operator: Cookies,
}

/// An operation that has started.
pub type Act = Pin<Box<dyn Future<Output = Option<Response>>>>;

/// How an operation starts.
pub type Start = fn(&World, &Cast) -> Act;

/// What an operation means for a claim that is in progress.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    ClaimsForMember,
    ClaimsForSecond,
    /// Once this operation has ended, no claim of the member records a key.
    ShutsOutMember,
    /// Once this operation has ended, no claim of anybody records a key.
    ShutsOutAll,
    /// Once this operation has ended, no claim of a person without a key records one; existing keys can still be
    /// replaced.
    ShutsOutClaims,
    /// A mint in progress is not recorded for another plan, or another revision of it, than it was made for.
    Outdates,
    LetsIn,
    /// The operation changes no claim's outcome.
    NoHarm,
}

use Does::{
    ClaimsForMember, ClaimsForSecond, LetsIn, NoHarm, Outdates, ShutsOutAll, ShutsOutClaims,
    ShutsOutMember,
};

const OFF: &str = r#"{"disabled":true}"#;
const ON: &str = r#"{"disabled":false}"#;
pub const LIFT: &str = r#"{"upstream_hold":"lift"}"#;

const OPERATIONS: [(&str, Does, Start); 48] = [
    ("claim", ClaimsForMember, |w, c| claim(w, &c.member)),
    // One press of the button, with its Idempotency-Key.
    ("claim by a key", ClaimsForMember, |w, c| {
        let mut request = from_our_page(
            &c.member,
            "POST",
            "/api/v1/claim",
            Body::Bytes(CLAIM.into()),
        );
        let key = http::HeaderValue::from_static("press-1");
        request.headers_mut().insert("idempotency-key", key);
        let service = w.service();
        Box::pin(async move { Some(service.answer(request).await) })
    }),
    // The whole way of a terminal, from its beginning to its key.
    ("claim in a terminal", ClaimsForMember, |w, c| {
        devices::whole(w, &c.member)
    }),
    ("claim by another", ClaimsForSecond, |w, c| {
        claim(w, &c.second)
    }),
    ("sweep", NoHarm, |w, _| sweep(w, 0)),
    ("sign out everywhere", ShutsOutMember, |w, c| {
        post(w, &c.member, "/api/v1/me/sign-out-everywhere")
    }),
    ("stop", ShutsOutAll, |w, c| {
        switch(w, c, r#"{"minting":"stopped"}"#)
    }),
    ("open", LetsIn, |w, c| switch(w, c, r#"{"minting":"open"}"#)),
    ("off", ShutsOutAll, |w, c| {
        switch(w, c, r#"{"keys":"off","confirm":9}"#)
    }),
    ("on", LetsIn, |w, c| switch(w, c, r#"{"keys":"on"}"#)),
    ("by approval", ShutsOutClaims, |w, c| {
        switch(w, c, r#"{"claims":"by_approval"}"#)
    }),
    ("off by owner", NoHarm, |w, c| {
        act_on_key(w, &c.member, "PATCH", OFF)
    }),
    ("on by owner", NoHarm, |w, c| {
        act_on_key(w, &c.member, "PATCH", ON)
    }),
    ("revoke", NoHarm, |w, c| {
        act_on_key(w, &c.member, "DELETE", "{}")
    }),
    ("off by admin", NoHarm, |w, c| {
        act_on_key(w, &c.operator, "PATCH", OFF)
    }),
    ("on by admin", NoHarm, |w, c| {
        act_on_key(w, &c.operator, "PATCH", ON)
    }),
    ("revoke by admin", NoHarm, |w, c| {
        act_on_key(w, &c.operator, "DELETE", "{}")
    }),
    ("rotate", NoHarm, |w, c| verb(w, c, "rotate", "{}")),
    ("rotate with grace", NoHarm, |w, c| {
        verb(w, c, "rotate", GRACE)
    }),
    ("leaked", NoHarm, |w, c| verb(w, c, "leaked", "{}")),
    ("leaked by admin", NoHarm, |w, c| {
        let target = format!("{}/leaked", newest(w));
        post(w, &c.operator, &target)
    }),
    // Someone reports the newest secret that was made, and the isolate disables it after the answer.
    ("leak found by anyone", NoHarm, |w, _| {
        let made = "SELECT secret_sha256 FROM generations WHERE secret_sha256 IS NOT NULL ORDER BY id DESC LIMIT 1";
        let found = w.db.texts(made).pop().unwrap_or_else(|| "0".repeat(64));
        let body = json!({ "sha256": found }).to_string();
        call_with(w, &Cookies::new(), "POST", "/api/v1/leaks", &body)
    }),
    ("renew", NoHarm, |w, c| verb(w, c, "renew", "{}")),
    ("move to a project", NoHarm, |w, c| {
        act_on_key(w, &c.member, "PATCH", r#"{"project":"shared"}"#)
    }),
    // The whole way at a billing provider, whose key is no key of ours.
    ("key of a provider", NoHarm, |w, c| {
        handoffs::whole(w, &c.member)
    }),
    ("refresh", NoHarm, |w, c| {
        post(w, &c.member, "/api/v1/keys/refresh")
    }),
    // The key's owner learns of it from a 404.
    ("key deleted upstream", NoHarm, |w, _| {
        deletes_the_members_key(w);
        done_at_once()
    }),
    ("end sessions", ShutsOutAll, |w, c| {
        let epoch = w.db.number("SELECT session_epoch FROM settings");
        switch(w, c, &format!(r#"{{"sessions":"end","confirm":{epoch}}}"#))
    }),
    ("list keys", NoHarm, |w, c| {
        call(w, &c.member, "GET", "/api/v1/keys", Body::Empty)
    }),
    // Someone replays the Cron Trigger with a time that they chose.
    ("sweep of next year", NoHarm, |w, _| sweep(w, 365 * 86_400)),
    ("block", ShutsOutMember, |w, c| {
        call_with(w, &c.operator, "POST", "/api/v1/admin/blocks", MEMBER)
    }),
    ("reconcile", NoHarm, |w, _| reconcile(w)),
    ("restore accepted", NoHarm, |w, c| {
        switch(w, c, r#"{"restore":"accept"}"#)
    }),
    // The keys after them move up in OpenRouter's list.
    ("somebody deletes", NoHarm, |w, _| {
        w.somebody_deletes(20);
        done_at_once()
    }),
    // A mint in progress for another revision of the plan is not recorded.
    ("plan change", Outdates, |w, c| {
        let body = Body::Bytes(br#"{"limit_usd":"3","expiry_days":60}"#.to_vec());
        call(w, &c.operator, "PATCH", "/api/v1/admin/plans/default", body)
    }),
    // Existing keys are assigned to this guardrail from the next sweep on.
    ("guardrail", Outdates, guardrail),
    // A mint in progress that named no workspace is not recorded, and one that was begun after it is.
    ("enable a workspace", LetsIn, |w, c| {
        let body = r#"{"workspace_ids":["5a4db0c5-0000-4000-8000-000000000001"]}"#;
        call_with(w, &c.operator, "PUT", "/api/v1/admin/workspaces", body)
    }),
    ("assign plan", Outdates, |w, c| {
        on_member(w, c, "plan", r#"{"plan":"basic"}"#)
    }),
    ("raise", NoHarm, |w, c| {
        let key = newest(w).replace("/api/v1/", "/api/v1/admin/");
        let target = format!("{key}/raises");
        let body = Body::Bytes(br#"{"amount_usd":"2"}"#.to_vec());
        call(w, &c.operator, "POST", &target, body)
    }),
    ("create second", ClaimsForMember, |w, c| {
        let body = Body::Bytes(br#"{"name":"second"}"#.to_vec());
        call(w, &c.member, "POST", "/api/v1/keys", body)
    }),
    ("top-up", NoHarm, |w, c| {
        on_member(w, c, "payments", r#"{"payment_id":"p-1","amount_usd":"7"}"#)
    }),
    ("suspend", ShutsOutMember, |w, c| {
        set_status(w, c, "suspended")
    }),
    ("ban", ShutsOutMember, |w, c| set_status(w, c, "banned")),
    ("reinstate", LetsIn, |w, c| set_status(w, c, "active")),
    ("somebody disables", NoHarm, |w, _| {
        somebody_changes(w, &json!({ "disabled": true }));
        done_at_once()
    }),
    ("somebody lowers", NoHarm, |w, _| {
        // A grace may have lowered the limit below $1 already, and then $1 would raise it.
        let usable = w.usable();
        let least = usable
            .iter()
            .filter_map(|key| key.limit)
            .map(|limit| limit.nanos);
        let is_below = least.min().is_some_and(|nanos| nanos < 1_000_000_000);
        somebody_changes(w, &json!({ "limit": if is_below { 0.25 } else { 1.0 } }));
        done_at_once()
    }),
    ("lift what is kept", NoHarm, |w, c| {
        let of = newest(w).replace("/api/v1/", "/api/v1/admin/");
        call_with(w, &c.operator, "PATCH", &of, LIFT)
    }),
    ("leave", ShutsOutMember, |w, c| {
        call_with(
            w,
            &c.member,
            "DELETE",
            "/api/v1/me",
            r#"{"confirm":"member"}"#,
        )
    }),
];

/// The function that starts the operation of this name.
pub fn operation(name: &str) -> Start {
    let found = OPERATIONS.iter().find(|(of, ..)| *of == name);
    found.expect("an operation").2
}

/// The member, in the form that the block list takes.
const MEMBER: &str = r#"{"provider":"github","subject":"1000100"}"#;

/// A function that brings a world to a stage.
type Prepare = fn(&World, &Cast);

/// The stages at which scenarios begin.
const STAGES: [(&str, Prepare); 32] = [
    ("fresh", |_, _| {}),
    ("holder", |w, c| claims(w, &c.member, 201)),
    (SPENDING, |w, c| claims(w, &c.member, 201)),
    // Someone deleted the key at OpenRouter. In the first stage nobody knows it yet; in the second its owner does.
    ("gone upstream", |w, c| {
        claims(w, &c.member, 201);
        deletes_the_members_key(w);
    }),
    ("missing", |w, c| {
        claims(w, &c.member, 201);
        deletes_the_members_key(w);
        done(post(w, &c.member, "/api/v1/keys/refresh"));
        let missing = "SELECT COUNT(*) FROM generations WHERE missing_since IS NOT NULL";
        assert_eq!(w.db.number(missing), 1);
    }),
    ("unknown mint", |w, c| {
        w.add_fault("openrouter.keys.create", "reset_after", json!({}));
        claims(w, &c.member, 503);
    }),
    ("revoking", |w, c| {
        w.add_fault("openrouter.keys.create", "echo_limit_larger", json!({}));
        let more = json!({ "times": 3 });
        w.add_fault("openrouter.keys.delete", "error_before", more);
        claims(w, &c.member, 502);
    }),
    ("switched off", |w, c| {
        claims(w, &c.member, 201);
        done(switch(w, c, r#"{"keys":"off","confirm":9}"#));
    }),
    // A sweep works on several keys at once: on three that must be disabled, or on three that get another limit.
    ("three switched off", |w, c| {
        three_claim(w, c);
        done(switch(w, c, r#"{"keys":"off","confirm":9}"#));
    }),
    ("three limits due", |w, c| {
        three_claim(w, c);
        lowers_the_plan(w, c);
    }),
    ("one to be disabled and three limits due", |w, c| {
        three_claim(w, c);
        let more = json!({ "times": 3 });
        w.add_fault("openrouter.keys.update", "error_before", more);
        done(act_on_key(w, &c.operator, "PATCH", OFF));
        lowers_the_plan(w, c);
    }),
    ("off by its owner", |w, c| {
        claims(w, &c.member, 201);
        done(act_on_key(w, &c.member, "PATCH", OFF));
    }),
    ("off by an admin", |w, c| {
        claims(w, &c.member, 201);
        done(act_on_key(w, &c.operator, "PATCH", OFF));
    }),
    // The key is disabled for good, and retained until its last spend is read.
    ("revoked, not erased", |w, c| {
        claims(w, &c.member, 201);
        w.spends(1.0);
        done(act_on_key(w, &c.member, "DELETE", "{}"));
    }),
    // OpenRouter did not answer the owner's request to revoke the key.
    ("being removed", |w, c| {
        claims(w, &c.member, 201);
        w.add_fault(
            "openrouter.keys.update",
            "error_before",
            json!({ "times": 3 }),
        );
        done(act_on_key(w, &c.member, "DELETE", "{}"));
    }),
    // The isolate of the request died: the key is locked and disabled, and it has no successor.
    ("rotating", |w, c| {
        claims(w, &c.member, 201);
        dies_before(w, c, "rotate", "{}", "::RESERVE_GUARD");
    }),
    ("in grace", |w, c| {
        claims(w, &c.member, 201);
        assert_eq!(done(verb(w, c, "rotate", GRACE)).unwrap().status, 201);
    }),
    // The isolate of the request died before the reservation: the leaked key has no successor yet.
    ("leaked", |w, c| {
        claims(w, &c.member, 201);
        dies_before(w, c, "leaked", "{}", "::RESERVE_GUARD");
    }),
    // The key is within the last two weeks of its life.
    ("old", |w, c| {
        claims(w, &c.member, 201);
        w.pass(80 * 86_400);
    }),
    ("expired", |w, c| {
        claims(w, &c.member, 201);
        w.pass(90 * 86_400);
    }),
    // The create request was repeated on its way, so OpenRouter made two keys.
    ("twin", |w, c| {
        w.add_fault("openrouter.keys.create", "duplicate", json!({}));
        claims(w, &c.member, 201);
    }),
    // The key has expired by our clock, but not by OpenRouter's.
    ("clocks apart", |w, c| {
        w.upstream_ahead_ms.set(-120_000);
        claims(w, &c.member, 201);
        w.pass(90 * 86_400 - TEN_MINUTES + 60);
    }),
    // The outcome of a mint is unknown, and its key is on the second page of OpenRouter's list: either with others
    // behind it, or as the last one.
    ("crowded", |w, c| {
        w.somebodys_keys(30);
        crowd(w, c);
    }),
    ("crowded out", crowd),
    // Every create request is lost.
    ("outage", |w, _| {
        w.add_fault(
            "openrouter.keys.create",
            "reset_before",
            json!({ "times": 0 }),
        );
        for n in 0..9 {
            Browser::signed_in(w, &format!("load-{n}")).claim();
        }
        w.sandbox.borrow_mut().clear_faults();
    }),
    // The first key spent a part of the limit, so the second key gets only the rest.
    ("capped", |w, c| {
        claims(w, &c.member, 201);
        let hash = w.usable()[0].hash.clone();
        let spent = sandbox::Usd::from_dollars(2.0);
        let now = w.upstream_now_ms();
        w.sandbox.borrow_mut().book_usage(&hash, spent, now);
        done(act_on_key(w, &c.member, "DELETE", "{}"));
        claims(w, &c.member, 201);
        assert_eq!(
            w.db.number("SELECT MIN(limit_nano) FROM generations"),
            3_000_000_000
        );
    }),
    ("two allowed", |w, c| {
        let response = done(on_member(w, c, "plan", r#"{"plan":"basic"}"#));
        assert_eq!(response.unwrap().status, 200);
        claims(w, &c.member, 201);
    }),
    ("prepaid", |w, c| {
        let paid = r#"{"payment_id":"p-0","amount_usd":"9"}"#;
        for (part, body) in [("plan", r#"{"plan":"prepaid"}"#), ("payments", paid)] {
            assert!(done(on_member(w, c, part, body)).unwrap().status < 300);
        }
        claims(w, &c.member, 201);
    }),
    // Each mint takes two calls: the create, and the assignment to the guardrail.
    ("guarded", |w, c| {
        assert_eq!(done(guardrail(w, c)).unwrap().status, 200);
        claims(w, &c.member, 201);
    }),
    // Nobody has noticed it yet.
    ("disabled by somebody else", |w, c| {
        claims(w, &c.member, 201);
        somebody_changes(w, &json!({ "disabled": true }));
    }),
    ("lowered by somebody else", |w, c| {
        claims(w, &c.member, 201);
        w.pass(TEN_MINUTES);
        somebody_changes(w, &json!({ "limit": 1 }));
        assert!(w.sweep());
    }),
    // OpenRouter did not answer the admin's request.
    ("suspended", |w, c| {
        claims(w, &c.member, 201);
        let more = json!({ "times": 3 });
        w.add_fault("openrouter.keys.update", "error_before", more);
        done(set_status(w, c, "suspended"));
    }),
];

/// In this stage someone spends all that they can before each call over HTTP.
const SPENDING: &str = "spending";

/// A copy of the world at the end of a stage, where a scenario begins.
fn begins(stage: usize, start: &World) -> World {
    let world = start.forked();
    if STAGES[stage].0 == SPENDING {
        world.spends_all_before("http", usize::MAX);
    }
    world
}

/// Checks that nobody has spent more in OpenRouter's present day than their plans give all of their keys, plus the
/// raises.
fn nobody_spent_more_than_was_given(world: &World) {
    let now = world.upstream_now_ms();
    let given = world.db.number(
        "SELECT MAX(5000000000, (SELECT MAX(p.limit_nano * p.max_active_keys) FROM plans p
           WHERE p.is_default = 1 OR p.name IN (SELECT a.after FROM audit a WHERE a.action = 'plan_assigned')))
         + (SELECT COALESCE(SUM(amount_nano), 0) FROM raises)",
    );
    let owned = world.db.texts(
        "SELECT owner_id || ' ' || upstream_hash FROM generations WHERE upstream_hash IS NOT NULL",
    );
    let mut spent: HashMap<&str, i64> = HashMap::new();
    let sandbox = world.sandbox.borrow();
    for (owner, hash) in owned.iter().filter_map(|row| row.split_once(' ')) {
        let key = sandbox.ledger().key(hash);
        let of_day = key.map_or(0, |key| {
            key.usage.in_window(Some(sandbox::Period::Daily), now).nanos
        });
        *spent.entry(owner).or_default() += of_day;
    }
    assert!(
        spent.values().all(|spent| *spent <= given),
        "{spent:?} of {given}"
    );
}

/// Someone outside keycap changes the member's newest key at OpenRouter, if there is one.
fn somebody_changes(world: &World, change: &serde_json::Value) {
    let hashes = world.db.texts(&format!(
        "SELECT g.upstream_hash FROM generations g JOIN members m ON m.owner_id = g.owner_id
         WHERE {THE_MEMBER} AND g.state IN ('active', 'disabled') AND g.missing_since IS NULL ORDER BY g.id DESC LIMIT 1"
    ));
    for hash in &hashes {
        world.somebody_changes(hash, change);
    }
}

/// Someone outside keycap deletes the upstream key of the member's newest secret that may work.
fn deletes_the_members_key(world: &World) {
    let hashes = world.db.texts(&format!(
        "SELECT g.upstream_hash FROM generations g JOIN members m ON m.owner_id = g.owner_id
         WHERE {THE_MEMBER} AND g.state IN ('active', 'disabled') ORDER BY g.id DESC LIMIT 1"
    ));
    for hash in &hashes {
        world.somebody_deletes_key(hash);
    }
}

fn crowd(world: &World, cast: &Cast) {
    world.add_fault("openrouter.keys.create", "reset_after", json!({}));
    claims(world, &cast.member, 503);
    world.somebodys_keys(104);
}

fn three_claim(world: &World, cast: &Cast) {
    for who in [&cast.member, &cast.second, &cast.operator] {
        claims(world, who, 201);
    }
}

/// Every key gets another limit with the next sweep.
fn lowers_the_plan(world: &World, cast: &Cast) {
    let body = Body::Bytes(br#"{"limit_usd":"4"}"#.to_vec());
    done(call(
        world,
        &cast.operator,
        "PATCH",
        "/api/v1/admin/plans/default",
        body,
    ));
}

fn claim(world: &World, who: &Cookies) -> Act {
    let body = Body::Bytes(CLAIM.into());
    call(world, who, "POST", "/api/v1/claim", body)
}

fn post(world: &World, who: &Cookies, target: &str) -> Act {
    call(world, who, "POST", target, Body::Bytes(b"{}".to_vec()))
}

fn switch(world: &World, cast: &Cast, body: &str) -> Act {
    let (body, target) = (Body::Bytes(body.into()), "/api/v1/admin/settings");
    call(world, &cast.operator, "PATCH", target, body)
}

/// An admin makes a guardrail and sets it for the default plan.
fn guardrail(world: &World, cast: &Cast) -> Act {
    let body = json!({ "guardrail_id": world.guardrail("cheap/one") }).to_string();
    call_with(
        world,
        &cast.operator,
        "PATCH",
        "/api/v1/admin/plans/default",
        &body,
    )
}

/// An admin sends a request about the member.
fn on_member(world: &World, cast: &Cast, part: &str, body: &str) -> Act {
    let ids = format!("SELECT m.public_id FROM members m WHERE {THE_MEMBER}");
    let target = format!("/api/v1/admin/members/{}/{part}", world.db.text(&ids));
    call_with(world, &cast.operator, "POST", &target, body)
}

fn call_with(world: &World, who: &Cookies, method: &str, target: &str, body: &str) -> Act {
    call(world, who, method, target, Body::Bytes(body.into()))
}

/// An admin changes the status of the member, who may have left.
fn set_status(world: &World, cast: &Cast, status: &str) -> Act {
    let ids = format!("SELECT m.public_id FROM members m WHERE {THE_MEMBER}");
    let target = format!("/api/v1/admin/members/{}", world.db.text(&ids));
    let body = format!(r#"{{"status":"{status}"}}"#);
    call_with(world, &cast.operator, "PATCH", &target, &body)
}

/// Selects the member. Only the member leaves, so the empty login of somebody who has left is theirs.
const THE_MEMBER: &str = "m.login IN ('member', '')";

/// The member or an admin sends a request about the member's newest key, or about a key that does not exist before
/// there is one.
fn act_on_key(world: &World, who: &Cookies, method: &str, body: &str) -> Act {
    let (target, body) = (newest(world), Body::Bytes(body.into()));
    call(world, who, method, &target, body)
}

fn newest(world: &World) -> String {
    let keys = world.db.texts(&format!(
        "SELECT k.public_id FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE {THE_MEMBER}
         ORDER BY k.id DESC LIMIT 1"
    ));
    let key = keys.first().map_or("key_of_nobody", String::as_str);
    format!("/api/v1/keys/{key}")
}

const GRACE: &str = r#"{"grace_hours":1}"#;

fn verb(world: &World, cast: &Cast, verb: &str, body: &str) -> Act {
    let (target, body) = (
        format!("{}/{verb}", newest(world)),
        Body::Bytes(body.into()),
    );
    call(world, &cast.member, "POST", &target, body)
}

/// Sends the request of a verb, whose isolate dies just before this statement.
fn dies_before(world: &World, cast: &Cast, wanted: &str, body: &str, statement: &str) {
    let names = {
        let dry = world.forked();
        dry.effects.plan(&[]);
        done(verb(&dry, cast, wanted, body));
        dry.effects.names()
    };
    let k = names.iter().position(|name| name.contains(statement));
    world
        .effects
        .plan(&[(k.expect("it has it"), Fate::CutBefore)]);
    assert!(step(&mut verb(world, cast, wanted, body)).is_pending());
    world.effects.plan(&[]);
}

/// A sweep as its Cron Trigger starts it, with a scheduled time so many seconds ahead of our clock.
pub fn sweep(world: &World, ahead: i64) -> Act {
    let (service, at) = (world.service(), world.now().plus(ahead));
    Box::pin(async move {
        keycap::jobs::sweep_and_go_on(service.app(), at).await;
        None
    })
}

pub fn reconcile(world: &World) -> Act {
    let (service, at) = (world.service(), world.now());
    Box::pin(async move {
        keycap::jobs::run(service.app(), keycap::jobs::EVERY_NIGHT, at).await;
        None
    })
}

fn done_at_once() -> Act {
    Box::pin(std::future::ready(None))
}

pub fn call(world: &World, who: &Cookies, method: &str, target: &str, body: Body) -> Act {
    let request = from_our_page(who, method, target, body);
    let service = world.service();
    Box::pin(async move { Some(service.answer(request).await) })
}

fn claims(world: &World, who: &Cookies, status: u16) {
    assert_eq!(done(claim(world, who)).unwrap().status, status);
}

pub fn done(mut act: Act) -> Option<Response> {
    match step(&mut act) {
        Poll::Ready(response) => response,
        Poll::Pending => panic!("nothing holds it"),
    }
}

pub fn step(act: &mut Act) -> Poll<Option<Response>> {
    act.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// The world at a stage, with new sessions where the old ones have ended.
fn stage(number: usize) -> Rc<(World, Cast)> {
    let world = World::new();
    let cast = signed_in(&world);
    STAGES[number].1(&world, &cast);
    oracle::always(&world);
    world.pass(TEN_MINUTES);
    let cast = renewed(&world, &cast);
    Rc::new((world, cast))
}

/// An operation that runs without a fault: the names of its effects, and the status of its answer.
#[derive(Clone)]
struct Dry {
    effects: Vec<String>,
    status: Option<u16>,
}

/// What is known of operations at stages. It is the same in every test.
static DRY: Mutex<BTreeMap<(usize, usize), Dry>> = Mutex::new(BTreeMap::new());

/// Runs an operation at a stage without a fault, unless that has been done.
fn dry(stage: usize, start: &(World, Cast), operation: usize) -> Dry {
    let known = DRY.lock().unwrap().get(&(stage, operation)).cloned();
    known.unwrap_or_else(|| {
        let world = start.0.forked();
        world.effects.plan(&[]);
        let response = done(OPERATIONS[operation].2(&world, &start.1));
        let dry = Dry {
            effects: world.effects.names(),
            status: response.map(|response| response.status),
        };
        DRY.lock().unwrap().insert((stage, operation), dry.clone());
        dry
    })
}

pub fn signed_in(world: &World) -> Cast {
    let cookies = |persona| Browser::signed_in(world, persona).cookies.take();
    Cast {
        member: cookies("member"),
        second: cookies("second"),
        operator: cookies("operator"),
    }
}

/// Signs in again everyone whose session has ended.
fn renewed(world: &World, cast: &Cast) -> Cast {
    let renewed = |cookies: &Cookies, persona| {
        let browser = Browser::with(world, cookies);
        match browser.get("/api/v1/me").status {
            200 => cookies.clone(),
            // A person whose sign-in is refused stays signed out.
            _ => {
                let response = browser.sign_in(persona);
                assert_eq!(response.status, 303, "{response:?}");
                browser.cookies.take()
            }
        }
    };
    Cast {
        member: renewed(&cast.member, "member"),
        second: renewed(&cast.second, "second"),
        operator: renewed(&cast.operator, "operator"),
    }
}

/// Runs a recovery. `how` is 0 for sweeps, 1 for a retry of every claim and then sweeps, 2 for sweeps and then a retry.
pub fn recover(world: &World, cast: &Cast, how: usize) {
    world.effects.plan(&[]);
    let retry = |world: &World| {
        let cast = renewed(world, cast);
        for who in [&cast.member, &cast.second] {
            let response = done(claim(world, who)).unwrap();
            assert!(
                response.status < 500 || response.status == 503,
                "{response:?}"
            );
        }
        oracle::always(world);
    };
    if how == 1 {
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
    // A switch whose outcome is unknown stays in flight for five minutes after it was sent.
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    oracle::settled(world);
    nobody_spent_more_than_was_given(world);
}

/// Checks that every person who may claim ends with one working key.
pub fn all_is_well(world: &World, cast: &Cast) {
    world.effects.between(None);
    let cast = renewed(world, cast);
    done(set_status(world, &cast, "active"));
    done(call_with(
        world,
        &cast.operator,
        "DELETE",
        "/api/v1/admin/blocks",
        MEMBER,
    ));
    let cast = renewed(world, &cast);
    // Reinstating the member lifts the holds of keys that have ended.
    world.db.run(
        "DELETE FROM holds WHERE reason = 'admin' AND key_id IN (SELECT id FROM keys WHERE ended_at IS NOT NULL)",
    );
    world.upstream_ahead_ms.set(0);
    done(switch(world, &cast, r#"{"keys":"on"}"#));
    done(switch(world, &cast, r#"{"minting":"open"}"#));
    done(switch(world, &cast, r#"{"claims":"open"}"#));
    for key in world.db.texts(
        "SELECT public_id FROM keys k WHERE upstream_limit_nano IS NOT NULL
           OR EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'upstream')",
    ) {
        let of = format!("/api/v1/admin/keys/{key}");
        done(call_with(world, &cast.operator, "PATCH", &of, LIFT));
    }
    done(act_on_key(world, &cast.operator, "PATCH", ON));
    done(act_on_key(world, &cast.member, "PATCH", ON));
    world.pass(86_400);
    assert!(world.sweep());
    for key in to_replace(world) {
        replaces(world, &cast, &key);
    }
    let cast = renewed(world, &cast);
    for who in [&cast.member, &cast.second] {
        let mut response = done(claim(world, who)).unwrap();
        if response.code() == "credit_spent" {
            // A prepaid key ended while a switch was in flight: all of its limit counts as spent, for good.
            let paid = r#"{"payment_id":"p-more","amount_usd":"5"}"#;
            assert_eq!(
                done(on_member(world, &cast, "payments", paid))
                    .unwrap()
                    .status,
                201
            );
            response = done(claim(world, who)).unwrap();
        }
        assert!([200, 201].contains(&response.status), "{response:?}");
    }
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    oracle::settled(world);
    // A key whose spend is unknown counts with its whole limit in its window. A key that waits for that works again
    // once the window has ended.
    let waiting = "SELECT COUNT(*) FROM holds h JOIN keys k ON k.id = h.key_id WHERE h.reason = 'budget' AND k.ended_at IS NULL";
    if world.db.number(waiting) > 0 {
        world.pass(31 * 86_400);
        for _ in 0..2 {
            world.pass(TEN_MINUTES);
            assert!(world.sweep());
        }
        oracle::settled(world);
    }
    let active = world
        .db
        .number("SELECT COUNT(*) FROM generations WHERE state = 'active'");
    assert_eq!(world.usable().len(), usize::try_from(active).unwrap());
    assert!(active >= 2);
}

/// The member's keys that wait until their owner replaces them: those that have leaked, and those that somebody deleted
/// at OpenRouter.
fn to_replace(world: &World) -> Vec<String> {
    let keys = world.db.texts(&format!(
        "SELECT DISTINCT k.public_id || ' ' || EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'leak') || ' '
           || COALESCE((SELECT g.upstream_hash FROM generations g WHERE g.key_id = k.id AND g.state IN ('active', 'disabled')
              AND g.expires_at > {} ORDER BY g.id DESC LIMIT 1), '')
         FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE {THE_MEMBER} AND k.ended_at IS NULL ORDER BY k.id DESC",
        world.now().secs()
    ));
    let gone = world.gone.borrow();
    let waits = |key: &String| {
        let [id, leaked, hash] = key.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("three columns: {key}");
        };
        (leaked == "1" || gone.iter().any(|one| one == hash)).then(|| id.to_owned())
    };
    keys.iter().filter_map(waits).collect()
}

/// The member makes another secret of this key, once the spend of earlier ones is counted.
fn replaces(world: &World, cast: &Cast, key: &str) {
    let target = format!("/api/v1/keys/{key}/rotate");
    let rotate = || done(post(world, &cast.member, &target)).unwrap();
    let mut response = rotate();
    for _ in 0..3 {
        match response.code().as_str() {
            "rotation_unsettled" => {
                world.pass(TEN_MINUTES);
                assert!(world.sweep());
            }
            "credit_spent" => {
                let paid = r#"{"payment_id":"p-next","amount_usd":"5"}"#;
                done(on_member(world, cast, "payments", paid));
            }
            _ => break,
        }
        response = rotate();
    }
    assert_eq!(response.status, 201, "{response:?}");
    // The spend of a key that was deleted upstream is unknown: its whole limit counts until its window ends.
    let key = response.json()["key"].clone();
    let from = key["available_from"].as_str();
    if let Some(from) = from.and_then(keycap::domain::time::Timestamp::parse) {
        world.pass(from.since(world.now()) + 7_200);
        assert!(world.sweep());
    }
}

/// Counts the mints that were recorded: for the member, for everybody, first ones of everybody, and those made for
/// another plan revision than the present one.
fn recorded(world: &World) -> [i64; 4] {
    let outdated = "g.plan_rev <> o.plan_rev + p.rev";
    [THE_MEMBER, "1", "g.replaces IS NULL", outdated].map(|whose| {
        world.db.number(&format!(
            "SELECT COUNT(*) FROM generations g JOIN members m ON m.owner_id = g.owner_id
             JOIN owners o ON o.id = g.owner_id JOIN plans p ON p.id = o.plan_id
             WHERE g.recorded_at IS NOT NULL AND {whose}"
        ))
    })
}

/// Checks that, once an operation that shuts out claims has ended, nothing more is recorded for the people whom it
/// shuts out.
fn shut_out_is_out(does: Does, before: [i64; 4], after: [i64; 4]) {
    match does {
        ShutsOutMember => assert_eq!(before[0], after[0], "recorded for who is shut out"),
        // A plan that is assigned meanwhile makes existing mints outdated, and records nothing.
        ShutsOutAll => assert_eq!(
            before[..3],
            after[..3],
            "recorded while everybody is shut out"
        ),
        ShutsOutClaims => assert_eq!(before[2], after[2], "claimed by approval only"),
        // If nothing was recorded at all, an assigned plan made an existing mint outdated.
        Outdates => assert!(
            before[3] == after[3] || before[1] == after[1],
            "recorded for an earlier plan"
        ),
        _ => {}
    }
}

/// Which scenarios run: one by its name, or a part of them by number.
pub struct Choice {
    only: Option<String>,
    scale: Option<usize>,
    /// By default, one of this many scenarios runs.
    part: usize,
    ran: usize,
    all: usize,
}

/// A prime, so that the period of no list decides which scenarios are left out.
const STRIDE: usize = 7919;

/// The value of `KEYCAP_SCALE` that runs everything.
const WHOLE: usize = 25;

impl Choice {
    pub fn one_of(part: usize) -> Self {
        let scale = std::env::var("KEYCAP_SCALE").ok();
        Self {
            only: std::env::var("KEYCAP_SCENARIO").ok(),
            scale: scale.and_then(|scale| scale.parse().ok()),
            part,
            ran: 0,
            all: 0,
        }
    }

    /// Answers whether the next scenario runs. A family stands for all scenarios whose names begin with it.
    pub fn takes(&mut self, family: &str) -> bool {
        let number = (self.all + 1) * STRIDE;
        self.takes_if(family, number.is_multiple_of(self.part))
    }

    /// The same as [`Choice::takes`], for a scenario of which `by_default` says whether it runs by default.
    pub fn takes_if(&mut self, family: &str, by_default: bool) -> bool {
        self.all += 1;
        match (&self.only, self.scale) {
            (Some(only), _) => only.starts_with(family) || family.starts_with(only.as_str()),
            (None, Some(scale)) => self.all * STRIDE % WHOLE < scale,
            (None, None) => by_default,
        }
    }

    /// Answers whether all scenarios of a family run, rather than one of them.
    fn takes_all(&self) -> bool {
        self.only.is_some() || self.scale.is_some_and(|scale| scale >= WHOLE)
    }

    /// Runs one scenario if its name was chosen. Prints its name if it fails.
    pub fn run(&mut self, name: &str, scenario: impl FnOnce()) {
        if self
            .only
            .as_deref()
            .is_some_and(|only| !name.starts_with(only))
        {
            return;
        }
        self.ran += 1;
        if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(scenario)) {
            eprintln!("failed: KEYCAP_SCENARIO='{name}'");
            std::panic::resume_unwind(panic);
        }
    }

    /// Prints one line with the number of scenarios. A scenario that was chosen by name is in only one of the tests, so
    /// the others may run none.
    pub fn counted(&self, what: &str) {
        println!("counted: {} {what} of {}", self.ran, self.all);
        assert!(self.ran > 0 || self.only.is_some(), "nothing ran");
    }
}
