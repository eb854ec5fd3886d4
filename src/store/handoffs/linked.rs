//! The keys that billing providers made for members: what is on record of them, without any secret.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::handoff::PROVIDER_KEY_CHANGES_A_DAY;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::handoffs::HandoffAct;
use crate::store::keys::cards::CardProject;
use crate::store::members;
use crate::store::query::{StoreError, batch_retrying_unknown, read_all, rows_of};

/// The most keys that one list has. More can hardly be made at 50 hand-offs a day before some are unlinked.
const MOST: i64 = 200;

/// A provider key `k` as its member sees it.
macro_rules! provider_key {
    () => {
        "json_object('id', k.public_id, 'provider', k.provider, 'label', k.label, 'mask', k.mask, 'handoff', k.handoff,
          'project', (SELECT json_object('id', p.public_id, 'name', p.name) FROM projects p WHERE p.id = k.project_id),
          'created_at', k.created_at, 'leaked_at', (SELECT MAX(w.at) FROM audit w
            WHERE w.target = k.public_id AND w.action = 'provider_key_leaked'))"
    };
}

statements! {
    LINK_GUARD { change: PublicId, key: PublicId, member: PublicId, slug: String, now: Timestamp, handoff: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :key, 'provider_key_linked', :member, :slug, :now
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :handoff AND action = 'handoff_redeemed')
        ON CONFLICT DO NOTHING";

    LINK {
        key: PublicId, slug: String, label: Option<String>, mask: String, secret_sha256: String,
        project: Option<String>, handoff: PublicId, now: Timestamp, change: PublicId, member: PublicId,
    } = "INSERT INTO provider_keys (public_id, owner_id, provider, label, mask, secret_sha256, project_id, handoff,
          created_at, change_id)
        SELECT :key, m.owner_id, :slug, :label, :mask, :secret_sha256,
          (SELECT p.id FROM projects p WHERE p.public_id = :project AND p.owner_id = m.owner_id), :handoff, :now, :change
        FROM members m WHERE m.public_id = :member
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)
        ON CONFLICT DO NOTHING";

    // The record of a key goes when it is forgotten; that there was one stays in the history of its member.
    TELL { member: PublicId, change: PublicId, key: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT a.change_id, :member, a.action, a.actor, COALESCE(a.after, a.before), a.at FROM audit a
        WHERE a.change_id = :change AND a.target = :key AND a.actor = :member
        ON CONFLICT DO NOTHING";

    LIST { member: PublicId, project: Option<String>, most: i64 } = concat!("SELECT ", provider_key!(), "
        FROM members m JOIN provider_keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = :member
          AND (:project IS NULL OR k.project_id = (SELECT p.id FROM projects p WHERE p.public_id = :project))
        ORDER BY k.id DESC LIMIT :most");

    ONE { member: PublicId, key: PublicId } = concat!("SELECT ", provider_key!(), "
        FROM members m JOIN provider_keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = :member AND k.public_id = :key");

    // The exchanges whose outcome is unknown: there may be a key that nobody has.
    UNKNOWN { member: PublicId, most: i64 } =
        "SELECT json_object('id', h.public_id, 'provider', h.provider, 'at', h.redeeming_at)
        FROM members m JOIN handoffs h ON h.owner_id = m.owner_id
        WHERE m.public_id = :member AND h.state = 'unknown' ORDER BY h.id DESC LIMIT :most";

    CHANGE_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, key: PublicId, new_label: bool,
        label: Option<String>, new_project: bool, project: Option<String>, most_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, k.public_id, 'provider_key_changed', a.member, :now
        FROM current_sessions a JOIN provider_keys k ON k.owner_id = a.owner_id
        WHERE a.member = :member AND a.epoch = :epoch AND k.public_id = :key
          AND ((:new_label AND k.label IS NOT :label)
            OR (:new_project AND (SELECT p.public_id FROM projects p WHERE p.id = k.project_id) IS NOT :project))
          AND ", used_today!("a.owner_id", "provider_key_changed", ":now"), " < :most_a_day
        ON CONFLICT DO NOTHING");

    CHANGE {
        new_label: bool, label: Option<String>, new_project: bool, project: Option<String>, change: PublicId,
        key: PublicId,
    } = concat!("UPDATE provider_keys SET label = CASE :new_label WHEN 1 THEN :label ELSE label END,
          project_id = CASE :new_project WHEN 1 THEN (SELECT p.id FROM projects p
            WHERE p.public_id = :project AND p.owner_id = provider_keys.owner_id) ELSE project_id END, change_id = :change
        WHERE public_id = :key AND change_id <> :change AND ", newest_change!(":key"));

    UNLINK_GUARD { change: PublicId, now: Timestamp, member: PublicId, epoch: i64, key: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, k.public_id, 'provider_key_unlinked', a.member, k.provider, :now
        FROM current_sessions a JOIN provider_keys k ON k.owner_id = a.owner_id
        WHERE a.member = :member AND a.epoch = :epoch AND k.public_id = :key
        ON CONFLICT DO NOTHING";

    UNLINK { key: PublicId, change: PublicId } = "DELETE FROM provider_keys
        WHERE public_id = :key AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)";

    UNLINKED { member: PublicId, key: PublicId } = "SELECT json_object('unlinked',
        EXISTS (SELECT 1 FROM audit WHERE target = :key AND action = 'provider_key_unlinked' AND actor = :member))";
}

from_json! {
    /// A key that a provider made for a member. Its spend is known only at the provider.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ProviderKey {
        #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = "^pky_[0-9a-f]{24}$")))]
        pub id: String,
        /// The provider, by its `slug`.
        pub provider: String,
        pub label: Option<String>,
        pub mask: String,
        /// The sign-in that it came of. Its id is part of the key's name at the provider.
        pub handoff: String,
        pub project: Option<CardProject>,
        pub created_at: Timestamp,
        /// When somebody reported it as found. Only its owner can end it, at the provider.
        pub leaked_at: Option<Timestamp>,
    }
}

from_json! {
    /// A sign-in whose exchange never told how it ended: there may be a key of which nobody has the secret.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct UnknownHandoff {
        /// It is part of the name of that key at the provider.
        pub id: String,
        pub provider: String,
        pub at: Timestamp,
    }
}

from_json! {
    struct Unlinked {
        unlinked: bool,
    }
}

/// What is recorded of a new key.
pub struct NewProviderKey<'a> {
    pub id: &'a PublicId,
    pub slug: &'a str,
    pub label: Option<&'a str>,
    pub mask: &'a str,
    pub secret_sha256: &'a str,
    /// The id of a project of the member.
    pub project: Option<&'a str>,
}

pub(super) fn link_guard(act: &HandoffAct<'_>, key: &NewProviderKey<'_>) -> Stmt {
    stmt!(LINK_GUARD {
        change: &act.change,
        key: key.id,
        member: &act.session.member,
        slug: key.slug,
        now: act.now,
        handoff: act.handoff,
    })
}

/// The statement that tells the member's own history of it.
pub(super) fn tell(session: &Session, change: &PublicId, key: &PublicId) -> Stmt {
    stmt!(TELL {
        member: &session.member,
        change,
        key,
    })
}

pub(super) fn link(act: &HandoffAct<'_>, key: &NewProviderKey<'_>) -> Stmt {
    stmt!(LINK {
        key: key.id,
        slug: key.slug,
        label: key.label,
        mask: key.mask,
        secret_sha256: key.secret_sha256,
        project: key.project,
        handoff: act.handoff,
        now: act.now,
        change: &act.change,
        member: &act.session.member,
    })
}

/// The statement that reads one key of the member. [`read_list`] reads its row.
pub fn one(session: &Session, key: &PublicId) -> Stmt {
    stmt!(ONE {
        member: &session.member,
        key,
    })
}

/// Returns the rows of a statement that reads keys.
pub fn read_list(rows: &Rows) -> Result<Vec<ProviderKey>, DbError> {
    read_all(rows)
}

/// The member's keys, newest first, and the exchanges whose outcome is unknown.
pub async fn list(
    db: &dyn Database,
    session: &Session,
) -> Result<(Vec<ProviderKey>, Vec<UnknownHandoff>), StoreError> {
    let member = &session.member;
    let read = vec![
        of_project(session, None),
        stmt!(UNKNOWN { member, most: MOST }),
    ];
    let (_, rows) = members::signed_in(db, session, read).await?;
    Ok((
        read_list(rows_of(&rows, 0)?)?,
        read_all(rows_of(&rows, 1)?)?,
    ))
}

/// The statement that reads the member's keys, or those in one project of theirs. [`read_list`] reads its rows.
pub fn of_project(session: &Session, project: Option<&str>) -> Stmt {
    stmt!(LIST {
        member: &session.member,
        project,
        most: MOST,
    })
}

/// What a member changes of a key. `Some(None)` removes the label, or takes the key out of its project.
pub struct ProviderKeyChange<'a> {
    pub label: Option<Option<&'a str>>,
    /// The id of a project of the member.
    pub project: Option<Option<&'a str>>,
}

/// Changes a key. Returns it as it is then; `None` if the member has none of this id.
pub async fn change(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    key: &PublicId,
    wanted: &ProviderKeyChange<'_>,
    now: Timestamp,
) -> Result<Option<ProviderKey>, StoreError> {
    let (new_label, label) = (wanted.label.is_some(), wanted.label.flatten());
    let (new_project, project) = (wanted.project.is_some(), wanted.project.flatten());
    let batch = vec![
        stmt!(CHANGE_GUARD {
            change,
            now,
            member: &session.member,
            epoch: session.epoch,
            key,
            new_label,
            label,
            new_project,
            project,
            most_a_day: PROVIDER_KEY_CHANGES_A_DAY,
        }),
        stmt!(CHANGE {
            new_label,
            label,
            new_project,
            project,
            change,
            key,
        }),
        members::session_check(session),
        one(session, key),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 2)?, session)?;
    Ok(read_list(rows_of(&rows, 3)?)?.into_iter().next())
}

/// Forgets a key. Answers whether the member had it; a second call answers the same.
pub async fn unlink(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    key: &PublicId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let batch = vec![
        stmt!(UNLINK_GUARD {
            change,
            now,
            member: &session.member,
            epoch: session.epoch,
            key,
        }),
        tell(session, change, key),
        stmt!(UNLINK { key, change }),
        members::session_check(session),
        stmt!(UNLINKED {
            member: &session.member,
            key,
        }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 3)?, session)?;
    let unlinked: Vec<Unlinked> = read_all(rows_of(&rows, 4)?)?;
    Ok(unlinked.iter().any(|row| row.unlinked))
}
