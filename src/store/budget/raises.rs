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

statements_at! {
    RAISE_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, ?2, 'limit_raised', m.public_id, ?3
        FROM members m JOIN settings s JOIN keys k JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
          AND k.public_id = ?2 AND k.ended_at IS NULL AND p.limit_reset <> 'none'
        ON CONFLICT DO NOTHING";

    RAISE = concat!("INSERT INTO raises (public_id, key_id, amount_nano, since, until, change_id)
        SELECT ?3, k.id, ?4, ?5, ?6, ?1 FROM keys k
        WHERE k.public_id = ?2 AND ", written!(), "
        ON CONFLICT DO NOTHING");

    END_RAISE_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, ?2, 'raise_ended', m.public_id, ?3
        FROM members m JOIN settings s JOIN raises r
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
          AND r.public_id = ?6 AND (r.until IS NULL OR r.until > ?3)
        ON CONFLICT DO NOTHING";

    END_RAISE = concat!("UPDATE raises SET until = MAX(?3, since + 1), change_id = ?1
        WHERE public_id = ?4 AND change_id <> ?1 AND ", written!());

    RAISED = concat!("SELECT json_object('raise', json_object('id', r.public_id, 'amount_nano', r.amount_nano,
            'since', r.since, 'until', r.until),
          'grants', ", grants!("k.owner_id", "k.id", "?2"), ")
        FROM raises r JOIN keys k ON k.id = r.key_id JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE r.public_id = ?1");
}

/// A raise as it goes into the answer.
#[derive(Clone, Debug, Serialize)]
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
        stmt_at!(RAISE_GUARD, change, key, by.now, admin, by.session.epoch),
        // It begins a second ago: it is in force from this second on, and it can still be ended within this second.
        stmt_at!(RAISE, change, key, raise, amount, by.now.plus(-1), until),
        owner_due(change, key, owner, by.now),
        stmt_at!(RAISED, raise.as_str(), by.now),
        members::session_check(by.session),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 4)?, by.session)?;
    let row = rows_of(&rows, 3)?.first();
    let row = row.map(|row| read::<RaisedRow>(row)).transpose()?;
    Ok(row.map(Raised::from))
}

/// Ends a raise. Ending it again changes nothing.
pub async fn end_raise(
    db: &dyn Database,
    by: &AdminChange<'_>,
    raise: &str,
    of: &Owner,
) -> Result<(), StoreError> {
    let (change, key) = (&by.change, of.key.as_deref().unwrap_or_default());
    let (admin, epoch) = (&by.session.member, by.session.epoch);
    let stmts = vec![
        stmt_at!(END_RAISE_GUARD, change, key, by.now, admin, epoch, raise),
        stmt_at!(END_RAISE, change, key, by.now, raise),
        owner_due(change, key, of.owner, by.now),
    ];
    done(db, by, key, stmts).await.map(|_| ())
}
