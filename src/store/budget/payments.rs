//! Payments: each is booked once, and makes the caps of the owner's keys due.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::Database;
use crate::store::audit::{committed, was_committed};
use crate::store::budget::plans::{AdminChange, owner_due};
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

statements! {
    PAY_GUARD {
        change: PublicId, member: String, now: Timestamp, actor: PublicId, epoch: i64, owner: i64, payment: String,
    } = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, :member, 'payment_booked', a.member, :now
        FROM current_sessions a JOIN owners o JOIN plans p ON p.id = o.plan_id
        WHERE a.member = :actor AND a.epoch = :epoch
          AND o.id = :owner AND p.limit_reset = 'none'
          AND NOT EXISTS (SELECT 1 FROM payments y WHERE y.payment_id = :payment)
        ON CONFLICT DO NOTHING";

    // The margin is subtracted first, so a limit is never set to the full amount. An amount in cents can be divided by
    // 10000 without a remainder.
    PAY { payment: String, amount: NanoUsd, now: Timestamp, change: PublicId, owner: i64, member: String } =
        concat!("INSERT INTO payments (payment_id, owner_id, paid_nano, credit_nano, at, change_id)
        SELECT :payment, o.id, CAST(:amount AS INTEGER), CAST(:amount AS INTEGER) / 10000 * (10000 - p.margin_bp),
            :now, :change
        FROM owners o JOIN plans p ON p.id = o.plan_id
        WHERE o.id = :owner AND ", newest_change!(":member"), "
        ON CONFLICT DO NOTHING");

    PAID { payment: String } = "SELECT json_object('id', y.payment_id, 'owner', y.owner_id, 'paid_nano', y.paid_nano,
            'credit_nano', y.credit_nano, 'at', y.at)
        FROM payments y WHERE y.payment_id = :payment";
}

/// A payment as it was booked.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Payment {
    id: String,
    #[serde(skip)]
    pub owner: i64,
    #[serde(rename = "amount_usd")]
    pub paid: NanoUsd,
    #[serde(rename = "credit_usd")]
    credit: NanoUsd,
    at: Timestamp,
}

from_json! {
    struct PaymentRow {
        id: String,
        owner: i64,
        paid_nano: NanoUsd,
        credit_nano: NanoUsd,
        at: Timestamp,
    }
}

/// Books a payment once. Returns the payment as it was booked, and whether this call booked it; `None` if the owner
/// does not prepay.
pub async fn pay(
    db: &dyn Database,
    by: &AdminChange<'_>,
    member: &str,
    owner: i64,
    payment: &str,
    amount: NanoUsd,
) -> Result<Option<(Payment, bool)>, StoreError> {
    let (change, admin) = (&by.change, &by.session.member);
    let stmts = vec![
        stmt!(PAY_GUARD {
            change,
            member,
            now: by.now,
            actor: admin,
            epoch: by.session.epoch,
            owner,
            payment,
        }),
        stmt!(PAY {
            payment,
            amount,
            now: by.now,
            change,
            owner,
            member,
        }),
        owner_due(change, member, owner, by.now),
        stmt!(PAID { payment }),
        members::session_check(by.session),
        committed(change, member),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 4)?, by.session)?;
    let row = rows_of(&rows, 3)?.first();
    let row = row.map(|row| read::<PaymentRow>(row)).transpose()?;
    let booked = was_committed(&rows)?;
    Ok(row.map(|row| {
        let payment = Payment {
            id: row.id,
            owner: row.owner,
            paid: row.paid_nano,
            credit: row.credit_nano,
            at: row.at,
        };
        (payment, booked)
    }))
}
