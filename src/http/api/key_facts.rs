//! Facts about a key beside its state: what can still be spent with it, and the keys that have ended.

use serde::Serialize;

use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::money::NanoUsd;
use crate::domain::time::period::LimitReset;
use crate::domain::time::{Timestamp, earliest};
use crate::store::keys::cards::Card;

/// What bounds the spending with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum SpendBound {
    /// The limit of the key.
    Key,
    /// What was paid, under a prepaid plan.
    Credit,
    /// The guardrail that the key is assigned to.
    Guardrail,
    /// The budgets and the guardrail of the key's workspace at OpenRouter.
    Workspace,
    /// The credit of the account at OpenRouter.
    Account,
}

/// What can still be spent with a key, and until when: the tightest of the bounds that keycap knows.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct SpendableBody {
    /// It is `null` while it is not known, because the spend of this window was not read yet.
    amount_usd: Option<NanoUsd>,
    /// The bound that this amount comes from.
    bound: SpendBound,
    /// The moment at which the bound begins anew, or at which the secret expires if that is earlier.
    until: Timestamp,
    /// Bounds that OpenRouter applies as well, and that keycap does not know. Less may be left by these.
    unknown: Vec<SpendBound>,
}

impl SpendableBody {
    /// Returns `None` for a key that is not made yet, that OpenRouter no longer has, or that has ended or expired. For
    /// a disabled key it is what can be spent once it is enabled.
    pub fn new(card: &Card, now: Timestamp) -> Option<Self> {
        let is_made = matches!(
            card.state,
            GenerationState::Active | GenerationState::Disabled
        );
        if !is_made || card.ended || card.missing || card.expires_at <= now {
            return None;
        }
        let is_spent = card.holds.contains(&Reason::Budget);
        let used = (card.spend).and_then(|spend| spend.of_window(card.limit_reset, now));
        let begins_anew = match card.available_from(now) {
            Some(from) => Some(from),
            None => card.limit_reset.resets_at(now),
        };
        let mut unknown = vec![SpendBound::Workspace, SpendBound::Account];
        if card.has_guardrail {
            unknown.insert(0, SpendBound::Guardrail);
        }
        Some(Self {
            amount_usd: if is_spent {
                Some(NanoUsd::ZERO)
            } else {
                used.map(|used| card.limit.minus(used))
            },
            bound: match card.limit_reset {
                LimitReset::None => SpendBound::Credit,
                _ => SpendBound::Key,
            },
            until: earliest(begins_anew, Some(card.expires_at)).unwrap_or(card.expires_at),
            unknown,
        })
    }
}
