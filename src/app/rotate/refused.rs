//! The reasons that stop a replacement of a key's secret, as the errors that answer the request.

use crate::app::claim;
use crate::app::error::Error;
use crate::domain::key::rotation::ROTATIONS_A_DAY;
use crate::domain::time::period::LimitReset;
use crate::store::keys::attempt::{Attempt, Rotation};
use crate::store::keys::rotations::Gates;

/// Chooses the reason why the key is not replaced. The order is the one in which a caller would have to resolve them.
pub fn refusal(attempt: &Attempt, rotation: &Rotation, gates: &Gates) -> Error {
    let now = attempt.now;
    if gates.expires_at <= now {
        return Error::KeyEnded;
    }
    if gates.held {
        return Error::Held;
    }
    if !gates.minting_open || !gates.same_instance {
        return Error::MintingStopped;
    }
    if gates.being_made || (gates.locked && !gates.leaked) {
        return Error::ClaimInProgress;
    }
    let by_hand = !rotation.renews && rotation.grace_hours.is_none();
    if gates.is_off || (gates.leaked && !by_hand) {
        return Error::KeyOff;
    }
    if let Some(until) = gates.grace_until {
        return Error::InGrace { until };
    }
    if gates.unsettled {
        return Error::RotationUnsettled;
    }
    if rotation.renews && !gates.google_admitted {
        return Error::GoogleNotAdmitted;
    }
    if rotation.renews && gates.renewable_at > now {
        return Error::TooEarly {
            from: gates.renewable_at,
        };
    }
    if gates.rotations_today >= ROTATIONS_A_DAY {
        return Error::RotationsUsedUp {
            retry_at: LimitReset::Daily.ends(now),
        };
    }
    if gates.pause_until > now {
        return claim::busy_until(gates.pause_until, now);
    }
    if gates.locked {
        return Error::ClaimInProgress;
    }
    Error::OldUnconfirmed
}
