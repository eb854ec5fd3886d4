//! Signing in: one batch uses up the state of the sign-in, and makes or refreshes the member. The very first sign-in also
//! binds the database to its public origin and seeds the default plan.

use crate::domain::id::{IdKind, PublicId};
use crate::domain::money::NanoUsd;
use crate::domain::people::identity::{Identity, Status};
use crate::domain::people::session::Session;
use crate::domain::policy::plan_seed::PlanSeed;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
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
        hosted_domain: Option<String>, now: Timestamp, change: PublicId,
    } = "INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at, hosted_domain,
            created_at, signed_in_at, change_id)
        SELECT (SELECT MAX(id) FROM owners), :new_member, :provider, :subject, :login, :account_created_at, :hosted_domain,
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
        login: String, account_created_at: Timestamp, hosted_domain: Option<String>, now: Timestamp, change: PublicId,
        provider: String, subject: String,
    } = "UPDATE members SET login = :login, login_passed_on_at = NULL, account_created_at = :account_created_at,
            hosted_domain = :hosted_domain, signed_in_at = :now, change_id = :change
        WHERE provider = :provider AND subject = :subject
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = members.public_id)";

    // The first account that signs in under an admin's address is this admin for good.
    PIN_GUARD { change: PublicId, pin: PublicId, now: Timestamp, name: String, provider: String, subject: String } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, :pin, 'admin_pinned', m.public_id, :now FROM members m
        WHERE m.provider = :provider AND m.subject = :subject
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = m.public_id)
          AND NOT EXISTS (SELECT 1 FROM admin_pins WHERE email_sha256 = :name)
        ON CONFLICT DO NOTHING";

    PIN { name: String, domain: String, pin: PublicId, now: Timestamp, change: PublicId, provider: String, subject: String } =
        "INSERT INTO admin_pins (email_sha256, domain, owner_id, public_id, since, change_id)
        SELECT :name, :domain, m.owner_id, :pin, :now, :change FROM members m
        WHERE m.provider = :provider AND m.subject = :subject
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :pin)
        ON CONFLICT DO NOTHING";

    // Another account under the same address is no admin. The console shows that it was here.
    UNPINNED_GUARD { change: PublicId, now: Timestamp, name: String, provider: String, subject: String } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, p.public_id, 'admin_refused', m.public_id, :now
        FROM members m JOIN admin_pins p ON p.email_sha256 = :name AND p.owner_id <> m.owner_id
        WHERE m.provider = :provider AND m.subject = :subject
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = m.public_id)
        ON CONFLICT DO NOTHING";

    UNPINNED { now: Timestamp, change: PublicId, name: String } =
        "UPDATE admin_pins SET refused_at = :now, change_id = :change
        WHERE email_sha256 = :name AND EXISTS (SELECT 1 FROM audit
          WHERE change_id = :change AND target = admin_pins.public_id AND action = 'admin_refused')";

    SIGNED_IN { state_sha256: String, change: PublicId, provider: String, subject: String } = "SELECT json_object(
          'fresh', EXISTS (SELECT 1 FROM used_states WHERE state_sha256 = :state_sha256 AND change_id = :change),
          'id', m.public_id, 'status', m.status, 'epoch', m.epoch + s.session_epoch,
          'address_is_anothers', EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND action = 'admin_refused'))
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
    /// The address of an admin that the person signs in under, and the id that its binding gets if this is the first
    /// account under it.
    pub admin: Option<(AdminAddress, PublicId)>,
    pub now: Timestamp,
}

/// The address of an admin, which its account has proved to have.
pub struct AdminAddress {
    /// The name under which the configuration lists the admin.
    pub name: String,
    /// The domain of the address, whose Workspace manages the account.
    pub domain: String,
}

/// How a sign-in ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIn {
    As {
        session: Session,
        /// The person has the address of an admin, and another account is that admin.
        address_is_anothers: bool,
    },
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
    let hosted_domain = identity.hosted_domain.as_deref();
    let lower_login = login.to_ascii_lowercase();
    let lower_login = lower_login.as_str();
    let (change, new_member, now) = (&sign_in.change, &sign_in.new_member, sign_in.now);
    let state_sha256 = sign_in.state_sha256.as_str();
    let left_as = serde_json::to_string(&sign_in.left_as).map_err(|_| DbError::Broken)?;
    let mut batch = vec![
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
            hosted_domain,
            now,
            change,
        }),
        stmt!(REFRESH {
            login,
            account_created_at,
            hosted_domain,
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
    ];
    if let Some((address, pin)) = &sign_in.admin {
        batch.extend(pin_admin(sign_in, address, pin));
    }
    batch.push(stmt!(SIGNED_IN {
        state_sha256,
        change,
        provider,
        subject,
    }));
    let row: SignedInRow =
        last_row(&batch_retrying_unknown(db, batch).await?)?.ok_or(DbError::Broken)?;
    row.outcome()
}

/// The statements that bind an admin's address to this account, or note that another account has it.
fn pin_admin(sign_in: &SignIn<'_>, address: &AdminAddress, pin: &PublicId) -> [Stmt; 4] {
    let (change, now) = (&sign_in.change, sign_in.now);
    let provider = sign_in.identity.provider.name();
    let subject = sign_in.identity.subject.as_str();
    let (name, domain) = (address.name.as_str(), address.domain.as_str());
    [
        stmt!(PIN_GUARD {
            change,
            pin,
            now,
            name,
            provider,
            subject,
        }),
        stmt!(PIN {
            name,
            domain,
            pin,
            now,
            change,
            provider,
            subject,
        }),
        stmt!(UNPINNED_GUARD {
            change,
            now,
            name,
            provider,
            subject,
        }),
        stmt!(UNPINNED { now, change, name }),
    ]
}

from_json! {
    struct SignedInRow {
        address_is_anothers: bool,
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
        Ok(SignedIn::As {
            session: Session { member, epoch },
            address_is_anothers: self.address_is_anothers,
        })
    }
}
