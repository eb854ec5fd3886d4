//! Signing in: one batch uses up the state of the sign-in, and makes or refreshes the member. The very first sign-in also
//! binds the database to its public origin and seeds the default plan.

use crate::domain::id::{IdKind, PublicId};
use crate::domain::money::NanoUsd;
use crate::domain::people::identity::{Identity, Status};
use crate::domain::people::session::Session;
use crate::domain::policy::plan_seed::PlanSeed;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;

statements! {
    // A state can be used once: the sign-in that writes the row of the state first may use it. A batch that is sent
    // again has the same change id, so it is no replay.
    BURN { state_sha256: String, change: PublicId, expires_at: Timestamp } =
        "INSERT INTO used_states (state_sha256, change_id, expires_at) VALUES (:state_sha256, :change, :expires_at)
        ON CONFLICT DO NOTHING";

    // The first sign-in binds this database to its public origin.
    BIND_GUARD { change: PublicId, now: Timestamp, state_sha256: String } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, 'instance', 'instance_bound', 'sign-in', :now FROM instance i
        WHERE i.public_origin IS NULL
          AND EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = :state_sha256 AND change_id = :change)
        ON CONFLICT DO NOTHING";

    BIND { public_origin: String, change: PublicId } =
        "UPDATE instance SET public_origin = :public_origin, change_id = :change
        WHERE public_origin IS NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'instance')";

    // The configuration seeds the default plan once. From then on, only the row counts.
    SEED_GUARD { change: PublicId, now: Timestamp, state_sha256: String } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, 'plan:default', 'plan_seeded', 'sign-in', :now
        WHERE NOT EXISTS (SELECT 1 FROM plans WHERE is_default = 1)
          AND EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = :state_sha256 AND change_id = :change)
        ON CONFLICT DO NOTHING";

    SEED {
        limit: NanoUsd, limit_reset: String, expiry_days: i64, workspace: Option<String>, now: Timestamp, change: PublicId,
    } = "INSERT INTO plans (name, limit_nano, limit_reset, expiry_days, max_active_keys, workspace_id,
            is_default, created_at, change_id)
        SELECT 'default', :limit, :limit_reset, :expiry_days, 1, :workspace, 1, :now, :change
        WHERE NOT EXISTS (SELECT 1 FROM plans WHERE is_default = 1)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'plan:default')";

    // A member who has left gets their old row back: the same owner, with everything that this owner has spent.
    RETURN_GUARD {
        change: PublicId, now: Timestamp, provider: String, left_as: String, subject: String, state_sha256: String,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, m.public_id, 'member_returned', m.public_id, m.status, 'active', :now FROM members m
        WHERE m.provider = :provider AND m.subject IN (SELECT value FROM json_each(:left_as)) AND m.status = 'left'
          AND NOT EXISTS (SELECT 1 FROM members p WHERE p.provider = :provider AND p.subject = :subject)
          AND EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = :state_sha256 AND change_id = :change)
        ORDER BY m.owner_id LIMIT 1 ON CONFLICT DO NOTHING";

    RETURN { subject: String, change: PublicId } =
        "UPDATE members SET status = 'active', subject = :subject, change_id = :change
        WHERE public_id = (SELECT target FROM audit WHERE change_id = :change AND action = 'member_returned')
          AND status = 'left'";

    SIGN_IN_GUARD {
        change: PublicId, new_member: PublicId, now: Timestamp, provider: String, subject: String, state_sha256: String,
    } = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, COALESCE(m.public_id, :new_member),
            CASE WHEN m.public_id IS NULL THEN 'member_created' ELSE 'signed_in' END,
            COALESCE(m.public_id, :new_member), :now
        FROM (SELECT 1) LEFT JOIN members m ON m.provider = :provider AND m.subject = :subject
        WHERE COALESCE(m.status, 'active') = 'active'
          AND EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = :state_sha256 AND change_id = :change)
        ON CONFLICT DO NOTHING";

    OWNER { now: Timestamp, change: PublicId, new_member: PublicId, provider: String, subject: String } =
        "INSERT INTO owners (kind, plan_id, created_at)
        SELECT 'member', p.id, :now FROM plans p
        WHERE p.is_default = 1 AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :new_member)
          AND NOT EXISTS (SELECT 1 FROM members WHERE provider = :provider AND subject = :subject)";

    // Owners are never deleted, and the database has one writer at a time. So the newest owner is the one that was just
    // made.
    MEMBER {
        new_member: PublicId, provider: String, subject: String, login: String, account_created_at: Timestamp,
        now: Timestamp, change: PublicId,
    } = "INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at,
            created_at, signed_in_at, change_id)
        SELECT (SELECT MAX(id) FROM owners), :new_member, :provider, :subject, :login, :account_created_at,
            :now, :now, :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :new_member)
          AND NOT EXISTS (SELECT 1 FROM members WHERE provider = :provider AND subject = :subject)";

    // A login that one account gave up and another has taken belongs to the account that signs in under it.
    PASS_ON_GUARD { change: PublicId, now: Timestamp, lower_login: String, provider: String, subject: String } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, m.public_id, 'login_passed_on', 'sign-in', :now FROM members m
        WHERE lower(m.login) = :lower_login AND m.provider = :provider AND m.subject <> :subject
          AND m.status <> 'left' AND m.login_passed_on_at IS NULL
          AND EXISTS (SELECT 1 FROM members n JOIN audit a ON a.change_id = :change AND a.target = n.public_id
            WHERE n.provider = :provider AND n.subject = :subject)
        ON CONFLICT DO NOTHING";

    PASS_ON { now: Timestamp, change: PublicId, lower_login: String } =
        "UPDATE members SET login_passed_on_at = :now, change_id = :change
        WHERE lower(login) = :lower_login AND login_passed_on_at IS NULL
          AND EXISTS (SELECT 1 FROM audit a
            WHERE a.change_id = :change AND a.target = members.public_id AND a.action = 'login_passed_on')";

    // The login is an attribute that can change. A person is identified by the provider and the account number.
    REFRESH {
        login: String, account_created_at: Timestamp, now: Timestamp, change: PublicId, provider: String, subject: String,
    } = "UPDATE members SET login = :login, login_passed_on_at = NULL, account_created_at = :account_created_at,
            signed_in_at = :now, change_id = :change
        WHERE provider = :provider AND subject = :subject
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = members.public_id)";

    SIGNED_IN { state_sha256: String, change: PublicId, provider: String, subject: String } = "SELECT json_object(
          'fresh', EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = :state_sha256 AND change_id = :change),
          'id', m.public_id, 'status', m.status, 'epoch', m.epoch + s.session_epoch)
        FROM settings s LEFT JOIN members m ON m.provider = :provider AND m.subject = :subject";
}

/// A sign-in that a provider has confirmed.
pub struct SignIn<'a> {
    pub identity: &'a Identity,
    /// The pseudonyms that would have replaced the account number when the person left, one for each secret of the
    /// deployment.
    pub left_as: Vec<String>,
    /// The id that the member gets if the person is new.
    pub new_member: PublicId,
    pub change: PublicId,
    pub state_sha256: String,
    pub state_expires_at: Timestamp,
    pub public_origin: &'a str,
    pub plan: &'a PlanSeed,
    pub now: Timestamp,
}

/// How a sign-in ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIn {
    As(Session),
    /// Another sign-in has used the state.
    Replayed,
    /// The member is suspended or banned.
    NotActive(Status),
}

/// Uses up the state, and makes or refreshes the member.
pub async fn sign_in(db: &dyn Database, sign_in: &SignIn<'_>) -> Result<SignedIn, DbError> {
    let (identity, plan) = (sign_in.identity, sign_in.plan);
    let (provider, subject) = (identity.provider.name(), identity.subject.as_str());
    let (login, account_created_at) = (identity.login.as_str(), identity.account_created_at);
    let lower_login = login.to_ascii_lowercase();
    let lower_login = lower_login.as_str();
    let (change, new_member, now) = (&sign_in.change, &sign_in.new_member, sign_in.now);
    let state_sha256 = sign_in.state_sha256.as_str();
    let left_as = serde_json::to_string(&sign_in.left_as).map_err(|_| DbError::Broken)?;
    let batch = vec![
        stmt!(BURN {
            state_sha256,
            change,
            expires_at: sign_in.state_expires_at,
        }),
        stmt!(BIND_GUARD {
            change,
            now,
            state_sha256,
        }),
        stmt!(BIND {
            public_origin: sign_in.public_origin,
            change,
        }),
        stmt!(SEED_GUARD {
            change,
            now,
            state_sha256,
        }),
        stmt!(SEED {
            limit: plan.limit,
            limit_reset: plan.limit_reset.name(),
            expiry_days: i64::from(plan.expiry_days),
            workspace: plan.workspace_id.as_deref(),
            now,
            change,
        }),
        stmt!(RETURN_GUARD {
            change,
            now,
            provider,
            left_as,
            subject,
            state_sha256,
        }),
        stmt!(RETURN { subject, change }),
        stmt!(SIGN_IN_GUARD {
            change,
            new_member,
            now,
            provider,
            subject,
            state_sha256,
        }),
        stmt!(OWNER {
            now,
            change,
            new_member,
            provider,
            subject,
        }),
        stmt!(MEMBER {
            new_member,
            provider,
            subject,
            login,
            account_created_at,
            now,
            change,
        }),
        stmt!(REFRESH {
            login,
            account_created_at,
            now,
            change,
            provider,
            subject,
        }),
        stmt!(PASS_ON_GUARD {
            change,
            now,
            lower_login,
            provider,
            subject,
        }),
        stmt!(PASS_ON {
            now,
            change,
            lower_login,
        }),
        stmt!(SIGNED_IN {
            state_sha256,
            change,
            provider,
            subject,
        }),
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
        let member = PublicId::parse(IdKind::Member, &id).ok_or(DbError::Broken)?;
        Ok(SignedIn::As(Session { member, epoch }))
    }
}
