//! Members: who a session belongs to, signing in, and ending sessions.

pub mod blocks;
pub mod export;
pub mod offboard;
pub mod requests;
pub mod roster;

use crate::domain::id::PublicId;
use crate::domain::people::identity::{Identity, Status};
use crate::domain::people::session::Session;
use crate::domain::policy::plan_seed::PlanSeed;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read;
use crate::store::query::rows_of;

statements_at! {
    SESSION = "SELECT json_object('id', m.public_id, 'provider', m.provider, 'subject', m.subject, 'login', m.login,
            'created_at', m.created_at, 'status', m.status, 'epoch', m.epoch + s.session_epoch)
        FROM members m JOIN settings s WHERE m.public_id = ?1";

    // A state can be used once: the sign-in that writes its row first has it. Sending the same sign-in again is no
    // replay.
    BURN = "INSERT INTO used_states (state_sha256, change_id, expires_at) VALUES (?1, ?2, ?3)
        ON CONFLICT DO NOTHING";

    // The first sign-in binds this database to its public origin.
    BIND_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, 'instance', 'instance_bound', 'sign-in', ?2 FROM instance i
        WHERE i.public_origin IS NULL
          AND EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = ?3 AND change_id = ?1)
        ON CONFLICT DO NOTHING";

    BIND = "UPDATE instance SET public_origin = ?1, change_id = ?2
        WHERE public_origin IS NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = 'instance')";

    // Configuration seeds the default plan once; from then on only the row counts.
    SEED_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, 'plan:default', 'plan_seeded', 'sign-in', ?2
        WHERE NOT EXISTS (SELECT 1 FROM plans WHERE is_default = 1)
          AND EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = ?3 AND change_id = ?1)
        ON CONFLICT DO NOTHING";

    SEED = "INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, workspace_id,
            is_default, created_at, change_id)
        SELECT 'default', ?1, ?2, ?3, 1, ?4, 1, ?5, ?6
        WHERE NOT EXISTS (SELECT 1 FROM plans WHERE is_default = 1)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?6 AND target = 'plan:default')";

    // A member who has left gets their old row back: the same owner, with everything that this owner has spent.
    RETURN_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, m.public_id, 'member_returned', m.public_id, m.status, 'active', ?2 FROM members m
        WHERE m.provider = ?3 AND m.subject IN (SELECT value FROM json_each(?4)) AND m.status = 'left'
          AND NOT EXISTS (SELECT 1 FROM members p WHERE p.provider = ?3 AND p.subject = ?5)
          AND EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = ?6 AND change_id = ?1)
        ORDER BY m.owner_id LIMIT 1 ON CONFLICT DO NOTHING";

    RETURN = "UPDATE members SET status = 'active', subject = ?1, change_id = ?2
        WHERE public_id = (SELECT target FROM audit WHERE change_id = ?2 AND action = 'member_returned') AND status = 'left'";

    SIGN_IN_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, COALESCE(m.public_id, ?2), CASE WHEN m.public_id IS NULL THEN 'member_created' ELSE 'signed_in' END,
            COALESCE(m.public_id, ?2), ?3
        FROM (SELECT 1) LEFT JOIN members m ON m.provider = ?4 AND m.subject = ?5
        WHERE COALESCE(m.status, 'active') = 'active'
          AND EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = ?6 AND change_id = ?1)
        ON CONFLICT DO NOTHING";

    OWNER = "INSERT INTO owners (kind, plan_id, created_at)
        SELECT 'member', p.id, ?1 FROM plans p
        WHERE p.is_default = 1 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)
          AND NOT EXISTS (SELECT 1 FROM members WHERE provider = ?4 AND subject = ?5)";

    // Owners are never deleted and the database has one writer at a time: the newest owner is the one that was just
    // made.
    MEMBER = "INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at,
            created_at, signed_in_at, change_id)
        SELECT (SELECT MAX(id) FROM owners), ?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = ?7 AND target = ?1)
          AND NOT EXISTS (SELECT 1 FROM members WHERE provider = ?2 AND subject = ?3)";

    // A login that one account gave up and another has taken belongs to the account that signs in under it.
    PASS_ON_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, m.public_id, 'login_passed_on', 'sign-in', ?2 FROM members m
        WHERE lower(m.login) = ?3 AND m.provider = ?4 AND m.subject <> ?5 AND m.status <> 'left' AND m.login_passed_on_at IS NULL
          AND EXISTS (SELECT 1 FROM members n JOIN audit a ON a.change_id = ?1 AND a.target = n.public_id
            WHERE n.provider = ?4 AND n.subject = ?5)
        ON CONFLICT DO NOTHING";

    PASS_ON = "UPDATE members SET login_passed_on_at = ?2, change_id = ?1
        WHERE lower(login) = ?3 AND login_passed_on_at IS NULL
          AND EXISTS (SELECT 1 FROM audit a WHERE a.change_id = ?1 AND a.target = members.public_id AND a.action = 'login_passed_on')";

    // The login is an attribute; a person is identified by (provider, subject).
    REFRESH = "UPDATE members SET login = ?1, login_passed_on_at = NULL, account_created_at = ?2, signed_in_at = ?3, change_id = ?4
        WHERE provider = ?5 AND subject = ?6
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = members.public_id)";

    SIGNED_IN = "SELECT json_object(
          'fresh', EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = ?1 AND change_id = ?2),
          'id', m.public_id, 'status', m.status, 'epoch', m.epoch + s.session_epoch)
        FROM settings s LEFT JOIN members m ON m.provider = ?3 AND m.subject = ?4";

    END_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, m.public_id, 'sessions_ended', m.public_id, ?2
        FROM members m JOIN settings s
        WHERE m.public_id = ?3 AND m.epoch + s.session_epoch = ?4 AND m.status = 'active'
        ON CONFLICT DO NOTHING";

    END_BY_ADMIN_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, m.public_id, 'sessions_ended', a.public_id, ?2
        FROM members m JOIN members a ON a.public_id = ?4 JOIN settings s
        WHERE m.public_id = ?3 AND a.epoch + s.session_epoch = ?5 AND a.status = 'active'
        ON CONFLICT DO NOTHING";

    END = "UPDATE members SET epoch = epoch + 1, change_id = ?1
        WHERE public_id = ?2 AND change_id <> ?1
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?2)";
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
    stmt_at!(SESSION, &session.member)
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

/// A sign-in that a provider has confirmed.
pub struct SignIn<'a> {
    pub identity: &'a Identity,
    /// The pseudonyms that replace their account number if they have left, one for each secret of the deployment.
    pub left_as: Vec<String>,
    /// The id of the member, if the person is new.
    pub member: PublicId,
    pub change: PublicId,
    pub state_sha256: String,
    pub state_expires_at: Timestamp,
    pub public_origin: &'a str,
    pub plan: &'a PlanSeed,
    pub now: Timestamp,
}

/// The outcome of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIn {
    As(Session),
    /// The state was used before.
    Replayed,
    NotActive(Status),
}

/// Uses up the state and makes or refreshes the member. The very first sign-in also binds the database to its origin
/// and seeds the default plan.
pub async fn sign_in(db: &dyn Database, sign_in: &SignIn<'_>) -> Result<SignedIn, DbError> {
    let SignIn {
        identity,
        change,
        state_sha256,
        now,
        plan,
        ..
    } = sign_in;
    let (provider, subject) = (identity.provider.name(), identity.subject.as_str());
    let state = state_sha256.as_str();
    let login = identity.login.to_ascii_lowercase();
    let left_as = serde_json::to_string(&sign_in.left_as).map_err(|_| DbError::Broken)?;
    let batch = vec![
        stmt_at!(BURN, state, change, sign_in.state_expires_at),
        stmt_at!(BIND_GUARD, change, *now, state),
        stmt_at!(BIND, sign_in.public_origin, change),
        stmt_at!(SEED_GUARD, change, *now, state),
        stmt_at!(
            SEED,
            plan.limit,
            plan.limit_reset.name(),
            i64::from(plan.expiry_days),
            plan.workspace_id.as_deref(),
            *now,
            change
        ),
        stmt_at!(
            RETURN_GUARD,
            change,
            *now,
            provider,
            left_as,
            subject,
            state
        ),
        stmt_at!(RETURN, subject, change),
        stmt_at!(
            SIGN_IN_GUARD,
            change,
            &sign_in.member,
            *now,
            provider,
            subject,
            state
        ),
        stmt_at!(OWNER, *now, change, &sign_in.member, provider, subject),
        stmt_at!(
            MEMBER,
            &sign_in.member,
            provider,
            subject,
            identity.login.as_str(),
            identity.account_created_at,
            *now,
            change
        ),
        stmt_at!(
            REFRESH,
            identity.login.as_str(),
            identity.account_created_at,
            *now,
            change,
            provider,
            subject
        ),
        stmt_at!(
            PASS_ON_GUARD,
            change,
            *now,
            login.as_str(),
            provider,
            subject
        ),
        stmt_at!(PASS_ON, change, *now, login.as_str()),
        stmt_at!(SIGNED_IN, state, change, provider, subject),
    ];
    let row: SignedInRow =
        last_row(&batch_retrying_unknown(db, batch).await?)?.ok_or(DbError::Broken)?;
    row.outcome()
}

from_json! {
    struct SignedInRow {
        fresh: bool,
        id: Option<String>,
        status: Option<Status>,
        epoch: Option<i64>,
    }
}

impl SignedInRow {
    fn outcome(self) -> Result<SignedIn, DbError> {
        if !self.fresh {
            return Ok(SignedIn::Replayed);
        }
        let (Some(id), Some(status), Some(epoch)) = (self.id, self.status, self.epoch) else {
            return Err(DbError::Broken);
        };
        if status != Status::Active {
            return Ok(SignedIn::NotActive(status));
        }
        let member =
            PublicId::parse(crate::domain::id::IdKind::Member, &id).ok_or(DbError::Broken)?;
        Ok(SignedIn::As(Session { member, epoch }))
    }
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
        stmt_at!(END_GUARD, change, now, member, session.epoch),
        stmt_at!(END, change, member),
    ];
    crate::store::audit::run(db, batch, change, member.as_str())
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
        stmt_at!(
            END_BY_ADMIN_GUARD,
            change,
            now,
            member,
            &admin.member,
            admin.epoch
        ),
        stmt_at!(END, change, member),
    ];
    crate::store::audit::run(db, batch, change, member.as_str())
}
