//! What happens around midnight, when a window has begun by one clock and not by the other.

use sandbox::Period;
use serde_json::json;

use super::acts::{CLAIMS, END, RAISE, ROTATE, down_and_away, key_of_member};
use super::admins::{of_key, window};
use super::spender::{spend, spend_a_part, spend_all};
use super::{Dice, Play};
use crate::support::browser::CLAIM;

pub fn until_midnight(play: &Play) -> i64 {
    let now = play.world.now_ms.get();
    (Period::Daily.end(now) - now) / 1000
}

/// Sweeps every ten minutes, from before midnight until after it and at any minute, with spending in between.
pub fn night(play: &mut Play, dice: &mut Dice) {
    let before = 1_500 + i64::try_from(dice.below(600)).unwrap();
    let wait = until_midnight(play) - before;
    play.pass(if wait > 0 { wait } else { 60 });
    if dice.one_in(3) {
        // The raise is granted for this day only.
        let until = play.world.now().plus(until_midnight(play));
        let body = json!({ "amount_usd": "5", "until": until.rfc3339() }).to_string();
        of_key(play, dice, RAISE, &body);
    }
    if dice.one_in(2) {
        // What the earlier secret spent in this day is counted until the next day has begun.
        spend_all(play, dice);
        key_of_member(play, dice, ROTATE, "{}");
    }
    for _ in 0..6 {
        play.sweep();
        if dice.one_in(2) {
            spend(play, dice, 2);
        }
        if until_midnight(play) < 600 && dice.one_in(2) {
            // No sweep has changed anything for the new day yet.
            play.pass(until_midnight(play) + 125);
            spend_all(play, dice);
        }
    }
    if dice.one_in(2) {
        down_and_away(play, dice);
    }
    spend_all(play, dice);
}

/// Seconds until the member's window ends by our clock; until midnight if the window has no end.
fn until_window_ends(play: &Play) -> i64 {
    let now = play.world.now_ms.get();
    let period = window(&play.world).unwrap_or(Period::Daily);
    (period.end(now) - now) / 1000
}

/// Passes to so many seconds before the end of the member's window by our clock, or of the next window if that moment
/// is over.
fn pass_to_before_window_ends(play: &mut Play, secs: i64) {
    if until_window_ends(play) < secs {
        play.pass(secs);
    }
    play.pass(until_window_ends(play) - secs);
}

/// OpenRouter's clock is ten minutes behind ours. A key that has spent some of its window ends. The key after it is
/// made before or after the window has ended by our clock, and spends little or nothing in the window that has begun by
/// our clock alone.
pub fn night_of_one_clock(play: &mut Play, dice: &mut Dice) {
    // OpenRouter's own clock never goes back.
    play.pass(900);
    play.world.upstream_ahead_ms.set(-600_000);
    pass_to_before_window_ends(play, 2_400);
    play.by_member(CLAIMS, "", CLAIM);
    let is_all = dice.one_in(2);
    if is_all {
        spend_all(play, dice);
    } else {
        spend_a_part(play, dice);
    }
    let ends = dice.of(&[END, ROTATE]);
    key_of_member(play, dice, ends, "{}");
    if !dice.one_in(3) {
        play.by_member(CLAIMS, "", CLAIM);
    }
    if !is_all {
        spend_a_part(play, dice);
    }
    for _ in 0..dice.below(4) {
        play.sweep();
    }
    let minutes = i64::try_from(3 + dice.below(6)).unwrap();
    play.pass(until_window_ends(play) + 60 * minutes);
    play.by_member(CLAIMS, "", CLAIM);
    if !dice.one_in(3) {
        play.sweep_at_once();
    }
    spend_all(play, dice);
}

/// A raise ends with the window or close to it. It is spent just before that end and again right after it, by both
/// clocks, before the next sweep runs.
pub fn raised_until_midnight(play: &mut Play, dice: &mut Dice) {
    pass_to_before_window_ends(play, 1_900 + i64::try_from(dice.below(600)).unwrap());
    play.by_member(CLAIMS, "", CLAIM);
    let until = until_window_ends(play) + dice.of(&[-60, 0, 0, 60, 120]);
    let until = play.world.now().plus(until).rfc3339();
    let body = json!({ "amount_usd": "5", "until": until }).to_string();
    of_key(play, dice, RAISE, &body);
    while until_window_ends(play) > 720 {
        play.sweep();
    }
    let ahead = play.world.upstream_ahead_ms.get() / 1000;
    let by_first_clock = until_window_ends(play) - ahead.max(0);
    if by_first_clock > 10 {
        play.pass(by_first_clock - 10);
        spend_all(play, dice);
    }
    play.pass(until_window_ends(play) + (-ahead).max(0) + 10);
    spend_all(play, dice);
}
