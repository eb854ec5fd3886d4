//! What someone outside keycap does to the member's keys at OpenRouter, and how an admin lifts it.

use sandbox::{UpstreamKey, Usd};
use serde_json::{Value, json};

use super::acts::{Route, key};
use super::admins::by_operator;
use super::spender::spend_all;
use super::{Dice, Play};
use crate::explorer;

pub const LIFT: Route = ("PATCH", "/api/v1/admin/keys/{id}");

pub fn disables(play: &mut Play, dice: &mut Dice) {
    if let Some(before) = one(play, dice, |key| !key.disabled) {
        changes(play, &before, &json!({ "disabled": true }));
    }
}

/// Sets a lower limit than the key has, possibly zero.
pub fn lowers(play: &mut Play, dice: &mut Dice) {
    let is_limited = |key: &UpstreamKey| key.limit.is_some_and(|limit| limit > Usd::ZERO);
    if let Some(before) = one(play, dice, is_limited) {
        let limit = before.limit.unwrap_or(Usd::ZERO).nanos;
        let lower = dice.of(&[0, 10_000_000, 1_000_000_000, limit / 2, limit - 13_000_000]);
        let lower = Usd {
            nanos: lower.clamp(0, limit - 1),
        };
        changes(play, &before, &json!({ "limit": lower.dollars() }));
    }
}

/// Enables a key that is disabled, whoever disabled it.
pub fn enables(play: &mut Play, dice: &mut Dice) {
    if let Some(before) = one(play, dice, |key| key.disabled) {
        changes(play, &before, &json!({ "disabled": false }));
        spends_now_or_later(play, dice);
    }
}

/// Raises the limit by an amount that no plan or raise adds up to.
pub fn raises(play: &mut Play, dice: &mut Dice) {
    if let Some(before) = one(play, dice, |_| true) {
        let limit = before.limit.unwrap_or(Usd::ZERO).nanos;
        let higher = Usd {
            nanos: limit + dice.of(&[370_000_003, 1_370_000_007, 20_070_000_009]),
        };
        changes(play, &before, &json!({ "limit": higher.dollars() }));
        spends_now_or_later(play, dice);
    }
}

fn spends_now_or_later(play: &mut Play, dice: &mut Dice) {
    if dice.one_in(2) {
        spend_all(play, dice);
    }
}

pub fn deletes(play: &mut Play, dice: &mut Dice) {
    if let Some(key) = one(play, dice, |_| true) {
        play.world.somebody_deletes_key(&key.hash);
        play.done = short(&key);
    }
}

/// An admin lifts what was done to a key: mostly to one where the database records something to lift.
pub fn lift(play: &mut Play, dice: &mut Dice) {
    let held = play.world.db.texts(
        "SELECT public_id FROM keys k WHERE upstream_limit_nano IS NOT NULL
           OR EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'upstream') ORDER BY id DESC",
    );
    let key = dice
        .of_first(&held)
        .unwrap_or_else(|| key(&play.world, dice));
    play.world.lifts_by_name(&key, play.luck.is_some());
    by_operator(play, LIFT, &key, explorer::LIFT);
}

/// A nightly reconcile run.
pub fn reconcile(play: &mut Play) {
    let act = explorer::reconcile(&play.world);
    play.send(act);
    let runs = "SELECT outcome FROM runs WHERE job = 'reconcile' ORDER BY id DESC LIMIT 1";
    if play.held.is_none() {
        play.done = play.world.db.texts(runs).concat();
    }
}

/// A recorded key that still exists at OpenRouter and meets the condition, mostly the newest.
fn one(play: &Play, dice: &mut Dice, is: impl Fn(&UpstreamKey) -> bool) -> Option<UpstreamKey> {
    let hashes = play.world.db.texts(
        "SELECT upstream_hash FROM generations WHERE upstream_hash IS NOT NULL AND recorded_at IS NOT NULL ORDER BY id DESC",
    );
    let keys = hashes
        .iter()
        .filter_map(|hash| play.world.upstream_key(hash));
    let keys: Vec<_> = keys
        .filter(|key| key.deleted_at_ms.is_none() && is(key))
        .collect();
    dice.of_first(&keys)
}

fn changes(play: &mut Play, before: &UpstreamKey, change: &Value) {
    play.world.somebody_changes(&before.hash, change);
    // A held request may have read the key before this change, and may send its own change afterwards.
    if play.held.is_none() {
        play.world.stays_as_left_by_hand(before);
    }
    play.done = format!("{change} {}", short(before));
}

fn short(key: &UpstreamKey) -> String {
    key.hash[..6].to_owned()
}
