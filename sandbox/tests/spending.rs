//! Model calls as upstream lets them through: keys, limits, overshoot, and figures that lag behind.

use crate::common::*;
use sandbox::{Metering, Sandbox, Spent, Usd};
use serde_json::json;

fn usd(dollars: f64) -> Usd {
    Usd::from_dollars(dollars)
}

/// What upstream shows of a key: its spend of the day, and what is left of its limit.
fn shown(sandbox: &mut Sandbox, hash: &str, now: i64) -> (Option<f64>, Option<f64>) {
    let (_, answer) = call_at(sandbox, now, "GET", &format!("/keys/{hash}"), None);
    let figure = |name: &str| answer["data"][name].as_f64();
    (figure("usage_daily"), figure("limit_remaining"))
}

#[test]
fn a_call_is_booked_as_far_as_the_limit_goes_and_the_next_one_is_refused() {
    let mut sandbox = Sandbox::default();
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    for (price, expected) in [
        (3.0, Spent::Booked(usd(3.0))),
        (3.0, Spent::Booked(usd(2.0))),
        (0.5, Spent::LimitReached),
    ] {
        assert_eq!(sandbox.spend(&secret, usd(price), NOON), expected);
    }
    assert_eq!(shown(&mut sandbox, &hash, NOON), (Some(5.0), Some(0.0)));
    let tomorrow = NOON + 12 * HOUR;
    let by_hash = sandbox.spend(&hash, usd(1.0), tomorrow);
    assert_eq!(by_hash, Spent::Booked(usd(1.0)));
}

#[test]
fn only_a_key_that_works_spends() {
    let mut sandbox = Sandbox::default();
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    let path = format!("/keys/{hash}");
    let tries = |sandbox: &mut Sandbox, now| sandbox.spend(&secret, usd(1.0), now);
    let expiry = NOON + 90 * 24 * HOUR;
    assert_eq!(tries(&mut sandbox, expiry), Spent::Unusable);
    for (disabled, expected) in [(true, Spent::Unusable), (false, Spent::Booked(usd(1.0)))] {
        let body = json!({ "disabled": disabled });
        assert_eq!(call(&mut sandbox, "PATCH", &path, Some(body)).0, 200);
        assert_eq!(tries(&mut sandbox, NOON), expected);
    }
    assert_eq!(call(&mut sandbox, "DELETE", &path, None).0, 200);
    assert_eq!(tries(&mut sandbox, NOON), Spent::Unusable);
    assert_eq!(sandbox.spend("sk-none", usd(1.0), NOON), Spent::Unusable);
    let spent = sandbox.ledger().keys[0].usage.lifetime;
    assert_eq!(spent, usd(1.0), "what was refused is not booked");
}

#[test]
fn with_overshoot_a_call_that_was_let_in_finishes() {
    let mut sandbox = Sandbox::default();
    sandbox.set_metering(Metering {
        overshoot: true,
        ..Metering::default()
    });
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    for (price, expected) in [
        (4.9, Spent::Booked(usd(4.9))),
        (3.0, Spent::Booked(usd(3.0))),
        (0.1, Spent::LimitReached),
    ] {
        assert_eq!(sandbox.spend(&secret, usd(price), NOON), expected);
    }
    assert_eq!(shown(&mut sandbox, &hash, NOON), (Some(7.9), Some(0.0)));
}

#[test]
fn figures_and_limits_see_a_booking_after_the_lag_and_the_ledger_at_once() {
    let mut sandbox = Sandbox::default();
    let lag_ms = 90_000;
    sandbox.set_metering(Metering {
        lag_ms,
        ..Metering::default()
    });
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    assert!(sandbox.book_byok_usage(&hash, usd(0.25), NOON));
    for at in [0, 60_000] {
        let spent = sandbox.spend(&secret, usd(4.0), NOON + at);
        assert_eq!(spent, Spent::Booked(usd(4.0)));
    }
    let lifetime = sandbox.ledger().keys[0].usage.lifetime;
    assert_eq!(lifetime, usd(8.0));
    for (at, expected) in [
        (60_000, (Some(0.0), Some(5.0))),
        (89_999, (Some(0.0), Some(5.0))),
        (90_000, (Some(4.0), Some(1.0))),
        (149_999, (Some(4.0), Some(1.0))),
        (150_000, (Some(8.0), Some(0.0))),
    ] {
        assert_eq!(shown(&mut sandbox, &hash, NOON + at), expected, "{at}");
    }
}

#[test]
fn a_booking_shows_in_the_window_that_it_was_made_in() {
    let mut sandbox = Sandbox::default();
    sandbox.set_metering(Metering {
        lag_ms: 90_000,
        ..Metering::default()
    });
    let (hash, secret) = mint(&mut sandbox, mint_body("a"));
    let midnight = NOON + 12 * HOUR;
    sandbox.spend(&secret, usd(4.0), midnight - 1);
    sandbox.spend(&secret, usd(2.0), midnight);
    for (at, day, week) in [(1, 0.0, 0.0), (89_999, 0.0, 4.0), (90_000, 2.0, 6.0)] {
        let path = format!("/keys/{hash}");
        let (_, answer) = call_at(&mut sandbox, midnight + at, "GET", &path, None);
        let figures = ["usage_daily", "usage_weekly"].map(|name| answer["data"][name].as_f64());
        assert_eq!(figures, [Some(day), Some(week)], "{at}");
    }
}
