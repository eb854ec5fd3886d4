//! The spender: a member who spends with every secret they ever got, any amount, at any moment, also between any two
//! effects of an operation in progress.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use sandbox::{Spent, Usd};

use super::bound::Reckoning;
use super::{Dice, Play};
use crate::support::World;

/// Makes one model call. If it is let in, its amount is recorded, except for the part that is due to what someone
/// outside keycap changed at OpenRouter.
pub fn call(world: &World, reckoning: &RefCell<Reckoning>, secret: &str, price: Usd) -> Spent {
    let now = world.upstream_now_ms();
    let hash = sandbox::sha256_hex(secret.as_bytes());
    let ours = world.left_of_ours(&hash);
    let spent = world.sandbox.borrow_mut().spend(secret, price, now);
    if let Spent::Booked(amount) = spent {
        let mut reckoning = reckoning.borrow_mut();
        match ours.map(|left| reckoning.within(amount, left)) {
            Some(Usd::ZERO) => reckoning.admit_of_somebody(),
            of_ours => reckoning.admit(world, &hash, of_ours.unwrap_or(amount)),
        }
    }
    spent
}

/// A price, from almost nothing to more than any limit leaves. Half of them are no round amounts.
fn price(dice: &mut Dice) -> Usd {
    let nanos = match dice.below(4) {
        0 => dice.of(&[1, 10_000, 250_000_000, 1_000_000_000, 2_500_000_000]),
        1 => dice.of(&[4_960_000_000, 4_990_000_000, 9_000_000_000]),
        _ => 1 + i64::try_from(dice.below(6_000_000_000)).unwrap(),
    };
    Usd { nanos }
}

/// The delivered secrets, newest first.
fn secrets(world: &World) -> Vec<String> {
    let mut secrets = world.delivered.borrow().clone();
    secrets.reverse();
    secrets
}

/// From now on somebody spends before every effect, or before one in two or three, until [`rests`].
pub fn spends_between(play: &Play, mut dice: Dice) {
    let world: Weak<World> = Rc::downgrade(&play.world);
    let reckoning = Rc::clone(&play.reckoning);
    let (rarely, greedy) = (1 + dice.below(3), dice.one_in(2));
    play.world.effects.between(Some(Box::new(move |_| {
        let Some(world) = world.upgrade() else { return };
        if !dice.one_in(rarely) {
            return;
        }
        reckoning.borrow_mut().between();
        let all = secrets(&world);
        if greedy {
            for secret in all {
                all_of(
                    &world,
                    &reckoning,
                    &secret,
                    Usd {
                        nanos: 1_500_000_000,
                    },
                );
            }
        } else if let Some(secret) = dice.of_first(&all) {
            call(&world, &reckoning, &secret, price(&mut dice));
        }
    })));
}

pub fn rests(play: &Play) {
    play.world.effects.between(None);
}

/// Spends with secrets that the member ever got, mostly with the last one.
pub fn spend(play: &mut Play, dice: &mut Dice, times: usize) {
    let all = secrets(&play.world);
    for _ in 0..=dice.below(times) {
        if let Some(secret) = dice.of_first(&all) {
            let spent = call(&play.world, &play.reckoning, &secret, price(dice));
            play.done = format!("{spent:?} {}", &sandbox::sha256_hex(secret.as_bytes())[..6]);
        }
    }
}

/// Spends less than a plan gives, with the last secret.
pub fn spend_a_part(play: &mut Play, dice: &mut Dice) {
    let nanos = dice.of(&[250_000_000, 1_000_000_000, 2_000_000_000]);
    if let Some(secret) = secrets(&play.world).first() {
        call(&play.world, &play.reckoning, secret, Usd { nanos });
    }
}

/// Spends with each secret, as long as OpenRouter lets a call in.
pub fn spend_all(play: &mut Play, dice: &mut Dice) {
    let price = dice.of(&[700_000_000, 1_500_000_000, 9_000_000_000]);
    let mut all = secrets(&play.world);
    if dice.one_in(2) {
        all.reverse();
    }
    for secret in all {
        all_of(&play.world, &play.reckoning, &secret, Usd { nanos: price });
    }
    play.done = String::from("all");
}

/// Spends with one secret, at most nine times: OpenRouter does not see within the lag that a limit is reached.
fn all_of(world: &World, reckoning: &RefCell<Reckoning>, secret: &str, price: Usd) {
    for _ in 0..9 {
        if !matches!(call(world, reckoning, secret, price), Spent::Booked(_)) {
            break;
        }
    }
}
