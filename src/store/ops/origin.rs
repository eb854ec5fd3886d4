//! The public origin that the database belongs to. A deployment at another origin mints and sweeps nothing.

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::ops::settings::{SettingsOutcome, switch};

statements! {
    // An operator moves the database to another public origin.
    TAKE_OVER_GUARD { change: PublicId, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, 'instance', 'instance_bound', a.member, :now
        FROM current_sessions a
        WHERE a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    TAKE_OVER { public_origin: String, change: PublicId } =
        concat!("UPDATE instance SET public_origin = :public_origin, change_id = :change
        WHERE change_id <> :change AND ", newest_change!("'instance'"));
}

/// Binds the database to `public_origin` in place of the origin that it had.
pub async fn take_over(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    public_origin: &str,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let stmts = vec![
        stmt!(TAKE_OVER_GUARD {
            change,
            now,
            actor: &session.member,
            epoch: session.epoch
        }),
        stmt!(TAKE_OVER {
            public_origin,
            change
        }),
    ];
    switch(db, change, stmts).await
}
