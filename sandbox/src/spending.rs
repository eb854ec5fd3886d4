//! Spend: model calls with a key as OpenRouter lets them through, and spend that is booked by hand.

use crate::{Sandbox, generator::sha256_hex, money::Usd, openrouter::allows};

/// How OpenRouter meters. By default it counts at once, and lets through nothing beyond a limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metering {
    /// After how many milliseconds a booking shows in the key's figures and counts against its limit.
    pub lag_ms: i64,
    /// Whether a request that was let in is booked as a whole. Otherwise it ends at the limit.
    pub overshoot: bool,
}

/// The outcome of a model call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    Booked(Usd),
    /// The key is unknown, deleted, disabled or expired.
    Unusable,
    /// Nothing is left of its limit, as far as OpenRouter has counted.
    LimitReached,
    /// Its guardrail does not allow this model.
    ModelNotAllowed,
}

impl Spent {
    /// The HTTP status that the caller gets.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Booked(_) => 200,
            Self::Unusable => 401,
            Self::LimitReached | Self::ModelNotAllowed => 403,
        }
    }
}

impl Sandbox {
    pub const fn set_metering(&mut self, metering: Metering) {
        self.metering = metering;
    }

    /// Makes one model call of this price, with a key's secret or its hash, to a model that every key may use.
    pub fn spend(&mut self, secret_or_hash: &str, price: Usd, now_ms: i64) -> Spent {
        self.call_model(secret_or_hash, None, price, now_ms)
    }

    /// Makes one model call of this price. Without a `model`, every key may use it.
    pub fn call_model(
        &mut self,
        secret_or_hash: &str,
        model: Option<&str>,
        price: Usd,
        now_ms: i64,
    ) -> Spent {
        let now = self.time(now_ms);
        let Metering { lag_ms, overshoot } = self.metering;
        let hash = sha256_hex(secret_or_hash.as_bytes());
        let hash = match self.ledger.key(&hash) {
            Some(_) => hash.as_str(),
            None => secret_or_hash,
        };
        let Some(key) = self.ledger.key(hash).filter(|key| key.is_usable(now)) else {
            return Spent::Unusable;
        };
        if model.is_some_and(|model| !allows(self, key, model)) {
            return Spent::ModelNotAllowed;
        }
        let left = key.as_shown(now).limit_remaining(now);
        let amount = match left {
            Some(Usd::ZERO) => return Spent::LimitReached,
            Some(left) if !overshoot => price.min(left),
            _ => price,
        };
        let hash = hash.to_owned();
        if let Some(key) = self.ledger.key_mut(&hash) {
            key.book(amount, false, lag_ms, now);
        }
        self.note_spend(&hash, model, amount, false, now);
        Spent::Booked(amount)
    }

    /// Books spend on a key, whatever its limit is, as when a running request ends. Returns `false` if there is no such
    /// key.
    pub fn book_usage(&mut self, hash: &str, amount: Usd, now_ms: i64) -> bool {
        self.book(hash, amount, false, now_ms)
    }

    /// Books spend through the account's own provider keys in the same way.
    pub fn book_byok_usage(&mut self, hash: &str, amount: Usd, now_ms: i64) -> bool {
        self.book(hash, amount, true, now_ms)
    }

    fn book(&mut self, hash: &str, amount: Usd, byok: bool, now_ms: i64) -> bool {
        let now = self.time(now_ms);
        let lag_ms = self.metering.lag_ms;
        let Some(key) = self.ledger.key_mut(hash) else {
            return false;
        };
        key.book(amount, byok, lag_ms, now);
        self.note_spend(hash, None, amount, byok, now);
        true
    }
}
