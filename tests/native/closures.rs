//! The workspace of our keys is closed while every key must be disabled, and opened again afterwards.

use serde_json::{Value, json};

use crate::support::{Browser, Cookies, Fate, TEN_MINUTES, World, oracle, world};
use keycap::http::server::message::Body;
use sandbox::{Spent, Usd};

const SETTINGS: &str = "/api/v1/admin/settings";
const CHANGE: &str = "openrouter.guardrails.update";
const WORKSPACE: &str = "5a4db0c5-0000-4000-8000-000000000001";
const RULES: &str = "/guardrails/5a4db0c5-0000-4000-8000-000000000002";

/// Makes a workspace that is ours alone, with three keys in it, and an operator. Returns the hashes of the keys too.
fn begin() -> (World, Cookies, Vec<String>) {
    let world = World::new();
    world.set("OPENROUTER_WORKSPACE_ID", WORKSPACE);
    world.set("OPENROUTER_WORKSPACE_EXCLUSIVE", "true");
    for n in 0..3 {
        let person = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(person.claim().status, 201);
    }
    let cookies = Browser::signed_in(&world, "operator").cookies.take();
    let hashes = world.usable().into_iter().map(|key| key.hash).collect();
    (world, cookies, hashes)
}

fn switch(world: &World, cookies: &Cookies, keys: &str) {
    let body = match keys {
        "off" => json!({ "keys": "off", "confirm": 3 }),
        other => json!({ "keys": other }),
    };
    let headers = [
        ("origin", world::ORIGIN),
        ("content-type", "application/json"),
    ];
    let body = Body::Bytes(body.to_string().into_bytes());
    Browser::with(world, cookies).try_send("PATCH", SETTINGS, &headers, body);
}

/// How many of the keys OpenRouter lets call a model.
fn callers(world: &World, hashes: &[String]) -> usize {
    let (now, price) = (world.upstream_now_ms(), Usd::from_dollars(0.000_1));
    let mut sandbox = world.sandbox.borrow_mut();
    let calls = hashes
        .iter()
        .map(|hash| sandbox.call_model(hash, Some("cheap/one"), price, now));
    let let_through = calls.filter(|spent| matches!(spent, Spent::Booked(_)));
    let_through.count()
}

/// The rules of the default guardrail that closing may change.
fn rules(world: &World) -> Value {
    // A change of nothing shows the guardrail, also if it was never changed before.
    let shown = world.by_hand("PATCH", RULES, &json!({}))["data"].clone();
    json!([
        shown["allowed_models"],
        shown["allowed_providers"],
        shown["limit_usd"],
        shown["reset_interval"],
    ])
}

fn sweeps(world: &World, n: usize) {
    world.effects.plan(&[]);
    for _ in 0..n {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
        oracle::always(world);
    }
    oracle::settled(world);
}

fn remembered(world: &World) -> i64 {
    world.db.number("SELECT COUNT(*) FROM closed_workspaces")
}

#[test]
fn one_call_stops_every_key_before_the_first_is_disabled_and_opening_restores_what_was_allowed() {
    let (world, cookies, hashes) = begin();
    let before = json!({ "allowed_models": ["cheap/one", "dear/one"], "limit_usd": 9.0, "reset_interval": "weekly" });
    world.by_hand("PATCH", RULES, &before);
    let open = rules(&world);
    let by_hand = world.calls(CHANGE);
    assert_eq!(callers(&world, &hashes), 3);
    switch(&world, &cookies, "off");
    assert_eq!(world.usable().len(), 3, "no key is disabled yet");
    assert_eq!(callers(&world, &hashes), 0);
    let shown = Browser::with(&world, &cookies).get(SETTINGS).json();
    assert_eq!(shown["workspace"], "closed");
    assert_eq!(world.calls(CHANGE), by_hand + 1);
    sweeps(&world, 2);
    assert_eq!(world.calls(CHANGE), by_hand + 1, "it is closed only once");
    assert_eq!(world.usable().len(), 0);
    switch(&world, &cookies, "on");
    assert_eq!(rules(&world), open);
    let shown = Browser::with(&world, &cookies).get(SETTINGS).json();
    assert_eq!(shown["workspace"], Value::Null);
    sweeps(&world, 1);
    assert_eq!(callers(&world, &hashes), 3);
    assert_eq!(remembered(&world), 0);
    let audit = "SELECT action FROM audit WHERE target = 'workspace' ORDER BY id";
    let actions = ["workspace_closing", "workspace_closed", "workspace_opened"];
    assert_eq!(world.db.texts(audit), actions);
}

#[test]
fn a_workspace_that_may_hold_keys_of_others_is_left_alone() {
    let (world, cookies, hashes) = begin();
    world.set("OPENROUTER_WORKSPACE_EXCLUSIVE", "false");
    switch(&world, &cookies, "off");
    sweeps(&world, 1);
    assert_eq!((world.calls(CHANGE), callers(&world, &hashes)), (0, 0));
    assert_eq!(remembered(&world), 0);
}

#[test]
fn a_closed_workspace_is_opened_also_after_the_operator_took_the_declaration_back() {
    let (world, cookies, hashes) = begin();
    switch(&world, &cookies, "off");
    world.set("OPENROUTER_WORKSPACE_EXCLUSIVE", "false");
    sweeps(&world, 1);
    assert_eq!(remembered(&world), 1);
    switch(&world, &cookies, "on");
    assert_eq!(rules(&world), json!([null, null, null, null]));
    sweeps(&world, 1);
    assert_eq!((callers(&world, &hashes), remembered(&world)), (3, 0));
}

#[test]
fn a_rule_that_openrouter_refuses_is_followed_by_the_next_and_by_the_keys_themselves() {
    for (refused, closed) in [
        (1, json!([null, ["keycap-no-provider"], null, null])),
        (2, json!([null, null, 0.01, "monthly"])),
    ] {
        let (world, cookies, _) = begin();
        let times = json!({ "times": refused, "status": 400 });
        world.add_fault(CHANGE, "refuse", times);
        switch(&world, &cookies, "off");
        assert_eq!(rules(&world), closed);
        sweeps(&world, 1);
        switch(&world, &cookies, "on");
        assert_eq!(rules(&world), json!([null, null, null, null]));
    }
    let (world, cookies, hashes) = begin();
    let all = json!({ "times": 0, "status": 400 });
    world.add_fault(CHANGE, "refuse", all);
    switch(&world, &cookies, "off");
    assert_eq!(callers(&world, &hashes), 3, "nothing stops them yet");
    let is_logged = |line: &String| line.contains("workspace_not_closed");
    assert!(world.log.borrow().iter().any(is_logged));
    let shown = Browser::with(&world, &cookies).get(SETTINGS).json();
    assert_eq!(shown["workspace"], "closing");
    sweeps(&world, 1);
    assert_eq!(callers(&world, &hashes), 0);
    world.sandbox.borrow_mut().clear_faults();
    switch(&world, &cookies, "on");
    sweeps(&world, 1);
    assert_eq!(callers(&world, &hashes), 3);
}

#[test]
fn what_somebody_changed_while_the_workspace_was_closed_stays() {
    let (world, cookies, _) = begin();
    switch(&world, &cookies, "off");
    let theirs = json!({ "allowed_models": ["dear/one"], "allowed_providers": ["dear"] });
    world.by_hand("PATCH", RULES, &theirs);
    switch(&world, &cookies, "on");
    assert_eq!(rules(&world), json!([["dear/one"], ["dear"], null, null]));
    assert_eq!(remembered(&world), 0);
}

#[test]
fn closing_and_opening_survive_a_break_at_any_effect_and_a_change_that_takes_effect_late() {
    let mut scenarios = 0;
    let fates = [&Fate::ALL[..], &[Fate::Late]].concat();
    for towards_on in [false, true] {
        let (start, cookies, hashes) = begin();
        if towards_on {
            switch(&start, &cookies, "off");
            sweeps(&start, 1);
        }
        let first = if towards_on { "on" } else { "off" };
        let dry = start.copied();
        dry.effects.plan(&[]);
        switch(&dry, &cookies, first);
        for k in 0..dry.effects.count() {
            for fate in &fates {
                for turned_back in [false, true] {
                    let world = start.forked();
                    world.effects.plan(&[(k, *fate)]);
                    switch(&world, &cookies, first);
                    world.effects.plan(&[]);
                    if turned_back {
                        let back = if towards_on { "off" } else { "on" };
                        switch(&world, &cookies, back);
                    } else {
                        switch(&world, &cookies, first);
                    }
                    world.effects.land();
                    sweeps(&world, 3);
                    let is_open = towards_on != turned_back;
                    let (all, open) = (if is_open { 3 } else { 0 }, i64::from(!is_open));
                    let at = format!("{first} {k} {fate:?} {turned_back}");
                    assert_eq!(callers(&world, &hashes), all, "{at}");
                    assert_eq!(remembered(&world), open, "{at}");
                    let confirmed = "SELECT COUNT(*) FROM closed_workspaces WHERE confirmed = 1 AND wanted = 'closed'";
                    assert_eq!(world.db.number(confirmed), open, "{at}");
                    if is_open {
                        assert_eq!(rules(&world), json!([null, null, null, null]), "{at}");
                    }
                    scenarios += 1;
                }
            }
        }
    }
    println!("counted: {scenarios} scenarios of closing a workspace and opening it again");
    assert!(scenarios > 100, "{scenarios}");
}
