//! Spend: model calls with a key as upstream lets them through, and what is booked by hand.

use crate::{Sandbox, generator::sha256_hex, money::Usd, openrouter::allows};

/// How upstream counts. As it stands: at once, and nothing beyond a limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metering {
    /// How long after a booking it shows in a key's figures, and is seen by the check of its limit.
    pub lag_ms: i64,
    /// A request that was let in is booked as a whole; else it ends where the limit does.
    pub overshoot: bool,
}

/// What became of a model call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    Booked(Usd),
    /// The key is unknown, deleted, disabled or expired.
    Unusable,
    /// Nothing is left of its limit, as far as upstream has counted.
    LimitReached,
    /// Its guardrail does not let it have this model.
    ModelNotAllowed,
}

impl Spent {
    /// The status that the caller is told.
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

    /// One model call of this price, with a key's secret or by its hash, to a model that everybody may have.
    pub fn spend(&mut self, secret_or_hash: &str, price: Usd, now_ms: i64) -> Spent {
        self.call_model(secret_or_hash, None, price, now_ms)
    }

    /// The same, to this model.
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
        if let Some(key) = self.ledger.key_mut(hash) {
            key.book(amount, false, lag_ms, now);
        }
        Spent::Booked(amount)
    }

    /// Books spend on a key, whatever its limit says (a running request finishes). `false` when there is no such key.
    pub fn book_usage(&mut self, hash: &str, amount: Usd, now_ms: i64) -> bool {
        self.book(hash, amount, false, now_ms)
    }

    /// The same for spend through the account's own provider keys.
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
        true
    }
}
