//! Spend windows across midnight, Monday and the first of a month, and the timestamps of requests.

use crate::common::*;
use sandbox::{DAY_MS, Period, Sandbox, Usage, Usd, timestamp};
use serde_json::json;

fn at(text: &str) -> i64 {
    let days = [
        ("2026-08-15", 0),
        ("2026-08-16", 1),
        ("2026-08-17", 2),
        ("2026-08-31", 16),
        ("2026-09-01", 17),
        ("2026-12-31", 138),
        ("2027-01-01", 139),
    ];
    let (date, clock) = text.split_once(' ').unwrap();
    let day = days.iter().find(|(name, _)| *name == date).unwrap().1;
    let parts: Vec<i64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
    NOON - 12 * HOUR + day * DAY_MS + parts[0] * HOUR + parts[1] * 60_000 + parts[2] * 1_000
}

#[test]
fn periods_begin_at_midnight_on_mondays_and_on_the_first() {
    let cases = [
        (
            Period::Daily,
            "2026-08-15 23:59:59",
            "2026-08-15T00:00:00Z",
            "2026-08-16T00:00:00Z",
        ),
        (
            Period::Daily,
            "2026-08-16 00:00:00",
            "2026-08-16T00:00:00Z",
            "2026-08-17T00:00:00Z",
        ),
        (
            Period::Weekly,
            "2026-08-16 23:59:59",
            "2026-08-10T00:00:00Z",
            "2026-08-17T00:00:00Z",
        ),
        (
            Period::Weekly,
            "2026-08-17 00:00:00",
            "2026-08-17T00:00:00Z",
            "2026-08-24T00:00:00Z",
        ),
        (
            Period::Monthly,
            "2026-08-31 23:59:59",
            "2026-08-01T00:00:00Z",
            "2026-09-01T00:00:00Z",
        ),
        (
            Period::Monthly,
            "2026-09-01 00:00:00",
            "2026-09-01T00:00:00Z",
            "2026-10-01T00:00:00Z",
        ),
        (
            Period::Monthly,
            "2026-12-31 23:59:59",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        ),
        (
            Period::Weekly,
            "2027-01-01 00:00:00",
            "2026-12-28T00:00:00Z",
            "2027-01-04T00:00:00Z",
        ),
    ];
    for (period, now, start, end) in cases {
        assert_eq!(
            (
                timestamp(period.start(at(now))),
                timestamp(period.end(at(now)))
            ),
            (start.to_owned(), end.to_owned()),
            "{period:?} {now}"
        );
    }
}

#[test]
fn a_window_is_empty_once_its_period_is_over() {
    // Booked on a Saturday in August: until when each figure counts.
    let cases = [
        ("2026-08-15 23:59:59", [3, 3, 3, 3]),
        ("2026-08-16 00:00:00", [3, 0, 3, 3]),
        ("2026-08-16 23:59:59", [3, 0, 3, 3]),
        ("2026-08-17 00:00:00", [3, 0, 0, 3]),
        ("2026-08-31 23:59:59", [3, 0, 0, 3]),
        ("2026-09-01 00:00:00", [3, 0, 0, 0]),
    ];
    let mut usage = Usage::default();
    usage.book(Usd::from_dollars(3.0), NOON);
    for (now, expected) in cases {
        let windows = [
            None,
            Some(Period::Daily),
            Some(Period::Weekly),
            Some(Period::Monthly),
        ];
        let figures = windows.map(|period| usage.in_window(period, at(now)));
        assert_eq!(
            figures,
            expected.map(|dollars| Usd::from_dollars(f64::from(dollars))),
            "{now}"
        );
    }
}

#[test]
fn spend_of_two_days_adds_up_where_the_window_holds_both() {
    let mut usage = Usage::default();
    usage.book(Usd::from_dollars(0.1), at("2026-08-16 23:59:59"));
    usage.book(Usd::from_dollars(0.2), at("2026-08-17 00:00:00"));
    let now = at("2026-08-17 00:00:00");
    let figures = [
        None,
        Some(Period::Daily),
        Some(Period::Weekly),
        Some(Period::Monthly),
    ]
    .map(|period| usage.in_window(period, now).nanos);
    assert_eq!(
        figures,
        [300_000_000, 200_000_000, 200_000_000, 300_000_000]
    );
}

#[test]
fn what_is_left_follows_the_window_of_the_reset_period() {
    // Period, then what is left the same day, the next day, the next week, the next month.
    let cases = [
        (Some("daily"), [3.5, 5.0, 5.0, 5.0]),
        (Some("weekly"), [3.5, 3.5, 5.0, 5.0]),
        (Some("monthly"), [3.5, 3.5, 3.5, 5.0]),
        (None, [3.5; 4]),
    ];
    for (reset, expected) in cases {
        let mut sandbox = Sandbox::default();
        let (hash, _) = mint(
            &mut sandbox,
            json!({"name": "a", "limit": 5, "limit_reset": reset}),
        );
        sandbox.book_usage(&hash, Usd::from_dollars(1.5), NOON);
        let moments = [
            "2026-08-15 13:00:00",
            "2026-08-16 00:00:00",
            "2026-08-17 00:00:00",
            "2026-09-01 00:00:00",
        ];
        for (moment, left) in moments.into_iter().zip(expected) {
            let (_, shown) = call_at(
                &mut sandbox,
                at(moment),
                "GET",
                &format!("/keys/{hash}"),
                None,
            );
            assert_eq!(
                (
                    shown["data"]["limit_remaining"].as_f64(),
                    shown["data"]["usage"].as_f64()
                ),
                (Some(left), Some(1.5)),
                "{reset:?} {moment}"
            );
        }
    }
}

#[test]
fn provider_key_spend_counts_toward_the_limit_only_when_it_is_included() {
    for (included, left) in [(false, json!(4)), (true, json!(2))] {
        let mut sandbox = Sandbox::default();
        let (hash, _) = mint(
            &mut sandbox,
            json!({"name": "a", "limit": 5, "limit_reset": "daily", "include_byok_in_limit": included}),
        );
        sandbox.book_usage(&hash, Usd::from_dollars(1.0), NOON);
        sandbox.book_byok_usage(&hash, Usd::from_dollars(2.0), NOON);
        let (_, shown) = call(&mut sandbox, "GET", &format!("/keys/{hash}"), None);
        assert_eq!(
            (
                &shown["data"]["limit_remaining"],
                &shown["data"]["byok_usage_daily"]
            ),
            (&left, &json!(2))
        );
    }
}

#[test]
fn raising_a_limit_does_not_empty_the_window_and_overspending_leaves_zero() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("a"));
    let path = format!("/keys/{hash}");
    sandbox.book_usage(&hash, Usd::from_dollars(5.25), NOON);
    assert_eq!(
        call(&mut sandbox, "GET", &path, None).1["data"]["limit_remaining"],
        0
    );
    assert_eq!(
        call(&mut sandbox, "PATCH", &path, Some(json!({"limit": 75}))).1["data"]["limit_remaining"],
        69.75
    );
    assert!(!sandbox.book_usage("no such hash", Usd::ZERO, NOON));
}

#[test]
fn the_clock_offset_moves_every_window() {
    let mut sandbox = Sandbox::default();
    let (hash, _) = mint(&mut sandbox, mint_body("a"));
    sandbox.book_usage(&hash, Usd::from_dollars(2.0), NOON);
    sandbox.advance_clock(12 * HOUR);
    let (_, shown) = call(&mut sandbox, "GET", &format!("/keys/{hash}"), None);
    assert_eq!(
        (
            &shown["data"]["usage_daily"],
            &shown["data"]["limit_remaining"]
        ),
        (&json!(0), &json!(5))
    );
    assert_eq!(shown["data"]["last_used_at"], "2026-08-15T12:00:00Z");
}
