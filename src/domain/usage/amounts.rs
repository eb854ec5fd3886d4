//! Amounts of usage: what a key used of a model.

use crate::domain::money::NanoUsd;

/// Amounts of usage that can be added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Credits.
    pub cost: NanoUsd,
    /// What went through an own provider key. It is in no other figure.
    pub byok: NanoUsd,
    pub requests: i64,
    pub prompt: i64,
    /// Reasoning tokens included.
    pub completion: i64,
    pub reasoning: i64,
    pub cached: i64,
}

impl Used {
    pub const NOTHING: Self = Self {
        cost: NanoUsd::ZERO,
        byok: NanoUsd::ZERO,
        requests: 0,
        prompt: 0,
        completion: 0,
        reasoning: 0,
        cached: 0,
    };

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            cost: self.cost.plus(other.cost),
            byok: self.byok.plus(other.byok),
            requests: self.requests.saturating_add(other.requests),
            prompt: self.prompt.saturating_add(other.prompt),
            completion: self.completion.saturating_add(other.completion),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            cached: self.cached.saturating_add(other.cached),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_tokens_are_in_the_completion_tokens_and_own_provider_keys_in_nothing_else() {
        let one = Used {
            cost: NanoUsd::CENT,
            byok: NanoUsd::CENT,
            requests: 1,
            prompt: 100,
            completion: 50,
            reasoning: 20,
            cached: 40,
        };
        let two = one.plus(one);
        assert_eq!(
            (two.cost, two.byok),
            (NanoUsd::CENT.times(2), NanoUsd::CENT.times(2))
        );
        assert_eq!((two.completion, two.reasoning, two.cached), (100, 40, 80));
        assert_eq!(one.plus(Used::NOTHING), one);
    }
}
