//! The points in which an upstream key differs from its row. The row says what is wanted, and OpenRouter says what is
//! so.

use serde::{Deserialize, Serialize};

use crate::domain::key::generation::GenerationState;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;

/// One point in which an upstream key differs from its row. Stored as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    Name,
    Disabled,
    Limit,
    LimitReset,
    /// BYOK spend does not count toward the limit.
    Byok,
    ExpiresAt,
    /// The key is enabled, although its row says that it is disabled for good.
    OnAfterEnd,
    /// OpenRouter, asked for this very key, answered that it does not exist.
    Missing,
}

impl Drift {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Disabled => "disabled",
            Self::Limit => "limit",
            Self::LimitReset => "limit_reset",
            Self::Byok => "byok",
            Self::ExpiresAt => "expires_at",
            Self::OnAfterEnd => "on_after_end",
            Self::Missing => "missing",
        }
    }
}

/// What a job does about a difference. It repairs only a dangerous difference: a key that is enabled, or has a higher
/// limit, against its row. A key that someone outside keycap disabled, or gave a lower limit, stays so, since that may
/// be an emergency stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The key gets the hold `upstream`, until an administrator lifts it.
    Hold,
    /// The lower limit becomes the key's upstream limit, until an administrator lifts it.
    KeepLimit(NanoUsd),
    /// The switch is sent again by the code that sends switches for holds.
    SwitchAgain,
    /// The limit is sent again by the code that sends limits for caps.
    LimitAgain,
    /// The difference may come from a change of ours that is under way, so the key is compared again later.
    Wait,
    /// The difference is reported, and nothing is changed.
    Tell,
}

/// For this many seconds after OpenRouter confirmed a change of ours, its answers may not show the change everywhere.
const SHOWS_WITHIN_SECS: i64 = 300;

/// What the row says that an upstream key should be.
#[derive(Clone, Debug)]
pub struct ExpectedKey {
    pub name: String,
    pub state: GenerationState,
    /// A switch is in flight, so the key may be enabled or disabled.
    pub switch_in_flight: bool,
    pub limit: NanoUsd,
    /// A limit that is in flight, so it may be in force.
    pub limit_sent: Option<NanoUsd>,
    pub limit_reset: LimitReset,
    pub expires_at: Timestamp,
    /// When anything about the key was last written to its row.
    pub changed_at: Timestamp,
}

/// What OpenRouter says about an upstream key. A missing limit means that the key has no limit.
#[derive(Clone, Debug, Default)]
pub struct ObservedKey<'a> {
    pub name: &'a str,
    pub disabled: Option<bool>,
    pub limit: Option<NanoUsd>,
    pub limit_reset: Option<&'a str>,
    pub include_byok_in_limit: Option<bool>,
    pub expires_at: Option<Timestamp>,
}

/// The points in which a key differs from its row. A key that has expired differs in none. A key whose row is
/// `revoked` can differ only in being enabled. Every other key is compared only if its row is active or disabled.
pub fn drift(wanted: &ExpectedKey, seen: &ObservedKey<'_>, now: Timestamp) -> Vec<Drift> {
    let off = seen.disabled == Some(true);
    let ended = wanted.state == GenerationState::Revoked;
    if wanted.expires_at <= now {
        return Vec::new();
    }
    if ended && !off && !wanted.switch_in_flight {
        return vec![Drift::OnAfterEnd];
    }
    if !matches!(
        wanted.state,
        GenerationState::Active | GenerationState::Disabled
    ) {
        return Vec::new();
    }
    let in_force = seen.limit == Some(wanted.limit)
        || (wanted.limit_sent.is_some() && seen.limit == wanted.limit_sent);
    let points = [
        (Drift::Name, seen.name == wanted.name),
        (
            Drift::Disabled,
            wanted.switch_in_flight || off == (wanted.state == GenerationState::Disabled),
        ),
        (Drift::Limit, in_force),
        (
            Drift::LimitReset,
            seen.limit_reset == wanted.limit_reset.upstream_name(),
        ),
        (Drift::Byok, seen.include_byok_in_limit == Some(true)),
        (Drift::ExpiresAt, seen.expires_at == Some(wanted.expires_at)),
    ];
    let differs = points.into_iter().filter(|(_, agrees)| !agrees);
    differs.map(|(drift, _)| drift).collect()
}

/// What is to be done about one point of difference.
pub fn remedy(
    drift: Drift,
    wanted: &ExpectedKey,
    seen: &ObservedKey<'_>,
    now: Timestamp,
) -> Remedy {
    let shows = wanted.changed_at.plus(SHOWS_WITHIN_SECS) <= now;
    match (drift, seen.limit) {
        (Drift::Disabled, _) if seen.disabled != Some(true) => Remedy::SwitchAgain,
        (Drift::Disabled, _) if shows => Remedy::Hold,
        (Drift::Disabled, _) => Remedy::Wait,
        (Drift::Limit, Some(limit)) if limit < wanted.limit => {
            if wanted.limit_sent.is_some() || !shows {
                Remedy::Wait
            } else if limit < NanoUsd::CENT {
                Remedy::Hold
            } else {
                Remedy::KeepLimit(limit)
            }
        }
        (Drift::Limit, _) => Remedy::LimitAgain,
        (
            Drift::Name
            | Drift::LimitReset
            | Drift::Byok
            | Drift::ExpiresAt
            | Drift::OnAfterEnd
            | Drift::Missing,
            _,
        ) => Remedy::Tell,
    }
}

/// Answers whether OpenRouter allows a key less than its row says. Such a key needs a closer look.
pub fn allows_less(state: GenerationState, limit: NanoUsd, seen: &ObservedKey<'_>) -> bool {
    let off = state == GenerationState::Active && seen.disabled == Some(true);
    off || seen.limit.is_some_and(|seen| seen < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn wanted(state: GenerationState) -> ExpectedKey {
        ExpectedKey {
            name: String::from("keycap/0a/gen_1"),
            state,
            switch_in_flight: false,
            limit: NanoUsd::parse_typed("5").unwrap(),
            limit_sent: None,
            limit_reset: LimitReset::Daily,
            expires_at: NOW.plus(600),
            changed_at: NOW.plus(-300),
        }
    }

    fn faithful() -> ObservedKey<'static> {
        ObservedKey {
            name: "keycap/0a/gen_1",
            disabled: Some(false),
            limit: NanoUsd::parse_typed("5"),
            limit_reset: Some("daily"),
            include_byok_in_limit: Some(true),
            expires_at: Some(NOW.plus(600)),
        }
    }

    #[test]
    fn each_difference_is_recognised() {
        type DriftCase = fn(&mut ObservedKey<'static>);
        let bends: [(&[Drift], DriftCase); 8] = [
            (&[], |_| {}),
            (&[Drift::Name], |s| s.name = "somebody's"),
            (&[Drift::Disabled], |s| s.disabled = Some(true)),
            (&[Drift::Limit], |s| s.limit = None),
            (&[Drift::Limit], |s| s.limit = NanoUsd::parse_typed("50")),
            (&[Drift::LimitReset], |s| s.limit_reset = None),
            (&[Drift::Byok], |s| s.include_byok_in_limit = Some(false)),
            (&[Drift::ExpiresAt], |s| s.expires_at = None),
        ];
        for (expected, bend) in bends {
            let mut seen = faithful();
            bend(&mut seen);
            assert_eq!(
                drift(&wanted(GenerationState::Active), &seen, NOW),
                expected
            );
        }
    }

    #[test]
    fn a_change_that_is_under_way_is_no_drift() {
        let off = ObservedKey {
            disabled: Some(true),
            ..faithful()
        };
        let switch_in_flight = ExpectedKey {
            switch_in_flight: true,
            ..wanted(GenerationState::Active)
        };
        assert_eq!(drift(&switch_in_flight, &off, NOW), []);
        let sent = ExpectedKey {
            limit_sent: NanoUsd::parse_typed("7"),
            ..wanted(GenerationState::Active)
        };
        for limit in ["5", "7"] {
            let seen = ObservedKey {
                limit: NanoUsd::parse_typed(limit),
                ..faithful()
            };
            assert_eq!(drift(&sent, &seen, NOW), [], "{limit}");
        }
        for state in [
            GenerationState::Minting,
            GenerationState::Verifying,
            GenerationState::Revoking,
        ] {
            assert_eq!(drift(&wanted(state), &off, NOW), []);
        }
        assert_eq!(
            drift(&wanted(GenerationState::Active), &off, NOW.plus(600)),
            []
        );
    }

    #[test]
    fn only_an_enabled_or_raised_key_is_repaired_and_a_change_that_may_be_ours_proves_nothing() {
        let limit = |text: &str| ObservedKey {
            limit: NanoUsd::parse_typed(text),
            ..faithful()
        };
        let switched = |off: bool| ObservedKey {
            disabled: Some(off),
            ..faithful()
        };
        let unlimited = ObservedKey {
            limit: None,
            ..faithful()
        };
        let usd = |text: &str| NanoUsd::parse_typed(text).unwrap();
        let (active, disabled) = (
            wanted(GenerationState::Active),
            wanted(GenerationState::Disabled),
        );
        let recent = ExpectedKey {
            changed_at: NOW.plus(-299),
            ..active.clone()
        };
        let sent = ExpectedKey {
            limit_sent: NanoUsd::parse_typed("7"),
            ..active.clone()
        };
        for (drift, wanted, seen, expected) in [
            (Drift::Disabled, &active, switched(true), Remedy::Hold),
            (Drift::Disabled, &recent, switched(true), Remedy::Wait),
            (
                Drift::Disabled,
                &disabled,
                switched(false),
                Remedy::SwitchAgain,
            ),
            (
                Drift::Limit,
                &active,
                limit("4.99"),
                Remedy::KeepLimit(usd("4.99")),
            ),
            (
                Drift::Limit,
                &active,
                limit("0.01"),
                Remedy::KeepLimit(usd("0.01")),
            ),
            (Drift::Limit, &active, limit("0"), Remedy::Hold),
            (Drift::Limit, &recent, limit("2"), Remedy::Wait),
            (Drift::Limit, &sent, limit("2"), Remedy::Wait),
            (Drift::Limit, &active, limit("5.01"), Remedy::LimitAgain),
            (Drift::Limit, &recent, limit("5.01"), Remedy::LimitAgain),
            (Drift::Limit, &active, unlimited, Remedy::LimitAgain),
            (Drift::Name, &active, faithful(), Remedy::Tell),
        ] {
            assert_eq!(
                remedy(drift, wanted, &seen, NOW),
                expected,
                "{drift:?} {seen:?}"
            );
        }
    }

    #[test]
    fn a_key_that_is_enabled_after_its_end_is_reported() {
        let revoked = wanted(GenerationState::Revoked);
        assert_eq!(drift(&revoked, &faithful(), NOW), [Drift::OnAfterEnd]);
        let off = ObservedKey {
            disabled: Some(true),
            ..faithful()
        };
        assert_eq!(drift(&revoked, &off, NOW), []);
        assert_eq!(drift(&wanted(GenerationState::Disabled), &off, NOW), []);
        assert_eq!(
            drift(&wanted(GenerationState::Disabled), &faithful(), NOW),
            [Drift::Disabled]
        );
    }
}
