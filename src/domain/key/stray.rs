//! What the sweep does with an upstream key that carries our marker. Deletes only what nobody can hold the secret of,
//! and never a key without any row: rows are committed before keys are made, so such a key means a restored database
//! or a second deployment.

use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;

/// The row that an upstream key's name leads to, as the database has it now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct MarkedRow {
    pub public_id: String,
    pub upstream_name: String,
    pub state: GenerationState,
    pub upstream_hash: Option<String>,
    pub erased: bool,
    /// Its secret was given out, so it may have spent.
    pub delivered: bool,
    pub limit_nano: i64,
}

impl MarkedRow {
    pub fn limit(&self) -> NanoUsd {
        NanoUsd::from_nano(self.limit_nano).unwrap_or(NanoUsd::ZERO)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrayVerdict {
    /// As it should be, or somebody else's business.
    Leave,
    /// Nobody has its secret: delete it.
    Delete,
    /// Its name's row has another key: delete it, if that other key is there. Were it not, the listed one might be it.
    DeleteTwin,
    /// Nobody has its secret and its row waits for exactly this: delete it, then the row is void.
    DeleteAndClear,
    /// The row wants it off for good: delete it, then the row is revoked.
    DeleteAndRevoke,
    /// It is to be off for good and is kept for its figures: look at it.
    Look,
    /// A marker without a row: disable, list, alarm.
    Quarantine,
}

/// Judges one listed key by the row of its name. `off` is what the list said.
pub fn judge(row: Option<&MarkedRow>, hash: &str, off: bool) -> StrayVerdict {
    let Some(row) = row else {
        return StrayVerdict::Quarantine;
    };
    let recorded = row.upstream_hash.as_deref();
    match row.state {
        // Under way, perhaps in this very second. An old attempt is fenced to `verifying` before any walk.
        GenerationState::Reserved | GenerationState::Minting => StrayVerdict::Leave,
        GenerationState::Verifying => StrayVerdict::DeleteAndClear,
        GenerationState::Void => StrayVerdict::Delete,
        // Written down without a hash: whatever has its name must go.
        GenerationState::Revoking | GenerationState::Stuck if recorded.is_none() => {
            StrayVerdict::DeleteAndRevoke
        }
        // A transport that repeats a request makes two keys of one name; one of them was recorded.
        GenerationState::Revoked if recorded != Some(hash) => StrayVerdict::Delete,
        _ if recorded != Some(hash) => StrayVerdict::DeleteTwin,
        GenerationState::Active | GenerationState::Disabled | GenerationState::Expired => {
            StrayVerdict::Leave
        }
        // Removed in its own turn, which reads what it has spent first.
        GenerationState::Revoking | GenerationState::Stuck if row.delivered => StrayVerdict::Leave,
        GenerationState::Revoking | GenerationState::Stuck => StrayVerdict::DeleteAndRevoke,
        GenerationState::Revoked if row.erased => StrayVerdict::Delete,
        GenerationState::Revoked if off => StrayVerdict::Leave,
        GenerationState::Revoked => StrayVerdict::Look,
    }
}

/// Keys without a row that one sweep may disable, and twins that it may delete. More than this at once are no strays but
/// a wrong database, a wrong account, a second deployment or an upstream that changed its ways: nothing is touched then.
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
    fn a_marker_without_a_row_is_never_deleted() {
        assert_eq!(judge(None, "h", false), StrayVerdict::Quarantine);
    }

    #[test]
    fn what_may_have_spent_is_removed_in_its_own_turn() {
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
    fn what_is_off_for_good_is_kept_while_it_is_off() {
        let kept = MarkedRow {
            erased: false,
            ..row(GenerationState::Revoked, Some("h"))
        };
        assert_eq!(judge(Some(&kept), "h", true), StrayVerdict::Leave);
        assert_eq!(judge(Some(&kept), "h", false), StrayVerdict::Look);
        assert_eq!(judge(Some(&kept), "other", true), StrayVerdict::Delete);
    }

    #[test]
    fn only_what_nobody_has_the_secret_of_is_deleted() {
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
