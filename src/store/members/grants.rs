//! What one member was granted beyond the plan, as administrators see it: the raises in force, and the payments.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::query::read_all;

/// At most this many raises and this many payments are shown, the newest.
const SHOWN: i64 = 100;

statements! {
    RAISES { member: PublicId, now: Timestamp, most: i64 } = "SELECT json_object('id', r.public_id, 'key', k.public_id,
            'amount_nano', r.amount_nano, 'since', r.since, 'until', r.until)
        FROM members m JOIN keys k ON k.owner_id = m.owner_id JOIN raises r ON r.key_id = k.id
        WHERE m.public_id = :member AND k.ended_at IS NULL AND (r.until IS NULL OR r.until > :now)
        ORDER BY r.id DESC LIMIT :most";

    PAYMENTS { member: PublicId, most: i64 } = "SELECT json_object('id', y.payment_id, 'amount_nano', y.paid_nano,
            'credit_nano', y.credit_nano, 'at', y.at)
        FROM members m JOIN payments y ON y.owner_id = m.owner_id
        WHERE m.public_id = :member ORDER BY y.at DESC LIMIT :most";
}

from_json! {
    /// A raise that is in force.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct RaiseInForce {
        id: String,
        /// The key that it is for.
        key: String,
        #[serde(rename(serialize = "amount_usd"))]
        amount_nano: NanoUsd,
        since: Timestamp,
        /// It is `null` for a raise for good.
        until: Option<Timestamp>,
    }
}

from_json! {
    /// A payment of a member.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct PaymentOfMember {
        id: String,
        #[serde(rename(serialize = "amount_usd"))]
        amount_nano: NanoUsd,
        /// What of it may be spent.
        #[serde(rename(serialize = "credit_usd"))]
        credit_nano: NanoUsd,
        at: Timestamp,
    }
}

/// The statements that read a member's raises and payments.
pub fn of_member(member: &PublicId, now: Timestamp) -> [Stmt; 2] {
    [
        stmt!(RAISES {
            member,
            now,
            most: SHOWN
        }),
        stmt!(PAYMENTS {
            member,
            most: SHOWN
        }),
    ]
}

/// Returns what the rows of [`of_member`] say.
pub fn read_grants(
    raises: &Rows,
    payments: &Rows,
) -> Result<(Vec<RaiseInForce>, Vec<PaymentOfMember>), DbError> {
    Ok((read_all(raises)?, read_all(payments)?))
}
