//! What the sweep does with an upstream key that carries our marker. It deletes only keys whose secret nobody can have.
//! It never deletes a key without a row: rows are committed before keys are made, so such a key means that the database
//! was restored, or that there is a second deployment.

use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;

/// The row that the name of an upstream key leads to, as the database has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedRow {
    pub public_id: String,
    pub upstream_name: String,
    pub state: GenerationState,
    pub upstream_hash: Option<String>,
    pub erased: bool,
    /// The secret was given out, so the key may have spent something.
    pub delivered: bool,
    pub limit_nano: i64,
}

impl MarkedRow {
    pub fn limit(&self) -> NanoUsd {
        NanoUsd::from_nano(self.limit_nano).unwrap_or(NanoUsd::ZERO)
    }
}

/// What is done with one listed key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrayVerdict {
    /// The key is as it should be, or another job takes care of it.
    Leave,
    /// Nobody has the secret: delete the key.
    Delete,
    /// The row of this name has recorded another key. Delete the listed key if that other key exists. If it does not
    /// exist, the listed one might be the recorded key.
    DeleteTwin,
    /// Nobody has the secret, and the row waits for this: delete the key, then the row is void.
    DeleteAndClear,
    /// The row wants the key disabled for good: delete the key, then the row is revoked.
    DeleteAndRevoke,
    /// The key must be disabled for good and is retained for its figures, but the list shows it enabled: look at it.
    Look,
    /// The key carries our marker and has no row: disable it, list it, and raise an alarm.
    Quarantine,
}

/// Decides about one listed key by the row of its name. `off` is whether the list shows the key as disabled.
pub fn judge(row: Option<&MarkedRow>, hash: &str, off: bool) -> StrayVerdict {
    let Some(row) = row else {
        return StrayVerdict::Quarantine;
    };
    let recorded = row.upstream_hash.as_deref();
    match row.state {
        // The mint may be under way at this moment. Before any walk, the state of an old attempt becomes `verifying`.
        GenerationState::Reserved | GenerationState::Minting => StrayVerdict::Leave,
        GenerationState::Verifying => StrayVerdict::DeleteAndClear,
        GenerationState::Void => StrayVerdict::Delete,
        // No hash was recorded, so every key of this name must go.
        GenerationState::Revoking | GenerationState::Stuck if recorded.is_none() => {
            StrayVerdict::DeleteAndRevoke
        }
        // A transport that repeats a request makes two keys of one name, and only one of them was recorded.
        GenerationState::Revoked if recorded != Some(hash) => StrayVerdict::Delete,
        _ if recorded != Some(hash) => StrayVerdict::DeleteTwin,
        GenerationState::Active | GenerationState::Disabled | GenerationState::Expired => {
            StrayVerdict::Leave
        }
        // The sweep removes such a key in another step, which first reads what the key has spent.
        GenerationState::Revoking | GenerationState::Stuck if row.delivered => StrayVerdict::Leave,
        GenerationState::Revoking | GenerationState::Stuck => StrayVerdict::DeleteAndRevoke,
        GenerationState::Revoked if row.erased => StrayVerdict::Delete,
        GenerationState::Revoked if off => StrayVerdict::Leave,
        GenerationState::Revoked => StrayVerdict::Look,
    }
}

/// How many keys without a row one sweep may disable, and how many twins it may delete. More than this at once are not
/// strays. They mean a wrong database, a wrong account, a second deployment, or that OpenRouter changed its behaviour.
/// Then the sweep touches none of them.
pub const BRAKE: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: GenerationState, hash: Option<&str>) -> MarkedRow {
        MarkedRow {
            public_id: String::from("gen_1"),
            upstream_name: String::from("keycap/0a/gen_1"),
            state,
            upstream_hash: hash.map(str::to_owned),
            erased: state == GenerationState::Revoked,
            delivered: false,
            limit_nano: 10_000_000,
        }
    }

    #[test]
    fn a_marked_key_without_a_row_is_never_deleted() {
        assert_eq!(judge(None, "h", false), StrayVerdict::Quarantine);
    }

    #[test]
    fn a_key_that_may_have_spent_is_left_to_the_step_that_reads_its_spend() {
        for state in [GenerationState::Revoking, GenerationState::Stuck] {
            let delivered = MarkedRow {
                delivered: true,
                ..row(state, Some("h"))
            };
            assert_eq!(judge(Some(&delivered), "h", false), StrayVerdict::Leave);
            assert_eq!(
                judge(Some(&delivered), "other", false),
                StrayVerdict::DeleteTwin
            );
        }
    }

    #[test]
    fn a_key_that_is_disabled_for_good_is_retained_while_it_is_disabled() {
        let kept = MarkedRow {
            erased: false,
            ..row(GenerationState::Revoked, Some("h"))
        };
        assert_eq!(judge(Some(&kept), "h", true), StrayVerdict::Leave);
        assert_eq!(judge(Some(&kept), "h", false), StrayVerdict::Look);
        assert_eq!(judge(Some(&kept), "other", true), StrayVerdict::Delete);
    }

    #[test]
    fn only_a_key_whose_secret_nobody_has_is_deleted() {
        for (state, recorded, expected) in [
            (GenerationState::Minting, None, StrayVerdict::Leave),
            (GenerationState::Reserved, None, StrayVerdict::Leave),
            (
                GenerationState::Verifying,
                None,
                StrayVerdict::DeleteAndClear,
            ),
            (GenerationState::Void, None, StrayVerdict::Delete),
            (GenerationState::Active, Some("h"), StrayVerdict::Leave),
            (GenerationState::Disabled, Some("h"), StrayVerdict::Leave),
            (GenerationState::Expired, Some("h"), StrayVerdict::Leave),
            (
                GenerationState::Active,
                Some("other"),
                StrayVerdict::DeleteTwin,
            ),
            (
                GenerationState::Disabled,
                Some("other"),
                StrayVerdict::DeleteTwin,
            ),
            (
                GenerationState::Revoking,
                Some("h"),
                StrayVerdict::DeleteAndRevoke,
            ),
            (
                GenerationState::Stuck,
                Some("h"),
                StrayVerdict::DeleteAndRevoke,
            ),
            (
                GenerationState::Revoking,
                Some("other"),
                StrayVerdict::DeleteTwin,
            ),
            (
                GenerationState::Revoked,
                Some("other"),
                StrayVerdict::Delete,
            ),
            (GenerationState::Revoked, Some("h"), StrayVerdict::Delete),
        ] {
            assert_eq!(
                judge(Some(&row(state, recorded)), "h", false),
                expected,
                "{state:?}"
            );
        }
    }
}
