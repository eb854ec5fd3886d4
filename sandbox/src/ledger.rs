//! What really happened at the upstreams, whatever the answers said: keys, calls, violations, tokens.

use crate::{clock::Period, money::Usd, operation::Operation};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

#[derive(Clone, Debug, Default, Serialize)]
pub struct Ledger {
    /// Every key that was ever made, in the order of making. Deleted keys stay.
    pub keys: Vec<UpstreamKey>,
    /// Calls by operation. The landing of a late call is not a new call.
    pub counts: BTreeMap<Operation, u64>,
    pub calls: Vec<Call>,
    pub violations: Vec<Violation>,
    pub secrets_minted: Vec<String>,
    pub github_tokens: Vec<GithubToken>,
    pub google_tokens: Vec<GoogleToken>,
    /// The access tokens for the directory.
    pub directory_tokens: Vec<String>,
    /// The `prompt` of each approved authorization.
    pub github_prompts: Vec<Option<String>>,
    /// The keys that billing providers made for people's own accounts.
    pub linked_keys: Vec<LinkedKey>,
    /// Every code and token with which a billing provider has sent a browser back.
    pub sign_in_values: Vec<String>,
    /// The index of each key in `keys` by its hash, so that look-ups stay fast at 100,000 keys.
    #[serde(skip)]
    positions: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Serialize)]
pub struct UpstreamKey {
    pub hash: String,
    pub name: String,
    pub secret: String,
    pub label: String,
    pub workspace_id: String,
    pub limit: Option<Usd>,
    pub limit_reset: Option<Period>,
    pub expires_at: Option<String>,
    pub expires_at_ms: Option<i64>,
    pub disabled: bool,
    pub include_byok_in_limit: bool,
    pub creator_user_id: Option<String>,
    pub external_user: Option<String>,
    pub usage: Usage,
    pub byok_usage: Usage,
    pub created_at_ms: i64,
    pub updated_at_ms: Option<i64>,
    pub last_used_at_ms: Option<i64>,
    pub deleted_at_ms: Option<i64>,
    /// Whether the key was made through the control API, by somebody who is not the Worker.
    pub foreign: bool,
    /// The guardrail that the key is assigned to.
    pub guardrail: Option<Assignment>,
    /// Bookings that are not yet in the figures that OpenRouter shows and checks limits by.
    #[serde(skip)]
    pub unshown: Vec<Unshown>,
}

/// The assignment of a key to a guardrail.
#[derive(Clone, Debug, Serialize)]
pub struct Assignment {
    pub id: String,
    pub guardrail_id: String,
    pub created_at_ms: i64,
}

/// A booking that OpenRouter does not show before `shows_at_ms`.
#[derive(Clone, Copy, Debug)]
pub struct Unshown {
    pub amount: Usd,
    pub byok: bool,
    pub at_ms: i64,
    pub shows_at_ms: i64,
}

impl UpstreamKey {
    #[must_use]
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_at_ms.is_some_and(|expiry| expiry <= now_ms)
    }

    /// Answers whether a model call with this key would be let through, apart from its limit.
    #[must_use]
    pub fn is_usable(&self, now_ms: i64) -> bool {
        self.deleted_at_ms.is_none() && !self.disabled && !self.is_expired(now_ms)
    }

    /// The spend in the current window: that of the period, or the lifetime's if the key's limit never resets.
    #[must_use]
    pub fn spent_in_window(&self, now_ms: i64) -> Usd {
        let mut spent = self.usage.in_window(self.limit_reset, now_ms);
        if self.include_byok_in_limit {
            spent += self.byok_usage.in_window(self.limit_reset, now_ms);
        }
        spent
    }

    /// What is left of the limit in the current window; `None` if the key has no limit.
    #[must_use]
    pub fn limit_remaining(&self, now_ms: i64) -> Option<Usd> {
        self.limit
            .map(|limit| limit.left_after(self.spent_in_window(now_ms)))
    }

    /// The key with the figures that OpenRouter shows by now.
    #[must_use]
    pub fn as_shown(&self, now_ms: i64) -> Cow<'_, Self> {
        if self.unshown.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut shown = self.clone();
        shown.unshown.retain(|booking| booking.shows_at_ms > now_ms);
        for booking in std::mem::take(&mut shown.unshown) {
            let usage = if booking.byok {
                &mut shown.byok_usage
            } else {
                &mut shown.usage
            };
            usage.take_back(booking.amount, booking.at_ms);
        }
        Cow::Owned(shown)
    }

    /// Books spend in the ledger at once, and in the shown figures `lag_ms` later.
    pub(crate) fn book(&mut self, amount: Usd, byok: bool, lag_ms: i64, now_ms: i64) {
        let usage = if byok {
            &mut self.byok_usage
        } else {
            &mut self.usage
        };
        usage.book(amount, now_ms);
        self.last_used_at_ms = Some(now_ms);
        self.unshown.retain(|booking| booking.shows_at_ms > now_ms);
        if lag_ms > 0 {
            self.unshown.push(Unshown {
                amount,
                byok,
                at_ms: now_ms,
                shows_at_ms: now_ms.saturating_add(lag_ms),
            });
        }
    }
}

/// Spend, with the figure of each window and the time of the last booking. That time says whether a figure still
/// counts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    pub lifetime: Usd,
    pub day: Usd,
    pub week: Usd,
    pub month: Usd,
    pub booked_at_ms: i64,
}

impl Usage {
    /// Adds an amount to every figure, after the figures of windows that are over were set to zero.
    pub fn book(&mut self, amount: Usd, now_ms: i64) {
        let mut kept = *self;
        kept.day = self.in_window(Some(Period::Daily), now_ms);
        kept.week = self.in_window(Some(Period::Weekly), now_ms);
        kept.month = self.in_window(Some(Period::Monthly), now_ms);
        for figure in [
            &mut kept.lifetime,
            &mut kept.day,
            &mut kept.week,
            &mut kept.month,
        ] {
            *figure += amount;
        }
        kept.booked_at_ms = now_ms;
        *self = kept;
    }

    /// Takes a booking of that time out of the figures again.
    fn take_back(&mut self, amount: Usd, at_ms: i64) {
        let booked_at = self.booked_at_ms;
        let same = |period: Period| period.start(at_ms) == period.start(booked_at);
        for (figure, counts) in [
            (&mut self.lifetime, true),
            (&mut self.day, same(Period::Daily)),
            (&mut self.week, same(Period::Weekly)),
            (&mut self.month, same(Period::Monthly)),
        ] {
            if counts {
                *figure = figure.left_after(amount);
            }
        }
    }

    /// The spend in the current window of this period; the lifetime's if there is no period.
    #[must_use]
    pub fn in_window(&self, period: Option<Period>, now_ms: i64) -> Usd {
        let Some(period) = period else {
            return self.lifetime;
        };
        if period.start(self.booked_at_ms) != period.start(now_ms) {
            return Usd::ZERO;
        }
        match period {
            Period::Daily => self.day,
            Period::Weekly => self.week,
            Period::Monthly => self.month,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// The number of the call, from 1, over all operations.
    pub n: u64,
    pub operation: Operation,
    pub at_ms: i64,
    pub outcome: Outcome,
    /// Whether the operation ran. It may still have refused the request.
    pub effect: bool,
    pub fault: Option<&'static str>,
}

/// What the caller got. The number is the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Answered(u16),
    Truncated(u16),
    Reset,
    Stalled,
    Held,
    /// The answer was lost, and the operation has run since.
    Landed(u16),
}

#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    pub kind: ViolationKind,
    pub at_ms: i64,
    pub host: &'static str,
    pub target: String,
    /// What was seen, but never the credential itself.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// A credential reached a host that it does not belong to.
    ForeignCredential,
    SecretInUrl,
    MissingUserAgent,
    UnknownField,
    UnknownRoute,
}

/// A key of somebody's own account at a billing provider.
#[derive(Clone, Debug, Serialize)]
pub struct LinkedKey {
    pub provider: &'static str,
    pub secret: String,
    pub name: String,
    pub made_at_ms: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct GithubToken {
    pub access_token: String,
    pub persona: String,
    pub user_id: u64,
    pub scope: String,
    pub issued_at_ms: i64,
    pub revoked_at_ms: Option<i64>,
}

/// The tokens of one sign-in at Google.
#[derive(Clone, Debug, Serialize)]
pub struct GoogleToken {
    pub access_token: String,
    pub id_token: String,
    pub persona: String,
    pub issued_at_ms: i64,
}

impl Ledger {
    #[must_use]
    pub fn key(&self, hash: &str) -> Option<&UpstreamKey> {
        self.keys.get(*self.positions.get(hash)?)
    }

    pub fn key_mut(&mut self, hash: &str) -> Option<&mut UpstreamKey> {
        self.keys.get_mut(*self.positions.get(hash)?)
    }

    /// The place of a key in `keys`.
    pub(crate) fn position(&self, hash: &str) -> Option<usize> {
        self.positions.get(hash).copied()
    }

    pub fn keys_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a UpstreamKey> {
        self.keys.iter().filter(move |key| key.name == name)
    }

    /// The keys that a model call would be let through with, apart from their limits.
    pub fn usable_keys(&self, now_ms: i64) -> impl Iterator<Item = &UpstreamKey> {
        self.keys.iter().filter(move |key| key.is_usable(now_ms))
    }

    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or(0)
    }

    pub fn calls_of(&self, operation: Operation) -> impl Iterator<Item = &Call> {
        self.calls
            .iter()
            .filter(move |call| call.operation == operation)
    }

    pub(crate) fn add_key(&mut self, key: UpstreamKey) {
        self.secrets_minted.push(key.secret.clone());
        self.positions.insert(key.hash.clone(), self.keys.len());
        self.keys.push(key);
    }

    /// Answers whether a billing provider made this secret for somebody's own account.
    #[must_use]
    pub fn is_linked(&self, secret: &str) -> bool {
        self.linked_keys.iter().any(|key| key.secret == secret)
    }

    pub(crate) fn add_linked(&mut self, key: LinkedKey) {
        self.secrets_minted.push(key.secret.clone());
        self.linked_keys.push(key);
    }

    /// Opens the record of a call. Returns its number.
    pub(crate) fn open_call(
        &mut self,
        operation: Operation,
        at_ms: i64,
        fault: Option<&'static str>,
    ) -> u64 {
        let n = self.calls.len() as u64 + 1;
        *self.counts.entry(operation).or_default() += 1;
        self.calls.push(Call {
            n,
            operation,
            at_ms,
            outcome: Outcome::Held,
            effect: false,
            fault,
        });
        n
    }

    pub(crate) fn close_call(&mut self, n: u64, outcome: Outcome) {
        if let Some(call) = self.call_mut(n) {
            call.outcome = outcome;
        }
    }

    pub(crate) fn mark_effect(&mut self, n: u64) {
        if let Some(call) = self.call_mut(n) {
            call.effect = true;
        }
    }

    fn call_mut(&mut self, n: u64) -> Option<&mut Call> {
        self.calls.get_mut(usize::try_from(n).ok()?.checked_sub(1)?)
    }
}
