//! Members: whose session it is, whether it is current, and ending the sessions of a member.

pub mod blocks;
pub mod departures;
pub mod erasure;
pub mod export;
pub mod exported;
pub mod grants;
pub mod history;
pub mod limit_requests;
pub mod notices;
pub mod offboard;
pub mod presences;
pub mod projects;
pub mod requests;
pub mod roster;
pub mod sign_in;

use crate::domain::id::PublicId;
use crate::domain::people::identity::Status;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::query::StoreError;
use crate::store::query::read;
use crate::store::query::rows_of;

statements! {
    SESSION { member: PublicId } =
        "SELECT json_object('id', m.public_id, 'provider', m.provider, 'subject', m.subject, 'login', m.login,
            'created_at', m.created_at, 'status', m.status, 'epoch', m.epoch + s.session_epoch,
            'pins', IIF(m.provider = 'google', (SELECT group_concat(x.name, ' ') FROM admin_names x WHERE x.owner_id = m.owner_id), NULL))
        FROM members m JOIN settings s WHERE m.public_id = :member";

    END_GUARD { change: PublicId, now: Timestamp, member: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, a.member, 'sessions_ended', a.member, :now
        FROM current_sessions a
        WHERE a.member = :member AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    END_BY_ADMIN_GUARD { change: PublicId, now: Timestamp, actor: PublicId, member: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, m.public_id, 'sessions_ended', a.member, :now
        FROM members m JOIN current_sessions a ON a.member = :actor
        WHERE m.public_id = :member AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    END { change: PublicId, member: PublicId } = "UPDATE members SET epoch = epoch + 1, change_id = :change
        WHERE public_id = :member AND change_id <> :change
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";
}

from_json! {
    /// A member whose session is current.
    #[derive(Clone, Debug)]
    pub struct Member {
        pub id: String,
        pub provider: String,
        pub subject: String,
        pub login: String,
        pub created_at: Timestamp,
        status: Status,
        epoch: i64,
        /// The names under which a Google account is an admin, if the configuration lists one of them.
        pub pins: Option<String>,
    }
}

/// Runs `stmts` together with the check that the session is current, in one round trip. Returns the member and the rows
/// of `stmts`. It is for reads; a write puts the same check into its own guard.
pub async fn signed_in(
    db: &dyn Database,
    session: &Session,
    mut stmts: Vec<Stmt>,
) -> Result<(Member, Vec<Rows>), StoreError> {
    stmts.insert(0, session_check(session));
    let mut rows = db.batch(stmts).await?;
    let member = current(rows_of(&rows, 0)?, session)?;
    rows.remove(0);
    Ok((member, rows))
}

/// The statement that reads the member's status and epoch, in the same transaction as what the member asks for;
/// [`current`] checks them.
pub(crate) fn session_check(session: &Session) -> Stmt {
    stmt!(SESSION {
        member: &session.member,
    })
}

/// Returns the member if the session is current; otherwise `SessionEnded` or `MemberNotActive`.
pub(crate) fn current(rows: &Rows, session: &Session) -> Result<Member, StoreError> {
    let member: Option<Member> = rows.first().map(|row| read(row)).transpose()?;
    let member = member.ok_or(StoreError::SessionEnded)?;
    if member.status != Status::Active {
        return Err(StoreError::MemberNotActive(member.status));
    }
    if member.epoch != session.epoch {
        return Err(StoreError::SessionEnded);
    }
    Ok(member)
}

/// Ends every session of the member, this one included. Answers false if this session had already ended.
pub fn end_sessions(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let member = &session.member;
    let batch = vec![
        stmt!(END_GUARD {
            change,
            now,
            member,
            epoch: session.epoch,
        }),
        stmt!(END { change, member }),
    ];
    audit::run(db, batch, change, member.as_str())
}

/// Ends every session of a member, as an administrator. Answers false if there is no such member, or if the
/// administrator's own session has ended.
pub fn end_sessions_of(
    db: &dyn Database,
    admin: &Session,
    member: &PublicId,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(END_BY_ADMIN_GUARD {
            change,
            now,
            actor: &admin.member,
            member,
            epoch: admin.epoch,
        }),
        stmt!(END { change, member }),
    ];
    audit::run(db, batch, change, member.as_str())
}
