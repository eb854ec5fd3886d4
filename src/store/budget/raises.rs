//! Raises: more for one key than its plan gives, until a moment or for good.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::money::budget::Grants;
use crate::domain::time::Timestamp;
use crate::ports::Database;
use crate::store::budget::allowances::{Owner, done};
use crate::store::budget::plans::{AdminChange, owner_due};
use crate::store::budget_sql::GrantsRow;
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

statements! {
    RAISE_GUARD { change: PublicId, key: String, now: Timestamp, actor: PublicId, epoch: i64, amount: NanoUsd } =
        "INSERT INTO audit (change_id, target, action, actor, after_nano, at)
        SELECT :change, :key, 'limit_raised', a.member, :amount, :now
        FROM current_sessions a JOIN keys k JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE a.member = :actor AND a.epoch = :epoch
          AND k.public_id = :key AND k.ended_at IS NULL AND p.limit_reset <> 'none'
        ON CONFLICT DO NOTHING";

    RAISE { raise: PublicId, amount: NanoUsd, since: Timestamp, until: Option<Timestamp>, change: PublicId, key: String } =
        concat!("INSERT INTO raises (public_id, key_id, amount_nano, since, until, change_id)
        SELECT :raise, k.id, :amount, :since, :until, :change FROM keys k
        WHERE k.public_id = :key AND ", newest_change!(":key"), "
        ON CONFLICT DO NOTHING");

    END_RAISE_GUARD { change: PublicId, key: String, now: Timestamp, actor: PublicId, epoch: i64, raise: String } =
        "INSERT INTO audit (change_id, target, action, actor, before_nano, at)
        SELECT :change, :key, 'raise_ended', a.member, r.amount_nano, :now
        FROM current_sessions a JOIN raises r
        WHERE a.member = :actor AND a.epoch = :epoch
          AND r.public_id = :raise AND (r.until IS NULL OR r.until > :now)
        ON CONFLICT DO NOTHING";

    END_RAISE { now: Timestamp, change: PublicId, raise: String, key: String } =
        concat!("UPDATE raises SET until = MAX(:now, since + 1), change_id = :change
        WHERE public_id = :raise AND change_id <> :change AND ", newest_change!(":key"));

    RAISED { now: Timestamp, raise: PublicId } =
        concat!("SELECT json_object('raise', json_object('id', r.public_id, 'amount_nano', r.amount_nano,
            'since', r.since, 'until', r.until),
          'grants', ", grants!("k.owner_id", "k.id", ":now"), ")
        FROM raises r JOIN keys k ON k.id = r.key_id JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE r.public_id = :raise");
}

/// A raise as it goes into the answer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Raise {
    id: String,
    amount_usd: NanoUsd,
    since: Timestamp,
    until: Option<Timestamp>,
}

from_json! {
    struct RaiseRow {
        id: String,
        amount_nano: NanoUsd,
        since: Timestamp,
        until: Option<Timestamp>,
    }
}

from_json! {
    struct RaisedRow {
        raise: RaiseRow,
        grants: GrantsRow,
    }
}

/// A raise, and the key's limit without it and with it.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Raised {
    pub raise: Raise,
    pub old_limit_usd: NanoUsd,
    pub new_limit_usd: NanoUsd,
}

impl From<RaisedRow> for Raised {
    fn from(row: RaisedRow) -> Self {
        let RaisedRow { raise, grants } = row;
        let with = Grants::from(grants);
        let without = Grants {
            key_raises: with.key_raises.minus(raise.amount_nano),
            ..with
        };
        Self {
            old_limit_usd: without.allowance().key,
            new_limit_usd: with.allowance().key,
            raise: Raise {
                id: raise.id,
                amount_usd: raise.amount_nano,
                since: raise.since,
                until: raise.until,
            },
        }
    }
}

/// Raises a key's limit by `amount` until `until`, or for good. Returns `None` if the key has ended or its plan is
/// prepaid.
pub async fn raise(
    db: &dyn Database,
    by: &AdminChange<'_>,
    key: &str,
    owner: i64,
    raise: &PublicId,
    amount: NanoUsd,
    until: Option<Timestamp>,
) -> Result<Option<Raised>, StoreError> {
    let (change, admin) = (&by.change, &by.session.member);
    let stmts = vec![
        stmt!(RAISE_GUARD {
            change,
            key,
            now: by.now,
            actor: admin,
            epoch: by.session.epoch,
            amount,
        }),
        // The raise begins a second ago, so that it is in force in this second and can still be ended within this second.
        stmt!(RAISE {
            raise,
            amount,
            since: by.now.plus(-1),
            until,
            change,
            key,
        }),
        owner_due(change, key, owner, by.now),
        stmt!(RAISED { now: by.now, raise }),
        members::session_check(by.session),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 4)?, by.session)?;
    let row = rows_of(&rows, 3)?.first();
    let row = row.map(|row| read::<RaisedRow>(row)).transpose()?;
    Ok(row.map(Raised::from))
}

/// Ends a raise. If the raise has ended already, nothing changes.
pub async fn end_raise(
    db: &dyn Database,
    by: &AdminChange<'_>,
    raise: &str,
    of: &Owner,
) -> Result<(), StoreError> {
    let (change, key) = (&by.change, of.key.as_deref().unwrap_or_default());
    let (admin, epoch) = (&by.session.member, by.session.epoch);
    let stmts = vec![
        stmt!(END_RAISE_GUARD {
            change,
            key,
            now: by.now,
            actor: admin,
            epoch,
            raise,
        }),
        stmt!(END_RAISE {
            now: by.now,
            change,
            raise,
            key,
        }),
        owner_due(change, key, of.owner, by.now),
    ];
    done(db, by, key, stmts).await.map(|_| ())
}
