//! What the sweep does with an upstream key that carries our marker. Deletes only what nobody can hold the secret of,
//! and never a key without any row: rows are committed before keys are made, so such a key means a restored database
//! or a second deployment (X2, X7, A13).

use crate::domain::key::generation::State;
use crate::domain::money::NanoUsd;

/// The row that an upstream key's name leads to, as the database has it now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Row {
    pub public_id: String,
    pub upstream_name: String,
    pub state: State,
    pub upstream_hash: Option<String>,
    pub erased: bool,
    /// Its secret was given out, so it may have spent.
    pub delivered: bool,
    pub limit_nano: i64,
}

impl Row {
    pub fn limit(&self) -> NanoUsd {
        NanoUsd::from_nano(self.limit_nano).unwrap_or(NanoUsd::ZERO)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
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
pub fn judge(row: Option<&Row>, hash: &str, off: bool) -> Verdict {
    let Some(row) = row else {
        return Verdict::Quarantine;
    };
    let recorded = row.upstream_hash.as_deref();
    match row.state {
        // Under way, perhaps in this very second. An old attempt is fenced to `verifying` before any walk.
        State::Reserved | State::Minting => Verdict::Leave,
        State::Verifying => Verdict::DeleteAndClear,
        State::Void => Verdict::Delete,
        // Written down without a hash: whatever has its name must go.
        State::Revoking | State::Stuck if recorded.is_none() => Verdict::DeleteAndRevoke,
        // A transport that repeats a request makes two keys of one name; one of them was recorded (X18).
        State::Revoked if recorded != Some(hash) => Verdict::Delete,
        _ if recorded != Some(hash) => Verdict::DeleteTwin,
        State::Active | State::Disabled | State::Expired => Verdict::Leave,
        // Removed in its own turn, which reads what it has spent first (C1).
        State::Revoking | State::Stuck if row.delivered => Verdict::Leave,
        State::Revoking | State::Stuck => Verdict::DeleteAndRevoke,
        State::Revoked if row.erased => Verdict::Delete,
        State::Revoked if off => Verdict::Leave,
        State::Revoked => Verdict::Look,
    }
}

/// Keys without a row that one sweep may disable, and twins that it may delete. More than this at once are no strays but
/// a wrong database, a wrong account, a second deployment or an upstream that changed its ways: nothing is touched then (P8).
pub const BRAKE: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: State, hash: Option<&str>) -> Row {
        Row {
            public_id: String::from("gen_1"),
            upstream_name: String::from("keycap/0a/gen_1"),
            state,
            upstream_hash: hash.map(str::to_owned),
            erased: state == State::Revoked,
            delivered: false,
            limit_nano: 10_000_000,
        }
    }

    #[test]
    fn x2_a_marker_without_a_row_is_never_deleted() {
        assert_eq!(judge(None, "h", false), Verdict::Quarantine);
    }

    #[test]
    fn c1_what_may_have_spent_is_removed_in_its_own_turn() {
        for state in [State::Revoking, State::Stuck] {
            let delivered = Row {
                delivered: true,
                ..row(state, Some("h"))
            };
            assert_eq!(judge(Some(&delivered), "h", false), Verdict::Leave);
            assert_eq!(judge(Some(&delivered), "other", false), Verdict::DeleteTwin);
        }
    }

    #[test]
    fn c1_what_is_off_for_good_is_kept_while_it_is_off() {
        let kept = Row {
            erased: false,
            ..row(State::Revoked, Some("h"))
        };
        assert_eq!(judge(Some(&kept), "h", true), Verdict::Leave);
        assert_eq!(judge(Some(&kept), "h", false), Verdict::Look);
        assert_eq!(judge(Some(&kept), "other", true), Verdict::Delete);
    }

    #[test]
    fn only_what_nobody_has_the_secret_of_is_deleted() {
        for (state, recorded, expected) in [
            (State::Minting, None, Verdict::Leave),
            (State::Reserved, None, Verdict::Leave),
            (State::Verifying, None, Verdict::DeleteAndClear),
            (State::Void, None, Verdict::Delete),
            (State::Active, Some("h"), Verdict::Leave),
            (State::Disabled, Some("h"), Verdict::Leave),
            (State::Expired, Some("h"), Verdict::Leave),
            (State::Active, Some("other"), Verdict::DeleteTwin),
            (State::Disabled, Some("other"), Verdict::DeleteTwin),
            (State::Revoking, Some("h"), Verdict::DeleteAndRevoke),
            (State::Stuck, Some("h"), Verdict::DeleteAndRevoke),
            (State::Revoking, Some("other"), Verdict::DeleteTwin),
            (State::Revoked, Some("other"), Verdict::Delete),
            (State::Revoked, Some("h"), Verdict::Delete),
        ] {
            assert_eq!(
                judge(Some(&row(state, recorded)), "h", false),
                expected,
                "{state:?}"
            );
        }
    }
}
