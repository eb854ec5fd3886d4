//! The primary rate limit: a number of calls per hour for each account, for each app, or for all callers without
//! credentials.

use crate::{clock::SECOND_MS, message::Response};
use std::collections::BTreeMap;

const HOUR_MS: i64 = 3_600 * SECOND_MS;
/// Calls per hour without any credential.
const ANONYMOUS: u32 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    Anonymous,
    App,
    Account(u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    windows: BTreeMap<Caller, Window>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    limit: u32,
    used: u32,
    resets_at_ms: i64,
}

impl Limits {
    /// Counts one call. The window begins with its first call and lasts an hour.
    pub fn count(&mut self, caller: Caller, hourly: u32, now: i64) -> Window {
        let limit = if caller == Caller::Anonymous {
            ANONYMOUS
        } else {
            hourly
        };
        let fresh = Window {
            limit,
            used: 0,
            resets_at_ms: now + HOUR_MS,
        };
        let window = self.windows.entry(caller).or_insert(fresh);
        if now >= window.resets_at_ms {
            *window = fresh;
        }
        window.used = window.used.saturating_add(1);
        *window
    }
}

impl Window {
    pub const fn is_exceeded(self) -> bool {
        self.used > self.limit
    }

    pub const fn exhausted(now: i64) -> Self {
        Self {
            limit: 5_000,
            used: 5_000,
            resets_at_ms: now + HOUR_MS,
        }
    }

    pub fn write(self, answer: Response) -> Response {
        let used = self.used.min(self.limit);
        answer
            .with("x-ratelimit-limit", &self.limit.to_string())
            .with("x-ratelimit-remaining", &(self.limit - used).to_string())
            .with("x-ratelimit-used", &used.to_string())
            .with(
                "x-ratelimit-reset",
                &(self.resets_at_ms / SECOND_MS).to_string(),
            )
            .with("x-ratelimit-resource", "core")
    }
}
